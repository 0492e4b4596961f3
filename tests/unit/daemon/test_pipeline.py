"""A scan's life: each way in which it can end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.backoff import Cause
from ocrwatch.daemon.retry_policy import MOST_DEATHS, renew
from ocrwatch.document import Page
from ocrwatch.errors import (
    Damaged,
    EngineFailed,
    EnvironmentFault,
    OtherFormat,
    OutOfMemory,
    ScanFault,
    TimedOut,
    TooLarge,
    Truncated,
    WorkerDied,
)
from ocrwatch.executors.base import REDUCED
from ocrwatch.executors.ipc import Job
from ocrwatch.ledger import Ledger
from ocrwatch.recognise.engine_choice import has_second_reader
from ocrwatch.recognise.ppocr import weights
from ocrwatch.scan import Batch, Scan, ScanState, SettledFile
from ocrwatch.settings import Settings, recipe
from ocrwatch.storage.file_facts import FileFacts
from tests.core import running
from tests.eventually import eventually, run, settled
from tests.garbage import frames_left
from tests.scripted import (
    FIRST_DELAY,
    Remembered,
    Script,
    delivered,
    quarantined,
    reason,
    refuse,
)

pytestmark = pytest.mark.usefixtures("_short_pauses")


@pytest.mark.parametrize("kind", [Damaged, EngineFailed, TimedOut])
def test_a_scan_that_cannot_be_read_is_not_kept_in_memory(tmp_path: Path, kind: type[ScanFault]) -> None:
    """The frames of its error refer to its bytes, and the garbage collector may not run for a thousand such scans."""

    async def act(_job: Job) -> Page:
        raise kind("it cannot be read", "")

    async def scenario() -> None:
        async with running(tmp_path, act=act) as core:
            with frames_left() as frames:
                for path in ("a.jpg", "b.jpg"):
                    core.bring(path)
                    await core.idle()
                    assert await core.closed(path) is ScanState.QUARANTINED
            assert frames == []

    run(scenario())


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
            assert (core.row().state, core.row().attempts) == ("delivered", 1)
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
        async with running(tmp_path, act=Script({"a.jpg": [OtherFormat("it is a GIF", "send a JPEG")]})) as core:
            core.bring("a.jpg")
            assert await core.closed("a.jpg") is ScanState.QUARANTINED
            assert quarantined(core, "a.jpg")
            found = reason(core)
            assert (found["code"], found["remedy"], found["attempts"]) == ("other-format", "send a JPEG", 1)
            assert core.heard.events == [("quarantined", "a.jpg"), ("batch", "1")]
            assert core.heard.last is not None
            assert (core.heard.last.code, core.heard.last.reason) == ("other-format", "it is a GIF")
            assert (core.row().state, core.row().code) == ("quarantined", "other-format")

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
            await eventually(lambda: core.row().state == "retrying")
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
                core.ledger.db.execute("UPDATE scans SET deaths = ?, alone = 1 WHERE id = ?", (deaths, entry.id))
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
            assert (row.state, row.attempts, row.code, row.reason) == ("queued", 0, "damaged", "it ends in grey")

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
            assert core.row().state == "changed"

    run(scenario())


def test_a_bad_scan_that_changes_before_it_is_put_away_is_not_quarantined(tmp_path: Path) -> None:
    """What is there now may be whole."""
    script = Script({"a.jpg": [OtherFormat("a GIF")]})

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


# The recipe.


def renewed(settings: Settings, *, reduced: bool = False, code: str = "") -> Scan:
    """Give a scan the options that are in force."""
    file = SettledFile("a.jpg", FileFacts(1, 1, 10, 0, 0), fresh=True, ready_at=0.0)
    before = Settings()
    scan = Scan(file, Batch(1, 1), before.for_path("a.jpg"), recipe(before), reduced=reduced)
    scan.code = code
    renew(scan, settings)
    return scan


def settings_with(second: str) -> Settings:
    """Make settings."""
    return Settings.model_validate({"ocr": {"second": second, "languages": "fra"}})


@pytest.mark.parametrize("second", ["auto", "rapidocr", "none"])
def test_after_a_timeout_nothing_is_cleaned_or_read_again(second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that was read too long has neither enhancement nor a second reader the next time, and all else as set."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    settings = settings_with(second)
    usual = recipe(settings)
    found = renewed(settings, reduced=True).recipe
    assert found == replace(usual, second="none", enhance=replace(usual.enhance, enabled=False))
    assert found.languages == ("fra",)
    assert not has_second_reader(found)


@pytest.mark.parametrize("second", ["auto", "rapidocr", "none"])
def test_other_scans_are_read_as_the_settings_say(second: str) -> None:
    """A scan that did not take too long has the second reader that is set."""
    settings = settings_with(second)
    found = renewed(settings).recipe
    assert found == recipe(settings)
    assert (found.second, found.enhance.enabled) == (second, True)


@pytest.mark.parametrize("code", ["out-of-memory", "worker-died", "engine-failed"])
def test_after_a_worker_ended_a_scan_is_read_with_less(code: str) -> None:
    """A scan that took its worker's memory, or its life, is read without what is not necessary; others as set."""
    settings = Settings()
    usual = recipe(settings)
    less = replace(usual, second="none", enhance=replace(usual.enhance, perspective=False))
    assert renewed(settings, code=code).recipe == (usual if code == "engine-failed" else less)


@pytest.mark.parametrize(("reduced", "code"), [(True, ""), (False, "out-of-memory"), (False, "worker-died")])
def test_what_is_found_besides_the_text_is_given_up_after_a_timeout_or_the_end_of_a_worker(
    code: str, *, reduced: bool
) -> None:
    """No tables, codes or fields are looked for. The options still have them, and the page is known to lack them."""
    profile = {"match": "*", "fields": [{"name": "total", "type": "amount"}]}
    wanted = {"tables": {"enabled": True}, "codes": {"enabled": True}, "profiles": [profile]}
    scan = renewed(Settings.model_validate(wanted), reduced=reduced, code=code)
    assert (scan.recipe.tables, scan.recipe.codes, scan.recipe.fields) == (False, False, ())
    assert (scan.options.tables.enabled, len(scan.options.fields)) == (True, 1)
