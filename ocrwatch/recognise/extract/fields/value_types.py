"""Finds values of each type in text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from ocrwatch.recipe import FieldRule, FieldType
from ocrwatch.recognise.extract.fields.amounts import find_amounts, find_integers
from ocrwatch.recognise.extract.fields.check_digits import find_eans, find_ibans, find_luhn_numbers, find_vat_numbers
from ocrwatch.recognise.extract.fields.dates import date_notation, find_dates
from ocrwatch.recognise.extract.fields.found_value import FoundValue

_CODE: Final = re.compile(r"[^\W_](?:[\w./-]*[^\W_])?")
_EDGES: Final = " \t:;,.=|*#_-\u2013\u2014"
"""Characters around a text that do not belong to it."""


def find_values(text: str, rule: FieldRule, languages: Sequence[str] = ()) -> list[FoundValue]:
    """Return the values of a rule's type, and its pattern, in a text from left to right.

    ``languages`` are Tesseract's names of the languages of the text.
    """
    if not rule.pattern:
        return list(_of_type(text, rule, languages))
    found = []
    for match in re.finditer(rule.pattern, text, re.IGNORECASE):
        group = 1 if match.re.groups else 0
        start, end = match.span(group)
        if start < 0 or start == end:
            continue
        if rule.type in ("text", "code"):
            found.append(FoundValue(start, end, match[group].strip()))
        else:
            # The first value of the type within the match.
            found += [
                value._replace(start=start + value.start, end=start + value.end)
                for value in list(_of_type(match[group], rule, languages))[:1]
            ]
    return found


def _of_type(text: str, rule: FieldRule, languages: Sequence[str]) -> Iterable[FoundValue]:
    if rule.type == "date":
        return find_dates(text, date_notation(rule.locale, tuple(languages), rule.day_first))
    if rule.type == "amount":
        return find_amounts(text, rule.locale)
    return _FINDERS[rule.type](text)


def _codes(text: str) -> list[FoundValue]:
    """Return the words with digits."""
    found = [FoundValue(match.start(), match.end(), match[0]) for match in _CODE.finditer(text)]
    return [value for value in found if any(map(str.isdigit, value.value))]


def _whole(text: str) -> list[FoundValue]:
    """Return all of a text without punctuation around it."""
    value = text.strip(_EDGES)
    start = text.find(value)
    return [FoundValue(start, start + len(value), value)] if any(map(str.isalnum, value)) else []


_FINDERS: Final[Mapping[FieldType, Callable[[str], Iterable[FoundValue]]]] = {
    "integer": find_integers,
    "iban": find_ibans,
    "vat": find_vat_numbers,
    "luhn": find_luhn_numbers,
    "ean": find_eans,
    "code": _codes,
    "text": _whole,
}


def parse_value(text: str, rule: FieldRule, languages: Sequence[str] = ()) -> str:
    """Return a value that a person wrote in the notation of fields; the text itself if it is none of the type."""
    found = list(_of_type(text, rule, languages))
    return found[0].value if found else text.strip()
