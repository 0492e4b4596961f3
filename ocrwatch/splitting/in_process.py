"""Takes single pages out of a file in this process, for :func:`ocrwatch.read`; all others use a process of its own.

pdfium is not thread-safe: one file is open at a time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ocrwatch.errors import environment_fault
from ocrwatch.intake.completeness import has_pages
from ocrwatch.magic import HEAD, SPLIT, image_kind
from ocrwatch.splitting.base import MOST_PAGES
from ocrwatch.splitting.child import Pages, open_pages
from ocrwatch.splitting.image_file import ImageFolder, NotWritten


@contextmanager
def opened(content: bytes, max_pixels: int) -> Iterator[Pages | None]:
    """Open a file of several pages; None if it is no PDF, and no TIFF with more than one page.

    An image of a page has at most ``max_pixels``. Raises :class:`ScanFault` if it cannot be split, and
    :class:`EnvironmentFault`.
    """
    kind = image_kind(content[:HEAD])
    if kind is None or kind not in SPLIT:
        yield None
        return
    with _in_memory(content) as descriptor:
        if not has_pages(descriptor, len(content)):
            yield None
            return
        with closing(open_pages(kind, descriptor, len(content), MOST_PAGES, max_pixels)) as pages:
            yield pages


def page_of(pages: Pages, number: int) -> tuple[bytes, bytes]:
    """Return the image of a page, from 1, and its own text as a packed page, empty if the image must be read.

    Raises :class:`ScanFault` if there is none, and :class:`EnvironmentFault`.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="ocrwatch-") as folder:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                written = pages.write(number, ImageFolder(descriptor, "page"))
            finally:
                os.close(descriptor)
            return (Path(folder) / f"page-{number}.{written.ending}").read_bytes(), written.packed
    except (NotWritten, OSError) as refused:
        error = refused.error if isinstance(refused, NotWritten) else refused
        raise environment_fault(error, "cannot write the image of a page to a temporary folder") from refused


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("ocrwatch-file")
    with os.fdopen(descriptor, "w+b") as file:
        file.write(content)
        file.flush()
        yield descriptor
