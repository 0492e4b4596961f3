"""Says which codes are those of separator sheets, which lie between the pages of two documents."""

from __future__ import annotations

from typing import Final

from ocrwatch.document import Code

PATCH_T: Final = "PATCHT"
"""The text that other programs use: paperless-ngx and NAPS2 compare it with the whole text of a code, too."""

SHEET: Final = "ocrwatch:separator"
"""The text of the QR code on the sheet that ``ocrwatch separator`` prints."""

SEPARATOR_TEXTS: Final = frozenset({PATCH_T, "PATCH-T", SHEET})
"""The texts of separator codes."""


def is_separator(code: Code) -> bool:
    """Return whether a code says that the page is a separator sheet: its whole text does, whatever its kind."""
    return code.text in SEPARATOR_TEXTS
