"""What a failure in finding tables, codes or fields means for the page."""

from __future__ import annotations

import traceback
from pathlib import Path

from ocrwatch.errors import EnvironmentFault, is_memory_error


def is_of_environment(error: Exception) -> bool:
    """Return whether the scan must be read again later, as if the error were raised in reading the page."""
    return isinstance(error, OSError | EnvironmentFault) or is_memory_error(error)


def bug_warning(what: str, error: Exception) -> str:
    """Return the warning that something on a page could not be found.

    It has the last place in this package, but not the message of the error, which may have a part of a value.
    """
    package = Path(__file__).parents[2]
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if package in Path(frame.filename).parents][-1]
    file = Path(last.filename).relative_to(package).as_posix()
    place = f"{type(error).__name__} in {file}, line {last.lineno}"
    return f"{what} could not be found: a bug in ocrwatch, please report it: {place}"
