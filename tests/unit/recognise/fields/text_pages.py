"""Pages of text without an image, for tests of fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocrwatch.document import Block, Box, EngineInfo, Field, Line, Page, Upright, Word
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.fields.extraction import FieldReader, with_fields
from ocrwatch.settings import Profile, Settings, recipe

HEIGHT = 20
"""Height of a word in pixels."""

_ACROSS = 10
"""Width of a character in pixels."""

LINE_DISTANCE = 40
"""From the top of a line to the top of the next, in pixels."""

_STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def text_page(text: str, *, confidence: float = 90.0, language: str = "eng") -> Page:
    """Return the page of a text in type of one width: its lines and spaces are where they are in the text."""
    lines = []
    for row, written in enumerate(text.strip("\n").splitlines()):
        words = []
        at = 0
        for part in written.split(" "):
            if part:
                box = Box(at * _ACROSS, row * LINE_DISTANCE, (at + len(part)) * _ACROSS, row * LINE_DISTANCE + HEIGHT)
                words.append(Word(part, box, confidence, float(len(part) * _ACROSS), float(HEIGHT)))
            at += len(part) + 1
        if words:
            lines.append(Line(tuple(words), Box(0, row * LINE_DISTANCE, at * _ACROSS, row * LINE_DISTANCE + HEIGHT)))
    width, height = 1000, 40 * LINE_DISTANCE
    block = Block(tuple(lines), Box(0, 0, width, height))
    page = Page(width, height, 300.0, 1, (block,), EngineInfo("t", "1", (language,)))
    return replace(page, upright=Upright(0, 0.0, float(width), float(height), _STRAIGHT))


def rules_of(document_type: str, locale: str = "en_GB") -> tuple[FieldRule, ...]:
    """Return the rules of a type of document."""
    profile = Profile.model_validate({"match": "**", "document_type": document_type, "locale": locale})
    return recipe(Settings().with_profile(profile)).fields


def fields_of(page: Page | str, rules: Sequence[FieldRule], reader: FieldReader | None = None) -> dict[str, Field]:
    """Return the fields of a page, or of the page of a text, by name."""
    page = text_page(page) if isinstance(page, str) else page
    found = with_fields(page, tuple(rules), reader).fields or ()
    return {field.name: field for field in found}


def field_of(page: Page | str, rule: FieldRule, reader: FieldReader | None = None) -> Field:
    """Return the field of one rule."""
    return fields_of(page, [rule], reader)[rule.name]
