"""A page's pixels with what the steps measure on it, each made once and only when asked for."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray

Mask = npt.NDArray[np.uint8]
"""255 where something is, 0 elsewhere."""

Marks = npt.NDArray[np.int32]
"""Connected components, a row of left, top, height, width and area for each."""

Points = npt.NDArray[np.float32]
"""A row of x and one of y."""

SURVEY_SIDE = 1400
"""Pixels of the long side of the copy on which pages are surveyed. Between this and its half, lines of print stand
apart on whatever is printed for people to read."""

_LARGEST_LETTER = 1 / 10
"""Share of the long side."""

FAINTEST_INK = 15
"""Levels by which ink on a page as it came is darker than its surroundings at least."""

EVENED_INK = 50
"""The same after print was made black: what has less was the texture of the paper, made visible with it."""

_NEIGHBOURHOOD = 51

_BAND = 16
_BANDS = 8


class Pixels:
    """A page, and reduced copies of it."""

    def __init__(self, gray: Gray, small: Gray | None = None, *, contrast: int = FAINTEST_INK) -> None:
        """``small`` is the survey copy, where that is known already; ``contrast`` is what ink has at least."""
        self.gray = gray
        self.contrast = contrast
        if small is not None:
            self.small = small

    @cached_property
    def small(self) -> Gray:
        """The page halved until the longer side has at most SURVEY_SIDE pixels."""
        return reduced(self.gray, SURVEY_SIDE)

    @cached_property
    def ink(self) -> Mask:
        """What is darker than its surroundings, on :attr:`small`."""
        return ink_of(self.small, self.contrast)

    @cached_property
    def marks(self) -> Marks:
        """Connected components of :attr:`ink`."""
        return marks_of(self.ink)

    @cached_property
    def points(self) -> Points:
        """Places of the :attr:`ink` that may be letters."""
        ink = self.ink
        # Rules, frames and pictures have angles of their own.
        large = self.marks[:, 2:4].max(axis=1, initial=0) > _LARGEST_LETTER * max(ink.shape)
        if large.any():
            ink = ink.copy()
            for left, top, height, width, _ in self.marks[large]:
                ink[top : top + height, left : left + width] = 0
        ys, xs = np.divmod(np.flatnonzero(ink), ink.shape[1])
        return np.stack([xs, ys]).astype(np.float32)

    @cached_property
    def paper(self) -> int:
        """Brightness of the paper: what most of the page has."""
        return int(np.median(self.small[::4, ::4]))


def bands(gray: Gray) -> list[Gray]:
    """Rows from all over the page, as they are: enough of them for what needs single pixels, and no more."""
    height = gray.shape[0]
    return [gray[top : top + _BAND] for top in range(0, max(1, height - _BAND), max(_BAND, height // _BANDS))]


def halved(gray: Gray) -> Gray:
    """Halve both sides."""
    # Never to nothing: a page can be a thousand times as long as it is wide.
    size = (max(1, gray.shape[1] // 2), max(1, gray.shape[0] // 2))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def reduced(gray: Gray, long_side: int) -> Gray:
    """Halve both sides until the longer has at most ``long_side`` pixels, or the shorter a quarter of that.

    On a till receipt that is many times as long as wide, letters would else be reduced to specks.
    """
    while max(gray.shape) > long_side and min(gray.shape) > long_side // 4:
        gray = halved(gray)
    return gray


def ink_of(gray: Gray, contrast: int) -> Mask:
    """Pixels that are darker by ``contrast`` of 255 levels than the mean of the 51 x 51 around them."""
    method = cv2.ADAPTIVE_THRESH_MEAN_C
    return cv2.adaptiveThreshold(gray, 255, method, cv2.THRESH_BINARY_INV, _NEIGHBOURHOOD, contrast)  # type: ignore[return-value]


def marks_of(ink: Mask) -> Marks:
    """Find the connected components."""
    # Of OpenCV's algorithms this one takes two thirds of the default's time where the sizes are asked for, too.
    _, _, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, cv2.CV_32S, cv2.CCL_GRANA)
    columns = [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA]
    marks: Marks = stats[1:, columns].astype(np.int32)
    return marks
