"""Finds dotted leaders on the straight page, and the texts that they connect, as in "Total ........ 12.50".

Engines merge the dots with label or value, or skip the whole line. A leader differs from all other dots by its form:
dots of one size, at one distance from each other, on one line, with nothing above, below or between them. Text has no
such row, and halftones, hatching and bar codes have neighbours above and below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrwatch.document import Quad
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.extents import Extent

_FEWEST_DOTS: Final = 6
"""Dots of a leader, at least. An ellipsis has up to four, as have groups of masked digits. On 61 pages of books and 90
invoices, no text was taken for six."""

_WIDEST: Final = 0.35
"""Width and height of a dot, at most: a period of bold type has 0.25."""

_FARTHEST: Final = 1.2
"""Distance of the middles of two dots, at most: periods with spaces between them, in type of one width, have 1.2."""

_CLEAR: Final = 0.3
"""How far above and below a dot's middle is paper: more than half of a dot, and less than from one line to another."""

_CONTRAST: Final = 20
"""Grey levels between a dot and the paper, at least, as of rules."""

_OF_INK: Final = 0.25
"""The same as a share of the difference of ink and paper: a dot of two pixels is paler than a letter."""

_UNEVEN: Final = 2
"""Pixels by which a dot may be wider than another, and by which distances may differ: edges lie on whole pixels."""

_OFF: Final = 0.4
"""Pixels by which dots are off their places in the row, at most, as the root of the mean square. Rounded edges make
0.2, and 0.39 on the worst of 200 rendered leaders; the most even strokes in text have 0.42."""

_SPECKS: Final = 0.05
"""Share of what is around the dots that may be dark: specks, and letters that reach into it."""

_MOST_RUNS: Final = 1000
"""Rows of pixels through dots that are looked at, the longest: three for a leader of a page full of them."""

_MOST_LEADERS: Final = 60
"""Leaders of a page, the longest: a page has about as many lines."""

_MISSING: Final = 3.0
"""Distance of two pieces of one leader in distances of its dots, at most: one or two are missing between them."""

_GAP: Final = 1.5
"""Space between two words that are not of one text: type of one width has spaces of 0.7."""

_BESIDE: Final = 0.5
_TALLEST: Final = 2.2
_DEEPEST: Final = 0.7
"""How much beside, above and below a text is cut out, at most."""

_ABOVE: Final = 1.2
_BELOW: Final = 0.4
"""Usual height of a line above and below a leader's middle: capitals with accents, and descenders."""

_CAPITAL: Final = 0.9
"""Height of a capital, and of signs such as a degree sign."""

_SMALL: Final = 0.5
_OVER_DOTS: Final = 0.25
"""Between which heights above a leader's middle small letters have ink, and dots have none. The lines above and below a
row of dashes have none, either."""

_HIGHER: Final = 0.7
"""How far above a dot's middle is paper: the ink of the line above, and its descenders, are farther away."""

_ON_LINE: Final = 0.2
"""Share of the columns of a text that have ink there, at least: stems and bowls of letters take a third and more."""

_MIDDLE: Final = 0.5
"""How far above a leader's middle each line has ink: small letters are as tall."""

_AROUND: Final = 0.1
"""How much more than its dots is erased of a leader: their edges are blurred."""


@dataclass(frozen=True, slots=True)
class Leaders:
    """The leaders of a page. Lengths are in heights of a word."""

    dots: tuple[Extent, ...]
    """The place of each leader, without any text."""
    texts: tuple[Extent, ...]
    """The place of each text beside a leader, which is one line. A leader may have none."""


def find_leaders(gray: Gray, unit: float) -> Leaders:
    """Return the leaders of a straight page on which words are ``unit`` pixels tall."""
    contrast = _least_contrast(gray)
    dots = _leaders(gray, unit, contrast)
    texts = _distinct(text for each in dots for text in _texts(each, dots, gray, unit, contrast))
    return Leaders(
        tuple(Extent(each.left / unit, each.top / unit, each.right / unit, each.bottom / unit) for each in dots),
        tuple(Extent(text.left / unit, text.top / unit, text.right / unit, text.bottom / unit) for text in texts),
    )


def _distinct(texts: Iterable[Extent]) -> list[Extent]:
    """Return texts without those that a leader on their other side gave, too, perhaps a pixel higher or lower."""
    found: list[Extent] = []
    for text in texts:
        if not any(text.holds(other) and other.holds(text) for other in found):
            found.append(text)
    return found


def erased(gray: Gray, places: Iterable[Quad], reduction: int) -> Gray:
    """Return a copy of an image with the colour of the paper at these places, whose pixels are mostly paper.

    They are on the original, which ``gray`` shows reduced by ``reduction``.
    """
    image = gray.copy()
    for place in places:
        corners = np.array(place, np.float64).reshape(4, 2) / reduction
        left, top = np.maximum(0, np.floor(corners.min(axis=0)).astype(int))
        right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
        around = gray[top:bottom, left:right]
        if around.size:
            cv2.fillConvexPoly(image, np.round(corners).astype(np.int32), int(np.median(around)))
    return image


def _least_contrast(gray: Gray) -> float:
    paper, ink = np.percentile(gray[::8, ::8], [50, 1])
    return max(_CONTRAST, _OF_INK * float(paper - ink))


@dataclass(slots=True)
class _Row:
    """Pixels of a row of dots: first and last row, first and last column (exclusive), and their distance."""

    top: int
    bottom: int
    left: int
    right: int
    pitch: float

    @property
    def y(self) -> float:
        return (self.top + self.bottom) / 2

    def continues(self, other: _Row) -> bool:
        """Return whether another row, not above this one, has the same dots, or further ones of the same leader."""
        apart = max(other.left - self.right, self.left - other.right)
        return other.top <= self.bottom + 1 and apart <= _MISSING * self.pitch


def _leaders(gray: Gray, unit: float, contrast: float) -> list[Extent]:
    """Return the places of leaders in pixels."""
    found: list[_Row] = []
    for run in sorted(_runs(gray, unit, contrast), key=lambda run: (run.top, run.left)):
        same = [row for row in found if row.continues(run) and _is_blank_between(row, run, gray, unit, contrast)]
        found = [row for row in found if row not in same]
        found.append(_joined([*same, run]))
    found.sort(key=lambda row: row.left - row.right)
    margin = _AROUND * unit
    return [
        Extent(row.left - margin, row.top - margin, row.right + margin, row.bottom + margin)
        for row in found[:_MOST_LEADERS]
    ]


def _is_blank_between(row: _Row, other: _Row, gray: Gray, unit: float, contrast: float) -> bool:
    """Return whether no letters or digits stand between two pieces of a leader: only dots are missing there."""
    left, right = min(row.right, other.right), max(row.left, other.left)
    middle = (row.y + other.y) / 2
    above = gray[max(0, round(middle - _SMALL * unit)) : max(0, round(middle - _OVER_DOTS * unit)) + 1]
    between = above[:, left:right]
    if not between.size:
        return True
    around = above[:, max(0, min(row.left, other.left)) : max(row.right, other.right)]
    return float(between.min()) >= float(np.median(around)) - contrast


def _joined(rows: Sequence[_Row]) -> _Row:
    tops, bottoms, lefts, rights, pitches = zip(
        *((row.top, row.bottom, row.left, row.right, row.pitch) for row in rows), strict=True
    )
    return _Row(min(tops), max(bottoms), min(lefts), max(rights), max(pitches))


def _runs(gray: Gray, unit: float, contrast: float) -> Iterator[_Row]:
    """Yield rows of pixels through dots that are equal, equally far apart and alone."""
    starts, ends, width = _dark(gray, unit, contrast)
    twice = starts + ends
    pitch = np.diff(twice)
    narrow = ends - starts <= _WIDEST * unit
    follows = narrow[:-1] & narrow[1:] & (pitch <= 2 * _FARTHEST * unit) & (np.diff(starts // width) == 0)
    steady = np.concatenate(([False], follows[:-1] & follows[1:] & (np.abs(np.diff(pitch)) <= 2 * _UNEVEN), [False]))
    edges = np.flatnonzero(steady[1:] != steady[:-1])
    first, last = edges[::2], edges[1::2] + 1
    longest = np.argsort(first - last, kind="stable")[:_MOST_RUNS]
    clear = _clear(unit)
    for begin, end in zip(first[longest].tolist(), last[longest].tolist(), strict=True):
        if end - begin + 1 < _FEWEST_DOTS:
            break
        row = int(starts[begin]) // width
        of_row = starts[begin : end + 1] - row * width, ends[begin : end + 1] - row * width
        for first_dot, last_dot in _without_letters(gray, row + clear, *of_row, unit, contrast):
            left, right = int(of_row[0][first_dot]), int(of_row[1][last_dot])
            dots = of_row[0][first_dot : last_dot + 1] - left, of_row[1][first_dot : last_dot + 1] - left
            around = gray[row : row + 2 * clear + 1, left:right]
            if _are_even(*dots) and _are_alone(around, *dots, contrast, _WIDEST * unit):
                apart = float(np.diff(dots[0]).mean())
                yield _Row(row + clear, row + clear + 1, left, right, apart)


def _without_letters(
    gray: Gray, row: int, starts: NDArray[np.int64], ends: NDArray[np.int64], unit: float, contrast: float
) -> Iterator[tuple[int, int]]:
    """Yield first and last dot of each part of a run whose dots have no ink higher up, as the foot of a digit has."""
    above = gray[max(0, row - round(_HIGHER * unit)) : max(0, row - round(_OVER_DOTS * unit)) + 1]
    above = above[:, : int(ends[-1])]
    paper = float(np.median(above[:, int(starts[0]) :]))
    has_ink = above.min(axis=0) < paper - contrast
    counts = np.concatenate(([0], np.cumsum(has_ink)))
    bare = np.concatenate(([False], counts[ends] == counts[starts], [False]))
    edges = np.flatnonzero(bare[1:] != bare[:-1])
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - first >= _FEWEST_DOTS:
            yield first, end - 1


def _clear(unit: float) -> int:
    return max(2, round(_CLEAR * unit))


def _dark(gray: Gray, unit: float, contrast: float) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return start and end of each row of dark pixels that have paper above and below, and the width of a row.

    They are indices into the flat image without the first rows, of which each row has one white pixel more at its end.
    """
    clear = _clear(unit)
    rows, columns = max(0, gray.shape[0] - 2 * clear), gray.shape[1]
    dark = np.zeros((rows, columns + 1), np.bool_)
    if rows:
        paper = cv2.min(gray[: -2 * clear], gray[2 * clear :])
        dark[:, :columns] = cv2.subtract(paper, gray[clear:-clear]) > contrast
    flat = dark.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        edges = np.concatenate(([0], edges))
    return edges[::2], edges[1::2], columns + 1


def _are_even(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> bool:
    """Return whether dots are of one size, and at one distance from each other."""
    if int(np.ptp(ends - starts)) > _UNEVEN:
        return False
    middles = (starts + ends) / 2
    middles -= middles.mean()
    number = np.arange(len(starts)) - (len(starts) - 1) / 2
    off = middles - number * (float(number @ middles) / float(number @ number))
    return float(off @ off) <= len(off) * _OFF**2


def _are_alone(
    around: Gray, starts: NDArray[np.int64], ends: NDArray[np.int64], contrast: float, tallest: float
) -> bool:
    """Return whether dots are low, and nothing is above, below and between them.

    ``around`` is the image of the dots, with as many rows above as below; they begin and end at these columns of it.
    """
    # Not the median: among the strokes of letters, most is dark.
    paper = float(np.percentile(around[[0, -1]], 90))
    is_dark = around < paper - contrast
    middles = (starts + ends) // 2
    # Blurred dots that are close by are not quite apart.
    half = (paper - float(np.median(around[:, middles].min(axis=0)))) / 2
    between = around[:, (ends[:-1] + starts[1:]) // 2].min(axis=0) < paper - max(contrast, half)
    tall = is_dark[:, middles].sum(axis=0) > tallest
    return all(float(each.mean()) <= _SPECKS for each in (is_dark[0] | is_dark[-1], between, tall))


def _texts(leader: Extent, leaders: Sequence[Extent], gray: Gray, unit: float, contrast: float) -> Iterator[Extent]:
    """Yield the places in pixels of the texts to the left and to the right of a leader."""
    middle = leader.y
    low = _columns_with_ink(gray, middle - _OVER_DOTS * unit, middle + _AROUND * unit, contrast)
    for each in leaders:
        if abs(each.y - middle) < _MIDDLE * unit:
            low[max(0, round(each.left)) : max(0, round(each.right))] = False
    ink = low | _columns_with_ink(gray, middle - _CAPITAL * unit, middle - _OVER_DOTS * unit, contrast)
    on_line = _columns_with_ink(gray, middle - _SMALL * unit, middle - _OVER_DOTS * unit, contrast)
    same = [each for each in leaders if abs(each.y - middle) < _MIDDLE * unit]
    # A letter may reach over the last dots.
    begin = max((round(each.right - unit) for each in same if each.right <= leader.left), default=0)
    end = min((round(each.left + unit) for each in same if each.left >= leader.right), default=gray.shape[1])
    from_left, from_right = max(0, round(leader.left + unit)), max(0, round(leader.right - unit))
    for edge, columns in (
        (from_left, np.flatnonzero(ink[max(0, begin) : from_left])[::-1] + max(0, begin)),
        (from_right, np.flatnonzero(ink[from_right:end]) + from_right),
    ):
        gaps = np.abs(np.diff(columns, prepend=edge))
        gaps[:1] -= round(unit)
        wide = np.flatnonzero(gaps > _GAP * unit)
        text = columns[: wide[0]] if wide.size else columns
        if text.size and float(on_line[text].mean()) >= _ON_LINE:
            left, right = int(text.min()), int(text.max()) + 1
            above, below = _height(gray[:, left:right], middle, unit, contrast)
            yield Extent(left - _BESIDE * unit, above, right + _BESIDE * unit, below)


def _columns_with_ink(gray: Gray, top: float, bottom: float, contrast: float) -> NDArray[np.bool_]:
    begin = max(0, round(top))
    lowest = gray[begin : max(begin + 1, round(bottom))].min(axis=0)
    return np.asarray(lowest < float(np.median(lowest)) - contrast, np.bool_)


def _height(column: Gray, middle: float, unit: float, contrast: float) -> tuple[float, float]:
    """Return upper and lower edge of a line of text, which are in the paper between the lines."""
    top, bottom = max(0, round(middle - _TALLEST * unit)), round(middle + _DEEPEST * unit)
    lowest = column[top:bottom].min(axis=1)
    paper = np.flatnonzero(lowest >= float(np.median(column[top:bottom])) - contrast) + top
    above, below = paper[paper < middle - _MIDDLE * unit], paper[paper > middle + _AROUND * unit]
    return (
        float(above[-1]) - 1 if above.size else middle - _ABOVE * unit,
        float(below[0]) + 2 if below.size else middle + _BELOW * unit,
    )
