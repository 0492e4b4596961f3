"""Finds the fields of a page."""

from __future__ import annotations

import functools
from dataclasses import replace

from ocrwatch.document import Field, Page, Standing, bounding_box, mean_confidence
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.extents import extent
from ocrwatch.recognise.extract.fields.candidates import FieldPage
from ocrwatch.recognise.extract.fields.grounds import Decision, decide
from ocrwatch.recognise.extract.fields.labels import LabelSet, find_labels, label_set
from ocrwatch.recognise.extract.fields.text_lines import text_lines
from ocrwatch.recognise.extract.straight_page import StraightText, straight_text
from ocrwatch.recognise.extract.table_words import spacing_of


def with_fields(page: Page, rules: tuple[FieldRule, ...]) -> Page:
    """Return a page with the fields of these rules, in their order."""
    straight = straight_text(page)
    if straight is None:
        return replace(page, fields=tuple(_missing(rule) for rule in rules))
    lines = text_lines(straight.words)
    field_page = FieldPage(
        lines, find_labels(lines, _labels(rules)), spacing_of(straight.words), page.engine.languages
    )
    found = {rule.name: field_page.candidates(rule) for rule in rules}
    decisions = decide(rules, found)
    return replace(page, fields=tuple(_field(rule, decisions[rule.name], straight, page) for rule in rules))


@functools.lru_cache(maxsize=16)
def _labels(rules: tuple[FieldRule, ...]) -> LabelSet:
    return label_set(rules)


def _missing(rule: FieldRule) -> Field:
    return Field(rule.name, Standing.MISSING, "", "", "the page has no text", required=rule.required)


def _field(rule: FieldRule, decision: Decision, straight: StraightText, page: Page) -> Field:
    candidate = decision.candidate
    if candidate is None:
        return Field(rule.name, decision.standing, "", "", decision.ground, required=rule.required)
    words = [page.words[word.index] for word in candidate.words]
    return Field(
        rule.name,
        decision.standing,
        candidate.value,
        candidate.text,
        decision.ground,
        box=bounding_box(word.box for word in words),
        corners=straight.corners([extent(candidate.words)])[0],
        words=tuple(word.index for word in candidate.words),
        confidence=mean_confidence(words),
        required=rule.required,
    )
