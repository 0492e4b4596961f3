"""A page's pixels with what the steps measure on it, each made once and only when asked for."""

from __future__ import annotations

import math
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray

Mask = npt.NDArray[np.uint8]
"""255 where something is, 0 elsewhere."""

SURVEY_SIDE = 1000
"""Pixels of the long side of the copy on which whole pages are surveyed: lines of print still stand apart."""

_CONTRAST = 15
_NEIGHBOURHOOD = 51


class Pixels:
    """A page, and reduced copies of it."""

    def __init__(self, gray: Gray) -> None:
        self.gray = gray

    @cached_property
    def small(self) -> Gray:
        """The page with its sides divided by a whole number, so that the longer has at most SURVEY_SIDE pixels."""
        return reduced(self.gray, SURVEY_SIDE)

    @cached_property
    def ink(self) -> Mask:
        """What is darker than its surroundings, on :attr:`small`."""
        return ink_of(self.small)

    @cached_property
    def paper(self) -> int:
        """Brightness of the paper: what most of the page has."""
        return int(np.median(self.small))


def reduced(gray: Gray, long_side: int) -> Gray:
    """Divide both sides by the whole number that brings the longer to at most ``long_side`` pixels."""
    step = math.ceil(max(gray.shape) / long_side)
    if step <= 1:
        return gray
    # Never to nothing: a page can be a thousand times as long as it is wide.
    size = (max(1, gray.shape[1] // step), max(1, gray.shape[0] // step))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def ink_of(gray: Gray) -> Mask:
    """Pixels that are darker by 15 of 255 levels than the mean of the 51 x 51 around them."""
    ink = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, _NEIGHBOURHOOD, _CONTRAST)
    return ink  # type: ignore[return-value]
