"""Finds amounts and whole numbers in text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from babel import Locale

from ocrwatch.recognise.extract.fields.found_value import FoundValue

NO_DECIMALS: Final = "it has no decimals"

_GROUPS: Final = r"[.,'\u2019\u00a0\u202f ]"
_CODES: Final = "AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|MYR|NOK|NZD|PLN|RM|SEK|SGD|USD|ZAR"
"""Codes and abbreviations of currencies that are also written with a space. Others are found without one."""

_NUMBER: Final = re.compile(
    rf"(?<!\d)(?<!\d[.,/:])(?P<minus>[-\u2212\u2013(]\s?)?(?P<currency>(?:{_CODES})\s?|[A-Z]{{1,3}}\$?(?=-?\d)|[$\u20ac\u00a3\u00a5]\s?)?(?P<minus2>[-\u2212]\s?)?"
    rf"(?P<whole>\d{{1,3}}(?:{_GROUPS}\d{{3}})+(?!\d)|\d{{1,15}}(?!\d))"
    r"(?:(?P<point>\s?[.,]\s?|(?P<lost>\s))(?P<decimals>\d\d)(?!\d)(?!\s?[.,/:]\s?\d))?"
    rf"(?P<after>\s?%|\s?[$\u20ac\u00a3\u00a5]|\s?(?:{_CODES})\b|[-](?!\d))?",
    re.ASCII,
)
_CURRENCY: Final = re.compile(rf"[$\u20ac\u00a3\u00a5]|\b(?:{_CODES})(?![A-Za-z])")
_INTEGER: Final = re.compile(rf"(?<![\d.,])-?(?:\d{{1,3}}(?:{_GROUPS}\d{{3}})+|\d+)(?![\d%]|[.,]\d)", re.ASCII)
_OTHER: Final = {".": ",", ",": "."}
"""The sign between thousands, by the sign before decimals."""

_MOST_DIGITS: Final = 8
"""Digits of an amount without decimals and separators, at most."""


@functools.cache
def has_spaces(locale: str) -> bool:
    """Return whether a locale has spaces between thousands."""
    symbols = Locale.parse(locale).number_symbols
    return str(symbols.get("latn", symbols)["group"]).isspace()


@functools.cache
def decimal_sign(locale: str) -> str:
    """Return the sign before the decimals in a locale; empty without a locale."""
    if not locale:
        return ""
    symbols = Locale.parse(locale).number_symbols
    return str(symbols.get("latn", symbols)["decimal"])


def find_amounts(text: str, locale: str = "") -> Iterator[FoundValue]:
    """Yield the amounts in a text, from left to right, as ``-1234.50``.

    An amount has two decimals. One without is found, too, but it is doubtful unless a currency is beside it.
    """
    for match in _NUMBER.finditer(text):
        if (match["after"] or "").strip() == "%" or (not match["decimals"] and _is_code(match, text)):
            continue
        whole = re.sub(r"\D", "", match["whole"])
        sign = "-" if match["minus"] or match["minus2"] or match["after"] == "-" else ""
        if sign and (match["minus"] or "").startswith("(") and not text.startswith(")", match.end()):
            sign = ""
        value = f"{sign}{int(whole)}.{match['decimals'] or '00'}"
        if Decimal(value) == 0:
            value = "0.00"
        yield FoundValue(match.start(), match.end(), value, _doubt(match, locale))


def _is_code(match: re.Match[str], text: str) -> bool:
    """Return whether a number without decimals is a code, or part of one, of a time or of another number."""
    currency = match["currency"] or ""
    is_after_letters = currency[-1:].isalpha() and not _CURRENCY.search(currency)
    # The rest of a misread "4.l0".
    is_after_letters = is_after_letters or text[match.start() - 1 : match.start()].isalpha()
    is_long = match["whole"].isdigit() and (len(match["whole"]) > _MOST_DIGITS or match["whole"].startswith("00"))
    return is_after_letters or is_long or re.match(r"[\w/:]|[.,]\d", text[match.end() : match.end() + 2]) is not None


def _doubt(match: re.Match[str], locale: str) -> str:
    if match["lost"]:
        return "the sign before its decimals was not read"
    if " " in match["whole"] and locale and not has_spaces(locale):
        return "there is a space in it"
    expected = decimal_sign(locale)
    if match["decimals"] is None:
        separators = re.sub(r"\d", "", match["whole"])
        if separators in (".", ",") and separators != _OTHER.get(expected):
            return "it may have three decimals"
        return "" if _CURRENCY.search(match[0]) else NO_DECIMALS
    if expected and match["point"].strip() != expected:
        return f"its decimals follow {match['point'].strip()!r} instead of {expected!r}"
    return ""


def find_integers(text: str) -> Iterator[FoundValue]:
    """Yield the whole numbers in a text, from left to right, without thousands separators."""
    for match in _INTEGER.finditer(text):
        sign = "-" if match[0].startswith("-") else ""
        yield FoundValue(match.start(), match.end(), sign + re.sub(r"\D", "", match[0]))
