"""Events: one line each, whatever they carry."""

from __future__ import annotations

import errno
import io
import json
import logging
import subprocess
import sys
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.events import (
    DaemonPaused,
    FolderRemoved,
    ScanFailed,
    ScanIgnored,
    ScanReady,
    ScanSeen,
    publish,
    subscribe,
)
from ocrwatch.log import configure, printable

pytestmark = pytest.mark.usefixtures("restored_logging")

SEEN = ScanSeen(path="a.jpg", how="found")
NASTY = "a\nb\r\x1b[31m\x00\u2028\u202e\udcff\x85"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the events in ``stream``, one a line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(error: Exception) -> None:
    """Raise ``error`` from a frame whose local variables hold what must stay secret."""
    text_of_the_scan = "confi" + "dential"
    if text_of_the_scan:
        raise error


def test_json_off_a_terminal() -> None:
    """A line is a JSON object whose time (ISO, UTC), level and event come first."""
    stream = io.StringIO()
    configure(level="debug", stream=stream)
    publish(ScanReady(path="a.jpg", bytes=1))
    (event,) = logged(stream)
    assert list(event) == ["time", "level", "event", "path", "bytes"]
    assert (event["level"], event["event"], event["path"]) == ("debug", "scan.ready", "a.jpg")
    assert event["time"].endswith("Z")


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """People get colours on a terminal; a console format that is redirected has none."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, redirected = Terminal(), io.StringIO()
    for stream in (terminal, redirected):
        configure("debug", "auto" if stream is terminal else "console", stream)
        publish(SEEN)
    assert "\x1b[" in terminal.getvalue()
    assert "\x1b[" not in redirected.getvalue()
    assert "scan.seen" in redirected.getvalue()
    assert "path=a.jpg" in redirected.getvalue()


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"NO_COLOR": "0"}, {"TERM": "dumb"}])
def test_no_colours_where_they_are_not_wanted(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR with any value but none, and a terminal that has no colours, are respected."""
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    configure("debug", stream=terminal)
    publish(SEEN)
    assert "scan.seen" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def test_less_important_events_are_left_out() -> None:
    """The level is the least important that is logged."""
    stream = io.StringIO()
    configure(level="warning", stream=stream)
    publish(SEEN)
    publish(DaemonPaused(cause="inbox", reason="it is gone", remedy="bring it back"))
    assert [event["event"] for event in logged(stream)] == ["daemon.paused"]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "value", [NASTY, [NASTY], {"name": NASTY}, (NASTY, 1), NASTY.encode("utf-8", "replace"), object()]
)
def test_no_value_breaks_a_line(form: Any, value: Any) -> None:
    """File names are data: line ends, terminal commands and bytes that are not text are escaped."""
    stream = io.StringIO()
    configure(format=form, stream=stream)
    publish(ScanIgnored(path=value, reason=NASTY, remedy=""))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert all(line.isprintable() for line in lines)


@given(st.text())
def test_json_keeps_every_value(value: str) -> None:
    """What is logged as JSON reads back as it was."""
    stream = io.StringIO()
    configure("debug", "json", stream)
    publish(ScanSeen(path=value, how="found"))
    assert [event["path"] for event in logged(stream)] == [value]


def test_exceptions_are_a_field_in_json() -> None:
    """A traceback is structured, without local variables: they could hold the text of a scan."""
    stream = io.StringIO()
    configure(format="json", stream=stream)
    try:
        fail(ValueError(NASTY))
    except ValueError as error:
        publish(ScanFailed(path="a.jpg", exception=error))
    (event,) = logged(stream)
    assert event["exception"][0]["exc_type"] == "ValueError"
    assert event["exception"][0]["frames"]
    assert "confidential" not in stream.getvalue()


def test_exceptions_on_the_console_are_fit_for_a_terminal() -> None:
    """A traceback has several lines, but what is in it is escaped."""
    stream = io.StringIO()
    configure(format="console", stream=stream)
    try:
        fail(ValueError("\x1b[31m\udcff"))
    except ValueError as error:
        publish(ScanFailed(path="a.jpg", exception=error))
    assert "\x1b" not in stream.getvalue()
    assert "ValueError: \\x1b[31m\\xff" in stream.getvalue()
    assert stream.getvalue().encode("utf-8")


def test_warnings_of_libraries_become_events() -> None:
    """Nothing reaches the log as raw text; being configured twice does not double it."""
    stream = io.StringIO()
    configure(stream=io.StringIO())
    configure(stream=stream)
    logging.getLogger("a.library").warning("queue %s", "full")
    logging.getLogger("a.library").info("not worth it")
    logging.getLogger("a.library").log(35, "own level")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    events = logged(stream)
    assert {event["event"] for event in events} == {"log.warning"}
    assert [(event["level"], event["logger"]) for event in events] == [
        ("warning", "a.library"),
        ("warning", "a.library"),
        ("warning", "py.warnings"),
    ]
    assert events[0]["message"] == "queue full"


def test_malformed_warnings_are_logged_as_they_are() -> None:
    """A library's mistake in its own message neither raises nor loses the message."""
    stream = io.StringIO()
    configure(stream=stream)
    record = logging.LogRecord("a.library", logging.ERROR, "file.py", 1, "%s and %s", ("one",), None)
    next(handler for handler in logging.getLogger().handlers if handler.name == "ocrwatch").handle(record)
    assert [(event["level"], event["message"]) for event in logged(stream)] == [("error", "%s and %s")]


def test_exceptions_of_libraries_are_kept() -> None:
    """The traceback that a library logs is not lost."""
    stream = io.StringIO()
    configure(stream=stream)
    try:
        fail(OSError("gone"))
    except OSError:
        logging.getLogger("a.library").exception("failed")
    assert logged(stream)[0]["exception"][0]["exc_type"] == "OSError"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("scan 1.jpg", "scan 1.jpg"),
        ("Übersicht 請求書.jpg", "Übersicht 請求書.jpg"),
        ("a\nb\t.jpg", "a\\nb\\t.jpg"),
        ("\udcff.jpg", "\\xff.jpg"),
        ("\ud800.jpg", "\\ud800.jpg"),
        ("\x1b[2J.jpg", "\\x1b[2J.jpg"),
        ("gpj.\u202escan", "gpj.\\u202escan"),
    ],
)
def test_printable_paths(path: str, shown: str) -> None:
    """Names stay readable; what would break, hide or forge the line is escaped."""
    assert printable(path) == shown


@given(st.text())
def test_printable_is_one_line_of_text(path: str) -> None:
    """Whatever a file is called, its name is shown on one line that can be encoded."""
    shown = printable(path)
    assert len(shown.splitlines()) <= 1
    assert shown.encode("utf-8") is not None


def test_import_is_cheap() -> None:
    """Commands that only show paths do not pay for structlog."""
    code = "import sys, ocrwatch.log; print('structlog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class FullDisk(io.StringIO):
    """Can be written at times."""

    is_full = True

    def write(self, text: str) -> int:
        """Refuse, or write."""
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_lines_that_could_not_be_written_are_counted_in_the_first_that_can() -> None:
    """Publishing raises nothing, and listeners get each event."""
    stream = FullDisk()
    heard: list[FolderRemoved] = []
    configure("info", "json", stream)
    unsubscribe = subscribe(heard.append, FolderRemoved)
    try:
        for path in "abc":
            publish(FolderRemoved(path=path))
        assert stream.getvalue() == ""
        stream.is_full = False
        publish(FolderRemoved(path="d"))
        publish(FolderRemoved(path="e"))
    finally:
        unsubscribe()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line.get("path"), line.get("count")) for line in lines] == [
        ("folder.removed", "d", None),
        ("log.lost", None, 3),
        ("folder.removed", "e", None),
    ]
    assert [event.path for event in heard] == ["a", "b", "c", "d", "e"]
