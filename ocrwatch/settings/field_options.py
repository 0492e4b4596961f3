"""Options of the fields that are found on documents, and the ready-made fields of some types of document."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ocrwatch.recipe import FieldRule, FieldType, Pick
from ocrwatch.settings.section_base import Section
from ocrwatch.settings.types import Languages, Locale, Names, Pattern, Region, SegmentationMode

DocumentType = Literal["none", "receipt", "invoice", "cheque", "form", "id_card"]
"""Types of document with ready-made fields. Each but ``none`` has a file in ``document_types``."""

FOUND_BY_SHAPE: Final = frozenset({"date", "amount", "iban", "vat", "luhn", "ean"})
"""Types whose values are found without a label, pattern or zone."""

_NAME: Final = r"[a-z][a-z0-9_]*"
_SUM: Final = rf"-?\s*{_NAME}(?:\s*[+-]\s*{_NAME})*"
_LONGEST_NAME: Final = 60
_COLUMNS: Final = frozenset({"file", "read_at"})
_STANDING: Final = "_standing"
"""Names, and an ending of names, of other columns of ``fields.csv``."""

_SMALLEST_ZONE: Final = 0.002
"""Width and height of a zone, at least, as shares of the page's: 7 pixels of A4 at 300 dpi."""

_MOST_TERMS: Final = 4
"""Parts of a sum: all combinations of the candidates of each are tried."""


def _name(value: str) -> str:
    if not re.fullmatch(_NAME, value) or len(value) > _LONGEST_NAME:
        raise ValueError(f"begin with a small letter, and use at most {_LONGEST_NAME} small letters, digits and _")
    if value in _COLUMNS or value.endswith(_STANDING):
        raise ValueError("choose another name: fields.csv has a column of this name")
    return value


def _sum(value: str) -> str:
    if not re.fullmatch(_SUM, value):
        raise ValueError('write a sum or a difference of fields, such as "net + tax"')
    if len(re.findall(_NAME, value)) > _MOST_TERMS:
        raise ValueError(f"a sum has at most {_MOST_TERMS} parts")
    return value


# The patterns are only for editors, which get them by the JSON Schema.
FieldName = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": f"^{_NAME}$"})]
"""Name of a field."""
Sum = Annotated[str, AfterValidator(_sum), Field(json_schema_extra={"pattern": f"^{_SUM}$"})]
"""A field, or a sum or difference of fields."""


class FieldOptions(Section):
    """A field of a document: where its value is, and what it looks like."""

    name: FieldName
    """Name of the field in sidecars: small letters, digits and _."""
    type: FieldType = "text"
    """What the value is: text, date, amount, integer, iban, vat (a European VAT number), luhn or ean (numbers with such
    a check digit), or code (letters and digits without spaces)."""
    near: Names = ()
    """Labels that the value is to the right of, or below, the best first, such as ["grand total", "total"]. Labels
    that are equally good are one entry: "total due | amount due". The entry "*" allows a value without a label if none
    is found. Case, accents and punctuation are ignored, and a wrong letter in six is allowed."""
    not_near: Names = ()
    """Labels that name another value although they contain one of near, such as ["subtotal", "total quantity"]."""
    pattern: Pattern = ""
    """Regular expression for the value, which is its group, or all of it if there is none; empty takes any value of the
    type. With near it must match text beside the label, otherwise text of a line. Case is ignored."""
    zone: Region | None = None
    """Region of the upright page with the value: left, top, right and bottom as shares of its width and height, 0 to 1.
    It is cut out and read on its own. With anchor they are shares to the right of and below it."""
    anchor: str = ""
    """Word or words whose top left corner the zone is relative to; empty takes the page's."""
    page_segmentation: SegmentationMode = 7
    """Tesseract's page segmentation mode for the zone: 7 one line, 6 several lines."""
    whitelist: str = ""
    """Only these characters are recognised in the zone; empty allows all."""
    languages: Languages | None = None
    """Languages of the zone; without them it has those of the page."""
    pick: Pick = "first"
    """Which of several values beside equally good labels is taken: first or last on the page, or the largest."""
    equals: tuple[Sum, ...] = ()
    """Other amounts that make this one up, such as ["cash - change", "net + tax"]. If one is right, the value is
    verified. If the first is another value, it is doubtful: put the one first that always holds."""
    required: bool = False
    """Whether a page without it is marked for review."""
    locale: Locale = ""
    """Language and country of the value, such as "de_DE"; empty takes the profile's."""
    day_first: bool | None = None
    """Whether the day precedes the month in dates of digits, such as 01/02/2026; without it the locale decides."""
    second_look: bool = True
    """Whether the place beside the label is cut out and read again if the value was not read well."""

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not (self.near or self.pattern or self.zone or self.type in FOUND_BY_SHAPE):
            raise ValueError(f"give the {self.type} field {self.name} near, pattern or zone: otherwise it is not found")
        if self.anchor and self.zone is None:
            raise ValueError(f"the field {self.name} has an anchor; give it the zone that is relative to it")
        if self.zone is not None and min(self.zone[2] - self.zone[0], self.zone[3] - self.zone[1]) < _SMALLEST_ZONE:
            raise ValueError(f"make the zone of the field {self.name} larger: at least {_SMALLEST_ZONE} wide and high")
        if self.equals and self.type != "amount":
            raise ValueError(f'equals is for amounts; give the field {self.name} type = "amount", or take equals out')
        return self

    def rule(self, locale: str) -> FieldRule:
        """Return the rule for the workers; ``locale`` is the profile's."""
        values = self.model_dump()
        return FieldRule(**{**values, "languages": self.languages or (), "locale": self.locale or locale})


@functools.cache
def fields_of(document_type: DocumentType) -> tuple[FieldOptions, ...]:
    """Return the ready-made fields of a type of document."""
    if document_type == "none":
        return ()
    fields = tomllib.loads(definition_of(document_type))["fields"]
    return tuple(FieldOptions.model_validate(options) for options in fields)


def definition_of(document_type: DocumentType) -> str:
    """Return the TOML file with the ready-made fields of a type of document."""
    folder = resources.files("ocrwatch.settings").joinpath("document_types")
    return folder.joinpath(f"{document_type}.toml").read_text("utf-8")


def merged(ready: Sequence[FieldOptions], own: Iterable[FieldOptions]) -> tuple[FieldOptions, ...]:
    """Return the ready-made fields, replaced by own ones of the same name, then the other own ones."""
    by_name = {options.name: options for options in ready}
    names: list[str] = []
    for options in own:
        if options.name in names:
            raise ValueError(f"there are two fields with the name {options.name}; rename one")
        names.append(options.name)
        by_name[options.name] = options
    return tuple(by_name.values())


def check_names(fields: Iterable[FieldOptions]) -> None:
    """Check that sums name other amounts of the same document; raises ValueError."""
    amounts = {options.name for options in fields if options.type == "amount"}
    for options in fields:
        for name in (name for terms in options.equals for name in re.findall(_NAME, terms)):
            if name not in amounts or name == options.name:
                raise ValueError(f"equals of the field {options.name} has {name}, which is no other amount; add it")
