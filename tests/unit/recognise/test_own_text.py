"""A page of a PDF that has text of its own keeps it, and what else is printed on it is read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from PIL import Image

from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Word, bounding_box
from ocrwatch.recipe import FieldRule, Recipe
from ocrwatch.recognise import own_text
from ocrwatch.recognise.own_text import completed
from tests.rendering import draw, drawn_words

STAMP = "Received 2026-11-27 page 1"
RECEIPT = "Supermarket receipt\nMilk and honey 1.09\nBread and butter 2.49\nTotal amount 3.58"
TEXT = f"{STAMP}\n\n{RECEIPT}"
SIZE = 36


def page_of(image: Image.Image, words: Sequence[tuple[str, Box]]) -> Page:
    """Return a page with these words in one line."""
    own = tuple(Word(text, box, 100.0) for text, box in words)
    block = Block((Line(own, bounding_box(word.box for word in own)),), bounding_box(word.box for word in own))
    return Page(image.width, image.height, 200.0, 1, (block,), EngineInfo("pdfium", "1", ()))


def png(image: Image.Image) -> bytes:
    """Return the image of a page."""
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(200, 200))
    return file.getvalue()


def test_a_picture_of_text_is_read_beside_a_stamp() -> None:
    """A receipt that was scanned into a letter is not lost, and the stamp is not read a second time."""
    image = draw(TEXT, size=SIZE)
    words = drawn_words(TEXT, size=SIZE)
    page = page_of(image, words[: len(STAMP.split())])
    found = completed(page, png(image), Recipe(second="none"))
    assert found.blocks[0] == page.blocks[0]
    assert found.text.split() == TEXT.split()
    assert found.unread is not None
    assert found.unread < 0.1
    assert found.engine == page.engine
    assert found.steps == ("text beside its own: tesserocr",)


def test_a_page_with_nothing_but_its_text_is_not_read() -> None:
    """It stays as it is, and the share of its marks that are in no word is known."""
    image = draw(TEXT, size=SIZE)
    page = page_of(image, drawn_words(TEXT, size=SIZE))
    found = completed(page, png(image), Recipe(second="none"))
    assert (found.blocks, found.steps, found.second) == (page.blocks, (), None)
    assert found.unread == 0


def test_what_cannot_be_read_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that are no more than guesses are left out; the share of unread marks leads to a review."""
    image = draw(TEXT, size=SIZE)
    words = drawn_words(TEXT, size=SIZE)
    page = page_of(image, words[: len(STAMP.split())])
    guess = page_of(image, words[len(STAMP.split()) :])
    guess = replace(guess, blocks=tuple(Block((_unsure(line),), line.box) for line in guess.lines))
    monkeypatch.setattr(own_text, "recognise", lambda *_: guess)
    found = completed(page, png(image), Recipe(second="none"))
    assert found.blocks == page.blocks
    assert found.unread is not None
    assert found.unread > 0.5


def _unsure(line: Line) -> Line:
    return replace(line, words=tuple(replace(word, confidence=20.0) for word in line.words))


def test_tables_and_fields_are_found_on_it() -> None:
    """As on a page that was read."""
    image = draw(TEXT, size=SIZE)
    page = page_of(image, drawn_words(TEXT, size=SIZE))
    recipe = Recipe(second="none", tables=True, fields=(FieldRule("total", "amount", near=("Total amount",)),))
    found = completed(page, png(image), recipe)
    assert found.tables is not None
    assert found.fields is not None
    assert replace(found, tables=None, fields=None, timings=(), unread=None) == page
