"""Detects and inverts pages with white text on black."""

from __future__ import annotations

import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels

_DARK = 128
_DARK_SHARE = 0.25
"""Minimum share of pixels darker than _DARK on a page that may be inverted. Screenshots also have pictures and
bars."""

_MIN_LETTER_RATIO = 2.0


def is_inverted(page: Pixels) -> bool:
    """Return whether the page has bright text on a dark background.

    A dark page is not enough: the paper may lie on a dark table. The page is inverted if its negative has more than
    twice as many letter-like components. In the wrong polarity there are hardly any, because the holes of letters do
    not form rows.
    """
    if np.count_nonzero(page.survey[::4, ::4] < _DARK) < _DARK_SHARE * page.survey[::4, ::4].size:
        return False
    white = np.count_nonzero(Pixels(inverted(page.gray)).with_fine_survey.letters)
    return bool(white > _MIN_LETTER_RATIO * np.count_nonzero(page.with_fine_survey.letters))


def inverted(gray: Gray) -> Gray:
    """Invert every pixel."""
    return np.invert(gray)
