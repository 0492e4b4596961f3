"""The format ``xlsx``: the tables of a page as an Excel workbook."""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar, Final

from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault
from ocrwatch.render.base import Original

_LIBRARY: Final = "xlsxwriter"
_PACKAGE: Final = "XlsxWriter"
_REMEDY: Final = (
    "install ocrwatch with its extra xlsx (pip install 'ocrwatch[xlsx]'), or take xlsx out of output.formats"
)


class XlsxFormat:
    """One worksheet for each table."""

    name: ClassVar[str] = "xlsx"
    ending: ClassVar[str] = "tables.xlsx"
    shows_tables: ClassVar[bool] = True

    def __init__(self) -> None:
        """Raise EnvironmentFault if the library is not installed.

        It is not imported: the daemon's own process needs only the ending.
        """
        if find_spec(_LIBRARY) is None:
            raise EnvironmentFault(f"the format xlsx needs the package {_PACKAGE}", _REMEDY)

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Render the workbook; that of a page without tables has one empty sheet.

        Raises EnvironmentFault if the library cannot be loaded.
        """
        try:
            from ocrwatch.render.xlsx_file import xlsx_file  # noqa: PLC0415 - see __init__
        except ImportError as error:
            raise EnvironmentFault(f"the package {_PACKAGE} cannot be loaded ({error})", _REMEDY) from error
        return xlsx_file(page.tables or ())
