"""Reads pages and single lines, and says where their words are in any pixels that the page maps to."""

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
from ocrwatch.recognise.ppocr.recognition import Seen, SeenLine, read_strip
from ocrwatch.recognise.ppocr.strip import Strip, is_upended, quarter_turned
from ocrwatch.recognise.rows import line_of


def detected(page: Gray, text_height: float | None = None) -> list[Strip]:
    """Find a page's lines; ``text_height`` is that of capitals in pixels, if it is known. Raises EngineFailed."""
    return find_lines(networks(), page, text_height)


def read_in(page: Gray, strip: Strip, recipe: Recipe) -> SeenLine:
    """Read one line; a place that is taller than wide is read upright and from the top down. Raises EngineFailed."""
    letters = alphabet(recipe.languages, recipe.whitelist, recipe.blacklist)
    line = read_strip(networks(), page, strip, letters)
    if not is_upended(strip):
        return line
    down = read_strip(networks(), page, quarter_turned(strip), letters)
    return down if _weight(down) > _weight(line) else line


def placed(seen: SeenLine, to: Affine) -> Line | None:
    """Return a line with its boxes in the pixels that ``to`` maps the page to; None if it has no words."""
    to_there = compose(to, seen.strip.to_page)
    return line_of([_word(word, to_there) for word in seen.words]) if seen.words else None


def _weight(line: SeenLine) -> float:
    """Return what speaks for a reading. Signs do not: a stroke that lies on its side is a sure dash."""
    return sum(sum(map(str.isalnum, word.text)) * confidence_of(word.score) for word in line.words)


def _word(seen: Seen, to: Affine) -> Word:
    corners = np.array([(x, y) for x in (seen.left, seen.right) for y in (seen.top, seen.bottom)])
    xs, ys = (corners @ to[:, :2].T + to[:, 2]).T
    left, top = math.floor(xs.min() + 0.5), math.floor(ys.min() + 0.5)
    box = Box(left, top, max(left + 1, math.floor(xs.max() + 0.5)), max(top + 1, math.floor(ys.max() + 0.5)))
    return Word(seen.text, box, confidence_of(seen.score))
