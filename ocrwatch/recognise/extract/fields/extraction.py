"""Finds the fields of a page."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ocrwatch.document import LONGEST_VALUE, Box, Field, Page, Quad, Standing, Upright, bounding_box, mean_confidence
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.extract.fields.candidates import Candidate, FieldPage
from ocrwatch.recognise.extract.fields.grounds import Decision, decide, sums
from ocrwatch.recognise.extract.fields.labels import LabelSet, find_labels, label_set
from ocrwatch.recognise.extract.fields.leader_lines import LeaderReader, with_texts
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
from ocrwatch.recognise.extract.table_words import TableWord, lines_of, spacing_of_lines
from ocrwatch.recognise.projective import as_projective

_LINES_OF_PAGE: Final = 100
"""Heights of a word on a page, if no word shows it: A4 with type of 8 points."""

_LEADING: Final = 1.5
_WIDTH: Final = 0.5
"""Distance of lines, and width of a character, of text without places, in heights of a word."""

_IDENTITY: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
"""The map of a page that is not rotated."""


class FieldReader(LeaderReader, LineReader, ZoneReader, Protocol):
    """Reads parts of a page again."""


def with_fields(page: Page, rules: tuple[FieldRule, ...], reader: FieldReader | None = None) -> Page:
    """Return a page with the fields of these rules, in their order.

    ``reader`` reads zones, and whatever was not found or is not verified; without it there is no second look.
    """
    if page.is_blank:
        return replace(page, fields=all_missing(rules))
    straight, upright = straight_text(page), page.upright
    has_places = straight is not None and upright is not None
    if straight is None or upright is None:
        straight, upright = _as_typed(page)
    text = _text(page, rules, straight)
    # Without places, it is unknown which text is in a zone: what is there is read again.
    placed = text.page if has_places else replace(text.page, lines=(), labels=())
    decisions = text.decisions
    if reader is not None and has_places:
        decisions = _with_second_look(_with_leaders(text, page, reader), reader)
    fields = []
    for rule in rules:
        if rule.zone is not None:
            field = _field(rule, read_zone(rule, placed, straight, upright, reader), straight, page)
        else:
            field = _field(rule, decisions[rule.name], straight, page)
            field = field if has_places else replace(field, corners=None)
        fields.append(field)
    return replace(page, fields=tuple(fields))


def _as_typed(page: Page) -> tuple[StraightText, Upright]:
    """Return the text of a page without places, as some OCR services give it, or that has none, as if it was typed.

    Labels and values are found in its lines as they are.
    """
    unit = page.height / _LINES_OF_PAGE
    straight = StraightText(tuple(_typed_words(page)), unit, as_projective(scaling(unit, unit)))
    return straight, Upright(0, 0.0, float(page.width), float(page.height), _IDENTITY)


def _typed_words(page: Page) -> Iterator[TableWord]:
    """Yield the words on lines below each other, with characters of one width."""
    index = 0
    for row, line in enumerate(page.lines):
        left, top = 0.0, row * _LEADING
        for word in line.words:
            right = left + max(1, len(word.text)) * _WIDTH
            yield TableWord(left, top, right, top + 1.0, word.text, index, word.confidence)
            left = right + _WIDTH
            index += 1


@dataclass(frozen=True, slots=True)
class _Text:
    """The text of a page, and what was found in it."""

    page: FieldPage
    straight: StraightText
    found: dict[str, list[Candidate]]
    """What may be the value of each field without a zone, by its name."""
    decisions: dict[str, Decision]


def _text(page: Page, rules: tuple[FieldRule, ...], straight: StraightText) -> _Text:
    words = lines_of(straight.words)
    lines = text_lines(words, spacing_of_lines(words))
    labels = find_labels(lines, _labels(rules))
    field_page = FieldPage(lines, labels, rules, page.engine.languages, len(page.words))
    found = field_page.candidates()
    labelled = {name for label in labels for name in label.ranks}
    return _Text(field_page, straight, found, decide(_without_zone(rules), found, labelled))


def _without_zone(rules: Iterable[FieldRule]) -> list[FieldRule]:
    return [rule for rule in rules if rule.zone is None]


def _with_leaders(text: _Text, page: Page, reader: LeaderReader) -> _Text:
    """Return the text with what was read beside leaders, if there are any, and some field is not verified."""
    rules = _without_zone(text.page.rules)
    settled = {
        rule.name: text.decisions[rule.name]
        for rule in rules
        if not rule.second_look or text.decisions[rule.name].standing is Standing.VERIFIED
    }
    beside = reader.read_beside_leaders() if len(settled) < len(rules) else None
    if beside is None:
        return text
    again = _text(page, tuple(text.page.rules), with_texts(text.straight, beside, page))
    return replace(again, decisions=again.decisions | settled)


def _with_second_look(text: _Text, reader: LineReader) -> dict[str, Decision]:
    """Return the values of fields after a second look at those that are not verified."""
    rules, decisions = _without_zone(text.page.rules), text.decisions
    again = read_again(places_to_read(rules, decisions, text.page), reader, text.straight, text.page.languages)
    # What was read again may be part of a sum that is right.
    more = {rule.name: [*text.found[rule.name], *candidates_of(again, rule.name)] for rule in rules}
    decisions = decisions | sums(rules, more)
    return {rule.name: with_second_look(rule, decisions[rule.name], again, text.found[rule.name]) for rule in rules}


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
    indices = () if candidate.is_reread else tuple(word.index for word in candidate.words)
    words = [page.words[index] for index in indices]
    value, standing, ground = candidate.value, decision.standing, decision.ground
    if len(value) > LONGEST_VALUE:
        # Such as a whole page that was read as one line.
        ground = f"only the first {LONGEST_VALUE} of its {len(value)} characters are kept"
        value, standing = value[:LONGEST_VALUE], Standing.DOUBTFUL
    return Field(
        rule.name,
        standing,
        value,
        candidate.text,
        ground,
        box=bounding_box(word.box for word in words) if words else _bounds(corners, page),
        corners=corners,
        words=indices,
        confidence=mean_confidence(words) if words else candidate.confidence,
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
