"""Amounts and whole numbers are found in the notations of many countries."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.recognise.extract.fields.amounts import find_amounts, find_integers


def _values(text: str, locale: str = "") -> list[str]:
    return [found.value for found in find_amounts(text, locale)]


@pytest.mark.parametrize(
    "written",
    ["1234.50", "1,234.50", "1.234,50", "1 234,50", "1'234.50", "1\u202f234,50", "$1,234.50", "RM 1234.50",
     "1.234,50 \u20ac", "EUR 1.234,50", "1234 .50", "1,234. 50", "*1234.50", "1234.50SR"],
)  # fmt: skip
def test_an_amount_is_found_however_it_is_written(written: str) -> None:
    """An amount is found however it is written."""
    assert _values(written) == ["1234.50"]


@pytest.mark.parametrize("written", ["-0.50", "- 0.50", "RM -0.50", "-RM0.50", "(0.50)", "0.50-", "\u22120.50"])
def test_the_sign_of_an_amount_is_kept(written: str) -> None:
    """The sign of an amount is kept."""
    assert _values(written) == ["-0.50"]


def test_percentages_times_and_parts_of_codes_are_no_amounts() -> None:
    """Percentages times and parts of codes are no amounts."""
    assert _values("19,00 % 7.5% 18:43 INV2018 6/12 0.5MM 1.5.2018") == []


def test_an_amount_without_decimals_is_doubtful_unless_a_currency_is_beside_it() -> None:
    """An amount without decimals is doubtful unless a currency is beside it."""
    [plain] = find_amounts("30")
    [dollars] = find_amounts("$30")
    assert (plain.value, bool(plain.doubt)) == ("30.00", True)
    assert (dollars.value, bool(dollars.doubt)) == ("30.00", False)


def test_an_amount_that_lost_the_sign_before_its_decimals_is_doubtful() -> None:
    """An amount that lost the sign before its decimals is doubtful."""
    [found] = find_amounts("RM 88 17")
    assert found.value == "88.17"
    assert found.doubt


def test_decimals_after_another_sign_than_the_locale_has_are_doubtful() -> None:
    """Decimals after another sign than the locale has are doubtful."""
    assert not next(iter(find_amounts("1.234,50", "de_DE"))).doubt
    assert next(iter(find_amounts("1,234.50", "de_DE"))).doubt


@given(st.decimals(0, 10**9, places=2), st.sampled_from(["{:,.2f}", "{:.2f}"]))
def test_any_amount_is_found_again(amount: Decimal, notation: str) -> None:
    """Any amount is found again."""
    assert _values(f"Total {notation.format(amount)}") == [f"{amount:.2f}"]


@given(st.text(alphabet="0123456789.,-+()% $RM'", max_size=40))
def test_any_text_gives_numbers_that_are_in_it(text: str) -> None:
    """Any text gives numbers that are in it."""
    for found in find_amounts(text):
        assert 0 <= found.start < found.end <= len(text)
        assert Decimal(found.value) == Decimal(found.value).quantize(Decimal("0.01"))


def test_whole_numbers_lose_their_separators() -> None:
    """Whole numbers lose their separators."""
    assert [found.value for found in find_integers("Qty 3 of 1,234 at 2.50, 12%")] == ["3", "1234"]


def test_a_currency_after_the_amount_belongs_to_it() -> None:
    """So that a whole amount is not doubtful."""
    [found] = find_amounts("30 EUR")
    assert (found.value, found.end, found.doubt) == ("30.00", 6, "")


def test_a_space_between_thousands_is_doubtful_if_the_locale_has_none() -> None:
    """It may be two numbers."""
    [french] = find_amounts("2 500,00", "fr_FR")
    [british] = find_amounts("2 500.00", "en_GB")
    assert (french.value, french.doubt) == ("2500.00", "")
    assert (british.value, british.doubt) == ("2500.00", "there is a space in it")
