"""``ocrwatch review``: lists pages to review, and marks them as reviewed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from ocrwatch.checks import startup
from ocrwatch.commands.output import Output
from ocrwatch.commands.status import look
from ocrwatch.commands.status_view import Seen
from ocrwatch.commands.why.lookup import rows_meant
from ocrwatch.commands.why.result_files import files_of, text_of
from ocrwatch.errors import ExitCode, UsageError
from ocrwatch.ledger import Entry, LedgerReader, mark_reviewed
from ocrwatch.log import printable
from ocrwatch.observe.status import isoformat
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
    """List the pages that wait for review, or mark pages as reviewed.

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
        _, waiting = ledger.to_review()
    if as_json:
        print(json.dumps([_as_json(settings, row) for row in waiting], indent=1))  # noqa: T201
        return ExitCode.FINE
    console = Output()
    if not waiting:
        console.print("No page waits for review.")
        return ExitCode.FINE
    console.print(f"{'confidence':>{_CONFIDENCE_WIDTH}}  page")
    for row in waiting:
        console.print(escape(_line(settings, seen, row)))
    pages = "1 page waits" if len(waiting) == 1 else f"{len(waiting):,} pages wait"
    console.print(f"{pages} for review. To mark one as reviewed: ocrwatch review --done FILE")
    return ExitCode.FINE


def _line(settings: Settings, seen: Seen, row: Entry) -> str:
    confidence, reasons = "-", ""
    if row.review is not None:
        confidence = "-" if row.review.confidence is None else f"{row.review.confidence:.1f}"
        reasons = ", ".join(row.review.reasons)
    text = printable(text_of(settings, row) or "nowhere")
    return (
        f"{confidence:>{_CONFIDENCE_WIDTH}}  {printable(row.path)}: {printable(reasons)}; "
        f"read at {seen.at(isoformat(row.updated_at))}, its text is {text}"
    )


def _as_json(settings: Settings, row: Entry) -> dict[str, object]:
    return {
        "path": display_path(row.path),
        "reasons": [] if row.review is None else list(row.review.reasons),
        "confidence": None if row.review is None else row.review.confidence,
        "at": isoformat(row.updated_at),
        "files": list(map(display_path, files_of(settings, row))),
    }


def _mark_reviewed(settings: Settings, files: Sequence[Path]) -> ExitCode:
    startup.check_answers(settings)
    # All are found before the first is marked: a mistyped name changes nothing.
    with LedgerReader(settings.state, alone=not look(settings).is_running) as ledger:
        meant = {file: _rows_meant(settings, file, ledger) for file in files}
    waiting = {row.id: row for rows in meant.values() for row in rows if row.waits_for_review}
    if waiting:
        mark_reviewed(
            settings.state, {row.id: row.review.reasons for row in waiting.values() if row.review is not None}
        )
    console = Output()
    for row in waiting.values():
        text = text_of(settings, row)
        console.print(escape(f"Reviewed: {printable(row.path)}{f' ({printable(text)})' if text else ''}"))
    code = ExitCode.FINE
    for file, rows in meant.items():
        if any(row.waits_for_review for row in rows):
            continue
        name = escape(printable(os.fspath(file)))
        if any(row.reviewed_at is not None for row in rows):
            console.print(f"Was reviewed before: {name}")
        else:
            code = ExitCode.QUARANTINED
            console.print(f"Not marked for review: {name}")
    return code


def _rows_meant(settings: Settings, file: Path, ledger: LedgerReader) -> list[Entry]:
    """Return the rows of a scan.

    Raises :class:`UsageError` if none is known, or several different ones wait.
    """
    rows = rows_meant(settings, file, ledger)
    if not rows:
        raise UsageError(
            f"the ledger has no record of {file}",
            "name a scan, its text or its original, as ocrwatch review lists them",
        )
    paths = sorted({row.path for row in rows if row.waits_for_review})
    if len(paths) > 1:
        more = ", …" if len(paths) > _MOST_NAMED else ""
        raise UsageError(
            f"{file} may mean {', '.join(paths[:_MOST_NAMED])}{more}", "name one by its whole path in the inbox"
        )
    return rows
