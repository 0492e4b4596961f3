"""Text of its own comes in reading order, or the page is read: a PDF may draw its words in any order."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from ocrwatch.cache.codec import unpack
from tests.pdf_files import Sheet, made, text
from tests.unit.splitting.splitting import opened

SIZE = (300.0, 260.0)
_WIDTH = 4.8
"""Of a letter of Courier with 8 points."""

COURIER = {"Type": Name.Font, "Subtype": Name.Type1, "BaseFont": Name.Courier, "Encoding": Name.WinAnsiEncoding}

Placed = tuple[float, float, str]
LINES: list[Placed] = [(20, 240 - 10 * row, f"line {row} has some words that follow it") for row in range(20)]
TEXT = "".join(f"{line}\n" for _, _, line in LINES)


def own_text_of(lines: Sequence[Placed]) -> str:
    """Return the text of a page that draws these lines in this order; empty if the page is read."""
    with opened(made([Sheet(text(lines, 8), SIZE, font=COURIER)])) as split:
        said, _ = split.page()
    return unpack(said.packed).text if said.packed else ""


def words_of(lines: Sequence[Placed]) -> list[Placed]:
    """Return each word at its place."""
    return [
        (x + _WIDTH * sum(len(each) + 1 for each in line.split()[:index]), y, word)
        for x, y, line in lines
        for index, word in enumerate(line.split())
    ]


def shuffled(lines: Sequence[Placed]) -> list[Placed]:
    """Return lines in random order."""
    return random.Random(5).sample(lines, len(lines))


UNORDERED = {
    "lines from the bottom to the top": LINES[::-1],
    "lines in random order": shuffled(LINES),
    "words in random order": shuffled(words_of(LINES)),
    "words from the bottom to the top": words_of(LINES)[::-1],
}


@pytest.mark.parametrize("kind", UNORDERED)
def test_lines_are_sorted_if_there_are_no_columns(kind: str) -> None:
    """From the top to the bottom, and their words from the left to the right."""
    assert own_text_of(UNORDERED[kind]).split() == TEXT.split()


TWO_COLUMNS = [(20 + 140 * column, 240 - 10 * row, f"text {column} {row}") for column in (0, 1) for row in range(20)]
LETTERS = [(x + _WIDTH * n, y, letter) for x, y, line in LINES for n, letter in enumerate(line) if letter != " "]


@pytest.mark.parametrize(
    "lines", [shuffled(LETTERS), TWO_COLUMNS[::-1], shuffled(TWO_COLUMNS)], ids=["letters", "upwards", "columns"]
)
def test_a_page_that_does_not_tell_its_order_is_read(lines: Sequence[Placed]) -> None:
    """It is rendered: an engine finds columns, and words of single letters."""
    assert own_text_of(lines) == ""


def test_text_in_its_order_is_kept() -> None:
    """Drawn line by line or word by word, also if a heading, a page number and words in bold are drawn last."""
    assert own_text_of(LINES) == TEXT
    assert own_text_of(words_of(LINES)) == TEXT
    words = words_of(LINES)
    assert own_text_of([*words[1:60], *words[61:], words[60], words[0], (150, 10, "7"), (20, 252, "Report")])


CELLS = [(20 + 55 * (n % 5), 240 - 30 * (n // 5) - 9 * part, f"{'nv'[part]} {n}") for n in range(25) for part in (0, 1)]
CHART = [*LINES[:14], *((20, 20 + 10 * number, str(number)) for number in range(8))]


@pytest.mark.parametrize("lines", [TWO_COLUMNS, CELLS, CHART], ids=["columns", "cells", "chart"])
def test_text_that_goes_up_in_its_order_is_kept(lines: Sequence[Placed]) -> None:
    """Columns, cells with a name and a value, and the figures along an axis."""
    assert own_text_of(lines).split() == [word for _, _, line in lines for word in line.split()]


def meaning(shown: Sequence[Placed], letters: str) -> bytes:
    """Return a PDF whose codes from 161 on mean these letters, each of which is in the lines."""
    codes = {ord(letter): 161 + index for index, letter in enumerate(letters)}
    lines = [(x, y, line.translate(codes)) for x, y, line in shown]
    pairs = " ".join(f"<{code:02X}> <{letter:04X}>" for letter, code in codes.items())
    with Pdf.open(io.BytesIO(made([Sheet(text(lines, 8), SIZE)]))) as pdf:
        pdf.pages[0].Resources.Font.F = pdf.make_indirect(Dictionary(
            Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Courier,
            Encoding=Dictionary(BaseEncoding=Name.WinAnsiEncoding, Differences=Array([161, *[Name.n] * len(letters)])),
            ToUnicode=pdf.make_indirect(Stream(pdf, f"begincmap {len(codes)} beginbfchar {pairs} endbfchar".encode())),
        ))  # fmt: skip
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()


HEBREW = "\u05e9\u05dc\u05d5\u05dd"
"""Shalom, as it is spoken."""


def test_text_from_the_right_to_the_left_is_in_the_order_of_speech() -> None:
    """Most programs draw it from the left to the right; numbers in it stay as they are, on the same line."""
    shown = f"2025 {HEBREW[::-1]} 12 {HEBREW[::-1]}"
    with opened(meaning([(20, 200, shown), (20, 190, HEBREW[::-1])], "".join(sorted(set(HEBREW))))) as split:
        page = unpack(split.page()[0].packed)
    assert page.text == f"{HEBREW} 12 {HEBREW} 2025\n{HEBREW}\n"
    line = page.blocks[0].lines[0]
    assert line.baseline is not None
    assert line.baseline.x0 == pytest.approx(line.box.left, abs=3)
    assert line.baseline.x1 == pytest.approx(line.box.right, abs=3)


def test_forms_of_arabic_letters_are_letters() -> None:
    """They can be searched for: here salam, whose second and third letter are one sign."""
    forms = "\ufeb3\ufefc\ufee1"
    with opened(meaning([(20, 200, forms[::-1])], forms)) as split:
        assert unpack(split.page()[0].packed).text == "\u0633\u0644\u0627\u0645\n"
