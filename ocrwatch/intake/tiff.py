"""Checks without decoding whether a TIFF is whole: all directories and all image data that they name are in the file.

TIFF 6.0, section 2, and the BigTIFF design of libtiff.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_ORDERS: Final = {b"II": "<", b"MM": ">"}
_CLASSIC, _BIG = 42, 43
_MOST_DIRECTORIES: Final = 1000
_MOST_ENTRIES: Final = 1000
_MOST_STRIPS: Final = 1 << 18
"""Strips or tiles of one image; one of 200 megapixels in strips of one row has some 15,000."""

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
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MOST_DIRECTORIES:
        seen.add(at)
        following = _directory_end(descriptor, size, at, layout)
        if following is None:
            return False
        at = following
    return True


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


def _directory_end(descriptor: int, size: int, at: int, layout: _Layout) -> int | None:
    """Return the offset of the next directory, 0 after the last one; None if something of this one is missing."""
    counted = _read(descriptor, layout.count.size, at, size)
    if counted is None:
        return None
    (count,) = layout.count.unpack(counted)
    if not 0 < count <= _MOST_ENTRIES:
        # A directory has at least one entry: it is not written yet, or damaged, which the decoder finds.
        return None if not count else 0
    length = count * layout.entry.size
    body = _read(descriptor, length + layout.pointer.size, at + layout.count.size, size)
    if body is None:
        return None
    entries = {tag: (kind, number, value) for tag, kind, number, value in layout.entry.iter_unpack(body[:length])}
    for kind, number, value in entries.values():
        total = _SIZES.get(kind, 0) * number
        if total > len(value) and layout.pointer.unpack(value)[0] + total > size:
            return None
    for offsets_tag, counts_tag in _PLACES:
        if offsets_tag not in entries:
            continue
        offsets = list(_integers(descriptor, entries[offsets_tag], layout))
        counts = list(_integers(descriptor, entries[counts_tag], layout)) if counts_tag in entries else []
        # Byte counts may be missing: then the data goes to the end of the file, or is anywhere.
        ends = [offset + count for offset, count in zip(offsets, counts, strict=False)] or offsets
        if any(end > size for end in ends) or 0 in offsets:
            return None
    (following,) = layout.pointer.unpack_from(body, length)
    return int(following)


def _integers(descriptor: int, entry: tuple[int, int, bytes], layout: _Layout) -> Iterator[int]:
    """Yield the values of an entry; none if they are no integers, or too many."""
    kind, number, value = entry
    form = _INTEGERS.get(kind)
    if form is None or number > _MOST_STRIPS:
        return
    values = struct.Struct(f"{layout.order}{number}{form}")
    data = value[: values.size]
    if values.size > len(value):
        # That it lies within the file was checked.
        data = os.pread(descriptor, values.size, layout.pointer.unpack(value)[0])
    if len(data) == values.size:
        yield from values.unpack(data)


def _read(descriptor: int, length: int, at: int, size: int) -> bytes | None:
    """Return bytes of the file; None if they are not all within ``size``, or the file was truncated meanwhile."""
    if at + length > size:
        return None
    found = os.pread(descriptor, length, at)
    return found if len(found) == length else None
