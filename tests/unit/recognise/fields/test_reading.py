"""Fields of scans that are really read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ocrwatch.document import LONGEST_VALUE, Field, Page, Standing
from ocrwatch.errors import EnvironmentFault
from ocrwatch.executors.rendering import render_packed, render_page
from ocrwatch.recipe import FieldRule, Recipe
from ocrwatch.recognise import tables_and_fields
from ocrwatch.recognise.extract.fields.extraction import with_fields
from ocrwatch.recognise.page import recognise
from ocrwatch.render.base import RenderRequest
from ocrwatch.render.registry import flaw_of
from tests.rendering import encode
from tests.unit.recognise.extract.sheets import Sheet
from tests.unit.recognise.fields.text_pages import text_page

RULES = (
    FieldRule("date", "date", near=("date",), locale="en_GB"),
    FieldRule("total", "amount", near=("total",), equals=("cash - change",)),
    FieldRule("cash", "amount", near=("cash",)),
    FieldRule("change", "amount", near=("change",)),
    FieldRule("number", "code", near=("receipt no",)),
    FieldRule("card", "luhn"),
)
RECIPE = Recipe(second="none", fields=RULES)
LINES = (
    "CORNER SHOP", "Receipt no: K-20816", "Date: 24/11/2026 18:43", "Bread 2.40", "Cheese 10.10", "Total 12.50",
    "Cash 20.00", "Change 7.50", "Thank you for your visit",
)  # fmt: skip


def receipt() -> Image.Image:
    """Return the picture of a receipt."""
    sheet = Sheet(900, 800)
    for number, line in enumerate(LINES):
        sheet.write(line, 80, 80 + 60 * number)
    return sheet.image


def by_name(page: Page) -> dict[str, Field]:
    """Return the fields of a page by name."""
    return {field.name: field for field in page.fields or ()}


def test_fields_are_found_if_they_are_wanted() -> None:
    """All else on the page is the same; without rules it has no fields."""
    scan = encode(receipt(), quality=92)
    page, bare = recognise(scan, RECIPE), recognise(scan, replace(RECIPE, fields=()))
    fields = by_name(page)
    assert {name: field.value for name, field in fields.items()} == {
        "date": "2026-11-24", "total": "12.50", "cash": "20.00", "change": "7.50", "number": "K-20816", "card": "",
    }  # fmt: skip
    assert fields["total"].standing is Standing.VERIFIED
    assert fields["card"].standing is Standing.MISSING
    assert bare.fields is None
    assert replace(page, fields=None, timings=()) == replace(bare, timings=())
    assert [name for name, _ in page.timings] == ["decode", "enhance", "engine", "fields"]
    assert [name for name, _ in bare.timings] == ["decode", "enhance", "engine"]


@pytest.mark.parametrize("turned", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180])
def test_fields_have_their_places_on_a_page_that_lies_on_its_side(turned: Image.Transpose) -> None:
    """The box is where the print is on the scan."""
    image = receipt().transpose(turned)
    total = by_name(recognise(encode(image, quality=92), RECIPE))["total"]
    box = total.box
    ink = np.asarray(image.convert("L")) < 128
    assert total.value == "12.50"
    assert ink[box.top : box.bottom, box.left : box.right].mean() > 0.1


def test_a_value_that_is_read_twice_is_verified() -> None:
    """The second look cuts the place out of the scan, and reads it larger."""
    date = by_name(recognise(encode(receipt(), quality=92), RECIPE))["date"]
    assert (date.standing, date.ground) == (Standing.VERIFIED, "two readings are alike")


def test_without_a_second_look_it_is_only_read() -> None:
    """The option of the field decides."""
    rule = replace(RULES[0], second_look=False)
    date = by_name(recognise(encode(receipt(), quality=92), replace(RECIPE, fields=(rule,))))["date"]
    assert (date.standing, date.ground) == (Standing.READ, "it is beside 'Date'")


def test_a_zone_is_read_with_its_own_characters() -> None:
    """Only digits are recognised there."""
    rule = FieldRule("number", "integer", zone=(0.0, 0.15, 1.0, 0.22), whitelist="0123456789")
    number = by_name(recognise(encode(receipt(), quality=92), replace(RECIPE, fields=(rule,))))["number"]
    assert "20816" in number.value
    assert number.standing in (Standing.READ, Standing.DOUBTFUL, Standing.VERIFIED)


def test_a_blank_page_has_no_values() -> None:
    """Nothing is read in zones either."""
    rules = (*RULES, FieldRule("zone", "code", zone=(0.0, 0.0, 1.0, 1.0)))
    page = recognise(encode(Sheet(800, 600).image), replace(RECIPE, fields=rules))
    assert page.is_blank
    assert {field.standing for field in page.fields or ()} == {Standing.MISSING}


def test_a_blurred_page_gives_no_verified_value_that_is_wrong() -> None:
    """The worse a page is, the less is verified."""
    truth = {"date": "2026-11-24", "total": "12.50", "cash": "20.00", "change": "7.50", "number": "K-20816"}
    for radius in (2, 4, 6):
        blurred = receipt().filter(ImageFilter.GaussianBlur(radius))
        for name, field in by_name(recognise(encode(blurred, quality=60), RECIPE)).items():
            assert field.standing is not Standing.VERIFIED or field.value == truth[name]


def test_a_long_value_is_cut_and_doubtful() -> None:
    """It costs neither the text of the scan nor the other fields; what was read is in the JSON sidecar."""
    line = "word " * 5_000
    rules = (FieldRule("note", near=("note",)), FieldRule("total", "amount", near=("total",)))
    page = with_fields(text_page(f"Note {line}\nTotal 12.50"), rules)
    note, total = page.fields or ()
    assert (note.value, note.text) == (line[:LONGEST_VALUE], line.strip())
    assert (note.standing, note.ground) == (
        Standing.DOUBTFUL,
        f"only the first 2000 of its {len(line) - 1} characters are kept",
    )
    assert (total.value, total.standing) == ("12.50", Standing.READ)
    request = RenderRequest(("json", "txt"), b"a.jpg", 1, "aa" * 32, packs=True, fields=rules)
    rendered = render_page(page, request)
    assert flaw_of(rendered, request) == ""
    assert render_packed(rendered.packed, request) == rendered


def test_a_bug_in_finding_fields_costs_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says what happened, without a value, and all its fields are missing."""

    def broken(*_: object) -> None:
        raise ValueError("no such field")

    monkeypatch.setattr(tables_and_fields, "with_fields", broken)
    page = recognise(encode(receipt(), quality=92), RECIPE)
    assert "CORNER SHOP" in page.text
    assert {field.standing for field in page.fields or ()} == {Standing.MISSING}
    (warning,) = page.warnings
    place = "ValueError in recognise/tables_and_fields.py, line "
    begin = f"fields could not be found: a bug in ocrwatch, please report it: {place}"
    assert warning.startswith(begin)
    assert warning.removeprefix(begin).isdecimal()


def test_what_the_environment_fails_at_is_no_bug_in_finding_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan is read again later, when it can have its fields."""

    def broken(*_: object) -> None:
        raise EnvironmentFault("temporary files cannot be written")

    monkeypatch.setattr(tables_and_fields, "with_fields", broken)
    with pytest.raises(EnvironmentFault):
        recognise(encode(receipt(), quality=92), RECIPE)


def test_a_zone_that_cannot_be_read_costs_only_its_field() -> None:
    """Its language is not installed; the start checks that, but the data may be removed later."""
    rule = FieldRule("zone", zone=(0.0, 0.0, 1.0, 0.2), languages=("xyz",), pattern="K-(\\d+)9")
    fields = by_name(recognise(encode(receipt(), quality=92), replace(RECIPE, fields=(rule, *RULES))))
    assert fields["total"].value == "12.50"
    assert fields["zone"].standing is Standing.MISSING
    assert "no data for the language xyz" in fields["zone"].ground
