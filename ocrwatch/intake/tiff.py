"""Checks without decoding whether a TIFF is whole: all directories and all image data that they name are in the file.

TIFF 6.0, section 2, and the BigTIFF design of libtiff.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocrwatch.intake.tiff_structure import SIZES, Directory, Entry, TiffStructure

_MOST_DIRECTORIES: Final = 1000
_MOST_VALUES: Final = 1 << 18
"""Values that are looked at in one file: entries, and offsets and byte counts of strips or tiles. An image of 200
megapixels in strips of one row has some 30,000; a hostile file could make the daemon read the same ones for minutes."""

_PLACES: Final = ((273, 279), (324, 325))
"""Tags of the offsets and the byte counts of strips, and of tiles."""


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether all that its directories name lies within the file of ``size`` bytes.

    A writer fills in the offset of the first directory, or of the next one, at the end: until then it is zero, which
    ends the list. A page that is added later is a change of the file.
    """
    structure = TiffStructure.of(descriptor, size)
    if structure is None or not (at := structure.first):
        return False
    return _Directories(structure).are_whole(at)


def has_pages(descriptor: int, size: int) -> bool:
    """Return whether the file has two pages or more, or a part of its list of pages is missing or damaged.

    Smaller copies of a page, and masks, do not count.
    """
    structure = TiffStructure.of(descriptor, size)
    if structure is None:
        return False
    # A damaged first page has no others.
    return len(structure.pages(_MOST_DIRECTORIES)) > 1


class _Directories:
    """Follows the directories of one file."""

    def __init__(self, structure: TiffStructure) -> None:
        self._structure = structure
        self._left = _MOST_VALUES
        """Number of values that are still looked at."""

    def are_whole(self, first: int) -> bool:
        """Return whether all from this offset on lie within the file, with what they name.

        A file with more values than are looked at counts as whole: the decoder will say what it is.
        """
        at, seen = first, set[int]()
        while at and at not in seen and len(seen) < _MOST_DIRECTORIES and self._left > 0:
            seen.add(at)
            directory = self._structure.directory(at)
            if directory is None or not self._is_whole(directory):
                return False
            at = directory.following
        return True

    def _is_whole(self, directory: Directory) -> bool:
        entries = directory.entries
        self._left -= len(entries)
        if not all(map(self._is_there, entries.values())):
            return False
        return all(self._has_data(entries, *tags) for tags in _PLACES)

    def _is_there(self, entry: Entry) -> bool:
        """Return whether the values of an entry are within the file."""
        kind, number, value = entry
        structure = self._structure
        total = SIZES.get(kind, 0) * number
        return total <= len(value) or structure.layout.pointer.unpack(value)[0] + total <= structure.size

    def _has_data(self, entries: Mapping[int, Entry], offsets_tag: int, counts_tag: int) -> bool:
        """Return whether all strips or tiles are within the file."""
        offsets = self._integers(entries.get(offsets_tag))
        counts = self._integers(entries.get(counts_tag))
        # Byte counts may be missing: then the data goes to the end of the file, or is anywhere.
        ends = [offset + count for offset, count in zip(offsets, counts, strict=False)] or offsets
        return 0 not in offsets and all(end <= self._structure.size for end in ends)

    def _integers(self, entry: Entry | None) -> tuple[int, ...]:
        """Return the values of an entry; none if they are no integers, or too many."""
        if entry is None:
            return ()
        self._left -= entry[1]
        return () if self._left < 0 else self._structure.integers(entry)
