"""Removes dashed rules.

Layout analysis classifies text lines beside them as pictures or noise.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import Components
from ocrwatch.recognise.enhance.pixels import Mask, find_components, ink_of

# Shares of the cap height, unless stated otherwise.
_THICKEST = 0.4
_LEAST_DASH = 0.25
_FLAT = 1.5
"""Minimum width of a dash in multiples of its height."""

_GAP = 1.0
"""Maximum gap between two dashes of a rule. Gaps with letters in them are wider."""

_WAVER = 0.25
"""Maximum vertical offset between two adjacent dashes."""

_FEWEST = 5
_SHORTEST = 6.0
"""Minimum number of dashes and minimum length of a rule. Dashes in a line of text, such as an arrow or a blank to fill
in, are fewer or shorter."""

_FILLED = 0.4
"""Minimum share of a rule's length that its dashes cover."""

_ALONE = 0.8
"""Minimum share of the ink around a rule that belongs to its dashes. The flat strokes of Chinese characters have
other strokes beside them."""

_RIM = 1
"""Width in pixels of the grey rim around black pixels.

On the even and odd ones of 40 receipts, removing such rules raises word F1 from .764 to .774 and from .790 to .802. It
takes 2 to 5 % more time because more lines are read.
"""


def find_dashes(gray: Gray, capital: float, contrast: int) -> Components:
    """Find the dashes of dashed rules.

    ``capital`` is the cap height in pixels of ``gray``, ``contrast`` the minimum contrast of ink in grey levels.
    Returns the components of the dashes, in pixels of ``gray``.
    """
    ink = ink_of(gray, contrast)
    components = find_components(ink)
    left, top, height, width, _ = components.T
    flat = (height <= _THICKEST * capital) & (width >= _FLAT * height) & (width >= _LEAST_DASH * capital)
    dashes: Components = components[flat]
    if len(dashes) < _FEWEST:
        return components[:0]
    left, top, height, width, _ = dashes.T
    # On a coarse grid, with cells as high as the allowed offset and dashes widened by half a gap on each side, the
    # dashes of a rule are connected.
    coarse = max(1, round(_WAVER * capital))
    reach = round(_GAP * capital / 2)
    grown = np.zeros((gray.shape[0] // coarse + 1, gray.shape[1] // coarse + 1), np.uint8)
    row = (top + height // 2) // coarse
    start, end = np.maximum(0, left - reach) // coarse, (left + width + reach) // coarse
    for y, first, last in zip(row.tolist(), start.tolist(), end.tolist(), strict=True):
        grown[y, first : last + 1] = 1
    _, labels, stats, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
    rule = labels[row, (left + width // 2) // coarse]
    length = stats[:, cv2.CC_STAT_WIDTH] * coarse - 2 * reach
    number = np.bincount(rule, minlength=len(stats))
    filled = np.bincount(rule, weights=width, minlength=len(stats))
    found = (number >= _FEWEST) & (length >= _SHORTEST * capital) & (filled >= _FILLED * length)
    for candidate in np.flatnonzero(found):
        found[candidate] = _is_isolated(ink, dashes[rule == candidate], coarse)
    in_rules: Components = dashes[found[rule]]
    return in_rules


def _is_isolated(ink: Mask, dashes: Components, margin: int) -> bool:
    """Return whether ``dashes`` are nearly all of the ink around them.

    The region extends ``margin`` pixels above and below them.
    """
    left, top, height, width, area = dashes.T
    around = ink[max(0, top.min() - margin) : (top + height).max() + margin, left.min() : (left + width).max()]
    return bool(int(area.sum()) >= _ALONE * int(np.count_nonzero(around)))


def without_dashes(gray: Gray, dashes: Components, paper: int) -> Gray:
    """Fill ``dashes`` with the brightness of the paper."""
    cleared = gray.copy()
    for left, top, height, width, _ in dashes.tolist():
        rows = slice(max(0, top - _RIM), top + height + _RIM)
        cleared[rows, max(0, left - _RIM) : left + width + _RIM] = paper
    return cleared
