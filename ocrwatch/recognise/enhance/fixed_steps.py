"""Fixed preprocessing, which the admin sets: applied to every page."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recipe import Threshold
from ocrwatch.recognise.affine import Affine, shift
from ocrwatch.recognise.decode import Gray

_ADAPTIVE_NEIGHBOURHOOD = 51
_ADAPTIVE_CONTRAST = 15
_SAUVOLA_NEIGHBOURHOOD = 51
_SAUVOLA_K = 0.34
_HALF_RANGE = 128.0


def crop_region(gray: Gray, region: tuple[float, float, float, float]) -> tuple[Gray, Affine]:
    """Crop to left, top, right and bottom, given as shares of the sides, 0 to 1.

    Keeps at least one pixel. Returns the part and the map from it to ``gray``.
    """
    height, width = gray.shape
    left, right = _span(region[0], region[2], width)
    top, bottom = _span(region[1], region[3], height)
    return np.ascontiguousarray(gray[top:bottom, left:right]), shift(left, top)


def blurred(gray: Gray, deviation: float) -> Gray:
    """Apply a Gaussian blur. ``deviation`` is its standard deviation in pixels."""
    return cv2.GaussianBlur(gray, (0, 0), deviation)  # type: ignore[return-value]


def binarise(gray: Gray, method: Threshold, value: int) -> Gray:
    """Binarise a page. ``value`` is the lowest white level if ``method`` is ``fixed``."""
    match method:
        case "fixed":
            return np.where(gray >= value, np.uint8(255), np.uint8(0))
        case "otsu":
            return cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]  # type: ignore[return-value]
        case "adaptive":
            return cv2.adaptiveThreshold(  # type: ignore[return-value]
                gray,
                255,
                cv2.ADAPTIVE_THRESH_MEAN_C,
                cv2.THRESH_BINARY,
                _ADAPTIVE_NEIGHBOURHOOD,
                _ADAPTIVE_CONTRAST,
            )
        case "sauvola":
            return _sauvola(gray)
        case "none":
            return gray


def _sauvola(gray: Gray) -> Gray:
    """Binarise by Sauvola's method.

    Sauvola and Pietikäinen, Adaptive document image binarization (2000).
    """
    window = (_SAUVOLA_NEIGHBOURHOOD, _SAUVOLA_NEIGHBOURHOOD)
    real = gray.astype(np.float32)
    mean = cv2.blur(real, window)
    deviation = cv2.sqrt(cv2.max(cv2.blur(real * real, window) - mean * mean, 0.0))  # type: ignore[call-overload]
    return np.where(real > mean * (1 + _SAUVOLA_K * (deviation / _HALF_RANGE - 1)), np.uint8(255), np.uint8(0))


def _span(start: float, end: float, length: int) -> tuple[int, int]:
    first = min(round(start * length), length - 1)
    return first, max(first + 1, round(end * length))
