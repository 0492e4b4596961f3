"""Reads the pixels of one line: a network without a language model, decoded greedily (CTC, Graves et al. 2006)."""

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
"""Width of a space between Chinese and Latin writing, as a share of the line's height. In four fonts at 100 to 300 dots
per inch nine of ten gaps are below .2 without one, and all are above .22 with one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A word in a strip."""

    text: str
    score: float
    """Mean of what the network gives for its characters, 0 to 1."""
    left: float
    top: float
    right: float
    bottom: float
    """Edges in the strip's pixels."""


@dataclass(frozen=True, slots=True)
class SeenLine:
    """What was read in a strip."""

    strip: Strip
    words: tuple[Seen, ...]

    @property
    def score(self) -> float:
        """Mean of the words', by their lengths; 0 if there are none."""
        letters = sum(len(word.text) for word in self.words)
        return sum(word.score * len(word.text) for word in self.words) / letters if letters else 0.0

    @property
    def text(self) -> str:
        """The words with spaces between them."""
        return " ".join(word.text for word in self.words)


class _Character(NamedTuple):
    """One character in a strip."""

    text: str
    score: float
    middle: float
    """Its column."""


def read_strip(networks: Networks, page: Gray, strip: Strip, letters: Classes) -> SeenLine:
    """Read one line of a page that has only ``letters`` (see ``alphabet``). Raises EngineFailed."""
    pixels = pixels_of(page, strip)
    normal = pixels.astype(np.float32) / np.float32(127.5) - 1
    scores = run(networks.recognition, np.broadcast_to(normal, (3, *normal.shape)))
    best = letters[scores[:, letters].argmax(axis=1)]
    # A class that follows itself is one character, and class 0 parts characters.
    starts = np.flatnonzero((best != 0) & (best != np.concatenate([[-1], best[:-1]])))
    texts = [networks.characters[index] for index in best[starts].tolist()]
    sure = scores[starts, best[starts]].astype(float).tolist()
    middles = ((starts + 0.5) * strip.width / len(best)).tolist()
    return SeenLine(strip, _placed(pixels, list(map(_Character, texts, sure, middles))))


def _placed(pixels: Gray, characters: list[_Character]) -> tuple[Seen, ...]:
    """Make words of characters; each has the box of its ink, which ends where the gaps to its neighbours are widest."""
    ink = _ink(pixels)
    words = _words(characters, ink)
    if not words:
        return ()
    columns = np.logical_or.reduce(ink, axis=0)
    gaps = [_widest_gap(columns, before[-1], after[0]) for before, after in itertools.pairwise(words)]
    starts, ends = [0.0, *(end for _, end in gaps)], [*(start for start, _ in gaps), float(len(columns))]
    return tuple(
        Seen(
            "".join(character.text for character in word),
            sum(character.score for character in word) / len(word),
            *_box(ink, start, end),
        )
        for word, start, end in zip(words, starts, ends, strict=True)
    )


def _words(characters: list[_Character], ink: npt.NDArray[np.bool_]) -> list[list[_Character]]:
    """Part characters at spaces, and where there is a gap between Chinese and Latin writing.

    There the network leaves out three of four spaces.
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
    """Tell whether one of two characters is Chinese or Japanese and the other a Latin letter or a figure."""
    both = before.text[-1], after.text[0]
    return all(map(str.isalnum, both)) and (ord(both[0]) >= FIRST_EASTERN) != (ord(both[1]) >= FIRST_EASTERN)


def _gap(columns: npt.NDArray[np.bool_], before: _Character, after: _Character) -> float:
    start, end = _widest_gap(columns, before, after)
    return end - start


def _ink(pixels: Gray) -> npt.NDArray[np.bool_]:
    """Tell which pixels are print, black on white or white on black."""
    level, _ = cv2.threshold(pixels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = pixels <= level
    return dark if np.count_nonzero(dark) * 2 <= dark.size else ~dark


def _widest_gap(columns: npt.NDArray[np.bool_], before: _Character, after: _Character) -> tuple[float, float]:
    """Return start and end of the longest run of columns without ink between two characters' middles."""
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
    """Return left, top, right and bottom of the ink between two columns; all rows if there is none."""
    first, last = int(start), max(int(start) + 1, round(end))
    part = ink[:, first:last]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(rows):
        return start, 0.0, max(end, start + 1), float(HEIGHT)
    return first + float(columns[0]), float(rows[0]), first + float(columns[-1]) + 1, float(rows[-1]) + 1
