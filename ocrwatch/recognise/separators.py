"""Says which codes are those of separator sheets, which lie between the pages of two documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

from ocrwatch.document import Code

PATCH_T: Final = "PATCHT"
"""The text that other programs use: paperless-ngx and NAPS2 compare it with the whole text of a code, too."""

SHEET: Final = "ocrwatch:separator"
"""The text of the QR code on the sheet that ``ocrwatch separator`` prints."""

SEPARATOR_TEXTS: Final = frozenset({PATCH_T, "PATCH-T", SHEET})
"""The texts of separator codes that name no profile."""

_NAMES: Final = f"{SHEET}:"
"""What is before the name of a profile in a code."""

_PLAIN: Final = "".join(each for each in map(chr, range(0x20, 0x7F)) if each != "%")

LONGEST_NAME: Final = 200
"""Bytes in UTF-8 of the longest name that a sheet can have."""

_MOST_NAMES: Final = 2
"""How many names of a page are kept: more than one cannot be followed."""


def sheet_text(profile: str = "") -> str:
    """Return the text of the QR code on a sheet, for the documents of a profile if it names one.

    Characters other than printable ASCII are percent-encoded (RFC 3986): readers guess the encoding of others.
    """
    return f"{_NAMES}{quote(profile, safe=_PLAIN)}" if profile else SHEET


def is_separator(code: Code) -> bool:
    """Return whether a code says that the page is a separator sheet: its whole text does, whatever its kind."""
    return code.text in SEPARATOR_TEXTS or code.text.startswith(_NAMES)


def profiles_named(codes: Iterable[Code]) -> tuple[str, ...]:
    """Return the names of profiles in separator codes: they may be any text, and there may be no such profile.

    Longer ones than a sheet can have are cut.
    """
    texts = (unquote(code.text.removeprefix(_NAMES)) for code in codes if code.text.startswith(_NAMES))
    return tuple(sorted({text[: LONGEST_NAME + 1] for text in texts if text}))[:_MOST_NAMES]
