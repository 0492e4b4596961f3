"""``ocrwatch status`` and ``ocrwatch doctor``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ocrwatch.config.load import check_folders, load, parse_overrides
from ocrwatch.daemon import startup
from ocrwatch.errors import ExitCode
from ocrwatch.log import printable
from ocrwatch.mounts import mount_of, watch_mode
from ocrwatch.service import doctor as checks
from ocrwatch.service.doctor import Finding
from ocrwatch.service.lock import holder_of
from ocrwatch.service.status import Status
from ocrwatch.service.status import read as read_status
from ocrwatch.settings import Settings, recipe

_MARKS = {"fine": "[green]ok[/green]     ", "warning": "[yellow]warning[/yellow]", "problem": "[red]problem[/red]"}


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
    if now.cached:
        console.print(f"            {now.cached} of them known from before, and not read again")
    console.print(f"quarantined {now.quarantined} since the start")
    for failure in now.failures:
        console.print(f"  {failure.at} {escape(printable(failure.path))}: {escape(failure.reason)}")
    if now.to_review:
        console.print(f"to review   {now.to_review} since the start")
    for doubtful in now.reviews:
        read = "no text" if doubtful.confidence is None else f"confidence {doubtful.confidence:g}"
        console.print(f"  {doubtful.at} {escape(printable(doubtful.path))}: {read}")


def doctor(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, as_json: bool) -> ExitCode:
    """Print the findings; code 3 where one of them would stop ocrwatch."""
    settings = load(config, {**parse_overrides(sets), **overrides}, os.environ).settings
    console = Console(soft_wrap=True, highlight=False)
    worst = ExitCode.FINE
    findings = []
    for finding in _findings(settings):
        findings.append(asdict(finding))
        if not as_json:
            remedy = f"\n        {escape(finding.remedy)}" if finding.remedy else ""
            console.print(f"{_MARKS[finding.severity]} {finding.subject}: {escape(printable(finding.message))}{remedy}")
        if finding.severity == "problem":
            worst = ExitCode.ENVIRONMENT
    if as_json:
        print(json.dumps(findings, indent=1))  # noqa: T201
    return worst


def _findings(settings: Settings) -> Iterator[Finding]:
    yield checks.check("folders", "no folder lies in another's way", lambda: check_folders(settings))
    for name, folder in startup.folders(settings).items():
        finding = _folder(name, folder)
        yield finding
        if finding.severity == "fine":
            yield checks.space(name, folder)
    if settings.on_success == "archive":
        yield checks.same_file_system(settings.inbox, settings.archive)
    kind, _ = mount_of(checks.nearest_existing(settings.inbox))
    mode = watch_mode(kind) if settings.watch.mode == "auto" else settings.watch.mode
    yield from checks.watching(mode, kind, settings.inbox)
    yield checks.ledger_place(mount_of(checks.nearest_existing(settings.state))[0], settings.state)
    languages = ", ".join(settings.ocr.languages)
    found = checks.check("languages", f"{languages} installed", lambda: startup.check_languages(settings))
    yield found
    if found.severity == "fine":
        yield _engine(settings)
    yield checks.check("groups", "the sidecars' groups exist", lambda: startup.group_ids(settings))
    holder = holder_of(settings.inbox)
    yield Finding("daemon", "fine", f"ocrwatch runs as process {holder}" if holder else "no ocrwatch runs here now")


def _folder(name: str, folder: Path) -> Finding:
    if not folder.exists():
        fine = f"{folder} is not there yet and is made at the start"
        return checks.check(name, fine, lambda: startup.check_can_be_made(name, folder))
    return checks.check(name, f"{folder} can be written", lambda: startup.check_writable(name, folder))


def _engine(settings: Settings) -> Finding:
    # Costs half a second, which `status` need not pay.
    from ocrwatch.recognise.engines import load as load_engine  # noqa: PLC0415

    wanted = recipe(settings.ocr, settings.enhance)
    finding = checks.check("engine", "", lambda: load_engine(wanted))
    if finding.severity != "fine":
        return finding
    info = load_engine(wanted).info
    return replace(finding, message=f"{info.name} reads, with Tesseract {info.version}")
