"""The six layouts, each of which draws an invoice on a sheet."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tests.invoices.contents import Invoice, per_cent
from tests.invoices.sheet import Align, Sheet

_LEFT: Final = 22.0
_RIGHT: Final = 192.0
_PADDING: Final = 1.5

Rows = Sequence[tuple[str, str]]
"""Labels and values."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How an invoice is drawn, and what of."""

    draw: Callable[[Sheet, Invoice, random.Random], None]
    items: tuple[int, int]
    """The fewest and the most."""
    rates: int = 1
    extras: bool = False
    """Whether it has discount, shipping and payments."""
    sizes: tuple[float, ...] = (9.0, 10.0, 11.0)
    """Of type, in points."""


def _letter(sheet: Sheet, invoice: Invoice, chance: random.Random) -> None:
    """Draw a letter: data in lines of label and value on the right, totals below on the right."""
    labels = invoice.labels
    sheet.text(_RIGHT, 16, invoice.firm, 15, bold=True, align="right")
    sheet.lines(_LEFT, 46, [f"{invoice.firm} · {invoice.firm_street} · {invoice.firm_city}"], 7)
    sheet.lines(_LEFT, 52, [invoice.customer, invoice.street, invoice.city])
    rows = [
        (labels.number[0], invoice.number),
        (labels.date[0], invoice.date(invoice.day)),
        (labels.customer[0], invoice.customer_number),
    ]
    if chance.random() < 0.3:
        title, rows = f"{labels.number[0]} {invoice.number}", rows[1:]
    else:
        title = labels.title[0]
    if chance.random() < 0.6:
        rows.append((labels.due[0], invoice.date(invoice.due)))
    else:
        sheet.left_out.add("due_date")
    column = _RIGHT - max(sheet.length(value) for _, value in rows) if chance.random() < 0.7 else None
    x = min(125.0, (column or 150.0) - max(sheet.length(label) for label, _ in rows) - 4)
    y = 46.0
    for label, value in rows:
        end = sheet.text(x, y, f"{label}:")
        sheet.text(column or end + 1.5, y, value)
        y += sheet.leading()
    sheet.text(_LEFT, 92, title, 14, bold=True)
    sheet.lines(_LEFT, 102, [labels.intro[0]])
    y = _items(sheet, invoice, 112, currency=chance.random() < 0.5)
    net = chance.choice((labels.net[0], labels.subtotal[0]))
    y = _totals(sheet, [(net, invoice.net), (_tax_label(invoice, chance), invoice.tax)], invoice, y + 2)
    sheet.rule(118, y, _RIGHT, y)
    y = _totals(sheet, [(labels.total[0], invoice.total)], invoice, y + 1, bold=True)
    _please_pay(sheet, invoice, y + 8)
    sheet.rule(_LEFT, 272, _RIGHT, 272)
    sheet.lines(_LEFT, 274, [*_account(invoice), _vat(invoice)], 8)


def _header_table(sheet: Sheet, invoice: Invoice, chance: random.Random) -> None:
    """Draw the data as a table with values below labels, and the totals as a table with rules."""
    labels = invoice.labels
    sheet.text(_LEFT, 15, labels.title[0], 20, bold=True)
    sheet.lines(130, 15, [invoice.firm, invoice.firm_street, invoice.firm_city, f"{labels.phone} {invoice.phone}"], 9)
    sheet.lines(_LEFT, 42, [invoice.customer, invoice.street, invoice.city])
    columns = [
        (labels.number[0], invoice.number),
        (labels.date[0], invoice.date(invoice.day)),
        (labels.customer[0], invoice.customer_number),
        (labels.due[0], invoice.date(invoice.due)),
    ]
    if chance.random() < 0.5:
        columns[1:3] = columns[2:0:-1]
    _boxes(sheet, columns, 72, ruled=chance.random() < 0.7)
    y = _items(sheet, invoice, 95, currency=False, grid=True)
    rows = [
        (labels.net[0], invoice.money(invoice.net)),
        (_tax_label(invoice, chance), invoice.money(invoice.tax)),
        (labels.total[0], invoice.money(invoice.total)),
    ]
    step = sheet.leading() + 2
    for number, (label, value) in enumerate(rows):
        top, bold = y + 6 + number * step, number == len(rows) - 1
        sheet.box(112, top, 158, top + step)
        sheet.box(158, top, _RIGHT, top + step)
        sheet.text(112 + _PADDING, top + 1, label, bold=bold)
        sheet.text(_RIGHT - _PADDING, top + 1, value, bold=bold, align="right")
    y = _please_pay(sheet, invoice, y + 12 + len(rows) * step)
    sheet.lines(_LEFT, y + 6, [*_account(invoice), _vat(invoice), "", labels.thanks, invoice.firm])


def _three_columns(sheet: Sheet, invoice: Invoice, chance: random.Random) -> None:
    """Draw totals on the left, and everything about the firm in three columns of small print at the bottom."""
    labels = invoice.labels
    sheet.text(_LEFT, 14, invoice.firm, 18, bold=True)
    sheet.rule(_LEFT, 25, _RIGHT, 25, 0.6)
    sheet.lines(_LEFT, 45, [invoice.customer, invoice.street, invoice.city])
    if chance.random() < 0.33:
        place = invoice.firm_city.strip("0123456789 ").split(",", maxsplit=1)[0]
        sheet.text(_RIGHT, 78, f"{place}, {invoice.date(invoice.day)}", align="right")
        rows = [(labels.number[0], invoice.number), (labels.customer[0], invoice.customer_number)]
    else:
        rows = [
            (labels.date[0], invoice.date(invoice.day)),
            (labels.number[0], invoice.number),
            (labels.customer[0], invoice.customer_number),
        ]
    sheet.left_out.add("due_date")
    sheet.text(_LEFT, 78, labels.title[0], 16, bold=True)
    y = 90.0
    for label, value in rows:
        sheet.text(_LEFT, y, label, bold=True)
        sheet.text(_LEFT + 52, y, value)
        y += sheet.leading()
    y = _items(sheet, invoice, y + 6, currency=False)
    for label, amount in (
        (chance.choice((labels.net[0], labels.subtotal[0])), invoice.net),
        (_tax_label(invoice, chance), invoice.tax),
        (labels.total[0], invoice.total),
    ):
        y += sheet.leading()
        sheet.text(_LEFT, y, f"{label}:", bold=label == labels.total[0])
        sheet.text(_LEFT + 84, y, invoice.money(amount), align="right", bold=label == labels.total[0])
    _please_pay(sheet, invoice, y + 14)
    sheet.rule(_LEFT, 266, _RIGHT, 266)
    sheet.lines(_LEFT, 268, [invoice.firm, invoice.firm_street, invoice.firm_city], 7)
    contact = [
        f"{labels.phone} {invoice.phone}",
        f"{labels.director}: {chance.choice(invoice.country.people)}",
        _vat(invoice),
    ]
    sheet.lines(82, 268, contact, 7)
    sheet.lines(138, 268, _account(invoice), 7)


def _payment_slip(sheet: Sheet, invoice: Invoice, chance: random.Random) -> None:
    """Draw small labels above values, the total in a shaded box, and a payment slip at the bottom."""
    labels = invoice.labels
    sheet.text(_LEFT, 14, invoice.firm, 16, bold=True)
    sheet.lines(_LEFT, 24, [f"{invoice.firm_street}, {invoice.firm_city}", _vat(invoice)], 8)
    sheet.text(_RIGHT, 14, labels.title[0], 16, align="right")
    sheet.lines(120, 42, [invoice.customer, invoice.street, invoice.city])
    y = 40.0
    for label, value in (
        (labels.number[0], invoice.number),
        (labels.date[0], invoice.date(invoice.day)),
        (labels.due[0], invoice.date(invoice.due)),
        (labels.customer[0], invoice.customer_number),
    ):
        sheet.text(_LEFT, y, label, 7, ink=60)
        sheet.text(_LEFT, y + sheet.leading(7), value, bold=chance.random() < 0.5)
        y += sheet.leading(7) + sheet.leading() + 1.5
    y = _items(sheet, invoice, y + 6, currency=chance.random() < 0.5)
    rows = [(labels.net[0], invoice.net), (_tax_label(invoice, chance), invoice.tax)]
    y = _totals(sheet, rows, invoice, y + 2)
    height = sheet.leading(12) + 5
    sheet.box(112, y + 2, _RIGHT, y + 2 + height, fill=chance.choice((200, 215, 230)), width=0.3)
    sheet.text(115, y + 4.5, labels.payable[0], 12, bold=True)
    sheet.text(_RIGHT - 3, y + 4.5, invoice.money(invoice.total), 12, bold=True, align="right")
    sheet.dashes(215)
    y = 220.0
    for label, value in (
        (labels.payee, invoice.firm),
        (labels.iban[0], invoice.printed_iban),
        (labels.reference, invoice.number),
        (labels.amount, invoice.money(invoice.total)),
        (labels.payer, invoice.customer),
    ):
        if value:
            sheet.text(_LEFT, y, label, 7)
            sheet.box(_LEFT, y + 3.2, 140, y + 4.2 + sheet.leading())
            sheet.text(_LEFT + 2, y + 3.7, value)
            y += sheet.leading() + 6


def _leaders(sheet: Sheet, invoice: Invoice, chance: random.Random) -> None:
    """Draw two columns of data, dotted leaders to values far on the right, and several rates of tax."""
    labels = invoice.labels
    sheet.text(105, 14, invoice.firm, 16, bold=True, align="centre")
    sheet.text(
        105, 23, f"{invoice.firm_street}, {invoice.firm_city}, {labels.phone} {invoice.phone}", 8, align="centre"
    )
    sheet.text(105, 34, labels.title[0], 14, align="centre")
    left = [
        (labels.number[0], invoice.number),
        (labels.date[0], invoice.date(invoice.day)),
        (labels.due[0], invoice.date(invoice.due)),
    ]
    right = [
        (labels.customer[0], invoice.customer_number),
        (labels.order[0], invoice.order_number),
        (labels.delivered[0], invoice.date(invoice.delivered)),
    ]
    for (x, end), rows in zip(((_LEFT, 102), (112, _RIGHT)), (left, right), strict=True):
        _with_leaders(sheet, rows, x, end, 48)
    sheet.lines(_LEFT, 68, [f"{invoice.customer}, {invoice.street}, {invoice.city}", "", labels.intro[0]])
    y = _items(sheet, invoice, 86, currency=False, rates=True) + 3
    rows = [(labels.net[0], invoice.money(invoice.net))]
    rows += [(_tax_of(invoice, rate), invoice.money(tax)) for rate, tax in invoice.taxes.items()]
    if chance.random() < 0.75:
        rows.append((labels.tax[0], invoice.money(invoice.tax)))
    elif len(invoice.taxes) > 1:
        sheet.left_out.add("tax")
    rows.append((labels.total[0], invoice.money(invoice.total)))
    y = _with_leaders(sheet, rows, 90, _RIGHT, y)
    y = _please_pay(sheet, invoice, y + 6)
    sheet.lines(_LEFT, y + 4, [*_account(invoice), _vat(invoice)])


def _dense(sheet: Sheet, invoice: Invoice, chance: random.Random) -> None:
    """Draw small print with many numbers, dates and amounts that are others than those of the invoice."""
    labels = invoice.labels
    sheet.text(_LEFT, 12, invoice.firm, 12, bold=True)
    sheet.lines(_LEFT, 19, [f"{invoice.firm_street}, {invoice.firm_city}", f"{labels.phone} {invoice.phone}"])
    sheet.lines(_LEFT, 19 + 2 * sheet.leading(), [_vat(invoice)])
    sheet.lines(_LEFT, 38, [invoice.customer, invoice.street, invoice.city])
    rows = [
        (labels.order[0], invoice.order_number),
        (labels.delivered[0], invoice.date(invoice.delivered)),
        (labels.number[0], invoice.number),
        (labels.date[0], invoice.date(invoice.day)),
        (labels.customer[0], invoice.customer_number),
        (labels.due[0], invoice.date(invoice.due)),
    ]
    chance.shuffle(rows)
    y = 14.0
    for label, value in rows:
        sheet.text(122, y, label)
        sheet.text(_RIGHT, y, value, align="right")
        y += sheet.leading()
    sheet.lines(_LEFT, 56, [labels.ordered.format(invoice.date(invoice.ordered)), labels.intro[0]])
    y = _items(sheet, invoice, 66, currency=False, rates=chance.random() < 0.5) + 1
    top = y
    y = _totals(
        sheet,
        [
            (labels.subtotal[0], invoice.subtotal),
            (labels.discount[0].format(invoice.discount_rate), invoice.discount),
            (labels.shipping[0], invoice.shipping),
            (labels.net[0], invoice.net),
            (_tax_label(invoice, chance), invoice.tax),
        ],
        invoice,
        y,
    )
    y = _totals(sheet, [(labels.total[0], invoice.total)], invoice, y, bold=True)
    rows_after = [(labels.paid[0], -invoice.paid), (labels.balance[0], invoice.total - invoice.paid)]
    y = _totals(sheet, rows_after, invoice, y)
    sheet.lines(_LEFT, top, [f"{labels.previous[0]}: {invoice.money(invoice.previous)}"])
    sheet.lines(_LEFT, y + 4, [*_account(invoice), labels.thanks])


LAYOUTS: Final = {
    "letter": Layout(_letter, (2, 8)),
    "header table": Layout(_header_table, (2, 8)),
    "three columns": Layout(_three_columns, (2, 8)),
    "payment slip": Layout(_payment_slip, (1, 6)),
    "leaders": Layout(_leaders, (3, 9), rates=2),
    "dense": Layout(_dense, (14, 26), extras=True, sizes=(7.0, 7.5, 8.0)),
}
"""By name."""


def _items(
    sheet: Sheet, invoice: Invoice, y: float, *, currency: bool, grid: bool = False, rates: bool = False
) -> float:
    """Draw the items from ``y`` on; return where they end. With ``rates``, each has its rate of tax."""
    labels, money = invoice.labels, invoice.money if currency else invoice.plain
    heads = [labels.position, labels.item, labels.quantity, labels.price, labels.amount]
    rows = [
        [str(number), item.thing, f"{item.quantity} {item.unit}", money(item.price), money(item.amount)]
        for number, item in enumerate(invoice.items, 1)
    ]
    aligns: list[Align] = ["left", "left", "right", "right", "right"]
    if rates:
        heads.insert(4, labels.rate)
        aligns.insert(4, "right")
        for row, item in zip(rows, invoice.items, strict=True):
            row.insert(4, per_cent(invoice.country, item.rate))
    widths = [
        max(sheet.length(head, bold=not grid), *map(sheet.length, texts)) + 2 * _PADDING
        for head, *texts in zip(heads, *rows, strict=True)
    ]
    widths[1] += _RIGHT - _LEFT - sum(widths)
    step = sheet.leading() + (1.5 if grid else 0.3)
    for number, row in enumerate([heads, *rows]):
        x = _LEFT
        for text, width, align in zip(row, widths, aligns, strict=True):
            if grid:
                sheet.box(x, y, x + width, y + step)
            at = x + _PADDING if align == "left" else x + width - _PADDING
            sheet.text(at, y + (0.8 if grid else 0), text, bold=not number and not grid, align=align)
            x += width
        y += step
        if not number and not grid:
            sheet.rule(_LEFT, y, _RIGHT, y)
            y += 0.6
    if not grid:
        sheet.rule(_LEFT, y, _RIGHT, y)
    return y


def _totals(
    sheet: Sheet, rows: Sequence[tuple[str, Decimal]], invoice: Invoice, y: float, *, bold: bool = False
) -> float:
    """Draw amounts at the right edge with their labels; return where they end."""
    for label, amount in rows:
        sheet.text(120, y, label, bold=bold)
        sheet.text(_RIGHT - _PADDING, y, invoice.money(amount), bold=bold, align="right")
        y += sheet.leading() + 0.6
    return y


def _boxes(sheet: Sheet, columns: Rows, y: float, *, ruled: bool) -> None:
    """Draw a row of labels and one of values below."""
    width, step = (_RIGHT - _LEFT) / len(columns), sheet.leading() + 1.6
    for number, (label, value) in enumerate(columns):
        x = _LEFT + number * width
        for row, text in enumerate((label, value)):
            if ruled:
                sheet.box(x, y + row * step, x + width, y + (row + 1) * step, fill=255 if row else 235)
            sheet.text(x + _PADDING, y + row * step + 0.8, text, min(sheet.size, 9.0), bold=not row)


def _with_leaders(sheet: Sheet, rows: Rows, x: float, right: float, y: float) -> float:
    """Draw labels and values with dots between them; return where they end."""
    for label, value in rows:
        end = sheet.text(x, y, label)
        sheet.text(right, y, value, align="right")
        sheet.leaders(end + 1, y, right - sheet.length(value) - 1)
        y += sheet.leading()
    return y


def _please_pay(sheet: Sheet, invoice: Invoice, y: float) -> float:
    sentence = invoice.labels.please_pay[0].format(invoice.money(invoice.total), invoice.date(invoice.due))
    return sheet.lines(_LEFT, y, [sentence])


def _account(invoice: Invoice) -> list[str]:
    """Return lines about the account; in America, which has no IBANs, with the number of the invoice only."""
    labels = invoice.labels
    lines = [f"{labels.bank}: {invoice.firm.split()[0]} Bank"]
    return [*lines, f"{labels.iban[0]}: {invoice.printed_iban}"] if invoice.iban else lines


def _vat(invoice: Invoice) -> str:
    return f"{invoice.labels.vat_number[0]}: {invoice.vat_number}" if invoice.vat_number else ""


def _tax_label(invoice: Invoice, chance: random.Random) -> str:
    """Return the label of the tax: with its rate, or without."""
    return chance.choice((invoice.labels.tax[0], _tax_of(invoice, invoice.country.rates[0])))


def _tax_of(invoice: Invoice, rate: str) -> str:
    return invoice.labels.tax_of_rate[0].format(per_cent(invoice.country, rate))
