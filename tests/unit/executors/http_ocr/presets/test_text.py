"""Text: lines are split into words with places, and text is kept whatever its place and confidence are."""

from __future__ import annotations

from typing import Any

import pytest

from ocrwatch.document import UNPLACED, Block, Box, Line, Word
from ocrwatch.executors.http_ocr.presets.places import polygon, rectangle
from ocrwatch.executors.http_ocr.presets.text import (
    Piece,
    block_of,
    clean,
    kept_within,
    line_of_words,
    percent,
    split_line,
    unplaced,
    word,
)
from tests.unit.executors.http_ocr.presets.services import RECEIVED


def split(text: str, points: Any) -> Line:
    """Split a line with this place."""
    line = split_line(Piece(text, 90.0, polygon(points, RECEIVED)), RECEIVED)
    assert line is not None
    return line


def boxes(line: Line) -> list[tuple[str, tuple[int, int, int, int]]]:
    """Return the words with left, top, right and bottom."""
    return [(each.text, (each.box.left, each.box.top, each.box.right, each.box.bottom)) for each in line.words]


def test_words_divide_a_line_by_their_letters() -> None:
    """Each letter, and each space, takes the same share of the line; the words have the line's confidence."""
    line = split("ab  cde f", [100, 50, 180, 70])
    assert boxes(line) == [("ab", (100, 50, 120, 70)), ("cde", (130, 50, 160, 70)), ("f", (170, 50, 180, 70))]
    assert [each.confidence for each in line.words] == [90.0] * 3
    assert [each.width for each in line.words] == pytest.approx([20, 30, 10])
    assert [each.height for each in line.words] == pytest.approx([20, 20, 20])
    assert line.box == Box(100, 50, 180, 70)
    assert line.baseline is None
    assert line.text == "ab cde f"


def test_words_of_a_tilted_line_lie_on_it() -> None:
    """The boxes go down with the line, and its baseline does, too."""
    line = split("ab cd", [[100, 100], [200, 150], [190, 170], [90, 120]])
    assert boxes(line) == [("ab", (90, 100, 140, 140)), ("cd", (150, 130, 200, 170))]
    assert line.words[0].width == pytest.approx(44.7, abs=0.1)
    assert line.words[0].height == pytest.approx(22.4, abs=0.1)
    assert line.baseline is not None
    assert (line.baseline.x0, line.baseline.y0, line.baseline.x1, line.baseline.y1) == (92.5, 115, 192.5, 165)


def test_words_of_a_tall_rectangle_run_down() -> None:
    """Several letters in a tall rectangle are a line that runs down; one or two may be just narrow."""
    line = split("ab cd", [10, 10, 30, 110])
    assert boxes(line) == [("ab", (10, 10, 30, 50)), ("cd", (10, 70, 30, 110))]
    assert line.words[0].width == pytest.approx(40)
    narrow = split("1", [10, 10, 20, 40])
    assert (narrow.words[0].width, narrow.words[0].height) == (10, 30)


def test_chinese_without_spaces_is_one_word() -> None:
    """So are its pieces between which the text of a line has no space; other words are apart from it."""
    assert [each.text for each in split("编号一二三", [0, 0, 100, 20]).words] == ["编号一二三"]
    mixed = split("姓名 张三 Nr. 4711", [0, 0, 180, 20])
    assert [each.text for each in mixed.words] == ["姓名 张三", "Nr.", "4711"]
    assert mixed.text == "姓名 张三 Nr. 4711"
    # A character is two letters wide.
    assert boxes(mixed)[0][1] == (0, 0, 90, 20)
    assert split("가나 다라", [0, 0, 180, 20]).text == "가나 다라"
    assert len(split("가나 다라", [0, 0, 180, 20]).words) == 2


def test_arabic_begins_on_the_right() -> None:
    """The first word of a line that is written from right to left has the right end of its place."""
    assert boxes(split("سلام ab", [0, 0, 70, 20])) == [("سلام", (30, 0, 70, 20)), ("ab", (0, 0, 20, 20))]


def test_text_without_a_place_is_unplaced() -> None:
    """The text of a line is kept, word by word, if its place is rubbish."""
    line = split("total 12.50", [0, 0, 10**9, 20])
    assert boxes(line) == [("total", (0, 0, 0, 0)), ("12.50", (0, 0, 0, 0))]
    assert line.box == UNPLACED
    assert line.baseline is None


@pytest.mark.parametrize("value", [None, "", " \n\t", "\x00", "\ufeff", "\ud800", True, [], {}])
def test_what_has_no_text_is_left_out(value: Any) -> None:
    """Null, white space, control characters and other types have no text."""
    assert clean(value) == ""
    place = rectangle(0, 0, 10, 10, RECEIVED)
    assert word(Piece(value, 90.0, place), RECEIVED) is None
    assert split_line(Piece(value, 90.0, place), RECEIVED) is None
    assert line_of_words([Piece(value, 90.0, place)], RECEIVED) is None
    assert block_of([None]) == ()


def test_text_has_no_control_characters() -> None:
    """They become spaces, since sidecars in XML cannot have them; halves of characters vanish; numbers are texts."""
    assert clean(" a\x00b\r\nc\u00a0d\ud83de\x85 ") == "a b c de"
    assert clean(12.5) == "12.5"
    assert clean(10**5000) == ""


@pytest.mark.parametrize(
    ("value", "most", "expected"),
    [
        (0.5, 1.0, 50.0),
        ("0.98", 1.0, 98.0),
        ("98.5%", 1.0, 98.5),
        ("98 %", 100.0, 98.0),
        (87, 100.0, 87.0),
        (1.000001, 1.0, 100.0),
        (0, 1.0, 0.0),
        (-1, 100.0, None),
        (87, 1.0, None),
        (None, 1.0, None),
        (float("nan"), 1.0, None),
        ("high", 1.0, None),
        (True, 1.0, None),
        (10**400, 1.0, None),
    ],
)
def test_confidences_are_percentages(value: Any, most: float, expected: float | None) -> None:
    """Whatever their scale is; what is on another scale than the service's is unknown."""
    assert percent(value, most) == expected


def test_words_that_are_given_keep_their_places() -> None:
    """Words are as the service has them, even with a space; a line has its own baseline and the box of its words."""
    first, second = rectangle(10, 10, 40, 20, RECEIVED), rectangle(60, 10, 40, 20, RECEIVED)
    whole = polygon([[5, 8], [105, 8], [105, 32], [5, 32]], RECEIVED)
    pieces = [Piece("New York", 90.0, first), Piece(" ", 90.0, second), Piece("12", None, second)]
    line = line_of_words(pieces, RECEIVED, whole, paragraph=3)
    assert line is not None
    assert boxes(line) == [("New York", (10, 10, 50, 30)), ("12", (60, 10, 100, 30))]
    assert [each.confidence for each in line.words] == [90.0, None]
    assert line.paragraph == 3
    assert line.box == Box(10, 10, 100, 30)
    assert line.baseline is not None
    assert (line.baseline.y0, line.baseline.y1) == (26.0, 26.0)


def test_a_line_of_words_without_places_has_its_own() -> None:
    """The line is placed even if the service places only lines."""
    line = line_of_words([Piece("a"), Piece("b")], RECEIVED, polygon([5, 8, 105, 32], RECEIVED))
    assert line is not None
    assert line.box == Box(5, 8, 105, 32)
    assert [each.box for each in line.words] == [UNPLACED, UNPLACED]


def test_plain_text_becomes_blocks() -> None:
    """Empty lines are between blocks."""
    blocks = unplaced("\n\nHead line\r\n\r\n \nfirst\u2028second\n", 80.0)
    assert [[line.text for line in block.lines] for block in blocks] == [["Head line"], ["first", "second"]]
    assert blocks[0].box == UNPLACED
    assert [each.confidence for each in blocks[0].lines[0].words] == [80.0, 80.0]
    assert unplaced(" \n") == ()


def test_blocks_of_others_are_kept_within_the_image() -> None:
    """Boxes that cannot be are unplaced, others clipped; paragraphs stay, and empty text goes."""
    words = (
        Word("a", Box(990, 10, 1010, 30), 90.0),
        Word("b", Box(5000, 10, 5010, 30), float("nan")),
        Word("\x00", Box(0, 0, 5, 5), 90.0),
    )
    line = Line(words, Box(0, 0, 5010, 30), paragraph=2)
    (block,) = kept_within([Block((line,), line.box), Block((), UNPLACED)], RECEIVED)
    assert boxes(block.lines[0]) == [("a", (990, 10, 1000, 30)), ("b", (0, 0, 0, 0))]
    assert block.lines[0].words[1].confidence is None
    assert block.lines[0].paragraph == 2
