"""Cuts one page out of a TIFF without decoding it: a file of the same kind, with one directory (TIFF 6.0, section 2).

Strips and tiles are copied byte for byte, so the page is what it was. Tags that point to other data, such as EXIF, are
left out, and so are all that the pixels do not need.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from ocrwatch.errors import Damaged, TooLarge, Unsupported
from ocrwatch.intake.tiff_structure import MOST_ENTRIES, Directory, Entry, Layout, TiffStructure
from ocrwatch.splitting.image_file import ImageFile, ImageFolder
from ocrwatch.splitting.messages import Written

_PLACES: Final = ((273, 279), (324, 325))
"""Tags of the offsets and the byte counts of strips, and of tiles."""

_COMPRESSION: Final = 259
_OLD_JPEG: Final = 6
"""JPEG as TIFF 6.0 had it, with offsets in many tags; it could not be decoded either."""

_KEPT: Final = frozenset({
    254, 255, 256, 257, 258, 259, 262, 263, 266, 274, 277, 278, 280, 281, 282, 283, 284, 290, 291, 292, 293, 296,
    301, 317, 318, 319, 320, 321, 322, 323, 332, 334, 336, 338, 339, 340, 341, 347, 529, 530, 531, 532, 34675, 50674,
})  # fmt: skip
"""Tags that pixels, colours, resolution and orientation need, besides those of the places: TIFF 6.0, its technical
notes, the ICC profile, and the parameters of LERC."""

_MOST_BYTES: Final = 1 << 22
"""Bytes of the values of one directory, besides offsets and byte counts. Profiles of colours have some 500 KB."""

_MOST_PIECES: Final = 1 << 20
"""Strips or tiles of one page; in strips of one row, the tallest image has fewer."""

_DIRECTORIES_A_PAGE: Final = 4
"""Directories that are looked at for each page that is allowed: some writers add smaller copies and masks."""

_CHUNK: Final = 1 << 20
_LONG, _LONG8 = 4, 16

_DAMAGED: Final = "save the file again, or scan the page again"


class TiffPages:
    """The pages of one TIFF file."""

    def __init__(self, descriptor: int, size: int, max_pages: int) -> None:
        """Find the pages. Raises Damaged if there is none, TooLarge beyond ``max_pages``, or OSError."""
        structure = TiffStructure.of(descriptor, size)
        if structure is None or not structure.first:
            raise Damaged("the TIFF has no list of its pages", _DAMAGED)
        self._structure = structure
        # If there are only masks, the decoder takes the first of them, too.
        self._pages = structure.pages(max_pages * _DIRECTORIES_A_PAGE) or [structure.first]
        if len(self._pages) > max_pages:
            raise TooLarge(f"the TIFF has more than {max_pages} pages", "divide it into several files")
        if self._pages == [None]:
            raise Damaged("the list of the TIFF's pages is damaged", _DAMAGED)

    @property
    def count(self) -> int:
        """Number of pages. If the list of pages is damaged, a last one stands for all that may be missing."""
        return len(self._pages)

    def close(self) -> None:
        """Free nothing: the descriptor is the caller's."""

    def write(self, number: int, folder: ImageFolder) -> Written:
        """Write the page, from 1, as a file of its own. Raises Damaged, Unsupported, TooLarge or NotWritten."""
        at = self._pages[number - 1]
        directory = None if at is None else self._structure.directory(at)
        if directory is None or not directory.entries:
            raise Damaged("the list of the TIFF's pages is damaged from here on", _DAMAGED)
        page = _Page(self._structure, directory)
        with folder.create(number, "tif") as file:
            page.write(file)
        return Written("tif", file.size, file.sha256, b"", ())


class _Page:
    """One directory, with what belongs to it."""

    def __init__(self, structure: TiffStructure, directory: Directory) -> None:
        self._structure = structure
        entries = directory.entries
        if structure.integers(_short(entries.get(_COMPRESSION))) == (_OLD_JPEG,):
            raise Unsupported(
                f"the TIFF has a compression that cannot be decoded (number {_OLD_JPEG})",
                "save it as TIFF with LZW or Group 4 compression, or as PNG or JPEG",
            )
        self._tags = next((tags for tags in _PLACES if tags[0] in entries), None)
        if self._tags is None:
            raise Damaged("the TIFF does not say where the data of the page is", _DAMAGED)
        offsets, counts = (self._pieces(entries.get(tag)) for tag in self._tags)
        if not offsets or len(offsets) != len(counts):
            raise Damaged("the TIFF does not say where the data of the page is", _DAMAGED)
        self._parts = list(zip(offsets, counts, strict=True))
        # Pieces may overlap: a small file must not become a large one.
        if sum(counts) > structure.size or any(at + count > structure.size for at, count in self._parts):
            raise Damaged("the file ends before the data of the page does", _DAMAGED)
        self._values = dict(self._kept(entries))

    def write(self, file: ImageFile) -> None:
        """Write header, directory, values and data."""
        assert self._tags is not None  # noqa: S101 - for the type checker; __init__ raises without
        layout = self._structure.layout
        kind, form = (_LONG8, "Q") if layout.is_big else (_LONG, "I")
        pieces = struct.Struct(f"{layout.order}{len(self._parts)}{form}")
        counts = pieces.pack(*(count for _, count in self._parts))
        values = {
            **self._values,
            # The offsets are filled in when the length of all that is before the data is known.
            self._tags[0]: (kind, len(self._parts), bytes(pieces.size)),
            self._tags[1]: (kind, len(self._parts), counts),
        }
        at = len(_directory(layout, values))
        places = []
        for _, count in self._parts:
            places.append(at)
            at += count
        try:
            values[self._tags[0]] = (kind, len(self._parts), pieces.pack(*places))
        except struct.error:
            raise TooLarge("the page takes more bytes than a TIFF can have", "divide it into several files") from None
        file.write(_directory(layout, values))
        for chunk in self._data():
            file.write(chunk)

    def _data(self) -> Iterator[bytes]:
        for start, count in self._parts:
            at, end = start, start + count
            while at < end:
                chunk = self._structure.read(min(_CHUNK, end - at), at)
                if chunk is None:
                    raise Damaged("the file ends before the data of the page does", _DAMAGED)
                yield chunk
                at += len(chunk)

    def _pieces(self, entry: Entry | None) -> tuple[int, ...]:
        if entry is not None and entry[1] > _MOST_PIECES:
            raise Damaged(f"the data of the page is in more than {_MOST_PIECES} pieces", _DAMAGED)
        return self._structure.integers(entry)

    def _kept(self, entries: Mapping[int, Entry]) -> Iterator[tuple[int, Entry]]:
        """Yield tag, type, number and bytes of the values that are copied."""
        left = _MOST_BYTES
        for tag in sorted(_KEPT.intersection(entries)):
            kind, number, _ = entry = entries[tag]
            # Each value has at least one byte.
            if number > left:
                raise Damaged(f"the TIFF has too many values in the tag {tag}", _DAMAGED)
            data = self._structure.values(entry)
            if data is None:
                # What decoders cannot do without, they miss.
                continue
            left -= len(data)
            yield tag, (kind, number, data)


def _short(entry: Entry | None) -> Entry | None:
    """Return an entry with one value, and None for others, which may be too long to be read."""
    return entry if entry is not None and entry[1] == 1 else None


def _directory(layout: Layout, values: Mapping[int, Entry]) -> bytes:
    """Return all that is before the data: header, directory, and the values that do not fit into it."""
    assert len(values) <= MOST_ENTRIES  # noqa: S101 - there are fewer tags that are kept
    room = layout.pointer.size
    start = layout.first + room
    at = start + layout.count.size + len(values) * layout.entry.size + room
    entries, behind = [], []
    for tag, (kind, number, data) in sorted(values.items()):
        if len(data) <= room:
            entries.append(layout.entry.pack(tag, kind, number, data.ljust(room, b"\0")))
            continue
        entries.append(layout.entry.pack(tag, kind, number, layout.pointer.pack(at)))
        # Values begin at even offsets.
        padded = data + bytes(len(data) % 2)
        behind.append(padded)
        at += len(padded)
    return b"".join((
        _header(layout), layout.pointer.pack(start),
        layout.count.pack(len(entries)), *entries, layout.pointer.pack(0), *behind,
    ))  # fmt: skip


def _header(layout: Layout) -> bytes:
    order = b"II" if layout.order == "<" else b"MM"
    if layout.is_big:
        return order + struct.pack(f"{layout.order}HHH", 43, 8, 0)
    return order + struct.pack(f"{layout.order}H", 42)
