"""Completes a page of a PDF that has text of its own: what else is printed on it, tables, fields and codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from ocrwatch.document import Block, Page, Word
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.decode import Decoded, Gray, decode
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.evidence import FEWEST_LETTERS, WORD_MARGIN, beyond_doubt, in_words, is_legible, letter_centres
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.page_codes import with_codes
from ocrwatch.recognise.projective import Points
from ocrwatch.recognise.remote.extraction import here
from ocrwatch.recognise.stopwatch import Stopwatch
from ocrwatch.recognise.tables_and_fields import with_tables_and_fields

_PAPER: Final = 255
_IN_PLACE: Final[Affine] = np.eye(2, 3)


def completed(page: Page, content: bytes, recipe: Recipe) -> Page:
    """Return a page with the text of its pictures, and with the tables, fields and codes that the recipe asks for.

    ``content`` is the image of the page. Its own text stays as it is: it is no reading that could be wrong. If there
    are letter-like marks elsewhere, such as a scan beside a stamp, they are read, by an engine of this machine. Raises
    ScanFault if the image cannot be decoded, and what :func:`recognise` raises.
    """
    clock = Stopwatch()
    decoded = decode(content, max_pixels=recipe.enhance.max_pixels)
    clock.lap("decode")
    letters = letter_centres(Pixels(decoded.gray))
    if _unread(letters, page, decoded.gray) >= FEWEST_LETTERS:
        page = _with_rest(page, decoded, recipe)
        clock.lap("engine")
    if len(letters) >= FEWEST_LETTERS:
        page = replace(page, unread=_unread(letters, page, decoded.gray) / len(letters))
    page = with_tables_and_fields(page, decoded, recipe, None, clock, second=False)
    if recipe.codes:
        page = with_codes(page, decoded, clock)
    return replace(page, timings=(*page.timings, *clock.milliseconds()))


def _unread(letters: Points, page: Page, gray: Gray) -> int:
    """Count the letter-like marks that are in the box of no word."""
    height, width = gray.shape
    return int(np.count_nonzero(~in_words(letters, beyond_doubt(page.words), _IN_PLACE, (height, width))))


def _with_rest(page: Page, decoded: Decoded, recipe: Recipe) -> Page:
    """Return a page with the text that is read where it has no text of its own."""
    rest = _painted_over(decoded.gray, page.words)
    dpi = recipe.dpi or round(page.dpi or 0)
    read = recognise(rest, replace(here(recipe), tables=False, fields=(), codes=False, dpi=dpi))
    blocks = tuple(block for block in read.blocks if is_legible(_words(block)))
    return replace(
        page,
        blocks=(*page.blocks, *blocks),
        warnings=(*page.warnings, *read.warnings),
        second=read.second,
        steps=(*page.steps, f"text beside its own: {read.engine.name}"),
    )


def _words(block: Block) -> list[Word]:
    return [word for line in block.lines for word in line.words]


def _painted_over(gray: Gray, words: tuple[Word, ...]) -> bytes:
    """Return an image of the page, as PNG, without the words."""
    rest = gray.copy()
    for box in (word.box for word in words):
        margin = int(WORD_MARGIN * (box.bottom - box.top)) + 1
        rows = slice(max(0, box.top - margin), box.bottom + margin)
        rest[rows, max(0, box.left - margin) : box.right + margin] = _PAPER
    return bytes(cv2.imencode(".png", rest, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])
