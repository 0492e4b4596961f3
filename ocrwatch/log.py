"""Writes events (``events``) as lines: JSON, or readable text on a terminal."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    import logging

    from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]

# Control and format characters, surrogates, line and paragraph separators: they can hide or forge output.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_FIRST_BYTE_ESCAPE, _LAST_BYTE_ESCAPE = "\udc80", "\udcff"  # PEP 383
_MOST_FRAMES = 30
_EVENT_WIDTH = 16
_FOR_PROGRAMS = frozenset({"id", "sha256", "source"})
_HANDLER = "ocrwatch"


def configure(
    level: Level = "info",
    format: Literal["auto", "json", "console"] = "auto",  # noqa: A002 - the option's name
    stream: TextIO | None = None,
) -> None:
    """Log events of at least ``level`` to ``stream``, by default standard error.

    Warnings of all libraries are logged, too.
    """
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


def printable(path: str) -> str:
    """Return ``path`` for one line on a terminal; unprintable characters are escaped."""
    return "".join(_escape(character) if _is_unprintable(character) else character for character in path)


def encodable(text: str) -> str:
    """Return ``text`` with surrogates, such as those of bytes that are not UTF-8, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE


def _escape(character: str) -> str:
    if _FIRST_BYTE_ESCAPE <= character <= _LAST_BYTE_ESCAPE:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _has_colours(stream: TextIO) -> bool:
    """Return whether to use colours on a stream (https://no-color.org)."""
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
    """Escape unprintable characters in all values, and drop fields for programs."""
    return {
        name: printable(_as_text(value)) if isinstance(value, str | list | tuple) else value
        for name, value in event.items()
        if name not in _FOR_PROGRAMS
    }


def _as_text(value: str | list[object] | tuple[object, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value))


def _forward_standard_logging() -> None:
    """Convert log records of libraries, and Python's warnings, to events."""
    import logging  # noqa: PLC0415 - as above

    from ocrwatch.events import LogWarning, publish  # noqa: PLC0415 - so that printable alone costs nothing

    class Forwarder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                message = record.getMessage()
            except (TypeError, ValueError):
                message = str(record.msg)
            exception = record.exc_info[1] if record.exc_info else None
            publish(LogWarning(logger=record.name, message=message, levelno=record.levelno, exception=exception))

    root = logging.getLogger()
    for handler in root.handlers[:]:
        if handler.name == _HANDLER:
            root.removeHandler(handler)
    forwarder = Forwarder(logging.WARNING)
    forwarder.name = _HANDLER
    root.addHandler(forwarder)
    logging.captureWarnings(capture=True)
