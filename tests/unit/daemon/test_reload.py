"""New settings are taken by a daemon at work, and not by one that is about to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ocrwatch.daemon import reload as module
from ocrwatch.daemon.reload import Reloading
from ocrwatch.settings import Settings
from ocrwatch.storage.threads import Threads
from tests.eventually import eventually

LONG = 10.0


class Subject:
    """A reload whose checks last until they are let go on, and what it took and told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads = Threads()
        self.told: list[str] = []
        self.proving, self.go_on = threading.Event(), threading.Event()
        self.reloading = Reloading(cast("Any", SimpleNamespace(threads=self.threads)), Settings)
        monkeypatch.setattr(module, "notify", lambda message: self.told.append(message.split("\n")[0]))
        monkeypatch.setattr(self.reloading, "_prove", self.prove)
        monkeypatch.setattr(self.reloading, "_take", lambda _: self.told.append("taken"))

    def prove(self) -> None:
        """Take as long as the test wants."""
        self.proving.set()
        self.go_on.wait(LONG)


@pytest.fixture
def subject(monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    """Make one."""
    subject = Subject(monkeypatch)
    yield subject
    subject.threads.close(wait=False)


def test_settings_are_taken_and_told(subject: Subject) -> None:
    """The service manager hears of the beginning and the end."""
    subject.go_on.set()

    async def scenario() -> None:
        running = asyncio.ensure_future(subject.reloading.run())
        subject.reloading.ask()
        await eventually(lambda: subject.told[-1:] == ["READY=1"])
        running.cancel()

    asyncio.run(scenario())
    assert subject.told == ["RELOADING=1", "taken", "READY=1"]


def test_a_daemon_that_stops_takes_no_settings(subject: Subject) -> None:
    """Neither those that are being checked then nor later ones, and it does not say that it is ready."""

    async def scenario() -> None:
        running = asyncio.ensure_future(subject.reloading.run())
        subject.reloading.ask()
        await eventually(subject.proving.is_set)
        subject.reloading.stop()
        subject.go_on.set()
        await asyncio.sleep(0)
        subject.reloading.ask()
        await eventually(lambda: not subject.reloading._asked.is_set())
        running.cancel()

    asyncio.run(scenario())
    assert subject.told == ["RELOADING=1"]
