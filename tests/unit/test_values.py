"""How a page's text is put together from its words."""

from __future__ import annotations

import pytest

from ocrwatch.document import Box, Line, Word


def line(*words: tuple[str, int]) -> Line:
    """Make a line, 40 pixels tall, of words and their left edges; a character is 40 pixels wide."""
    boxed = tuple(Word(text, Box(left, 0, left + 40 * len(text), 40), 90.0) for text, left in words)
    return Line(boxed, Box(0, 0, 2000, 40))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((("harbour", 0), ("office", 300)), "harbour office"),
        ((("港", 0), ("口", 42), ("办公", 84), ("。", 166)), "港口办公。"),
        ((("港口", 0), ("办公", 150)), "港口 办公"),
        ((("发票", 0), ("Invoice", 100), ("2041", 400), ("已经", 600)), "发票 Invoice 2041 已经"),
        ((("한국", 0), ("사람", 90)), "한국 사람"),
        ((("ひら", 0), ("カナ", 82)), "ひらカナ"),
        ((), ""),
    ],
)
def test_words_of_a_line(words: tuple[tuple[str, int], ...], text: str) -> None:
    """Words have a space between them; Chinese and Japanese characters have none unless they are far apart."""
    assert line(*words).text == text
