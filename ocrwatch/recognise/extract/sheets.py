"""Cuts places out of the original and puts them below each other on one sheet, so that all are read in one pass.

Each is made upright, black on white, and larger than usual, which reads better.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import cv2
import numpy as np

from ocrwatch.document import Block, Line, Page, Quad, Word, bounding_box
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.placement import Placement
from ocrwatch.recognise.projective import Points, Projective, as_projective, between, warped
from ocrwatch.recognise.reader import TextRegion

_LARGE: Final = 32.0
"""Pixels of the sheet that a word is tall, at least: print in cells is small, and larger than usual reads better."""

LARGEST_SCALE: Final = 4.0
"""Pixels of the sheet to one of the original, at most."""

_PADDING: Final = 20
"""White pixels around each place on the sheet."""

_MOST_PIXELS: Final = 8_000_000
"""Pixels of a sheet, at most, so that it takes no longer than another page."""

_SURE: Final = 50.0
"""Confidence, 0 to 100, of a word with letters or digits, at least: below are specks and the rest of a rule."""

_SURE_OF_SIGNS: Final = 70.0
"""The same for a word of signs only."""

_BLACKEST: Final = 99.5
"""Percentile of the differences from the background that becomes black."""

_NOISE: Final = 0.2
"""Share of that difference that becomes white."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Places of a page on one image."""

    image: Gray
    tops: tuple[int, ...]
    """Upper edge of each place on the sheet."""
    to_original: tuple[Projective, ...]
    """Maps the sheet to the original's upright pixels, for each place."""

    def lines_by_place(self, blocks: Iterable[Block], page: Page) -> dict[int, list[Line]]:
        """Return the lines that were read on the sheet, placed on the original, by the index of their place."""
        read: dict[int, list[Line]] = {}
        for block in blocks:
            for line in block.lines:
                for number, words in self._by_place(filter(_is_sure, line.words)).items():
                    box = bounding_box(word.box for word in words)
                    read.setdefault(number, []).append(Line(tuple(words), box))
        return {number: self._placed(lines, number, page) for number, lines in read.items()}

    def _by_place(self, line: Iterable[Word]) -> dict[int, list[Word]]:
        words: dict[int, list[Word]] = {}
        for word in line:
            number = bisect_right(self.tops, (word.box.top + word.box.bottom) / 2) - 1
            words.setdefault(max(0, number), []).append(word)
        return words

    def _placed(self, lines: Sequence[Line], number: int, page: Page) -> list[Line]:
        placement = Placement(self.to_original[number], self.image.shape, width=page.width, height=page.height)
        block = Block(tuple(lines), bounding_box(line.box for line in lines))
        region = TextRegion((block,), scaling(1.0, 1.0), self.image.shape)
        return [line for each in placement.blocks(region) for line in each.lines]


def _is_sure(word: Word) -> bool:
    if word.confidence is None:
        return True
    return word.confidence >= (_SURE if any(map(str.isalnum, word.text)) else _SURE_OF_SIGNS)


def sheet_scale(reduction: int, unit: float) -> float:
    """Return how many pixels of a sheet are one of the original; ``unit`` is the height of a word there."""
    return min(max(1 / reduction, _LARGE / unit), LARGEST_SCALE)


def that_fit(places: Iterable[Quad], scale: float) -> list[int]:
    """Return the indices of places that fit on a sheet below each other."""
    width = height = 0.0
    kept = []
    for number, place in enumerate(places):
        along, down = size_of(place)
        wider, taller = max(width, along * scale + 2 * _PADDING), height + down * scale + 2 * _PADDING
        if wider * taller <= _MOST_PIXELS:
            width, height = wider, taller
            kept.append(number)
    return kept


def sheet_of_places(places: Sequence[Quad], gray: Gray, reduction: int, scale: float, margin: float = 0.0) -> Sheet:
    """Return the sheet of places on the original, at least one.

    ``gray`` is the upright original, reduced by ``reduction``. ``margin`` pixels of the original are left out along
    the edges of each place.
    """
    cut = [_cut_out(place, gray, reduction, scale, margin) for place in places]
    tops = list(accumulate((len(image) + 2 * _PADDING for image, _ in cut), initial=0))
    sheet = np.full((tops[-1], max(image.shape[1] for image, _ in cut) + 2 * _PADDING), 255, np.uint8)
    maps = []
    for top, (image, to_original) in zip(tops, cut, strict=False):
        rows, columns = image.shape
        sheet[top + _PADDING : top + _PADDING + rows, _PADDING : _PADDING + columns] = image
        maps.append(to_original @ np.array([[1.0, 0.0, -_PADDING], [0.0, 1.0, -top - _PADDING], [0.0, 0.0, 1.0]]))
    return Sheet(sheet, tuple(tops[:-1]), tuple(maps))


def size_of(place: Quad) -> tuple[float, float]:
    """Return width and height of a place in pixels of the original, along its edges."""
    x, y, right_x, right_y, _, _, left_x, left_y = place
    return math.hypot(right_x - x, right_y - y), math.hypot(left_x - x, left_y - y)


def _cut_out(place: Quad, gray: Gray, reduction: int, scale: float, margin: float) -> tuple[Gray, Projective]:
    """Return the inside of a place, black on white, and the map from it to the original."""
    corners: Points = np.array(place, np.float64).reshape(4, 2)
    along, down = size_of(place)
    width, height = max(2, round(along * scale)), max(2, round(down * scale))
    whole: Points = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    cut = min(round(margin * scale), (min(width, height) - 2) // 2)
    to_original = between(whole, corners) @ np.array([[1.0, 0.0, cut], [0.0, 1.0, cut], [0.0, 0.0, 1.0]])
    to_gray = as_projective(scaling(1 / reduction, 1 / reduction)) @ to_original
    image = warped(gray, to_gray, (width - 2 * cut, height - 2 * cut), 255)
    return _black_on_white(image), to_original


def _black_on_white(image: Gray) -> Gray:
    """Return how far each pixel is from the background, whether print is darker or lighter."""
    background = int(np.median(image))
    difference = cv2.absdiff(image, background).astype(np.float32)  # type: ignore[call-overload]
    most = max(1.0, float(np.percentile(difference, _BLACKEST)))
    ink = (difference / most - _NOISE) / (1 - _NOISE)
    return np.asarray(255 * (1 - np.clip(ink, 0, 1)), np.uint8)
