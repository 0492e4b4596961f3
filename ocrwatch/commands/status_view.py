"""Renders ``ocrwatch status`` as lines of rich's markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from rich.markup import escape

from ocrwatch.log import printable
from ocrwatch.observe.status import ServiceStatus, Status
from ocrwatch.observe.status_documents import OpenDocument

_SUBJECT_WIDTH = 12
_MOST_LINES = 5
_QUEUE_SHOWN = 4
_MISSED_HEARTBEATS = 3
_COLOURS = {"watching": "green", "working": "green", "paused": "red", "stopping": "yellow", "starting": "yellow"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A snapshot of the daemon."""

    folder: str
    """The state folder."""
    holder: int | None
    """The process that holds it now, None if none does."""
    last: Status | None
    """The latest status, perhaps of an earlier process."""
    now: datetime
    heartbeat: float
    """Seconds after which a daemon writes its status without a change."""
    zone: tzinfo | None = None
    """None for the machine's own."""

    @property
    def is_running(self) -> bool:
        """Whether a daemon runs."""
        return self.holder is not None

    def at(self, moment: str) -> str:
        """Render a time: with its day unless that is today."""
        local, now = datetime.fromisoformat(moment).astimezone(self.zone), self.now.astimezone(self.zone)
        return f"{local:%H:%M:%S %Z}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M:%S %Z}"

    def age(self, moment: str) -> str:
        """Render how long ago a time was."""
        return duration((self.now - datetime.fromisoformat(moment)).total_seconds())


def duration(seconds: float) -> str:
    """Render a time span with its two greatest units."""
    whole = max(0, round(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def view(seen: Seen) -> Iterator[str]:
    """Yield the lines."""
    last = seen.last
    if seen.holder is None:
        yield f"[bold]not running[/bold] (state folder {escape(seen.folder)})"
        if last is not None:
            how = "It stopped" if last.state == "stopped" else "It was killed or crashed; it last wrote its status"
            yield f"{how} at {seen.at(last.written)}. Scans in {_shown(last.inbox)} wait until it is started again."
            if last.state == "stopped":
                for lacked in last.paused:
                    yield f"[red]It could not start[/red]: {_shown(lacked.reason)}; {_shown(lacked.remedy)}"
            if last.review_waiting:
                yield f"To review: {last.review_waiting:,}; ocrwatch review lists them."
    elif last is None or seen.holder not in {0, last.pid}:
        yield f"[bold yellow]starting[/bold yellow], process {seen.holder}"
    else:
        yield from _running(seen, last)


def _running(seen: Seen, now: Status) -> Iterator[str]:
    colour = _COLOURS.get(now.state, "default")
    yield (
        f"[bold {colour}]{now.state}[/bold {colour}] since {seen.at(now.since)} ({seen.age(now.since)}), "
        f"process {now.pid}, ocrwatch {now.version}"
    )
    silent_s = (seen.now - datetime.fromisoformat(now.written)).total_seconds()
    if silent_s > _MISSED_HEARTBEATS * seen.heartbeat:
        silent = f"It has not written its status for {duration(silent_s)} and may hang"
        yield f"[red]{silent}; look at its log, or restart it.[/red]"
    for pause in now.paused:
        reason, remedy = _shown(pause.reason), _shown(pause.remedy)
        yield f"[red]paused[/red] since {seen.at(pause.since)} ({seen.age(pause.since)}): {reason}; {remedy}"
    if (refused := now.refused_settings) is not None:
        since = f"since {seen.at(refused.since)} ({seen.age(refused.since)})"
        yield f"[yellow]new settings refused[/yellow] {since}: {_shown(refused.reason)}; {_shown(refused.remedy)}"
    yield from _block("inbox", [f"{_shown(now.inbox)} ({now.watch})"])
    yield from _block("workers", [_workers(now)])
    yield from _block("services", (_service(seen, one) for one in now.services))
    yield from _block("in work", _in_work(seen, now) or ["nothing"])
    yield from _block("waiting", _waiting(seen, now))
    yield from _block("to deliver", [_first_few(now.delivering, len(now.delivering))] if now.delivering else [])
    yield from _block(
        "incomplete",
        _some(
            f"{_shown(one.path)}: {_shown(one.says(seen.at))}; unchanged for {seen.age(one.since)}"
            for one in now.incomplete
        ),
    )
    yield from _block("not read", _not_read(now))
    yield from _block(
        "retried",
        _some(
            f"{_shown(one.path)} at {seen.at(one.next_try)}: {_shown(one.reason)}"
            for one in now.resting
            if not one.is_blocked
        ),
    )
    yield from _block(
        "blocked",
        _some(f"{_shown(one.names)}: {_shown(one.reason)}; {_shown(one.remedy)}" for one in now.blocked),
    )
    yield from _block("scans", [_rates(now)])
    known = f", {now.cached:,} of them from the cache" if now.cached else ""
    yield from _block("delivered", [f"{now.delivered:,} since the start{known}"])
    if now.documents_open or now.documents_delivered:
        yield from _block("documents", _documents(seen, now))
    if duplicates := now.ends.get("duplicate", 0):
        yield from _block("duplicates", [f"{duplicates:,} since the start, of scans delivered before"])
    yield from _block("quarantined", [f"{now.quarantined:,} since the start", *_failures(seen, now)])
    if now.review_waiting or now.to_review:
        # Documents of several pages wait, too, but are not counted.
        scans = "scan" if now.to_review == 1 else "scans"
        marked = f" ({now.to_review:,} {scans} marked since the start)" if now.to_review else ""
        yield from _block("to review", [f"{now.review_waiting:,}{marked}", *_reviews(seen, now)])
    if [profile.name for profile in now.profiles] not in ([], [""]):
        yield from _block("profiles", _profiles(now))


def _block(subject: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else subject:<{_SUBJECT_WIDTH}}{line}"


def _some(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    more = [f"and {len(every) - _MOST_LINES} more"] if len(every) > _MOST_LINES else []
    return every[:_MOST_LINES] + more


def _workers(now: Status) -> str:
    died = f"; {now.worker_deaths} died since the start" if now.worker_deaths else ""
    return f"{now.workers_ready} of {now.workers} ready, {now.engine or 'loading'}{died}"


def _service(seen: Seen, one: ServiceStatus) -> str:
    parts = [f"{one.requests:,} requests"]
    parts += [f"{one.refused:,} refused"] * bool(one.refused) + [f"{one.failed:,} without an answer"] * bool(one.failed)
    parts += [] if one.median_s is None else [f"median {one.median_s:.2g} s"]
    parts += [f"{one.in_flight} under way"] * bool(one.in_flight)
    line = f"{one.name} ({_shown(one.host)}): {', '.join(parts)}"
    if one.paused_since is None:
        return line
    since = f"since {seen.at(one.paused_since)} ({seen.age(one.paused_since)})"
    next_try = "" if one.next_try is None else f"; next try at {seen.at(one.next_try)}"
    return f"{line}; [red]not available[/red] {since}: {_shown(one.reason)}; {_shown(one.remedy)}{next_try}"


def _in_work(seen: Seen, now: Status) -> list[str]:
    files = (f"{_shown(one.path)} for {seen.age(one.since)}, {one.page_counts}" for one in now.files)
    scans = (
        _shown(one.path)
        + ("" if one.page is None else f", page {one.page:,},")
        + f" for {seen.age(one.since)}, worker {one.worker}"
        + (f", attempt {one.attempt}" if one.attempt > 1 else "")
        for one in now.being_read
    )
    return _some((*files, *scans))


def _waiting(seen: Seen, now: Status) -> Iterator[str]:
    # Several pages of a file may be read at once.
    waiting = now.waiting + len(now.in_work) - len({one.path for one in now.being_read})
    more = " and more behind them" if now.more else ""
    oldest = ""
    if now.oldest_waiting is not None and now.oldest_waiting_since is not None:
        oldest = f", the first, {_shown(now.oldest_waiting)}, came {seen.age(now.oldest_waiting_since)} ago"
    yield f"{waiting:,}{more}{oldest}"
    if now.queue:
        yield f"next: {_first_few(now.queue, now.queued)}"


def _not_read(now: Status) -> list[str]:
    if not now.not_read:
        return []
    first = [f"{_shown(one.path)}: {_shown(one.reason)}; {_shown(one.remedy)}" for one in now.not_read_files]
    more = now.not_read - min(len(first), _MOST_LINES)
    return [f"{now.not_read:,}", *first[:_MOST_LINES], *([f"and {more:,} more"] if more else [])]


def _first_few(paths: list[str], count: int) -> str:
    return ", ".join(map(_shown, paths[:_QUEUE_SHOWN])) + (", …" if count > _QUEUE_SHOWN else "")


def _documents(seen: Seen, now: Status) -> Iterator[str]:
    yield f"{now.documents_delivered:,} since the start, {now.documents_open:,} being gathered or written"
    yield from (f"{_shown(one.shown)} ({one.page_counts}): {_progress(seen, one)}" for one in now.documents)
    if more := now.documents_open - len(now.documents):
        yield f"and {more:,} more"


def _progress(seen: Seen, one: OpenDocument) -> str:
    """Say when a document is complete, or what it waits for."""
    if one.waits_for:
        return f"{_shown(one.waits_for)}{f'; {_shown(one.remedy)}' if one.remedy else ''}"
    if one.complete_at is None:
        return "is being written"
    left = (datetime.fromisoformat(one.complete_at) - seen.now).total_seconds()
    return f"complete in {duration(left)} if no further page comes"


def _rates(now: Status) -> str:
    return (
        f"{now.scans_last_minute:,} in the last minute, {now.scans_last_hour:,} in the last hour, "
        f"{now.scans_last_day:,} in the last 24 hours"
    )


def _failures(seen: Seen, now: Status) -> list[str]:
    last = now.failures[: -_MOST_LINES - 1 : -1]
    return [f"{seen.at(one.at)} {_shown(one.path)}: {_shown(one.reason)}" for one in last]


def _reviews(seen: Seen, now: Status) -> list[str]:
    last = now.reviews[: -_MOST_LINES - 1 : -1]
    return [f"{seen.at(one.at)} {_shown(one.path)}: {_shown(', '.join(one.reasons))}" for one in last]


def _profiles(now: Status) -> list[str]:
    return [
        f"{_shown(one.name) or 'none'}: {one.delivered:,} delivered, {one.quarantined:,} quarantined"
        for one in now.profiles
    ]


def _shown(text: str) -> str:
    return escape(printable(text))
