"""Recognises the text of one line: a network with greedy CTC decoding.

There is no language model. CTC: Graves et al. 2006.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.ppocr.networks import FIRST_EASTERN, Classes, Networks, run
from ocrwatch.recognise.ppocr.strip import HEIGHT, Strip, pixels_of

_SPACE = 0.2
"""Minimum width of a space between Chinese and Latin text, as a share of the line's height. In four fonts at 100 to 300
dpi, nine of ten gaps without a space are below .2, and all gaps with one are above .22."""


@dataclass(frozen=True, slots=True)
class StripWord:
    """A word in a strip."""

    text: str
    score: float
    """Mean of the network's scores for its characters, 0 to 1."""
    left: float
    top: float
    right: float
    bottom: float
    """Edges of its bounding box in the strip's pixels."""


@dataclass(frozen=True, slots=True)
class StripLine:
    """The text of a strip."""

    strip: Strip
    words: tuple[StripWord, ...]

    @property
    def score(self) -> float:
        """Mean score of the words, weighted by length; 0 if there are none."""
        letters = sum(len(word.text) for word in self.words)
        return sum(word.score * len(word.text) for word in self.words) / letters if letters else 0.0

    @property
    def text(self) -> str:
        """The words, separated by spaces."""
        return " ".join(word.text for word in self.words)


class _Character(NamedTuple):
    """A character in a strip."""

    text: str
    score: float
    middle: float
    """Column of its centre."""


def read_strip(networks: Networks, page: Gray, strip: Strip, letters: Classes) -> StripLine:
    """Read one line with the classes in ``letters`` only. Raises EngineFailed.

    ``letters`` comes from :func:`~ocrwatch.recognise.ppocr.networks.alphabet`.
    """
    pixels = pixels_of(page, strip)
    normal = pixels.astype(np.float32) / np.float32(127.5) - 1
    scores = run(networks.recognition, np.broadcast_to(normal, (3, *normal.shape)))
    best = letters[scores[:, letters].argmax(axis=1)]
    # CTC: repeated classes are one character, and class 0 (blank) separates characters.
    starts = np.flatnonzero((best != 0) & (best != np.concatenate([[-1], best[:-1]])))
    texts = [networks.characters[index] for index in best[starts].tolist()]
    sure = scores[starts, best[starts]].astype(float).tolist()
    middles = ((starts + 0.5) * strip.width / len(best)).tolist()
    return StripLine(strip, _strip_words(pixels, list(map(_Character, texts, sure, middles))))


def _strip_words(pixels: Gray, characters: list[_Character]) -> tuple[StripWord, ...]:
    """Group characters into words, each with the bounding box of its ink.

    The ink of adjacent words is separated at the widest gap between them.
    """
    ink = _ink(pixels)
    words = _words(characters, ink)
    if not words:
        return ()
    columns = np.logical_or.reduce(ink, axis=0)
    gaps = [_widest_gap(columns, before[-1], after[0]) for before, after in itertools.pairwise(words)]
    starts, ends = [0.0, *(end for _, end in gaps)], [*(start for start, _ in gaps), float(len(columns))]
    return tuple(
        StripWord(
            "".join(character.text for character in word),
            sum(character.score for character in word) / len(word),
            *_box(ink, start, end),
        )
        for word, start, end in zip(words, starts, ends, strict=True)
    )


def _words(characters: list[_Character], ink: npt.NDArray[np.bool_]) -> list[list[_Character]]:
    """Split characters into words.

    Splits at spaces, and at gaps between Chinese and Latin text, where the network omits three of four spaces.
    """
    columns, rows = np.logical_or.reduce(ink, axis=0), np.flatnonzero(np.logical_or.reduce(ink, axis=1))
    least = _SPACE * (rows[-1] + 1 - rows[0]) if len(rows) else 0.0
    words: list[list[_Character]] = []
    before: _Character | None = None
    for character in characters:
        if character.text.isspace():
            before = None
            continue
        if before is None or (_is_border(before, character) and _gap(columns, before, character) >= least):
            words.append([])
        words[-1].append(character)
        before = character
    return words


def _is_border(before: _Character, after: _Character) -> bool:
    """Return whether exactly one of two letters or digits is Chinese or Japanese."""
    both = before.text[-1], after.text[0]
    return all(map(str.isalnum, both)) and (ord(both[0]) >= FIRST_EASTERN) != (ord(both[1]) >= FIRST_EASTERN)


def _gap(columns: npt.NDArray[np.bool_], before: _Character, after: _Character) -> float:
    start, end = _widest_gap(columns, before, after)
    return end - start


def _ink(pixels: Gray) -> npt.NDArray[np.bool_]:
    """Return the mask of text pixels, for black on white or white on black."""
    level, _ = cv2.threshold(pixels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = pixels <= level
    return dark if np.count_nonzero(dark) * 2 <= dark.size else ~dark


def _widest_gap(columns: npt.NDArray[np.bool_], before: _Character, after: _Character) -> tuple[float, float]:
    """Return start and end of the widest gap between the centres of two characters.

    A gap is a run of columns without ink.
    """
    left, right = before.middle, after.middle
    first, last = round(left), max(round(left) + 1, round(right))
    blank = np.flatnonzero(~columns[first:last])
    if not len(blank):
        middle = (left + right) / 2
        return middle, middle
    pieces = np.split(blank, np.flatnonzero(np.diff(blank) > 1) + 1)
    longest = max(pieces, key=len)
    return first + float(longest[0]), first + float(longest[-1]) + 1


def _box(ink: npt.NDArray[np.bool_], start: float, end: float) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the ink between two columns.

    All rows if there is no ink.
    """
    first, last = int(start), max(int(start) + 1, round(end))
    part = ink[:, first:last]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(rows):
        return start, 0.0, max(end, start + 1), float(HEIGHT)
    return first + float(columns[0]), float(rows[0]), first + float(columns[-1]) + 1, float(rows[-1]) + 1
