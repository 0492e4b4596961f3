"""Two readings of a page become one: of each line the text with more evidence, and no word lost or doubled."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.document import Block, Box, Line, Word, bounding_box
from ocrwatch.recognise.evidence import evidence
from ocrwatch.recognise.merging import Merged, merged
from ocrwatch.recognise.rows import Band, band_of, joined, line_of, rows_of

LEAST_ALONE = 50.0
HEIGHT, PITCH = 20, 30
"""Height and distance of rows."""

LETTER = 12
"""Width of a letter."""


def words(text: str, row: float, left: int = 0, confidence: float = 90.0, height: int = HEIGHT) -> list[Word]:
    """Set words in a row, one letter apart."""
    top, found = round(row * PITCH), []
    for each in text.split():
        right = left + LETTER * len(each)
        found.append(Word(each, Box(left, top, right, top + height), confidence))
        left = right + LETTER
    return found


def line(text: str, row: float, left: int = 0, confidence: float = 90.0, paragraph: int = 0) -> Line:
    """Set a line."""
    return line_of(words(text, row, left, confidence), paragraph)


def tall(text: str, rows: range, left: int = 0, confidence: float = 90.0) -> Line:
    """Set a line that is as high as some rows."""
    return line_of(words(text, rows.start, left, confidence, height=(len(rows) - 1) * PITCH + HEIGHT))


def block(*lines: Line) -> Block:
    """Make a block."""
    return Block(lines, bounding_box(each.box for each in lines))


def merge(first: Sequence[Block], second: Sequence[Line]) -> Merged:
    """Merge as the second reader does."""
    return merged(first, second, LEAST_ALONE)


def texts(page: Merged) -> list[list[str]]:
    """Return the texts of the lines of each block."""
    return [[each.text for each in found.lines] for found in page.blocks]


def all_words(blocks: Iterable[Block]) -> list[Word]:
    """Return the words in reading order."""
    return [word for found in blocks for each in found.lines for word in each.words]


def test_the_text_with_more_evidence_takes_the_place_and_paragraph_of_the_other() -> None:
    """A line that both readings have is that of the second if its words are surer."""
    first = [block(line("one", 0), line("tvvo", 1, confidence=60.0, paragraph=3), line("three", 2, paragraph=4))]
    page = merge(first, [line("two", 1, confidence=95.0)])
    assert texts(page) == [["one", "two", "three"]]
    assert [each.paragraph for each in page.blocks[0].lines] == [0, 3, 4]
    assert page.replaced == 1


@pytest.mark.parametrize("confidence", [60.0, 90.0, 94.0])
def test_a_line_of_which_the_first_reading_is_as_sure_stays(confidence: float) -> None:
    """A line is not replaced by one that has less evidence, or as much."""
    first = (block(line("alpha", 0, confidence=94.0), line("beta", 1, confidence=94.0)),)
    page = merge(first, [line("olpha", 0, confidence=confidence), line("bela", 1, confidence=confidence)])
    assert page == Merged(first, 0)


def test_nothing_is_said_for_either_reading() -> None:
    """A line of which both readings are in doubt is that of the first, as doubtful as it is."""
    first = (block(line("???", 0, confidence=30.0)),)
    assert merge(first, [line("xxx", 0, confidence=40.0)]) == Merged(first, 0)


def test_an_empty_first_reading() -> None:
    """A page on which only the second reader found print has its rows, from top to bottom and from left to right."""
    page = merge([], [line("below", 1), line("right", 0, left=300), line("left", 0)])
    assert sorted(word.text for word in all_words(page.blocks)) == ["below", "left", "right"]
    assert [word.text for word in all_words(page.blocks)] == ["left", "right", "below"]
    assert page.replaced == 2


def test_columns_of_which_the_first_reading_has_nothing() -> None:
    """A page of two columns on which only the second reader found print is read one column after the other."""
    names = [[f"{column}{row}-long-words" for row in range(6)] for column in ("left", "right")]
    second = [line(text, row, left=400 * at) for at, column in enumerate(names) for row, text in enumerate(column)]
    assert [word.text for word in all_words(merge([], second).blocks)] == [*names[0], *names[1]]


def test_an_empty_second_reading() -> None:
    """A page on which the second reader found nothing keeps the lines of the first that are sure."""
    first = [block(line("sure", 0, confidence=90.0)), block(line("stain", 1, confidence=49.0))]
    page = merge(first, [])
    assert page == Merged((first[0],), 0)


def test_both_readings_empty() -> None:
    """A page without a line stays one."""
    assert merge([], []) == Merged((), 0)


@pytest.mark.parametrize(("confidence", "stays"), [(30.0, False), (49.9, False), (50.0, True), (95.0, True)])
def test_a_line_that_only_the_first_reading_has_needs_confidence(confidence: float, *, stays: bool) -> None:
    """A line that the second reader did not see is left out if the first one was in doubt of it, too."""
    first = [block(line("alone", 0, confidence=confidence), line("both", 2))]
    page = merge(first, [line("both", 2, confidence=96.0)])
    assert texts(page) == [["alone", "both"] if stays else ["both"]]
    assert page.blocks[0].box == bounding_box(each.box for each in page.blocks[0].lines)
    assert page.replaced == 1


def test_a_line_that_only_the_second_reading_has_follows_the_one_above() -> None:
    """A line that the first reading has missed is put below the line above it, in that one's paragraph."""
    first = [block(line("one", 0), line("two", 1, paragraph=1), line("four", 3, paragraph=2))]
    page = merge(first, [line("three", 2, paragraph=0)])
    assert texts(page) == [["one", "two", "three", "four"]]
    assert [each.paragraph for each in page.blocks[0].lines] == [0, 1, 1, 2]
    assert page.replaced == 1


def test_several_missed_lines_come_in_their_order() -> None:
    """Lines that the first reading has missed come from top to bottom."""
    page = merge([block(line("one", 0), line("five", 4))], [line(text, row) for row, text in enumerate("bcd", 1)][::-1])
    assert texts(page) == [["one", "b", "c", "d", "five"]]


def test_a_missed_line_above_all_others_comes_first() -> None:
    """A line above which there is none is put before the one below it."""
    page = merge([block(line("one", 1, paragraph=2), line("two", 2, paragraph=2))], [line("title", 0)])
    assert texts(page) == [["title", "one", "two"]]
    assert page.blocks[0].lines[0].paragraph == 2


def test_a_missed_line_stays_in_its_column() -> None:
    """A line that is missing in one of two columns is put below the line above it in the same column."""
    left = block(*(line(f"left {row}", row) for row in range(4)))
    right = block(*(line(f"right {row}", row, left=400) for row in range(4) if row != 2))
    page = merge([left, right], [line("right 2", 2, left=400)])
    assert texts(page) == [[f"{column} {row}" for row in range(4)] for column in ("left", "right")]


def test_missed_lines_of_two_columns_are_not_joined() -> None:
    """Lines that are missing in both columns at the same height are each put into their own column."""
    left, right = (
        block(*(line(f"{column} {row}", row, left=at) for row in range(4) if row != 2))
        for column, at in (("left", 0), ("right", 400))
    )
    page = merge([left, right], [line("left 2", 2), line("right 2", 2, left=400)])
    assert texts(page) == [[f"{column} {row}" for row in range(4)] for column in ("left", "right")]


def test_a_missed_line_beside_all_others_is_a_block_by_itself() -> None:
    """A line that has no other above or below it is a block, before the first one that begins below it."""
    first = [block(line("above", 0)), block(line("below", 4))]
    page = merge(first, [line("beside", 2, left=500)])
    assert texts(page) == [["above"], ["beside"], ["below"]]


def test_one_line_of_the_first_that_is_two_of_the_second() -> None:
    """A line that the second reader has parted at a wide gap is compared with both parts at once, and stays one."""
    first = [block(line_of(words("Mi1k", 0, confidence=70.0) + words("l.20", 0, left=300, confidence=60.0)))]
    second = [line("1.20", 0, left=300, confidence=95.0), line("Milk", 0, confidence=95.0)]
    page = merge(first, second)
    assert texts(page) == [["Milk 1.20"]]
    assert page.replaced == 1
    assert merge(first, [line("Mi1k", 0, confidence=60.0), line("1.20", 0, left=300, confidence=60.0)]).replaced == 0


def test_two_lines_of_the_first_that_are_one_of_the_second() -> None:
    """A line that the first reading has in two parts is put once, and neither part stays beside it."""
    first = [block(line("Mi1k", 0, confidence=60.0), line("1.20", 0, left=100, confidence=60.0)), block(line("end", 1))]
    page = merge(first, [line_of(words("Milk", 0, confidence=95.0) + words("1.20", 0, left=100, confidence=95.0))])
    assert texts(page) == [["Milk 1.20"], ["end"]]
    assert page.replaced == 1
    sure = [block(line("Milk", 0, confidence=95.0), line("1.20", 0, left=100, confidence=95.0))]
    kept = merge(sure, [line_of(words("Milk", 0, confidence=90.0) + words("1.20", 0, left=100, confidence=90.0))])
    assert kept == Merged(tuple(sure), 0)


def test_lines_that_hang_together_are_compared_at_once() -> None:
    """A line with less evidence than its two parts together is replaced, though it has more than either."""
    first = [block(line("abcdef", 0, confidence=80.0))]
    second = [line("abc", 0, confidence=96.0), line("def", 0, left=4 * LETTER, confidence=96.0)]
    assert texts(merge(first, second)) == [["abc def"]]


def test_rubbish_over_several_rows_is_replaced_by_the_rows() -> None:
    """A line that is as tall as three rows and says little gives way to these, in their order."""
    first = [block(tall("#", range(3), confidence=60.0))]
    page = merge(first, [line(text, row) for row, text in enumerate(("one", "two", "three"))])
    assert texts(page) == [["one", "two", "three"]]
    assert page.replaced == 3


def test_rubbish_beside_rows_that_both_have() -> None:
    """A tall stroke that the first reading has beside its rows disturbs neither their order nor their number."""
    rows = ("one", "two", "three")
    first = [block(*(line(text, row, confidence=70.0) for row, text in enumerate(rows)), tall("|", range(3), left=6))]
    page = merge(first, [line(text, row, confidence=96.0) for row, text in enumerate(rows)])
    assert texts(page) == [list(rows)]
    assert page.replaced == 3


def test_rubbish_before_rows_that_both_have() -> None:
    """A tall stroke in a block before the rows disturbs their order as little."""
    rows = ("one", "two", "three")
    first = [
        block(tall("|", range(3), left=6, confidence=55.0)),
        block(*(line(text, row, confidence=70.0) for row, text in enumerate(rows))),
    ]
    page = merge(first, [line(text, row, confidence=96.0) for row, text in enumerate(rows)])
    assert [word.text for word in all_words(page.blocks)] == list(rows)


def test_one_stroke_does_not_spoil_a_lines_band() -> None:
    """A line stands where most of its words do, so that one tall word does not join it with its neighbours."""
    stroke = Word("l", Box(200, 0, 205, 3 * PITCH), 60.0)
    first = [block(line("one", 0), line_of([*words("two or three", 1), stroke]), line("four", 2))]
    assert band_of(first[0].lines[1].words).top == PITCH
    page = merge(first, [line("four", 2, confidence=96.0)])
    assert texts(page) == [["one", "two or three l", "four"]]
    assert page.replaced == 1


def test_a_block_without_a_line_goes() -> None:
    """A block all of whose lines are left out is no block of the page."""
    first = [block(line("~", 0, confidence=35.0)), block(line("text", 2))]
    assert texts(merge(first, [line("text", 2, confidence=60.0)])) == [["text"]]


def test_rows_are_joined_from_left_to_right() -> None:
    """Lines beside each other become one, lines above each other stay apart."""
    pieces = [line("c", 1), line("b", 0, left=100), line("a", 0.1), line("d", 1.2, left=100)]
    found = [joined(row) for row in rows_of(pieces)]
    assert [each.text for each in found] == ["a b", "c d"]
    assert found[0].box == Box(0, 0, 100 + LETTER, 3 + HEIGHT)
    overlapping = rows_of([line("a", 0), line("b", 0.1)])
    assert [[each.text for each in row] for row in overlapping] == [["a"], ["b"]]


@st.composite
def readings(draw: st.DrawFn) -> tuple[list[Block], list[Line]]:
    """Make two readings of one page at random, whose words all differ."""
    names = (f"{letter}{number}" for number in itertools.count() for letter in "abcdefgh")

    def some_line() -> Line:
        top, left = draw(st.integers(0, 200)), draw(st.integers(0, 300))
        height, confidence = draw(st.sampled_from((10, 18, 20, 22, 90))), draw(st.floats(0, 100))
        found = []
        for _ in range(draw(st.integers(1, 3))):
            width, rise = draw(st.integers(5, 120)), draw(st.integers(0, 4))
            found.append(Word(next(names), Box(left, top + rise, left + width, top + height), confidence))
            left += width + draw(st.integers(0, 60))
        return line_of(found, draw(st.integers(0, 2)))

    first = [block(*(some_line() for _ in range(count))) for count in draw(st.lists(st.integers(1, 4), max_size=4))]
    return first, [some_line() for _ in range(draw(st.integers(0, 8)))]


def groups(first: Sequence[Line], second: Sequence[Line]) -> list[list[Line]]:
    """Return the lines that hang together, slowly: each with all that lie in its place, and so on."""
    lines = [(False, each) for each in first] + [(True, each) for each in second]
    bands = [band_of(each.words) for _, each in lines]
    left, found = set(range(len(lines))), []
    while left:
        group, new = set[int](), {min(left)}
        while new:
            group |= new
            new = {
                other
                for other in left - group
                if any(
                    lines[at][0] != lines[other][0]
                    and bands[at].same_row(bands[other])
                    and bands[at].overlaps_horizontally(bands[other])
                    for at in group
                )
            }
        left -= group
        found.append([lines[at][1] for at in sorted(group)])
    return found


@given(readings())
def test_no_word_is_lost_doubled_or_invented(both: tuple[list[Block], list[Line]]) -> None:
    """A merged page has, of each group of lines in the same place, all words of one reading, and each of them once."""
    first, second = both
    olds = [each for found in first for each in found.lines]
    page = merge(first, second)
    count = Counter(all_words(page.blocks))
    assert set(count.values()) <= {1}
    assert set(count) <= {word for each in (*olds, *second) for word in each.words}
    for group in groups(olds, second):
        mine = {word for each in group if each in olds for word in each.words}
        others = {word for each in group if each in second for word in each.words}
        kept = {word for word in mine | others if count[word]}
        assert kept in (mine, others)
        if others:
            assert evidence(kept) >= max(evidence(mine), evidence(others)) - 1e-9
        else:
            (alone,) = group
            assert bool(kept) == ((alone.confidence or 0.0) >= LEAST_ALONE)
    new = {word for each in second for word in each.words}
    lines = [each for found in page.blocks for each in found.lines]
    assert page.replaced == sum(bool(new.intersection(each.words)) for each in lines)


@given(readings())
def test_boxes_are_those_of_the_words(both: tuple[list[Block], list[Line]]) -> None:
    """The box of each line and block of a merged page is the smallest round what is in it."""
    for found in merge(*both).blocks:
        assert found.lines
        assert found.box == bounding_box(each.box for each in found.lines)
        for each in found.lines:
            assert each.box == bounding_box(word.box for word in each.words)


@given(readings())
def test_the_first_reading_keeps_its_order(both: tuple[list[Block], list[Line]]) -> None:
    """Words of the first reading that stay are in the order that it gave them."""
    first, second = both
    before = all_words(first)
    stayed = [word for word in all_words(merge(first, second).blocks) if word in set(before)]
    assert stayed == [word for word in before if word in set(stayed)]


@given(readings())
def test_a_page_merged_with_itself_is_itself(both: tuple[list[Block], list[Line]]) -> None:
    """A second reading that is the first one changes nothing."""
    first, _ = both
    assert merge(first, [each for found in first for each in found.lines]) == Merged(tuple(first), 0)


def test_a_line_where_the_second_reading_has_not_looked_stays() -> None:
    """A faint price beside a label of which the first reader is sure was not read again, and is no stain."""
    first = [block(line("label", 0), line("3.99", 0, left=300, confidence=45.0), line("stain", 3, confidence=45.0))]
    second = [line("other", 6)]
    strip = Band(0, 0, 400, HEIGHT)
    (looked,), (not_looked,) = (
        texts(merged(first, second, LEAST_ALONE)),
        texts(merged(first, second, LEAST_ALONE, [strip])),
    )
    assert sorted(not_looked) == ["3.99", "label", "other"]
    assert looked == ["label", "other"]


def test_a_page_full_of_lines_is_merged_in_seconds() -> None:
    """A newspaper, or noise, with a thousand lines in either reading takes no minutes."""
    first = [block(*(line(f"a{row}", row) for row in range(1000)))]
    second = [line(f"b{row}", row, left=500 * (row % 2), confidence=99.0) for row in range(1000)]
    begun = time.process_time()
    assert len(all_words(merge(first, second).blocks)) >= 1000
    assert time.process_time() - begun < 20
