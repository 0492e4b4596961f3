"""Finds the fields of a page."""

from __future__ import annotations

from dataclasses import replace

from ocrwatch.document import Field, Page, Standing
from ocrwatch.recipe import FieldRule


def with_fields(page: Page, rules: tuple[FieldRule, ...]) -> Page:
    """Return a page with the fields of these rules, in their order."""
    return replace(page, fields=tuple(_missing(rule) for rule in rules))


def _missing(rule: FieldRule) -> Field:
    return Field(rule.name, Standing.MISSING, "", "", "nothing was found", required=rule.required)
