"""The format ``pdf``: the scan with invisible text over it, upright and straight.

The image is placed under the inverse of its turn and skew, so that lines of text are horizontal: programs that extract
text find the words of tilted lines in the wrong order. A JPEG is embedded byte for byte.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar, Final

from ocrwatch import jpeg_markers
from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault
from ocrwatch.render.base import Original
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
            from ocrwatch.render.pdf_file import Image, pdf_file  # noqa: PLC0415 - see __init__
        except ImportError as error:
            raise EnvironmentFault(f"the package {_LIBRARY} cannot be loaded ({error})", _REMEDY) from error
        structure = jpeg_markers.walk(original.content)
        frame, height = structure.sure_frame, structure.height
        # Viewers are stricter than our decoder with what stands before the image data.
        is_plain = structure.end is not None and not structure.odd and not structure.lines
        jpeg = original.content if is_plain else jpeg_markers.rebuilt(original.content, structure)
        laid_out = lay_out(page, frame.width, height, straighten=original.straighten)
        return pdf_file(laid_out, Image(jpeg, frame.width, height, frame.components))
