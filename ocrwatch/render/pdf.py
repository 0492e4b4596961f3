"""The format ``pdf``: the scan with invisible text over it, upright and straight.

The image is placed under the inverse of its turn and skew, so that lines of text are horizontal: programs that extract
text find the words of tilted lines in the wrong order. A JPEG is embedded byte for byte, a PNG or TIFF losslessly.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar, Final

from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault
from ocrwatch.render.base import Original
from ocrwatch.render.pdf_image import pdf_image
from ocrwatch.render.pdf_page import lay_out

_LIBRARY: Final = "pikepdf"
_REMEDY: Final = "install ocrwatch with its extra pdf (pip install 'ocrwatch[pdf]'), or take pdf out of output.formats"


class PdfFormat:
    """One page. Its text is invisible, and as long and as tall as the print under it."""

    name: ClassVar[str] = "pdf"
    ending: ClassVar[str] = "pdf"
    shows_original: ClassVar[bool] = True

    def __init__(self) -> None:
        """Raise EnvironmentFault if the library is not installed.

        It is not imported: the daemon's own process needs only the ending.
        """
        if find_spec(_LIBRARY) is None:
            raise EnvironmentFault(f"the format pdf needs the package {_LIBRARY}", _REMEDY)

    def render(self, page: Page, original: Original) -> bytes:
        """Render the page. The original must be there, and have been read.

        Raises EnvironmentFault if the library cannot be loaded.
        """
        try:
            from ocrwatch.render.pdf_file import pdf_file  # noqa: PLC0415 - see __init__
        except ImportError as error:
            raise EnvironmentFault(f"the package {_LIBRARY} cannot be loaded ({error})", _REMEDY) from error
        image = pdf_image(original.content, 0 if page.image is None else page.image.page)
        return pdf_file(lay_out(page, image.width, image.height, straighten=original.straighten), image)
