"""``ocrwatch status``: shows the daemon's status, once or live."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ocrwatch.commands.output import Output
from ocrwatch.commands.status_view import Seen, view
from ocrwatch.errors import EnvironmentFault, ExitCode, OcrwatchError, UsageError
from ocrwatch.ledger import LedgerReader
from ocrwatch.log import printable
from ocrwatch.observe.review_list import NEWEST_SHOWN, reviews_of
from ocrwatch.observe.status import read
from ocrwatch.settings import Settings
from ocrwatch.settings.load import load, parse_overrides
from ocrwatch.storage.lock import holder_of
from ocrwatch.storage.mount_watchdog import check_answers

_INTERVAL = 1.0
"""Seconds between two reads of the status; the daemon writes no more often."""

_WIDEST = 10_000


def status(
    config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, as_json: bool, watch: bool
) -> ExitCode:
    """Print the daemon's status; code 3 if it does not run or is paused.

    The code is 0 after a ``watch`` in any case.
    """
    settings = _settings(config, {**parse_overrides(sets), **overrides})
    check_answers({"state": settings.state})
    if watch:
        with _interruptible():
            _watch_as_json(settings) if as_json else _watch(settings)
        return ExitCode.FINE
    seen = _look_with_reviews(settings)
    if as_json:
        print(_as_json(seen, indent=1))  # noqa: T201
    else:
        console = Output()
        for line in view(seen):
            console.print(line)
    return ExitCode.FINE if seen.is_running and seen.last and seen.last.state != "paused" else ExitCode.ENVIRONMENT


def _settings(config: Path | None, overrides: Mapping[str, object]) -> Settings:
    """Return the settings.

    If the file is invalid and a daemon runs, print a warning, and return only the settings that are needed to find it.
    """
    try:
        return load(config, overrides, os.environ).settings
    except UsageError as wrong:
        try:
            found = load(config, overrides, os.environ, only=("state", "status")).settings
            is_running = holder_of(found.state) is not None
        except (OcrwatchError, OSError, ValueError):
            is_running = False
        if not is_running:
            raise
        print(printable(f"ocrwatch: {wrong} (the daemon continues with its current settings)"), file=sys.stderr)  # noqa: T201
        return found


def look(settings: Settings) -> Seen:
    """Return a snapshot of the daemon."""
    holder = holder_of(settings.state)
    return Seen(
        str(settings.state), holder, read(settings.state), datetime.now(UTC), heartbeat=settings.status.heartbeat
    )


def _look_with_reviews(settings: Settings) -> Seen:
    """Return a snapshot of the daemon, with the ledger's newer reviews."""
    seen = look(settings)
    if seen.last is None:
        return seen
    with contextlib.suppress(EnvironmentFault), LedgerReader(settings.state, alone=not seen.is_running) as ledger:
        found = reviews_of(ledger.to_review(NEWEST_SHOWN), ledger.documents_to_review(NEWEST_SHOWN))
        return replace(seen, last=replace(seen.last, review_waiting=found.count, reviews=found.newest))
    return seen


def _watch(settings: Settings) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        raise UsageError("--watch needs a terminal", "use --watch --json, which prints one JSON object a second")
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_screen(_look_with_reviews(settings)), refresh=True)
            time.sleep(_INTERVAL)


def _screen(seen: Seen) -> Group:
    """Render each as one line, cut to the terminal's width for a stable layout."""
    lines = [Text.from_markup(line) for line in view(seen)]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _watch_as_json(settings: Settings) -> None:
    while True:
        print(_as_json(_look_with_reviews(settings)), flush=True)  # noqa: T201
        time.sleep(_INTERVAL)


def _as_json(seen: Seen, indent: int | None = None) -> str:
    last = asdict(seen.last) if seen.last else {}
    return json.dumps({"running": seen.is_running, **last}, indent=indent)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Handle Ctrl-C, SIGTERM and a closed output: restore the terminal, and return.

    SIGINT is handled even if it was ignored at the start, as it is in what a shell script runs in the background.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
