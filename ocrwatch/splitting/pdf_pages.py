"""Makes an image of each page of a PDF, and takes its text if the page has some of its own.

A page that shows nothing but a JPEG keeps it. Every other page is rendered by pdfium.
"""

from __future__ import annotations

import math
from typing import Final

from ocrwatch.cache.codec import pack
from ocrwatch.document import EngineInfo, Page, Upright
from ocrwatch.errors import Damaged, TooLarge
from ocrwatch.intake.pdf import length
from ocrwatch.splitting import pdf_attachments
from ocrwatch.splitting.image_file import ImageFolder
from ocrwatch.splitting.messages import Written
from ocrwatch.splitting.pdf_characters import text_of
from ocrwatch.splitting.pdf_document import POINTS, RESAVE, VERSION, PdfDocument, PdfPage, Pixels
from ocrwatch.splitting.pdf_images import check_images
from ocrwatch.splitting.pdf_jpeg import plain_jpeg
from ocrwatch.splitting.pdf_masks import PdfMasks
from ocrwatch.splitting.pdf_objects import Shown, adds_marks, adds_print, look_at
from ocrwatch.splitting.pdf_picture import Picture, encode
from ocrwatch.splitting.pdf_text import OwnText, own_text
from ocrwatch.splitting.pdf_xfa import form_note

ENGINE: Final = EngineInfo("pdfium", VERSION, ())
"""What stands for the engine of a page whose text is its own."""

_LOWEST_DPI, _HIGHEST_DPI = 150.0, 400.0
_USUAL_DPI: Final = 300.0
"""Of a page without images."""
_TEXT_DPI: Final = 200.0
"""Of a page whose text need not be read: its image is only looked at."""

_REPAIRED: Final = "the PDF is damaged and was repaired: something may be missing"

_UNCHANGED: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

_ROUNDING: Final = 0.02
"""Relative difference of two sizes that comes from rounding the size of a page to points."""

_REOPEN_AFTER: Final = 25
"""Pages after which a document is opened anew: pdfium keeps each object that it has parsed, fonts and their glyphs."""


class PdfPages:
    """The pages of one PDF."""

    def __init__(self, descriptor: int, size: int, max_pages: int, max_pixels: int) -> None:
        """Open the file. Raises Damaged, Encrypted, Unsupported, OSError, or TooLarge beyond ``max_pages``."""
        self._descriptor = descriptor
        # pdfium looks for the end in the last 4 kB, and repairs the file if it is not there.
        self._size = length(descriptor, size)
        self._max_pixels = max_pixels
        self._document = PdfDocument(descriptor, self._size)
        self._masks = PdfMasks(descriptor, self._size, max_pixels)
        self._written = 0
        try:
            self._check_count(max_pages)
            self._notes = (_REPAIRED if self._document.is_repaired else "", form_note(self._document))
            """Of each page; empty if there is nothing to say."""
            self._first_note = pdf_attachments.document_note(self._document.handle)
            """Of the first page."""
            self._document.check()
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """Number of pages."""
        return self._document.count

    def close(self) -> None:
        """Free what pdfium and pikepdf have of the file."""
        self._document.close()
        self._masks.close()

    def write(self, number: int, folder: ImageFolder) -> Written:
        """Write the image of a page, from 1. Raises Damaged, NotWritten, MemoryError, or OSError."""
        if self._written >= _REOPEN_AFTER:
            self._document.close()
            self._document = PdfDocument(self._descriptor, self._size)
            self._masks.close()
            self._written = 0
        self._written += 1
        with self._document.page(number) as page:
            shown = look_at(page)
            ending, data, packed, notes = self._made(page, number, shown)
            attached = pdf_attachments.page_note(page)
            keeps_page = bool(packed) and not shown.has_hidden_text and not adds_marks(page)
        said = (self._first_note if number == 1 else "", attached, *notes, *self._notes)
        with folder.create(number, ending) as file:
            file.write(data)
        return Written(
            ending,
            file.size,
            file.sha256,
            packed,
            tuple(note for note in said if note),
            keeps_page and not self._document.is_repaired,
        )

    def _check_count(self, max_pages: int) -> None:
        if self._document.count < 1:
            raise Damaged("the PDF has no pages", RESAVE)
        if self._document.count > max_pages:
            raise TooLarge(f"the PDF has more than {max_pages} pages", "divide it into several files")

    def _made(self, page: PdfPage, number: int, shown: Shown) -> tuple[str, bytes, bytes, tuple[str, ...]]:
        """Return ending and content of the image, the packed text, and notes."""
        is_scan = shown.is_scan(page.place)
        if is_scan and (jpeg := plain_jpeg(page, shown, self._max_pixels)) is not None:
            return "jpg", jpeg, b"", ()
        if shown.has_text and not is_scan and not adds_print(page):
            size, dpi = self._size_at(page, _TEXT_DPI)
            with text_of(page) as text:
                found = None if text is None else own_text(page, text, *size)
            if found is not None:
                pixels = page.render(*size)
                notes = (*_unknown_note(found), *self._checked(page, number, shown, pixels, has_own_text=True))
                picture = encode(pixels, dpi, is_scan=False)
                return picture.ending, picture.data, _packed(found, picture, size, dpi), notes
        return self._rendered(page, number, shown, is_scan=is_scan)

    def _checked(
        self, page: PdfPage, number: int, shown: Shown, pixels: Pixels, *, has_own_text: bool = False
    ) -> tuple[str, ...]:
        """Return notes of images that are damaged; raises Damaged, unless the page has text of its own to keep."""
        notes = check_images(page, shown, pixels, self._max_pixels, has_own_text=has_own_text)
        note = self._masks.note_on(number, shown)
        return notes if not note or note in notes else (*notes, note)

    def _rendered(
        self, page: PdfPage, number: int, shown: Shown, *, is_scan: bool
    ) -> tuple[str, bytes, bytes, tuple[str, ...]]:
        wanted = min(max(shown.dpi or _USUAL_DPI, _LOWEST_DPI), _HIGHEST_DPI)
        size, dpi = self._size_at(page, wanted)
        if (full := shown.full_size(page.place)) is not None and _is_about(full, size):
            size = full
        pixels = page.render(*size)
        notes = self._checked(page, number, shown, pixels)
        if dpi < wanted:
            note = f"the page was rendered at {dpi:.0f} dpi instead of {wanted:.0f}, since it is very large"
            notes = (note, *notes)
        picture = encode(pixels, dpi, is_scan=is_scan)
        return picture.ending, picture.data, b"", notes

    def _size_at(self, page: PdfPage, dpi: float) -> tuple[tuple[int, int], float]:
        """Return the pixels of a page's image, and its resolution, which is lower for a very large page."""
        across, down = (side / POINTS for side in page.place.size)
        if across * down * dpi * dpi > self._max_pixels:
            dpi = math.sqrt(self._max_pixels / (across * down))
            # Rounding must not exceed the limit.
            return (max(1, math.floor(across * dpi)), max(1, math.floor(down * dpi))), dpi
        return (max(1, round(across * dpi)), max(1, round(down * dpi))), dpi


def _is_about(full: tuple[int, int], size: tuple[int, int]) -> bool:
    """Return whether two sizes differ by rounding only: neither was lowered or raised to a limit."""
    return all(abs(one - other) <= max(2, _ROUNDING * other) for one, other in zip(full, size, strict=True))


def _packed(found: OwnText, picture: Picture, size: tuple[int, int], dpi: float) -> bytes:
    # Most lines are horizontal, or the page would be read.
    upright = Upright(0, 0.0, float(size[0]), float(size[1]), _UNCHANGED)
    return pack(Page(*size, dpi, 1, found.blocks, ENGINE, upright=upright, image=picture.stored))


def _unknown_note(found: OwnText) -> tuple[str, ...]:
    return (f"the PDF does not tell what {found.unknown} of its characters mean",) if found.unknown else ()
