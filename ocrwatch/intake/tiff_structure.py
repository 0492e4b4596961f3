"""Reads the directories of a TIFF file without decoding its images (TIFF 6.0, section 2; BigTIFF as in libtiff).

All of it may be hostile: no number of the file makes a read larger than it allows, or a walk endless.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ocrwatch.tiff_subfiles import NEW_SUBFILE, OLD_SUBFILE, Subfile, pages_of

Entry = tuple[int, int, bytes]
"""Type, number of values, and the values or their offset."""

MOST_ENTRIES: Final = 1000
"""Entries of a directory; no real one has so many."""

_WIDTH, _HEIGHT = 256, 257
"""Tags."""

_ORDERS: Final = {b"II": "<", b"MM": ">"}
_CLASSIC, _BIG = 42, 43

SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type."""

_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Of a file's numbers."""

    order: str
    """``<`` or ``>``, as struct has it."""
    is_big: bool
    """Whether it is a BigTIFF."""
    count: struct.Struct
    """Number of the entries of a directory."""
    entry: struct.Struct
    """Tag, type, number of values, and the values or their offset."""
    pointer: struct.Struct
    first: int
    """Offset of the first directory's offset."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One image's entries, as they are in the file."""

    entries: Mapping[int, Entry]
    """By tag."""
    following: int
    """Offset of the next directory; 0 after the last one."""


def layout_of(head: bytes) -> Layout | None:
    """Return the layout of a file by its first bytes; None if it is no TIFF."""
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
    return Layout(
        order,
        version == _BIG,
        struct.Struct(order + count),
        struct.Struct(order + entry),
        struct.Struct(order + pointer),
        first,
    )


class TiffStructure:
    """The directories of one file, which may be truncated meanwhile."""

    def __init__(self, descriptor: int, size: int, layout: Layout) -> None:
        self.descriptor = descriptor
        self.size = size
        """Bytes of the file."""
        self.layout = layout

    @classmethod
    def of(cls, descriptor: int, size: int) -> TiffStructure | None:
        """Return the structure of the file of ``size`` bytes; None if it is no TIFF."""
        layout = layout_of(os.pread(descriptor, 16, 0))
        return None if layout is None else cls(descriptor, size, layout)

    @property
    def first(self) -> int:
        """Offset of the first directory; 0 if there is none yet."""
        found = self.read(self.layout.pointer.size, self.layout.first)
        return 0 if found is None else int(self.layout.pointer.unpack(found)[0])

    def directory(self, at: int) -> Directory | None:
        """Return the directory at this offset; None if a part of it is missing.

        One with more entries than :data:`MOST_ENTRIES` is returned without any, as the last one.
        """
        layout = self.layout
        counted = self.read(layout.count.size, at)
        if counted is None:
            return None
        (count,) = layout.count.unpack(counted)
        if not 0 < count <= MOST_ENTRIES:
            # A directory has at least one entry: it is not written yet, or damaged.
            return Directory({}, 0) if count else None
        length = count * layout.entry.size
        body = self.read(length + layout.pointer.size, at + layout.count.size)
        if body is None:
            return None
        entries = {tag: (kind, number, value) for tag, kind, number, value in layout.entry.iter_unpack(body[:length])}
        return Directory(entries, int(layout.pointer.unpack_from(body, length)[0]))

    def pages(self, most: int) -> list[int | None]:
        """Return the offset of each directory that is a page; None as the last one if the list is damaged.

        Smaller copies of a page, and masks, are none. At most ``most`` directories are looked at.
        """
        at, images = self.first, dict[int, Subfile]()
        is_damaged = False
        while at and at not in images and len(images) < most:
            directory = self.directory(at)
            is_damaged = directory is None or not directory.entries
            if directory is None or is_damaged:
                break
            images[at] = self._subfile(directory)
            at = directory.following
        offsets = list(images)
        return [*(offsets[index] for index in pages_of(list(images.values()))), *([None] if is_damaged else [])]

    def integers(self, entry: Entry | None) -> tuple[int, ...]:
        """Return the values of an entry; none if they are no integers, or not all in the file."""
        form = None if entry is None else _INTEGERS.get(entry[0])
        if entry is None or form is None:
            return ()
        data = self.values(entry)
        return () if data is None else struct.unpack(f"{self.layout.order}{entry[1]}{form}", data)

    def values(self, entry: Entry) -> bytes | None:
        """Return the bytes of an entry's values; None if they are not all in the file, or of an unknown type.

        The caller limits their number.
        """
        kind, number, value = entry
        total = SIZES.get(kind, 0) * number
        if not total:
            return None
        if total <= len(value):
            return value[:total]
        return self.read(total, self.layout.pointer.unpack(value)[0])

    def read(self, length: int, at: int) -> bytes | None:
        """Return bytes of the file; None if they are not all in it, or it was truncated meanwhile."""
        if at + length > self.size:
            return None
        found = os.pread(self.descriptor, length, at)
        return found if len(found) == length else None

    def _subfile(self, directory: Directory) -> Subfile:
        values = []
        for tag in (_WIDTH, _HEIGHT, NEW_SUBFILE, OLD_SUBFILE):
            kind, number, value = directory.entries.get(tag, (0, 0, b""))
            found = self.integers((kind, number, value)) if number == 1 else ()
            values.append(found[0] if found else 0)
        return Subfile(*values)
