"""``ocrwatch run`` and ``ocrwatch once``."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ocrwatch import log
from ocrwatch.checks import startup
from ocrwatch.checks.machine import service_of
from ocrwatch.commands.above_bar import AboveBar
from ocrwatch.commands.service_user import become_user_of
from ocrwatch.daemon.daemon import Daemon, Summary
from ocrwatch.daemon.reload import hold_hangup
from ocrwatch.delivery.transaction import Delivered
from ocrwatch.document import PageSummary
from ocrwatch.errors import ExitCode, UsageError
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rescan import rescan
from ocrwatch.observe.status_txt import counted
from ocrwatch.scan import Scan, ScanState
from ocrwatch.settings import Settings
from ocrwatch.settings.load import Configuration, check_folders, load, parse_overrides
from ocrwatch.storage.mounts import is_missing

PREVIEW_CHARS = 100

_GC_THRESHOLD = 100_000
"""Objects allocated and not yet freed that start a garbage collection; Python's default is 700 to 2,000.

A page of 500 words is 1,100 objects without a cycle, so that with the default each page that arrives is scanned at
once. With this, pages of 500 words from an engine that takes no time cost the parent 12.3 ms of CPU instead of 13.3
(medians of 4 runs with 500 scans each), and 1 MB more memory.
"""
_WORTH_A_RATE = 5
_MOST_NOT_READ = 20
_DUPLICATES = {
    "deliver": "left in the inbox",
    "skip": "left in the inbox",
    "archive": "put into the archive",
    "delete": "deleted",
}
_REASONS = {
    "unreadable": "may not be read by this user",
    "": "not complete",
    "growing": "not complete",
    "incomplete": "not complete",
}


def settings_for_work(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str]) -> Settings:
    """Load and check the settings of a command that uses the folders.

    Raises :class:`UsageError`, and :class:`EnvironmentFault` if a folder does not answer.
    """
    return _configuration_for_work(config, overrides, sets).settings


def _configuration_for_work(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str]) -> Configuration:
    given = {**parse_overrides(sets), **overrides}
    configuration = load(config, given, os.environ)
    service = service_of(configuration.path) if os.geteuid() == 0 else None
    if service is not None and service.state_folder == configuration.settings.state:
        # Files that root made among its records would be in the service's way.
        become_user_of(service)
        configuration = load(config, given, os.environ)
    # Before anything reads them.
    startup.check_answers(configuration.settings)
    check_folders(configuration.settings)
    return configuration


def run(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str]) -> ExitCode:
    """Run the daemon until it is stopped."""
    # A reload signal is kept from here on and handled as soon as the daemon can.
    hold_hangup()
    configuration = _configuration_for_work(config, overrides, sets)
    settings = configuration.settings

    def reread() -> Settings:
        found = configuration.path
        if found is not None and is_missing(found):
            # Without it the defaults or the machine's own file would be used: surely not what was meant.
            raise UsageError(f"the settings file {found} is not there any more", "put it back, or restart ocrwatch")
        new = load(found, {**parse_overrides(sets), **overrides}, os.environ).settings
        check_folders(new)
        return new

    log.configure(settings.log.level, settings.log.format)
    daemon = Daemon(settings, reread=reread)
    _collect_rarely()
    daemon.run()
    return ExitCode.FINE


def once(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, preview: bool) -> ExitCode:
    """Read what is in the inbox, with a progress bar on a terminal, and print a summary."""
    settings = settings_for_work(config, overrides, sets)
    console = Console(stderr=True)
    # Beside a progress bar only warnings and errors; in a pipe or a service's log everything.
    level = "warning" if console.is_terminal and settings.log.level == "info" else settings.log.level
    log.configure(level, settings.log.format, AboveBar(console) if console.is_terminal else None)
    output = Console(soft_wrap=True, highlight=False)
    previews = console if console.is_terminal and output.is_terminal else output

    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        watchers = _Shown(progress, progress.add_task("reading", total=None), previews if preview else None)
        daemon = Daemon(settings, once=True, watchers=watchers)
        _collect_rarely()
        summary = daemon.run()
    _print_summary(output, settings, summary)
    _print_not_read(output, summary)
    unread = summary.ends[ScanState.QUARANTINED] or summary.left or summary.interrupted
    return ExitCode.QUARANTINED if unread else ExitCode.FINE


class _Shown:
    """Moves the progress bar, and prints the beginning of each text if requested."""

    def __init__(self, progress: Progress, task: TaskID, previews: Console | None) -> None:
        self._progress = progress
        self._task = task
        self._previews = previews
        # Between two words there are at most two characters, of which one is shown.
        self.preview_chars = 2 * PREVIEW_CHARS if previews else 0

    def delivered(self, scan: Scan, page: PageSummary, _delivered: Delivered) -> None:
        """Print the beginning of a text."""
        if self._previews is not None:
            line = f"[bold]{escape(log.printable(scan.path))}[/bold]: {escape(preview_of(page.preview))}"
            self._previews.print(line, soft_wrap=True, highlight=False)

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total or None)


def _collect_rarely() -> None:
    """Make the garbage collector run rarely, and never over what is loaded by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)


def preview_of(text: str) -> str:
    """Return the first characters of a text on one line."""
    return log.printable(" ".join(text.split())[:PREVIEW_CHARS])


def _print_summary(output: Console, settings: Settings, summary: Summary) -> None:
    delivered, quarantined = summary.ends[ScanState.DELIVERED], summary.ends[ScanState.QUARANTINED]
    if not (summary.ends.total() or summary.left or summary.interrupted):
        output.print(f"Nothing to read in {escape(str(settings.inbox))}.")
        return
    if not summary.ends.total() and not summary.interrupted:
        output.print(f"Nothing in {escape(str(settings.inbox))} could be read yet.")
        _print_left(output, summary)
        return
    rate = f" ({delivered / summary.seconds:.1f} a second)" if delivered >= _WORTH_A_RATE else ""
    review = f", {summary.to_review} of them to review (see ocrwatch review)" if summary.to_review else ""
    output.print(
        f"{delivered} {_scans(delivered)} read in {summary.seconds:.1f} s{rate}{review}; "
        f"the text is in {escape(str(settings.outbox))}."
    )
    if duplicates := summary.ends[ScanState.DUPLICATE]:
        what = _DUPLICATES[settings.intake.duplicates]
        output.print(f"{duplicates} {_scans(duplicates)} had the same bytes as scans delivered before: {what}.")
    if quarantined:
        output.print(
            f"{quarantined} {_scans(quarantined)} could not be read; see the reasons in "
            f"{escape(str(settings.quarantine))}."
        )
    if summary.interrupted:
        output.print(f"Stopped before the end: {_waiting(settings)} left in the inbox {escape(str(settings.inbox))}.")
        return
    _print_left(output, summary)


def _print_not_read(output: Console, summary: Summary) -> None:
    if not summary.not_read:
        return
    output.print(f"Not read: {counted(summary.not_read, 'file')}")
    shown = summary.not_read_files[:_MOST_NOT_READ]
    for item in shown:
        line = f"  {item.path}: {item.reason}; {item.remedy}"
        output.print(escape(log.printable(line)))
    if summary.not_read > len(shown):
        output.print(f"  and {summary.not_read - len(shown):,} more")


def _print_left(output: Console, summary: Summary) -> None:
    for path, reason in sorted(summary.left.items()):
        output.print(f"Left in the inbox: {escape(log.printable(path))} ({_REASONS.get(reason, reason)})")


def _waiting(settings: Settings) -> int:
    watch = settings.watch
    rules = NameRules.of(watch.include, watch.exclude)
    return rescan(settings.inbox, rules, recursive=watch.recursive, limit=1).total


def _scans(count: int) -> str:
    return "scan" if count == 1 else "scans"
