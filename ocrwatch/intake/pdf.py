"""Checks without parsing whether a PDF is whole: it ends as a PDF does (ISO 32000-1, 7.5.5)."""

from __future__ import annotations

import os
import re
from typing import Final

_TAIL: Final = 1024
"""Bytes at the end of a file in which readers look for its end (ISO 32000-1, annex H, note 18)."""

_LONG_TAIL: Final = 1 << 18
"""Bytes at the end of a file in which its end is looked for: mail gateways append to it, and devices fill blocks."""

_HEAD: Final = 1024
"""Bytes in which the dictionary of a linearized file begins (annex F)."""

_END: Final = re.compile(rb"startxref\s+(\d{1,19})\s+%%EOF")
_LENGTH: Final = re.compile(rb"/Linearized\b[^>]*?/L\s+(\d{1,19})")

_TABLE: Final = re.compile(rb"\s*(?:xref\b|\d{1,10}\s+\d{1,5}\s+obj\b)")
"""Begins a cross-reference table, or the stream that has one (7.5.8)."""
_LONGEST_BEGINNING: Final = 64

_REVISION: Final = re.compile(rb"\b\d{1,10}\s+\d{1,5}\s+obj\b|\bxref\s+\d|\btrailer\s*<<|\bendstream\b")
"""A part of what is added to a PDF that is changed (7.5.6), or of the PDF that another one is in."""


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether the file of ``size`` bytes ends with ``%%EOF`` and the place of its cross-reference table.

    Other bytes may follow (:func:`length`), unless they begin a revision, which is still being copied, or more than a
    kilobyte of them ends with zeros, which may be room for one. A linearized file, made for the web, has another end
    behind its first page: its dictionary has its length.
    """
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    ends = list(_END.finditer(tail))
    # In a linearized file that is not all there, the offset is 0.
    if ends and 0 < int(ends[-1][1]) < size:
        if _REVISION.search(tail, ends[-1].end()):
            return False
    else:
        end = length(descriptor, size)
        if end == size or not tail.strip(b"\0"):
            return False
    declared = _LENGTH.search(os.pread(descriptor, _HEAD, 0))
    return declared is None or int(declared[1]) <= size


def length(descriptor: int, size: int) -> int:
    """Return the bytes of the PDF in a file of ``size`` bytes: fewer if more than a kilobyte follows its end.

    What follows must not be a revision, of which this may be a beginning, and a cross-reference table must be at the
    place that is named: a PDF may have others in it, with ends of their own.
    """
    start = max(0, size - _LONG_TAIL)
    tail = os.pread(descriptor, _LONG_TAIL, start)
    ends = list(_END.finditer(tail))
    if not ends or len(tail) - ends[-1].end() <= _TAIL or _REVISION.search(tail, ends[-1].end()):
        return size
    end, place = ends[-1].end(), int(ends[-1][1])
    table = os.pread(descriptor, _LONGEST_BEGINNING, place) if 0 < place < size else b""
    return start + end if _TABLE.match(table) else size
