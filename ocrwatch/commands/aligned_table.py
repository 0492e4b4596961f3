"""Prints rows with aligned columns, which fit a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ocrwatch.log import printable

_GAP: Final = 2
_NARROWEST: Final = 15
"""Width below which the last column is not wrapped: a narrower one is harder to read than lines that are too long."""
_WIDEST: Final = 40
"""Width of the other columns above which they are wrapped on a terminal."""

Cell = tuple[str, str]
"""Text and style, such as ``("read", "green")``; the style may be empty."""


def print_rows(console: Console, rows: Iterable[Sequence[str | Cell]], indent: int = 0) -> None:
    """Print rows in aligned columns.

    On a terminal, long cells are wrapped in their column. Elsewhere each row is one line. Unprintable characters are
    escaped, and no text is markup.
    """
    cells = [[_cell(each) for each in row] for row in rows]
    if not cells:
        return
    widths = [max(cell_len(text) for text, _ in column) for column in zip(*cells, strict=True)]
    limits = _limits(widths, console.width - indent) if console.is_terminal else widths
    for row in cells:
        for line in _lines(row, limits):
            shown = Text(" " * indent)
            for (text, style), width in zip(line, limits, strict=True):
                shown.append(text, style)
                shown.append(" " * (width - cell_len(text) + _GAP))
            shown.rstrip()
            console.print(shown)


def _cell(cell: str | Cell) -> Cell:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return printable(text), style


def _limits(widths: Sequence[int], available: int) -> list[int]:
    """Return the widths of the columns on a terminal."""
    others = [min(width, _WIDEST) for width in widths[:-1]]
    rest = available - sum(others) - _GAP * len(others)
    return [*others, min(widths[-1], rest) if rest >= _NARROWEST else widths[-1]]


def _lines(row: Sequence[Cell], limits: Sequence[int]) -> Iterable[list[Cell]]:
    """Return the lines of a row."""
    columns = [
        [(part, style) for part in (_wrapped(text, limit) if cell_len(text) > limit else [text])]
        for (text, style), limit in zip(row, limits, strict=True)
    ]
    return (list(line) for line in zip_longest(*columns, fillvalue=("", "")))


def _wrapped(text: str, width: int) -> list[str]:
    # Wide characters, such as Chinese ones, take two columns.
    return textwrap.wrap(text, width if text.isascii() else max(1, width // 2)) or [""]
