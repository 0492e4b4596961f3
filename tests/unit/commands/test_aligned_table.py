"""Rows with aligned columns."""

from __future__ import annotations

import io

from rich.console import Console

from ocrwatch.commands.aligned_table import Cell, print_rows


def printed(*rows: list[str | Cell], width: int = 60, terminal: bool = False) -> list[str]:
    """Return the lines that are printed."""
    file = io.StringIO()
    print_rows(Console(file=file, width=width, force_terminal=terminal, color_system=None, soft_wrap=True), rows)
    return file.getvalue().splitlines()


def test_columns_are_aligned() -> None:
    """Wide characters take two columns, and no line ends with spaces."""
    assert printed(["東京", "1", "first"], ["tokyo", "200", ""]) == ["東京   1    first", "tokyo  200"]


def test_no_rows_print_nothing() -> None:
    """A page without fields has an empty table."""
    assert printed() == []


def test_nothing_is_markup_or_moves_the_cursor() -> None:
    """Text of a scan is printed as it is, with control characters escaped."""
    assert printed(["[red]a[/red]", "b\x1b[2J\n\tc"]) == [r"[red]a[/red]  b\x1b[2J\n\tc"]


def test_lines_of_a_file_are_of_any_length() -> None:
    """A program that reads them gets one line for each row."""
    long = "word " * 40 + "end"
    assert printed(["a", long]) == [f"a  {long}"]


def test_lines_of_a_terminal_fit_it() -> None:
    """The last column is wrapped, and so are others that are very wide."""
    lines = printed(["name", "x" * 90, "one two three four five six"], ["b", "y", "z"], width=72, terminal=True)
    assert lines == [
        f"name  {'x' * 40}  one two three four five",
        f"      {'x' * 40}  six",
        f"      {'x' * 10}",
        f"b     y{' ' * 39}  z",
    ]
