"""A page's pixels with what the steps measure on it, each made once and only when asked for."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import Chosen, Marks, letters_in_rows

Mask = npt.NDArray[np.uint8]
"""255 where something is, 0 elsewhere."""

Labels = npt.NDArray[np.int32]
"""Number of each pixel's component, 0 where there is none."""

Points = npt.NDArray[np.float32]
"""A row of x and one of y."""

SURVEY_SIDE = 1400
"""Pixels of the long side of the copy on which pages are surveyed. Between this and its half, lines of print stand
apart on whatever is printed for people to read."""

_FINEST_SIDE = 3500
"""Pixels of the long side up to which a page with few letters is searched for smaller ones."""

_LARGEST_LETTER = 1 / 10
"""Share of the long side."""

FAINTEST_INK = 15
"""Levels by which ink on a page as it came is darker than its surroundings at least."""

EVENED_INK = 50
"""The same after print was made black: what has less was the texture of the paper, made visible with it."""

_ENOUGH_LETTERS = 60
"""Letter-like marks from which the lines of print are found by them alone."""

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
    def components(self) -> tuple[Marks, Labels]:
        """Connected components of :attr:`ink`, and for each pixel the number of its own from 1, 0 for none."""
        return components_of(self.ink)

    @property
    def marks(self) -> Marks:
        """Connected components of :attr:`ink`."""
        return self.components[0]

    @cached_property
    def _rows(self) -> tuple[Chosen, Chosen]:
        return letters_in_rows(self.marks)

    @property
    def letters_across(self) -> Chosen:
        """Which of the :attr:`marks` are letter-like, in lines that run across the page."""
        return self._rows[0]

    @property
    def letters_down(self) -> Chosen:
        """Which of the :attr:`marks` are letter-like, in lines that run down the page."""
        return self._rows[1]

    @property
    def letters(self) -> Chosen:
        """Which of the :attr:`marks` are letter-like."""
        return self.letters_across | self.letters_down

    @cached_property
    def points(self) -> Points:
        """Places of the :attr:`ink` that may be letters."""
        # Rules, frames and pictures have angles of their own. Only their own pixels go: a frame's box is the page.
        if self.has_letters:
            ink = self.pixels_of(self.letters)
        else:
            ink = self.pixels_of(self.marks[:, 2:4].max(axis=1, initial=0) <= _LARGEST_LETTER * max(self.ink.shape))
        ys, xs = np.divmod(np.flatnonzero(ink), ink.shape[1])
        return np.stack([xs, ys]).astype(np.float32)

    @property
    def has_letters(self) -> bool:
        """Whether there are enough letter-like marks for what is measured on them alone."""
        return bool(np.count_nonzero(self.letters) >= _ENOUGH_LETTERS)

    @property
    def letter_ink(self) -> npt.NDArray[np.bool_]:
        """Pixels of the letter-like marks; of all :attr:`ink` if there are too few of them."""
        return self.pixels_of(self.letters) if self.has_letters else self.ink > 0

    def pixels_of(self, chosen: Chosen) -> npt.NDArray[np.bool_]:
        """Tell for each pixel of the survey copy whether it belongs to one of the chosen :attr:`marks`."""
        return np.concatenate([[False], chosen])[self.components[1]]

    def turned(self, quarters: int) -> Pixels:
        """Return the page turned clockwise by so many quarters."""
        gray, small = (np.ascontiguousarray(np.rot90(pixels, -quarters)) for pixels in (self.gray, self.small))
        return Pixels(gray, small, contrast=self.contrast)

    @property
    def resolved(self) -> Pixels:
        """Return the same page surveyed on a larger copy if letters are found only there: few small lines on a page."""
        return self if self._with_letters is None else self._with_letters

    @cached_property
    def _with_letters(self) -> Pixels | None:
        # Never the page itself: it would hold on to its pixels until the garbage is collected.
        page = self
        while not page.has_letters and page.small.shape < page.gray.shape and 2 * max(page.small.shape) <= _FINEST_SIDE:
            page = page._finer()
        return page if page is not self and page.has_letters else None

    def _finer(self) -> Pixels:
        """Return the same page surveyed on a copy of twice the size."""
        larger = self.gray
        while larger.shape[0] > 3 * self.small.shape[0]:
            larger = halved(larger)
        return Pixels(self.gray, larger, contrast=self.contrast)

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
    return components_of(ink)[0]


def components_of(ink: Mask) -> tuple[Marks, Labels]:
    """Find the connected components, and the number of each pixel's own from 1, 0 for none."""
    # Of OpenCV's algorithms this one takes two thirds of the default's time where the sizes are asked for, too.
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, cv2.CV_32S, cv2.CCL_GRANA)
    columns = [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA]
    return stats[1:, columns].astype(np.int32), labels  # type: ignore[return-value]
