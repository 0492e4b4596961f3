"""The workbook of several pages, with a worksheet for each of their tables."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

from ocrwatch.render.joining.base import Document
from ocrwatch.render.xlsx import PACKAGE, XlsxFormat


class JoinedXlsx:
    """Worksheets are in the order of pages, and their names begin with the page's. A missing page has one, too."""

    name: ClassVar[str] = XlsxFormat.name
    ending: ClassVar[str] = XlsxFormat.ending

    def join(self, document: Document, file: BinaryIO) -> None:
        """Write the workbook. Raises EnvironmentFault if the library cannot be loaded."""
        PACKAGE.require()
        with PACKAGE.loading():
            from ocrwatch.render.joining.xlsx_workbook import write_workbook  # noqa: PLC0415 - only if it is wanted
        write_workbook(document, file)
