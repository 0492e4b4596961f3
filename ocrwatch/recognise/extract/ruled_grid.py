"""Grids of rules: rules that cross form a lattice, and its places without a rule between them are one cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.extract.columns import Columns, Gap, Piece, pieces_of
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.found import FoundCell
from ocrwatch.recognise.extract.rules import Rule, Rules
from ocrwatch.recognise.extract.table_words import Spacing, TableWord, are_values, lines_of, strips_of

_MEETS: Final = 0.6
"""How far from each other rules that meet may end."""

_SAME: Final = 0.7
"""Distance of two rules that are one edge of the lattice, at most."""

_RULE: Final = 0.2
"""Distance of text from the rule between two columns, about."""

_OPEN: Final = {True: 1.5, False: 1.2}
"""How far horizontal, or vertical, rules reach beyond the last edge if that side of the table has no rule."""

_LOOSE: Final = {True: 6.0, False: 3.0}
"""Length from which on a horizontal, or vertical, rule may end anywhere."""

_DRAWN: Final = 0.5
"""Share of an edge between two places that is drawn if it divides them."""

_IN_ONE_COLUMN: Final = 0.6
"""Share of the texts in a row without vertical rules that keep to one column, at least, if they are in columns."""

_DOUBLE: Final = 1.2
"""Width of a column without text that is the space between two rules, at most."""

_BLANK: Final = 1.3
"""Height of blank space across all columns that divides two rows that no rule divides, at least."""

_Meeting = npt.NDArray[np.bool_]

_Place = tuple[int, int]
"""Row and column of the lattice."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Rules that cross, and the edges of rows and columns that they form."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    horizontal: tuple[Rule, ...]
    vertical: tuple[Rule, ...]

    @property
    def place(self) -> Extent:
        """Its bounding box."""
        return Extent(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The rules between columns as gaps."""
        return tuple(Gap(x - _RULE, x + _RULE) for x in self.xs[1:-1])

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.ys) - 1

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.xs) - 1

    def right_edges(self, column: int) -> list[float]:
        """Return which shares of the edges between a column and the next one are drawn, from top to bottom."""
        return _drawn(self.vertical, self.xs[column + 1], self.ys)

    def lower_edges(self, row: int) -> list[float]:
        """Return which shares of the edges between a row and the next one are drawn, from left to right."""
        return _drawn(self.horizontal, self.ys[row + 1], self.xs)


def find_lattices(rules: Rules, words: Sequence[TableWord]) -> list[Lattice]:
    """Return the lattices of a page, those with the most rules first."""
    found = []
    crossing = _crossing(*_without_loose_ends(rules))
    for horizontal, vertical in sorted(crossing, key=lambda both: -len(both[0]) - len(both[1])):
        if len(horizontal) < 2:  # noqa: PLR2004 - an upper and a lower one
            continue
        lattice = _lattice(horizontal, vertical, words)
        if lattice.rows > 0 and lattice.columns > 0:
            found.append(lattice)
    return found


def _meeting(rules: Rules) -> _Meeting:
    """Return which horizontal rules (rows of the matrix) meet which vertical ones (columns)."""
    across = np.array([(rule.at, rule.begin, rule.end) for rule in rules.horizontal], np.float32).reshape(-1, 3)
    down = np.array([(rule.at, rule.begin, rule.end) for rule in rules.vertical], np.float32).reshape(-1, 3)
    y, left, right = across.T[:, :, np.newaxis]
    x, top, bottom = down.T[:, np.newaxis, :]
    is_beside = (left - _MEETS <= x) & (x <= right + _MEETS)
    return np.asarray(is_beside & (top - _MEETS <= y) & (y <= bottom + _MEETS))


def _without_loose_ends(rules: Rules) -> tuple[Rules, _Meeting]:
    """Leave out short rules that do not reach from one rule to another: they are strokes of letters.

    Return the others, and which of them meet.
    """
    meeting = _meeting(rules)
    met = np.count_nonzero(meeting, axis=1)
    across = [at for at, rule in enumerate(rules.horizontal) if rule.length > _LOOSE[True] or met[at] > 1]
    meeting = meeting[across]
    met = np.count_nonzero(meeting, axis=0)
    down = [at for at, rule in enumerate(rules.vertical) if rule.length > _LOOSE[False] or met[at] > 1]
    kept = Rules(tuple(rules.horizontal[at] for at in across), tuple(rules.vertical[at] for at in down))
    return kept, meeting[:, down]


def _crossing(rules: Rules, meeting: _Meeting) -> list[tuple[list[Rule], list[Rule]]]:
    """Group rules that meet, directly or through others; groups have horizontal and vertical ones."""
    group_of = list(range(len(rules.horizontal)))
    """For each horizontal rule another one of its group, or itself."""

    def group(number: int) -> int:
        while group_of[number] != number:
            group_of[number] = number = group_of[group_of[number]]
        return number

    first_met: dict[int, int] = {}
    """For each vertical rule that meets some the first of these."""
    for number in range(len(rules.vertical)):
        met = np.flatnonzero(meeting[:, number]).tolist()
        if met:
            first_met[number] = met[0]
            for each in met:
                group_of[group(each)] = group(met[0])
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for number, horizontal in enumerate(rules.horizontal):
        groups.setdefault(group(number), ([], []))[0].append(horizontal)
    for number, first in first_met.items():
        groups[group(first)][1].append(rules.vertical[number])
    return [both for both in groups.values() if both[1]]


def _lattice(horizontal: Sequence[Rule], vertical: Sequence[Rule], words: Sequence[TableWord]) -> Lattice:
    xs, ys = _edges(vertical), _edges(horizontal)
    half = max(1, len(horizontal) // 2)
    left = median(sorted(rule.begin for rule in horizontal)[:half])
    right = median(sorted(rule.end for rule in horizontal)[-half:])
    xs = _with_open_sides(xs, left, right, _OPEN[True])
    ys = _with_open_sides(ys, min(rule.begin for rule in vertical), max(rule.end for rule in vertical), _OPEN[False])
    return Lattice(_without_double_rules(xs, ys, words), tuple(ys), tuple(horizontal), tuple(vertical))


def _edges(rules: Iterable[Rule]) -> list[float]:
    """Return the places of rules; those of rules that are close are their mean, weighted by length."""
    groups: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda rule: rule.at):
        if groups and rule.at - groups[-1][-1].at <= _SAME:
            groups[-1].append(rule)
        else:
            groups.append([rule])
    return [sum(rule.at * rule.length for rule in group) / sum(rule.length for rule in group) for group in groups]


def _with_open_sides(edges: list[float], first: float, last: float, least: float) -> list[float]:
    """Add an edge at a side without a rule, if the rules across reach that far."""
    before = [first] if edges[0] - first > least else []
    after = [last] if last - edges[-1] > least else []
    return [*before, *edges, *after]


def _without_double_rules(xs: Sequence[float], ys: Sequence[float], words: Iterable[TableWord]) -> tuple[float, ...]:
    """Leave out columns that are the space within a double rule."""
    inside = [word.x for word in words if ys[0] <= word.y <= ys[-1]]
    kept = [xs[0]]
    for at, x in enumerate(xs[1:], 1):
        if x - kept[-1] >= _DOUBLE or any(kept[-1] < middle < x for middle in inside):
            kept.append(x)
        elif at == len(xs) - 1:
            kept[-1] = x
    return tuple(kept)


def _drawn(rules: Iterable[Rule], at: float, ends: Sequence[float]) -> list[float]:
    """Return the share of each part of a line that rules cover; ``ends`` are those of the parts."""
    near = sorted((rule for rule in rules if abs(rule.at - at) <= _MEETS), key=lambda rule: rule.begin)
    return [_covered(near, begin, end) for begin, end in pairwise(ends)]


def _covered(rules: Iterable[Rule], begin: float, end: float) -> float:
    """Return the share of a line that rules cover. They are in order of their beginnings."""
    covered, reached = 0.0, begin
    for rule in rules:
        if rule.end > reached and rule.begin < end:
            covered += min(rule.end, end) - max(rule.begin, reached)
            reached = min(rule.end, end)
    return covered / max(end - begin, 1e-6)


def grid_cells(
    lattice: Lattice, words: Sequence[TableWord], spacing: Spacing
) -> tuple[list[FoundCell], tuple[float, ...]]:
    """Return the cells of a lattice, and the edges of the rows. Of the empty cells it has those of several places.

    There are more rows than in the lattice if blank space divides some of them.
    """
    inner = Columns(lattice.gaps, lattice.xs[0], lattice.xs[-1])
    by_place: dict[_Place, list[TableWord]] = {}
    roots = _roots(lattice)
    for word in words:
        place = _place_of(word, lattice)
        if place is not None:
            by_place.setdefault(roots[place], []).append(word)
    members: dict[_Place, list[_Place]] = {}
    for place, root in roots.items():
        members.setdefault(root, []).append(place)
    cells: list[FoundCell] = []
    for root, places in members.items():
        cells += _divided(places, by_place.get(root, []), lattice, inner, spacing)
    return _with_blank_gaps(cells, lattice)


def _place_of(word: TableWord, lattice: Lattice) -> _Place | None:
    row = sum(y < word.y for y in lattice.ys) - 1
    column = sum(x < word.x for x in lattice.xs) - 1
    return (row, column) if 0 <= row < lattice.rows and 0 <= column < lattice.columns else None


def _roots(lattice: Lattice) -> dict[_Place, _Place]:
    """Return for each place of the lattice the first one that no drawn edge separates from it."""
    parent = {(row, column): (row, column) for row in range(lattice.rows) for column in range(lattice.columns)}

    def root(place: _Place) -> _Place:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    right = [lattice.right_edges(column) for column in range(lattice.columns - 1)]
    lower = [lattice.lower_edges(row) for row in range(lattice.rows - 1)]
    for row, column in list(parent):
        here = (row, column)
        if column + 1 < lattice.columns and right[column][row] < _DRAWN:
            one, other = sorted((root(here), root((row, column + 1))))
            parent[other] = one
        if row + 1 < lattice.rows and lower[row][column] < _DRAWN:
            one, other = sorted((root(here), root((row + 1, column))))
            parent[other] = one
    return {place: root(place) for place in parent}


def _divided(
    places: Sequence[_Place], words: list[TableWord], lattice: Lattice, inner: Columns, spacing: Spacing
) -> Iterator[FoundCell]:
    """Yield the cells of places that no rule divides.

    They are one cell if they form a rectangle, unless nearly each text in it keeps to one column.
    """
    rows, columns = {row for row, _ in places}, {column for _, column in places}
    if len(places) < len(rows) * len(columns):
        by_place: dict[_Place, list[TableWord]] = {}
        for word in words:
            by_place.setdefault(_place_of(word, lattice) or places[0], []).append(word)
        for (row, column), inside in by_place.items():
            yield FoundCell(row, row, column, column, tuple(inside))
        return
    if not words and len(places) == 1:
        return
    first, last = min(rows), max(rows)
    if len(columns) > 1:
        pieces = [piece for line in lines_of(words) for piece in pieces_of(line, inner, spacing)]
        single = sum(piece.first == piece.last for piece in pieces)
        texts = _by_columns(pieces)
        if len(texts) > 1 and single >= _IN_ONE_COLUMN * len(pieces):
            for piece in texts:
                yield FoundCell(first, last, piece.first, piece.last, tuple(piece.words))
            return
    yield FoundCell(first, last, min(columns), max(columns), tuple(words))


def _by_columns(pieces: Iterable[Piece]) -> list[Piece]:
    """Join texts that have columns in common."""
    joined: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.first):
        if joined and piece.first <= joined[-1].last:
            last = joined[-1]
            joined[-1] = Piece(last.first, max(last.last, piece.last), [*last.words, *piece.words])
        else:
            joined.append(piece)
    return joined


def _with_blank_gaps(cells: Sequence[FoundCell], lattice: Lattice) -> tuple[list[FoundCell], tuple[float, ...]]:
    """Divide rows at blank space across all columns that is higher than the space between their lines."""
    if lattice.columns < 2:  # noqa: PLR2004
        return list(cells), lattice.ys
    cuts = [_cuts(row, cells) for row in range(lattice.rows)]
    before = [sum(map(len, cuts[:row])) for row in range(lattice.rows)]
    divided: list[FoundCell] = []
    for cell in cells:
        row, last = cell.row + before[cell.row], cell.last_row + before[cell.last_row]
        if cell.row != cell.last_row or not cuts[cell.row] or not cell.words:
            divided.append(FoundCell(row, last, cell.column, cell.last_column, cell.words))
            continue
        strips: dict[int, list[TableWord]] = {}
        for word in cell.words:
            strips.setdefault(row + sum(cut <= word.y for cut in cuts[cell.row]), []).append(word)
        divided += [
            FoundCell(each, each, cell.column, cell.last_column, tuple(words)) for each, words in strips.items()
        ]
    return divided, tuple(sorted((*lattice.ys, *(cut for its in cuts for cut in its))))


def _cuts(row: int, cells: Iterable[FoundCell]) -> list[float]:
    own = []
    for cell in cells:
        if cell.row <= row <= cell.last_row and cell.words:
            if cell.row != cell.last_row:
                return []
            own.append(cell)
    strips = list(strips_of(word for cell in own for word in cell.words))
    if len(own) < 2 or len(strips) < 2:  # noqa: PLR2004
        return []
    gaps = [(below[0] - above[1], (below[0] + above[1]) / 2) for above, below in pairwise(strips)]
    least = max(_BLANK, 2 * min(1.0, *(height for height, _ in gaps)))
    return [middle for height, middle in gaps if height > least]


def count_headings(cells: Iterable[FoundCell], rows: int) -> int:
    """Return how many rows of a grid are headings: those above the first one whose values are mostly numbers.

    Without numbers, headings cannot be told from data: the first row is one, as in most tables.
    """
    values: dict[int, list[tuple[TableWord, ...]]] = {}
    for cell in cells:
        if cell.column > 0 and cell.words:
            values.setdefault(cell.row, []).append(cell.words)
    data = [row for row, texts in values.items() if are_values(texts)]
    return min(data) if data else min(1, rows - 1)
