"""The ready-made fields of the types of documents."""

from __future__ import annotations

import re
from collections import Counter
from typing import get_args

import pytest

from ocrwatch.settings.field_options import DocumentType, FieldOptions, check_names, fields_of

TYPES = tuple(each for each in get_args(DocumentType) if each != "none")


def labels_of(options: FieldOptions) -> list[str]:
    """Return the labels of a field, each by itself."""
    return [label.strip() for group in (*options.near, *options.not_near) for label in group.split("|")]


@pytest.mark.parametrize("document_type", TYPES)
def test_fields_are_valid(document_type: DocumentType) -> None:
    """Each file is read; names are unique, sums name amounts, and some field is required."""
    fields = fields_of(document_type)
    names = [options.name for options in fields]
    assert len(names) == len(set(names))
    check_names(fields)
    assert any(options.required for options in fields)


@pytest.mark.parametrize("document_type", TYPES)
def test_labels_are_written_well(document_type: DocumentType) -> None:
    """None is empty or there twice in one field, or contains a line break or double space of the file."""
    for options in fields_of(document_type):
        labels = labels_of(options)
        assert all(labels), options.name
        assert [label for label, count in Counter(labels).items() if count > 1] == []
        assert [label for label in labels if re.search(r"\s{2}|[\n\\]", label)] == []


def test_invoices_have_a_sum_of_net_and_tax() -> None:
    """Each of the three is verified by the two others."""
    fields = {options.name: options for options in fields_of("invoice")}
    assert {name: fields[name].equals for name in ("net", "tax", "total")} == {
        "net": ("total - tax",),
        "tax": ("total - net",),
        "total": ("net + tax",),
    }
    assert [name for name, options in fields.items() if options.required] == ["number", "date", "total"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("postal_code", "20095 Hamburg", "20095"),
        ("postal_code", "SE1 9GF", "SE1 9GF"),
        ("postal_code", "K1A 0B1", "K1A 0B1"),
        ("postal_code", "1012 AB Amsterdam", "1012 AB"),
        ("postal_code", "97205-1234", "97205-1234"),
        ("phone", "+49 (40) 123-456", "+49 (40) 123-456"),
        ("phone", "ext. 12", None),
        ("email", "anna.koehler@example.org", "anna.koehler@example.org"),
    ],
)
def test_patterns_of_forms(name: str, text: str, value: str | None) -> None:
    """Postal codes of several countries, telephone numbers, and addresses of e-mail."""
    fields = {options.name: options for options in fields_of("form")}
    match = re.search(fields[name].pattern, text, re.IGNORECASE)
    assert (match and match[match.re.groups]) == value
