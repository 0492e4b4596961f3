"""Checks without parsing whether a PDF is whole: it ends as a PDF does (ISO 32000-1, 7.5.5)."""

from __future__ import annotations

import os
import re
from typing import Final

_TAIL: Final = 1024
"""Bytes at the end of a file in which readers look for its end (ISO 32000-1, annex H, note 18)."""

_HEAD: Final = 1024
"""Bytes in which the dictionary of a linearized file begins (annex F)."""

_END: Final = re.compile(rb"startxref\s+(\d{1,19})\s+%%EOF")
_LENGTH: Final = re.compile(rb"/Linearized\b[^>]*?/L\s+(\d{1,19})")


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether the file of ``size`` bytes ends with ``%%EOF`` and the place of its cross-reference table.

    A linearized file, made for the web, has another end behind its first page: its dictionary has its length.
    """
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    ends = _END.findall(tail)
    # In a linearized file that is not all there, the offset is 0.
    if not ends or not 0 < int(ends[-1]) < size:
        return False
    length = _LENGTH.search(os.pread(descriptor, _HEAD, 0))
    return length is None or int(length[1]) <= size
