"""Letter-like components: connected components in a row with others of their size.

Size and shape alone do not exclude noise, halftone dots and pieces of pictures. A letter has neighbours on its line: of
about the same height, at the same height on the page, and closer than the width of a space.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Components = npt.NDArray[np.int32]
"""Connected components as an N x 5 array: left, top, height, width and area, in pixels."""

_HEIGHT = (5, 150)
"""Height of a letter, lowest and highest, in pixels of the survey copy. Smaller components have no shape. Components
taller than a tenth of the page are pictures."""

_WIDEST = 3.0
_NARROWEST = 0.1
"""Width as a share of the height, highest and lowest. Touching letters are wider than one letter; an ``l`` is a fifth
as wide as high."""

_LEAST_INK = 0.12
_MOST_INK = 0.97
"""Share of its bounding box that a letter fills, lowest and highest. Solid blocks are rules, bars and halftones."""

_FLAT = 1.3
_SOLID = 0.7
"""A dash is at least _FLAT times as wide as high, and fills at least this share of its bounding box. Touching letters
fill less."""

_GAP = 1.3
"""Maximum gap between neighbours in heights of the taller one. It includes a space between words."""

_OVERLAP = 0.5
"""Maximum overlap of neighbours as a share of the narrower one's width: italics and kerning."""

_RATIO = 2.2
"""Maximum height ratio of neighbours. It allows capitals beside small letters, but not digits beside hyphens."""

_OFF_LINE = 0.6
"""Maximum vertical distance of the centres of neighbours in heights of the taller one: ``p`` beside ``b``, or a
skewed line."""

_FEWEST_IN_ROW = 3

_Lengths = npt.NDArray[np.int_]

BoolMask = npt.NDArray[np.bool_]
"""One entry for each component."""


def letters_in_rows(components: Components) -> tuple[BoolMask, BoolMask]:
    """Return for each component whether it may be a letter, by line direction.

    The first array is for horizontal lines, the second for vertical ones; each has one entry for each component.
    """
    left, top, height, width, area = components.T.astype(np.int_)
    shaped, solid = _shaped(components), area >= _SOLID * height * width
    across, down = np.zeros(len(components), bool), np.zeros(len(components), bool)
    # The dashes of a rule form rows like letters, but their long side lies along the row.
    chosen = np.flatnonzero(shaped & ~(solid & (width >= _FLAT * height)))
    across[chosen] = _in_rows(left[chosen], top[chosen], height[chosen], width[chosen])
    chosen = np.flatnonzero(shaped & ~(solid & (height >= _FLAT * width)))
    down[chosen] = _in_rows(top[chosen], left[chosen], width[chosen], height[chosen])
    return across, down


def letter_like(components: Components) -> BoolMask:
    """Return for each component whether it may be a letter, in either direction."""
    across, down = letters_in_rows(components)
    either: BoolMask = across | down
    return either


def _shaped(components: Components) -> BoolMask:
    """Return for each component whether it has the size and shape of a letter.

    Two or three touching letters are accepted too.
    """
    _, _, height, width, area = components.T
    lowest, highest = _HEIGHT
    longer = np.maximum(height, width)
    box = height * width
    shaped: BoolMask = (
        (longer >= lowest)
        & (longer <= highest)
        & (width <= _WIDEST * height)
        & (height <= _WIDEST * width)
        & (np.minimum(height, width) >= _NARROWEST * longer)
        & (area >= _LEAST_INK * box)
        & (area <= _MOST_INK * box)
    )
    return shaped


def neighbours_across(letters: Components) -> tuple[_Lengths, _Lengths]:
    """Find pairs of neighbours in horizontal lines.

    Returns the indices of the left and of the right components. A letter may be in several pairs.
    """
    left, top, height, width, _ = letters.T.astype(np.int_)
    one, other = _neighbours(left, top, height, width)
    in_order = left[one] <= left[other]
    return np.where(in_order, one, other), np.where(in_order, other, one)


def _in_rows(left: _Lengths, top: _Lengths, height: _Lengths, width: _Lengths) -> BoolMask:
    """Return for each component whether it is in a chain of neighbours.

    A chain has at least _FEWEST_IN_ROW components and runs along the first axis.
    """
    number = len(left)
    before, after = _neighbours(left, top, height, width)
    neighbours = np.bincount(before, minlength=number) + np.bincount(after, minlength=number)
    inner = neighbours >= _FEWEST_IN_ROW - 1
    chosen: BoolMask = inner.copy()
    chosen[before[inner[after]]] = True
    chosen[after[inner[before]]] = True
    return chosen


def _neighbours(left: _Lengths, top: _Lengths, height: _Lengths, width: _Lengths) -> tuple[_Lengths, _Lengths]:
    """Find pairs of neighbours along the first axis.

    Each pair is returned once, with the lower index first.
    """
    number = len(left)
    links = [_links(left, top, height, width, size, line) for size in (0.0, 0.5) for line in (0.0, 0.5)]
    before, after = (np.concatenate(ends) for ends in zip(*links, strict=True))
    # The same pair may have been found more than once.
    return np.divmod(np.unique(np.minimum(before, after) * number + np.maximum(before, after)), max(1, number))


def _links(
    left: _Lengths, top: _Lengths, height: _Lengths, width: _Lengths, size: float, line: float
) -> tuple[_Lengths, _Lengths]:
    """Find pairs of neighbours among components of similar height and position.

    Heights are binned by octaves, and vertical positions by bins as high as the octave. ``size`` and ``line`` shift the
    bins by a share of a bin, since neighbours may lie on both sides of a bin's limit.
    """
    octave = np.floor(np.log2(np.maximum(height, 1)) + size)
    middle = top + height / 2
    row = np.floor(middle / np.exp2(octave) + line)
    order = np.lexsort((left, row, octave))
    found = []
    # Also pair each component with the next but one: a dot or an accent may lie between two letters.
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
