"""Detects text lines and fits a straight baseline to each.

Letter-like components are chained from neighbour to neighbour, and a line is fitted to the lower edges of each chain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.enhance.letters import neighbours_across
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.projective import Points

_Floats = npt.NDArray[np.float64]
_Indices = npt.NDArray[np.int_]

_FEWEST_LETTERS = 8
"""Minimum number of letters in a chain. Its slope is then known to about a hundredth."""

_FAR = (0.6, 0.3, 0.2, 0.2)
"""Maximum distance of a letter from the previous fit, in letter heights. It excludes descenders."""

_LEAST_OFF = 0.3
"""Minimum deviation of letters from their line in pixels: their edges are whole pixels."""


@dataclass(frozen=True, slots=True)
class TextLines:
    """Text lines; arrays have one entry per line, in pixels of the survey copy."""

    middle: Points
    """Centre of its letters."""
    slope: _Floats
    """Pixels that it falls per pixel to the right."""
    error: _Floats
    """Standard error of :attr:`slope`."""
    start: Points
    """Left end."""
    end: Points
    """Right end."""
    height: float
    """Median letter height."""

    def __len__(self) -> int:
        return len(self.slope)


def text_lines(page: Pixels) -> TextLines:
    """Find the horizontal text lines."""
    letters = page.components[page.letters_across]
    left, top, height, width, _ = letters.T.astype(np.float64)
    numbers = _chains(*neighbours_across(letters), left, left + width)
    lengths = np.bincount(numbers[numbers >= 0], minlength=1)
    kept = (numbers >= 0) & (lengths[numbers] >= _FEWEST_LETTERS)
    _, numbers = np.unique(numbers[kept], return_inverse=True)
    count = int(numbers.max(initial=-1)) + 1
    letter_height = float(np.median(height[kept])) if count else 0.0
    x, y = (left + width / 2)[kept], (top + height)[kept]
    tall = _mean(numbers, height[kept], np.ones(len(x)), count)
    weight = np.ones(len(x))
    for far in _FAR:
        centre, level, slope, spread = _fitted(numbers, x, y, weight, count)
        off = y - level[numbers] - slope[numbers] * (x - centre[numbers])
        weight = (np.abs(off) <= np.maximum(far * tall[numbers], 1.0)).astype(np.float64)
    centre, level, slope, spread = _fitted(numbers, x, y, weight, count)
    off = y - level[numbers] - slope[numbers] * (x - centre[numbers])
    noise = np.maximum(_LEAST_OFF, np.sqrt(_mean(numbers, off**2, weight, count)))
    ends = []
    for choose, place in ((np.minimum, left[kept]), (np.maximum, (left + width)[kept])):
        at = np.full(count, np.inf if choose is np.minimum else -np.inf)
        choose.at(at, numbers, place)
        ends.append(np.stack([at, level + slope * (at - centre)], axis=1))
    middle = np.stack([centre, level], axis=1)
    return TextLines(middle, slope, noise / np.sqrt(spread), ends[0], ends[1], letter_height)


def _chains(before: _Indices, after: _Indices, left: _Floats, right: _Floats) -> _Indices:
    """Return the chain number of each component; -1 for those in no chain.

    Each component is linked with its nearest neighbour to either side.
    """
    gap = left[after] - right[before]
    order = np.argsort(gap, kind="stable")
    before, after = before[order], after[order]
    following = np.full(len(left), -1)
    preceding = np.full(len(left), -1)
    # Pairs are sorted by gap. Assigning in reverse order keeps the nearest, since the last assignment wins.
    following[before[::-1]] = after[::-1]
    preceding[after[::-1]] = before[::-1]
    numbers = np.arange(len(left))
    mutual = (preceding >= 0) & (following[preceding] == numbers)
    head = np.where(mutual, preceding, numbers)
    for _ in range(int(np.ceil(np.log2(max(2, len(left)))))):
        head = head[head]
    is_alone = np.bincount(head, minlength=len(left))[head] == 1
    return np.where(is_alone, -1, head)


def _mean(numbers: _Indices, values: _Floats, weight: _Floats, count: int) -> _Floats:
    total = np.bincount(numbers, weight, count)
    mean: _Floats = np.bincount(numbers, weight * values, count) / np.maximum(total, 1e-9)
    return mean


def _fitted(
    numbers: _Indices, x: _Floats, y: _Floats, weight: _Floats, count: int
) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Fit a line to each chain by weighted least squares.

    Returns x and y of its centre, its slope, and the sum of the squared distances in x from the centre.
    """
    centre, level = _mean(numbers, x, weight, count), _mean(numbers, y, weight, count)
    dx, dy = x - centre[numbers], y - level[numbers]
    spread = np.maximum(np.bincount(numbers, weight * dx * dx, count), 1.0)
    return centre, level, np.bincount(numbers, weight * dx * dy, count) / spread, spread
