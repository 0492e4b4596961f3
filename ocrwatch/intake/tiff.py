"""Checks without decoding whether a TIFF is whole: all directories and all image data that they name are in the file.

TIFF 6.0, section 2, and the BigTIFF design of libtiff.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_Entry = tuple[int, int, bytes]
"""Type, number of values, and the values or their offset."""

_ORDERS: Final = {b"II": "<", b"MM": ">"}
_CLASSIC, _BIG = 42, 43
_MOST_DIRECTORIES: Final = 1000
_MOST_ENTRIES: Final = 1000
_MOST_VALUES: Final = 1 << 18
"""Values that are looked at in one file: entries, and offsets and byte counts of strips or tiles. An image of 200
megapixels in strips of one row has some 30,000; a hostile file could make the daemon read the same ones for minutes."""

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type."""

_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_PLACES: Final = ((273, 279), (324, 325))
"""Tags of the offsets and the byte counts of strips, and of tiles."""


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether all that its directories name lies within the file of ``size`` bytes.

    A writer fills in the offset of the first directory, or of the next one, at the end: until then it is zero, which
    ends the list. A page that is added later is a change of the file.
    """
    head = os.pread(descriptor, 16, 0)
    layout = _layout(head)
    if layout is None or len(head) < layout.first + layout.pointer.size:
        return False
    (at,) = layout.pointer.unpack_from(head, layout.first)
    if not at:
        return False
    return _Directories(descriptor, size, layout).are_whole(at)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Of a file's numbers."""

    order: str
    """``<`` or ``>``, as struct has it."""
    count: struct.Struct
    """Number of the entries of a directory."""
    entry: struct.Struct
    """Tag, type, number of values, and the values or their offset."""
    pointer: struct.Struct
    first: int
    """Offset of the first directory's offset."""


def _layout(head: bytes) -> _Layout | None:
    order = _ORDERS.get(head[:2])
    if order is None or len(head) < 4:  # noqa: PLR2004 - byte order and version
        return None
    (version,) = struct.unpack_from(f"{order}H", head, 2)
    if version == _CLASSIC:
        count, entry, pointer, first = "H", "HHI4s", "I", 4
    elif version == _BIG:
        count, entry, pointer, first = "Q", "HHQ8s", "Q", 8
    else:
        return None
    return _Layout(
        order, struct.Struct(order + count), struct.Struct(order + entry), struct.Struct(order + pointer), first
    )


class _Directories:
    """Follows the directories of one file."""

    def __init__(self, descriptor: int, size: int, layout: _Layout) -> None:
        self._descriptor = descriptor
        self._size = size
        self._layout = layout
        self._left = _MOST_VALUES
        """Number of values that are still looked at."""

    def are_whole(self, first: int) -> bool:
        """Return whether all from this offset on lie within the file, with what they name.

        A file with more values than are looked at counts as whole: the decoder will say what it is.
        """
        at, seen = first, set[int]()
        while at and at not in seen and len(seen) < _MOST_DIRECTORIES and self._left > 0:
            seen.add(at)
            following = self._directory_end(at)
            if following is None:
                return False
            at = following
        return True

    def _directory_end(self, at: int) -> int | None:
        """Return the offset of the next directory, 0 after the last one; None if something of this one is missing."""
        layout = self._layout
        counted = self._read(layout.count.size, at)
        if counted is None:
            return None
        (count,) = layout.count.unpack(counted)
        if not 0 < count <= _MOST_ENTRIES:
            # A directory has at least one entry: it is not written yet, or damaged, which the decoder finds.
            return None if not count else 0
        length = count * layout.entry.size
        body = self._read(length + layout.pointer.size, at + layout.count.size)
        if body is None:
            return None
        self._left -= count
        entries = {tag: (kind, number, value) for tag, kind, number, value in layout.entry.iter_unpack(body[:length])}
        if not all(map(self._is_there, entries.values())):
            return None
        if not all(self._has_data(entries, *tags) for tags in _PLACES):
            return None
        (following,) = layout.pointer.unpack_from(body, length)
        return int(following)

    def _is_there(self, entry: _Entry) -> bool:
        """Return whether the values of an entry are within the file."""
        kind, number, value = entry
        total = _SIZES.get(kind, 0) * number
        return total <= len(value) or self._layout.pointer.unpack(value)[0] + total <= self._size

    def _has_data(self, entries: Mapping[int, _Entry], offsets_tag: int, counts_tag: int) -> bool:
        """Return whether all strips or tiles are within the file."""
        offsets = self._integers(entries.get(offsets_tag))
        counts = self._integers(entries.get(counts_tag))
        # Byte counts may be missing: then the data goes to the end of the file, or is anywhere.
        ends = [offset + count for offset, count in zip(offsets, counts, strict=False)] or offsets
        return 0 not in offsets and all(end <= self._size for end in ends)

    def _integers(self, entry: _Entry | None) -> tuple[int, ...]:
        """Return the values of an entry; none if they are no integers, or too many."""
        if entry is None:
            return ()
        kind, number, value = entry
        form = _INTEGERS.get(kind)
        self._left -= number
        if form is None or self._left < 0:
            return ()
        values = struct.Struct(f"{self._layout.order}{number}{form}")
        data = value[: values.size]
        if values.size > len(value):
            # That it lies within the file was checked.
            data = os.pread(self._descriptor, values.size, self._layout.pointer.unpack(value)[0])
        return values.unpack(data) if len(data) == values.size else ()

    def _read(self, length: int, at: int) -> bytes | None:
        """Return bytes of the file; None if they are not all in it, or it was truncated meanwhile."""
        if at + length > self._size:
            return None
        found = os.pread(self._descriptor, length, at)
        return found if len(found) == length else None
