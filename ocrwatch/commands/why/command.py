"""``ocrwatch why FILE``: explains the state of one file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape

from ocrwatch.checks import startup
from ocrwatch.commands.output import Output
from ocrwatch.commands.status import look
from ocrwatch.commands.status_view import Seen
from ocrwatch.commands.why.document_sentences import document_answers, with_document
from ocrwatch.commands.why.explanation import Answer, Sources, answer, answer_by_list, answer_by_reason
from ocrwatch.commands.why.lookup import path_in_inbox, scans_meant
from ocrwatch.errors import EnvironmentFault, ExitCode
from ocrwatch.ledger import LedgerReader
from ocrwatch.log import printable
from ocrwatch.observe.status import Status
from ocrwatch.recipe import REMOTE
from ocrwatch.settings import Settings
from ocrwatch.settings.load import load, parse_overrides
from ocrwatch.storage.files import display_path

_SCHEMA = "ocrwatch.why/1"
_WAITS = frozenset({"queued", "settling", "delivering", "incomplete", "blocked", "retrying"})
_PAST = {"delivered": "read", "quarantined": "quarantined", "changed": "not read", "duplicate": "a duplicate"}


def why(
    file: Path, config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, as_json: bool
) -> ExitCode:
    """Explain the state of one file; code 1 if it is unknown."""
    settings = load(config, {**parse_overrides(sets), **overrides}, os.environ).settings
    startup.check_answers(settings)
    seen = look(settings)
    status = seen.last if seen.is_running and seen.last and seen.holder in {0, seen.last.pid} else None
    answers, trouble = _answers(settings, file, seen, status)
    if as_json:
        print(json.dumps(_as_json(file, seen, answers, trouble), indent=1))  # noqa: T201
    else:
        _print(Output(), seen, status, answers, trouble)
    return ExitCode.FINE if any(one.state != "unknown" for one in answers) else ExitCode.QUARANTINED


def _answers(settings: Settings, file: Path, seen: Seen, status: Status | None) -> tuple[list[Answer], str]:
    """Return an answer for each possible scan, and the error of the ledger, if any."""
    sources = Sources(settings, status, seen.at)
    try:
        with LedgerReader(settings.state, alone=not seen.is_running) as ledger:
            paths = scans_meant(settings, file, ledger, status)
            found = [_answer(sources, path, ledger) for path in paths]
            return [*document_answers(sources, file, ledger), *found] or [_unknown(sources, file)], ""
    except EnvironmentFault as error:
        # The folders and the daemon's status suffice for an answer.
        unasked = LedgerReader(settings.state, alone=True)
        paths = scans_meant(settings, file, unasked, status)
        return [answer(sources, path, []) for path in paths] or [_unknown(sources, file)], str(error)


def _answer(sources: Sources, path: str, ledger: LedgerReader) -> Answer:
    """Return the answer for a scan, with the document of which it is a page."""
    rows = ledger.of_path(path)
    return with_document(sources, answer(sources, path, rows), path, rows[-1] if rows else None, ledger)


def _unknown(sources: Sources, file: Path) -> Answer:
    """Return the answer for a file that is neither in the inbox nor in the ledger."""
    known = answer_by_reason(sources, file) or answer_by_list(sources, file)
    return known or answer(sources, path_in_inbox(sources.settings, file), [])


def _print(console: Output, seen: Seen, status: Status | None, answers: Sequence[Answer], trouble: str) -> None:
    for one in answers:
        console.print(f"[bold]{escape(printable(one.path))}[/bold] {escape(one.says)}")
        if one.remedy:
            console.print(f"  What to do: {escape(one.remedy)}.")
        if status is not None and one.state in _WAITS:
            # The answer itself names a service that the scan waits for.
            for pause in (pause for pause in status.paused if not pause.cause.startswith(REMOTE)):
                reason, remedy = escape(printable(pause.reason)), escape(printable(pause.remedy))
                console.print(f"  ocrwatch is paused since {seen.at(pause.since)}: {reason}; {remedy}.")
        for line in _past(seen, one):
            console.print(f"  {escape(line)}")
    if trouble:
        console.print(f"What was before is not known: {escape(printable(trouble))}.")


def _past(seen: Seen, one: Answer) -> Iterator[str]:
    for past in one.before:
        what = printable(past.reason or ", ".join(past.files[:1]))
        yield f"Before, {seen.at(past.at)}: {_PAST.get(past.state, past.state)}{': ' if what else ''}{what}"


def _as_json(file: Path, seen: Seen, answers: Sequence[Answer], trouble: str) -> dict[str, object]:
    state = seen.last.state if seen.is_running and seen.last else None
    return {
        "schema": _SCHEMA,
        "file": display_path(file),
        "running": seen.is_running,
        "daemon": state,
        "ledger": trouble or None,
        "answers": [{**asdict(one), "files": list(map(display_path, one.files))} for one in answers],
    }
