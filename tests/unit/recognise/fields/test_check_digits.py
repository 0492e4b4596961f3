"""Numbers with check digits are found, and wrong ones are not taken for right."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ocrwatch.recognise.extract.fields.check_digits import (
    find_eans,
    find_ibans,
    find_luhn_numbers,
    find_vat_numbers,
    is_ean,
    is_iban,
    is_luhn,
)

_IBANS = ["GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606", "NO9386011117947",
          "CH9300762011623852957", "MT84MALT011000012345MTLCAST001S"]  # fmt: skip
"""Examples of the IBAN registry."""


@pytest.mark.parametrize("iban", _IBANS)
def test_an_iban_is_found_with_and_without_spaces(iban: str) -> None:
    """An IBAN is found with and without spaces."""
    groups = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))
    for text in (f"IBAN: {iban}", f"IBAN {groups} BIC ABCDEF", f"x {groups.lower()}"):
        [found] = find_ibans(text)
        assert (found.value, found.is_checked, found.doubt) == (iban, True, "")


@given(st.sampled_from(_IBANS), st.integers(4, 30), st.sampled_from("0123456789"))
def test_an_iban_with_one_wrong_digit_is_doubtful(iban: str, at: int, digit: str) -> None:
    """An IBAN with one wrong digit is doubtful."""
    assume(at < len(iban) and iban[at] != digit and iban[at].isdigit())
    wrong = iban[:at] + digit + iban[at + 1 :]
    [found] = find_ibans(wrong)
    assert not found.is_checked
    assert found.doubt


@pytest.mark.parametrize("read", ["DES4 9857 7754 3859 1022 14", "DE54 98S7 7754 3B59 IO22 14"])
def test_letters_in_place_of_the_digits_of_an_iban_are_misread_digits(read: str) -> None:
    """Check digits, and numbers of some countries, have no letters; the check digits show that it was so."""
    [found] = find_ibans(read)
    assert (found.value, found.is_checked) == ("DE54985777543859102214", True)
    assert not list(find_ibans("DES4 9857 7754 3859 1022 15"))


def test_a_text_in_capitals_is_no_iban() -> None:
    """A text in capitals is no IBAN."""
    assert not list(find_ibans("NO 290, JALAN AIR PANAS SETAPAK 53200 KUALA LUMPUR"))
    assert not is_iban("DE00370400440532013000")


@pytest.mark.parametrize(
    ("text", "value", "checked"),
    [
        ("USt-IdNr. DE 136695976", "DE136695976", True), ("DE136695977", "DE136695977", False),
        ("TVA FR 83 404833048", "FR83404833048", True), ("P. IVA IT00743110157", "IT00743110157", True),
        ("BTW BE0776091951", "BE0776091951", True), ("NL123456789B01", "NL123456789B01", False),
    ],
)  # fmt: skip
def test_vat_numbers_are_checked_for_the_countries_whose_check_digits_are_known(
    text: str, value: str, *, checked: bool
) -> None:
    """VAT numbers are checked for the countries whose check digits are known."""
    [found] = find_vat_numbers(text)
    assert (found.value, found.is_checked) == (value, checked)


@given(st.integers(10**7, 10**17))
def test_one_of_ten_last_digits_is_the_luhn_digit(number: int) -> None:
    """One of ten last digits is the Luhn digit."""
    right = [str(number) + digit for digit in "0123456789" if is_luhn(str(number) + digit)]
    assert len(right) == 1
    [found] = find_luhn_numbers(f"Card {right[0]}")
    assert found.is_checked


def test_cards_and_articles_are_found() -> None:
    """Cards and articles are found."""
    [card] = find_luhn_numbers("4539 1488 0343 6467")
    [article] = find_eans("EAN 4006381333931")
    [wrong] = find_eans("EAN 4006381333932")
    assert (card.value, card.is_checked) == ("4539148803436467", True)
    assert (article.value, article.is_checked) == ("4006381333931", True)
    assert (wrong.is_checked, bool(wrong.doubt)) == (False, True)
    assert is_ean("96385074")
