"""Random contents of invoices: numbers, dates and amounts that are consistent, as their countries write them."""

from __future__ import annotations

import datetime as dt
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from tests.invoices.printed_labels import ENGLISH, FRENCH, GERMAN, Labels, Variants

_CENT: Final = Decimal("0.01")
_FIRST_DAY: Final = dt.date(2019, 1, 1)
_DAYS: Final = 3000


@dataclass(frozen=True, slots=True)
class Country:
    """How invoices are written in one country."""

    name: str
    languages: tuple[str, ...]
    """Tesseract's."""
    locale: str
    """What the profile must say; empty if the language tells dates and amounts."""
    labels: Labels
    rates: tuple[str, ...]
    """Rates of the tax in per cent, the usual one first."""
    thousands: str
    decimal: str
    currency: Variants
    """Ways to write amounts with a currency."""
    dates: Variants
    """``strftime``'s notations; ``%B`` and ``%b`` are replaced by the language's months."""
    cities: Variants
    streets: Variants
    firms: Variants
    people: Variants


_GERMANY: Final = Country(
    "Germany", ("deu",), "", GERMAN, ("19", "7"), ".", ",",
    ("{} €", "{} EUR", "{}", "EUR {}", "{}€"),
    ("%d.%m.%Y", "%d.%m.%Y", "%d.%m.%Y", "%-d. %B %Y", "%d.%m.%y", "%Y-%m-%d"),
    ("20095 Hamburg", "80331 München", "04109 Leipzig", "70173 Stuttgart"),
    ("Hauptstraße", "Lindenweg", "Am Markt", "Gartenstraße"),
    ("Möller & Söhne GmbH", "Nordlicht Technik AG", "Bürobedarf Krause", "Weber Gebäudedienste GmbH"),
    ("Sabine Schröder", "Jürgen Weiß", "Anna Köhler", "Peter Lange"),
)  # fmt: skip
_FRANCE: Final = Country(
    "France", ("fra",), "", FRENCH, ("20", "5,5"), " ", ",",
    ("{} €", "{} €", "{} EUR", "{}", "{}€"),
    ("%d/%m/%Y", "%d/%m/%Y", "%-d %B %Y", "%d.%m.%Y", "%d-%m-%Y"),
    ("75011 Paris", "69003 Lyon", "44000 Nantes", "33000 Bordeaux"),
    ("rue de la République", "avenue Victor Hugo", "place du Marché", "rue des Lilas"),
    ("Dupont & Fils SARL", "Atelier Bélanger", "Lumière Services SAS", "Papeterie du Château"),
    ("Hélène Lefèvre", "François Martin", "Chloé Gérard", "Luc Bernard"),
)  # fmt: skip
_BRITISH_DATES: Final = ("%d/%m/%Y", "%d/%m/%Y", "%-d %B %Y", "%-d %b %Y", "%Y-%m-%d")
_BRITAIN: Final = Country(
    "Britain", ("eng",), "en_GB", ENGLISH, ("20", "5"), ",", ".", ("£{}", "£{}", "{}", "GBP {}"), _BRITISH_DATES,
    ("London SE1 9GF", "Leeds LS1 4DY", "Bristol BS1 5TR", "York YO1 7HB"),
    ("High Street", "Station Road", "Mill Lane", "Church Street"),
    ("Harbour Supplies Ltd", "Whitfield & Sons", "Northgate Services Ltd", "Ashworth Stationers"),
    ("Margaret Hughes", "David Clarke", "Susan Palmer", "John Fletcher"),
)  # fmt: skip
_IRELAND: Final = Country(
    "Ireland", ("eng",), "en_IE", ENGLISH, ("23", "9"), ",", ".", ("€{}", "€{}", "EUR {}", "{}"), _BRITISH_DATES,
    ("Dublin D02 XY45", "Cork T12 W8KP", "Galway H91 E2K3"),
    ("O'Connell Street", "Patrick Street", "Quay Road"),
    ("Liffey Supplies Ltd", "Byrne & Daughters", "Western Services Ltd"),
    ("Aoife Murphy", "Sean Kelly", "Niamh Walsh"),
)  # fmt: skip
_AMERICA: Final = Country(
    "America", ("eng",), "en_US", ENGLISH, ("8.25", "4"), ",", ".", ("${}", "${}", "$ {}", "{}"),
    ("%m/%d/%Y", "%m/%d/%Y", "%B %-d, %Y", "%b %-d, %Y"),
    ("Portland, OR 97205", "Austin, TX 78701", "Denver, CO 80202"),
    ("Main Street", "Oak Avenue", "5th Street"),
    ("Riverside Supply Co.", "Hartman & Sons Inc.", "Summit Services LLC"),
    ("Karen Miller", "Robert Johnson", "Linda Davis"),
)  # fmt: skip

COUNTRIES: Final = {
    "eng": (_BRITAIN, _AMERICA, _BRITAIN, _IRELAND),
    "deu": (_GERMANY,),
    "fra": (_FRANCE,),
}
"""By language; an invoice has one of them, in turn."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the invoice."""

    thing: str
    quantity: int
    unit: str
    price: Decimal
    rate: str

    @property
    def amount(self) -> Decimal:
        """Quantity times price."""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an invoice says. Texts are as they are printed."""

    country: Country
    labels: Labels
    """With one variant of each label."""
    firm: str
    firm_street: str
    firm_city: str
    customer: str
    street: str
    city: str
    number: str
    day: dt.date
    due: dt.date
    ordered: dt.date
    delivered: dt.date
    customer_number: str
    order_number: str
    phone: str
    iban: str
    """Without spaces; empty in countries without."""
    iban_grouped: bool
    vat_number: str
    """Without spaces; empty in countries without."""
    items: tuple[Item, ...]
    discount: Decimal
    """Zero or less."""
    discount_rate: str
    shipping: Decimal
    paid: Decimal
    previous: Decimal
    date_notation: str
    currency: str

    @property
    def subtotal(self) -> Decimal:
        """Sum of the items."""
        return sum((item.amount for item in self.items), Decimal(0))

    @property
    def net(self) -> Decimal:
        """What is taxed."""
        return self.subtotal + self.discount + self.shipping

    @property
    def taxes(self) -> dict[str, Decimal]:
        """Tax by rate. Discount and shipping have the usual one."""
        usual = self.country.rates[0]
        taxed = {usual: self.discount + self.shipping}
        for item in self.items:
            taxed[item.rate] = taxed.get(item.rate, Decimal(0)) + item.amount
        return {
            rate: (amount * Decimal(rate.replace(",", ".")) / 100).quantize(_CENT, ROUND_HALF_UP)
            for rate, amount in taxed.items()
            if amount
        }

    @property
    def tax(self) -> Decimal:
        """Of all rates."""
        return sum(self.taxes.values(), Decimal(0))

    @property
    def total(self) -> Decimal:
        """Net and tax."""
        return self.net + self.tax

    def money(self, amount: Decimal) -> str:
        """Write an amount as its country does, with the currency."""
        sign = "-" if amount < 0 else ""
        return sign + self.currency.format(self.plain(abs(amount)))

    def plain(self, amount: Decimal) -> str:
        """Write an amount as its country does, without a currency."""
        country = self.country
        return f"{amount:,.2f}".translate({ord(","): country.thousands, ord("."): country.decimal})

    def date(self, day: dt.date) -> str:
        """Write a date as the invoice does."""
        month = self.labels.months[day.month - 1]
        notation = self.date_notation.replace("%B", month).replace("%b", month[:3])
        if self.country is _FRANCE and day.day == 1:
            notation = notation.replace("%-d", "1er")
        return day.strftime(notation)

    @property
    def printed_iban(self) -> str:
        """In groups of four or not."""
        return (
            " ".join(self.iban[at : at + 4] for at in range(0, len(self.iban), 4)) if self.iban_grouped else self.iban
        )

    @property
    def rate(self) -> str:
        """The usual rate with its sign."""
        return per_cent(self.country, self.country.rates[0])


def per_cent(country: Country, rate: str) -> str:
    """Write a rate: with a space in German and French."""
    return f"{rate}%" if country.labels is ENGLISH else f"{rate} %"


def random_invoice(
    chance: random.Random, country: Country, *, items: int, rates: int = 1, extras: bool = False
) -> Invoice:
    """Return an invoice with so many items and rates, and with discount, shipping and payments if ``extras``."""
    day = _FIRST_DAY + dt.timedelta(chance.randrange(_DAYS))
    low, high = chance.choice(((2, 60), (20, 400), (100, 4000)))
    taxed = (*country.rates[:rates], *(chance.choice(country.rates[:rates]) for _ in range(items - rates)))
    things = tuple(
        Item(
            chance.choice(country.labels.things),
            chance.choice((1, 1, 2, 3, 5, 10, 12)),
            chance.choice(country.labels.units),
            Decimal(chance.randint(low * 100, high * 100)) / 100,
            rate,
        )
        for rate in taxed
    )
    worth = sum((item.amount for item in things if item.rate == country.rates[0]), Decimal(0))
    off = chance.choice(("2", "3", "5")) if extras else "0"
    return Invoice(
        country=country,
        labels=_drawn(chance, country.labels),
        firm=chance.choice(country.firms),
        firm_street=_street(chance, country),
        firm_city=chance.choice(country.cities),
        customer=chance.choice(country.people),
        street=_street(chance, country),
        city=chance.choice(country.cities),
        number=_number(chance, day.year),
        day=day,
        due=day + dt.timedelta(chance.choice((7, 10, 14, 30))),
        ordered=day - dt.timedelta(chance.randint(10, 40)),
        delivered=day - dt.timedelta(chance.randint(1, 9)),
        customer_number=str(chance.randint(10_000, 999_999)),
        order_number=f"{chance.choice(('', 'A-', 'PO'))}{chance.randint(1000, 99_999)}",
        phone=f"0{chance.randint(20, 999)} {chance.randint(100_000, 9_999_999)}",
        iban=_IBANS[country.name](chance),
        iban_grouped=chance.random() < 0.7,
        vat_number=_VAT_NUMBERS[country.name](chance),
        items=things,
        discount=-(worth * int(off) / 100).quantize(_CENT, ROUND_HALF_UP),
        discount_rate=per_cent(country, off),
        shipping=chance.choice((Decimal("4.90"), Decimal("12.50"))) if extras else Decimal(0),
        paid=chance.choice((Decimal(50), Decimal(100))) if extras else Decimal(0),
        previous=Decimal(chance.randint(1000, 90_000)) / 100 if extras else Decimal(0),
        date_notation=chance.choice(country.dates),
        currency=chance.choice(country.currency),
    )


def _drawn(chance: random.Random, labels: Labels) -> Labels:
    """Draw one variant of each label."""
    values = {field.name: getattr(labels, field.name) for field in fields(Labels)}
    drawn: dict[str, Any] = {
        name: (chance.choice(variants),)
        for name, variants in values.items()
        if isinstance(variants, tuple) and name not in ("things", "units", "months")
    }
    return replace(labels, **drawn)


def _street(chance: random.Random, country: Country) -> str:
    street, number = chance.choice(country.streets), chance.randint(1, 180)
    return f"{street} {number}" if country is _GERMANY else f"{number} {street}"


def _number(chance: random.Random, year: int) -> str:
    small, large = chance.randint(1, 999), chance.randint(1000, 99_999)
    return chance.choice((
        f"{year}-{large:05}", f"{year}/{small:03}", f"{small}/{year}", f"{year}{large:05}", f"{large * 7}", f"R{large}",
        f"RE-{year}-{small:04}", f"INV-{large:06}", f"F{year % 100}-{large}",
    ))  # fmt: skip


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices(string.digits, k=count))


def iban(country: str, account: str) -> str:
    """Return an account's IBAN, with the check digits of ISO 13616."""
    return f"{country}{98 - remainder(account + country + '00'):02}{account}"


def remainder(text: str) -> int:
    """Return the remainder modulo 97 of letters and digits, of which A is 10."""
    return int("".join(str(int(letter, 36)) for letter in text)) % 97


def _letters(chance: random.Random, count: int) -> str:
    return "".join(chance.choices(string.ascii_uppercase, k=count))


def _none(_: random.Random) -> str:
    return ""


_IBANS: Final[dict[str, Callable[[random.Random], str]]] = {
    "Germany": lambda chance: iban("DE", _digits(chance, 18)),
    "France": lambda chance: iban("FR", _digits(chance, 23)),
    "Britain": lambda chance: iban("GB", _letters(chance, 4) + _digits(chance, 14)),
    "Ireland": lambda chance: iban("IE", _letters(chance, 4) + _digits(chance, 14)),
    "America": _none,
}


def _german_vat(chance: random.Random) -> str:
    """Return a number with the check digit of ISO 7064, modulo 11 and 10."""
    digits = str(chance.randint(1, 9)) + _digits(chance, 7)
    product = 10
    for digit in digits:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return f"DE{digits}{(11 - product) % 10}"


def _french_vat(chance: random.Random) -> str:
    """Return a number of a firm, whose last digit is Luhn's, with its key."""
    digits = _digits(chance, 8)
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(digits)]
    firm = f"{digits}{-sum(value // 10 + value % 10 for value in doubled) % 10}"
    return f"FR{(12 + 3 * (int(firm) % 97)) % 97:02}{firm}"


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def _british_vat(chance: random.Random) -> str:
    digits = str(chance.randint(1, 9)) + _digits(chance, 6)
    return f"GB{digits}{97 - _weighted(digits, range(8, 1, -1)) % 97:02}"


def _irish_vat(chance: random.Random) -> str:
    digits = str(chance.randint(1, 9)) + _digits(chance, 6)
    return f"IE{digits}{'WABCDEFGHIJKLMNOPQRSTUV'[_weighted(digits, range(8, 1, -1)) % 23]}"


_VAT_NUMBERS: Final[dict[str, Callable[[random.Random], str]]] = {
    "Germany": _german_vat,
    "France": _french_vat,
    "Britain": _british_vat,
    "Ireland": _irish_vat,
    "America": _none,
}
