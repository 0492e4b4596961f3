"""Fields of documents:  python -m tests.bench.document_fields [FOLDER --document-type receipt] [--by-page].

A folder has JPEGs ``NAME.jpg`` with the truth ``NAME.key.json``: values of fields by name, such as date and total, of
which those are scored that the type of document has. Without a folder, invoices are rendered, in six layouts and three
languages, and scored by layout and language, too.

Each page is read, and its fields are found. With ``--pages``, what was read is kept in a folder for the next run, which
finds the fields only; empty it if something else than the fields has changed. The CPU time of finding the fields is
measured without a second look at places that were not read well, and with it.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import cv2
from rich.table import Table as Grid

from ocrwatch.cache import codec
from ocrwatch.document import Field, Page, Standing
from ocrwatch.recipe import Recipe
from ocrwatch.recognise import engines
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.extract.fields.extraction import with_fields
from ocrwatch.recognise.page import recognise, warm
from ocrwatch.recognise.page_view import REDUCE_FROM
from ocrwatch.recognise.reader import Reader
from ocrwatch.recognise.strip_reader import StripReader
from ocrwatch.settings.field_options import DocumentType, fields_of
from tests.bench.arguments import console, positive
from tests.bench.field_scoring import FieldScore, Outcome, outcome_of, read_key
from tests.invoices.layouts import LAYOUTS
from tests.invoices.scanned_invoices import rendered_invoices
from tests.invoices.sheet import missing_fonts


@dataclass(frozen=True, slots=True)
class Document:
    """A scan with the true values of its fields."""

    name: str
    content: bytes
    truth: dict[str, str]
    left_out: frozenset[str] = frozenset()
    """Fields that it has not, or not as one value beside a label."""
    kinds: tuple[str, ...] = ()
    """Such as its layout and its language, by which it is scored, too."""
    languages: tuple[str, ...] = ("eng",)
    locale: str = ""


@dataclass(slots=True)
class Results:
    """Scores of fields, and what they cost."""

    by_field: dict[str, FieldScore] = field(default_factory=lambda: defaultdict(FieldScore))
    by_kind: dict[tuple[str, str], FieldScore] = field(default_factory=lambda: defaultdict(FieldScore))
    """By kind of document, and field."""
    alone: list[float] = field(default_factory=list)
    """Milliseconds a page without a second look."""
    whole: list[float] = field(default_factory=list)
    """Milliseconds a page with it."""


def main() -> None:
    """Find the fields of all documents, and print scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="with NAME.jpg and NAME.key.json")
    parser.add_argument(
        "--document-type", choices=get_args(DocumentType), default="receipt", help="of a folder's scans"
    )
    parser.add_argument("--count", type=positive, default=36, help="invoices to render without a folder (36)")
    parser.add_argument("--seed", type=int, default=1, help="other invoices for another number")
    parser.add_argument("--half", type=int, choices=(0, 1), help="take every second scan only, from this one on")
    parser.add_argument("--second", choices=("none", "auto"), default="auto", help="which reader reads words again")
    parser.add_argument("--pages", type=Path, help="folder for what was read, to find fields again in less time")
    parser.add_argument("--by-page", action="store_true", help="print wrong and missing values, too")
    arguments = parser.parse_args()
    if arguments.folder is not None and not arguments.folder.is_dir():
        sys.exit(f"skipped: there is no folder {arguments.folder}")
    if arguments.folder is None and (missing := missing_fonts()):
        sys.exit(f"skipped: there is no {missing[0]}; install fonts-dejavu-core and fonts-wqy-microhei")
    cv2.setNumThreads(1)
    document_type: DocumentType = arguments.document_type if arguments.folder else "invoice"
    results = Results()
    for document in (
        list(_documents(arguments))[arguments.half :: 2] if arguments.half is not None else _documents(arguments)
    ):
        rules = tuple(options.rule(document.locale) for options in fields_of(document_type))
        recipe = Recipe(languages=document.languages, second=arguments.second)
        fields = _measured(document, _read(document, recipe, arguments.pages), replace(recipe, fields=rules), results)
        _score(document, fields, results, by_page=arguments.by_page)
    if not results.by_field:
        sys.exit(f"skipped: no scan in {arguments.folder} has a .key.json")
    _print(results)


def _documents(arguments: argparse.Namespace) -> Iterator[Document]:
    if arguments.folder is None:
        for invoice in rendered_invoices(arguments.count, arguments.seed):
            yield Document(
                invoice.name,
                invoice.content,
                invoice.truth,
                invoice.left_out,
                (invoice.layout, invoice.country.name),
                invoice.country.languages,
                invoice.country.locale,
            )
        return
    types: dict[str, str] = {options.name: options.type for options in fields_of(arguments.document_type)}
    for path in sorted(arguments.folder.glob("*.jpg")):
        key = path.with_name(f"{path.stem}.key.json")
        if key.exists():
            yield Document(path.stem, path.read_bytes(), read_key(key, types))


def _read(document: Document, recipe: Recipe, folder: Path | None) -> Page:
    """Read a page without its fields, or take it from the folder."""
    if folder is None:
        warm(recipe)
        return recognise(document.content, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(document.content + repr(recipe).encode()).hexdigest()
    if not path.exists():
        warm(recipe)
        path.write_bytes(codec.pack(recognise(document.content, recipe)))
    return codec.unpack(path.read_bytes())


def _measured(document: Document, page: Page, recipe: Recipe, results: Results) -> tuple[Field, ...]:
    """Find the fields with and without a second look; return those with it."""
    warm(recipe)
    decoded = decode(document.content, max_pixels=recipe.enhance.max_pixels, reduce_from=REDUCE_FROM)
    reader = Reader(engines.load(recipe), recipe, page.dpi / decoded.reduction if page.dpi else None)
    strips = StripReader(decoded.gray, decoded.reduction, page, reader, second=recipe.second != "none")
    begin = time.process_time()
    with_fields(page, recipe.fields)
    between = time.process_time()
    found = with_fields(page, recipe.fields, strips)
    results.alone.append(1000 * (between - begin))
    results.whole.append(1000 * (time.process_time() - between))
    return found.fields or ()


def _score(document: Document, fields: tuple[Field, ...], results: Results, *, by_page: bool) -> None:
    for found in fields:
        if found.name not in document.truth:
            continue
        truth = document.truth[found.name]
        outcome = outcome_of(found, truth, is_printed=found.name not in document.left_out)
        if outcome is None:
            continue
        results.by_field[found.name].add(found.standing, outcome)
        for kind in document.kinds:
            results.by_kind[kind, found.name].add(found.standing, outcome)
        if outcome != "right" and (by_page or (outcome == "wrong" and found.standing is Standing.VERIFIED)):
            print(_remark(document, found, truth, outcome))


def _remark(document: Document, found: Field, truth: str, outcome: Outcome) -> str:
    expected = f"{truth!r}{' (not printed as one value)' if found.name in document.left_out else ''}"
    if outcome == "missing":
        return f"{document.name}: {found.name} is missing: {expected}; {found.ground}"
    value = f"{found.standing.value}: {found.value!r}"
    return f"{document.name}: {found.name} is {value} instead of {expected}; {found.ground}"


def _print(results: Results) -> None:
    names = list(results.by_field)
    grid = Grid(
        "", "values", "right", "wrong", "missing", "verified", "right of\nverified", *(
            f"{standing.value}:\nright, wrong" for standing in (Standing.VERIFIED, Standing.READ, Standing.DOUBTFUL)
        ),
    )  # fmt: skip
    everything = FieldScore()
    for name in names:
        everything += results.by_field[name]
    for name, score in (*results.by_field.items(), ("all", everything)):
        verified = score.at(Standing.VERIFIED)
        grid.add_row(
            name,
            str(score.all),
            _share(score.of("right"), score.all),
            str(score.of("wrong")),
            str(score.of("missing")),
            _share(verified, score.all),
            _share(score.at(Standing.VERIFIED, "right"), verified),
            *(
                f"{score.at(standing, 'right')}, {score.at(standing, 'wrong')}"
                for standing in (Standing.VERIFIED, Standing.READ, Standing.DOUBTFUL)
            ),
        )
    console().print(grid)
    if results.by_kind:
        console().print(_kinds(results, names, list(LAYOUTS)))
    for how, times in (("without", results.alone), ("with", results.whole)):
        print(f"CPU {how} a second look: mean {statistics.mean(times):.1f} ms, most {max(times):.1f} ms a page")


def _kinds(results: Results, names: list[str], first: list[str]) -> Grid:
    """Return the shares of right values by kind of document, some of them first."""
    grid = Grid("right of all", *names)
    for kind in dict.fromkeys([*first, *(kind for kind, _ in results.by_kind)]):
        scores = [results.by_kind[kind, name] for name in names]
        grid.add_row(kind, *(_share(score.of("right"), score.all) for score in scores))
    return grid


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


if __name__ == "__main__":
    main()
