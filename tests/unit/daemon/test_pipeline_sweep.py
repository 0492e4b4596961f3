"""A run that ends at whatever moment: the next one ends where an undisturbed run would have, and does nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, Final

import pytest

from ocrwatch import backoff as backoff_module
from ocrwatch.cache.codec import pack
from ocrwatch.daemon import pipeline as pipeline_module
from ocrwatch.daemon.pipeline import Pipeline
from ocrwatch.delivery.step_order import Delivered, Deliverer, Work
from ocrwatch.document import Page
from ocrwatch.errors import Blocked, Damaged, EngineFailed, EnvironmentFault, OtherFormat, TimedOut
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.render.base import RenderedPage
from ocrwatch.scan import Scan
from ocrwatch.settings import Settings, recipe
from tests.core import Core, Folders, sha256
from tests.eventually import LONG, eventually, run
from tests.fake_executor import page_of, render
from tests.scripted import Remembered

pytestmark = pytest.mark.slow

MOST_STEPS: Final = 200


class Cut:
    """Runs a coroutine, and cancels it at one of the steps at which it waits.

    That is while it waits; or ``late``, when what it waits for has come in the same moment, and is lost.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], step: int, *, late: bool) -> None:
        self._coroutine = coroutine
        self._step = step
        self._late = late
        self.is_done = False
        """Whether it has come to its end before that step."""

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        step = 0
        resume: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731 - one of several
        while True:
            try:
                waits_for = resume()
            except StopIteration:
                self.is_done = True
                return
            step += 1
            is_last = step == self._step
            if is_last and not self._late:
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                resume = _throwing(self._coroutine, asyncio.CancelledError() if is_last else error)
            else:
                resume = (
                    _throwing(self._coroutine, asyncio.CancelledError())
                    if is_last
                    else lambda: self._coroutine.send(None)
                )


def _throwing(coroutine: Coroutine[Any, Any, None], error: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(error)


class CutPipeline(Pipeline):
    """Cancels the scan ``a.jpg`` at a step of its life."""

    step: int
    late: bool
    cut: Cut | None = None

    async def process(self, scan: Scan) -> None:
        """Process it up to that step."""
        if scan.path != "a.jpg" or self.cut is not None:
            await super().process(scan)
            return
        self.cut = Cut(super().process(scan), self.step, late=self.late)
        await self.cut


class Fates:
    """What reading and delivering ``a.jpg`` come to, one after the other; from then on all goes well."""

    def __init__(
        self,
        reads: tuple[BaseException, ...],
        deliveries: tuple[Exception, ...],
        renderings: tuple[Exception, ...] | None = None,
    ) -> None:
        """Script it; ``renderings`` is for its page in the cache, None if there is none."""
        self.reads = list(reads)
        self.deliveries = list(deliveries)
        self.renderings = list(renderings or ())
        self.begun: list[str] = []
        self.cache = Remembered()
        if renderings is not None:
            settings = Settings()
            known = recipe(settings)
            self.cache.known[sha256("a.jpg"), known] = pack(page_of("text of a.jpg"))

    async def act(self, job: Job) -> Page:
        """Read a scan."""
        name = job.content.decode()
        self.begun.append(name)
        await asyncio.sleep(0)
        if name == "a.jpg" and self.reads:
            raise self.reads.pop(0)
        return page_of(f"text of {name}")

    async def render(self, job: RenderJob) -> RenderedPage:
        """Render a cached page."""
        await asyncio.sleep(0)
        if self.renderings:
            raise self.renderings.pop(0)
        return await render(job)

    def run(self, folders: Folders) -> Core:
        """Return a run that has them."""
        core = Core(folders, folders.settings(), act=self.act, cache=self.cache)
        core.executor.render_act = self.render
        return core


Kind = (
    tuple[tuple[BaseException, ...], tuple[Exception, ...]]
    | tuple[tuple[BaseException, ...], tuple[Exception, ...], tuple[Exception, ...]]
)

KINDS: Final[dict[str, Kind]] = {
    "usual": ((), ()),
    "retried": ((EngineFailed("no"),), ()),
    "too long": ((TimedOut("5 s"),), ()),
    "paused": ((EnvironmentFault("no language data"),), ()),
    "full": ((), (EnvironmentFault("the disk is full"),)),
    "blocked": ((), (Blocked("it is in use"),)),
    "known": ((), (), ()),
    "known and paused": ((), (), (EnvironmentFault("memory is short"),)),
    "known and damaged": ((), (), (Damaged("it is damaged"), Damaged("it is damaged"))),
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_DELAY", 0.004)
    monkeypatch.setattr(pipeline_module, "BLOCKED_DELAY", 0.004)


async def _cut_run(folders: Folders, fates: Fates, step: int, *, late: bool, clean: bool) -> bool:
    """Run until ``a.jpg`` is cancelled at a step, and end the run; tell whether it came to its end before."""
    core = fates.run(folders)
    pipeline = core.pipeline = core.pipeline_of(CutPipeline)
    assert isinstance(pipeline, CutPipeline)
    pipeline.step, pipeline.late = step, late
    core.serve()
    core.bring("a.jpg", "b.jpg")
    await eventually(lambda: not len(core.scans))
    await core.end(clean=clean)
    assert pipeline.cut is not None
    assert sum(map(len, core.heard.ends.values())) == 2
    return pipeline.cut.is_done


async def _next_run(folders: Folders, fates: Fates) -> dict[str, int]:
    """Run until all is done; return the ledger's totals."""
    core = fates.run(folders)
    core.serve()
    core.recover()
    await eventually(lambda: core.pipeline.is_idle and not len(core.scans))
    assert not core.backoff
    totals = core.ledger.totals()
    await core.end()
    return totals


def _refuse_deliveries(monkeypatch: pytest.MonkeyPatch, fates: Fates) -> None:
    deliver = Deliverer.deliver

    def alone(_: Deliverer, works: list[Work]) -> list[Delivered | None]:
        return [None] * len(works)

    def refused(deliverer: Deliverer, work: Work) -> Delivered:
        if work.path == "a.jpg" and fates.deliveries:
            raise fates.deliveries.pop(0)
        return deliver(deliverer, work)

    monkeypatch.setattr(Deliverer, "deliver", refused)
    monkeypatch.setattr(Deliverer, "deliver_together", alone)


@pytest.mark.parametrize(
    ("kind", "clean"),
    # A run that is killed leaves more behind than one that is stopped: the latter is tried with two lives only.
    [*((kind, False) for kind in KINDS), ("usual", True), ("blocked", True)],
    ids=[*(f"{kind}-killed" for kind in KINDS), "usual-stopped", "blocked-stopped"],
)
@pytest.mark.parametrize("late", [False, True], ids=["waiting", "late"])
def test_wherever_a_scan_is_cancelled_it_is_delivered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, late: bool, clean: bool
) -> None:
    """By the next run at the latest: one text, one original in the archive, nothing else left; all others as well."""

    async def scenario() -> None:
        for step in range(1, MOST_STEPS):
            root = tmp_path / str(step)
            root.mkdir()
            folders = Folders(root)
            fates = Fates(*KINDS[kind])
            with monkeypatch.context() as patch:
                if fates.deliveries:
                    _refuse_deliveries(patch, fates)
                is_done = await _cut_run(folders, fates, step, late=late, clean=clean)
                totals = await _next_run(folders, fates)
            assert folders.files() == {
                "archive/a.jpg": "a.jpg",
                "archive/b.jpg": "b.jpg",
                "outbox/a.txt": "text of a.jpg\n",
                "outbox/b.txt": "text of b.jpg\n",
            }, step
            assert totals["delivered"] == 2, step
            assert set(totals) <= {"delivered", "changed"}, step
            if is_done:
                return
        pytest.fail("it has no end")

    run(scenario(), timeout=6 * LONG)


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize("late", [False, True], ids=["waiting", "late"])
def test_wherever_a_bad_scan_is_cancelled_it_is_quarantined_once(tmp_path: Path, *, late: bool, clean: bool) -> None:
    """By the next run at the latest, with its reason beside it."""

    async def scenario() -> None:
        for step in range(1, MOST_STEPS):
            root = tmp_path / str(step)
            root.mkdir()
            folders = Folders(root)
            fates = Fates((OtherFormat("a GIF"), OtherFormat("a GIF")), ())
            is_done = await _cut_run(folders, fates, step, late=late, clean=clean)
            totals = await _next_run(folders, fates)
            assert sorted(folders.files()) == [
                "archive/b.jpg",
                "outbox/b.txt",
                "quarantine/a.jpg",
                "quarantine/a.jpg.reason.json",
            ], step
            assert (totals["quarantined"], totals["delivered"]) == (1, 1), step
            if is_done:
                return
        pytest.fail("it has no end")

    run(scenario(), timeout=6 * LONG)
