"""Places the text that a remote service read on the original, and judges what it did not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

import numpy as np

from ocrwatch.document import BLANK, UNPLACED, Block, EngineInfo, Page, Word, bounding_box
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.affine import Affine, compose
from ocrwatch.recognise.doubt import MAX_UNREAD
from ocrwatch.recognise.evidence import is_legible
from ocrwatch.recognise.layout import in_reading_order
from ocrwatch.recognise.placement import Placement
from ocrwatch.recognise.projective import Projective
from ocrwatch.recognise.reader import TextRegion, drop_low_confidence
from ocrwatch.recognise.remote.level import levelled, tidied
from ocrwatch.recognise.remote.marks import unread_share
from ocrwatch.recognise.sent_page import SentPage

_AFFINE: Final = 6
"""Numbers of an affine map."""


def placed(
    blocks: Sequence[Block],
    sent: SentPage,
    recipe: Recipe,
    engine: EngineInfo,
    *,
    in_order: bool = True,
    warnings: Sequence[str] = (),
) -> Page:
    """Return the page of what a service read.

    Boxes of ``blocks`` are in pixels of the image that was sent, or unknown. ``in_order`` says whether they are in
    reading order; otherwise those whose place is known are put into one, and the others follow.
    """
    kept = drop_low_confidence(tidied(blocks), recipe.min_confidence)
    level = levelled(kept, sent.skew)
    ordered = level.blocks if in_order else _ordered(level.blocks)
    region = TextRegion(ordered, compose(_affine(sent.to_page), level.to_image), (sent.sent_height, sent.sent_width))
    placement = Placement(
        _map_to_original(sent), (sent.page_height, sent.page_width), width=sent.width, height=sent.height
    )
    page = Page(
        width=sent.width,
        height=sent.height,
        dpi=sent.dpi,
        orientation=sent.orientation,
        image=sent.image,
        blocks=placement.blocks(region),
        engine=engine,
        steps=sent.steps,
        warnings=(*sent.warnings, *warnings),
        timings=(("prepare", sent.prepare_ms),),
        upright=placement.upright((region,)),
    )
    page = replace(page, unread=unread_share(sent.marks, page.words, page.width, page.height))
    if sent.blank and not is_legible(page.words):
        return replace(page, blocks=(), upright=None, steps=(*page.steps, BLANK))
    return replace(page, warnings=(*page.warnings, *_suspicions(page, sent)))


def has_places(words: Sequence[Word]) -> bool:
    """Return whether the places of all words are known."""
    return all(word.box != UNPLACED for word in words)


def _suspicions(page: Page, sent: SentPage) -> tuple[str, ...]:
    """Return what speaks against a text whose words have no places, or no confidence, which would show it."""
    if not page.words:
        return ()
    if page.unread is not None and page.unread > MAX_UNREAD and not has_places(page.words):
        return ("the text is much shorter than the print on the page: a part of it may not have been read",)
    if sent.blank and page.confidence is None:
        return ("the service read text on a page on which nothing looks like a letter",)
    return ()


def _ordered(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Return the lines in reading order; lines with words without a place are behind the others, in their own order."""
    lines = list(chain.from_iterable(block.lines for block in blocks))
    known = [line for line in lines if has_places(line.words)]
    unknown = tuple(line for line in lines if not has_places(line.words))
    rest = (Block(unknown, bounding_box(line.box for line in unknown)),) if unknown else ()
    return (*(in_reading_order(known) if known else ()), *rest)


def _affine(numbers: Sequence[float]) -> Affine:
    return np.array(numbers, np.float64).reshape(2, 3)


def _map_to_original(sent: SentPage) -> Affine | Projective:
    numbers = sent.page_to_original
    return _affine(numbers) if len(numbers) == _AFFINE else np.array(numbers, np.float64).reshape(3, 3)
