"""The formats whose sidecars of several pages can be joined."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ocrwatch.render.joining.base import JoinedFormat
from ocrwatch.render.joining.joined_alto import JoinedAlto
from ocrwatch.render.joining.joined_csv import JoinedCsv
from ocrwatch.render.joining.joined_hocr import JoinedHocr
from ocrwatch.render.joining.joined_json import JoinedJson
from ocrwatch.render.joining.joined_markdown import JoinedMarkdown
from ocrwatch.render.joining.joined_pdf import JoinedPdf
from ocrwatch.render.joining.joined_tsv import JoinedTsv
from ocrwatch.render.joining.joined_txt import JoinedTxt
from ocrwatch.render.joining.joined_xlsx import JoinedXlsx

_ALL: Final[tuple[JoinedFormat, ...]] = (
    JoinedTxt(), JoinedJson(), JoinedHocr(), JoinedAlto(), JoinedPdf(), JoinedMarkdown(), JoinedTsv(), JoinedCsv(),
    JoinedXlsx(),
)  # fmt: skip

JOINED: Final[Mapping[str, JoinedFormat]] = MappingProxyType({each.name: each for each in _ALL})
"""By the name of the format of the pages."""
