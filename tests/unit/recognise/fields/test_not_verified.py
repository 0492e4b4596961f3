"""What proves nothing verifies nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocrwatch.document import Page, Standing
from ocrwatch.recipe import FieldRule
from tests.unit.recognise.fields.test_second_look import Again
from tests.unit.recognise.fields.text_pages import field_of, fields_of, rules_of, text_page


def _is_verified(text: str | Page, name: str, document_type: str = "receipt", locale: str = "en_GB") -> bool:
    return fields_of(text, rules_of(document_type, locale))[name].standing is Standing.VERIFIED


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("Mars bar 1.20\nWater 1.20\nWine 13.20\nTotal 15.60\nVISA 15.60", "15.60"),
        ("Chicken tenders 8.90\nBurger 8.90\nTotal 17.80", "17.80"),
        ("CB 12.50\nFries 12.50\nTotal 25.00", "25.00"),
        ("Coffee 45.90\nTotal 45.90\nAmount tendered 50.00\nCash 50.00\nChange 4.l0", "45.90"),
        ("Cheese 14.10\nTotal 15.60\nTax 1.50\nSub total 14.10", "15.60"),
    ],
)
def test_the_total_is_beside_its_label_whatever_is_alike_on_the_page(text: str, total: str) -> None:
    """Prices of items are often alike, and words in their names are labels of other fields."""
    assert fields_of(text, rules_of("receipt"))["total"].value == total


def test_an_amount_without_a_label_needs_a_sum_of_two_parts() -> None:
    """The total was misread, and the price of an item is that of all."""
    text = "Sub total 100.00\nService item 100.00\nRounding 0.00\nTotal 1O6.O0"
    assert not _is_verified(text, "total")


def test_a_second_look_at_one_place_is_not_another_place() -> None:
    """Two fields share a label, and so the strip beside it."""
    rules = [
        FieldRule("total", "amount", near=("total paid",), equals=("cash",)),
        FieldRule("cash", "amount", near=("total paid",)),
    ]
    text = "Total paid              \nThank you for your visit to us"
    for field in fields_of(text, rules, Again(["106.00"])).values():
        assert field.standing is not Standing.VERIFIED


@pytest.mark.parametrize(
    ("kind", "page", "zone"), [("amount", "-12.50", "12.50"), ("text", "1.250", "12.50"), ("code", "12-3", "1-23")]
)  # fmt: skip
def test_zones_that_differ_in_signs_are_not_alike(kind: str, page: str, zone: str) -> None:
    """A sign, or the place of a point, is all the difference."""
    rule = FieldRule("zone", kind, zone=(0.0, 0.0, 0.5, 0.05))  # type: ignore[arg-type]
    assert field_of(page, rule, Again(zone=zone)).standing is Standing.DOUBTFUL


def test_an_ambiguous_value_is_not_verified_by_standing_there_twice() -> None:
    """It is misunderstood twice in the same way."""
    assert not _is_verified("Date 03/04/2026\nThank you\nPrinted 03/04/2026", "date", locale="")
    assert not _is_verified("Total 1.234\nAmount due 1.234", "total", locale="")


def test_a_date_that_stands_twice_at_one_label_does_not_replace_another() -> None:
    """The label of an expiry date has the word date, too."""
    text = "Date 27/11/2026 14:20\nExpiry date 31/12/2026\nExpiry date 31/12/2026"
    date = fields_of(text, rules_of("receipt"))["date"]
    assert (date.value, date.standing) == ("2026-11-27", Standing.DOUBTFUL)


def test_numbers_of_two_columns_are_not_one() -> None:
    """A space is a thousands separator, but a gap is none."""
    assert fields_of("Total 3       150.00", rules_of("receipt"))["total"].value == "150.00"


def test_check_digits_elsewhere_do_not_replace_a_labelled_number() -> None:
    """It is the account of somebody else, or no such number at all."""
    text = "Paid from GB82 WEST 1234 5698 7654 32\nIBAN DE89 3704 0044 0532 0130 01"
    assert fields_of(text, rules_of("invoice"))["iban"].standing is Standing.DOUBTFUL
    two = "GB82 WEST 1234 5698 7654 32\nDE89 3704 0044 0532 0130 00"
    assert field_of(two, FieldRule("iban", "iban")).standing is Standing.DOUBTFUL
    card = field_of("Order 4539148803436467", FieldRule("card", "luhn"))
    assert card.standing is not Standing.VERIFIED


def test_unknown_confidences_are_no_certainty() -> None:
    """Some engines give none: then a second reading of the same engine proves nothing."""
    page = text_page("Total 31.00")
    (block,) = page.blocks
    lines = tuple(
        replace(line, words=tuple(replace(word, confidence=None) for word in line.words)) for line in block.lines
    )
    unknown = replace(page, blocks=(replace(block, lines=lines),))
    again = Again(["31.00", "31.00"], confidence=0.0)
    assert field_of(unknown, FieldRule("t", "amount", near=("total",)), again).standing is Standing.READ


@pytest.mark.parametrize(
    "text",
    ["T\u00e9l. 01.23.45.67.89", "Tel 04.12.70.11.22", "IP 10.1.12.4", "No 2026-11-271", "Summer special 9.90"],
)
def test_what_only_looks_like_a_value_is_none(text: str) -> None:
    """Telephone numbers, addresses, and words that are like a label."""
    fields = fields_of(text, rules_of("receipt", "fr_FR"))
    assert (fields["date"].value, fields["total"].value) == ("", "")


def test_an_iban_after_what_looks_like_one_is_found() -> None:
    """Also a letter that is not ASCII does no harm."""
    for before in ("Konto Nr 4711 ", "No 12 ", "DE12 "):
        assert field_of(f"{before}IBAN DE89 3704 0044 0532 0130 00", FieldRule("i", "iban")).value.startswith("DE89")
    assert field_of("IBAN DE89 3704 0044 0532 013\u212a 00", FieldRule("i", "iban")).value == ""
