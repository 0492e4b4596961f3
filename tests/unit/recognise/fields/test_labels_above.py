"""Cards and many forms print their labels above the values, in several languages."""

from __future__ import annotations

import pytest

from ocrwatch.document import Standing
from ocrwatch.recipe import FieldRule
from tests.unit.recognise.fields.test_second_look import Again, AgainByLine
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


_TYPED = (FieldRule("date", "date", near=("date",)), FieldRule("number", "code", near=("reference",)))
_ABOVE = "Date              Reference\n12 August 1974    A-1234\n"
"""Two values below their labels."""


def test_a_text_beside_its_label_without_a_gap_is_the_value_on_a_card_too() -> None:
    """So is one after a colon, or one that has nothing below it."""
    rules = [_SURNAME, *_TYPED]
    assert fields_of(f"{_ABOVE}Surname: Eriksson\nANNA", rules)["surname"].value == "Eriksson"
    assert fields_of(f"{_ABOVE}Surname:     Eriksson\n             ANNA", rules)["surname"].value == "Eriksson"
    assert fields_of(f"{_ABOVE}Surname      Eriksson\nANNA", rules)["surname"].value == "Eriksson"


def test_one_value_below_its_label_is_not_most_of_a_page() -> None:
    """Forms end with a date below its label."""
    text = "Surname       London\nOccupation    Baker\nDate     Signature\n12 August 1974"
    assert fields_of(text, [_SURNAME, *_TYPED])["surname"].value == "London"


@pytest.mark.parametrize("translation", ["/ Prezime", "/Prezime / Nom", " / Prezime"])
def test_a_translation_of_a_label_is_no_value(translation: str) -> None:
    """It is skipped whether the value is below or beside it."""
    assert field_of(f"Surname{translation}\nERIKSSON", _SURNAME).value == "ERIKSSON"
    assert field_of(f"Surname{translation}     ERIKSSON", _SURNAME).value == "ERIKSSON"
    assert field_of(f"Surname{translation}: ERIKSSON", _SURNAME).value == "ERIKSSON"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Surname/Nom Smith\n12 Lions Road", "Nom Smith"),
        ("Surname / Lieu Hall 3 at 12:30", "Lieu Hall 3 at 12:30"),
        ("Surname / https://example.org/x", "https://example.org/x"),
        ("Surname/No 12", "No 12"),
        ("Surname/Smith", "Smith"),
        ("Surname · Smith", "Smith"),
    ],
)
def test_what_is_not_surely_a_translation_stays(text: str, value: str) -> None:
    """It may be the value."""
    assert field_of(text, _SURNAME).value.lstrip("/· ") == value


def test_the_next_label_below_an_empty_one_is_no_value() -> None:
    """It has a colon, or a value of its own."""
    rules = [_SURNAME, FieldRule("city", near=("city",)), FieldRule("street", near=("street",))]
    found = fields_of("Surname\nCity:\nStreet\nLions Road 7", rules)
    assert {name: field.value for name, field in found.items()} == {
        "surname": "",
        "city": "",
        "street": "Lions Road 7",
    }


def test_the_value_of_the_next_label_may_be_a_line_farther_down() -> None:
    """A text elsewhere in the line between them says nothing."""
    rules = [_SURNAME, FieldRule("city", near=("city",))]
    found = fields_of("Surname\nCity\n                    see page 2\nLondon", rules)
    assert (found["surname"].value, found["city"].value) == ("", "London")


def test_a_value_that_is_like_a_label_stays() -> None:
    """Someone is named Town."""
    rules = [_SURNAME, FieldRule("city", near=("town", "city")), FieldRule("name", near=("first name",))]
    assert fields_of("Surname\nTOWN\nFirst name\nADA", rules)["surname"].value == "TOWN"
    text = "Surname of the applicant\nJohn Smith         City: London"
    assert fields_of(text, [FieldRule("surname", near=("surname of the applicant",)), rules[1]])["surname"].value == (
        "John Smith"
    )


def test_a_label_without_a_value_is_not_said_to_be_missing() -> None:
    """The ground says that nothing is at it."""
    rule = FieldRule("date", "date", near=("date",))
    found = field_of("Date of it all", rule)
    assert (found.standing, found.ground) == (Standing.MISSING, "no such value is at its label")
    assert field_of("Day 12", rule).ground == "no label was found"
    assert field_of("Surname", _SURNAME).ground == "nothing is at its label"


def test_a_second_look_is_below_a_label_if_the_values_of_the_page_are() -> None:
    """It finds a value that was not read at first, as on a cheque whose amount is in a box."""
    rules = [FieldRule("amount", "amount", near=("amount",)), *_TYPED]
    again = Again(["312.75", "312.75"])
    text = "Date              Reference      Amount\n12 August 1974    A-1234"
    found = fields_of(text, rules, again)["amount"]
    assert (found.value, found.ground) == ("312.75", "it was found in a second look")
    left, top, _, _, _, bottom, _, _ = max(again.places)
    assert (left, top) == (318.0, 20.0)
    assert bottom > LINE_DISTANCE + HEIGHT


_CASH = (
    FieldRule("total", "amount", near=("total",), equals=("cash",)),
    FieldRule("cash", "amount", near=("cash",)),
    *_TYPED,
)


def test_a_second_look_below_a_label_ends_before_the_next_text() -> None:
    """It is the value of another field."""
    again = Again(["5.00"])
    fields_of(f"{_ABOVE}Total\n          Cash 5.00", _CASH, again)
    assert [place[2] for place in again.places if place[1] == 2 * LINE_DISTANCE + HEIGHT] == [100.0]


def test_an_amount_that_is_read_again_below_another_label_is_no_sum_of_itself() -> None:
    """Both readings are of the same words."""
    found = fields_of(f"{_ABOVE}Total\nCash 5.00", _CASH, Again(["5.00", "5.00"]))
    assert found["total"].standing is not Standing.VERIFIED
    assert "total" not in found["cash"].ground


def test_a_second_look_is_also_below_a_label_at_which_nothing_was_read() -> None:
    """The values of payment slips are in boxes below their labels, and some of them are lost."""
    again = Again(["12.50"])
    rule = FieldRule("total", "amount", near=("total",))
    field_of("An invoice for all that was ordered\nTotal", rule, again)
    assert [round(place[1]) for place in again.places] == [LINE_DISTANCE - 7, LINE_DISTANCE + HEIGHT]
    again.places.clear()
    field_of("An invoice for all that was ordered\nTotal\nOrder", rule, again)
    assert [round(place[1]) for place in again.places] == [LINE_DISTANCE - 7]


def test_a_second_look_is_beside_a_label_if_something_is_there() -> None:
    """Also on a card: it has no label there if nothing is below it."""
    again = AgainByLine(by_line={"date": "", "reference": "", "total": "12.50"})
    rules = [FieldRule("total", "amount", near=("total",)), *_TYPED]
    assert fields_of(f"{_ABOVE}Total             l2.5o", rules, again)["total"].value == "12.50"


def test_the_only_amount_of_a_page_without_its_label_is_doubtful() -> None:
    """The small labels of a cheque are often misread; it has one amount in figures."""
    found = fields_of("owenor  Green Valley Nursery\n$  1,284.50", rules_of("cheque"))["amount"]
    assert (found.value, found.standing) == ("1284.50", Standing.DOUBTFUL)
    assert fields_of("Bread 2.40\nCheese 3.10", rules_of("cheque"))["amount"].standing is Standing.MISSING


def test_the_only_amount_is_not_that_of_another_field() -> None:
    """A total is no deposit."""
    rules = [FieldRule("total", "amount", near=("total",)), FieldRule("deposit", "amount", near=("deposit", "*"))]
    assert fields_of("Total 12.50", rules)["deposit"].standing is Standing.MISSING


def test_an_unknown_century_does_not_make_another_date_better() -> None:
    """The date of birth is the first one at its label, although its century is doubtful."""
    rule = FieldRule("birth_date", "date", near=("date of birth",), locale="en_GB")
    found = field_of("Date of birth 12.03.45, registered 01.02.2010", rule)
    assert (found.value, found.standing) == ("1945-03-12", Standing.DOUBTFUL)


def test_the_payee_of_a_cheque_is_beside_a_label_of_two_lines() -> None:
    """American cheques divide it."""
    assert fields_of("PAY TO THE\nORDER OF   Green Valley Nursery", rules_of("cheque"))["payee"].value == (
        "Green Valley Nursery"
    )
