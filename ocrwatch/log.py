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
        "the environment lacks something; nothing is quarantined for it, and it is tried again by itself",
        ("cause", "reason", "remedy"),
    ),
    "daemon.resumed": Event("what the environment lacked is there again", ("cause", "paused_s")),
    "daemon.stopping": Event("ocrwatch was told to stop and finishes what is being read", (
        "signal", "in_work", "timeout_s",
    )),
    "daemon.reloaded": Event("new settings are in force, with the keys of those that changed", ("changed", "workers")),
    "daemon.reload_failed": Event(
        "the new settings are wrong; those that were in force still are", ("reason", "remedy", "exception")
    ),
    "setting.kept": Event("a setting was changed that takes a restart; its old value is still in force", (
        "key", "remedy",
    )),
    "daemon.killed": Event(
        "an earlier run was killed while it read these scans; each of them is read by itself before the others go on",
        ("in_work",),
    ),
    "daemon.failed": Event("a bug ended ocrwatch; what was not finished is still in the inbox", ("exception",)),
    "daemon.stopped": Event("ocrwatch has stopped; the fields count the scans of this run by how they ended", (
        "delivered", "quarantined", "changed", "duplicate", "cancelled", "incomplete",
    )),
    "inbox.unlocked": Event(
        "the inbox's file system has no locks: nothing keeps a second ocrwatch off it", ("inbox", "reason")
    ),
    "watch.armed": Event("the inbox is watched", ("inbox", "mode", "file_system", "source")),
    "watch.lost": Event("events from the inbox are not to be had at present; it is looked through instead", (
        "reason", "remedy", "mode",
    )),
    "scan.seen": Event("a file that may be a scan was noticed (debug)", ("path", "how")),
    "scan.waiting": Event(
        "a scan is not complete yet, was found damaged soon after its last change, or may not be read; said once for "
        "each reason",
        ("path", "reason", "next_step"),
    ),
    "watch.overflowed": Event(
        "the kernel dropped events, since too much happened at once; the inbox is looked through at once", (
        "reason", "remedy",
    )),
    "inbox.crowded": Event(
        "so many files in the inbox are not read that the log and the status do not name all of them", (
        "count", "named", "remedy",
    )),
    "folder.removed": Event(
        "a folder in the inbox was empty since its scans were taken (intake.remove_empty_folders)", ("path",)
    ),
    "folder.kept": Event("such a folder cannot be removed", ("path", "reason")),
    "scan.ignored": Event(
        "something in the inbox is not read: a file of another kind, a link, an excluded name, a folder that may not "
        "be entered; said once for each", ("path", "reason", "remedy",
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
        "a scan with the same bytes was delivered before, so that this one is not (intake.duplicates)",
        ("id", "path", "sha256", "batch", "same_as", "sidecars", "fate", "archived"),
    ),
    "scan.retrying": Event(
        "reading a scan failed and is tried again", ("id", "path", "attempt", "code", "reason", "retry_in_s")
    ),
    "scan.quarantined": Event(
        "a scan cannot be read and was moved to the quarantine",
        ("id", "path", "batch", "attempt", "code", "reason", "remedy", "quarantined"),
    ),
    "scan.changed": Event("a scan changed or went while it was read; the result was dropped", ("path", "reason")),
    "scan.recovered": Event(
        "what a killed run had read was delivered after the restart", ("id", "path", "fate", "sidecars")
    ),
    "scan.restored": Event(
        "an original that could not be put away, since its folder was away, is back, and is read once more", ("path",)
    ),
    "scan.returned": Event(
        "a quarantined scan was finished by its writer; it is back in the inbox and read again", ("path", "quarantined")
    ),
    "scan.rewritten": Event(
        "an archived original was changed after it was read, by a writer that still had it open: its text may be of "
        "half a page, and is marked for review",
        ("path", "archived", "sidecars", "reason", "remedy"),
    ),
    "scan.failed": Event("a bug in ocrwatch, with its traceback; the scan is quarantined", (
        "path", "reason", "trace", "exception",
    )),
    "batch.started": Event("scans that arrived together are handed to the workers", ("batch", "scans", "fresh")),
    "batch.finished": Event(
        "all scans of a batch have ended; counts as in daemon.stopped",
        (
            "batch", "scans", "seconds",
            "delivered", "quarantined", "changed", "duplicate", "cancelled", "incomplete",
        ),
    ),
    "worker.started": Event("a worker process has loaded its engine", ("pid", "engine", "start_ms")),
    "worker.died": Event(
        "a worker process ended unasked; stderr has its last words", ("pid", "how", "phase", "id", "stderr")
    ),
    "hook.told": Event("a program was run, or the webhook took the facts (debug)", (
        "hook", "subject", "target", "took_ms",
    )),
    "hook.retrying": Event("the webhook did not take the facts and is tried again", ("hook", "reason", "retry_in_s")),
    "hook.failed": Event(
        "a program failed or could not be run, or the webhook did not take the facts; they are not told again",
        ("hook", "subject", "target", "reason", "stderr", "exception"),
    ),
    "hook.dropped": Event(
        "so many notices were dropped untold, the oldest first", ("target", "count", "reason", "remedy")
    ),
    "ledger.damaged": Event(
        "the ledger was damaged; it was renamed, never deleted, and a new one is made", ("reason", "set_aside")
    ),
    "ledger.rebuilt": Event(
        "a new ledger has learnt from the folders: originals put back into the inbox to be read again, unfinished "
        "files removed, originals that stay in the inbox known to be read; what was refused is left for the next start",
        ("restored", "removed", "known", "refused"),
    ),
    "cache.damaged": Event(
        "the cache of texts was damaged; it was renamed, and a new one is made", ("reason", "set_aside")
    ),
    "cache.failed": Event("texts cannot be kept or looked up; scans are read all the same", ("reason", "remedy")),
    "ledger.pruned": Event("what is older than history.max_age was forgotten", ("rows",)),
    "status.listening": Event("metrics and health are to be had at this address", ("address",)),
    "log.warning": Event("a library or Python itself warned", ("logger", "message")),
}  # fmt: skip
"""Every event by its name. A field may be missing where it has nothing to say."""


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
