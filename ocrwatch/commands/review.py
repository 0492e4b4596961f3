"""``ocrwatch review``: lists pages and documents to review, and marks them as reviewed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ocrwatch.checks import startup
from ocrwatch.commands.output import Output
from ocrwatch.commands.status import look
from ocrwatch.commands.status_view import Seen
from ocrwatch.commands.why.lookup import documents_meant, rows_meant
from ocrwatch.commands.why.result_files import files_of, files_of_document, text_of
from ocrwatch.document import Review
from ocrwatch.documents.plan import DocumentPlan
from ocrwatch.errors import ExitCode, UsageError
from ocrwatch.housekeeping.archive_check import REWRITTEN
from ocrwatch.ledger import DocumentEntry, Entry, LedgerReader, mark_reviewed
from ocrwatch.log import printable
from ocrwatch.observe.status import isoformat
from ocrwatch.observe.status_txt import counted
from ocrwatch.settings import Settings
from ocrwatch.settings.load import load, parse_overrides
from ocrwatch.storage.files import display_path
from ocrwatch.storage.mount_watchdog import check_answers

_CONFIDENCE_WIDTH = 10
_MOST_NAMED = 5


def review(
    files: Sequence[Path],
    config: Path | None,
    overrides: Mapping[str, object],
    sets: Sequence[str],
    *,
    done: bool,
    as_json: bool,
) -> ExitCode:
    """List the pages and documents that wait for review, or mark some as reviewed.

    Code 1 if one of them does not wait for review.
    """
    if done and as_json:
        raise UsageError("--json and --done cannot be combined", "use one of them")
    if done != bool(files):
        what = "--done needs a file" if done else "files can be given only with --done"
        raise UsageError(what, "to tick pages off: ocrwatch review --done FILE…; to list them: ocrwatch review")
    settings = load(config, {**parse_overrides(sets), **overrides}, os.environ).settings
    if done:
        return _mark_reviewed(settings, files)
    return _list(settings, as_json=as_json)


def _list(settings: Settings, *, as_json: bool) -> ExitCode:
    check_answers({"state": settings.state})
    seen = look(settings)
    with LedgerReader(settings.state, alone=not seen.is_running) as ledger:
        pages, documents = ledger.to_review()[1], ledger.documents_to_review()[1]
    waiting: list[Entry | DocumentEntry] = [*pages, *documents]
    waiting.sort(key=lambda row: row.updated_at)
    if as_json:
        print(json.dumps([_as_json(settings, row) for row in waiting], indent=1))  # noqa: T201
        return ExitCode.FINE
    console = Output()
    if not waiting:
        console.print("Nothing waits for review.")
        return ExitCode.FINE
    console.print(f"{'confidence':>{_CONFIDENCE_WIDTH}}  page")
    for row in waiting:
        console.print(escape(_line(settings, seen, row)))
    counts = [counted(len(each), what) for each, what in ((pages, "page"), (documents, "document")) if each]
    verb = "waits" if len(waiting) == 1 else "wait"
    console.print(f"{' and '.join(counts)} {verb} for review. To mark one as reviewed: ocrwatch review --done FILE")
    return ExitCode.FINE


def _line(settings: Settings, seen: Seen, row: Entry | DocumentEntry) -> str:
    if isinstance(row, DocumentEntry):
        plan = DocumentPlan.from_json(row.plan)
        text = printable(files_of_document(settings, plan)[-1])
        return (
            f"{'-':>{_CONFIDENCE_WIDTH}}  the document {printable(plan.below(plan.stem))}: "
            f"{printable(', '.join(row.review))}; written at {seen.at(isoformat(row.updated_at))}, its text is {text}"
        )
    confidence, reasons = "-", ""
    if row.review is not None:
        confidence = "-" if row.review.confidence is None else f"{row.review.confidence:.1f}"
        reasons = ", ".join(row.review.reasons)
    text = printable(text_of(settings, row) or "nowhere")
    return (
        f"{confidence:>{_CONFIDENCE_WIDTH}}  {printable(row.path)}: {printable(reasons)}; "
        f"read at {seen.at(isoformat(row.updated_at))}, its text is {text}"
    )


def _as_json(settings: Settings, row: Entry | DocumentEntry) -> dict[str, object]:
    if isinstance(row, DocumentEntry):
        plan = DocumentPlan.from_json(row.plan)
        return {
            "kind": "document",
            "path": display_path(plan.below(plan.stem)),
            "reasons": list(row.review),
            "confidence": None,
            "at": isoformat(row.updated_at),
            "files": list(map(display_path, files_of_document(settings, plan))),
        }
    return {
        "kind": "scan",
        "path": display_path(row.path),
        "reasons": [] if row.review is None else list(row.review.reasons),
        "confidence": None if row.review is None else row.review.confidence,
        "at": isoformat(row.updated_at),
        "files": list(map(display_path, files_of(settings, row))),
    }


@dataclass(frozen=True, slots=True)
class _Meant:
    """What the name of a file stands for."""

    rows: list[Entry]
    """Of a scan."""
    documents: list[tuple[DocumentEntry, DocumentPlan]]
    pages: list[Entry]
    """Pages of these documents that wait for review: who has read a document has read its pages."""

    @property
    def entries(self) -> list[Entry | DocumentEntry]:
        """What may be marked for review."""
        return [*self.rows, *(entry for entry, _ in self.documents)]


def _mark_reviewed(settings: Settings, files: Sequence[Path]) -> ExitCode:
    startup.check_answers(settings)
    # All are found before the first is marked: a mistyped name changes nothing.
    with LedgerReader(settings.state, alone=not look(settings).is_running) as ledger:
        meant = {file: _meant(settings, file, ledger) for file in files}
    rows = {row.id: row for each in meant.values() for row in (*each.rows, *each.pages) if row.waits_for_review}
    documents = {
        entry.id: (entry, plan) for each in meant.values() for entry, plan in each.documents if entry.waits_for_review
    }
    if rows or documents:
        mark_reviewed(
            settings.state,
            {row.id: row.review.reasons for row in rows.values() if row.review is not None},
            {entry.id: entry.review for entry, _ in documents.values()},
        )
    console = Output()
    for _, plan in documents.values():
        text = printable(files_of_document(settings, plan)[-1])
        console.print(escape(f"Reviewed: the document {printable(plan.below(plan.stem))} ({text})"))
    for row in rows.values():
        place = text_of(settings, row)
        console.print(escape(f"Reviewed: {printable(row.path)}{f' ({printable(place)})' if place else ''}"))
    return _complain(console, meant)


def _complain(console: Console, meant: Mapping[Path, _Meant]) -> ExitCode:
    """Name what did not wait for review; code 1 if something was never marked."""
    code = ExitCode.FINE
    for file, each in meant.items():
        name = escape(printable(os.fspath(file)))
        if any(entry.waits_for_review for entry in each.entries):
            continue
        if any(entry.reviewed_at is not None for entry in each.entries):
            console.print(f"Was reviewed before: {name}")
        else:
            code = ExitCode.QUARANTINED
            console.print(f"Not marked for review: {name}")
    return code


def _meant(settings: Settings, file: Path, ledger: LedgerReader) -> _Meant:
    """Return what a file stands for.

    Raises :class:`UsageError` if nothing is known, or several different ones wait.
    """
    rows, documents = rows_meant(settings, file, ledger), documents_meant(settings, file, ledger)
    if not rows and not documents:
        raise UsageError(
            f"the ledger has no record of {file}",
            "name a scan, its text or its original, as ocrwatch review lists them",
        )
    waiting = [(entry, plan) for entry, plan in documents if entry.waits_for_review]
    paths = sorted({row.path for row in rows if row.waits_for_review} | {plan.below(plan.stem) for _, plan in waiting})
    if len(paths) > 1:
        more = ", …" if len(paths) > _MOST_NAMED else ""
        raise UsageError(f"{file} may mean {', '.join(paths[:_MOST_NAMED])}{more}", "name one by its whole path")
    pages = [page for _, plan in waiting for page in _pages_of(plan, ledger)]
    return _Meant(rows, documents, pages)


def _pages_of(plan: DocumentPlan, ledger: LedgerReader) -> list[Entry]:
    """Return the pages of a document that wait for review, except those whose original was changed since."""
    scans = {page.scan for page in plan.pages}
    found = (ledger.of_row(scan) for scan in sorted(scans) if scan)
    return [page for page in found if page is not None and page.review is not None and _is_seen(page, page.review)]


def _is_seen(page: Entry, review: Review) -> bool:
    return page.waits_for_review and REWRITTEN not in review.reasons
