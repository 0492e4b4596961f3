"""A scan's life: each way in which it can end, and all that can come between."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ocrwatch import backoff as backoff_module
from ocrwatch.backoff import Cause
from ocrwatch.cache.key import PageCache
from ocrwatch.daemon import loading as loading_module
from ocrwatch.daemon import pipeline as pipeline_module
from ocrwatch.daemon.deliveries import REDUCED
from ocrwatch.daemon.pipeline import MOST_DEATHS
from ocrwatch.daemon.scans import Batch, Scan
from ocrwatch.delivery.transaction import Delivered, Deliverer, Work
from ocrwatch.document import Page
from ocrwatch.errors import (
    Blocked,
    Changed,
    Damaged,
    EngineFailed,
    EnvironmentFault,
    NotAJpeg,
    OutOfMemory,
    ScanFault,
    TimedOut,
    TooLarge,
    Truncated,
    UsageError,
    WorkerDied,
)
from ocrwatch.executors.messages import Job
from ocrwatch.ledger import Ledger
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.readers import has_second_reader
from ocrwatch.scan import FileFacts, ScanState, SettledFile
from ocrwatch.settings import Settings, recipe
from tests.core import Core, Heard, running
from tests.eventually import eventually, run, settled
from tests.fake_executor import FakeExecutor, page_of

FULL = "the disk is full"
FIRST_DELAY = 0.05
"""Seconds of the first pause, in these tests."""

Answer = BaseException | str | None


class Script:
    """What reading each scan comes to, by its bytes: errors, texts, or None for its own text; held as the test says."""

    def __init__(self, answers: dict[str, list[Answer]] | None = None) -> None:
        self.answers = answers or {}
        self.begun: list[str] = []
        self.recipes: list[Recipe] = []
        self._gates: dict[str, asyncio.Event] = {}

    def hold(self, *names: str) -> None:
        """Have these be read until :meth:`release`."""
        for name in names:
            self._gates[name] = asyncio.Event()

    def release(self, *names: str) -> None:
        """Have these be read."""
        for name in names:
            self._gates.pop(name).set()

    async def __call__(self, job: Job) -> Page:
        """Read a scan."""
        name = job.jpeg.decode()
        self.begun.append(name)
        self.recipes.append(job.recipe)
        if (gate := self._gates.get(name)) is not None:
            await gate.wait()
        answers = self.answers.get(name)
        answer = answers.pop(0) if answers else None
        if isinstance(answer, BaseException):
            raise answer
        return page_of(answer or f"text of {name}")


class Remembered(PageCache):
    """Pages by their bytes and their recipe."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.pages: dict[tuple[str, Recipe], Page] = {}

    def __bool__(self) -> bool:
        return True

    def page(self, sha256: str, recipe: Recipe) -> Page | None:
        """Return the page."""
        return self.pages.get((sha256, recipe))

    recent = page

    def remember(self, sha256: str, recipe: Recipe, page: Page) -> Callable[[], None]:
        """Keep it."""
        self.pages[sha256, recipe] = page
        return lambda: None


class Refusals:
    """What deliveries of certain paths raise, as long as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: dict[str, Exception] = {}
        """An error for each path that is refused; ``*`` stands for all."""
        self.tried: list[str] = []
        deliver, resume = Deliverer.deliver, Deliverer.resume

        def refuse(path: str) -> None:
            self.tried.append(path)
            error = self.of.get(path) or self.of.get("*")
            if error is not None:
                # Each time another, as a system call's.
                raise copy.copy(error)

        def delivered(deliverer: Deliverer, work: Work) -> Delivered:
            refuse(work.path)
            return deliver(deliverer, work)

        def resumed(deliverer: Deliverer, scan: int, plan: str, *why: str | None) -> Delivered:
            refuse(json.loads(plan)["path"])
            return resume(deliverer, scan, plan, *why)

        def together(deliverer: Deliverer, works: list[Work]) -> list[Delivered | None]:
            return [None] * len(works)

        monkeypatch.setattr(Deliverer, "deliver", delivered)
        monkeypatch.setattr(Deliverer, "resume", resumed)
        monkeypatch.setattr(Deliverer, "deliver_together", together)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_DELAY", FIRST_DELAY)


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> Refusals:
    """Deliver one by one, refusing what the test says."""
    return Refusals(monkeypatch)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon what is blocked."""
    monkeypatch.setattr(pipeline_module, "BLOCKED_DELAY", 0.05)


def delivered(*names: str) -> dict[str, str]:
    """Return the files that there are when these scans, and nothing else, were delivered."""
    return {
        **{f"archive/{name}.jpg": f"{name}.jpg" for name in names},
        **{f"outbox/{name}.txt": f"text of {name}.jpg\n" for name in names},
    }


def reason(core: Core, path: str = "a.jpg") -> dict[str, Any]:
    """Return what lies beside a quarantined scan."""
    found: dict[str, Any] = json.loads((core.folders.quarantine / f"{path}.reason.json").read_text())
    return found


def quarantined(core: Core, *paths: str) -> bool:
    """Tell whether these scans, and nothing else, are in the quarantine and nowhere else."""
    return set(core.folders.files()) == {
        name for path in paths for name in (f"quarantine/{path}", f"quarantine/{path}.reason.json")
    }


# Delivered.


def test_a_scan_that_is_read_is_delivered(tmp_path: Path) -> None:
    """Its text is in the outbox, its original in the archive; that is told once, and its batch is at its end."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script()) as core:
            core.bring("a.jpg", "b.jpg")
            await core.idle()
            assert core.folders.files() == delivered("a", "b")
            assert core.heard.ends == {"a.jpg": [ScanState.DELIVERED], "b.jpg": [ScanState.DELIVERED]}
            assert sorted(core.heard.events) == [("batch", "1"), ("delivered", "a.jpg"), ("delivered", "b.jpg")]
            assert core.heard.events[-1] == ("batch", "1")
            assert core.heard.texts == {"a.jpg": "text of a.jpg", "b.jpg": "text of b.jpg"}
            assert (core.row().state, core.row().attempts) == ("done", 1)
            assert (len(core.scans), core.scans.in_work, bool(core.backoff)) == (0, [], False)
            assert core.heard.last is not None
            assert core.heard.last.read_ms >= 0

    run(scenario())


def test_scans_come_to_the_workers_in_their_order(tmp_path: Path) -> None:
    """Also those of a later batch that is fresh."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            script.hold("1.jpg")
            core.bring(*(f"{number}.jpg" for number in range(1, 8)))
            await core.in_state(ScanState.READING, "1.jpg")
            core.bring("8.jpg")
            script.release("1.jpg")
            await core.idle()
            assert script.begun == [f"{number}.jpg" for number in range(1, 9)]

    run(scenario())


def test_a_known_scan_is_delivered_without_reading(tmp_path: Path) -> None:
    """Though all workers are busy, and no attempt is counted for it."""
    script, cache = Script(), Remembered()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=cache) as core:
            core.bring("first.jpg", data="same")
            await core.idle()
            script.hold("x.jpg")
            core.bring("x.jpg", "y.jpg", "z.jpg")
            core.bring("a.jpg", data="same")
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert core.heard.last is not None
            assert core.heard.last.cached
            assert core.row().attempts == 0
            assert core.folders.files()["outbox/a.txt"] == "text of same\n"
            script.release("x.jpg")
            await core.idle()
            assert script.begun.count("same") == 1

    run(scenario())


def test_the_same_bytes_are_not_read_again_that_were_read_while_a_scan_waited(tmp_path: Path) -> None:
    """It was loaded when nothing was known of them; when its place comes, their text is."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=Remembered()) as core:
            script.hold("same")
            core.bring("a.jpg", data="same")
            core.bring("b.jpg")
            core.bring("c.jpg", data="same")
            await eventually(lambda: [scan.path for scan in core.pipeline.scheduler.queue()] == ["c.jpg"])
            script.release("same")
            await core.idle()
            assert script.begun == ["same", "b.jpg"]
            assert core.folders.files()["outbox/c.txt"] == "text of same\n"
            assert core.row("c.jpg").attempts == 0

    run(scenario())


def test_settings_that_change_while_a_scan_waits_are_those_it_is_read_by(tmp_path: Path) -> None:
    """Both what is read and where it goes; what a worker has in hand keeps its own."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            script.hold("a.jpg")
            core.bring("a.jpg", "b.jpg", "c.jpg")
            await core.in_state(ScanState.READING, "b.jpg")
            changed = core.folders.settings(ocr={"languages": ["fra"]}, output={"formats": ["json"]})
            core.pipeline.change(changed, {})
            script.release("a.jpg")
            await core.idle()
            assert [each.languages for each in script.recipes] == [("eng",), ("eng",), ("fra",)]
            names = {name for name in core.folders.files() if name.startswith("outbox")}
            assert names == {"outbox/a.txt", "outbox/b.txt", "outbox/c.json"}

    run(scenario())


def test_a_scan_that_was_delivered_and_stays_is_not_delivered_again(tmp_path: Path) -> None:
    """If originals are kept, the same bytes under the same path are no new scan."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, on_success="keep") as core:
            core.bring("a.jpg")
            await core.idle()
            core.pipeline.begin([core.file("a.jpg")])
            await core.idle()
            assert core.heard.ends["a.jpg"] == [ScanState.DELIVERED, ScanState.DUPLICATE]
            assert core.folders.files() == {"inbox/a.jpg": "a.jpg", "outbox/a.txt": "text of a.jpg\n"}
            assert script.begun == ["a.jpg"]

    run(scenario())


def test_a_duplicate_is_put_away_without_a_text(tmp_path: Path) -> None:
    """That is no delivery, and is not told as one."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), intake={"duplicates": "archive"}) as core:
            core.bring("a.jpg", data="same")
            await core.idle()
            core.bring("b.jpg", data="same")
            assert await core.closed("b.jpg") is ScanState.DUPLICATE
            assert sorted(core.folders.files()) == ["archive/a.jpg", "archive/b.jpg", "outbox/a.txt"]
            assert ("delivered", "b.jpg") not in core.heard.events

    run(scenario())


# The scan's fault.


def test_a_scan_that_cannot_be_read_goes_to_the_quarantine(tmp_path: Path) -> None:
    """With the reason, after the only attempt that makes sense."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"a.jpg": [NotAJpeg("it is a GIF", "send a JPEG")]})) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert quarantined(core, "a.jpg")
            found = reason(core)
            assert (found["code"], found["remedy"], found["attempts"]) == ("not-a-jpeg", "send a JPEG", 1)
            assert core.heard.events == [("quarantined", "a.jpg"), ("batch", "1")]
            assert core.heard.last is not None
            assert (core.heard.last.code, core.heard.last.reason) == ("not-a-jpeg", "it is a GIF")
            assert (core.row().state, core.row().code) == ("quarantined", "not-a-jpeg")

    run(scenario())


@pytest.mark.parametrize("fault", [WorkerDied, OutOfMemory, EngineFailed])
def test_what_may_succeed_another_time_is_tried_as_often_as_is_allowed(tmp_path: Path, fault: type[ScanFault]) -> None:
    """Each attempt is counted before it begins; after the last one the scan is quarantined."""
    script = Script({"a.jpg": [fault("no"), fault("no"), fault("no, never")]})

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert len(script.begun) == 3
            found = reason(core)
            assert (found["attempts"], found["reason"]) == (3, "no, never")
            assert core.heard.retries == 2

    run(scenario())


def test_what_succeeds_another_time_is_delivered(tmp_path: Path) -> None:
    """The ledger knows its attempts; while it waits it says why and until when."""

    async def scenario() -> None:
        async with running(
            tmp_path,
            act=Script({"a.jpg": [EngineFailed("no")]}),
            retry={"attempts": 3, "first_delay": 0.2, "max_delay": 1},
        ) as core:
            core.bring("a.jpg")
            before = time.monotonic()
            scan = await core.in_state(ScanState.RETRYING)
            assert (scan.code, scan.reason, scan.attempt) == ("engine-failed", "no", 1)
            assert before + 0.2 <= scan.until <= time.monotonic() + 0.2
            await eventually(lambda: core.row().state == "waiting")
            assert not core.pipeline.is_idle
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert time.monotonic() >= before + 0.2
            assert core.row().attempts == 2

    run(scenario())


def test_a_retry_goes_behind_what_is_fresh(tmp_path: Path) -> None:
    """Scans that fail keep no others waiting."""
    script = Script({"a.jpg": [EngineFailed("no")]})

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.bring(*(f"{name}.jpg" for name in "abcdef"))
            script.hold("c.jpg")
            await core.in_state(ScanState.RETRYING)
            await core.in_state(ScanState.QUEUED)
            script.release("c.jpg")
            await core.idle()
            assert script.begun[-1] == "a.jpg"

    run(scenario())


def test_what_takes_too_long_is_read_without_enhancement_and_then_given_up(tmp_path: Path) -> None:
    """After all others; a second time is enough, whatever attempts are left."""
    script = Script({"slow.jpg": [TimedOut("it took 5 s"), TimedOut("it took 5 s")]})

    async def scenario() -> None:
        async with running(tmp_path, act=script, retry={"attempts": 9, "first_delay": 0.01, "max_delay": 1.0}) as core:
            core.bring("slow.jpg", "b.jpg", "c.jpg", "d.jpg")
            assert await core.closed("slow.jpg") is ScanState.QUARANTINED
            await core.idle()
            assert script.begun == ["slow.jpg", "b.jpg", "c.jpg", "d.jpg", "slow.jpg"]
            assert [each.enhance.enabled for each in script.recipes] == [True, True, True, True, False]
            found = reason(core, "slow.jpg")
            assert found["reason"] == "it took 5 s, and again without enhancement, after all others"
            assert found["attempts"] == 2

    run(scenario())


def test_a_reduced_reading_is_delivered_and_marked(tmp_path: Path) -> None:
    """A poor text is better than none, and somebody is to look at it."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"a.jpg": [TimedOut("it took 5 s")]})) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            review = core.row().review
            assert review is not None
            assert review.reasons == (REDUCED,)

    run(scenario())


def test_an_earlier_run_may_have_found_out_that_it_takes_too_long(tmp_path: Path) -> None:
    """Then it goes last at once, without enhancement."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.folders.put("slow.jpg")
            entry = core.ledger.begin("slow.jpg", core.file("slow.jpg").facts, None)
            core.ledger.count_attempt(entry.id)
            core.ledger.wait(entry.id, time.time(), TimedOut.code, "it took 5 s")
            core.folders.put("b.jpg")
            core.folders.put("c.jpg")
            core.take("slow.jpg", "b.jpg", "c.jpg")
            await core.idle()
            assert script.begun == ["b.jpg", "c.jpg", "slow.jpg"]
            assert [each.enhance.enabled for each in script.recipes] == [True, True, False]
            assert core.row("slow.jpg").attempts == 2

    run(scenario())


def test_the_delay_that_an_earlier_run_noted_is_waited_for(tmp_path: Path) -> None:
    """Once, and not longer than any delay may be."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script()) as core:
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger.wait(entry.id, time.time() + 1000, "engine-failed", "no")
            core.take("a.jpg")
            scan = await core.in_state(ScanState.RETRYING)
            assert (scan.code, scan.reason) == ("engine-failed", "no")
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert core.heard.retries == 0

    run(scenario())


def test_attempts_that_were_lowered_are_used_up(tmp_path: Path) -> None:
    """A scan that has had more is quarantined without another."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, retry={"attempts": 1}) as core:
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger.count_attempt(entry.id)
            core.ledger.wait(entry.id, 0.0, "engine-failed", "no")
            core.take("a.jpg")
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert script.begun == []
            assert reason(core)["attempts"] == 1

    run(scenario())


def test_a_scan_that_kills_ocrwatch_is_read_alone_and_then_given_up(tmp_path: Path) -> None:
    """No other is in work beside it; after a few deaths it is quarantined without another attempt."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, workers={"count": 4}) as core:
            for name, deaths in (("killer.jpg", MOST_DEATHS), ("suspect.jpg", 1)):
                core.folders.put(name)
                entry = core.ledger.begin(name, core.file(name).facts, None)
                core.ledger._db.execute("UPDATE scans SET deaths = ?, alone = 1 WHERE id = ?", (deaths, entry.id))
            script.hold("suspect.jpg")
            core.folders.put("a.jpg")
            core.folders.put("b.jpg")
            core.take("suspect.jpg", "killer.jpg", "a.jpg", "b.jpg")
            assert await core.closed("killer.jpg") is ScanState.QUARANTINED
            await eventually(lambda: "suspect.jpg" in script.begun)
            await settled()
            assert script.begun in (["suspect.jpg"], ["a.jpg", "b.jpg", "suspect.jpg"])
            assert core.scans.in_work == ["suspect.jpg"]
            script.release("suspect.jpg")
            await core.idle()
            assert sorted(script.begun) == ["a.jpg", "b.jpg", "suspect.jpg"]

    run(scenario())


def test_a_damaged_scan_goes_back_to_intake_if_its_writer_may_be_at_work(tmp_path: Path) -> None:
    """Its attempt is taken back, as it says nothing yet; the file stays where it is."""
    fault = Damaged("it ends in grey")

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"a.jpg": [fault]})) as core:
            core.heard.doubted = {Damaged.code}
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.INCOMPLETE
            assert core.heard.last is not None
            assert core.heard.last.fault is fault
            assert core.folders.files() == {"inbox/a.jpg": "a.jpg"}
            row = core.row()
            assert (row.state, row.attempts, row.code, row.reason) == ("ready", 0, "damaged", "it ends in grey")

    run(scenario())


def test_a_doubtful_scan_is_given_back_though_the_ledger_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it has an attempt fewer."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"a.jpg": [Damaged("grey")]})) as core:
            core.heard.doubted = {Damaged.code}
            monkeypatch.setattr(Ledger, "refund_attempt", refuse(EnvironmentFault("the ledger refuses")))
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.INCOMPLETE

    run(scenario())


def refuse(error: BaseException) -> Callable[..., Any]:
    """Return what raises."""

    def refused(*_: object, **__: object) -> None:
        raise error

    return refused


def test_a_file_that_is_given_up_goes_to_the_quarantine_unread(tmp_path: Path) -> None:
    """With the hash of its bytes; also in a pause of what reads scans."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.backoff.record(Cause.WORKERS, EnvironmentFault("no engine"), time.monotonic())
            core.folders.put("a.jpg")
            core.pipeline.give_up("a.jpg", core.file("a.jpg").facts, Truncated("it is not whole"))
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert quarantined(core, "a.jpg")
            assert (reason(core)["code"], reason(core)["attempts"]) == ("truncated", 0)
            assert reason(core)["sha256"]
            assert script.begun == []
            assert not core.backoff

    run(scenario())


def test_a_file_that_is_given_up_waits_for_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again as any other, not all the time."""
    begin = Ledger.begin
    tries: list[float] = []

    def begun(*arguments: Any) -> Any:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise EnvironmentFault("the ledger refuses")
        return begin(*arguments)

    monkeypatch.setattr(Ledger, "begin", begun)

    async def scenario() -> None:
        async with running(tmp_path) as core:
            core.folders.put("a.jpg")
            core.pipeline.give_up("a.jpg", core.file("a.jpg").facts, Truncated("it is not whole"))
            await eventually(lambda: Cause.READING in core.backoff)
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert not core.backoff
            assert len(tries) == 3
            assert tries[2] - tries[0] > FIRST_DELAY

    run(scenario())


def test_a_file_that_is_too_large_is_quarantined(tmp_path: Path) -> None:
    """Settings may have been changed since it was found complete."""

    async def scenario() -> None:
        async with running(tmp_path, settle={"max_bytes": 1000}) as core:
            core.bring("a.jpg", data="x" * 1001)
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert reason(core)["code"] == TooLarge.code

    run(scenario())


# Changed.


def test_a_scan_that_is_gone_when_its_turn_comes_has_changed(tmp_path: Path) -> None:
    """Nothing of it is delivered, and no pause is left."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            script.hold("a.jpg")
            core.bring("a.jpg", "b.jpg", "c.jpg")
            await core.in_state(ScanState.READING)
            (core.folders.inbox / "c.jpg").unlink()
            script.release("a.jpg")
            assert await core.closed("c.jpg") is ScanState.CHANGED
            await core.idle()
            assert core.folders.files() == delivered("a", "b")

    run(scenario())


def test_a_scan_that_changes_while_it_is_read_is_not_delivered(tmp_path: Path) -> None:
    """What is there now is another scan, and is left alone."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            script.hold("a.jpg")
            core.bring("a.jpg")
            await core.in_state(ScanState.READING)
            core.folders.put("new", "another scan").replace(core.folders.inbox / "a.jpg")
            script.release("a.jpg")
            assert await core.closed("a.jpg") is ScanState.CHANGED
            assert core.folders.files() == {"inbox/a.jpg": "another scan"}
            assert core.row().state == "gone"

    run(scenario())


def test_a_bad_scan_that_changes_before_it_is_put_away_is_not_quarantined(tmp_path: Path) -> None:
    """What is there now may be whole."""
    script = Script({"a.jpg": [NotAJpeg("a GIF")]})

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            script.hold("a.jpg")
            core.bring("a.jpg")
            await core.in_state(ScanState.READING)
            core.folders.put("new", "another scan").replace(core.folders.inbox / "a.jpg")
            script.release("a.jpg")
            assert await core.closed("a.jpg") is ScanState.CHANGED
            assert core.folders.files() == {"inbox/a.jpg": "another scan"}

    run(scenario())


# The environment's fault.


def test_workers_that_cannot_read_make_a_pause_and_cost_no_attempt(tmp_path: Path) -> None:
    """Nothing is quarantined for it, the order is kept, and all goes on by itself."""
    fault = [EnvironmentFault("no language data") for _ in range(5)]
    script = Script({"a.jpg": [*fault[:3]], "b.jpg": [fault[3]]})

    async def scenario() -> None:
        async with running(tmp_path, act=script, retry={"attempts": 1}) as core:
            core.bring("a.jpg", "b.jpg", "c.jpg")
            await eventually(lambda: Cause.WORKERS in core.backoff)
            await eventually(lambda: core.row().attempts == 0)
            await core.idle()
            assert core.folders.files() == delivered("a", "b", "c")
            assert not core.backoff
            assert [core.row(f"{name}.jpg").attempts for name in "abc"] == [1, 1, 1]
            assert core.heard.retries == 0
            ends = [path for event, path in core.heard.events if event == "delivered"]
            assert ends == ["a.jpg", "b.jpg", "c.jpg"]

    run(scenario())


def test_an_attempt_that_cannot_be_counted_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that refuses makes a pause, and none is taken back that was never counted."""
    script = Script()
    count = Ledger.count_attempt
    refusing = [EnvironmentFault("the ledger refuses") for _ in range(2)]

    def counted(ledger: Ledger, row: int) -> int:
        if refusing:
            raise refusing.pop()
        return count(ledger, row)

    monkeypatch.setattr(Ledger, "count_attempt", counted)

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger._db.execute("UPDATE scans SET attempts = 1 WHERE id = ?", (entry.id,))
            core.take("a.jpg")
            await eventually(lambda: Cause.READING in core.backoff)
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert core.row().attempts == 2
            assert script.begun == ["a.jpg"]
            assert not core.backoff

    run(scenario())


def test_an_inbox_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """As one pause, in which nobody is given up; the order is kept."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.bring("a.jpg", "b.jpg", "c.jpg")
            core.folders.inbox.rename(tmp_path / "away")
            await eventually(lambda: Cause.READING in core.backoff)
            await settled()
            assert core.heard.ends == {}
            (tmp_path / "away").rename(core.folders.inbox)
            await core.idle()
            assert core.folders.files() == delivered("a", "b", "c")
            assert script.begun == ["a.jpg", "b.jpg", "c.jpg"]
            assert not core.backoff

    run(scenario())


def test_a_full_disk_is_waited_for_and_costs_no_attempt(tmp_path: Path, refusals: Refusals) -> None:
    """The texts wait in memory and are delivered in their order, each once; nothing more is read meanwhile."""
    script = Script()
    names = "abcdefghijkl"
    refusals.of["*"] = EnvironmentFault(FULL)

    async def scenario() -> None:
        async with running(tmp_path, act=script, workers={"count": 6}, retry={"attempts": 1}) as core:
            script.hold("l.jpg")
            core.bring(*(f"{name}.jpg" for name in names))
            await eventually(lambda: core.scans.count(ScanState.DELIVERING) == len(names) - 1)
            await eventually(lambda: Cause.DELIVERY in core.backoff)
            core.bring("late.jpg")
            await eventually(lambda: all(core.row(f"{name}.jpg").attempts == 0 for name in names[:-1]))
            script.release("l.jpg")
            await eventually(lambda: core.row("l.jpg").attempts == 0)
            assert core.heard.ends == {}
            assert "late.jpg" not in script.begun
            refusals.of.clear()
            await core.idle()
            assert core.folders.files() == delivered(*names, "late")
            ends = [path for event, path in core.heard.events if event == "delivered"]
            assert ends == [f"{name}.jpg" for name in (*names, "late")]
            assert not core.backoff
            assert [script.begun.count(f"{name}.jpg") for name in names] == [1] * len(names)

    run(scenario())


def test_in_a_pause_of_deliveries_one_try_is_made_at_a_time(tmp_path: Path, refusals: Refusals) -> None:
    """As many scans as wait, so few tries; each later than the one before."""
    refusals.of["*"] = EnvironmentFault(FULL)

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), workers={"count": 4}) as core:
            core.bring(*(f"{name}.jpg" for name in "abcd"))
            await eventually(lambda: len(refusals.tried) >= 3)
            assert set(refusals.tried) == {"a.jpg"}
            assert core.backoff.active[Cause.DELIVERY].delay >= 2 * FIRST_DELAY

    run(scenario())


def test_a_pause_ends_with_the_last_scan_that_waits_for_it(tmp_path: Path, refusals: Refusals) -> None:
    """Somebody takes the scan away while the disk is full: nothing is left to try with, and others may be read."""
    refusals.of["a.jpg"] = EnvironmentFault(FULL)

    async def scenario() -> None:
        async with running(tmp_path, act=Script()) as core:
            core.bring("a.jpg")
            await eventually(lambda: Cause.DELIVERY in core.backoff)
            refusals.of["a.jpg"] = Changed("a.jpg")
            assert await core.closed("a.jpg") is ScanState.CHANGED
            assert not core.backoff
            core.bring("b.jpg")
            assert await core.closed("b.jpg") is ScanState.DELIVERED

    run(scenario())


@pytest.mark.parametrize("cause", [Cause.READING, Cause.WORKERS, Cause.MEMORY])
def test_a_pause_of_reading_ends_when_nothing_is_left_to_be_read(tmp_path: Path, cause: Cause) -> None:
    """Whatever became of the last scan."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"a.jpg": [NotAJpeg("a GIF")]})) as core:
            core.bring("a.jpg")
            core.backoff.record(cause, EnvironmentFault("no"), time.monotonic())
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert not core.backoff

    run(scenario())


@pytest.mark.parametrize("error", [Blocked("it is in use"), EnvironmentFault(FULL)])
def test_a_pause_of_reading_ends_though_a_text_waits_to_be_delivered(
    tmp_path: Path, refusals: Refusals, error: EnvironmentFault
) -> None:
    """That one will never find out whether scans can be read again."""
    refusals.of["a.jpg"] = error
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            script.hold("b.jpg")
            core.bring("a.jpg", "b.jpg")
            await eventually(lambda: "a.jpg" in refusals.tried and core.scans.in_work == ["b.jpg"])
            core.backoff.record(Cause.READING, EnvironmentFault("no"), time.monotonic())
            script.answers["b.jpg"] = [NotAJpeg("a GIF")]
            refusals.of["b.jpg"] = Changed("b.jpg")
            script.release("b.jpg")
            if isinstance(error, Blocked):
                assert await core.closed("b.jpg") is ScanState.CHANGED
            await eventually(lambda: Cause.READING not in core.backoff)
            assert core.heard.ends["a.jpg"] == []

    run(scenario())


# Only this scan is refused.


@pytest.mark.usefixtures("_impatient")
def test_a_scan_that_cannot_be_put_away_waits_with_its_text(tmp_path: Path, refusals: Refusals) -> None:
    """It keeps no others waiting, is named with the reason, and is not read again."""
    script = Script()
    refusals.of["a.jpg"] = Blocked("it is in use", "close it")

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            with capture_logs() as logs:
                core.bring("a.jpg", "b.jpg")
                scan = await core.in_state(ScanState.BLOCKED)
                assert (scan.code, scan.reason, scan.remedy) == ("blocked", "it is in use", "close it")
                assert core.scans.blocked == {"a.jpg": "it is in use; close it"}
                assert await core.closed("b.jpg") is ScanState.DELIVERED
                await eventually(lambda: refusals.tried.count("a.jpg") > 3)
                assert not core.backoff
                await eventually(lambda: core.pipeline.is_idle)
                refusals.of.clear()
                assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert script.begun == ["a.jpg", "b.jpg"]
            assert core.folders.files() == delivered("a", "b")
            assert core.scans.blocked == {}
            assert core.row().attempts == 1
            assert len([log for log in logs if log["event"] == "scan.waiting"]) == 1

    run(scenario())


@pytest.mark.usefixtures("_impatient")
def test_a_bad_scan_that_cannot_be_put_away_waits_too(tmp_path: Path, refusals: Refusals) -> None:
    """It is quarantined for what is wrong with it, not for what kept it."""
    refusals.of["a.jpg"] = Blocked("it is in use", "close it")

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"a.jpg": [NotAJpeg("a GIF")]})) as core:
            core.bring("a.jpg")
            await core.in_state(ScanState.BLOCKED)
            refusals.of.clear()
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert reason(core)["code"] == "not-a-jpeg"
            assert core.heard.last is not None
            assert core.heard.last.code == "not-a-jpeg"

    run(scenario())


@pytest.mark.usefixtures("_impatient")
def test_a_scan_that_could_not_be_put_away_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as that is so."""
    script = Script()
    refused = {"a.jpg"}

    def check(_inbox: Path, path: str) -> None:
        if path in refused:
            raise Blocked("it may not be moved", "let it")

    monkeypatch.setattr(loading_module, "check_movable", check)

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.bring("a.jpg", "b.jpg")
            await core.in_state(ScanState.BLOCKED)
            assert await core.closed("b.jpg") is ScanState.DELIVERED
            assert script.begun == ["b.jpg"]
            refused.clear()
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert core.heard.last is not None
            assert core.heard.last.code == ""

    run(scenario())


@pytest.mark.usefixtures("_impatient")
def test_a_scan_for_which_memory_is_short_is_tried_again_after_the_others(tmp_path: Path) -> None:
    """They are read one at a time until a page is read; no attempt is counted."""
    script = Script({"a.jpg": [Blocked("memory is short"), Blocked("memory is still short")]})

    async def scenario() -> None:
        async with running(tmp_path, act=script, workers={"count": 2}, retry={"attempts": 1}) as core:
            core.bring("a.jpg")
            await core.in_state(ScanState.BLOCKED)
            assert Cause.MEMORY in core.backoff
            assert core.row().attempts == 0
            script.hold("b.jpg")
            core.bring("b.jpg", "c.jpg")
            await eventually(lambda: "b.jpg" in script.begun)
            await settled()
            assert "c.jpg" not in script.begun
            script.release("b.jpg")
            assert await core.closed("c.jpg") is ScanState.DELIVERED
            assert Cause.MEMORY not in core.backoff or core.scans.blocked
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert core.row().attempts == 1
            assert not core.backoff

    run(scenario())


@pytest.mark.usefixtures("_impatient")
def test_a_folder_that_refuses_very_many_scans_refuses_all(
    tmp_path: Path, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their texts must not fill the memory: that is a pause, whose tries come ever more rarely."""
    monkeypatch.setattr(pipeline_module, "MOST_BLOCKED", 2)
    monkeypatch.setattr(pipeline_module, "BLOCKED_DELAY", 30.0)
    refusals.of["*"] = Blocked("it is in use")

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), workers={"count": 4}) as core:
            with capture_logs() as logs:
                core.bring(*(f"{name}.jpg" for name in "abc"))
                await eventually(lambda: Cause.DELIVERY in core.backoff)
                assert sorted(core.scans.blocked) == ["a.jpg", "b.jpg"]
                await eventually(lambda: refusals.tried.count("c.jpg") >= 3)
                assert core.backoff.active[Cause.DELIVERY].delay >= 2 * FIRST_DELAY
                refusals.of.clear()
                assert await core.closed("c.jpg") is ScanState.DELIVERED
            assert not core.backoff
            paused = [log["event"] for log in logs if log["event"].startswith("daemon.")]
            assert paused == ["daemon.paused", "daemon.resumed"]

    run(scenario())


def test_scans_that_cannot_be_loaded_take_no_room_of_those_that_wait_with_a_text(
    tmp_path: Path, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not in memory, however many they are."""
    monkeypatch.setattr(pipeline_module, "MOST_BLOCKED", 2)

    def check(_inbox: Path, path: str) -> None:
        if path != "a.jpg":
            raise Blocked("it may not be moved")

    monkeypatch.setattr(loading_module, "check_movable", check)
    refusals.of["a.jpg"] = Blocked("it is in use")

    async def scenario() -> None:
        async with running(tmp_path, act=Script()) as core:
            core.bring("x.jpg", "y.jpg", "z.jpg")
            await eventually(lambda: core.scans.count(ScanState.BLOCKED) == 3)
            core.bring("a.jpg")
            await eventually(lambda: "a.jpg" in refusals.tried)
            await core.in_state(ScanState.BLOCKED)
            assert not core.backoff

    run(scenario())


def test_a_setting_that_is_wrong_keeps_no_other_profile(tmp_path: Path) -> None:
    """Its scans are tried again for as long as it takes, and their attempts are taken back."""
    wrong: list[Answer] = [UsageError("there is no such engine") for _ in range(4)]
    script = Script({"a.jpg": wrong})

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.bring("a.jpg", "b.jpg")
            scan = await core.in_state(ScanState.RETRYING)
            assert scan.code == "wrong-setting"
            assert await core.closed("b.jpg") is ScanState.DELIVERED
            assert not core.backoff
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert core.row().attempts == 1
            assert core.heard.retries == 4

    run(scenario())


# Bugs.


def bug() -> ZeroDivisionError:
    """Return one."""
    return ZeroDivisionError("a bug")


async def goes_on(core: Core) -> None:
    """Check that nothing was lost over a bug: others are delivered, and nothing is open."""
    core.bring("other.jpg")
    assert await core.closed("other.jpg") is ScanState.DELIVERED
    await core.idle()
    assert len(core.scans) == 0
    assert core.pipeline.scheduler.queued == 0
    assert not core.backoff
    for ends in core.heard.ends.values():
        assert len(ends) == 1
    assert [event for event, _ in core.heard.events].count("batch") == 2


def only_for(path: str, error: BaseException, usual: Callable[..., Any], path_of: Callable[..., str]) -> Any:
    """Return what raises for one path and else does as usual."""

    def does(*arguments: Any, **named: Any) -> Any:
        if path_of(*arguments) == path:
            raise error
        return usual(*arguments, **named)

    return does


@pytest.mark.parametrize(
    ("place", "name", "path_of"),
    [
        (loading_module, "read", lambda _inbox, path, *_: path),
        (Ledger, "begin", lambda _ledger, path, *_: path),
        (Settings, "for_path", lambda _settings, path: path),
        (FakeExecutor, "read", lambda _executor, job: job.jpeg.decode()),
        (Remembered, "remember", lambda _cache, _sha, _recipe, page: page.text.split()[-1]),
        (Deliverer, "deliver", lambda _deliverer, work: work.path if work.fate != "quarantine" else ""),
    ],
)
def test_a_bug_costs_one_scan_its_text_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, path_of: Callable[..., str]
) -> None:
    """In whichever step: the scan is in the quarantine, or still in the inbox; its bytes are not lost."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), cache=Remembered()) as core:
            with capture_logs() as logs:
                core.bring("a.jpg", "b.jpg")
                monkeypatch.setattr(place, name, only_for("a.jpg", bug(), getattr(place, name), path_of))
                assert await core.closed("b.jpg") is ScanState.DELIVERED
                end = await core.closed("a.jpg")
            assert [log["path"] for log in logs if log["event"] == "scan.failed"]
            files_now = core.folders.files()
            if end is ScanState.QUARANTINED:
                assert files_now["quarantine/a.jpg"] == "a.jpg"
                assert "ZeroDivisionError" in reason(core)["reason"]
                assert reason(core)["code"] == "internal-error"
            else:
                assert end is ScanState.CANCELLED
                assert files_now["inbox/a.jpg"] == "a.jpg"
            assert [name for name in files_now if name.startswith("outbox")] == ["outbox/b.txt"]
            await goes_on(core)

    run(scenario())


@pytest.mark.parametrize("method", ["delivered", "notify", "closed"])
def test_a_bug_of_those_who_are_told_undoes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What was delivered is delivered, once, and what was quarantined is quarantined."""
    usual = getattr(Heard, method)
    told: set[str] = set()

    def buggy(heard: Heard, *arguments: Any) -> None:
        usual(heard, *arguments)
        subject = arguments[1] if method == "notify" else arguments[0].path
        told.add(subject)
        if subject in {"a.jpg", "bad.jpg"}:
            raise bug()

    monkeypatch.setattr(Heard, method, buggy)

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"bad.jpg": [NotAJpeg("a GIF")]}), on_success="keep") as core:
            with capture_logs() as logs:
                core.bring("a.jpg", "bad.jpg")
                assert await core.closed("a.jpg") is ScanState.DELIVERED
                assert await core.closed("bad.jpg") is ScanState.QUARANTINED
                await core.idle()
            assert "a.jpg" in told
            assert [log["event"] for log in logs].count("scan.failed") == len(told & {"a.jpg", "bad.jpg"})
            assert (core.row().state, core.row("bad.jpg").state) == ("done", "quarantined")
            assert set(core.folders.files()) == {
                "inbox/a.jpg",
                "outbox/a.txt",
                "quarantine/bad.jpg",
                "quarantine/bad.jpg.reason.json",
            }
            await goes_on(core)

    run(scenario())


@pytest.mark.parametrize("place", ["wait", "retrying"])
def test_a_bug_while_a_scan_is_judged_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The scan is at its end, wherever it lies."""
    if place == "wait":
        monkeypatch.setattr(Ledger, "wait", refuse(bug()))
    else:
        monkeypatch.setattr(Heard, "retrying", refuse(bug()))

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"a.jpg": [EngineFailed("no")]})) as core:
            with capture_logs() as logs:
                core.bring("a.jpg")
                await core.closed("a.jpg")
            assert "scan.failed" in [log["event"] for log in logs]
            await goes_on(core)
            assert "a.jpg" in core.folders.files().values()

    run(scenario())


def test_a_bug_of_the_quarantine_leaves_the_scan_in_the_inbox(tmp_path: Path, refusals: Refusals) -> None:
    """The next start tries again."""
    refusals.of["a.jpg"] = bug()

    async def scenario() -> None:
        async with running(tmp_path, act=Script()) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.CANCELLED
            assert core.folders.files() == {"inbox/a.jpg": "a.jpg"}
            await goes_on(core)

    run(scenario())


def test_an_executor_that_gives_up_a_scan_of_its_own_accord_stops_nothing(tmp_path: Path) -> None:
    """Its coroutine ends as if it were cancelled: the scan is at its end, and is not waited for."""
    script = Script({"a.jpg": [asyncio.CancelledError()]})

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.CANCELLED
            assert core.folders.files() == {"inbox/a.jpg": "a.jpg"}
            await goes_on(core)

    run(scenario())


def test_a_bug_while_leftovers_are_removed_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in nobody's way."""
    monkeypatch.setattr(Deliverer, "discard", refuse(bug()))

    async def scenario() -> None:
        async with running(tmp_path, act=Script()) as core:
            core.folders.put("a.jpg")
            core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            with capture_logs() as logs:
                core.recover()
                assert await core.closed("a.jpg") is ScanState.DELIVERED
                await core.idle()
            assert [log["event"] for log in logs].count("scan.failed") == 1

    run(scenario())


# The end of a run.


def test_a_stop_lets_go_of_all_that_is_not_being_read(tmp_path: Path, refusals: Refusals) -> None:
    """At once: what waits for its turn, a worker, its next attempt or what blocks it; the rest comes to its end."""
    script = Script({"retry.jpg": [EngineFailed("no")]})
    refusals.of["blocked.jpg"] = Blocked("it is in use")
    retry = {"attempts": 2, "first_delay": 100.0, "max_delay": 100.0}

    async def scenario() -> None:
        async with running(tmp_path, act=script, retry=retry) as core:
            script.hold("a.jpg")
            core.bring("retry.jpg", "blocked.jpg")
            await core.in_state(ScanState.RETRYING, "retry.jpg")
            await core.in_state(ScanState.BLOCKED, "blocked.jpg")
            core.bring(*(f"{name}.jpg" for name in "abcdef"))
            await core.in_state(ScanState.READING, "b.jpg")
            begun = time.monotonic()
            core.pipeline.stop()
            for name in ("retry", "blocked", *"bcdef"):
                assert await core.closed(f"{name}.jpg") is ScanState.CANCELLED
            assert time.monotonic() - begun < 5
            assert not core.pipeline.is_idle
            script.release("a.jpg")
            assert await core.closed("a.jpg") is ScanState.DELIVERED
            assert core.pipeline.is_idle
            await core.pipeline.cancel()
            core.ledger.record_clean_end()
            assert core.row("blocked.jpg").attempts == 0
            assert core.row("b.jpg").attempts == 0
            assert core.row("retry.jpg").attempts == 1

    run(scenario())


def test_what_fails_after_the_stop_is_not_waited_for(tmp_path: Path) -> None:
    """The next start makes the next attempt."""
    script = Script({"a.jpg": [EngineFailed("no")]})

    async def scenario() -> None:
        async with running(
            tmp_path, act=script, retry={"attempts": 2, "first_delay": 100.0, "max_delay": 100.0}
        ) as core:
            script.hold("a.jpg")
            core.bring("a.jpg")
            await eventually(lambda: script.begun)
            core.pipeline.stop()
            script.release("a.jpg")
            assert await core.closed("a.jpg") is ScanState.CANCELLED
            assert (core.row().state, core.row().attempts) == ("waiting", 1)

    run(scenario())


def test_a_pause_that_lasts_outlives_the_run(tmp_path: Path, refusals: Refusals) -> None:
    """What is said last is why scans were not delivered, not that all works again."""
    refusals.of["*"] = EnvironmentFault(FULL)

    async def scenario() -> None:
        async with running(tmp_path, act=Script()) as core:
            with capture_logs() as logs:
                core.bring("a.jpg", "b.jpg")
                await eventually(lambda: Cause.DELIVERY in core.backoff)
                core.backoff.record(Cause.READING, EnvironmentFault("no"), time.monotonic())
                core.pipeline.stop()
                await core.pipeline.cancel()
            assert set(core.backoff.active) == {Cause.DELIVERY, Cause.READING}
            assert "daemon.resumed" not in [log["event"] for log in logs]
            assert await core.closed("a.jpg") is ScanState.CANCELLED

    run(scenario())


# Earlier runs.


async def interrupted(root: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Run until a delivery cannot be noted any more: ``published`` leaves a plan, ``close_scan`` what is published."""
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, step, refuse(EnvironmentFault("the ledger refuses")))
        async with running(root, act=Script()) as core:
            core.bring("a.jpg")
            await eventually(lambda: Cause.DELIVERY in core.backoff)
            assert core.row().state == {"published": "planned", "close_scan": "published"}[step]


@pytest.mark.parametrize("step", ["published", "close_scan"])
def test_a_plan_of_an_earlier_run_is_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Without reading the scan again."""
    script = Script()

    async def scenario() -> None:
        await interrupted(tmp_path, monkeypatch, step)
        async with running(tmp_path, act=script) as core:
            core.recover()
            assert not core.pipeline.is_idle
            await core.idle()
            assert core.folders.files() == delivered("a")
            assert core.heard.events == [("delivered", "a.jpg")]
            assert core.row().state == "done"
            assert script.begun == []

    run(scenario())


def test_a_scan_whose_delivery_was_planned_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it comes as a new one: its plan is carried out, and what is there then is looked at anew."""
    script = Script()

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            # It is planned, and its original still has its name.
            patch.setattr("ocrwatch.delivery.steps.Steps.claim", refuse(EnvironmentFault("the inbox refuses")))
            async with running(tmp_path, act=Script()) as core:
                core.bring("a.jpg")
                await eventually(lambda: Cause.DELIVERY in core.backoff)
        async with running(tmp_path, act=script) as core:
            assert core.row().state == "planned"
            core.pipeline.begin([core.file("a.jpg")])
            assert await core.closed("a.jpg") is ScanState.CHANGED
            assert core.folders.files() == delivered("a")
            assert script.begun == []
            assert core.heard.events == [("delivered", "a.jpg"), ("batch", "1")]

    run(scenario())


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("comes", [False, True])
def test_a_plan_that_is_blocked_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: Refusals, *, comes: bool
) -> None:
    """In this run, and not all the time; it is named, and keeps nothing else waiting, nor a single run from its end."""

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("ocrwatch.delivery.steps.Steps.claim", refuse(EnvironmentFault("the inbox refuses")))
            async with running(tmp_path, act=Script()) as core:
                core.bring("a.jpg")
                await eventually(lambda: Cause.DELIVERY in core.backoff)
        refusals.tried.clear()
        refusals.of["a.jpg"] = Blocked("the inbox is another", "bring it back")
        async with running(tmp_path, act=Script()) as core:
            with capture_logs() as logs:
                if comes:
                    core.pipeline.begin([core.file("a.jpg")])
                else:
                    (entry,) = core.ledger.unfinished()
                    task = core.pipeline.recover(entry)
                await eventually(lambda: refusals.tried)
                await eventually(lambda: core.scans.blocked == {"a.jpg": "the inbox is another; bring it back"})
                await core.idle()
                assert not core.backoff
                core.bring("b.jpg")
                assert await core.closed("b.jpg") is ScanState.DELIVERED
                await eventually(lambda: refusals.tried.count("a.jpg") >= 3)
                refusals.of.clear()
                await eventually(lambda: core.row().state == "done")
            await core.idle()
            assert core.folders.files() == delivered("a", "b")
            assert core.scans.blocked == {}
            assert [log["event"] for log in logs].count("scan.waiting") == 1
            assert core.heard.events.count(("delivered", "a.jpg")) == 1
            if comes:
                assert await core.closed("a.jpg") is ScanState.CHANGED
            else:
                await task

    run(scenario())


def test_a_stop_does_not_wait_for_a_plan_that_is_blocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: Refusals
) -> None:
    """The next start carries it out."""

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("ocrwatch.delivery.steps.Steps.claim", refuse(EnvironmentFault("the inbox refuses")))
            async with running(tmp_path, act=Script()) as core:
                core.bring("a.jpg")
                await eventually(lambda: Cause.DELIVERY in core.backoff)
        refusals.of["a.jpg"] = Blocked("the inbox is another", "bring it back")
        async with running(tmp_path, act=Script()) as core:
            (entry,) = core.ledger.unfinished()
            task = core.pipeline.recover(entry)
            await eventually(lambda: core.scans.blocked)
            core.pipeline.stop()
            await task
            assert core.pipeline.is_idle
            assert core.row().state == "planned"

    run(scenario())


# The recipe.


def renewed(settings: Settings, *, reduced: bool = False, code: str = "") -> Scan:
    """Give a scan the options that are in force."""
    file = SettledFile("a.jpg", FileFacts(1, 1, 10, 0, 0), fresh=True, ready_at=0.0)
    before = Settings()
    scan = Scan(file, Batch(1, 1), before.for_path("a.jpg"), recipe(before.ocr, before.enhance), reduced=reduced)
    scan.code = code
    pipeline: Any = type("Some", (), {"settings": settings})()
    pipeline_module.Pipeline._renew(pipeline, scan)
    return scan


def settings_with(second: str) -> Settings:
    """Make settings."""
    return Settings.model_validate({"ocr": {"second": second, "languages": "fra"}})


@pytest.mark.parametrize("second", ["auto", "rapidocr", "none"])
def test_after_a_timeout_nothing_is_cleaned_or_read_again(second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that was read too long has neither enhancement nor a second reader the next time, and all else as set."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    settings = settings_with(second)
    usual = recipe(settings.ocr, settings.enhance)
    found = renewed(settings, reduced=True).recipe
    assert found == replace(usual, second="none", enhance=replace(usual.enhance, enabled=False))
    assert found.languages == ("fra",)
    assert not has_second_reader(found)


@pytest.mark.parametrize("second", ["auto", "rapidocr", "none"])
def test_other_scans_are_read_as_the_settings_say(second: str) -> None:
    """A scan that did not take too long has the second reader that is set."""
    settings = settings_with(second)
    found = renewed(settings).recipe
    assert found == recipe(settings.ocr, settings.enhance)
    assert (found.second, found.enhance.enabled) == (second, True)


@pytest.mark.parametrize("code", ["out-of-memory", "worker-died", "engine-failed"])
def test_after_a_worker_ended_a_scan_is_read_with_less(code: str) -> None:
    """A scan that took its worker's memory, or its life, is read without what is not necessary; others as set."""
    settings = Settings()
    usual = recipe(settings.ocr, settings.enhance)
    less = replace(usual, second="none", enhance=replace(usual.enhance, perspective=False))
    assert renewed(settings, code=code).recipe == (usual if code == "engine-failed" else less)
