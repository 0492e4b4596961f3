"""Reads the CSV file with the known values of fields that ``ocrwatch fields --check`` compares with."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.errors import UsageError, environment_fault
from ocrwatch.settings.errors import did_you_mean

FILE: Final = "file"
"""Heading of the first column."""

_SEPARATORS: Final = ",;\t"
"""Excel writes semicolons in countries with decimal commas."""

_DEFUSED: Final = re.compile(r"'(?=[\"']*[=+@\uff0b\uff0d\uff1d\uff20-])")
"""The apostrophe before what a spreadsheet would take for a formula."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The known values of fields."""

    path: Path
    names: tuple[str, ...]
    """Fields with a column, in the order of the file."""
    values: Mapping[Path, Mapping[str, str]]
    """Values by file and name, as they were written; empty if the document has none."""
    others: int
    """Lines of files that were not given."""


def standing_column(name: str) -> str:
    """Return the heading of the column with the standings of a field, which ``fields --csv`` prints."""
    return f"{name} standing"


def read_truth(path: Path, files: Sequence[Path], names: Sequence[str]) -> Truth:
    """Return the known values of ``files``; ``names`` are those of the fields.

    Columns with standings are ignored, so that the output of ``fields --csv`` can be corrected and used. Raises
    :class:`UsageError` if the file is no such table, and :class:`EnvironmentFault` if it cannot be read.
    """
    (_, heads), *lines = _lines(path)
    columns = _columns(path, heads, names)
    values: dict[Path, dict[str, str]] = {}
    line_of: dict[Path, int] = {}
    others = 0
    for number, cells in lines:
        if len(cells) != len(heads):
            raise UsageError(
                f"line {number} of {path} has {len(cells)} cells, and the header has {len(heads)}",
                'write as many, and put a value with a separator in quotes, such as "1,234.50"',
            )
        file = _file_of(cells[0], files, f"line {number} of {path}")
        if file is None:
            others += 1
            continue
        if file in line_of:
            raise UsageError(f"lines {line_of[file]} and {number} of {path} are both of {file}", "delete one of them")
        line_of[file] = number
        values[file] = {name: _DEFUSED.sub("", cells[column], count=1) for name, column in columns.items()}
    for file in files:
        if file not in values:
            raise UsageError(f"{path} has no line of {file}", f"add one, or do not give {file}")
    return Truth(path, tuple(columns), values, others)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the cells of each line that is not empty, with its number; the header is the first."""
    if not path.is_file():
        what = f"{path} is not a file" if path.exists() else f"there is no file {path}"
        raise UsageError(what, "name a CSV file with the known values")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise environment_fault(error, f"cannot read {path}") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not text in UTF-8 (at byte {error.start})", "save it as UTF-8 (in Excel: CSV UTF-8)"
        ) from error
    heading = text.lstrip().partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=heading.count), strict=True)
    try:
        lines = [(rows.line_num, [cell.strip() for cell in row]) for row in rows if any(map(str.strip, row))]
    except csv.Error as error:
        raise UsageError(f"line {rows.line_num} of {path} is not valid CSV ({error})", "correct it") from error
    if not lines or lines[0][1][0].casefold() != FILE:
        raise UsageError(
            f"{path} has no header",
            f"begin its first line with {FILE}, followed by the names of fields: {FILE},date,total",
        )
    return lines


def _columns(path: Path, heads: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """Return the number of each field's column."""
    columns: dict[str, int] = {}
    ignored = {standing_column(name) for name in names}
    for number, head in enumerate(heads[1:], 1):
        name = head.casefold()
        if name in ignored:
            continue
        if name not in names:
            remedy = did_you_mean(name, names) or f"the fields are {', '.join(names)}"
            raise UsageError(f"{path} has a column {head!r}, which is no field of the profile", remedy)
        if name in columns:
            raise UsageError(f"{path} has two columns {head!r}", "delete one of them")
        columns[name] = number
    if not columns:
        raise UsageError(f"{path} has no column of a field", f"add some of: {', '.join(names)}")
    return columns


def _file_of(cell: str, files: Sequence[Path], where: str) -> Path | None:
    """Return the file that a line is of, by its path or by its name alone; None if it was not given."""
    if (path := Path(cell)) in files:
        return path
    same = list(dict.fromkeys(file for file in files if file.name == cell))
    if len(same) > 1:
        raise UsageError(f"{where} may be of {same[0]} or of {same[1]}", "write the path as it is given to the command")
    return same[0] if same else None
