"""Renders invoices as a scanner sees them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from tests.bench.degrade import between, grainy, softened, turned
from tests.invoices.contents import COUNTRIES, Country, Invoice, random_invoice
from tests.invoices.layouts import LAYOUTS
from tests.invoices.sheet import FACES, Sheet
from tests.rendering import encode

_MOST_SKEW: Final = 1.0
"""Degrees."""


@dataclass(frozen=True, slots=True)
class RenderedInvoice:
    """A scan of an invoice, and what is true of it."""

    name: str
    layout: str
    country: Country
    content: bytes
    """A JPEG."""
    truth: dict[str, str]
    """Values of fields in their one notation, by name; empty if the invoice has none."""
    left_out: frozenset[str]
    """Names of fields that are not printed as one value beside a label: the tax if it is printed rate by rate only."""


def rendered_invoices(count: int, seed: int) -> Iterator[RenderedInvoice]:
    """Yield invoices: layout after layout, in one language after the other; the same ones for the same seed."""
    for number in range(count):
        yield rendered_invoice(number, seed)


def rendered_invoice(number: int, seed: int) -> RenderedInvoice:
    """Return the invoice of this number; it does not depend on the others."""
    chance = random.Random(f"{seed} {number}")
    name, layout = list(LAYOUTS.items())[number % len(LAYOUTS)]
    turn = number // len(LAYOUTS)
    countries = list(COUNTRIES.values())[turn % len(COUNTRIES)]
    country = countries[turn // len(COUNTRIES) % len(countries)]
    invoice = random_invoice(
        chance, country, items=chance.randint(*layout.items), rates=layout.rates, extras=layout.extras
    )
    dpi = chance.choice((200, 240, 300))
    # Nobody sets an invoice in a type of one width throughout, but some programs do.
    face = chance.choices(range(len(FACES)), (4, 3, 3, 1))[0]
    sheet = Sheet(dpi, face, chance.choice(layout.sizes))
    layout.draw(sheet, invoice, chance)
    truth = truth_of(invoice)
    left_out = sheet.left_out | {field for field, value in truth.items() if not value}
    scan = _scanned(sheet.image, dpi, chance)
    content = encode(scan, dpi=dpi, quality=chance.randint(60, 90))
    return RenderedInvoice(f"{number} {name}, {country.name}", name, country, content, truth, frozenset(left_out))


def truth_of(invoice: Invoice) -> dict[str, str]:
    """Return the values of an invoice's fields."""
    return {
        "number": invoice.number,
        "date": invoice.day.isoformat(),
        "due_date": invoice.due.isoformat(),
        "net": f"{invoice.net:.2f}",
        "tax": f"{invoice.tax:.2f}",
        "total": f"{invoice.total:.2f}",
        "iban": invoice.iban,
        "vat_number": invoice.vat_number,
    }


def _scanned(image: Image.Image, dpi: int, chance: random.Random) -> Image.Image:
    """Return what a scanner makes of a sheet: a little crooked, soft and grainy, neither black nor white."""
    pixels = between(np.asarray(image), chance.randint(0, 60), chance.randint(235, 255))
    pixels = turned(pixels, chance.uniform(-_MOST_SKEW, _MOST_SKEW))
    pixels = softened(pixels, chance.uniform(0.3, 0.9) * dpi / 300)
    return Image.fromarray(grainy(pixels, chance.uniform(1, 7), np.random.default_rng(chance.randrange(2**32))))
