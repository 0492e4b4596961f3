"""``ocrwatch doctor``: runs the checks in order and shows the findings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.markup import escape

from ocrwatch.checks import folders, inotify_limits, machine, remote, startup
from ocrwatch.checks.finding import Finding, check
from ocrwatch.checks.redis_server import redis_server
from ocrwatch.checks.remembered_mounts import check_mounts
from ocrwatch.checks.split_process import split_process
from ocrwatch.commands.output import Output
from ocrwatch.commands.service_user import become_user_of, environment_of
from ocrwatch.errors import Blocked, EnvironmentFault, ExitCode, UsageError
from ocrwatch.hooks.targets import hook_options
from ocrwatch.intake.inotify import InotifyWatcher
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rescan import Rescan, rescan
from ocrwatch.log import printable, set_level
from ocrwatch.permissions import check_movable
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.engine_choice import has_second_reader, is_read_by_ppocr
from ocrwatch.recognise.ppocr import weights
from ocrwatch.scan import Arrival
from ocrwatch.settings import Remote, Settings
from ocrwatch.settings.load import check_folders, load, parse_overrides
from ocrwatch.storage.lock import holder_of, inbox_holder
from ocrwatch.storage.mounts import is_missing, mount_of, nearest_existing, watch_mode

_MOST_SCANS_TRIED = 10_000
"""Scans in the inbox that ``doctor`` checks: a second or so."""

_MARKS = {"fine": "[green]ok[/green]     ", "warning": "[yellow]warning[/yellow]", "problem": "[red]problem[/red]"}

_MOST_NAMED = 5


def doctor(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, as_json: bool) -> ExitCode:
    """Print the findings; code 3 if one of them would stop ocrwatch."""
    console = Output()
    worst = ExitCode.FINE
    findings = []
    for finding in examine(config, {**parse_overrides(sets), **overrides}):
        findings.append(asdict(finding))
        if not as_json:
            remedy = f"\n        {escape(printable(finding.remedy))}" if finding.remedy else ""
            console.print(f"{_MARKS[finding.severity]} {finding.subject}: {escape(printable(finding.message))}{remedy}")
        if finding.severity == "problem":
            worst = ExitCode.ENVIRONMENT
    if as_json:
        print(json.dumps(findings, indent=1))  # noqa: T201
    return worst


def examine(config: Path | None, overrides: Mapping[str, object]) -> Iterator[Finding]:
    """Run all checks, one at a time.

    If root runs it for a service, the process switches to the service's user.
    """
    try:
        configuration = load(config, overrides, os.environ)
        service = machine.service_of(configuration.path)
        if service is not None:
            become_user_of(service)
            # Again, as the service's user: it may not be able to read the file.
            configuration = load(config, overrides, environment_of(service))
    except (UsageError, EnvironmentFault) as error:
        yield Finding("settings", "problem", error.message, error.remedy)
        return
    yield Finding("settings", "fine", f"read from {configuration.path or 'no file: defaults'}")
    yield Finding("user", "fine", f"all checks run as the user {_user_name()}")
    if service is not None:
        yield from machine.service_state(service)
        yield from machine.network(service, _network_options(configuration.settings))
    yield from _of_settings(configuration.settings)


def _network_options(settings: Settings) -> list[str]:
    """Return the options that need the network."""
    remotes = [each for each in settings.remote if not remote.is_unused(settings, each)]
    used = {"status.listen": settings.status.listen, "hooks.webhook": settings.hooks.webhook, "[[remote]]": remotes}
    return [name for name, value in used.items() if value]


def _of_settings(settings: Settings) -> Iterator[Finding]:
    answers = check("folders", "all folders answer", startup.check_answers, settings)
    yield answers
    if answers.severity == "problem":
        # All other calls on them would not return.
        return
    yield check("folders", "no folders overlap", check_folders, settings)
    yield check("mounts", "no disk or share is missing that was there at the last start", check_mounts, settings)
    for name, folder in startup.folders(settings).items():
        yield from _folder(settings, name, folder)
    yield from _inbox(settings)
    if "archive" in startup.folders(settings):
        yield from folders.crossing(settings.inbox, settings.archive)
    yield from _watch(settings)
    yield folders.ledger_place(mount_of(nearest_existing(settings.state))[0], settings.state)
    yield from _engines(settings)
    yield check("formats", "the sidecars' formats can be used", startup.check_formats, settings)
    yield split_process()
    if any(each.codes for each in startup.recipes(settings)):
        yield check("codes", "the package that reads codes is installed", startup.check_codes, settings)
    yield check("groups", "the sidecars' groups exist", startup.group_ids, settings)
    yield check("hooks", "all programs and secrets of hooks can be used", hook_options, settings)
    if settings.cache.enabled:
        yield check("cache", "all levels of the cache are installed", startup.check_cache, settings)
        yield from redis_server(settings)
    if settings.events.listeners:
        yield check("listeners", "all listeners are installed", startup.check_listeners, settings)
    yield from remote.services(settings, _ask)
    if settings.hooks.webhook_secret is not None:
        yield from machine.exposed("hooks.webhook_secret", settings.hooks.webhook_secret)
    yield from _of_running(settings)


def _of_running(settings: Settings) -> Iterator[Finding]:
    """Run the checks that depend on whether ocrwatch runs here."""
    try:
        holders = (inbox_holder(settings.inbox), holder_of(settings.state))
    except EnvironmentFault as fault:
        yield Finding("daemon", "warning", fault.message, fault.remedy)
        return
    yield machine.holders(*holders)
    if holders == (None, None):
        ppocr = any(has_second_reader(each) or is_read_by_ppocr(each) for each in startup.local_recipes(settings))
        yield from machine.memory(startup.worker_count(settings), ppocr=ppocr)
    yield from machine.address("status.listen", settings.status.listen, runs=holders != (None, None))


def _folder(settings: Settings, name: str, folder: Path) -> Iterator[Finding]:
    if not os.path.lexists(folder) and is_missing(folder):
        fine = f"{folder} is not there yet and is made at the start"
        yield check(name, fine, startup.check_can_be_made, name, folder)
        yield from folders.space(name, folder)
    elif startup.is_only_read(settings, name):
        fine = f"scans in {folder} can be read; they stay there"
        yield check(name, fine, startup.check_usable, settings, name, folder)
    else:
        findings = list(_tried(settings, name, folder))
        yield from findings
        works = all(finding.severity != "problem" for finding in findings)
        yield from folders.space(name, folder, works=works)


def _tried(settings: Settings, name: str, folder: Path) -> Iterator[Finding]:
    """Test the daemon's operations in a folder; the first problem ends the test."""
    if name == "inbox":
        usable = check(name, "", startup.check_usable, settings, name, folder)
        if usable.severity == "problem":
            yield usable
            return
    for finding in folders.probe(name, folder):
        yield finding
        if finding.severity == "problem":
            return
    if name == "outbox" and settings.output.mode is not None:
        yield from folders.permissions(name, folder, settings.output.mode)


def _inbox(settings: Settings) -> Iterator[Finding]:
    """Check the inbox for files that cannot be read or claimed.

    An inbox that does not work has other findings.
    """
    if is_missing(settings.inbox):
        return
    watch = settings.watch
    rules = NameRules.of(watch.include, watch.exclude)
    try:
        found = rescan(settings.inbox, rules, recursive=watch.recursive, limit=_MOST_SCANS_TRIED)
    except EnvironmentFault:
        return
    if settings.on_success != "keep":
        yield from _scans_blocked(settings, found.paths)
    yield from _closed_folders(found)


def _scans_blocked(settings: Settings, waiting: Sequence[str]) -> Iterator[Finding]:
    """Return whether each waiting scan can be moved out of the inbox."""
    refused: dict[tuple[str, str], list[str]] = {}
    for path in waiting:
        try:
            check_movable(settings.inbox, path)
        except Blocked as error:
            refused.setdefault((error.message, error.remedy), []).append(path)
        except OSError:
            # Claimed by a running daemon, or missing: a finding of the folders' checks.
            continue
    for (reason, remedy), (first, *others) in refused.items():
        more = f" and {len(others)} more" if others else ""
        yield Finding("scans", "warning", f"{first}{more} cannot be moved out of the inbox: {reason}", remedy)
    if waiting and not refused:
        yield Finding("scans", "fine", f"the {len(waiting)} scans in the inbox can be moved out of it")


def _watch(settings: Settings) -> Iterator[Finding]:
    inbox = settings.inbox
    kind, _ = mount_of(nearest_existing(inbox))
    mode = watch_mode(kind) if settings.watch.mode == "auto" else settings.watch.mode
    rules = NameRules.of(settings.watch.include, settings.watch.exclude)
    yield from inotify_limits.watching(mode, kind, _count_folders(inbox, rules))
    if mode == "inotify" and os.access(inbox, os.R_OK | os.W_OK | os.X_OK):
        yield inotify_limits.canary(inbox, lambda name, came: _listening(inbox, name, came))


def _count_folders(inbox: Path, rules: NameRules) -> int:
    """Count the folders to watch if subfolders are included."""
    count = 0
    for _, names, _ in os.walk(inbox):
        count += 1
        names[:] = filter(rules.enters, names)
    return count


def _closed_folders(found: Rescan) -> Iterator[Finding]:
    """Report the folders in the inbox that this user may not enter."""
    closed = [item for item in found.ignored if item.is_closed]
    for item in closed[:_MOST_NAMED]:
        yield Finding("inbox folder", "warning", f"scans in it are not read: {item.reason}", item.remedy)
    if len(closed) > _MOST_NAMED:
        message = f"{len(closed) - _MOST_NAMED} more folders in the inbox cannot be read"
        yield Finding("inbox folder", "warning", message, closed[0].remedy)


class _Canary:
    """Listens for one file only."""

    def __init__(self, came: Callable[[], None]) -> None:
        self._came = came

    def arrived(self, _: Arrival) -> None:
        self._came()

    def stirred(self) -> None: ...
    def left_alone(self) -> None: ...
    def overflowed(self) -> None: ...
    def limited(self) -> None: ...

    def ended(self) -> None: ...


@contextlib.contextmanager
def _listening(inbox: Path, name: str, came: Callable[[], None]) -> Iterator[None]:
    """Watch the inbox like the daemon, but for one name only."""
    watcher = InotifyWatcher(inbox, NameRules.of([name], []), _Canary(came), recursive=False)
    watcher.arm()
    try:
        yield
    finally:
        watcher.disarm()


def _engines(settings: Settings) -> Iterator[Finding]:
    """Check the engines of this machine, and their language data."""
    wanted = startup.local_recipes(settings)[::-1]
    if not wanted:
        yield Finding("engine", "fine", "none on this machine: remote services read all scans")
        return
    languages = ", ".join(dict.fromkeys(name for each in wanted for name in each.languages))
    found = check("languages", f"{languages} installed", startup.check_languages, settings)
    yield found
    if found.severity == "fine":
        yield _engine(wanted[0])
        yield _second(settings)


def _engine(wanted: Recipe) -> Finding:
    """Check the engine of most scans."""
    # Costs half a second, which `status` need not pay.
    from ocrwatch.recognise.engines import load as load_engine  # noqa: PLC0415

    finding = check("engine", "", load_engine, wanted)
    if finding.severity != "fine":
        return finding
    info = load_engine(wanted).info
    what = "the networks of the package" if info.name == weights.NAME else "Tesseract"
    return replace(finding, message=f"{info.name} reads, with {what} {info.version}")


def _load_all(load: Callable[[Recipe], object], recipes: Iterable[Recipe]) -> None:
    for each in recipes:
        load(each)


def _second(settings: Settings) -> Finding:
    """Report whether any profile has a second engine for doubtful lines.

    If none has, the finding says which scans it would improve.
    """
    from ocrwatch.recognise.engines import load_second  # noqa: PLC0415

    wanted = startup.local_recipes(settings)
    finding = check("second reader", "", _load_all, load_second, wanted)
    if finding.severity != "fine":
        is_wanted = any(has_second_reader(each) and each.second != "auto" for each in wanted)
        return finding if is_wanted else replace(finding, severity="warning")
    if services := dict.fromkeys(each.second for each in wanted if each.has_remote_second):
        return replace(finding, message=f"{' and '.join(services)} rereads pages that were not read well")
    if info := next(filter(None, map(load_second, wanted)), None):
        return replace(finding, message=f"{info.name} {info.version} rereads text with low confidence from Tesseract")
    if weights.is_installed():
        return replace(finding, message="none: it is switched off, or does not suit the languages and options")
    return replace(finding, message=f"none: receipts, forms and photos are read better with one; {weights.INSTALL}")


def _ask(service: Remote) -> remote.Trial:
    """Have a service read a small picture."""
    # The finding says what the log would.
    set_level("error")
    # Loads the HTTP client.
    from ocrwatch.executors.http_ocr.trial import try_service  # noqa: PLC0415

    trial: remote.Trial = asyncio.run(try_service(service))
    return trial


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
