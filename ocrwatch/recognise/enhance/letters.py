"""Letter-like marks: connected components that stand in a row with others of their size.

Size and shape alone let through grains, dots of a halftone and pieces of pictures. What tells print from these is that
a letter has neighbours on its line: as tall as itself, at its height, and closer than the width of a space.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Marks = npt.NDArray[np.int32]
"""Connected components, a row of left, top, height, width and area for each."""

_HEIGHT = (5, 150)
"""Pixels. What is smaller on a survey copy has no shape; what is taller than a tenth of the page is a picture."""

_WIDEST = 3.0
_NARROWEST = 0.1
"""Width as a share of the height. Letters that touch are wider than one, and an ``l`` is a fifth as wide as high."""

_LEAST_INK = 0.12
_MOST_INK = 0.97
"""Share of its box that a letter covers; solid blocks are rules, bars and halftones."""

_FLAT = 1.3
_SOLID = 0.7
"""Times its height that a dash is wide, and share of its box that it covers. Joined letters cover less."""

_GAP = 1.3
"""Times the taller one's height that may lie between neighbours: letters, or the words beside a space."""

_OVERLAP = 0.5
"""Share of the narrower one's width by which neighbours may overlap: italics and kerning."""

_RATIO = 2.2
"""Times one neighbour's height that the other may have: capitals and small letters, figures and hyphens apart."""

_OFF_LINE = 0.6
"""Share of the taller one's height by which the middles may lie apart: ``p`` beside ``b``, or a crooked line."""

_FEWEST_IN_ROW = 3

_Lengths = npt.NDArray[np.int_]

Chosen = npt.NDArray[np.bool_]


def letters_in_rows(marks: Marks) -> tuple[Chosen, Chosen]:
    """Tell for each mark whether it may be a letter in a line that runs across, and in one that runs down the page."""
    left, top, height, width, area = marks.T.astype(np.int_)
    shaped, solid = _shaped(marks), area >= _SOLID * height * width
    across, down = np.zeros(len(marks), bool), np.zeros(len(marks), bool)
    # The dashes of a rule stand in rows like letters, but lie along them.
    chosen = np.flatnonzero(shaped & ~(solid & (width >= _FLAT * height)))
    across[chosen] = _in_rows(left[chosen], top[chosen], height[chosen], width[chosen])
    chosen = np.flatnonzero(shaped & ~(solid & (height >= _FLAT * width)))
    down[chosen] = _in_rows(top[chosen], left[chosen], width[chosen], height[chosen])
    return across, down


def letter_like(marks: Marks) -> Chosen:
    """Tell for each mark whether it may be a letter, whichever way its line runs."""
    across, down = letters_in_rows(marks)
    either: Chosen = across | down
    return either


def _shaped(marks: Marks) -> Chosen:
    """Tell which marks have the size and shape of a letter, or of two or three that touch."""
    _, _, height, width, area = marks.T
    lowest, highest = _HEIGHT
    longer = np.maximum(height, width)
    box = height * width
    shaped: Chosen = (
        (longer >= lowest)
        & (longer <= highest)
        & (width <= _WIDEST * height)
        & (height <= _WIDEST * width)
        & (np.minimum(height, width) >= _NARROWEST * longer)
        & (area >= _LEAST_INK * box)
        & (area <= _MOST_INK * box)
    )
    return shaped


def neighbours_across(letters: Marks) -> tuple[_Lengths, _Lengths]:
    """Find pairs of neighbours in lines that run across the page.

    Returns the indices of the left ones and of the right ones. A letter may be in several pairs.
    """
    left, top, height, width, _ = letters.T.astype(np.int_)
    one, other = _neighbours(left, top, height, width)
    in_order = left[one] <= left[other]
    return np.where(in_order, one, other), np.where(in_order, other, one)


def _in_rows(left: _Lengths, top: _Lengths, height: _Lengths, width: _Lengths) -> Chosen:
    """Tell which marks stand in a chain of at least _FEWEST_IN_ROW neighbours along the first axis."""
    number = len(left)
    before, after = _neighbours(left, top, height, width)
    neighbours = np.bincount(before, minlength=number) + np.bincount(after, minlength=number)
    inner = neighbours >= _FEWEST_IN_ROW - 1
    chosen: Chosen = inner.copy()
    chosen[before[inner[after]]] = True
    chosen[after[inner[before]]] = True
    return chosen


def _neighbours(left: _Lengths, top: _Lengths, height: _Lengths, width: _Lengths) -> tuple[_Lengths, _Lengths]:
    """Find pairs of neighbours along the first axis, each once and by its lower index first."""
    number = len(left)
    links = [_links(left, top, height, width, size, line) for size in (0.0, 0.5) for line in (0.0, 0.5)]
    before, after = (np.concatenate(ends) for ends in zip(*links, strict=True))
    # The same two may have been found more than once.
    return np.divmod(np.unique(np.minimum(before, after) * number + np.maximum(before, after)), max(1, number))


def _links(
    left: _Lengths, top: _Lengths, height: _Lengths, width: _Lengths, size: float, line: float
) -> tuple[_Lengths, _Lengths]:
    """Find pairs of neighbours among marks of about one height on about one line.

    Sizes are octaves and lines are as far apart as these are tall; both begin at ``size`` and ``line`` of a step, as
    neighbours may lie on both sides of a limit.
    """
    octave = np.floor(np.log2(np.maximum(height, 1)) + size)
    middle = top + height / 2
    row = np.floor(middle / np.exp2(octave) + line)
    order = np.lexsort((left, row, octave))
    found = []
    # The next but one, too: a dot or an accent may stand between two letters.
    for step in (1, 2):
        a, b = order[:-step], order[step:]
        taller = np.maximum(height[a], height[b])
        gap = left[b] - (left[a] + width[a])
        near = (
            (octave[a] == octave[b])
            & (row[a] == row[b])
            & (gap <= _GAP * taller)
            & (gap > -_OVERLAP * np.minimum(width[a], width[b]))
            & (taller <= _RATIO * np.minimum(height[a], height[b]))
            & (np.abs(middle[a] - middle[b]) <= _OFF_LINE * taller)
        )
        found.append((a[near], b[near]))
    before, after = (np.concatenate(ends) for ends in zip(*found, strict=True))
    return before, after
