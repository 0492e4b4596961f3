"""Values are found beside and below their labels, although some letters are misread."""

from __future__ import annotations

import pytest

from ocrwatch.document import Standing
from ocrwatch.recipe import FieldRule
from tests.unit.recognise.fields.text_pages import field_of, fields_of, text_page

_TOTAL = FieldRule("total", "amount", near=("grand total", "total | amount due"), not_near=("total quantity",))


@pytest.mark.parametrize(
    "text",
    [
        "Total 12.50", "TOTAL: RM12.50", "Totai    12.50", "T0TAL   12.50", "Tota1: 12.50", "total 3 12.50",
        "Amount due ....... 12.50", "Arnount due 12.50", "Total (incl. tax) 12.50", "T\u00f6tal 12.50",
    ],
)  # fmt: skip
def test_the_value_is_to_the_right_of_the_label(text: str) -> None:
    """The value is to the right of the label."""
    assert field_of(text, _TOTAL).value == "12.50"


def test_the_value_may_be_below_the_label() -> None:
    """The value may be below the label."""
    text = """
Invoice no     Date          Total
A-1234         24.11.2026    12.50
"""
    number = FieldRule("number", "code", near=("invoice no",))
    date = FieldRule("date", "date", near=("date",), locale="de_DE")
    fields = fields_of(text, [number, date, _TOTAL])
    assert [field.value for field in fields.values()] == ["A-1234", "2026-11-24", "12.50"]


def test_the_best_label_wins_wherever_it_is() -> None:
    """The best label wins wherever it is."""
    assert field_of("Grand total 15.00\nTotal 12.50", _TOTAL).value == "15.00"


def test_a_longer_label_that_names_another_value_takes_its_place() -> None:
    """A longer label that names another value takes its place."""
    assert field_of("Total quantity 3.00\nTotal 12.50", _TOTAL).value == "12.50"


def test_the_longer_label_of_another_field_takes_its_place() -> None:
    """The longer label of another field takes its place."""
    date = FieldRule("date", "date", near=("date",), locale="en_GB")
    due = FieldRule("due", "date", near=("due date",), locale="en_GB")
    fields = fields_of("Due date 24/12/2026\nDate 24/11/2026", [date, due])
    assert (fields["date"].value, fields["due"].value) == ("2026-11-24", "2026-12-24")


def test_of_equally_good_labels_the_rule_picks() -> None:
    """Of equally good labels the rule picks."""
    text = "Total 12.50\nTotal 15.00\nTotal 13.00"
    values = {pick: field_of(text, FieldRule("t", "amount", near=("total",), pick=pick)).value
              for pick in ("first", "last", "largest")}  # fmt: skip
    assert values == {"first": "12.50", "last": "13.00", "largest": "15.00"}


def test_a_text_ends_at_a_wide_gap_or_the_next_label() -> None:
    """A text ends at a wide gap or the next label."""
    name = FieldRule("name", near=("name",))
    town = FieldRule("town", near=("town",))
    fields = fields_of("Name: Ada Lovelace     Member of the club\nTown: Ely Name", [name, town])
    assert (fields["name"].value, fields["town"].value) == ("Ada Lovelace", "Ely")


def test_a_pattern_finds_values_without_labels() -> None:
    """A pattern finds values without labels."""
    order = FieldRule("order", "code", pattern=r"order\s+(\w{2}-\d{4})")
    assert field_of("Your ORDER AB-1234 of today", order).value == "AB-1234"
    assert field_of("Your order", order).standing is Standing.MISSING


def test_a_value_has_its_place_words_and_confidence() -> None:
    """A value has its place words and confidence."""
    page = text_page("Shop\nTotal RM 12.50", confidence=88.0)
    field = field_of(page, _TOTAL)
    assert field.text == "RM 12.50"
    assert [page.words[index].text for index in field.words] == ["RM", "12.50"]
    assert (field.box.left, field.box.top, field.box.right, field.box.bottom) == (60, 40, 140, 60)
    assert field.corners == (60.0, 40.0, 140.0, 40.0, 140.0, 60.0, 60.0, 60.0)
    assert field.confidence == pytest.approx(88.0)


def test_what_is_not_there_is_missing() -> None:
    """What is not there is missing."""
    field = field_of("Shop\nThank you", _TOTAL)
    assert (field.standing, field.value, field.words) == (Standing.MISSING, "", ())
    assert field_of("Shop", FieldRule("total", "amount", near=("total",), required=True)).required


def test_a_label_that_is_read_exactly_takes_the_place_of_a_longer_one_that_is_not() -> None:
    """The words "Tax 1" are none of "tax id"."""
    rules = [FieldRule("tax", "amount", near=("tax",)), FieldRule("id", "code", near=("tax id",))]
    assert fields_of("Tax 17.50", rules)["tax"].value == "17.50"


def test_heads_of_columns_are_several_labels() -> None:
    """The words "Rechnungs-Nr." and "Datum" are not "Rechnungsdatum"."""
    number = FieldRule("number", "code", near=("rechnungs-nr",))
    date = FieldRule("date", "date", near=("rechnungsdatum", "datum"), locale="de_DE")
    text = "Rechnungs-Nr.     Datum\nR-2026-11         24.11.2026"
    assert {name: field.value for name, field in fields_of(text, [number, date]).items()} == {
        "number": "R-2026-11", "date": "2026-11-24",
    }  # fmt: skip


def test_dots_of_a_leader_do_not_hide_the_value() -> None:
    """They reach up to it."""
    assert field_of("Total ........12.50", _TOTAL).value == "12.50"
    assert field_of("Date.....24/11/2026", FieldRule("d", "date", near=("date",), locale="en_GB")).value == "2026-11-24"


def test_labels_of_two_fields_that_lead_to_one_value_leave_it_doubtful() -> None:
    """The amount of "Total incl. VAT" may be a total or a tax."""
    rules = [FieldRule("total", "amount", near=("total",)), FieldRule("tax", "amount", near=("vat",))]
    fields = fields_of("Total incl. VAT 23.26", rules)
    assert {field.standing for field in fields.values()} == {Standing.DOUBTFUL}
    apart = fields_of("VAT no. 12345 Total 23.26", rules)
    assert apart["total"].standing is Standing.READ
