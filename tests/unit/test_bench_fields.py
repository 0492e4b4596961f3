"""The invoices that the bench of fields renders, its scores, and how well the fields of a few invoices are found."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from ocrwatch.document import Field, Standing
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.page import recognise
from ocrwatch.settings.field_options import fields_of
from tests.bench.field_scoring import FieldScore, outcome_of, read_key, true_date
from tests.invoices.contents import COUNTRIES, Country, iban, random_invoice, remainder
from tests.invoices.layouts import LAYOUTS
from tests.invoices.scanned_invoices import rendered_invoice, truth_of
from tests.invoices.sheet import missing_fonts

needs_fonts = pytest.mark.skipif(
    bool(missing_fonts()), reason="fonts are missing; run: apt-get install fonts-dejavu-core fonts-wqy-microhei"
)
ALL_COUNTRIES = list(dict.fromkeys(country for countries in COUNTRIES.values() for country in countries))


def field(value: str, standing: Standing = Standing.READ) -> Field:
    """Make a field."""
    return Field("total", standing, value, value, "")


@pytest.mark.parametrize("country", ALL_COUNTRIES, ids=lambda country: country.name)
def test_contents_are_consistent(country: Country) -> None:
    """Sums are right, and IBANs valid, which are 1 modulo 97 with the country at the end (ISO 13616)."""
    for seed, extras in product(range(20), (False, True)):
        invoice = random_invoice(random.Random(seed), country, items=5, rates=2, extras=extras)
        truth = truth_of(invoice)
        assert Decimal(truth["net"]) + Decimal(truth["tax"]) == Decimal(truth["total"])
        assert invoice.net == sum(item.amount for item in invoice.items) + invoice.discount + invoice.shipping
        assert sum(invoice.taxes.values()) == invoice.tax
        assert invoice.ordered < invoice.delivered < invoice.day < invoice.due
        if country.name == "America":
            assert not invoice.iban
        else:
            assert remainder(invoice.iban[4:] + invoice.iban[:4]) == 1


def test_iban_of_the_standard() -> None:
    """The example of the German central bank."""
    assert iban("DE", "370400440532013000") == "DE89370400440532013000"


def test_amounts_and_dates_are_as_their_countries_write_them() -> None:
    """Thousands and decimals; the first day of a month in French."""
    written = {}
    for country in ALL_COUNTRIES:
        invoice = random_invoice(random.Random(1), country, items=1)
        written[country.name] = invoice.plain(Decimal("1234.5"))
    assert written == {
        "Britain": "1,234.50",
        "America": "1,234.50",
        "Ireland": "1,234.50",
        "Germany": "1.234,50",
        "France": "1 234,50",
    }


@needs_fonts
def test_each_layout_and_language_is_rendered() -> None:
    """In turn; the same ones for the same seed, whichever were rendered before."""
    count = len(LAYOUTS) * len(COUNTRIES)
    first, again = (rendered_invoice(count - 1, seed=7) for _ in range(2))
    assert first == again
    assert (first.layout, first.country.name) == ("dense", "France")
    assert rendered_invoice(count - 1, seed=8).truth != first.truth


@pytest.mark.slow
@needs_fonts
def test_fields_of_a_few_invoices_are_found() -> None:
    """With the real engines: of each layout one, in the three languages."""
    score = FieldScore()
    for number in (0, 7, 14, 15, 16, 11):
        invoice = rendered_invoice(number, seed=1)
        fields = tuple(options.rule(invoice.country.locale) for options in fields_of("invoice"))
        page = recognise(invoice.content, Recipe(languages=invoice.country.languages, fields=fields))
        for found in page.fields or ():
            printed = found.name not in invoice.left_out
            outcome = outcome_of(found, invoice.truth[found.name], is_printed=printed)
            if outcome is not None:
                score.add(found.standing, outcome)
    assert score.at(Standing.VERIFIED, "wrong") == 0
    assert score.of("right") >= 0.9 * score.all
    assert score.at(Standing.VERIFIED) >= 0.7 * score.all


def test_outcomes() -> None:
    """A value that is not printed may be missing, but not wrong."""
    assert outcome_of(field("12.50"), "12.50") == "right"
    assert outcome_of(field("12.50"), "2.50") == "wrong"
    assert outcome_of(field("", Standing.MISSING), "2.50") == "missing"
    assert outcome_of(field("", Standing.MISSING), "", is_printed=False) is None
    assert outcome_of(field("12.50"), "", is_printed=False) == "wrong"


def test_scores_add_up() -> None:
    """By standing and outcome."""
    score, other = FieldScore(), FieldScore()
    score.add(Standing.VERIFIED, "right")
    other.add(Standing.VERIFIED, "wrong")
    other.add(Standing.MISSING, "missing")
    score += other
    assert (score.all, score.of("right"), score.of("missing")) == (3, 1, 1)
    assert (score.at(Standing.VERIFIED), score.at(Standing.VERIFIED, "wrong")) == (2, 1)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("24 MAR 2018", "2018-03-24"),
        ("21/02/18", "2018-02-21"),
        ("05-12-16", "2016-12-05"),
        ("2018-03-23", "2018-03-23"),
        ("05-AUG-2017", "2017-08-05"),
    ],
)
def test_true_dates(text: str, day: str) -> None:
    """The day is before the month, unless the year is first."""
    assert true_date(text) == day


def test_key_of_a_receipt(tmp_path: Path) -> None:
    """Only fields of the document's type, in the notation of fields."""
    path = tmp_path / "scan.key.json"
    path.write_text('{"company": "A", "date": "09 MAY 2018", "total": "RM 1,030.5"}', "utf-8")
    assert read_key(path, {"date": "date", "total": "amount", "cash": "amount"}) == {
        "date": "2018-05-09",
        "total": "1030.50",
    }
