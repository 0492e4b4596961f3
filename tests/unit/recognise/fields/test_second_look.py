"""A second look fills what is missing and verifies what is alike; it replaces a value only if it is backed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ocrwatch.document import Quad, Standing
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.fields.leader_lines import BesideLeaders
from ocrwatch.recognise.strip_reader import Reading
from tests.unit.recognise.fields.text_pages import LINE_DISTANCE, field_of, fields_of, text_page

_TOTAL = FieldRule("total", "amount", near=("total",), equals=("cash - change",))
_DATE = FieldRule("date", "date", near=("date", "*"), locale="en_GB")


@dataclass(slots=True)
class Again:
    """Reads the same at every place."""

    tesseract: Sequence[str] = ()
    other: Sequence[str] = ()
    zone: str = ""
    confidence: float = 80.0
    places: list[Quad] = field(default_factory=list)
    beside: BesideLeaders | None = None

    def read_beside_leaders(self) -> BesideLeaders | None:
        """Return what is read beside leaders."""
        return self.beside

    def read_lines(self, places: Sequence[Quad], unit: float) -> list[list[Reading]]:
        """Return the same for all places."""
        assert unit > 0
        self.places += places
        readings = [Reading("tesseract", text, self.confidence) for text in self.tesseract]
        return [[*readings, *(Reading("other", text, self.confidence) for text in self.other)] for _ in places]

    def read_zone(self, place: Quad, unit: float, rule: FieldRule) -> Reading | None:
        """Return the text of any zone."""
        assert unit > 0
        assert rule.zone
        self.places.append(place)
        return Reading("tesseract", self.zone, 70.0) if self.zone else None


@dataclass(slots=True)
class AgainByLine(Again):
    """Reads what is given for each line of the page, from top to bottom."""

    by_line: dict[str, str] = field(default_factory=dict)

    def read_lines(self, places: Sequence[Quad], unit: float) -> list[list[Reading]]:
        """Return what is given for the line of each place."""
        assert unit > 0
        texts = list(self.by_line.values())
        rows = [round(place[1] / LINE_DISTANCE) for place in places]
        return [[Reading("tesseract", texts[row], self.confidence)] if texts[row] else [] for row in rows]


def test_a_value_that_is_read_alike_is_verified() -> None:
    """A value that is read alike is verified."""
    found = field_of("Total 31.00", _TOTAL, Again(["31.00", "31.00"]))
    assert (found.value, found.standing, found.ground) == ("31.00", Standing.VERIFIED, "two readings are alike")


def test_a_different_reading_replaces_nothing_but_casts_doubt() -> None:
    """A different reading replaces nothing but casts doubt."""
    found = field_of("Total 31.00", _TOTAL, Again(["37.00", "37.00"]))
    assert (found.value, found.standing) == ("31.00", Standing.DOUBTFUL)
    assert found.ground == "a second reading is 37.00"


def test_a_different_reading_that_a_sum_backs_replaces_the_value() -> None:
    """A different reading that a sum backs replaces the value."""
    rules = (_TOTAL, FieldRule("cash", "amount", near=("cash",)), FieldRule("change", "amount", near=("change",)))
    again = Again(["31.00"])
    assert fields_of("Total 37.00\nCash 50.00\nChange 19.00", rules, again)["total"].value == "31.00"


def test_right_check_digits_replace_wrong_ones() -> None:
    """Right check digits replace wrong ones."""
    rule = FieldRule("iban", "iban")
    found = field_of("IBAN DE89 3704 0044 0532 0130 08", rule, Again(["DE89 3704 0044 0532 0130 00"]))
    assert (found.value, found.standing) == ("DE89370400440532013000", Standing.VERIFIED)


def test_a_missing_value_is_read_beside_its_label() -> None:
    """A missing value is read beside its label."""
    again = Again(["23/03/2018", "23/03/2018"])
    found = field_of("Date\nShop of things", FieldRule("date", "date", near=("date",), locale="en_GB"), again)
    assert (found.value, found.standing, found.words) == ("2018-03-23", Standing.READ, ())
    assert found.corners is not None
    assert found.box.right > found.box.left
    assert found.confidence == 80.0


def test_a_missing_value_that_one_reading_has_is_doubtful() -> None:
    """A missing value that one reading has is doubtful."""
    assert field_of("09/03/2918", _DATE, Again(["09/03/2016", "x"])).standing is Standing.DOUBTFUL


def test_a_missing_value_that_two_engines_read_is_not_verified() -> None:
    """It was read well, but nothing shows that it is the value of the field: the first reading had nothing there."""
    found = field_of("09/03/2918", _DATE, Again(["09/03/2018"], ["09/03/2018"]))
    assert (found.value, found.standing) == ("2018-03-09", Standing.READ)


def test_an_amount_that_lost_its_decimals_gets_them_from_a_reading_with_the_same_digits() -> None:
    """An amount that lost its decimals gets them from a reading with the same digits."""
    found = field_of("Total 740", _TOTAL, Again(["7.40"]))
    assert (found.value, found.standing) == ("7.40", Standing.READ)
    assert field_of("Total 740", _TOTAL, Again(["7.48"])).value == "740.00"


def test_several_values_are_not_verified_by_reading_one_of_them_again() -> None:
    """Several values are not verified by reading one of them again."""
    text = "Date 01/03/2018\nDate 02/03/2018"
    assert field_of(text, _DATE, Again(["01/03/2018"] * 2)).standing is Standing.DOUBTFUL


def test_of_several_right_check_digits_a_second_reading_chooses_none() -> None:
    """The page has two accounts: reading one of them again does not say whose it is."""
    text = "IBAN DE89 3704 0044 0532 0130 00\nIBAN GB82 WEST 1234 5698 7654 32"
    found = field_of(text, FieldRule("iban", "iban", near=("iban",)), Again(["DE89 3704 0044 0532 0130 00"]))
    assert (found.standing, found.ground) == (Standing.DOUBTFUL, "there are several with right check digits")


def test_right_check_digits_of_a_second_reading_settle_what_was_ambiguous() -> None:
    """Both were misread at first; one is right in the second reading."""
    text = "IBAN DE89 3704 0044 0532 0130 01\nIBAN GB82 WEST 1234 5698 7654 33"
    again = AgainByLine(by_line={"first": "DE89 3704 0044 0532 0130 00", "second": "GB82 WEST 1234 5698 7654 33"})
    found = field_of(text, FieldRule("iban", "iban", near=("iban",)), again)
    assert (found.value, found.standing) == ("DE89370400440532013000", Standing.VERIFIED)


def test_right_check_digits_at_a_worse_label_verify_nothing() -> None:
    """Any number may have right check digits: those count that are beside the best label with a value."""
    rule = FieldRule("vat", "vat", near=("vat id", "customer"))
    text = "Customer\nVAT ID\nAn invoice for all that was ordered"
    again = AgainByLine(by_line={"Customer": "DE136695976", "VAT ID": "DE136695977"})
    assert field_of(text, rule, again).standing is not Standing.VERIFIED
    again = AgainByLine(by_line={"Customer": "DE136695976", "VAT ID": ""})
    assert field_of(text, rule, again).value == "DE136695976"


def test_what_is_verified_is_not_read_again() -> None:
    """What is verified is not read again."""
    again = Again(["1.00"])
    fields_of("Total 31.00\nTotal due 31.00", [FieldRule("t", "amount", near=("total | total due",))], again)
    field_of("Name Ada", FieldRule("name", near=("name",)), again)
    field_of("Total 31.00", FieldRule("t", "amount", near=("total",), second_look=False), again)
    assert not again.places


def test_a_zone_is_read_on_its_own() -> None:
    """A zone is read on its own."""
    rule = FieldRule("number", "code", zone=(0.0, 0.0, 0.5, 0.05))
    again = Again(zone="A-1234")
    found = field_of(text_page("B-9\n" * 3), rule, again)
    assert (found.value, found.standing, found.ground) == (
        "A-1234",
        Standing.DOUBTFUL,
        "another reading of its zone is B-9",
    )
    assert again.places == [(0.0, 0.0, 500.0, 0.0, 500.0, 80.0, 0.0, 80.0)]
    assert field_of(text_page("A-1234"), rule, again).standing is Standing.VERIFIED
    assert field_of(text_page("xyz"), rule, again).standing is Standing.READ
    assert field_of(text_page("xyz"), rule, Again()).standing is Standing.MISSING


def test_a_zone_may_be_relative_to_an_anchor() -> None:
    """A zone may be relative to an anchor."""
    rule = FieldRule("number", "code", zone=(0.0, 0.02, 0.2, 0.05), anchor="Reference")
    again = Again(zone="A-1234")
    found = field_of(text_page("\n\n   x  Reference\n      A-1234"), rule, again)
    assert (found.value, found.standing) == ("A-1234", Standing.VERIFIED)
    assert again.places[0][:2] == (60.0, 32.0)
    missing = field_of("nothing", rule, again)
    assert (missing.standing, missing.ground) == (Standing.MISSING, "the anchor 'Reference' was not found")
