"""White on black becomes black on white."""

from __future__ import annotations

import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels

_DARK = 128
_DARK_SHARE = 0.25
"""Share of the page darker than _DARK from which print may be white: a screen has pictures and bars beside it."""

_CLEARLY = 2.0


def is_inverted(page: Pixels) -> bool:
    """Whether the page is dark and what is printed on it bright.

    Dark alone is not enough: paper may lie on a dark table. What tells is on which side there are more letter-like
    marks: print has next to none in its opposite, as the holes in letters stand in no rows.
    """
    if np.count_nonzero(page.small[::4, ::4] < _DARK) < _DARK_SHARE * page.small[::4, ::4].size:
        return False
    white = np.count_nonzero(Pixels(inverted(page.gray)).resolved.letters)
    return bool(white > _CLEARLY * np.count_nonzero(page.resolved.letters))


def inverted(gray: Gray) -> Gray:
    """Give every pixel its opposite."""
    return np.invert(gray)
