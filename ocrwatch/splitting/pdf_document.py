"""A PDF that pdfium has open, and its pages: everything that is opened is closed, so that memory stays flat.

pdfium is called directly. The classes of pypdfium2 keep pages, text and images until the document is closed.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray
from pypdfium2.version import PDFIUM_INFO

from ocrwatch.errors import Damaged, Encrypted, ScanFault, Unsupported

VERSION: Final = f"{PDFIUM_INFO.major}.{PDFIUM_INFO.minor}.{PDFIUM_INFO.build}.{PDFIUM_INFO.patch}"

RESAVE: Final = "open it in another program and print it to a new PDF, or scan the pages again"
_UNLOCK: Final = "save it without a password, for example with: qpdf --decrypt --password=... locked.pdf open.pdf"

Pixels = NDArray[np.uint8]
"""Height x width x 3, in the order blue, green, red."""

POINTS: Final = 72.0
"""Units of a page to an inch."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the units of a page are in its image."""

    left: float
    bottom: float
    right: float
    top: float
    turns: int
    """Clockwise quarter turns by which the page is shown."""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page as it is shown, in points."""
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.turns % 2 else (width, height)

    def pixel(self, x: float, y: float, width: int, height: int) -> tuple[float, float]:
        """Map a point of the page to an image of ``width`` x ``height`` pixels."""
        across = (x - self.left) / (self.right - self.left)
        down = (self.top - y) / (self.top - self.bottom)
        turned = ((across, down), (1 - down, across), (1 - across, 1 - down), (down, 1 - across))[self.turns]
        return turned[0] * width, turned[1] * height


class PdfDocument:
    """One open document."""

    def __init__(self, descriptor: int, size: int) -> None:
        """Open the file of ``size`` bytes. Raises Damaged, Encrypted, Unsupported, or OSError if the disk does."""
        self._descriptor = descriptor
        self._error: OSError | None = None
        self._access = pdfium.FPDF_FILEACCESS(m_FileLen=size)
        self._access.m_GetBlock = type(self._access.m_GetBlock)(self._read)
        self._forms: Any = None
        self.handle: Any = pdfium.FPDF_LoadCustomDocument(self._access, None)
        if not self.handle:
            self.check()
            raise _refusal(pdfium.FPDF_GetLastError())
        if pdfium.FPDF_GetFormType(self.handle) != pdfium.FORMTYPE_NONE:
            self._form_info = pdfium.FPDF_FORMFILLINFO(version=2)
            self._forms = pdfium.FPDFDOC_InitFormFillEnvironment(self.handle, self._form_info)
        self.count: int = pdfium.FPDF_GetPageCount(self.handle)
        """Number of pages; what the file says, if that is credible."""
        self.is_repaired: bool = not pdfium.FPDF_DocumentHasValidCrossReferenceTable(self.handle)
        """Whether its list of objects is damaged, so that they were searched for: some may be missing, or old."""

    def check(self) -> None:
        """Raise OSError if the file could not be read: pdfium takes what is missing for empty."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Free all that pdfium has of the document."""
        handle, self.handle = self.handle, None
        if handle:
            if self._forms:
                pdfium.FPDFDOC_ExitFormFillEnvironment(self._forms)
            pdfium.FPDF_CloseDocument(handle)

    @contextmanager
    def page(self, number: int) -> Iterator[PdfPage]:
        """Open a page, from 1. Raises Damaged, or OSError."""
        handle = pdfium.FPDF_LoadPage(self.handle, number - 1)
        self.check()
        if not handle:
            raise Damaged("the page of the PDF is damaged or missing", RESAVE)
        try:
            if self._forms:
                pdfium.FORM_OnAfterLoadPage(handle, self._forms)
            yield PdfPage(handle, self._forms)
            self.check()
        finally:
            if self._forms:
                pdfium.FORM_OnBeforeClosePage(handle, self._forms)
            pdfium.FPDF_ClosePage(handle)

    def _read(self, _param: object, position: int, buffer: Any, size: int) -> int:
        """Read for pdfium; return whether all of it could be read."""
        try:
            found = os.pread(self._descriptor, size, position)
        except OSError as error:
            self._error = error
            return 0
        if len(found) != size:
            return 0
        ctypes.memmove(buffer, found, size)
        return 1


class PdfPage:
    """One open page."""

    def __init__(self, handle: Any, forms: Any) -> None:
        self.handle = handle
        self._forms = forms
        box = pdfium.FS_RECTF()
        is_known = pdfium.FPDF_GetPageBoundingBox(handle, box)
        turns = pdfium.FPDFPage_GetRotation(handle)
        self.place = Placement(box.left, box.bottom, box.right, box.top, turns if turns in range(4) else 0)
        sides = self.place.size
        if not is_known or not all(math.isfinite(side) and side > 0 for side in sides):
            raise Damaged("the page of the PDF has no size", RESAVE)

    def render(self, width: int, height: int) -> Pixels:
        """Return the page as it is shown, with annotations and filled-in fields, on white."""
        pixels = np.full((height, width, 3), 255, np.uint8)
        bitmap = pdfium.FPDFBitmap_CreateEx(
            width, height, pdfium.FPDFBitmap_BGR, pixels.ctypes.data_as(ctypes.c_void_p), 3 * width
        )
        if not bitmap:
            raise MemoryError
        try:
            area = (bitmap, self.handle, 0, 0, width, height, 0)
            pdfium.FPDF_RenderPageBitmap(*area, pdfium.FPDF_ANNOT | pdfium.FPDF_RENDER_LIMITEDIMAGECACHE)
            if self._forms:
                pdfium.FPDF_FFLDraw(self._forms, *area, pdfium.FPDF_ANNOT)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)
        return pixels

    @property
    def annotations(self) -> Iterator[int]:
        """Yield the type of each annotation that takes up space."""
        for index in range(pdfium.FPDFPage_GetAnnotCount(self.handle)):
            annotation = pdfium.FPDFPage_GetAnnot(self.handle, index)
            if not annotation:
                continue
            try:
                box = pdfium.FS_RECTF()
                is_placed = pdfium.FPDFAnnot_GetRect(annotation, box) and box.left != box.right
                hidden = pdfium.FPDFAnnot_GetFlags(annotation) & pdfium.FPDF_ANNOT_FLAG_HIDDEN
                if is_placed and not hidden and box.top != box.bottom:
                    yield int(pdfium.FPDFAnnot_GetSubtype(annotation))
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)


def _refusal(code: int) -> ScanFault:
    """Return why pdfium cannot open a document."""
    if code == pdfium.FPDF_ERR_PASSWORD:
        return Encrypted("the PDF can only be opened with a password", _UNLOCK)
    if code == pdfium.FPDF_ERR_SECURITY:
        return Unsupported("the PDF is encrypted in a way that cannot be read", _UNLOCK)
    return Damaged("the PDF is damaged, and cannot be opened", RESAVE)
