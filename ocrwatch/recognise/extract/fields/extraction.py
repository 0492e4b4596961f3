"""Finds the fields of a page."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from ocrwatch.document import Box, Field, Page, Quad, Standing, Upright, bounding_box, mean_confidence
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.extract.fields.candidates import FieldPage
from ocrwatch.recognise.extract.fields.grounds import Decision, decide, sums
from ocrwatch.recognise.extract.fields.labels import LabelSet, find_labels, label_set
from ocrwatch.recognise.extract.fields.second_look import (
    LineReader,
    candidates_of,
    places_to_read,
    read_again,
    with_second_look,
)
from ocrwatch.recognise.extract.fields.text_lines import text_lines
from ocrwatch.recognise.extract.fields.zones import ZoneReader, read_zone
from ocrwatch.recognise.extract.straight_page import StraightText, straight_text
from ocrwatch.recognise.extract.table_words import lines_of, spacing_of_lines
from ocrwatch.recognise.projective import as_projective

_LINES_OF_PAGE: Final = 100
"""Heights of a word on a page, if no word was read: A4 with type of 8 points."""


class FieldReader(LineReader, ZoneReader, Protocol):
    """Reads parts of a page again."""


def with_fields(page: Page, rules: tuple[FieldRule, ...], reader: FieldReader | None = None) -> Page:
    """Return a page with the fields of these rules, in their order.

    ``reader`` reads zones, and whatever was not found or is not verified; without it there is no second look. Raises
    EnvironmentFault if the data of a zone's languages is missing.
    """
    if page.is_blank:
        return replace(page, fields=all_missing(rules))
    straight, upright = straight_text(page), page.upright
    if straight is None or upright is None:
        straight, upright = _as_it_is(page)
    words = lines_of(straight.words)
    lines = text_lines(words, spacing_of_lines(words))
    field_page = FieldPage(lines, find_labels(lines, _labels(rules)), rules, page.engine.languages)
    decisions = _decisions([rule for rule in rules if rule.zone is None], field_page, straight, reader)
    for rule in rules:
        if rule.zone is not None:
            decisions[rule.name] = read_zone(rule, field_page, straight, upright, reader)
    return replace(page, fields=tuple(_field(rule, decisions[rule.name], straight, page) for rule in rules))


def _as_it_is(page: Page) -> tuple[StraightText, Upright]:
    """Return a page without text that would show how it lies: only zones are read on it."""
    unit = page.height / _LINES_OF_PAGE
    to_original = as_projective(scaling(unit, unit))
    upright = Upright(0, 0.0, float(page.width), float(page.height), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    return StraightText((), unit, to_original), upright


def _decisions(
    rules: Sequence[FieldRule], page: FieldPage, straight: StraightText, reader: LineReader | None
) -> dict[str, Decision]:
    """Return the values of fields that are found in the text of the page."""
    found = page.candidates()
    decisions = decide(rules, found)
    if reader is None:
        return decisions
    again = read_again(places_to_read(rules, decisions, page), reader, straight, page.languages)
    # What was read again may be part of a sum that is right.
    more = {rule.name: [*found[rule.name], *candidates_of(again, rule.name)] for rule in rules}
    decisions |= sums(rules, more)
    return {rule.name: with_second_look(rule, decisions[rule.name], again) for rule in rules}


@functools.lru_cache(maxsize=16)
def _labels(rules: tuple[FieldRule, ...]) -> LabelSet:
    return label_set(rules)


def all_missing(rules: tuple[FieldRule, ...]) -> tuple[Field, ...]:
    """Return the fields of a page on which nothing was found."""
    return tuple(
        Field(rule.name, Standing.MISSING, "", "", "nothing was found", required=rule.required) for rule in rules
    )


def _field(rule: FieldRule, decision: Decision, straight: StraightText, page: Page) -> Field:
    candidate = decision.candidate
    if candidate is None:
        return Field(rule.name, decision.standing, "", "", decision.ground, required=rule.required)
    corners = straight.corners([candidate.box])[0]
    words = [page.words[word.index] for word in candidate.words]
    return Field(
        rule.name,
        decision.standing,
        candidate.value,
        candidate.text,
        decision.ground,
        box=bounding_box(word.box for word in words) if words else _bounds(corners, page),
        corners=corners,
        words=tuple(word.index for word in candidate.words),
        confidence=mean_confidence(words) if words else candidate.sure,
        required=rule.required,
    )


def _bounds(corners: Quad, page: Page) -> Box:
    """Return the bounding box of a place, within the page."""
    xs, ys = corners[::2], corners[1::2]
    left, top = (
        min(max(0, math.floor(min(values))), most - 1) for values, most in ((xs, page.width), (ys, page.height))
    )
    right, bottom = min(page.width, math.ceil(max(xs))), min(page.height, math.ceil(max(ys)))
    return Box(left, top, max(left + 1, right), max(top + 1, bottom))
