"""Splits a file in this process, without the one that confines it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ocrwatch.splitting.child import Pages
from ocrwatch.splitting.image_file import ImageFolder
from ocrwatch.splitting.messages import Written
from ocrwatch.splitting.pdf_pages import PdfPages
from ocrwatch.splitting.tiff_pages import TiffPages

MANY = 10_000
PIXELS = 200_000_000


@contextlib.contextmanager
def opened(data: bytes, *, max_pages: int = MANY, max_pixels: int = PIXELS) -> Iterator[Split]:
    """Open a PDF or TIFF; raises what opening raises."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = os.memfd_create("file")
        stack.callback(os.close, file)
        os.write(file, data)
        target = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, target)
        pages: Pages
        if data.startswith(b"%PDF"):
            pages = PdfPages(file, len(data), max_pages, max_pixels)
        else:
            pages = TiffPages(file, len(data), max_pages)
        yield Split(pages, ImageFolder(target, "x"), folder)


class Split:
    """An open file, and the folder of its images."""

    def __init__(self, pages: Pages, target: ImageFolder, folder: Path) -> None:
        self.count = pages.count
        self.folder = folder
        self._pages = pages
        self._target = target

    def page(self, number: int = 1) -> tuple[Written, bytes]:
        """Return what is said of a page, and its image."""
        written = self._pages.write(number, self._target)
        return written, (self.folder / f"x-{number}.{written.ending}").read_bytes()
