"""``ocrwatch separator``: writes a separator sheet to print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from ocrwatch.errors import ExitCode, UsageError, environment_fault
from ocrwatch.log import printable
from ocrwatch.recognise.code_library import check_installed, loading

_ENDING: Final = ".pdf"


def separator(file: Path | None) -> ExitCode:
    """Write the sheet to a file, or to standard output if there is none.

    Raises :class:`OcrwatchError` if it cannot be written there.
    """
    check_installed("ocrwatch separator")
    if file is None and sys.stdout.isatty():
        raise UsageError(
            "the sheet is a PDF, which a terminal cannot show",
            f"name a file: ocrwatch separator -o separator{_ENDING}",
        )
    if file is not None and file.suffix.lower() != _ENDING:
        # A wrong argument, such as a scan, would be overwritten.
        raise UsageError(f"the name {file} does not end in {_ENDING}", f"name a file such as separator{_ENDING}")
    with loading():
        # Loads the library of an extra.
        from ocrwatch.commands.separator_sheet import separator_sheet  # noqa: PLC0415
    sheet = separator_sheet()
    if file is None:
        sys.stdout.buffer.write(sheet)
        return ExitCode.FINE
    try:
        file.write_bytes(sheet)
    except OSError as error:
        raise environment_fault(error, f"cannot write the sheet {file}") from error
    print(printable(f"{file} is written: print it, and put it between documents"))  # noqa: T201
    return ExitCode.FINE
