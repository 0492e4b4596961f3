"""Structured events: one line each, JSON off a terminal, for people on one. :data:`EVENTS` is the vocabulary."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    import logging

    from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]

# Control and format characters, surrogates, line and paragraph separators: they hide or forge what is shown.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_FIRST_BYTE_ESCAPE, _LAST_BYTE_ESCAPE = "\udc80", "\udcff"  # PEP 383
_MOST_FRAMES = 30
_EVENT_WIDTH = 16
_FOR_PROGRAMS = frozenset({"id", "sha256", "source"})
_HANDLER = "ocrwatch"


@dataclass(frozen=True, slots=True)
class Event:
    """What an event means and which fields it has besides ``time``, ``level`` and ``event``."""

    description: str
    fields: tuple[str, ...] = ()


EVENTS: dict[str, Event] = {
    "daemon.started": Event("ocrwatch has started", ("version", "pid", "inbox", "outbox", "workers")),
    "daemon.ready": Event("a worker can read", ("mode", "workers")),
    "daemon.paused": Event(
        "the environment lacks something; ocrwatch retries by itself, and quarantines no scan for it",
        ("cause", "reason", "remedy"),
    ),
    "daemon.resumed": Event("the environment is in order again", ("cause", "paused_s")),
    "daemon.stopping": Event("ocrwatch stops, and first finishes the scans that are being read", (
        "signal", "in_work", "timeout_s",
    )),
    "daemon.reloaded": Event("new settings are in force; changed has their keys", ("changed", "workers")),
    "daemon.reload_failed": Event(
        "the new settings are wrong; the old ones stay in force", ("reason", "remedy", "exception")
    ),
    "setting.kept": Event("a changed setting needs a restart; its old value stays in force", (
        "key", "remedy",
    )),
    "daemon.killed": Event(
        "an earlier run was killed while it read these scans; they are read one at a time before all others",
        ("in_work",),
    ),
    "daemon.failed": Event("a bug ended ocrwatch; scans that were not finished are still in the inbox", ("exception",)),
    "daemon.stopped": Event("ocrwatch has stopped; the fields count the scans of this run by their end", (
        "delivered", "quarantined", "changed", "duplicate", "cancelled", "incomplete",
    )),
    "inbox.unlocked": Event(
        "the inbox's file system has no locks: a second ocrwatch on this inbox would not be noticed",
        ("inbox", "reason"),
    ),
    "watch.armed": Event("the inbox is watched", ("inbox", "mode", "file_system", "source")),
    "watch.lost": Event("inotify is unavailable; ocrwatch falls back to polling", (
        "reason", "remedy", "mode",
    )),
    "scan.seen": Event("a file that may be a scan was found (debug)", ("path", "how")),
    "scan.waiting": Event(
        "a scan is not complete yet, was found damaged soon after its last change, or may not be read; logged once for "
        "each reason",
        ("path", "reason", "next_step"),
    ),
    "watch.overflowed": Event(
        "the kernel dropped events because too many came at once; the inbox is rescanned immediately", (
        "reason", "remedy",
    )),
    "inbox.crowded": Event(
        "the inbox has so many files that are not read that the log and the status do not list all of them", (
        "count", "named", "remedy",
    )),
    "folder.removed": Event(
        "a folder in the inbox was removed: it was empty after its scans were read (intake.remove_empty_folders)",
        ("path",),
    ),
    "folder.kept": Event(
        "an empty folder in the inbox cannot be removed (intake.remove_empty_folders)", ("path", "reason")
    ),
    "scan.ignored": Event(
        "an entry of the inbox is not read: a file of another kind, a link, an excluded name, a folder without "
        "permission; logged once for each", ("path", "reason", "remedy",
    )),
    "scan.ready": Event("a scan is complete (debug)", ("path", "bytes")),
    "scan.delivered": Event(
        "a scan was read and its text is in the outbox",
        (
            "id", "path", "bytes", "sha256", "batch", "attempt", "engine", "second", "second_lines",
            "words", "confidence", "queued_ms", "read_ms", "sidecars", "archived", "cached", "review",
            "review_reasons", "profile", "warnings", "preview",
        ),
    ),
    "scan.duplicate": Event(
        "a scan was not delivered because one with the same bytes was delivered before (intake.duplicates)",
        ("id", "path", "sha256", "batch", "same_as", "sidecars", "fate", "archived"),
    ),
    "scan.retrying": Event(
        "reading a scan failed; it is retried", ("id", "path", "attempt", "code", "reason", "retry_in_s")
    ),
    "scan.quarantined": Event(
        "a scan cannot be read and was moved to the quarantine",
        ("id", "path", "batch", "attempt", "code", "reason", "remedy", "quarantined"),
    ),
    "scan.changed": Event(
        "a scan was changed or removed while it was read; the result was discarded", ("path", "reason")
    ),
    "scan.recovered": Event(
        "a scan that a killed run had read was delivered after the restart", ("id", "path", "fate", "sidecars")
    ),
    "scan.restored": Event(
        "an original that could not be moved because its folder was missing is back, and is read again", ("path",)
    ),
    "scan.returned": Event(
        "a quarantined scan was completed by its writer; it was moved back to the inbox, and is read again",
        ("path", "quarantined"),
    ),
    "scan.rewritten": Event(
        "an archived original was changed after it was read, by a writer that still had it open; its text may be "
        "incomplete, and is marked for review",
        ("path", "archived", "sidecars", "reason", "remedy"),
    ),
    "scan.failed": Event("a bug in ocrwatch, with its traceback; the scan is quarantined", (
        "path", "reason", "trace", "exception",
    )),
    "batch.started": Event("scans that arrived together are passed to the workers", ("batch", "scans", "fresh")),
    "batch.finished": Event(
        "all scans of a batch are finished; counts as in daemon.stopped",
        (
            "batch", "scans", "seconds",
            "delivered", "quarantined", "changed", "duplicate", "cancelled", "incomplete",
        ),
    ),
    "worker.started": Event("a worker process has loaded its engine", ("pid", "engine", "start_ms")),
    "worker.died": Event(
        "a worker process ended unexpectedly; stderr has the end of its error output",
        ("pid", "how", "phase", "id", "stderr"),
    ),
    "hook.told": Event("a program was run, or the webhook accepted the notification (debug)", (
        "hook", "subject", "target", "took_ms",
    )),
    "hook.retrying": Event(
        "the webhook did not accept the notification; it is retried", ("hook", "reason", "retry_in_s")
    ),
    "hook.failed": Event(
        "a program failed or could not be run, or the webhook did not accept the notification; it is not sent again",
        ("hook", "subject", "target", "reason", "stderr", "exception"),
    ),
    "hook.dropped": Event(
        "notifications were dropped because too many were waiting, the oldest first",
        ("target", "count", "reason", "remedy"),
    ),
    "ledger.damaged": Event(
        "the ledger was damaged; it was renamed, not deleted, and a new one is created", ("reason", "set_aside")
    ),
    "ledger.rebuilt": Event(
        "a new ledger was filled from the folders: originals moved back to the inbox to be read again, unfinished "
        "files removed, originals in the inbox recognised as read; what failed is tried again at the next start",
        ("restored", "removed", "known", "refused"),
    ),
    "cache.damaged": Event(
        "the cache of texts was damaged; it was renamed, and a new one is created", ("reason", "set_aside")
    ),
    "cache.failed": Event("the cache cannot be read or written; scans are read without it", ("reason", "remedy")),
    "ledger.pruned": Event("entries older than history.max_age were deleted from the ledger", ("rows",)),
    "status.listening": Event("metrics and health checks are served at this address", ("address",)),
    "log.warning": Event("a warning from a library or from Python", ("logger", "message")),
}  # fmt: skip
"""Every event by its name. A field is left out if it has no value."""


def configure(
    level: Level = "info",
    format: Literal["auto", "json", "console"] = "auto",  # noqa: A002 - the option's name
    stream: TextIO | None = None,
) -> None:
    """Send events of at least ``level`` to ``stream`` (standard error), and warnings of all libraries with them."""
    import structlog  # noqa: PLC0415 - costs 50 ms, which not every command needs

    stream = sys.stderr if stream is None else stream
    as_json = format == "json" or (format == "auto" and not stream.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json, key="time"),
            *(_json_processors() if as_json else _console_processors(colors=_has_colours(stream))),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        # Cached loggers would keep their first level; to bind one for each event takes microseconds.
        cache_logger_on_first_use=False,
    )
    _forward_standard_logging()


def set_level(level: Level) -> None:
    """Log events of at least ``level`` from here on."""
    import structlog  # noqa: PLC0415 - costs 50 ms, which not every command needs

    structlog.configure(**{**structlog.get_config(), "wrapper_class": structlog.make_filtering_bound_logger(level)})


def get_logger() -> FilteringBoundLogger:
    """Return a logger for the events in :data:`EVENTS`: ``get_logger().info("scan.seen", path=path)``."""
    import structlog  # noqa: PLC0415 - costs 50 ms, which not every command needs

    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def printable(path: str) -> str:
    """Return ``path`` fit for one line on a terminal: what is invisible or not text is shown as its escape."""
    return "".join(_escape(character) if _is_unprintable(character) else character for character in path)


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE


def _escape(character: str) -> str:
    if _FIRST_BYTE_ESCAPE <= character <= _LAST_BYTE_ESCAPE:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _has_colours(stream: TextIO) -> bool:
    """Tell whether a stream shows colours, and its user wants them (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in {"dumb", "unknown"}


def _json_processors() -> list[Processor]:
    import structlog  # noqa: PLC0415 - costs 50 ms, which not every command needs

    # Local variables would carry the text of scans into the log.
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=_MOST_FRAMES)
    return [
        structlog.processors.ExceptionRenderer(transformer),
        _in_reading_order,
        structlog.processors.JSONRenderer(ensure_ascii=True),
    ]


def _console_processors(*, colors: bool) -> list[Processor]:
    import structlog  # noqa: PLC0415 - costs 50 ms, which not every command needs

    def write_traceback(target: TextIO, exc_info: ExcInfo) -> None:
        plain = io.StringIO()
        structlog.dev.plain_traceback(plain, exc_info)
        target.write("\n".join(map(printable, plain.getvalue().split("\n"))))

    renderer = structlog.dev.ConsoleRenderer(
        colors=colors,
        timestamp_key="time",
        sort_keys=False,
        pad_event_to=_EVENT_WIDTH,
        exception_formatter=write_traceback,
    )
    return [_for_people, renderer]


def _in_reading_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: event.pop(name) for name in ("time", "level", "event")} | dict(event)


def _for_people(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make everything fit for one line, and leave out what only programs want."""
    return {
        name: printable(_as_text(value)) if isinstance(value, str | list | tuple) else value
        for name, value in event.items()
        if name not in _FOR_PROGRAMS
    }


def _as_text(value: str | list[object] | tuple[object, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value))


def _forward_standard_logging() -> None:
    """Turn what libraries log, and Python's own warnings, into events."""
    import logging  # noqa: PLC0415 - as above

    class Forwarder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                message = record.getMessage()
            except (TypeError, ValueError):
                message = str(record.msg)
            # structlog knows the standard levels only.
            level = min(record.levelno // 10 * 10, logging.CRITICAL)
            get_logger().log(
                level, "log.warning", logger=record.name, message=message, exc_info=record.exc_info or None
            )

    root = logging.getLogger()
    for handler in root.handlers[:]:
        if handler.name == _HANDLER:
            root.removeHandler(handler)
    forwarder = Forwarder(logging.WARNING)
    forwarder.name = _HANDLER
    root.addHandler(forwarder)
    logging.captureWarnings(capture=True)
