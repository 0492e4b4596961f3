"""Random tables of all kinds, rendered, with their truth: ruled and unruled, with spanning headings and empty cells."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.bench.table_scoring import TrueCell
from tests.table_images import DrawnCell, DrawnTable, Rules, draw_table

_VOCABULARY: Final = (
    "harbour office budget total region number amount quarter income expense balance average change "
    "district station passenger cargo vessel month winter summer north south eastern western annual "
    "weekly report account customer supplier material quantity price discount delivery transport "
    "insurance interest pension salary equipment"
)
_WORDS: Final = _VOCABULARY.split()
_KINDS: Final[tuple[Rules, ...]] = ("grid", "rows", "header", "frame", "none")
_ABOVE: Final = (
    "Each page is put on the glass by hand, and the lid is closed before the lamp",
    "has warmed up. The figures below were taken from the books of that year.",
)
_BELOW: Final = (
    "The sums were rounded, so that they may differ from the last line by one or two",
    "units. Figures of the winter months were not available when this was printed.",
)


class RenderedTable(NamedTuple):
    """A table and what is true of it."""

    kind: Rules
    drawn: DrawnTable
    truth: list[TrueCell]


def rendered_tables(count: int, seed: int) -> Iterator[RenderedTable]:
    """Yield tables; the same ones for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        kind = _KINDS[number % len(_KINDS)]
        cells, headers = _cells(chance)
        drawn = draw_table(
            cells,
            rules=kind,
            headers=headers,
            size=chance.choice((26, 30, 36)),
            above=_ABOVE,
            below=_BELOW,
            gap=chance.choice((40, 60, 90)),
        )
        truth = [TrueCell(cell.rows, cell.columns, " ".join(cell.text.split("\n"))) for cell in cells]
        yield RenderedTable(kind, drawn, truth)


def _cells(chance: random.Random) -> tuple[list[DrawnCell], int]:
    columns, rows = chance.randint(3, 7), chance.randint(4, 14)
    cells = []
    spans = chance.random() < 0.5 and columns > 3
    headers = 2 if spans else 1
    cells.append(DrawnCell(0, 0, _text(chance, 1), headers - 1))
    column = 1
    while column < columns:
        if spans and column + 1 < columns:
            cells.append(DrawnCell(0, column, _text(chance, 2), 0, column + 1))
            cells += [DrawnCell(1, each, _text(chance, 1)) for each in (column, column + 1)]
            column += 2
        else:
            cells.append(DrawnCell(0, column, _text(chance, 1), headers - 1))
            column += 1
    for row in range(headers, headers + rows):
        cells.append(DrawnCell(row, 0, _label(chance)))
        for column in range(1, columns):
            if chance.random() > 0.06:
                cells.append(DrawnCell(row, column, _number(chance)))
    return cells, headers


def _text(chance: random.Random, most: int) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randint(1, most))).capitalize()


def _label(chance: random.Random) -> str:
    words = chance.choices(_WORDS, k=chance.randint(1, 3))
    text = " ".join(words).capitalize()
    return f"{text}\n{chance.choice(_WORDS)} {chance.choice(_WORDS)}" if chance.random() < 0.12 else text


def _number(chance: random.Random) -> str:
    value = chance.randint(10, 99_999)
    return chance.choice((f"{value}", f"{value:,}", f"{value / 100:.2f}", f"{value % 100}%"))
