"""Every value says how sure it is, and why."""

from __future__ import annotations

from dataclasses import replace

from ocrwatch.document import UNPLACED, Block, Standing
from ocrwatch.recipe import FieldRule
from tests.unit.recognise.fields.text_pages import field_of, fields_of, text_page

_TOTAL = FieldRule("total", "amount", near=("total", "*"), pick="last", equals=("cash - change", "net + tax", "cash"))
_RECEIPT = (
    _TOTAL,
    FieldRule("cash", "amount", near=("cash",)),
    FieldRule("change", "amount", near=("change",)),
    FieldRule("net", "amount", near=("net",)),
    FieldRule("tax", "amount", near=("tax",)),
)


def test_a_sum_that_is_right_verifies_all_its_parts() -> None:
    """A sum that is right verifies all its parts."""
    fields = fields_of("Total 31.00\nCash 50.00\nChange 19.00", _RECEIPT)
    assert fields["total"].standing is Standing.VERIFIED
    assert fields["total"].ground == "it is cash - change: 50.00 - 19.00"
    assert fields["cash"].standing is fields["change"].standing is Standing.VERIFIED
    assert fields["net"].standing is Standing.MISSING


def test_of_several_values_the_one_that_a_sum_backs_is_taken() -> None:
    """Of several values the one that a sum backs is taken."""
    fields = fields_of("Total 31.00\nCash 50.00\nChange 19.00\nSummary\nTotal 29.24", _RECEIPT)
    assert fields["total"].value == "31.00"


def test_a_value_without_a_label_is_found_by_its_sum() -> None:
    """A value without a label is found by its sum."""
    fields = fields_of("Rounded 14.40\nCash 20.00\nChange 5.60", _RECEIPT)
    assert (fields["total"].value, fields["total"].standing) == ("14.40", Standing.VERIFIED)


def test_a_value_that_contradicts_its_sum_is_doubtful() -> None:
    """A value that contradicts its sum is doubtful."""
    fields = fields_of("Total 15.96\nCash 51.00\nChange 35.10", _RECEIPT)
    assert (fields["total"].standing, fields["total"].ground) == (Standing.DOUBTFUL, "cash - change is 15.90")


def test_one_number_is_not_two_grounds() -> None:
    """The only amount of the page is beside both labels."""
    fields = fields_of("Total cash 31.00", _RECEIPT)
    assert fields["total"].standing is not Standing.VERIFIED


def test_the_same_amount_at_two_labels_is_verified() -> None:
    """The same amount at two labels is verified."""
    rule = FieldRule("total", "amount", near=("grand total | amount due",))
    assert field_of("Grand total 31.00\nAmount due 31.00", rule).standing is Standing.VERIFIED
    assert field_of("Grand total 31.00", rule).standing is Standing.READ


def test_the_same_amount_twice_at_one_label_is_not_verified() -> None:
    """The total of a section may stand there twice, and the final total below it."""
    rule = FieldRule("total", "amount", near=("total",), pick="last")
    assert field_of("Total 7.61\nTotal 7.61", rule).standing is Standing.READ


def test_the_same_date_at_two_places_is_verified() -> None:
    """The same date at two places is verified."""
    rule = FieldRule("date", "date", locale="en_GB")
    assert field_of("28/03/2018 10:36\nthank you\n28/03/2018", rule).standing is Standing.VERIFIED


def test_check_digits_verify_a_value() -> None:
    """Check digits verify a value."""
    field = field_of("IBAN DE89 3704 0044 0532 0130 00", FieldRule("iban", "iban"))
    assert (field.value, field.standing) == ("DE89370400440532013000", Standing.VERIFIED)
    wrong = field_of("IBAN DE89 3704 0044 0532 0130 01", FieldRule("iban", "iban"))
    assert (wrong.standing, wrong.ground) == (Standing.DOUBTFUL, "its check digits are wrong")


def test_different_values_at_equal_labels_are_doubtful() -> None:
    """Different values at equal labels are doubtful."""
    field = field_of("Date 01/03/2018\nDate 02/03/2018", FieldRule("date", "date", near=("date",), locale="en_GB"))
    assert field.standing is Standing.DOUBTFUL


def test_a_value_of_low_confidence_is_doubtful() -> None:
    """A value of low confidence is doubtful."""
    field = field_of(text_page("Total 31.00", confidence=41.0), FieldRule("total", "amount", near=("total",)))
    assert (field.standing, field.ground) == (Standing.DOUBTFUL, "the confidence of a word is 41")


def test_zero_proves_nothing() -> None:
    """Zero proves nothing."""
    fields = fields_of("Total 0.00\nCash 0.00", _RECEIPT)
    assert fields["total"].standing is not Standing.VERIFIED


def test_values_of_a_page_without_text_are_missing() -> None:
    """Values of a page without text are missing."""
    assert field_of("", _TOTAL).standing is Standing.MISSING


def test_one_of_several_dates_without_a_label_is_not_verified_by_being_there_twice() -> None:
    """It may be the due date, whose label was misread."""
    rule = FieldRule("date", "date", near=("date", "*"), locale="en_GB")
    text = "Duc 12/12/2026\n24/11/2026\nPlease pay before 12/12/2026"
    assert field_of(text, rule).standing is Standing.DOUBTFUL


def test_what_is_beside_the_label_of_another_field_is_not_taken() -> None:
    """It is the value of that field wherever it is repeated."""
    rules = [
        FieldRule("date", "date", near=("date", "*"), locale="en_GB"),
        FieldRule("due", "date", near=("due",), locale="en_GB"),
    ]
    fields = fields_of("Due 12/12/2026\n24/11/2026\nPlease pay before 12/12/2026", rules)
    assert (fields["due"].value, fields["date"].value) == ("2026-12-12", "2026-11-24")


def test_a_tax_of_several_rates_is_added_up_if_the_sum_is_right() -> None:
    """Each rate has a line of its own, and the total of both is nowhere."""
    rules = [
        FieldRule("net", "amount", near=("net",)),
        FieldRule("tax", "amount", near=("vat",), equals=("total - net",)),
        FieldRule("total", "amount", near=("total",), equals=("net + tax",)),
    ]
    fields = fields_of("Net 200.00\nVAT 7% 7.00\nVAT 19% 19.00\nTotal 226.00", rules)
    assert (fields["tax"].value, fields["tax"].standing, fields["tax"].text) == (
        "26.00", Standing.VERIFIED, "7.00 + 19.00",
    )  # fmt: skip
    wrong = fields_of("Net 200.00\nVAT 7% 7.00\nVAT 19% 19.00\nTotal 326.00", rules)
    assert wrong["tax"].value in ("7.00", "19.00")
    assert wrong["tax"].standing is Standing.DOUBTFUL


def test_values_of_text_without_places_are_found() -> None:
    """Some OCR services give lines only: there is no box and no second look."""
    page = text_page("Receipt no      Date\nK-20816    24/11/2026\nTotal 31.00\nCash 31.00")
    lines = tuple(
        replace(
            line, box=UNPLACED, words=tuple(replace(word, box=UNPLACED, width=0.0, height=0.0) for word in line.words)
        )
        for line in page.lines
    )
    bare = replace(page, blocks=(Block(tuple(lines), UNPLACED),), upright=None)
    rules = (*_RECEIPT, FieldRule("zone", "code", zone=(0.0, 0.0, 1.0, 0.1)))
    fields = fields_of(bare, rules)
    assert (fields["total"].value, fields["total"].standing) == ("31.00", Standing.VERIFIED)
    assert (fields["total"].box, fields["total"].corners) == (UNPLACED, None)
    assert fields["zone"].standing is Standing.MISSING
