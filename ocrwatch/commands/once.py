"""``ocrwatch once``: reads what is in the inbox, with a progress bar and a summary."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ocrwatch import log
from ocrwatch.checks.startup import worker_count
from ocrwatch.commands.configuration import settings_for_work
from ocrwatch.commands.output import Output
from ocrwatch.commands.preview import preview_of
from ocrwatch.commands.progress_bar import AboveBar
from ocrwatch.commands.run import collect_rarely
from ocrwatch.daemon.daemon import Daemon, Summary
from ocrwatch.errors import EnvironmentFault, ExitCode
from ocrwatch.events import DocumentDelivered, ScanDelivered, ScanRecovered, subscribe
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rescan import rescan
from ocrwatch.observe.status_txt import counted
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings
from ocrwatch.storage.mount_watchdog import check_answers

_MAY_HAVE_PAGES = ("*.pdf", "*.tif", "*.tiff")
_WORTH_A_RATE = 5
_MOST_NOT_READ = 20
_MOST_LACKING = 20
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


def once(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, preview: bool) -> ExitCode:
    """Read what is in the inbox, with a progress bar on a terminal, and print a summary."""
    settings = _with_workers_for(settings_for_work(config, overrides, sets))
    return _read_inbox(settings, preview=preview)


def _read_inbox(settings: Settings, *, preview: bool) -> ExitCode:
    """Read what is in the inbox, and print a summary."""
    console = Console(stderr=True)
    # With a progress bar only warnings and errors; in a pipe or a service's log all events.
    level = "warning" if console.is_terminal and settings.log.level == "info" else settings.log.level
    log.configure(level, settings.log.format, AboveBar(console) if console.is_terminal else None)
    output = Output()
    previews = console if console.is_terminal and output.is_terminal else output

    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar as progress, _shown(previews if preview else None), _recoveries() as recovered, _documents() as documents:
        daemon = Daemon(settings, once=True, progress=_Bar(progress, progress.add_task("reading", total=None)))
        collect_rarely()
        summary = daemon.run()
    _print_summary(output, settings, summary, recovered, documents)
    _print_not_read(output, summary)
    quarantined = (summary.ends + recovered.ends)[ScanState.QUARANTINED]
    lacking = any(document.missing for document in documents) or summary.documents_left
    unread = quarantined or summary.left or summary.interrupted or lacking
    return ExitCode.QUARANTINED if unread else ExitCode.FINE


def _scans_in_inbox(settings: Settings, include: Sequence[str] = ()) -> int:
    """Return how many scans are in the inbox, perhaps of certain names; raises :class:`EnvironmentFault`."""
    watch = settings.watch
    rules = NameRules.of(include or watch.include, watch.exclude)
    return rescan(settings.inbox, rules, recursive=watch.recursive, limit=1).total


def _with_workers_for(settings: Settings) -> Settings:
    """Return the settings with no more workers than there are scans.

    A worker takes half a second of CPU to start. A file that may have several pages is read by all of them.
    """
    try:
        waiting = _scans_in_inbox(settings)
        if waiting >= worker_count(settings) or _scans_in_inbox(settings, _MAY_HAVE_PAGES):
            return settings
    except EnvironmentFault:
        # The daemon makes the inbox, or reports why it cannot be read.
        return settings
    count = max(1, waiting)
    return settings.model_copy(update={"workers": settings.workers.model_copy(update={"count": count})})


class _Bar:
    """Moves the progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total or None)


@contextlib.contextmanager
def _shown(previews: Console | None) -> Iterator[None]:
    """Print the beginning of each text, if requested."""
    if previews is None:
        yield
        return

    def show(event: ScanDelivered) -> None:
        line = f"[bold]{escape(log.printable(event.path))}[/bold]: {escape(preview_of(event.beginning))}"
        # If it cannot be shown (a full disk), the scans are still read.
        with contextlib.suppress(OSError):
            previews.print(line, soft_wrap=True, highlight=False)

    unsubscribe = subscribe(show, ScanDelivered)
    try:
        yield
    finally:
        unsubscribe()


@dataclass(slots=True)
class _Recovered:
    """Scans that this run finished for an interrupted one."""

    ends: Counter[ScanState] = field(default_factory=Counter)
    to_review: int = 0

    def add(self, event: ScanRecovered) -> None:
        """Count one. A void plan is not an end: the scan was changed or removed."""
        if event.state is not ScanState.CHANGED:
            self.ends[event.state] += 1
            self.to_review += event.review_reasons is not None


@contextlib.contextmanager
def _recoveries() -> Iterator[_Recovered]:
    """Count the scans that this run finishes for an interrupted one."""
    recovered = _Recovered()
    unsubscribe = subscribe(recovered.add, ScanRecovered)
    try:
        yield recovered
    finally:
        unsubscribe()


@contextlib.contextmanager
def _documents() -> Iterator[list[DocumentDelivered]]:
    """Collect the documents that are delivered."""
    delivered: list[DocumentDelivered] = []
    unsubscribe = subscribe(delivered.append, DocumentDelivered)
    try:
        yield delivered
    finally:
        unsubscribe()


def _print_summary(
    output: Console,
    settings: Settings,
    summary: Summary,
    recovered: _Recovered,
    documents: Sequence[DocumentDelivered] = (),
) -> None:
    if summary.ends or recovered.ends or summary.left or summary.interrupted or not documents:
        _print_scans(output, settings, summary, recovered)
    _print_documents(output, settings, summary, documents)


def _print_documents(
    output: Console, settings: Settings, summary: Summary, documents: Sequence[DocumentDelivered]
) -> None:
    if documents:
        pages = counted(sum(document.pages for document in documents), "page")
        were = (
            f"1 document with {pages} was" if len(documents) == 1 else f"{len(documents):,} documents with {pages} were"
        )
        output.print(f"{were} written to {escape(str(settings.outbox))}.")
    lacking = [(document, document.missing) for document in documents if document.missing]
    for document, missing in lacking[:_MOST_LACKING]:
        name = f"{document.folder}/{document.document}".strip("/")
        line = f"The document {name} lacks {counted(len(missing), 'page')}: {', '.join(missing)}"
        output.print(escape(log.printable(line)))
    if len(lacking) > _MOST_LACKING:
        output.print(f"  and {len(lacking) - _MOST_LACKING:,} more lack pages")
    if summary.documents_left:
        left = counted(summary.documents_left, "document")
        output.print(f"Not written yet: {left}; the next run tries again.")


def _print_scans(output: Console, settings: Settings, summary: Summary, recovered: _Recovered) -> None:
    ends = summary.ends + recovered.ends
    if not (ends.total() or summary.left or summary.interrupted):
        output.print(f"Nothing to read in {escape(str(settings.inbox))}.")
        return
    if not ends.total() and not summary.interrupted:
        output.print(f"Nothing in {escape(str(settings.inbox))} could be read yet.")
        _print_left(output, summary)
        return
    if summary.ends.total() or summary.interrupted:
        delivered = summary.ends[ScanState.DELIVERED]
        rate = f" ({delivered / summary.seconds:.1f} a second)" if delivered >= _WORTH_A_RATE else ""
        output.print(
            f"{delivered} {_scans(delivered)} read in {summary.seconds:.1f} s{rate}{_review(summary.to_review)}; "
            f"the text is in {escape(str(settings.outbox))}."
        )
    if earlier := recovered.ends[ScanState.DELIVERED]:
        output.print(
            f"{earlier} {_scans(earlier)} read in an interrupted run and delivered now"
            f"{_review(recovered.to_review)}; the text is in {escape(str(settings.outbox))}."
        )
    if duplicates := ends[ScanState.DUPLICATE]:
        what = _DUPLICATES[settings.intake.duplicates]
        output.print(f"{duplicates} {_scans(duplicates)} had the same bytes as scans delivered before: {what}.")
    if quarantined := ends[ScanState.QUARANTINED]:
        output.print(
            f"{quarantined} {_scans(quarantined)} could not be read; see the reasons in "
            f"{escape(str(settings.quarantine))}."
        )
    if summary.interrupted:
        output.print(f"Stopped before the end: {_rest(settings)} left in the inbox {escape(str(settings.inbox))}.")
        return
    _print_left(output, summary)


def _rest(settings: Settings) -> str:
    """Return how many scans are in the inbox, if it answers."""
    try:
        check_answers({"inbox": settings.inbox})
        return str(_scans_in_inbox(settings))
    except EnvironmentFault:
        return "the rest is"


def _review(count: int) -> str:
    return f", {count} of them to review (see ocrwatch review)" if count else ""


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


def _scans(count: int) -> str:
    return "scan" if count == 1 else "scans"
