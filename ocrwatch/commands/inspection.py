"""``ocrwatch doctor``."""

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
from ocrwatch.settings import Settings, recipe

_MARKS = {"fine": "[green]ok[/green]     ", "warning": "[yellow]warning[/yellow]", "problem": "[red]problem[/red]"}


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
