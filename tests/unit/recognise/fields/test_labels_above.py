"""Cards and many forms print their labels above the values, in several languages."""

from __future__ import annotations

import pytest

from ocrwatch.document import Standing
from ocrwatch.recipe import FieldRule
from tests.unit.recognise.fields.test_second_look import Again
from tests.unit.recognise.fields.text_pages import HEIGHT, LINE_DISTANCE, field_of, fields_of, rules_of

_CARD = rules_of("id_card")
_SURNAME = FieldRule("surname", near=("surname",))

VISA = """
Surname               Registration Number

TRAVELER              00000473
Given Name            Gender           IV Category
HAPPY PERSON          F                IR1
Birth Date            Birthplace       Marital Status
05FEB1965             GRBR             MAR
Passport Number       IV Issue Date    IV Expires On
555123ABC12           24JUN2004        23DEC2004
"""

PASSPORT = """
Type/ Type      Country code/ Code du pays      Passport Number/ N° de passeport
P               UTO                             L898902C3
Surname/ Nom
ERIKSSON
Given names/ Prénoms
ANNA MARIA
Nationality/ Nationalité
UTOPIAN
Date of Birth/ Date de naissance        Personal No./ N° personnel
12 AUGUST/AOUT 74                       ZE 184226 B
Date of issue/ Date de délivrance       Authority/ Autorité
16 APR/AVR 07                           PASSPORT OFFICE
Date of expiry/ Date d'expiration       Holder's signature/ Signature du titulaire
15 APR/AVR 12
"""


def test_texts_are_below_their_labels_if_dates_and_numbers_are() -> None:
    """What is right of such a label is the next label, although no field has it."""
    found = {name: field.value for name, field in fields_of(VISA, _CARD).items() if field.value}
    assert found == {
        "surname": "TRAVELER",
        "given_names": "HAPPY PERSON",
        "birth_date": "1965-02-05",
        "number": "555123ABC12",
        "issue_date": "2004-06-24",
        "expiry_date": "2004-12-23",
    }


def test_a_passport_of_two_languages_is_read() -> None:
    """Its months are written in both."""
    assert {name: field.value for name, field in fields_of(PASSPORT, _CARD).items()} == {
        "surname": "ERIKSSON",
        "given_names": "ANNA MARIA",
        "birth_date": "1974-08-12",
        "nationality": "UTOPIAN",
        "number": "L898902C3",
        "expiry_date": "2012-04-15",
        "issue_date": "2007-04-16",
        "authority": "PASSPORT OFFICE",
    }


def test_texts_are_beside_their_labels_if_dates_are() -> None:
    """Below a label is the next label then."""
    text = "Date       12 August 1974\nSurname    Eriksson\nReference  77"
    assert fields_of(text, [_SURNAME, FieldRule("date", "date", near=("date",))])["surname"].value == "Eriksson"


def test_a_text_beside_its_label_without_a_gap_is_the_value_on_a_card_too() -> None:
    """A text beside its label without a gap is the value on a card, too."""
    rules = [_SURNAME, FieldRule("date", "date", near=("date",))]
    assert fields_of("Date\n12 August 1974\nSurname: Eriksson\nANNA", rules)["surname"].value == "Eriksson"


@pytest.mark.parametrize("translation", ["/ Prezime", "/Prezime / Nom", " / Prezime"])
def test_a_translation_of_a_label_is_no_value(translation: str) -> None:
    """A translation of a label is no value, be the value below, or beside."""
    assert field_of(f"Surname{translation}\nERIKSSON", _SURNAME).value == "ERIKSSON"
    assert field_of(f"Surname{translation}     ERIKSSON", _SURNAME).value == "ERIKSSON"
    assert field_of(f"Surname{translation}: ERIKSSON", _SURNAME).value == "ERIKSSON"


def test_the_next_label_below_an_empty_one_is_no_value() -> None:
    """A form that was not filled in has no values."""
    rules = [_SURNAME, FieldRule("city", near=("city",)), FieldRule("street", near=("street",))]
    found = fields_of("Surname\nCity:\nStreet\nLions Road 7", rules)
    assert {name: field.value for name, field in found.items()} == {
        "surname": "",
        "city": "",
        "street": "Lions Road 7",
    }


def test_a_label_without_a_value_is_not_said_to_be_missing() -> None:
    """A label without a value is not said to be missing."""
    rule = FieldRule("date", "date", near=("date",))
    found = field_of("Date of it all", rule)
    assert (found.standing, found.ground) == (Standing.MISSING, "no such value is at its label")
    assert field_of("Day 12", rule).ground == "no label was found"
    assert field_of("Surname", _SURNAME).ground == "nothing is at its label"


def test_a_second_look_is_below_a_label_if_the_values_of_the_page_are() -> None:
    """It finds a value that was not read at first, as on a cheque whose amount is in a box."""
    rules = [FieldRule("amount", "amount", near=("amount",)), FieldRule("number", "code", near=("reference",))]
    again = Again(["312.75", "312.75"])
    found = fields_of("Reference      Amount\nA-1234", rules, again)["amount"]
    assert (found.value, found.ground) == ("312.75", "it was found in a second look")
    _, (left, top, _, _, _, bottom, _, _) = sorted(again.places)
    assert (left, top) == (138.0, 20.0)
    assert bottom > LINE_DISTANCE + HEIGHT


def test_the_only_amount_of_a_page_without_its_label_is_doubtful() -> None:
    """The small labels of a cheque are often misread; it has one amount in figures."""
    found = fields_of("owenor  Green Valley Nursery\n$  1,284.50", rules_of("cheque"))["amount"]
    assert (found.value, found.standing) == ("1284.50", Standing.DOUBTFUL)
    assert fields_of("Bread 2.40\nCheese 3.10", rules_of("cheque"))["amount"].standing is Standing.MISSING
