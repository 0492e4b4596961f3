"""Checks the masks of a page's images: what a damaged one hides looks like blank paper.

Scans that are compressed well have their print in masks. pdfium uses them, and tells nothing of them. So each is copied
to a PDF of its own, as an image, and checked like one.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pikepdf
from pikepdf import Dictionary, Name, Object, Pdf, Stream

from ocrwatch.errors import Damaged
from ocrwatch.splitting.pdf_document import PdfDocument
from ocrwatch.splitting.pdf_image_data import NOTE, doubt_of
from ocrwatch.splitting.pdf_objects import Shown, look_at

if TYPE_CHECKING:
    from typing_extensions import Buffer

_KEYS: Final = ("/Width", "/Height", "/BitsPerComponent", "/Filter", "/DecodeParms")
"""What decoding needs, besides the data."""
_KINDS: Final = ("/SMask", "/Mask")
_DEEPEST: Final = 16
"""Levels of forms (parts of a page that are drawn as one) that are looked into."""
_MOST_IMAGES: Final = 2000
"""Of the resources of a page, which may be those of the whole document."""
_MOST_MASKS: Final = 100
_SMALLEST: Final = 10_000
"""Pixels of a mask below which its image is an ornament."""

_UNUSUAL: Final = (
    pikepdf.PdfError, RuntimeError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What pikepdf raises for objects of another kind than they should be."""

_Id = tuple[int, int]
"""Number and generation of an object."""


class _Source(io.RawIOBase):
    """The file for pikepdf, whose descriptor is shared with pdfium."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        found = os.pread(self._descriptor, min(len(view), max(0, self._size - self._at)), self._at)
        view[: len(found)] = found
        self._at += len(found)
        return len(found)


@dataclass(slots=True)
class _Search:
    """What a page's resources have been searched for."""

    sizes: frozenset[tuple[int, int]]
    """Of the images that the page shows, in pixels."""
    left: int
    seen: set[_Id]


class PdfMasks:
    """The masks of one PDF."""

    def __init__(self, descriptor: int, size: int, max_pixels: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._max_pixels = max_pixels
        self._pdf: Pdf | None = None
        self._checked: dict[_Id, bool] = {}
        """Whether a mask is whole."""
        self._is_refused = False

    def note_on(self, number: int, shown: Shown) -> str:
        """Return a note if the mask of an image on a page, from 1, is damaged; an empty text if none seems to be.

        A PDF that can only be read by pdfium has no note. Raises MemoryError or OSError.
        """
        sizes = frozenset((image.width, image.height) for image in shown.images)
        if not sizes or self._is_refused:
            return ""
        try:
            pdf = self._opened()
            resources = pdf.pages[number - 1].resources
            masks = list(_masks(resources, _Search(sizes, _MOST_IMAGES, set()), 0))[:_MOST_MASKS]
            whole = [self._is_whole(pdf, mask) for mask in masks]
        except _UNUSUAL:
            self._is_refused = self._pdf is None
            return ""
        return "" if all(whole) else NOTE

    def close(self) -> None:
        """Free all that is known of objects; what was found stays."""
        if self._pdf is not None:
            self._pdf.close()
            self._pdf = None

    def _opened(self) -> Pdf:
        if self._pdf is None:
            self._pdf = pikepdf.open(io.BufferedReader(_Source(self._descriptor, self._size)), suppress_warnings=True)
        return self._pdf

    def _is_whole(self, pdf: Pdf, mask: Stream) -> bool:
        if mask.objgen not in self._checked:
            self._checked[mask.objgen] = _seems_whole(_as_image(pdf, mask), self._max_pixels)
        return self._checked[mask.objgen]


def _masks(resources: Object, search: _Search, depth: int) -> Iterator[Stream]:
    """Yield the masks of images that are drawn with these resources, and in forms of theirs."""
    for each in resources.get("/XObject", {}).values():
        search.left -= 1
        if search.left < 0 or depth > _DEEPEST:
            return
        if not isinstance(each, Stream) or each.objgen in search.seen:
            continue
        search.seen.add(each.objgen)
        if each.get("/Subtype") == Name.Form:
            yield from _masks(each.get("/Resources", Dictionary()), search, depth + 1)
        elif (_number(each, "/Width"), _number(each, "/Height")) in search.sizes:
            masks = (each.get(kind) for kind in _KINDS)
            # A mask that is no stream is a range of colours.
            yield from (mask for mask in masks if isinstance(mask, Stream) and _is_large(mask))


def _is_large(mask: Stream) -> bool:
    return _number(mask, "/Width") * _number(mask, "/Height") >= _SMALLEST


def _number(image: Stream, key: str) -> int:
    value = image.get(key)
    return value if isinstance(value, int) else 0


def _as_image(source: Pdf, mask: Stream) -> bytes:
    """Return a PDF whose page shows a mask as an image."""
    with Pdf.new() as pdf:
        image = Stream(pdf, mask.read_raw_bytes())
        for key in _KEYS:
            if (value := mask.get(key)) is not None:
                # An object that refers to others can only be copied as one that is referred to.
                is_simple = isinstance(value, int | Name)
                image[key] = value if is_simple else pdf.copy_foreign(source.make_indirect(value))
        image.Type, image.Subtype, image.ColorSpace = Name.XObject, Name.Image, Name.DeviceGray
        if mask.get("/ImageMask"):
            image.BitsPerComponent = 1
        page = pdf.add_blank_page(page_size=(100, 100))
        page.obj.Resources = Dictionary(XObject=Dictionary(M=pdf.make_indirect(image)))
        page.obj.Contents = Stream(pdf, b"100 0 0 100 0 0 cm /M Do")
        file = io.BytesIO()
        pdf.save(file, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    return file.getvalue()


def _seems_whole(pdf: bytes, max_pixels: int) -> bool:
    """Return whether the image of a PDF is whole, as far as can be told."""
    with os.fdopen(os.memfd_create("mask"), "wb") as file:
        file.write(pdf)
        file.flush()
        try:
            document = PdfDocument(file.fileno(), len(pdf))
        except Damaged:
            return False
        try:
            with document.page(1) as page:
                images = look_at(page).images
                return bool(images) and not any(doubt_of(page, image, max_pixels) for image in images)
        finally:
            document.close()
