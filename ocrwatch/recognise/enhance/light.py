"""Uneven light becomes even, and pale print black."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import EVENED_INK, Pixels

_STROKE = 31
"""Pixels on the survey copy: print is finer and vanishes in the background, shadows are wider and stay. On 40
receipts 31 and 45 have word F1 .75, and with 23 and 15 one photographed on black is lost."""

_LEAST_INK = 0.0005
_FAINTEST = 0.05
"""Depth below which what was found is the texture of the paper."""

BLACK_ENOUGH = 0.8
"""Depth of the ink from which a page is left alone whose paper is even."""

_DARKEST_PAPER = np.uint8(40)
"""Levels below which the background is no paper; its ink would only be noise made large."""

_AWAY = 9
_NEARLY_ALL = 90
"""Pixels on the survey copy round the ink that are left out, and percentile of the others."""

_MOST_TEXTURE = 50.0
"""Levels of texture to which paper may be amplified. Passports, covers and worn receipts of which nothing was left to
read had 87 to 162, most pages 4 to 50."""

_UNEVEN_SHARES = (2, 98)
_EVEN = 1.15
"""Ratio of the brightest to the darkest paper up to which one gain serves the whole page."""


def background(small: Gray) -> Gray:
    """Find the paper without its print: closed over strokes, then blurred."""
    kernel = np.ones((_STROKE, _STROKE), np.uint8)
    return cv2.blur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel), (_STROKE, _STROKE))  # type: ignore[return-value]


def is_even(paper: Gray) -> bool:
    """Whether the paper is equally bright all over."""
    least, most = np.percentile(paper[::4, ::4], _UNEVEN_SHARES)
    return bool(most <= _EVEN * least)


def ink_depth(page: Pixels, paper: Gray) -> float | None:
    """By what share of the paper's brightness the ink is darker, in the median; None where there is next to no ink.

    Only where there is ink: a share of the whole page would depend on how much is printed on it. And only that of
    letters, if there are enough: stains, streaks and the texture of the paper are fainter, and would be made black.
    """
    ink = page.letter_ink
    if np.count_nonzero(ink) < _LEAST_INK * ink.size:
        return None
    under = np.maximum(paper[ink], _DARKEST_PAPER).astype(np.float32)
    depth = float(np.median(cv2.subtract(paper, page.small)[ink] / under))
    return depth if depth >= _FAINTEST else None


def texture(page: Pixels, paper: Gray) -> float:
    """By how many levels nearly all of the paper away from the print is darker than the background, at most."""
    away = cv2.dilate(page.ink, np.ones((_AWAY, _AWAY), np.uint8)) == 0
    return float(np.percentile(cv2.subtract(paper, page.small)[away], _NEARLY_ALL)) if away.any() else 0.0


def bearable(depth: float, roughness: float, paper: Gray) -> float:
    """Return the depth to make black, so that the texture of the paper becomes at most _MOST_TEXTURE levels."""
    level = max(1.0, float(np.median(paper[::4, ::4])))
    return max(depth, min(1.0, roughness * 255 / (_MOST_TEXTURE * level)))


def evened(page: Pixels, paper: Gray, depth: float) -> Pixels:
    """Take the page as ink on white: paper minus page, with ``depth``, a share of the paper's brightness, made black.

    Where the light is even, one table of brightness does for all pixels.
    """
    lit = np.maximum(paper, _DARKEST_PAPER)
    if is_even(paper):
        level = float(np.median(lit[::4, ::4]))
        gains = 255 - (level - np.arange(256)) * (255 / (depth * level))
        table = np.clip(gains, 0, 255).astype(np.uint8)
        return Pixels(cv2.LUT(page.gray, table), cv2.LUT(page.small, table), contrast=EVENED_INK)  # type: ignore[arg-type]
    gain = (255 / (depth * lit)).astype(np.float32)
    return Pixels(_evened(page.gray, paper, gain), _evened(page.small, paper, gain), contrast=EVENED_INK)


def _evened(gray: Gray, paper: Gray, gain: npt.NDArray[np.float32]) -> Gray:
    size = (gray.shape[1], gray.shape[0])
    ink = cv2.subtract(cv2.resize(paper, size, interpolation=cv2.INTER_LINEAR), gray)
    gains = cv2.resize(gain, size, interpolation=cv2.INTER_LINEAR)
    return np.invert(cv2.multiply(ink, gains, dtype=cv2.CV_8U))
