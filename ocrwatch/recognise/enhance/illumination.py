"""Evens out illumination and makes pale text black."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import NORMALISED_INK, Pixels

_STROKE = 31
"""Kernel of the closing and the blur, in pixels of the survey copy. Strokes are thinner and vanish from the background;
shadows are wider and remain. On 40 receipts, 31 and 45 give a word F1 of .75; with 23 and 15 one receipt photographed
on black is lost."""

_LEAST_INK = 0.0005
_FAINTEST = 0.05
"""Minimum contrast of ink as a share of the background's brightness. Lower values are the texture of the paper."""

BLACK_ENOUGH = 0.8
"""Contrast of the ink from which an evenly lit page is not changed, as a share of the background's brightness."""

_DARKEST_PAPER = np.uint8(40)
"""Gray level below which the background is not paper. Amplification there would only enhance noise."""

_AWAY = 9
_NEARLY_ALL = 90
"""Dilation of the ink, in pixels of the survey copy, to exclude it from the measurement of the texture, and the
percentile of the remaining pixels."""

_MOST_TEXTURE = 50.0
"""Maximum texture of the paper after amplification in grey levels. Passports, covers and worn receipts from which no
text could be read had 87 to 162; most pages have 4 to 50."""

_UNEVEN_SHARES = (2, 98)
_EVEN = 1.15
"""Maximum ratio of the brightest to the darkest paper for which one gain serves the whole page."""


def background(survey: Gray) -> Gray:
    """Estimate the paper's brightness without its text: closing, then a box blur."""
    kernel = np.ones((_STROKE, _STROKE), np.uint8)
    return cv2.blur(cv2.morphologyEx(survey, cv2.MORPH_CLOSE, kernel), (_STROKE, _STROKE))  # type: ignore[return-value]


def is_evenly_lit(paper: Gray) -> bool:
    """Return whether the illumination is even."""
    least, most = np.percentile(paper[::4, ::4], _UNEVEN_SHARES)
    return bool(most <= _EVEN * least)


def ink_contrast(page: Pixels, paper: Gray) -> float | None:
    """Return the median contrast of the ink, as a share of the paper's brightness.

    None if there is hardly any ink. Only ink pixels are measured, since a share of all pixels would depend on the
    amount of text. If there are enough letters, only their pixels are measured: stains, streaks and paper texture are
    fainter and must not become black.
    """
    ink = page.letter_ink
    if np.count_nonzero(ink) < _LEAST_INK * ink.size:
        return None
    under = np.maximum(paper[ink], _DARKEST_PAPER).astype(np.float32)
    contrast = float(np.median(cv2.subtract(paper, page.survey)[ink] / under))
    return contrast if contrast >= _FAINTEST else None


def texture(page: Pixels, paper: Gray) -> float:
    """Return the texture of the paper in grey levels.

    It is the 90th percentile of the darkness relative to the background. Pixels close to ink are excluded.
    """
    away = cv2.dilate(page.ink, np.ones((_AWAY, _AWAY), np.uint8)) == 0
    return float(np.percentile(cv2.subtract(paper, page.survey)[away], _NEARLY_ALL)) if away.any() else 0.0


def limit_texture(contrast: float, roughness: float, paper: Gray) -> float:
    """Return the contrast to map to black.

    It is at least ``contrast``, and high enough to keep texture at or below _MOST_TEXTURE levels. ``contrast`` is the
    contrast of the ink as a share of the paper's brightness, ``roughness`` the texture in grey levels.
    """
    level = max(1.0, float(np.median(paper[::4, ::4])))
    return max(contrast, min(1.0, roughness * 255 / (_MOST_TEXTURE * level)))


def normalise(page: Pixels, paper: Gray, contrast: float) -> Pixels:
    """Subtract the page from the background, and stretch ``contrast`` to the full range.

    ``contrast`` is a share of the paper's brightness. If the illumination is even, one lookup table serves all pixels.
    """
    lit = np.maximum(paper, _DARKEST_PAPER)
    if is_evenly_lit(paper):
        level = float(np.median(lit[::4, ::4]))
        gains = 255 - (level - np.arange(256)) * (255 / (contrast * level))
        table = np.clip(gains, 0, 255).astype(np.uint8)
        return Pixels(cv2.LUT(page.gray, table), cv2.LUT(page.survey, table), contrast=NORMALISED_INK)  # type: ignore[arg-type]
    gain = (255 / (contrast * lit)).astype(np.float32)
    return Pixels(_normalise(page.gray, paper, gain), _normalise(page.survey, paper, gain), contrast=NORMALISED_INK)


def _normalise(gray: Gray, paper: Gray, gain: npt.NDArray[np.float32]) -> Gray:
    size = (gray.shape[1], gray.shape[0])
    ink = cv2.subtract(cv2.resize(paper, size, interpolation=cv2.INTER_LINEAR), gray)
    gains = cv2.resize(gain, size, interpolation=cv2.INTER_LINEAR)
    return np.invert(cv2.multiply(ink, gains, dtype=cv2.CV_8U))
