"""Feeds mutants to real workers and watches what becomes of them, their neighbours and this process."""

from __future__ import annotations

import itertools
import queue
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ocrwatch.errors import InternalFault, ScanFault
from ocrwatch.executors.base import WorkerOptions
from ocrwatch.executors.events import Outcome, SlotEvent, WorkerLost, WorkerReady, WorkerUnfit
from ocrwatch.executors.ipc import Job
from ocrwatch.executors.process_pool import Pool
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderRequest
from tests.fuzz.corpus import TEXT, Mutant, originals
from tests.pages import sidecars_of

TIME_LIMIT = 10.0
"""Seconds for one mutant, where an unharmed page takes a tenth of one."""
MEMORY_LIMIT = 1_500_000_000
FORMATS = ("txt", "json", "pdf")

_NEIGHBOUR_EVERY = 20
_AHEAD_PER_WORKER = 2
_SLACK = 3.0
_START = 120.0


@dataclass(slots=True)
class Findings:
    """What a run has shown."""

    mutants: int = 0
    neighbours: int = 0
    """Whole scans, read among the mutants."""
    ends: Counter[str] = field(default_factory=Counter)
    """Mutants by their end: ``page`` or the fault's code."""
    deaths: Counter[str] = field(default_factory=Counter)
    """Workers that ended unasked, by how."""
    longest_s: float = 0.0
    slowest: int = -1
    """Seed of the mutant that took longest."""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    """What must not happen, one sentence each, with the mutant's seed."""

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {end}" for end, count in self.ends.most_common())
        deaths = ", ".join(f"{count} {how}" for how, count in self.deaths.most_common()) or "none"
        return (
            f"{self.mutants} mutants in {self.seconds:.0f} s: {ends}; {self.neighbours} whole scans among them; "
            f"workers lost: {deaths}; longest {self.longest_s:.1f} s (mutant {self.slowest}); {len(self.wrong)} wrong"
        )


def feed(mutants: Iterable[Mutant], *, workers: int, time_limit: float = TIME_LIMIT) -> Findings:
    """Have mutants read, with a whole scan among every few, and return what was found."""
    return _Feeding(workers, time_limit).run(mutants)


class _Feeding:
    def __init__(self, workers: int, time_limit: float) -> None:
        self._time_limit = time_limit
        self._workers = workers
        self._events: queue.SimpleQueue[SlotEvent] = queue.SimpleQueue()
        self._attempts: Counter[int] = Counter()
        self._refunds: Counter[int] = Counter()
        options = WorkerOptions(workers, (Recipe(),), FORMATS, time_limit, MEMORY_LIMIT, max_scans=0)
        self._pool = Pool(options, self, self._events.put)
        self._open: dict[int, Mutant | None] = {}
        self._numbers = itertools.count(1)
        self._found = Findings()

    def count_attempt(self, scan: int) -> int:
        """Count it."""
        self._attempts[scan] += 1
        return self._attempts[scan] - self._refunds[scan]

    def refund_attempt(self, scan: int) -> None:
        """Take it back."""
        self._refunds[scan] += 1

    def record_sent(self, scan: int) -> None:
        """Fail: no scan is for a service."""
        raise AssertionError(scan)

    def record_answered(self, scan: int) -> None:
        """Fail: no scan was for a service."""
        raise AssertionError(scan)

    def run(self, mutants: Iterable[Mutant]) -> Findings:
        """Read them all."""
        self._pool.start()
        try:
            # The clock starts when the engines are loaded.
            for _ in range(self._workers):
                self._take(_START, wanted=WorkerReady)
            begun = time.monotonic()
            for victim in mutants:
                self._submit(victim)
                if victim.seed % _NEIGHBOUR_EVERY == 0:
                    self._submit(None)
                while len(self._open) >= self._workers * _AHEAD_PER_WORKER:
                    self._take(self._longest_wait)
            while self._open:
                self._take(self._longest_wait)
            self._found.seconds = time.monotonic() - begun
        finally:
            self._pool.kill()
        return self._found

    @property
    def _longest_wait(self) -> float:
        # A worker that is killed at the limit is replaced before the next scan has its turn.
        return (self._time_limit + _START) * 2

    def _submit(self, victim: Mutant | None) -> None:
        number = next(self._numbers)
        self._open[number] = victim
        jpeg = originals()[number % len(originals())] if victim is None else victim.data
        request = RenderRequest(FORMATS, b"a.jpg", len(jpeg), "")
        self._pool.submit(Job(number, jpeg, Recipe(), request))

    def _take(self, timeout: float, wanted: type[SlotEvent] | None = None) -> None:
        """Take events up to one of the ``wanted`` kind, or up to any."""
        while True:
            try:
                event = self._events.get(timeout=timeout)
            except queue.Empty:
                named = [victim.seed if victim else "a whole scan" for victim in self._open.values()]
                raise TimeoutError(f"no worker said anything for {timeout:g} s; in work: {named}") from None
            match event:
                case Outcome():
                    self._judge(event)
                case WorkerLost(how=how, phase=phase):
                    self._found.deaths[f"{how} while {phase}"] += 1
                case WorkerUnfit(error):
                    self._found.wrong.append(f"a worker could not start: {error}")
            if wanted is None or isinstance(event, wanted):
                return

    def _judge(self, outcome: Outcome) -> None:
        victim = self._open.pop(outcome.scan)
        seconds = outcome.read_ms / 1000
        if victim is None:
            self._found.neighbours += 1
            text = sidecars_of(outcome.page)["txt"].decode() if outcome.page else str(outcome.error)
            if text.split() != TEXT.split():
                self._found.wrong.append(f"a whole scan was read as {text!r}")
            return
        self._found.mutants += 1
        if seconds > self._found.longest_s:
            self._found.longest_s, self._found.slowest = seconds, victim.seed
        name = f"mutant {victim.seed} ({victim.how}, {len(victim.data)} bytes)"
        error = outcome.error
        self._found.ends["page" if error is None else getattr(error, "code", type(error).__name__)] += 1
        if seconds > self._time_limit + _SLACK:
            self._found.wrong.append(f"{name} took {seconds:.1f} s, over the limit of {self._time_limit:g} s")
        if error is not None and (isinstance(error, InternalFault) or not isinstance(error, ScanFault)):
            self._found.wrong.append(f"{name} was answered with {type(error).__name__}: {error}")
