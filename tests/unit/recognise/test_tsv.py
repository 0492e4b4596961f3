"""Tesseract's TSV becomes blocks, lines and words."""

from __future__ import annotations

from ocrwatch.document import Box
from ocrwatch.recognise.engines.tsv import parse

HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
PAGE = "1\t1\t0\t0\t0\t0\t0\t0\t600\t200\t-1\t\n"


def row(block: int, paragraph: int, line: int, number: int, text: str, *, left: int = 0, confidence: str = "90") -> str:
    """One word row, ten pixels wide and high."""
    return f"5\t1\t{block}\t{paragraph}\t{line}\t{number}\t{left}\t{line * 20}\t10\t10\t{confidence}\t{text}\n"


def test_a_blank_page_has_no_blocks() -> None:
    """A table of nothing but the page, and one of nothing at all, give no blocks."""
    assert parse(HEADER + PAGE) == ()
    assert parse("") == ()


def test_the_header_may_be_missing() -> None:
    """The library writes no header, the program does: both give the same."""
    table = PAGE + row(1, 1, 1, 1, "Hello")
    assert parse(HEADER + table) == parse(table) != ()


def test_words_are_grouped_into_lines_and_blocks() -> None:
    """Lines end where block, paragraph or line number changes; paragraphs count from 0 in each block."""
    blocks = parse(
        row(1, 1, 1, 1, "a") + row(1, 1, 1, 2, "b") + row(1, 1, 2, 1, "c") + row(1, 2, 1, 1, "d") + row(2, 1, 1, 1, "e")
    )
    assert [[(line.text, line.paragraph) for line in block.lines] for block in blocks] == [
        [("a b", 0), ("c", 0), ("d", 1)],
        [("e", 0)],
    ]


def test_boxes_surround_what_they_hold() -> None:
    """Right and bottom are exclusive, and a line's box is that of its words."""
    (block,) = parse(row(1, 1, 1, 1, "a", left=5) + row(1, 1, 1, 2, "b", left=50))
    assert block.lines[0].words[0].box == Box(5, 20, 15, 30)
    assert block.box == block.lines[0].box == Box(5, 20, 60, 30)


def test_confidences_are_not_truncated() -> None:
    """Fractions are kept, and what lies outside 0 to 100 is brought inside."""
    (block,) = parse(
        row(1, 1, 1, 1, "a", confidence="95.731140")
        + row(1, 1, 1, 2, "b", confidence="-1")
        + row(1, 1, 1, 3, "c", confidence="100.4")
    )
    assert [word.confidence for word in block.lines[0].words] == [95.73114, 0.0, 100.0]


def test_white_space_is_not_a_word() -> None:
    """Words of blanks only are dropped, and with them the lines and blocks that held nothing else."""
    blocks = parse(row(1, 1, 1, 1, " ") + row(2, 1, 1, 1, "a") + row(2, 1, 2, 1, "\u00a0"))
    assert [[line.text for line in block.lines] for block in blocks] == [["a"]]


def test_a_tab_belongs_to_the_text() -> None:
    """A tab within the last column does not cut the word."""
    (block,) = parse(row(1, 1, 1, 1, "a\tb"))
    assert block.lines[0].words[0].text == "a\tb"


def test_quotes_are_plain_characters() -> None:
    """TSV has no quoting: a lone quotation mark swallows nothing."""
    (block,) = parse(row(1, 1, 1, 1, '"a') + row(1, 1, 1, 2, "b"))
    assert block.lines[0].text == '"a b'
