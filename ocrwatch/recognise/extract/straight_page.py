"""Makes a page straight: its original image, before enhancement, with the words that were read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import cv2
import numpy as np

from ocrwatch.document import UNPLACED, Page, Quad, Upright, Word
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.table_words import TableWord
from ocrwatch.recognise.projective import Points, Projective, as_projective, inverse, mapped, warped

_WORD_HEIGHT: Final = 14.0
"""Height in pixels of a word on the straight page, at most. Thin rules are lost on smaller images."""

_FEWEST_LETTERS: Final = 2
"""Letters and digits of a word whose height counts."""

_WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class StraightText:
    """The words of a page with horizontal, upright lines."""

    words: tuple[TableWord, ...]
    """The words whose place is known, in units: a unit is the height of a word."""
    height: float
    """Pixels of the original that a word is tall: the median."""
    to_original: Projective
    """Maps units on the straight page to the original's upright pixels."""

    def corners(self, places: Sequence[Extent]) -> list[Quad]:
        """Return the corners of places on the original."""
        points = [
            corner
            for place in places
            for corner in (
                (place.left, place.top),
                (place.right, place.top),
                (place.right, place.bottom),
                (place.left, place.bottom),
            )
        ]
        # All at once: one place at a time takes twenty times as long.
        quads = np.round(mapped(np.array(points, np.float64), self.to_original), 1).reshape(-1, 8).tolist()
        return [(a, b, c, d, e, f, g, h) for a, b, c, d, e, f, g, h in quads]


@dataclass(frozen=True, slots=True)
class StraightPage(StraightText):
    """The page with horizontal, upright lines."""

    gray: Gray
    unit: float
    """Pixels of ``gray`` that a word is tall."""

    def with_words_of(self, page: Page) -> StraightPage:
        """Return the same page with the words of ``page``, which lies in the same way."""
        return (
            self
            if page.upright is None
            else replace(self, words=tuple(placed_words(page.words, page.upright, self.height)))
        )


def straight_text(page: Page) -> StraightText | None:
    """Return the words on the straight page; None if no text shows how it lies."""
    height = _height_of_words(page)
    if page.upright is None or height is None:
        return None
    to_straight = np.array(page.upright.matrix, np.float64).reshape(3, 3)
    to_units = as_projective(scaling(1 / height, 1 / height)) @ to_straight
    return StraightText(tuple(placed_words(page.words, page.upright, height)), height, inverse(to_units))


def _height_of_words(page: Page) -> float | None:
    heights = [
        word.height for word in page.words if word.height and sum(map(str.isalnum, word.text)) >= _FEWEST_LETTERS
    ]
    return median(heights) if heights else None


def straighten(gray: Gray, reduction: int, page: Page) -> StraightPage | None:
    """Return the straight page; None if no text shows how it lies.

    ``gray`` is the upright original before enhancement, reduced by ``reduction``.
    """
    text, upright = straight_text(page), page.upright
    if text is None or upright is None:
        return None
    scale = min(1.0 / reduction, _WORD_HEIGHT / text.height)
    to_straight = np.array(upright.matrix, np.float64).reshape(3, 3)
    to_pixels = as_projective(scaling(scale, scale)) @ to_straight
    to_gray = as_projective(scaling(1 / reduction, 1 / reduction)) @ inverse(to_pixels)
    size = math.ceil(upright.width * scale), math.ceil(upright.height * scale)
    return StraightPage(text.words, text.height, text.to_original, _image(gray, to_gray, size), text.height * scale)


def _image(gray: Gray, to_gray: Projective, size: tuple[int, int]) -> Gray:
    """Return the image that ``to_gray`` maps to ``gray``; it is only scaled if the page is straight already."""
    if np.allclose(to_gray, np.diag([to_gray[0, 0], to_gray[1, 1], 1.0]), atol=1e-9):
        return _resized(gray, size)
    return warped(gray, to_gray, size, _WHITE)


def _resized(gray: Gray, size: tuple[int, int]) -> Gray:
    """Return an image of this size, (width, height), none larger.

    Averaging over areas takes eight times as long if the factor is no whole number.
    """
    factor = gray.shape[1] // max(1, size[0])
    if factor > 1:
        gray = cv2.resize(gray, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return gray if gray.shape == size[::-1] else cv2.resize(gray, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def placed_words(words: Iterable[Word], upright: Upright, unit: float, first: int = 0) -> Iterator[TableWord]:
    """Yield words in units, with indices from ``first`` on.

    A word's box on a skewed original is larger than the word.
    """
    placed = [(index, word) for index, word in enumerate(words, first) if word.box != UNPLACED and word.text.strip()]
    if not placed:
        return
    middles: Points = np.array(
        [((word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2) for _, word in placed]
    )
    straight = mapped(middles, np.array(upright.matrix, np.float64).reshape(3, 3)) / unit
    for (index, word), (x, y) in zip(placed, straight.tolist(), strict=True):
        across, down = word.width / unit / 2, word.height / unit / 2
        yield TableWord(x - across, y - down, x + across, y + down, word.text, index, word.confidence)
