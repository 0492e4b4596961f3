"""``ocrwatch separator``: writes a separator sheet to print."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ocrwatch.errors import ExitCode, UsageError, environment_fault
from ocrwatch.log import printable
from ocrwatch.recognise.code_library import check_installed, loading
from ocrwatch.recognise.separators import LONGEST_NAME
from ocrwatch.settings import Settings
from ocrwatch.settings.load import load, parse_overrides

_ENDING: Final = ".pdf"


def separator(
    file: Path | None, profile: str | None = None, config: Path | None = None, sets: Sequence[str] = ()
) -> ExitCode:
    """Write the sheet to a file, or to standard output if there is none.

    ``profile`` is the one that the sheet names, which must be in the settings. Raises :class:`OcrwatchError` if it is
    not, or if the sheet cannot be written.
    """
    check_installed("ocrwatch separator")
    if profile is not None:
        _check_profile(profile, load(config, parse_overrides(sets), os.environ).settings)
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
    sheet = separator_sheet(profile or "")
    if file is None:
        sys.stdout.buffer.write(sheet)
        return ExitCode.FINE
    try:
        file.write_bytes(sheet)
    except OSError as error:
        raise environment_fault(error, f"cannot write the sheet {file}") from error
    print(printable(f"{file} is written: print it, and put it between documents"))  # noqa: T201
    return ExitCode.FINE


def _check_profile(name: str, settings: Settings) -> None:
    """Check that a sheet can name this profile. Raises :class:`UsageError`."""
    labels = list(dict.fromkeys(profile.label for profile in settings.profiles))
    if name not in labels:
        remedy = f"choose one of: {', '.join(labels)}" if labels else "add [[profiles]] to the settings: they have none"
        raise UsageError(f"there is no profile named {name}", f"{remedy}; --config names other settings")
    size = len(name.encode("utf-8", "surrogateescape"))
    if size > LONGEST_NAME:
        raise UsageError(
            f"the name of the profile is too long for a sheet: {size} bytes, and at most {LONGEST_NAME} fit",
            "give the profile a short name, such as invoices",
        )
