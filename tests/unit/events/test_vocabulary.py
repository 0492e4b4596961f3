"""Events: all are named, described and published, and nothing else is logged."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ocrwatch.events
from ocrwatch import log
from ocrwatch.events import EVENTS, Event, HookFailed, LogWarning, ScanIgnored, ScanWaiting
from ocrwatch.events.base import Level, field_names

PACKAGE = Path(ocrwatch.__file__).parent


def calls() -> Iterator[tuple[Path, str]]:
    """Yield the name of everything that the package calls, with the file."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path, ast.unparse(node.func)


def test_every_event_is_in_the_vocabulary() -> None:
    """Its class is named like it, and offered with all others."""
    assert set(EVENTS.values()) == set(Event.__subclasses__())
    for name, kind in EVENTS.items():
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)?", name)
        assert kind.__name__ == "".join(part.capitalize() for part in re.split(r"[._]", name))
        assert getattr(ocrwatch.events, kind.__name__) is kind


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_is_described(kind: type[Event]) -> None:
    """By a sentence of its own; no field hides what every line of the log has."""
    assert kind.__doc__ is not None
    assert kind.__doc__.split("\n")[0].endswith(".")
    assert kind.__doc__ != Event.__doc__
    assert not {"time", "level", "event", "exc_info"} & set(kind.__struct_fields__)
    assert kind.unlogged <= set(kind.__struct_fields__)


def test_every_event_is_published() -> None:
    """None is left of what was logged once."""
    made = {name for path, name in calls() if path.parent.name != "events" or path.name in {"bus.py", "listeners.py"}}
    assert {kind.__name__ for kind in EVENTS.values()} <= made


def test_nothing_else_is_logged() -> None:
    """One module asks for a logger, and that is the bus."""
    assert [path for path, name in calls() if name == "structlog.get_logger"] == [PACKAGE / "events/bus.py"]
    # watchdog and urllib3 are kept from logging by their own loggers.
    loggers = {path for path, name in calls() if name == "logging.getLogger"}
    assert loggers == {Path(str(log.__file__)), PACKAGE / "intake/inotify.py", PACKAGE / "hooks/webhook.py"}


def test_a_field_is_left_out_only_if_it_may_be() -> None:
    """One without a default is always there; others are left out if they are None or empty."""
    assert field_names(HookFailed) == (("hook", "subject", "reason"), ("target", "stderr", "exception"))
    failed = HookFailed(hook="batch", subject="1", reason="it failed", stderr="")
    assert failed.fields() == {"hook": "batch", "subject": "1", "reason": "it failed"}
    assert ScanIgnored(path="a.part", reason="", remedy="").fields() == {"path": "a.part", "reason": ""}
    died = EVENTS["worker.died"](pid=1, how="by itself", phase="idle", id=None, stderr="")
    assert died.fields()["id"] is None


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (ScanWaiting(path="a.jpg", reason="incomplete", next_step="wait"), "info"),
        (ScanWaiting(path="a.jpg", reason="may not be moved", next_step="let it", blocked=True), "warning"),
        (HookFailed(hook="batch", subject="1", reason="exit code 1"), "warning"),
        (HookFailed(hook="batch", subject="1", reason="a bug", exception=ValueError()), "error"),
        (LogWarning(logger="a", message="b"), "warning"),
        (LogWarning(logger="a", message="b", levelno=45), "error"),
        (LogWarning(logger="a", message="b", levelno=99), "critical"),
    ],
)
def test_some_events_have_their_own_level(event: Event, level: Level) -> None:
    """As far as it depends on their fields, which are logged only if programs need them."""
    assert event.log_level == level
    assert not {"blocked", "levelno"} & set(event.fields())
