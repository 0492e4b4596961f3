"""A page's pixels with lazily computed, cached measurements."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import BoolMask, Components, letters_in_rows

Mask = npt.NDArray[np.uint8]
"""255 for foreground, 0 for background."""

Labels = npt.NDArray[np.int32]
"""Component number of each pixel, 0 for background."""

InkPoints = npt.NDArray[np.float32]
"""2 x N array: a row of x and a row of y."""

SURVEY_SIDE = 1400
"""Maximum long side of the survey copy in pixels: the reduced copy on which pages are measured. Between this size and
half of it, the lines of any text made for reading are separate."""

_FINEST_SIDE = 3500
"""Maximum long side of a larger survey copy in pixels, for pages with few letters."""

_LARGEST_LETTER = 1 / 10
"""Maximum size of a letter as a share of the long side."""

FAINTEST_INK = 15
"""Minimum contrast of ink to its surroundings in grey levels, on an unprocessed page."""

NORMALISED_INK = 50
"""The same after contrast stretching. Fainter components are paper texture that was amplified with the text."""

_ENOUGH_LETTERS = 60
"""Number of letter-like components from which text lines are located by these alone."""

_NEIGHBOURHOOD = 51

_BAND = 16
_BANDS = 8


class Pixels:
    """A page and its reduced copies."""

    def __init__(self, gray: Gray, survey: Gray | None = None, *, contrast: int = FAINTEST_INK) -> None:
        """``survey`` is the survey copy if it is already known.

        ``contrast`` is the minimum contrast of ink in grey levels.
        """
        self.gray = gray
        self.contrast = contrast
        if survey is not None:
            self.survey = survey

    @cached_property
    def survey(self) -> Gray:
        """Survey copy: the page halved until its long side has at most SURVEY_SIDE pixels."""
        return reduced(self.gray, SURVEY_SIDE)

    @cached_property
    def ink(self) -> Mask:
        """Adaptive threshold of :attr:`survey`: pixels darker than their surroundings."""
        return ink_of(self.survey, self.contrast)

    @cached_property
    def _labelled(self) -> tuple[Components, Labels]:
        """Connected components of :attr:`ink`, and each pixel's component number.

        Components are numbered from 1; 0 is background.
        """
        return label_components(self.ink)

    @property
    def components(self) -> Components:
        """Connected components of :attr:`ink`."""
        return self._labelled[0]

    @cached_property
    def _rows(self) -> tuple[BoolMask, BoolMask]:
        return letters_in_rows(self.components)

    @property
    def letters_across(self) -> BoolMask:
        """For each of :attr:`components`, whether it is a letter in a horizontal line."""
        return self._rows[0]

    @property
    def letters_down(self) -> BoolMask:
        """For each of :attr:`components`, whether it is a letter in a vertical line."""
        return self._rows[1]

    @property
    def letters(self) -> BoolMask:
        """For each of :attr:`components`, whether it is letter-like."""
        return self.letters_across | self.letters_down

    @cached_property
    def points(self) -> InkPoints:
        """Coordinates of the :attr:`ink` pixels that may belong to letters."""
        # Rules, frames and pictures have their own angles. Remove only their pixels: the bounding box of a frame is the
        # page.
        if self.has_letters:
            ink = self.pixels_of(self.letters)
        else:
            ink = self.pixels_of(
                self.components[:, 2:4].max(axis=1, initial=0) <= _LARGEST_LETTER * max(self.ink.shape)
            )
        ys, xs = np.divmod(np.flatnonzero(ink), ink.shape[1])
        return np.stack([xs, ys]).astype(np.float32)

    @property
    def has_letters(self) -> bool:
        """Whether there are enough letter-like components for measurements on these alone."""
        return bool(np.count_nonzero(self.letters) >= _ENOUGH_LETTERS)

    @property
    def letter_ink(self) -> npt.NDArray[np.bool_]:
        """Pixels of the letter-like components; all :attr:`ink` if they are too few."""
        return self.pixels_of(self.letters) if self.has_letters else self.ink > 0

    def pixels_of(self, chosen: BoolMask) -> npt.NDArray[np.bool_]:
        """Return a mask of the survey copy for the chosen :attr:`components`."""
        return np.concatenate([[False], chosen])[self._labelled[1]]

    def turned(self, quarters: int) -> Pixels:
        """Return the page turned clockwise by ``quarters`` times 90 degrees."""
        gray, survey = (np.ascontiguousarray(np.rot90(pixels, -quarters)) for pixels in (self.gray, self.survey))
        return Pixels(gray, survey, contrast=self.contrast)

    @property
    def with_fine_survey(self) -> Pixels:
        """Return the page with a larger survey copy if letters are found only there.

        This is the case for a page with a few small lines.
        """
        return self if self._fine_survey is None else self._fine_survey

    @cached_property
    def _fine_survey(self) -> Pixels | None:
        # Do not return the page itself: it would keep its own pixels alive until garbage collection.
        page = self
        while (
            not page.has_letters and page.survey.shape < page.gray.shape and 2 * max(page.survey.shape) <= _FINEST_SIDE
        ):
            page = page._finer()
        return page if page is not self and page.has_letters else None

    def _finer(self) -> Pixels:
        """Return the page with a survey copy of twice the size."""
        larger = self.gray
        while larger.shape[0] > 3 * self.survey.shape[0]:
            larger = halved(larger)
        return Pixels(self.gray, larger, contrast=self.contrast)

    @cached_property
    def paper(self) -> int:
        """Brightness of the paper: the median grey level."""
        return int(np.median(self.survey[::4, ::4]))


def bands(gray: Gray) -> list[Gray]:
    """Return horizontal bands from all over the page, at full resolution.

    They are enough for statistics of single pixels, and less work than the whole page.
    """
    height = gray.shape[0]
    return [gray[top : top + _BAND] for top in range(0, max(1, height - _BAND), max(_BAND, height // _BANDS))]


def halved(gray: Gray) -> Gray:
    """Halve both sides by area averaging."""
    # Keep at least one pixel: a page can be a thousand times as long as it is wide.
    size = (max(1, gray.shape[1] // 2), max(1, gray.shape[0] // 2))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def reduced(gray: Gray, long_side: int) -> Gray:
    """Halve both sides until the long side has at most ``long_side`` pixels.

    Stops earlier if the short side has at most a quarter of that. Otherwise the letters of a till receipt, which is
    many times as long as wide, would be reduced to specks.
    """
    while max(gray.shape) > long_side and min(gray.shape) > long_side // 4:
        gray = halved(gray)
    return gray


def ink_of(gray: Gray, contrast: int) -> Mask:
    """Apply an adaptive threshold.

    Ink is darker by ``contrast`` of 255 levels than the mean of the 51 x 51 pixels around it.
    """
    method = cv2.ADAPTIVE_THRESH_MEAN_C
    return cv2.adaptiveThreshold(gray, 255, method, cv2.THRESH_BINARY_INV, _NEIGHBOURHOOD, contrast)  # type: ignore[return-value]


def find_components(ink: Mask) -> Components:
    """Find the connected components."""
    return label_components(ink)[0]


def label_components(ink: Mask) -> tuple[Components, Labels]:
    """Find the connected components, and each pixel's component number.

    Components are numbered from 1; 0 is background.
    """
    # With statistics, this algorithm takes two thirds of the time of OpenCV's default.
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, cv2.CV_32S, cv2.CCL_GRANA)
    columns = [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA]
    return stats[1:, columns].astype(np.int32), labels  # type: ignore[return-value]
