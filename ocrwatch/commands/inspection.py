"""``ocrwatch status``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ocrwatch.config.load import load, parse_overrides
from ocrwatch.errors import ExitCode
from ocrwatch.log import printable
from ocrwatch.service.lock import holder_of
from ocrwatch.service.status import Status
from ocrwatch.service.status import read as read_status
from ocrwatch.settings import Settings


def status(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, as_json: bool) -> ExitCode:
    """Print what the daemon does; code 3 where it does not run or is paused."""
    settings = load(config, {**parse_overrides(sets), **overrides}, os.environ).settings
    running = holder_of(settings.state) is not None
    last = read_status(settings.state)
    console = Console(soft_wrap=True, highlight=False)
    if as_json:
        print(json.dumps({"running": running, **(asdict(last) if last else {})}, indent=1))  # noqa: T201
    elif last is None or not running:
        _print_stopped(console, settings, last)
    else:
        _print_running(console, last)
    return ExitCode.FINE if running and last and last.state != "paused" else ExitCode.ENVIRONMENT


def _print_stopped(console: Console, settings: Settings, last: Status | None) -> None:
    console.print(f"[bold]not running[/bold] (state folder {escape(str(settings.state))})")
    if last is not None:
        how = "It stopped" if last.state == "stopped" else "It was killed or crashed; it last wrote its status"
        console.print(f"{how} at {last.written}. Scans in {escape(last.inbox)} wait until it is started again.")


def _print_running(console: Console, now: Status) -> None:
    console.print(f"[bold]{now.state}[/bold] since {now.since}, process {now.pid}, ocrwatch {now.version}")
    for pause in now.paused:
        console.print(f"[red]paused[/red] since {pause.since}: {escape(printable(pause.reason))}; {pause.remedy}")
    console.print(f"inbox       {escape(now.inbox)} ({now.watch}), {now.workers} workers, {now.engine}")
    more = " and more behind them" if now.more else ""
    oldest = f", the oldest for {now.oldest_waiting_s:g} s" if now.oldest_waiting_s is not None else ""
    console.print(f"waiting     {now.waiting}{more}{oldest}")
    console.print(f"in work     {escape(', '.join(map(printable, now.in_work)) or 'nothing')}")
    console.print(f"delivered   {now.delivered} since the start, {now.scans_last_minute} scans in the last minute, "
                  f"{now.scans_last_hour} in the last hour")  # fmt: skip
    console.print(f"quarantined {now.quarantined} since the start")
    for failure in now.failures:
        console.print(f"  {failure.at} {escape(printable(failure.path))}: {escape(failure.reason)}")
