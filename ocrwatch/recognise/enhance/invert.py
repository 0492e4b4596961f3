"""White on black becomes black on white."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels

_DARK = 128
_NEIGHBOURHOOD = 51

_SKEWNESS = 1.0
"""Third moment of brightness against its surroundings. Scans and receipts photographed on black have -8 to -0.5, white
print on black 2.8 and more."""


def is_inverted(page: Pixels) -> bool:
    """Whether the page is dark and what is printed on it bright.

    Dark alone is not enough: paper may lie on a dark table. But print is little and far from its surroundings, so that
    the sign of the skewness tells on which side it is.
    """
    if page.paper >= _DARK:
        return False
    small = page.small.astype(np.float32)
    away = small - cv2.blur(small, (_NEIGHBOURHOOD, _NEIGHBOURHOOD))
    spread = float(np.mean(away**2))
    return spread > 1 and float(np.mean(away**3)) / spread**1.5 > _SKEWNESS


def inverted(gray: Gray) -> Gray:
    """Give every pixel its opposite."""
    return np.invert(gray)
