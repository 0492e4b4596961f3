"""Bugs, the end of a run and what earlier ones have left: nothing is lost, and all goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ocrwatch.backoff import Cause
from ocrwatch.delivery.step_order import Deliverer
from ocrwatch.errors import (
    Blocked,
    EngineFailed,
    EnvironmentFault,
    OtherFormat,
    WorkerDied,
)
from ocrwatch.events import Event, ScanDelivered, ScanQuarantined
from ocrwatch.executors.base import Reading
from ocrwatch.executors.ipc import Job
from ocrwatch.intake import loading as loading_module
from ocrwatch.ledger import Ledger
from ocrwatch.scan import Scan, ScanState
from ocrwatch.settings import Settings
from tests.core import Core, Heard, running
from tests.eventually import eventually, run
from tests.fake_executor import FakeExecutor
from tests.scripted import (
    FULL,
    Refusals,
    Remembered,
    Script,
    delivered,
    quarantined,
    reason,
    refuse,
)

pytestmark = pytest.mark.usefixtures("_short_pauses")

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
        (FakeExecutor, "read", lambda _executor, job: job.content.decode()),
        (Remembered, "remember", lambda _cache, _sha, _recipe, page: page.summary.preview.split()[-1]),
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


@pytest.mark.parametrize(("method", "logged"), [("heard", "listener.failed"), ("closed", "scan.failed")])
def test_a_bug_of_those_who_are_told_undoes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, logged: str
) -> None:
    """What was delivered is delivered, once, and what was quarantined is quarantined."""
    usual = getattr(Heard, method)
    failures = 0

    def buggy(heard: Heard, of: Event | Scan) -> None:
        nonlocal failures
        usual(heard, of)
        if isinstance(of, Scan | ScanDelivered | ScanQuarantined) and of.path in {"a.jpg", "bad.jpg"}:
            failures += 1
            raise bug()

    monkeypatch.setattr(Heard, method, buggy)

    async def scenario() -> None:
        async with running(tmp_path, act=Script({"bad.jpg": [OtherFormat("a GIF")]}), on_success="keep") as core:
            with capture_logs() as logs:
                core.bring("a.jpg", "bad.jpg")
                assert await core.closed("a.jpg") is ScanState.DELIVERED
                assert await core.closed("bad.jpg") is ScanState.QUARANTINED
                await core.idle()
            assert failures == 2
            assert [log["event"] for log in logs].count(logged) == 2
            assert (core.row().state, core.row("bad.jpg").state) == ("delivered", "quarantined")
            assert set(core.folders.files()) == {
                "inbox/a.jpg",
                "outbox/a.txt",
                "quarantine/bad.jpg",
                "quarantine/bad.jpg.reason.json",
            }
            await goes_on(core)

    run(scenario())


def test_a_bug_while_a_scan_is_judged_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan is at its end, wherever it lies."""
    monkeypatch.setattr(Ledger, "wait", refuse(bug()))

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
            # The others that the executor has are withdrawn, although their coroutines have not gone on yet.
            assert core.scans.count(ScanState.READING) > 1
            assert core.pipeline.stop() == 1
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
            assert (core.row().state, core.row().attempts) == ("retrying", 1)

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
            assert core.row().state == "delivered"
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
                await eventually(lambda: core.row().state == "delivered")
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


@pytest.mark.parametrize("sidecars", [(), (("json", b"{}"),), (("../txt", b""),)])
def test_an_answer_without_what_was_requested_loses_no_text(
    tmp_path: Path, sidecars: tuple[tuple[str, bytes], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another package's executor may forget a format: the scan is quarantined, and not archived without its text."""
    reading = FakeExecutor.read

    async def read(self: FakeExecutor, job: Job) -> Reading:
        found = await reading(self, job)
        return replace(found, page=replace(found.page, sidecars=sidecars))

    monkeypatch.setattr(FakeExecutor, "read", read)

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), retry={"attempts": 1}) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert "other sidecars than were requested" in reason(core)["reason"]
            assert quarantined(core, "a.jpg")

    run(scenario())


def test_an_executor_that_ends_itself_is_a_scans_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the daemon's end."""
    monkeypatch.setattr(FakeExecutor, "read", refuse(SystemExit(3)))

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), retry={"attempts": 1}) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert "SystemExit(3)" in reason(core)["reason"]

    run(scenario())


def test_a_scan_that_ended_its_worker_is_read_with_less_after_a_restart(tmp_path: Path) -> None:
    """Also if its delay was over by then."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script) as core:
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger.count_attempt(entry.id)
            core.ledger.wait(entry.id, time.time() - 60, WorkerDied.code, "killed by SIGSEGV")
            core.take("a.jpg")
            await core.idle()
            assert [(each.second, each.enhance.perspective) for each in script.recipes] == [("none", False)]

    run(scenario())
