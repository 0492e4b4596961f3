"""The format ``xlsx``: the tables of a page as an Excel workbook."""

from __future__ import annotations

from typing import ClassVar, Final

from ocrwatch.document import Page
from ocrwatch.render.base import Original
from ocrwatch.render.extra_package import ExtraPackage

PACKAGE: Final = ExtraPackage("xlsx", "xlsxwriter", "XlsxWriter")


class XlsxFormat:
    """One worksheet for each table."""

    name: ClassVar[str] = "xlsx"
    ending: ClassVar[str] = "tables.xlsx"
    shows_tables: ClassVar[bool] = True

    def __init__(self) -> None:
        """Raise EnvironmentFault if the library is not installed."""
        PACKAGE.require()

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Render the workbook; that of a page without tables has one empty sheet.

        Raises EnvironmentFault if the library cannot be loaded.
        """
        with PACKAGE.loading():
            from ocrwatch.render.xlsx_file import xlsx_file  # noqa: PLC0415 - not in the daemon's own process
        return xlsx_file(page.tables or ())
