"""Tables and fields of pages that a service has read; parts of them are read again here, if there is an engine."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ocrwatch.document import UNPLACED, Block, Box, Line, Page, Standing, Word
from ocrwatch.errors import Truncated
from ocrwatch.recipe import FieldRule, Recipe, RemoteService
from ocrwatch.recognise.engine_choice import has_second_reader
from ocrwatch.recognise.remote.answered import placed
from ocrwatch.recognise.remote.extraction import here, with_extracts
from ocrwatch.recognise.remote.prepare import prepare
from tests.code_images import code_image, with_code
from tests.rendering import encode
from tests.table_images import DrawnTable, draw_table, skewed
from tests.unit.recognise.extract.sheets import PROSE
from tests.unit.recognise.extract.test_any_page import assert_well_formed
from tests.unit.recognise.extract.test_reading import PLAIN, assert_has_ports
from tests.unit.recognise.fields.test_reading import RULES, by_name, receipt
from tests.unit.recognise.remote.service import ANY, ENGINE, lost, page_of, read, recipe

pytestmark = pytest.mark.slow

RECEIPT = encode(receipt(), quality=92)


@pytest.fixture
def no_engine(tmp_path: Path) -> str:
    """Return a folder without language data."""
    return str(tmp_path)


def seen(drawn: DrawnTable, image: Image.Image, degrees: float) -> tuple[Block, ...]:
    """Return what a perfect service reads on a table that lies skewed: each word as a line, with its bounding box."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    blocks = []
    for text, box in drawn.words:
        x, y = (box.left + box.right - drawn.image.width) / 2, (box.top + box.bottom - drawn.image.height) / 2
        across, down = (box.right - box.left) / 2, (box.bottom - box.top) / 2
        x, y = cosine * x - sine * y + image.width / 2, sine * x + cosine * y + image.height / 2
        across, down = across * cosine + down * abs(sine), down * cosine + across * abs(sine)
        place = Box(round(x - across), round(y - down), round(x + across), round(y + down))
        blocks.append(Block((Line((Word(text, place, 95.0),), place),), place))
    return tuple(blocks)


@pytest.mark.parametrize("degrees", [-3.0, 0.0, 2.0])
@pytest.mark.parametrize("has_engine", [True, False])
def test_tables_are_found_as_on_pages_that_were_read_here(
    degrees: float,
    has_engine: bool,  # noqa: FBT001 - a parameter of the test
    no_engine: str,
) -> None:
    """Also on a skewed scan that was sent as it is, and without an engine for second looks."""
    drawn = draw_table(PLAIN, above=PROSE[:2], below=PROSE[2:4])
    image = skewed(drawn, degrees).image
    scan = encode(image, quality=92)
    wanted = recipe(tables=True, tessdata="" if has_engine else no_engine)
    _, sent = prepare(scan, wanted, ANY, 0)
    page = with_extracts(placed(seen(drawn, image, degrees), sent, wanted, ENGINE, in_order=False), scan, wanted)
    assert page.tables is not None
    (table,) = page.tables
    assert_has_ports(table)
    assert table.kind == "grid"
    assert_well_formed(page.tables, page)
    assert page.warnings == ()
    assert [name for name, _ in page.timings] == ["prepare", "decode", "tables"]


def test_nothing_is_decoded_if_nothing_is_wanted() -> None:
    """The page stays as it is."""
    page = page_of(RECEIPT, recipe())
    assert with_extracts(page, b"", recipe()) is page
    with pytest.raises(Truncated):
        with_extracts(page, b"", recipe(tables=True))


def test_fields_are_found_and_looked_at_again() -> None:
    """By an engine of this machine: what it reads alike is verified."""
    rules = (*RULES, FieldRule("shop", "text", zone=(0.05, 0.05, 0.95, 0.14)))
    page = with_extracts(page_of(RECEIPT, recipe()), RECEIPT, recipe(fields=rules, second="none"))
    fields = by_name(page)
    assert (fields["total"].value, fields["total"].standing) == ("12.50", Standing.VERIFIED)
    assert (fields["number"].value, fields["number"].standing) == ("K-20816", Standing.VERIFIED)
    assert (fields["shop"].value, fields["shop"].standing) == ("CORNER SHOP", Standing.VERIFIED)
    assert fields["card"].standing is Standing.MISSING
    assert page.warnings == ()


def test_fields_are_found_without_an_engine(no_engine: str) -> None:
    """The service's text is the only ground then."""
    rules = (*RULES, FieldRule("shop", "text", zone=(0.05, 0.05, 0.95, 0.14)))
    page = with_extracts(page_of(RECEIPT, recipe()), RECEIPT, recipe(fields=rules, tessdata=no_engine))
    fields = by_name(page)
    assert fields["total"].value == "12.50"
    assert (fields["number"].value, fields["number"].standing) == ("K-20816", Standing.READ)
    assert (fields["shop"].value, fields["shop"].standing) == ("CORNER SHOP", Standing.READ)
    assert page.warnings == ()


def test_text_without_places_has_the_fields_that_its_lines_show() -> None:
    """It has no tables. A zone is read here."""
    content, sent = prepare(RECEIPT, recipe(), ANY, 0)
    rules = (*RULES, FieldRule("shop", "text", zone=(0.05, 0.05, 0.95, 0.14)))
    bare = placed(lost(read(content)), sent, recipe(), ENGINE)
    page = with_extracts(bare, RECEIPT, recipe(tables=True, fields=rules))
    fields = by_name(page)
    assert page.tables == ()
    assert (fields["date"].value, fields["total"].value) == ("2026-11-24", "12.50")
    assert (fields["total"].box, fields["total"].corners) == (UNPLACED, None)
    assert fields["shop"].value == "CORNER SHOP"
    assert page.text == bare.text


def test_a_page_without_text_has_no_fields() -> None:
    """All are missing; nothing fails."""
    _, sent = prepare(RECEIPT, recipe(), ANY, 0)
    page = with_extracts(placed((), sent, recipe(), ENGINE), RECEIPT, recipe(tables=True, fields=RULES))
    assert page.tables == ()
    assert {field.standing for field in page.fields or ()} == {Standing.MISSING}


def test_a_reduced_reading_has_its_tables_and_fields() -> None:
    """Without enhancement the scan is decoded at its full size."""
    wanted = recipe(fields=RULES, tables=True)
    reduced = replace(wanted, enhance=replace(wanted.enhance, enabled=False))
    page: Page = with_extracts(page_of(RECEIPT, reduced), RECEIPT, reduced)
    assert by_name(page)["total"].value == "12.50"


def test_which_engines_of_this_machine_stand_in_for_a_service() -> None:
    """The usual one for a first reader; none for a second one, since it was chosen instead of PP-OCR."""
    service = RemoteService("cloud", "made-up", "http://127.0.0.1/")
    assert here(Recipe("remote:cloud", remote=service)) == Recipe()
    assert here(Recipe("tesserocr", second="remote:cloud", remote=service)) == Recipe("tesserocr", second="none")
    assert not has_second_reader(Recipe("tesserocr", second="remote:cloud", remote=service))


def test_codes_are_found_without_an_engine(no_engine: str) -> None:
    """None is needed; those of a first reading are kept, and the scan is not decoded again."""
    image = receipt()
    box = with_code(image, code_image("qr", "TAG:receipt"), 60, 60)
    scan = encode(image, quality=92)
    wanted = recipe(codes=True, tessdata=no_engine)
    page = with_extracts(page_of(RECEIPT, wanted), scan, wanted)
    (code,) = page.codes or ()
    assert code.text == "TAG:receipt"
    assert code.box.left == pytest.approx(box.left, abs=4)
    assert [name for name, _ in page.timings][-2:] == ["decode", "codes"]
    assert with_extracts(page, b"", wanted) is page
