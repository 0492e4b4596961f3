"""A pool under test: real workers, and what they reported."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from ocrwatch.cache.codec import unpack
from ocrwatch.document import Page
from ocrwatch.executors.base import WorkerOptions
from ocrwatch.executors.events import Outcome, SlotEvent, WorkerReady
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.executors.process_pool import Pool
from ocrwatch.executors.worker_slot import Slot
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.render.base import RenderedPage, RenderRequest
from tests.rendering import render
from tests.waiting import until

T = TypeVar("T")

JPEG = render("ab", size=12, width=64, height=40)
GENEROUS = 60.0
"""Seconds for one scan, where the time limit is not what is tested."""


def recipe(engine: str, argument: object = "") -> Recipe:
    """Ask for an engine of the tests, with its argument."""
    return Recipe(engine=engine, whitelist=str(argument), enhance=EnhanceOptions(enabled=False))


def request(*formats: str, path: str = "a.jpg", packs: bool = True) -> RenderRequest:
    """Ask for sidecars, ``txt`` if nothing else is said, and for the packed page."""
    return RenderRequest(formats or ("txt",), path.encode(), len(JPEG), "ab" * 32, preview_chars=100, packs=packs)


class Pooling:
    """A pool whose events and attempts are kept."""

    def __init__(
        self,
        count: int = 1,
        *,
        engine: str | None = "echo",
        formats: tuple[str, ...] = (),
        timeout: float = GENEROUS,
        max_memory: int = 0,
        recycle_after: int = 0,
    ) -> None:
        self.attempts: Counter[int] = Counter()
        self.refunds: Counter[int] = Counter()
        self.sent: list[int] = []
        self._events: list[SlotEvent] = []
        self._lock = threading.Lock()
        recipes = () if engine is None else (recipe(engine),)
        options = WorkerOptions(count, recipes, formats, timeout, max_memory, recycle_after)
        self.pool = Pool(options, self, self._report)
        self.pool.start()

    def count_attempt(self, scan: int) -> int:
        """Count it."""
        with self._lock:
            self.attempts[scan] += 1
            return self.attempts[scan]

    def refund_attempt(self, scan: int) -> None:
        """Take it back."""
        with self._lock:
            self.attempts[scan] -= 1
            self.refunds[scan] += 1

    def record_sent(self, scan: int) -> None:
        """Record that it goes to a service."""
        with self._lock:
            self.sent.append(scan)

    def record_answered(self, scan: int) -> None:
        """Record that it is read on."""
        with self._lock:
            self.sent.remove(scan)

    def _report(self, event: SlotEvent) -> None:
        with self._lock:
            self._events.append(event)

    def events(self, kind: type[T]) -> list[T]:
        """Return what was reported of this kind so far."""
        with self._lock:
            return [event for event in self._events if isinstance(event, kind)]

    def ready(self, count: int = 1) -> list[int]:
        """Wait until ``count`` workers have loaded their engine; return the process ids of all that ever did."""
        until(lambda: len(self.events(WorkerReady)) >= count, 60, f"{count} workers ready")
        return [event.pid for event in self.events(WorkerReady)]

    def submit(
        self,
        scan: int,
        engine: str = "echo",
        argument: object = "",
        content: bytes = JPEG,
        *,
        wanted: RenderRequest | None = None,
    ) -> None:
        """Queue a scan."""
        self.pool.submit(Job(scan, content, recipe(engine, argument), wanted or request()))

    def submit_packed(self, scan: int, packed: bytes, wanted: RenderRequest | None = None) -> None:
        """Queue a cached page."""
        self.pool.submit(RenderJob(scan, packed, wanted or request()))

    def outcome(self, scan: int, timeout: float = GENEROUS) -> Outcome:
        """Wait for the end of a job; it has only one."""
        until(lambda: any(o.scan == scan for o in self.events(Outcome)), timeout, f"the end of job {scan}")
        (found,) = [outcome for outcome in self.events(Outcome) if outcome.scan == scan]
        return found

    def rendered(self, scan: int) -> RenderedPage:
        """Wait for a job that succeeds."""
        outcome = self.outcome(scan)
        assert outcome.error is None
        assert outcome.page is not None
        return outcome.page

    def page(self, scan: int) -> Page:
        """Wait for a job that succeeds, and unpack its page."""
        return unpack(self.rendered(scan).packed)

    def worker_of(self, scan: int) -> int:
        """Return the process that read a scan with an engine that echoes."""
        return int(self.page(scan).words[1].text)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def started_by_engine(path: Path) -> tuple[int, int]:
    """Wait for the processes of a job that spawns: the worker's and its program's."""
    until(lambda: path.exists() and path.read_text().endswith("\n"), GENEROUS, "a program that the engine started")
    worker, program = map(int, path.read_text().split())
    assert is_alive(program)
    return worker, program


Start = Callable[..., Pooling]
"""StartupGuard a pool of so many workers, with the options of :class:`Pooling`."""


def refuse_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next slot's thread not start, as where no more processes are allowed."""
    start = Slot.start

    def refuse(_slot: Slot) -> None:
        monkeypatch.setattr(Slot, "start", start)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Slot, "start", refuse)
