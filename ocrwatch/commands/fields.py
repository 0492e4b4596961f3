"""``ocrwatch fields``: prints the fields of documents, or compares them with known values."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from pydantic import ValidationError

from ocrwatch import log
from ocrwatch.checks.startup import check_languages_of
from ocrwatch.commands.aligned_table import Cell, print_rows
from ocrwatch.commands.field_scores import FoundField, Scores
from ocrwatch.commands.file_reading import (
    check_streams,
    complain,
    complain_of_lacks,
    content_of,
    name_of,
    read_files,
)
from ocrwatch.commands.output import Output
from ocrwatch.commands.truth_file import read_truth, standing_column
from ocrwatch.document import Standing
from ocrwatch.documents.file_summary import best_fields
from ocrwatch.errors import ExitCode, OcrwatchError, UsageError
from ocrwatch.render.base import RenderedPage
from ocrwatch.render.csv import harmless
from ocrwatch.render.table_texts import one_line
from ocrwatch.settings import Effective, Profile, Settings, recipe
from ocrwatch.settings.errors import did_you_mean
from ocrwatch.settings.field_options import DocumentType
from ocrwatch.settings.load import load, parse_overrides

DOCUMENT_TYPES: Final[tuple[DocumentType, ...]] = tuple(each for each in get_args(DocumentType) if each != "none")
"""The types of document with ready-made fields."""

_JSON: Final = "json"

_COLOURS: Final = {
    Standing.VERIFIED: "green",
    Standing.READ: "",
    Standing.DOUBTFUL: "yellow",
    Standing.MISSING: "dim",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of the files."""

    profile: str | None = None
    """Name of a profile, or of a type of document; None takes the only profile with fields."""
    as_json: bool = False
    as_csv: bool = False
    truth: Path | None = None
    """CSV file with the known values; None compares with nothing."""
    locale: str = ""
    """How dates and amounts are written; empty takes the profile's."""
    page: int = 0
    """The only page, from 1, that is read of each file; 0 for all."""


def fields(
    files: Sequence[Path], config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], wanted: Wanted
) -> ExitCode:
    """Print the fields of ``files`` in order; errors to standard error.

    The file ``-`` is standard input. Code 1 if a file, or a page of one, could not be read, or a value is not the known
    one.
    """
    check_streams(files)
    if sum((wanted.as_json, wanted.as_csv, wanted.truth is not None)) > 1:
        raise UsageError("--json, --csv and --check cannot be combined", "give one of them")
    settings = load(config, {**parse_overrides(sets), **overrides}, os.environ).settings
    log.configure("error", settings.log.format)
    options = _options(settings, wanted)
    check_languages_of(recipe(options))
    printer = _printer(files, options, wanted)
    worst = ExitCode.FINE
    for path, result in read_files(files, settings, options, (_JSON,), wanted.page):
        if isinstance(result, OcrwatchError):
            complain(path, str(result))
            worst = max(worst, ExitCode(result.exit_code))
        else:
            printer.add(path, result)
            worst = max(worst, complain_of_lacks(path, result))
    return max(worst, printer.finish())


def _options(settings: Settings, wanted: Wanted) -> Effective:
    """Return the options of the profile. Raises :class:`UsageError`."""
    profile = _profile(settings, wanted.profile)
    if wanted.locale:
        try:
            Profile(match="**", locale=wanted.locale)
        except ValidationError:
            remedy = "give a language and a country, such as de_DE or en_US"
            raise UsageError(f"there is no locale {wanted.locale}", remedy) from None
        profile = profile.model_copy(update={"locale": wanted.locale.replace("-", "_")})
    return settings.with_profile(profile)


def _profile(settings: Settings, name: str | None) -> Profile:
    """Return the profile, or one for the type of document. Raises :class:`UsageError`."""
    with_fields = {each.name or each.match: each for each in reversed(settings.profiles) if each.all_fields}
    choices = ", ".join(dict.fromkeys([*reversed(with_fields), *DOCUMENT_TYPES]))
    if name is None:
        if len(with_fields) == 1:
            return next(iter(with_fields.values()))
        which = "several profiles have fields" if with_fields else "no profile has fields"
        raise UsageError(which, f"choose a profile or a type of document with --profile: {choices}")
    if name in with_fields:
        return with_fields[name]
    if any(name == (each.name or each.match) for each in settings.profiles):
        raise UsageError(f"the profile {name} has no fields", "give it a document_type, or a [[profiles.fields]]")
    for document_type in DOCUMENT_TYPES:
        if name == document_type:
            return Profile(match="**", name=name, document_type=document_type)
    remedy = did_you_mean(name, [*with_fields, *DOCUMENT_TYPES]) or f"choose one of: {choices}"
    raise UsageError(f"there is no profile or type of document named {name}", remedy)


class _TablePrinter:
    """Prints a table for each file."""

    def __init__(self) -> None:
        self._console = Output()

    def add(self, path: Path, result: RenderedPage) -> None:
        """Print the fields of one file."""
        found = _found(result)
        self._console.print(name_of(path), markup=False, style="bold")
        print_rows(self._console, (_row(name, field) for name, field in found.items()), indent=2)

    def finish(self) -> ExitCode:
        """Return the exit code."""
        return ExitCode.FINE


class _JsonPrinter:
    """Prints one JSON object per line and file."""

    def add(self, path: Path, result: RenderedPage) -> None:  # noqa: ARG002 - as the other printers
        """Print the fields of one file as they are in its JSON sidecar."""
        sidecar: dict[str, Any] = msgspec.json.decode(content_of(result, _JSON))
        shown = {"path": sidecar["source"]["path"], "fields": _fields_of(sidecar)}
        print(json.dumps(shown, ensure_ascii=False))  # noqa: T201

    def finish(self) -> ExitCode:
        """Return the exit code."""
        return ExitCode.FINE


class _CsvPrinter:
    """Prints a header, and one line per file with a value and a standing for each field."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        heads = (head for name in names for head in (name, standing_column(name)))
        self._writer.writerow(["file", *heads])

    def add(self, path: Path, result: RenderedPage) -> None:
        """Print the fields of one file."""
        found = _found(result)
        cells: list[str] = []
        for field in map(found.get, self._names):
            value = "" if field is None or field.value is None else field.value
            cells += [harmless(one_line(value)), Standing.MISSING if field is None else field.standing]
        self._writer.writerow([harmless(log.printable(str(path))), *cells])

    def finish(self) -> ExitCode:
        """Return the exit code."""
        return ExitCode.FINE


class _CheckPrinter:
    """Compares with known values, and prints the scores at the end."""

    def __init__(self, scores: Scores) -> None:
        self._scores = scores

    def add(self, path: Path, result: RenderedPage) -> None:
        """Compare the fields of one file."""
        self._scores.add(path, _found(result))

    def finish(self) -> ExitCode:
        """Print the scores; code 1 if a value is not the known one."""
        self._scores.print_to(Output())
        return ExitCode.FINE if self._scores.all_right else ExitCode.QUARANTINED


def _printer(
    files: Sequence[Path], options: Effective, wanted: Wanted
) -> _TablePrinter | _JsonPrinter | _CsvPrinter | _CheckPrinter:
    names = [rule.name for rule in options.fields]
    if wanted.truth is not None:
        return _CheckPrinter(Scores(read_truth(wanted.truth, files, names), recipe(options)))
    if wanted.as_csv:
        return _CsvPrinter(names)
    return _JsonPrinter() if wanted.as_json else _TablePrinter()


def _found(result: RenderedPage) -> dict[str, FoundField]:
    return msgspec.convert(_fields_of(msgspec.json.decode(content_of(result, _JSON))), dict[str, FoundField])


def _fields_of(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a JSON sidecar.

    Of a file with several pages, each field has the value with the best standing, from the first page that has one
    such, as in the daemon.
    """
    pages = (each["page"] or {} for each in sidecar.get("pages", [{"page": sidecar}]))
    fields = (item for page in pages for item in page.get("fields", {}).items())
    return best_fields((name, Standing(field["standing"]), field) for name, field in fields)


def _row(name: str, field: FoundField) -> list[str | Cell]:
    is_lacking = field.standing is Standing.MISSING and field.required
    standing = (f"{field.standing}, required", "red") if is_lacking else (field.standing, _COLOURS[field.standing])
    return [name, field.value or "-", standing, field.ground]
