"""What the environment refuses to all scans, or to one: it is waited for, and costs none an attempt."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ocrwatch.backoff import Cause
from ocrwatch.daemon import pipeline as pipeline_module
from ocrwatch.delivery import deliveries
from ocrwatch.errors import (
    Blocked,
    Changed,
    EnvironmentFault,
    OtherFormat,
    UsageError,
)
from ocrwatch.intake import loading as loading_module
from ocrwatch.ledger import Ledger
from ocrwatch.scan import ScanState
from tests.core import running
from tests.eventually import eventually, run, settled
from tests.scripted import (
    FIRST_DELAY,
    FULL,
    Answer,
    Refusals,
    Script,
    delivered,
    reason,
)

pytestmark = pytest.mark.usefixtures("_short_pauses")

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
            core.ledger.db.execute("UPDATE scans SET attempts = 1 WHERE id = ?", (entry.id,))
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
    """The texts wait in memory, each is delivered once, before what comes later; nothing more is read meanwhile."""
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
            assert sorted(ends[:-1]) == [f"{name}.jpg" for name in names]
            assert ends[-1] == "late.jpg"
            assert not core.backoff
            assert [script.begun.count(f"{name}.jpg") for name in names] == [1] * len(names)

    run(scenario())


def test_in_a_pause_of_deliveries_one_try_is_made_at_a_time(tmp_path: Path, refusals: Refusals) -> None:
    """As many scans as wait, so few tries; each later than the one before."""
    refusals.of["*"] = EnvironmentFault(FULL)

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), workers={"count": 4}) as core:
            core.bring(*(f"{name}.jpg" for name in "abcd"))
            await eventually(lambda: core.scans.count(ScanState.DELIVERING) == 4 and Cause.DELIVERY in core.backoff)
            await eventually(lambda: not len(core.deliveries))
            before = len(refusals.tried)
            await eventually(lambda: len(refusals.tried) >= before + 3)
            assert set(refusals.tried[before:]) == {"a.jpg"}
            assert core.backoff.active[Cause.DELIVERY].delay >= 4 * FIRST_DELAY

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
        async with running(tmp_path, act=Script({"a.jpg": [OtherFormat("a GIF")]})) as core:
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
            script.answers["b.jpg"] = [OtherFormat("a GIF")]
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
        async with running(tmp_path, act=Script({"a.jpg": [OtherFormat("a GIF")]})) as core:
            core.bring("a.jpg")
            await core.in_state(ScanState.BLOCKED)
            refusals.of.clear()
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert reason(core)["code"] == "other-format"
            assert core.heard.last is not None
            assert core.heard.last.code == "other-format"

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
            # The pause keeps its error, and memory is short: not with the frames that had the scan's bytes.
            error = core.backoff.active[Cause.MEMORY].error
            assert error.__traceback__ is None
            assert error.__context__ is None
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
    monkeypatch.setattr(deliveries, "MOST_BLOCKED", 2)
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
    monkeypatch.setattr(deliveries, "MOST_BLOCKED", 2)

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
