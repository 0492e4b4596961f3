"""Writes a PDF object by object, so that no more than one page is in memory.

pikepdf keeps the images of pages that come from other files in memory until it saves: 1 GB for 1,000 pages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import BinaryIO, Final

from pikepdf import Array, Dictionary, Name, Object, Stream, String

_HEADER: Final = b"%PDF-1.7\n%\xbf\xf7\xa2\xfe\n"
"""Bytes over 127 tell programs that the file is binary (ISO 32000-1, 7.5.2)."""

_CATALOGUE: Final = 1
_PAGES: Final = 2
_INFORMATION: Final = 3


class PdfWriter:
    """A file with one flat tree of pages, and a table of objects at its end (ISO 32000-1, 7.5).

    An object that is the same as one before, such as the font of each page, is in the file once.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0
        self._offsets = {_CATALOGUE: 0, _PAGES: 0, _INFORMATION: 0}
        self._known: dict[bytes, int] = {}
        self._pages: list[int] = []
        self._identifier = hashlib.sha256()
        self._write(_HEADER)

    def add_page(self, page: Dictionary) -> None:
        """Copy a page, and all that it needs, from another file."""
        copied: dict[tuple[int, int], int] = {}
        self.append_page(self._entries(page, copied, but="/Parent"))

    def append_page(self, entries: bytes) -> None:
        """Add a page with these entries of its dictionary, all but ``/Parent``."""
        content = b"<< /Parent %d 0 R %s>>" % (_PAGES, entries)
        # Never shared: a page may be in the tree only once.
        self._identifier.update(content)
        self._pages.append(self._add(content))

    def copy(self, value: Object) -> bytes:
        """Copy an object of another file, and all that it needs; return how it is referred to."""
        return self._value(value, {})

    def reserve(self) -> int:
        """Return the number of an object that is written by :meth:`put` later: others may refer to it before."""
        number = len(self._offsets) + 1
        self._offsets[number] = 0
        return number

    def release(self, numbers: Sequence[int]) -> None:
        """Take back the numbers that were reserved last, and of which none is written or referred to."""
        for number in numbers:
            del self._offsets[number]

    def put(self, number: int, *parts: bytes) -> None:
        """Write an object whose number was reserved."""
        for part in parts:
            self._identifier.update(part)
        self._put(number, *parts)

    def finish(self, information: Dictionary) -> None:
        """Write the tree of pages and what else a file needs; ``information`` has title and producer."""
        kids = b" ".join(b"%d 0 R" % number for number in self._pages)
        self._put(_PAGES, b"<< /Count %d /Kids [ %s ] /Type /Pages >>" % (len(self._pages), kids))
        self._put(_CATALOGUE, b"<< /Pages %d 0 R /Type /Catalog >>" % _PAGES)
        described = self._value(information, {})
        self._identifier.update(described)
        self._put(_INFORMATION, described)
        self._write_table()

    def _write_table(self) -> None:
        start, count = self._position, len(self._offsets) + 1
        self._write(b"xref\n0 %d\n0000000000 65535 f \n" % count)
        for number in range(1, count):
            self._write(b"%010d 00000 n \n" % self._offsets[number])
        name = self._identifier.hexdigest()[:32].encode()
        entries = b"/ID [<%s><%s>] /Info %d 0 R /Root %d 0 R /Size %d" % (name, name, _INFORMATION, _CATALOGUE, count)
        self._write(b"trailer << %s >>\nstartxref\n%d\n%%%%EOF\n" % (entries, start))

    def _value(self, value: object, copied: dict[tuple[int, int], int]) -> bytes:
        """Return how an object is written where another one refers to it or holds it."""
        if isinstance(value, Stream | Dictionary | Array) and value.is_indirect:
            number = copied.get(value.objgen)
            if number is None:
                number = copied[value.objgen] = self._copy(value, copied)
            return b"%d 0 R" % number
        if isinstance(value, Stream):
            raise TypeError("a stream that is no object of its own")
        if isinstance(value, Dictionary | Array):
            return self._container(value, copied)
        return simple(value)

    def _container(self, value: Object, copied: dict[tuple[int, int], int]) -> bytes:
        if isinstance(value, Array):
            return b"[ %s ]" % b" ".join(self._value(each, copied) for each in value)
        return b"<< %s>>" % self._entries(value, copied)

    def _entries(self, value: Object, copied: dict[tuple[int, int], int], *, but: str = "") -> bytes:
        # Sorted: pikepdf returns a set.
        keys = sorted(key for key in value.keys() if key != but)  # noqa: SIM118 - no mapping
        return b"".join(b"%s %s " % (Name(key).unparse(), self._value(value[key], copied)) for key in keys)

    def _copy(self, value: Object, copied: dict[tuple[int, int], int]) -> int:
        if not isinstance(value, Stream):
            return self._shared(self._container(value, copied))
        data = value.read_raw_bytes()
        head = self._entries(value, copied, but="/Length")
        return self._shared(b"<< %s/Length %d >>\nstream\n" % (head, len(data)), data, b"\nendstream")

    def _shared(self, *parts: bytes) -> int:
        """Return the number of an object, which is written if there was none like it."""
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        key = digest.digest()
        self._identifier.update(key)
        if (number := self._known.get(key)) is None:
            number = self._known[key] = self._add(*parts)
        return number

    def _add(self, *parts: bytes) -> int:
        number = len(self._offsets) + 1
        self._put(number, *parts)
        return number

    def _put(self, number: int, *parts: bytes) -> None:
        self._offsets[number] = self._position
        self._write(b"%d 0 obj\n" % number)
        for part in parts:
            self._write(part)
        self._write(b"\nendobj\n")

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._position += len(data)


def simple(value: object) -> bytes:
    """Write what pikepdf returns as a value of Python, a name or a string; raises ValueError for anything else."""
    match value:
        case None:
            return b"null"
        case bool():
            return b"true" if value else b"false"
        case int():
            return b"%d" % value
        case Decimal() | float():
            return f"{Decimal(value):f}".encode()
        case Name() | String():
            return value.unparse()
        case _:
            raise ValueError(f"an object of the type {type(value).__name__}")
