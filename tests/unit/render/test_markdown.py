"""Markdown has the page's words, its headings and lists, and no markup by accident."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from tests.unit.render.made_pages import LINES, line, page, page_of, paragraphs, rendered

LONG = "and Bill Hill paid 2041 invoices before noon while gulls were"
"""As long as the lines of a column of running text."""


def plain(markdown: str) -> str:
    """Return the text of rendered Markdown."""
    tokens = MarkdownIt("commonmark").parse(markdown)
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} <= {"text", "text_special", "softbreak", "hardbreak"}
    return " ".join("".join(c.content or " " for c in token.children or ()) for token in tokens)


def types(markdown: str) -> list[str]:
    """Return the kinds of blocks, without their ends."""
    tokens = MarkdownIt("commonmark").parse(markdown)
    return [token.type.removesuffix("_open") for token in tokens if token.nesting == 1]


def md(*texts: str) -> str:
    """Render a page of paragraphs."""
    return rendered(page(paragraphs(*texts)), "md")


@given(LINES)
def test_any_text_is_text(lines: list[list[str]]) -> None:
    """No character of a word means anything in CommonMark: a reader sees the words as they were read."""
    markdown = rendered(page_of(lines), "md")
    assert set(types(markdown)) <= {"paragraph", "ordered_list", "bullet_list", "list_item"}
    given_text = "".join("".join(words) for words in lines)
    # A list's marks are not in its text, and CommonMark replaces NUL.
    marks = sum(len(word) for words in lines for word in words if re.fullmatch(r"\d{1,3}[.)]|\W", word))
    seen, expected = ("".join(text.replace("\0", "\ufffd").split()) for text in (plain(markdown), given_text))
    divided = sum(word[-1:] in "-\u00ad\u2010\u00ac" for words in lines for word in words)
    assert len(expected) - marks - divided <= len(seen) <= len(expected)
    if len(seen) == len(expected):
        assert seen == expected


def test_a_page_without_text() -> None:
    """Nothing read is nothing written."""
    assert rendered(page(), "md") == ""


def test_lines_of_running_text_are_joined() -> None:
    """A line that could not hold the next word runs on; the last one, and an address, do not."""
    text = f"{LONG}\n{LONG}\n{LONG}\nthe end"
    assert md(text, "Harbour Office\n12 Quay Street\nKirkwall") == (
        f"{LONG} {LONG} {LONG} the end\n\nHarbour Office\\\n12 Quay Street\\\nKirkwall\n"
    )


def test_divided_words_are_joined() -> None:
    """A hyphen at a line's end goes if the word goes on; before a capital, and after a number, it stays."""
    rows = [f"{LONG[:-4]} har-", f"bours {LONG[:-6]}", f"{LONG[:-8]} Meyer-", f"Berg {LONG[:-5]}"]
    text = md("\n".join(rows))
    assert "harbours" in text
    assert "Meyer- Berg" in text


def test_columns_of_a_receipt_are_not_joined() -> None:
    """Lines with a wide gap are rows, however long they are."""
    rows = [f"{item}{' ' * 30}{price}" for item, price in (("Coffee", "4.50"), ("Sugar ", "2.10"), ("Salt  ", "1.00"))]
    block = paragraphs("x")
    lines = tuple(line(row, top=60 * at) for at, row in enumerate(rows))
    assert rendered(page(replace(block, lines=lines)), "md") == "Coffee 4.50\\\nSugar 2.10\\\nSalt 1.00\n"


def test_headings_are_in_larger_type() -> None:
    """The larger, the higher; a large number is no heading."""
    given_page = page(
        paragraphs("Harbour # report #", size=2.0),
        paragraphs("\n".join([LONG] * 5)),
        paragraphs("Ships", size=1.5),
        paragraphs("\n".join([LONG] * 5)),
        paragraphs("1999", size=2.0),
    )
    assert [row for row in rendered(given_page, "md").splitlines() if len(row) < 30 and row] == [
        "# Harbour # report \\#",
        "## Ships",
        "1999",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("• coffee\n• sugar", "- coffee\n- sugar\n"),
        ("- coffee\n- sugar", "- coffee\n- sugar\n"),
        ("- coffee", "\\- coffee\n"),
        ("1. coffee\n2. sugar\n3. salt", "1. coffee\n2. sugar\n3. salt\n"),
        ("7) coffee\n8) sugar", "7) coffee\n8) sugar\n"),
        ("12. März 2024", "12\\. März 2024\n"),
        ("1. coffee\n2. sugar\n1. salt\n2. tea", "1. coffee\n2. sugar\\\n   1\\. salt\\\n   2\\. tea\n"),
        ("List\n1. coffee\n2. sugar", "List\n\n1. coffee\n2. sugar\n"),
        ("# coffee", "\\# coffee\n"),
        ("= =", "\\= =\n"),
        ("a | b * c_d <i> &amp; [x](y) `z`", "a \\| b \\* c\\_d \\<i\\> \\&amp; \\[x\\](y) \\`z\\`\n"),
    ],
)
def test_lists_and_text_that_looks_like_markup(text: str, expected: str) -> None:
    """Bullets and numbers that continue each other are lists; all else is text."""
    assert md(text) == expected
