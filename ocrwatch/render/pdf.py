"""The format ``pdf``: the scan with invisible text over it, upright and straight.

The image is placed under the inverse of its turn and skew, so that lines of text are horizontal: programs that extract
text find the words of tilted lines in the wrong order. A JPEG is embedded byte for byte, a PNG or TIFF losslessly.
"""

from __future__ import annotations

from typing import ClassVar, Final

from ocrwatch.document import Page
from ocrwatch.render.base import Original
from ocrwatch.render.extra_package import ExtraPackage
from ocrwatch.render.pdf_image import pdf_image
from ocrwatch.render.pdf_page import lay_out

PACKAGE: Final = ExtraPackage("pdf", "pikepdf", "pikepdf")


class PdfFormat:
    """One page. Its text is invisible, and as long and as tall as the print under it."""

    name: ClassVar[str] = "pdf"
    ending: ClassVar[str] = "pdf"
    shows_original: ClassVar[bool] = True

    def __init__(self) -> None:
        """Raise EnvironmentFault if the library is not installed."""
        PACKAGE.require()

    def render(self, page: Page, original: Original) -> bytes:
        """Render the page. The original must be there, and have been read.

        Raises EnvironmentFault if the library cannot be loaded.
        """
        with PACKAGE.loading():
            from ocrwatch.render.pdf_file import pdf_file  # noqa: PLC0415 - not in the daemon's own process
        image = pdf_image(original.content, 0 if page.image is None else page.image.page)
        laid_out = lay_out(page, image.width, image.height, straighten=original.straighten)
        own = page.blocks[: original.own_blocks]
        return pdf_file(laid_out, image, sum(line.baseline is not None for block in own for line in block.lines))
