"""Reads fields that are in fixed zones of the page."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Protocol

from ocrwatch.document import Quad, Standing, Upright
from ocrwatch.errors import EnvironmentFault, OcrwatchError
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.extents import Extent
from ocrwatch.recognise.extract.fields.candidates import Candidate, FieldPage
from ocrwatch.recognise.extract.fields.grounds import Decision, misreading
from ocrwatch.recognise.extract.fields.labels import find_labels, label_set
from ocrwatch.recognise.extract.fields.second_look import ReadText
from ocrwatch.recognise.extract.fields.text_lines import text_lines
from ocrwatch.recognise.extract.fields.value_types import find_values
from ocrwatch.recognise.extract.straight_page import StraightText
from ocrwatch.recognise.extract.table_words import Spacing, lines_of

_NO_GAP: Final = Spacing(math.inf, 0.0)


class ZoneReader(Protocol):
    """Reads zones: :class:`ocrwatch.recognise.strip_reader.StripReader`."""

    def read_zone(self, place: Quad, unit: float, rule: FieldRule) -> ReadText | None:
        """Return the text of a zone, read with its own options; None if there is none. Raises OcrwatchError."""


def read_zone(
    rule: FieldRule, page: FieldPage, straight: StraightText, upright: Upright, reader: ZoneReader | None
) -> Decision:
    """Return the value of a field with a zone.

    The zone is read with its own options. What the page's own reading has there is the second ground. Without
    ``reader`` it is the only one.
    """
    zone = _extent(rule, page, straight, upright)
    if zone is None:
        return Decision(None, Standing.MISSING, f"the anchor {rule.anchor!r} was not found")
    before = _of_page(rule, zone, page)
    failure = ""
    reading = None
    try:
        reading = None if reader is None else reader.read_zone(straight.corners([zone])[0], straight.height, rule)
    except OcrwatchError as error:
        if isinstance(error, EnvironmentFault) and not rule.languages:
            # The machine could read the page, and will again.
            raise
        # The page itself was read, so it is the zone's options that do not fit.
        failure = error.message
    now = None if reading is None else _of_zone(rule, zone, reading, page.languages)
    candidate = now or before
    if candidate is None:
        ground = f"its zone could not be read: {failure}" if failure else "no such value is in its zone"
        return Decision(None, Standing.MISSING, ground)
    standing, ground = _standing(candidate, before if now is not None else None)
    return Decision(candidate, standing, ground)


def _standing(candidate: Candidate, before: Candidate | None) -> tuple[Standing, str]:
    """Return how sure a value is; ``before`` is what the page's own reading has there."""
    if candidate.is_checked:
        return Standing.VERIFIED, "its check digits are right"
    if why := misreading(candidate):
        return Standing.DOUBTFUL, why
    if before is None:
        return Standing.READ, "it is in its zone"
    if candidate.value == before.value:
        return Standing.VERIFIED, "two readings are alike"
    return Standing.DOUBTFUL, f"another reading of its zone is {before.value}"


def _extent(rule: FieldRule, page: FieldPage, straight: StraightText, upright: Upright) -> Extent | None:
    """Return the zone on the straight page, in heights of a word; None if its anchor was not found."""
    left, top, right, bottom = rule.zone or (0.0, 0.0, 1.0, 1.0)
    x, y = 0.0, 0.0
    if rule.anchor:
        anchor = replace(rule, near=(rule.anchor,), not_near=())
        label = next(iter(find_labels(page.lines, label_set([anchor]))), None)
        if label is None:
            return None
        word = label.line.words_between(label.start, label.end)[0]
        x, y = word.left, word.top
    width, height = upright.width / straight.height, upright.height / straight.height
    return Extent(x + left * width, y + top * height, x + right * width, y + bottom * height)


def _of_page(rule: FieldRule, zone: Extent, page: FieldPage) -> Candidate | None:
    """Return the value in the words of the page whose middles are in the zone."""
    inside = [word for line in page.lines for word in line.words if zone.holds(word)]
    for line in text_lines(lines_of(inside), _NO_GAP):
        for value in find_values(line.text, rule, page.languages):
            words = tuple(line.words_between(value.start, value.end))
            text = line.text[value.start : value.end].strip()
            return Candidate(value.value, text, words, value.doubt, value.is_checked)
    return None


def _of_zone(rule: FieldRule, zone: Extent, reading: ReadText, languages: tuple[str, ...]) -> Candidate | None:
    text = " ".join(reading.text.split()) if rule.type == "text" else reading.text
    for value in find_values(text, rule, rule.languages or languages):
        found = text[value.start : value.end].strip()
        return Candidate(value.value, found, (), value.doubt, value.is_checked, extent=zone, sure=reading.confidence)
    return None
