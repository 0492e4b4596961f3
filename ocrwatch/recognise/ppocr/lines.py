"""Detects and reads lines, and maps their words to other pixels."""

from __future__ import annotations

import math

import numpy as np

from ocrwatch.document import Box, Line, Word
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.affine import Affine, compose
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.ppocr.calibration import confidence_of
from ocrwatch.recognise.ppocr.detection import find_lines
from ocrwatch.recognise.ppocr.networks import alphabet, networks
from ocrwatch.recognise.ppocr.recognition import StripLine, StripWord, read_strip
from ocrwatch.recognise.ppocr.strip import Strip, may_be_vertical, quarter_turned
from ocrwatch.recognise.rows import line_of


def detected(page: Gray, text_height: float | None = None) -> list[Strip]:
    """Detect a page's lines. Raises EngineFailed.

    ``text_height`` is the cap height in pixels, None if unknown.
    """
    return find_lines(networks(), page, text_height)


def read_line(page: Gray, strip: Strip, recipe: Recipe) -> StripLine:
    """Read one line. Raises EngineFailed.

    A region that is taller than wide is read both upright and as vertical text; the result with more evidence is
    returned.
    """
    letters = alphabet(recipe.languages, recipe.whitelist, recipe.blacklist)
    line = read_strip(networks(), page, strip, letters)
    if not may_be_vertical(strip):
        return line
    down = read_strip(networks(), page, quarter_turned(strip), letters)
    return down if _weight(down) > _weight(line) else line


def to_line(line: StripLine, to: Affine) -> Line | None:
    """Return a line with boxes in the pixels that ``to`` maps the page to.

    None if it has no words.
    """
    to_there = compose(to, line.strip.to_page)
    return line_of([_word(word, to_there) for word in line.words]) if line.words else None


def _weight(line: StripLine) -> float:
    """Return the evidence for a result: letters and digits, weighted by confidence.

    Other characters do not count: a stroke on its side is read as a confident dash.
    """
    return sum(sum(map(str.isalnum, word.text)) * confidence_of(word.score) for word in line.words)


def _word(word: StripWord, to: Affine) -> Word:
    corners = np.array([(x, y) for x in (word.left, word.right) for y in (word.top, word.bottom)])
    xs, ys = (corners @ to[:, :2].T + to[:, 2]).T
    left, top = math.floor(xs.min() + 0.5), math.floor(ys.min() + 0.5)
    box = Box(left, top, max(left + 1, math.floor(xs.max() + 0.5)), max(top + 1, math.floor(ys.max() + 0.5)))
    return Word(word.text, box, confidence_of(word.score))
