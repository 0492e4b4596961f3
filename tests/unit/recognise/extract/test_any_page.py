"""Whatever is on a page, and whatever was read there: tables are well-formed, or there are none."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from ocrwatch.document import UNPLACED, Block, Box, Cell, EngineInfo, Line, Page, Table, Upright, Word
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.tables import with_tables
from tests.table_images import DrawnTable, Rules, draw_table, simple
from tests.unit.recognise.extract.sheets import PORTS, PROSE, Sheet, cells_of, find, find_tables, truth_of

WIDTH, HEIGHT = 420, 300
COLUMN, ROW = 60, 24
TEXTS = (
    "12",
    "1,340",
    "Oslo",
    "the",
    "a",
    "-",
    "|",
    "|Riga",
    "7|",
    "_",
    "[x]",
    "\u2014",
    "n.a.",
    "漢",
    "字",
    "$5",
    "…",
)
RULE_CHARACTERS = str.maketrans("", "", "|_[]{}\u00a6 ")


@st.composite
def _boxes(draw: st.DrawFn) -> Box:
    """Draw a place near one of a grid's, or anywhere, or none."""
    way = draw(st.integers(0, 9))
    if way == 0:
        return UNPLACED
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 30))
    if way == 1:
        left, top = draw(st.integers(-50, WIDTH + 50)), draw(st.integers(-50, HEIGHT + 50))
    else:
        width, height = min(width, COLUMN), 14
        left, top = (
            30 + COLUMN * draw(st.integers(0, 5)) + draw(st.integers(0, 9)),
            30 + ROW * draw(st.integers(0, 8)) + draw(st.integers(0, 2)),
        )
    return Box(left, top, left + width, top + height)


@st.composite
def _words(draw: st.DrawFn) -> Word:
    box = draw(_boxes())
    confidence = draw(st.none() | st.floats(0, 100))
    size = draw(st.sampled_from(["known", "known", "known", "unknown", "odd"]))
    if size == "unknown":
        return Word(draw(st.sampled_from(TEXTS)), box, confidence)
    width, height = float(box.right - box.left), float(box.bottom - box.top)
    if size == "odd":
        width, height = draw(st.integers(0, 2000)) / 10, draw(st.integers(0, 600)) / 10  # as they are rounded
    return Word(draw(st.sampled_from(TEXTS)), box, confidence, width, height)


@st.composite
def _uprights(draw: st.DrawFn) -> Upright | None:
    """Draw how the page lies: mostly straight."""
    way = draw(st.sampled_from(["straight", "straight", "straight", "turned", "photographed", "unknown"]))
    if way == "unknown":
        return None
    if way == "straight":
        return Upright(0, 0.0, WIDTH, HEIGHT, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    if way == "photographed":
        return Upright(0, 0.0, WIDTH, HEIGHT, (1.1, 0.05, -9.0, 0.02, 0.9, 4.0, 1e-4, -2e-4, 1.0))
    angle = draw(st.floats(-45, 45))
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = WIDTH / 2, HEIGHT / 2
    matrix = (cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y, 0.0, 0.0, 1.0)
    return Upright(0, round(angle, 2), WIDTH, HEIGHT, matrix)


@st.composite
def _pictures(draw: st.DrawFn) -> Gray:
    """Draw rules, dark and light ones, some of them where a grid would have them."""
    paper = draw(st.sampled_from([255, 255, 190, 20]))
    image = Image.new("L", (WIDTH, HEIGHT), paper)
    pen = ImageDraw.Draw(image)
    for x in draw(st.just(range(7)) | st.lists(st.integers(0, 6), max_size=7)):
        pen.line((25 + COLUMN * x, 25, 25 + COLUMN * x, 25 + ROW * 9), fill=0, width=2)
    for y in draw(st.just(range(10)) | st.lists(st.integers(0, 9), max_size=7)):
        pen.line((25, 25 + ROW * y, 25 + COLUMN * 6, 25 + ROW * y), fill=0, width=2)
    across, down = st.integers(0, WIDTH), st.integers(0, HEIGHT)
    for _ in range(draw(st.integers(0, 6))):
        x, y, ink, width = draw(across), draw(down), draw(st.sampled_from([0, 120, 255])), draw(st.integers(1, 6))
        ends = (x, y, draw(across), y) if draw(st.booleans()) else (x, y, x, draw(down))
        pen.line(ends, fill=ink, width=width)
    return np.asarray(image)


@st.composite
def _pages(draw: st.DrawFn) -> Page:
    """Draw a page with words anywhere, and with rows and columns of words on many pages."""
    words = draw(st.lists(_words(), max_size=20))
    chance = draw(st.randoms(use_true_random=False))
    if draw(st.integers(0, 9)):
        rows, columns, share = draw(st.integers(2, 9)), draw(st.integers(2, 6)), draw(st.sampled_from([0.6, 0.9, 1.0]))
        words += _in_rows(rows, columns, share, chance)
    lines = tuple(Line((word,), word.box) for word in words)
    engine = EngineInfo("test", "1", ("eng",))
    return Page(WIDTH, HEIGHT, None, 1, (Block(lines, Box(0, 0, 1, 1)),), engine, upright=draw(_uprights()))


def _in_rows(rows: int, columns: int, share: float, chance: Random) -> Iterator[Word]:
    """Yield words in rows and columns; some places are empty, and some words reach into the next one."""
    for row in range(rows):
        for column in range(columns):
            if chance.random() < share:
                left, top = 31 + COLUMN * column + chance.randint(0, 6), 30 + ROW * row + chance.randint(0, 2)
                width = 80 if chance.random() < 0.05 else chance.randint(10, 44)
                box = Box(left, top, left + width, top + 14)
                yield Word(
                    chance.choice((*TEXTS, *map(str, range(12)))),
                    box,
                    chance.choice((None, 30.0, 95.0)),
                    float(width),
                    14.0,
                )


def assert_well_formed(tables: tuple[Table, ...], page: Page) -> None:
    """Check all that is true of any tables."""
    indices = [index for table in tables for cell in table.cells for index in cell.words]
    assert all(0 <= index < len(page.words) for index in indices)
    assert len(indices) == len(set(indices))
    for table in tables:
        assert 0 <= table.confidence <= 100
        assert table.rows >= 1
        assert table.columns >= 1
        places = Counter(
            (row, column)
            for cell in table.cells
            for row in range(cell.row, cell.row + cell.rows)
            for column in range(cell.column, cell.column + cell.columns)
        )
        assert places == Counter((row, column) for row in range(table.rows) for column in range(table.columns))
        order = [(cell.row, cell.column) for cell in table.cells]
        assert order == sorted(order)
        for cell in table.cells:
            words = [page.words[index] for index in cell.words]
            assert all(word.box != UNPLACED for word in words)
            assert cell.text.translate(RULE_CHARACTERS) == "".join(word.text for word in words).translate(
                RULE_CHARACTERS
            )
            assert bool(cell.text) == bool(words)
            assert cell.confidence is None or 0 <= cell.confidence <= 100
        places_on_page: list[Table | Cell] = [table, *table.cells]
        for each in places_on_page:
            assert each.box.left < each.box.right
            assert each.box.top < each.box.bottom
            assert all(map(math.isfinite, each.corners))


@given(_pages(), _pictures(), st.sampled_from([1, 1, 2]))
def test_tables_of_any_page_are_well_formed(page: Page, gray: Gray, reduction: int) -> None:
    """Cells cover each row and column once, and each word is in one cell at most; twice it is the same."""
    given_gray = gray[::reduction, ::reduction]
    found = with_tables(given_gray, reduction, page)
    tables = found.tables or ()
    event(f"{len(tables)} tables")
    assert_well_formed(tables, found)
    assert with_tables(given_gray, reduction, page) == found
    if page.upright is None:
        assert tables == ()
    elif page.upright.matrix[0] == 1.0:
        tops = [table.corners[1] for table in tables]
        assert tops == sorted(tops)


def each_word(page: Page, change: Callable[[Word], Word]) -> Page:
    """Return a page with changed words."""
    blocks = tuple(
        replace(block, lines=tuple(replace(line, words=tuple(map(change, line.words))) for line in block.lines))
        for block in page.blocks
    )
    return replace(page, blocks=blocks)


PLAIN: DrawnTable = draw_table(simple(PORTS))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(replace(PLAIN.page(), upright=None), id="it is unknown how it lies"),
        pytest.param(replace(PLAIN.page(), blocks=()), id="no words"),
        pytest.param(each_word(PLAIN.page(), lambda word: replace(word, box=UNPLACED)), id="no places"),
        pytest.param(
            each_word(PLAIN.page(), lambda word: replace(word, box=UNPLACED, width=0.0, height=0.0)),
            id="neither places nor sizes",
        ),
        pytest.param(each_word(PLAIN.page(), lambda word: replace(word, width=0.0, height=0.0)), id="no sizes"),
        pytest.param(each_word(PLAIN.page(), lambda word: replace(word, text="")), id="no texts"),
    ],
)
def test_without_places_there_are_no_tables(page: Page) -> None:
    """Some engines give none; a grid without them is empty."""
    assert find_tables(PLAIN.gray, 1, page) == ()


def test_words_without_a_place_are_in_no_table() -> None:
    """The others are, with their own indices."""
    page = PLAIN.page()
    lost = Word("lost", UNPLACED, 90.0, 60.0, 20.0)
    block = Block((Line((lost,), UNPLACED),), UNPLACED)
    (table,) = find_tables(PLAIN.gray, 1, replace(page, blocks=(block, *page.blocks)))
    assert cells_of(table) == truth_of(PLAIN.cells)
    assert min(index for cell in table.cells for index in cell.words) == 1


def test_words_without_confidence_are_read() -> None:
    """Some engines give none; then cells have none, too."""
    (table,) = find_tables(PLAIN.gray, 1, each_word(PLAIN.page(), lambda word: replace(word, confidence=None)))
    assert cells_of(table) == truth_of(PLAIN.cells)
    assert {cell.confidence for cell in table.cells} == {None}


@pytest.mark.parametrize("height", [0.1, 1.0, 1000.0, 100_000.0])
def test_any_height_of_type_is_possible(height: float) -> None:
    """Engines err: nothing divides by it, and no image is made as large as it."""
    page = each_word(PLAIN.page(), lambda word: replace(word, height=height))
    found = with_tables(PLAIN.gray, 1, page)
    assert_well_formed(found.tables or (), found)


def test_a_page_may_be_one_pixel() -> None:
    """Whatever was read there."""
    found = with_tables(PLAIN.gray[:1, :1], 1, PLAIN.page())
    assert_well_formed(found.tables or (), found)


def halftone(across: range, down: range, dash: int) -> Sheet:
    """Make a page of prose with dashes all over it, from left to right and from top to bottom."""
    sheet = Sheet(1200, 1300)
    for y in across:
        for x in range(0, 1200, dash + 8):
            sheet.rule(x, y, x + dash, y, width=2)
    for x in down:
        for y in range(0, 1300, dash + 8):
            sheet.rule(x, y, x, y + dash, width=2)
    for number in range(20):
        sheet.write(PROSE[number % len(PROSE)], 60, 60 + 60 * number, size=22)
    return sheet


@pytest.mark.parametrize(
    ("across", "down"),
    [
        pytest.param(range(0, 1300, 9), range(0), id="from left to right"),
        pytest.param(range(0), range(0, 1200, 9), id="from top to bottom"),
        pytest.param(range(0, 1300, 9), range(0, 1200, 9), id="crossing"),
        pytest.param(range(0, 1300, 16), range(0, 1200, 16), id="a screen"),
    ],
)
def test_thousands_of_rules_take_no_longer_than_reading(across: range, down: range) -> None:
    """A picture printed in lines is no reason to wait."""
    drawn = halftone(across, down, 60).drawn
    page = drawn.page()
    begin = time.process_time()
    found = with_tables(drawn.gray, 1, page)
    seconds = time.process_time() - begin
    assert_well_formed(found.tables or (), found)
    # A third of that on a quiet machine; with time that grows by the square of the rules it was half a minute.
    assert seconds < 6


def test_tables_are_in_order_from_the_top() -> None:
    """In whatever order their kinds are looked for."""
    kinds: tuple[Rules, ...] = ("none", "grid", "rows", "grid", "header")
    drawn = [draw_table(simple(PORTS), rules=kind) for kind in kinds]
    sheet = Sheet(1000, sum(each.image.height for each in drawn))
    top = 0
    for each in drawn:
        sheet.paste(each, 0, top)
        top += each.image.height
    tables = find(sheet.drawn)
    assert [table.kind for table in tables] == ["aligned", "grid", "rules", "grid", "rules"]
    assert [table.box.top for table in tables] == sorted(table.box.top for table in tables)
    assert_well_formed(tables, sheet.drawn.page())
