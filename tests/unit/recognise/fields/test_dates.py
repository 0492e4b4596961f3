"""Dates are found in the notations of many countries."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.recognise.extract.fields.dates import date_notation, find_dates

_BRITISH = date_notation("en_GB", ("eng",), None)


def _values(text: str, locale: str = "en_GB", languages: tuple[str, ...] = ("eng",)) -> list[str]:
    return [found.value for found in find_dates(text, date_notation(locale, languages, None))]


@pytest.mark.parametrize(
    "written",
    [
        "2018-03-23", "23/03/2018", "23-03-18", "23.3.2018", "23 . 03 . 2018", "23 03 2018", "20180323", "2018/3/23",
        "23 March 2018", "23-Mar-2018", "23MAR18", "23rd March 2018", "March 23, 2018", "Mar 23 2018", "2018-Mar-23",
        "23 MAR/MARS 18", "23 MRT/MAR 2018", "23 March / mars 2018", "23 Mar./March 2018", "23 MAR/MAR 18",
        "Fri 23/03/2018 18:43:34", "Date:23/03/2018", "23/03/20185:57:07PM",
    ],
)  # fmt: skip
def test_a_date_is_found_however_it_is_written(written: str) -> None:
    """A date is found however it is written."""
    assert _values(written) == ["2018-03-23"]


@pytest.mark.parametrize(
    ("written", "locale", "language"),
    [
        ("23. März 2018", "de_DE", "deu"), ("23. Mär. 2018", "", "deu"), ("23 mars 2018", "fr_FR", "fra"),
        ("23 févr. 2018", "", "fra"), ("23 de marzo de 2018", "", "spa"), ("1er février 2018", "fr_FR", "fra"),
    ],
)  # fmt: skip
def test_months_have_the_names_of_the_language(written: str, locale: str, language: str) -> None:
    """Months have the names of the language."""
    [value] = _values(written, locale, (language,))
    assert value.startswith("2018-0")


@pytest.mark.parametrize(
    "written",
    [
        "5 boxes/May 2020", "10 March/Suite 20", "12 March/April 2020", "31 Apr/May 2020", "1 May/Thu 12 2020",
        "No. 5 Invoice/March 2020",
    ],
)  # fmt: skip
def test_a_month_and_another_word_are_no_month_in_two_languages(written: str) -> None:
    """Both must be names of the same month."""
    assert _values(written) == []
    assert _values("12 May/until 15 June 2020") == ["2020-06-15"]


def test_the_locale_decides_which_number_is_the_day() -> None:
    """The locale decides which number is the day."""
    assert _values("02/01/2018", "en_GB") == ["2018-01-02"]
    assert _values("02/01/2018", "en_US") == ["2018-02-01"]
    assert _values("02.01.2018", "", ("deu",)) == ["2018-01-02"]


def test_a_day_above_12_needs_no_locale() -> None:
    """A day above 12 needs no locale."""
    assert _values("03/23/2018", "en_GB") == ["2018-03-23"]
    assert _values("23/03/2018", "en_US") == ["2018-03-23"]


def test_without_a_locale_a_date_that_may_be_two_days_is_doubtful() -> None:
    """Without a locale a date that may be two days is doubtful."""
    notation = date_notation("", ("eng",), None)
    [ambiguous] = find_dates("02/01/2018", notation)
    [clear] = find_dates("23/03/2018", notation)
    [same] = find_dates("05-05-2018", notation)
    assert ambiguous.doubt
    assert not clear.doubt
    assert not same.doubt


@pytest.mark.parametrize(
    "written",
    [
        "31/02/2018",
        "03-7805 7889",
        "192.168.10.12",
        "12.345.678",
        "Total 12.50 13.50",
        "47100 PUCHONG",
        "1/2",
        "13 -9.36",
    ],
)
def test_numbers_that_are_no_date_are_none(written: str) -> None:
    """Numbers that are no date are none."""
    assert _values(written) == []


def test_years_of_two_digits_are_of_the_century_of_birth_dates() -> None:
    """Someone was born in 1958, and no document is valid up to 2058; but which of them is meant is not written."""
    assert _values("01/02/36 01/02/37 01/02/70") == ["2036-02-01", "1937-02-01", "1970-02-01"]
    doubts = [found.doubt for found in find_dates("1.2.36 1.2.37 1 Feb 69 1.2.70 1.2.1969", _BRITISH)]
    assert [bool(doubt) for doubt in doubts] == [False, True, True, False, False]


@given(
    st.dates(date(1937, 1, 1), date(2036, 12, 31)), st.sampled_from(["%d/%m/%Y", "%d.%m.%y", "%Y-%m-%d", "%d %b %Y"])
)
def test_any_day_is_found_again(day: date, notation: str) -> None:
    """Any day is found again."""
    assert [found.value for found in find_dates(f"x {day.strftime(notation)} y", _BRITISH)] == [day.isoformat()]


@given(st.text(max_size=60))
def test_any_text_gives_dates_that_are_in_it(text: str) -> None:
    """Any text gives dates that are in it."""
    for found in find_dates(text, _BRITISH):
        assert 0 <= found.start < found.end <= len(text)
        assert date.fromisoformat(found.value)
