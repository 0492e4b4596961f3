"""Finds dates in text.

Names of months and the order of day and month come from the Unicode locale data (CLDR).
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from ocrwatch.recognise.extract.fields.found_value import FoundValue

_SEPARATOR: Final = r"\s?[-/.,\u2013]\s?"
_DIGITS: Final = re.compile(
    rf"(?<!\d)(?<!\d[.,/-])(?:(?P<y1>(?:19|20)\d\d){_SEPARATOR}(?P<m1>\d\d?){_SEPARATOR}(?P<d1>\d\d?)"
    rf"|(?P<a>\d\d?){_SEPARATOR}(?P<b>\d\d?){_SEPARATOR}(?P<y2>(?:19|20)\d\d|\d\d(?!\d)(?!\s?:\d))"
    r"|(?P<a3>\d\d?)[ ](?P<b3>\d\d?)[ ](?P<y3>(?:19|20)\d\d)"
    r"|(?P<y4>20\d\d)(?P<m4>0[1-9]|1[0-2])(?P<d4>[0-3]\d)(?!\d))"
    # A time may follow at once; other digits make it a telephone number or an address.
    r"(?!\d(?!\d?:\d))(?!\s?[-/.]\d)",
    re.ASCII,
)
_AROUND_NAME: Final = r"[\s.,'/\-\u2013]{0,3}"
_DAY_FIRST: Final = re.compile(rf"(?<!\d)(\d\d?)(?:st|nd|rd|th|er|\u00ba)?{_AROUND_NAME}(?:de\s)?$", re.IGNORECASE)
_DAY_AFTER: Final = re.compile(
    rf"{_AROUND_NAME}(\d\d?)(?:st|nd|rd|th)?(?:\s?,\s?|\s)((?:19|20)\d\d)(?!\d)", re.IGNORECASE
)
_YEAR_AFTER: Final = re.compile(rf"{_AROUND_NAME}(?:de\s)?((?:19|20)\d\d|\d\d)(?!\d)(?!\s?:\d)")
_YEAR_BEFORE: Final = re.compile(rf"(?<!\d)((?:19|20)\d\d){_AROUND_NAME}$")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_OTHER_NAME: Final = re.compile(r"\.?\s?/\s?([^\W\d_]{3,})\.?")
_LANGUAGES: Final = (
    "bg cs da de el en es et fi fr hr hu is it lt lv nb nl pl pt ro ru sk sl sq sr sv tr uk".split()  # noqa: SIM905
)
"""Codes of languages in which months are looked up if they are written twice."""
_CENTURY: Final = 2000
_EARLIEST_SHORT_YEAR: Final = 37
"""Years of two digits from this one on are of the 20th century: until 2026, no identity card is valid longer, and many
people were born before 1970."""

_EARLIEST_SURE_YEAR: Final = 70
"""Years of two digits before this one, which POSIX takes as of the 21st century (strptime: up to 68), are doubtful."""

NO_CENTURY: Final = "its century is not written"
"""What is doubtful about these years."""

_SAME: Final = str.maketrans({",": ".", "\u2013": "-"})
"""Separators that are misread for each other."""

_EXCHANGEABLE: Final = "day and month could be exchanged"


@dataclass(frozen=True, slots=True)
class DateNotation:
    """How dates are written."""

    day_first: bool | None
    """None if it is unknown: then the day is taken to be first, and the date is doubtful."""
    months: dict[str, int]
    """Numbers of the months by their names without case and accents."""


@functools.cache
def date_notation(locale: str, languages: Sequence[str], day_first: bool | None) -> DateNotation:  # noqa: FBT001
    """Return the notation of a locale, and the names of the months in all languages.

    ``languages`` are Tesseract's names. English names are on documents of any country.
    """
    known = [parsed for name in (locale, *map(_language, languages), "en") if name and (parsed := _parsed(name))]
    months: dict[str, int] = {}
    for each in reversed(known):
        for width in ("wide", "abbreviated"):
            for context in ("stand-alone", "format"):
                for number, name in each.months[context][width].items():
                    months[folded(name).rstrip(".")] = int(number)
    if day_first is None:
        # English alone does not decide: America and the rest of the world differ.
        names = [locale] if locale else [code for code in map(_language, languages) if code != "en"]
        orders = {_has_day_first(parsed) if (parsed := _parsed(name)) else None for name in names}
        day_first = orders.pop() if len(orders) == 1 else None
    return DateNotation(day_first, months)


def find_dates(text: str, notation: DateNotation) -> Iterator[FoundValue]:
    """Yield the dates in a text, from left to right, as ``2026-11-27``."""
    found = [*_of_digits(text, notation), *_with_names(text, notation)]
    yield from sorted(found, key=lambda value: value.start)


def _of_digits(text: str, notation: DateNotation) -> Iterator[FoundValue]:
    for match in _DIGITS.finditer(text):
        if not _is_even(match[0]):
            continue
        parts = {name[0]: int(value) for name, value in match.groupdict().items() if value}
        doubt = ""
        if "m" in parts:
            value = _date(parts["y"], parts["m"], parts["d"])
        else:
            value, doubt = _of_pair(_full_year(parts["y"]), parts["a"], parts["b"], notation.day_first)
            doubt = doubt or _doubt_of_century(parts["y"])
        if value:
            yield FoundValue(match.start(), match.end(), value, doubt)


def _is_even(written: str) -> bool:
    """Return whether a date with a year of two digits has the same separator twice: "13 -9.36" is none."""
    separators = set(re.findall("[-/.]", written.translate(_SAME)))
    return len(separators) <= 1 or re.search(r"\d{4}", written) is not None


def _of_pair(year: int, first: int, second: int, day_first: bool | None) -> tuple[str, str]:  # noqa: FBT001
    """Return the date of a year with day and month in unknown order, and what is doubtful about it."""
    by_day, by_month = _date(year, second, first), _date(year, first, second)
    if by_day and by_month and by_day != by_month:
        return (by_month if day_first is False else by_day), (_EXCHANGEABLE if day_first is None else "")
    usual, other = (by_month, by_day) if day_first is False else (by_day, by_month)
    return usual or other, ("" if usual or day_first is None else "day and month are exchanged")


def _with_names(text: str, notation: DateNotation) -> Iterator[FoundValue]:
    for start, stop, month in _months(text, notation):
        before, after = text[:start], text[stop:]
        day, year = _DAY_FIRST.search(before), _YEAR_AFTER.match(after)
        if day and year:
            value = _date(_full_year(int(year[1])), month, int(day[1]))
            if value:
                yield FoundValue(day.start(), stop + year.end(), value, _doubt_of_century(int(year[1])))
            continue
        later, earlier = _DAY_AFTER.match(after), _YEAR_BEFORE.search(before)
        if later and (value := _date(int(later[2]), month, int(later[1]))):
            yield FoundValue(start, stop + later.end(), value)
        elif earlier and year and (value := _date(int(earlier[1]), month, int(year[1]))):
            yield FoundValue(earlier.start(), stop + year.end(), value)


def _months(text: str, notation: DateNotation) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and number of the names of months.

    Passports have them in two languages: 12 AUG/AOUT 74 (ICAO 9303, part 3).
    """
    begin = 0
    for match in _WORD.finditer(text):
        if match.start() < begin:
            continue
        month = notation.months.get(folded(match[0]))
        other = _OTHER_NAME.match(text, match.end())
        if other is not None:
            twice = month or notation.months.get(folded(other[1]))
            if twice is not None and _is_name(match[0], twice) and _is_name(other[1], twice):
                begin = other.end()
                yield match.start(), begin, twice
                continue
        if month is not None:
            yield match.start(), match.end(), month


def _is_name(word: str, month: int) -> bool:
    """Return whether a word is the name of a month in some language, or its beginning."""
    return any(name.startswith(folded(word)) for name in _names_of_months()[month])


@functools.cache
def _names_of_months() -> dict[int, frozenset[str]]:
    names: dict[int, set[str]] = {number: set() for number in range(1, 13)}
    for locale in map(Locale.parse, _LANGUAGES):
        for width, context in itertools.product(("wide", "abbreviated"), ("stand-alone", "format")):
            for number, name in locale.months[context][width].items():
                names[int(number)].add(folded(name).rstrip("."))
    return {number: frozenset(each) for number, each in names.items()}


def _date(year: int, month: int, day: int) -> str:
    """Return a date as ``2026-11-27``; empty if there is no such day."""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def _full_year(year: int) -> int:
    if year > 99:  # noqa: PLR2004 - two digits
        return year
    return year + (_CENTURY - 100 if year >= _EARLIEST_SHORT_YEAR else _CENTURY)


def _doubt_of_century(year: int) -> str:
    """Return what is doubtful about a year as it is written."""
    return NO_CENTURY if _EARLIEST_SHORT_YEAR <= year < _EARLIEST_SURE_YEAR else ""


def folded(text: str) -> str:
    """Return a text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _language(name: str) -> str:
    """Return the code of a language in CLDR, such as ``de`` for Tesseract's ``deu``; empty for a script."""
    code = name.partition("_")[0]
    alias = get_global("language_aliases").get(code, code)
    return str(alias) if alias.isalpha() else ""


def _parsed(name: str) -> Locale | None:
    if not name:
        return None
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return None


def _has_day_first(locale: Locale) -> bool:
    pattern = str(locale.date_formats["short"].pattern)
    return pattern.find("d") < pattern.find("M")
