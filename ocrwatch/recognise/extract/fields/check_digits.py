"""Finds numbers with check digits: IBAN, VAT numbers, EAN, and those with a Luhn digit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ocrwatch.recognise.extract.fields.found_value import FoundValue

_COUNTRIES_BY_LENGTH: Final = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
"""Characters of an IBAN by country: SWIFT's IBAN registry."""

_IBAN_LENGTHS: Final = {
    country: length for length, countries in _COUNTRIES_BY_LENGTH.items() for country in countries.split()
}
_IBAN: Final = re.compile(
    # Overlapping, since what is before an IBAN may look like the start of one.
    rf"(?<![A-Z0-9])(?=((?:{'|'.join(_IBAN_LENGTHS)})\s?[\dOISZBG]{{2}}(?:\s?[A-Z0-9]){{11,30}}))",
    re.IGNORECASE | re.ASCII,
)

_ONLY_DIGITS: Final = frozenset(
    "AE AT BA BE CZ DE DK EE ES FI FO GL HR HU IL IS LT ME NO PL PT RS SE SI SK TN XK".split()  # noqa: SIM905
)
"""Countries whose IBANs have no letters but their own."""

_AS_DIGITS: Final = str.maketrans("OISZBG", "015286")
"""Letters that are misread digits, if there can be digits only."""

_VAT: Final = {
    "AT": r"U\d{8}", "BE": r"[01]\d{9}", "BG": r"\d{9,10}", "CY": r"\d{8}[A-Z]", "CZ": r"\d{8,10}", "DE": r"\d{9}",
    "DK": r"\d{8}", "EE": r"\d{9}", "EL": r"\d{9}", "ES": r"[A-Z0-9]\d{7}[A-Z0-9]", "FI": r"\d{8}",
    "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}", "GB": r"\d{9}(?:\d{3})?", "HR": r"\d{11}", "HU": r"\d{8}",
    "IE": r"\d{7}[A-W][A-I]?", "IT": r"\d{11}", "LT": r"\d{9}(?:\d{3})?", "LU": r"\d{8}", "LV": r"\d{11}",
    "MT": r"\d{8}", "NL": r"\d{9}B\d\d", "PL": r"\d{10}", "PT": r"\d{9}", "RO": r"\d{2,10}", "SE": r"\d{12}",
    "SI": r"\d{8}", "SK": r"\d{10}",
}  # fmt: skip
"""Numbers after the country by country: the European Commission's VIES, "VAT identification number structure"."""

_VAT_START: Final = re.compile(rf"(?<![A-Z0-9])({'|'.join(_VAT)})\s?(?=[A-Z0-9])", re.ASCII)
_LONGEST_VAT: Final = 12
_DIGITS: Final = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){6,25}(?![\d]|[.,]\d)", re.ASCII)
_EAN_LENGTHS: Final = frozenset({8, 12, 13, 14})
_SHORTEST_LUHN: Final = 8
"""Digits of a number with a Luhn digit, at least; one in ten of any numbers has a right one."""

_WRONG: Final = "its check digits are wrong"


def find_ibans(text: str) -> Iterator[FoundValue]:
    """Yield the IBANs in a text, without spaces. Source: ISO 13616, ISO 7064 MOD 97-10."""
    found = [value for match in _IBAN.finditer(text) if (value := _iban(match)) is not None]
    right = [value for value in found if value.is_checked]
    for value in found:
        if value.is_checked or all(other.end <= value.start or value.end <= other.start for other in right):
            yield value


def _iban(match: re.Match[str]) -> FoundValue | None:
    compact, ends = _compact(match[1])
    compact = compact.upper()
    length = _IBAN_LENGTHS[compact[:2]]
    if len(compact) < length:
        return None
    compact = compact[:length]
    is_right = is_iban(compact)
    if not is_right:
        with_digits = _with_digits(compact)
        is_right = is_iban(with_digits)
        if not is_right and not compact[2:4].isdigit():
            # A text in capitals.
            return None
        compact = with_digits if is_right else compact
    doubt = "" if is_right else _WRONG
    return FoundValue(match.start(), match.start() + ends[length - 1], compact, doubt, is_right)


def _with_digits(iban: str) -> str:
    """Return an IBAN with digits in place of letters that can only be misread ones."""
    digits = len(iban) if iban[:2] in _ONLY_DIGITS else 4
    return iban[:2] + iban[2:digits].translate(_AS_DIGITS) + iban[digits:]


def is_iban(value: str) -> bool:
    """Return whether the check digits of an IBAN without spaces are right."""
    return int("".join(str(int(letter, 36)) for letter in value[4:] + value[:4])) % 97 == 1


def find_vat_numbers(text: str) -> Iterator[FoundValue]:
    """Yield European VAT numbers, without spaces. Check digits are checked for those countries that are known here."""
    for match in _VAT_START.finditer(text):
        rest, ends = _compact(text[match.end() :], most=_LONGEST_VAT)
        number = re.match(_VAT[match[1]], rest)
        if number is None:
            continue
        found = number[0]
        if match[1] == "IE" and found[-2:].isalpha() and not _is_irish(found):
            # The last letter is the first one of the next word.
            found = found[:-1]
        is_right = _is_vat(match[1], found)
        doubt = _WRONG if is_right is False else ""
        yield FoundValue(match.start(), match.end() + ends[len(found) - 1], match[1] + found, doubt, is_right is True)


def _is_vat(country: str, number: str) -> bool | None:
    """Return whether the check digits of a VAT number are right; None if they are not known here."""
    check = _VAT_CHECKS.get(country)
    return None if check is None or (country == "FR" and not number.isdigit()) else check(number)


def _is_belgian(number: str) -> bool:
    return 97 - int(number[:8]) % 97 == int(number[8:])


def _is_french(number: str) -> bool:
    return int(number[:2]) == (12 + 3 * (int(number[2:]) % 97)) % 97


def _is_luxembourgish(number: str) -> bool:
    return int(number[:6]) % 89 == int(number[6:])


def _is_irish(number: str) -> bool:
    """Return whether the letter after seven digits is right; a second letter counts nine times its place from A."""
    total = sum(weight * int(digit) for weight, digit in zip(range(8, 1, -1), number, strict=False))
    if len(number) > len("1234567A"):
        total += 9 * (ord(number[-1]) - ord("A") + 1)
    return number[7] == "WABCDEFGHIJKLMNOPQRSTUV"[total % 23]


def _iso_11_10(number: str) -> bool:
    """Return whether the last digit is right by ISO 7064 MOD 11,10."""
    product = 10
    for digit in map(int, number[:-1]):
        product = 2 * ((digit + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(number[-1])


def find_luhn_numbers(text: str) -> Iterator[FoundValue]:
    """Yield numbers with a Luhn digit (ISO/IEC 7812-1), without spaces. Wrong ones are yielded as doubtful."""
    for match in _DIGITS.finditer(text):
        value = re.sub(r"\D", "", match[0])
        if len(value) >= _SHORTEST_LUHN:
            is_right = is_luhn(value)
            yield FoundValue(match.start(), match.end(), value, "" if is_right else _WRONG, is_right)


def is_luhn(digits: str) -> bool:
    """Return whether the last digit is right by ISO/IEC 7812-1, annex B."""
    total = 0
    for position, digit in enumerate(map(int, reversed(digits))):
        total += digit if position % 2 == 0 else sum(divmod(2 * digit, 10))
    return total % 10 == 0


def find_eans(text: str) -> Iterator[FoundValue]:
    """Yield EAN and UPC numbers of 8, 12, 13 or 14 digits. Source: GS1 General Specifications, 7.9."""
    for match in _DIGITS.finditer(text):
        value = re.sub(r"\D", "", match[0])
        if len(value) in _EAN_LENGTHS:
            is_right = is_ean(value)
            yield FoundValue(match.start(), match.end(), value, "" if is_right else _WRONG, is_right)


def is_ean(digits: str) -> bool:
    """Return whether the last digit is right by GS1."""
    return sum(int(digit) * (1, 3)[at % 2] for at, digit in enumerate(reversed(digits))) % 10 == 0


_VAT_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "BE": _is_belgian, "DE": _iso_11_10, "FR": _is_french, "IE": _is_irish, "IT": is_luhn, "LU": _is_luxembourgish,
}  # fmt: skip
"""Source: the algorithms that the European Commission's VIES publishes."""


def _compact(text: str, most: int = 1000) -> tuple[str, list[int]]:
    """Return a text without spaces, up to ``most`` characters, and where each of its characters ends in the text."""
    kept = [(letter, at + 1) for at, letter in enumerate(text) if not letter.isspace()][:most]
    return "".join(letter for letter, _ in kept), [end for _, end in kept]
