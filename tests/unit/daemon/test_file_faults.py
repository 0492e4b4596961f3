"""Files of several pages if the environment refuses, their folder is lost, or other files come meanwhile."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.backoff import Cause
from ocrwatch.delivery.step_order import Delivered
from ocrwatch.delivery.work import Work
from ocrwatch.errors import Blocked, Damaged, EnvironmentFault, environment_fault
from ocrwatch.events import DaemonPaused, subscribe
from ocrwatch.intake.opener import copy
from ocrwatch.scan import LOCAL_LANE, ScanState
from ocrwatch.splitting.base import SplitPage
from ocrwatch.splitting.splitter import Splitter
from ocrwatch.storage.threads import run_in
from tests.core import Core, Folders, running
from tests.eventually import eventually, run
from tests.unit.daemon.test_file_reader import FORMATS, Reader, bring, left_over, text_of, tiff

pytestmark = pytest.mark.usefixtures("_short_pauses")


def refused(call: Any) -> Any:
    """Return a call that is refused once."""
    left = [EnvironmentFault("the disk is full", "make room")]

    def wrapped(*args: Any) -> Any:
        if left:
            raise left.pop()
        return call(*args)

    return wrapped


async def third_page_waits(core: Any, reader: Reader) -> None:
    """Bring a file whose first page is read, and other scans that its third one has to wait for."""
    bring(core, "fax.tif", tiff(6))
    await eventually(lambda: reader.read[1], "the first page")
    lane = core.pipeline.scheduler._lanes[LOCAL_LANE]
    await eventually(lambda: len(lane.placed) == 2, "the second page is next")
    for number in range(91, 96):
        bring(core, f"{number}.png", tiff(1, first=number))
    reader.gates[1].set()
    await eventually(lambda: "1-3.tif" in left_over(core), "the image of the third page")


def test_a_lost_image_has_the_file_read_again(tmp_path: Path) -> None:
    """Another program has removed it from the state folder; the file is not left in the inbox for that."""

    async def scenario() -> None:
        reader = Reader()
        reader.hold(1)
        reader.hold(91)
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            await third_page_waits(core, reader)
            (core.folders.state / "pages" / "1-3.tif").unlink()
            reader.gates[91].set()
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert text_of(core).split() == [f"page{number}" for number in range(1, 7)]
            assert core.row("fax.tif").attempts == 1

    run(scenario())


def test_pages_of_an_earlier_attempt_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One still waits for its turn when the file is read again, and finds its image gone."""
    page, refusals = Splitter.page, [4]

    async def full(self: Splitter, number: int) -> SplitPage:
        if number in refusals:
            refusals.remove(number)
            raise EnvironmentFault("the disk is full", "make room")
        return await page(self, number)

    monkeypatch.setattr(Splitter, "page", full)

    async def scenario() -> None:
        reader = Reader()
        for number in (1, 2, 91, 92):
            reader.hold(number)
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            await third_page_waits(core, reader)
            reader.gates[2].set()
            await eventually(
                lambda: not refusals and not any(name.startswith(("1-", "1.")) for name in left_over(core)),
                "the end of the first attempt",
            )
            reader.gates[91].set()
            reader.gates[92].set()
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert text_of(core).split() == [f"page{number}" for number in range(1, 7)]

    run(scenario())


def test_a_page_ends_a_pause_of_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the pages of the file would be read one at a time, and ``once`` would give up."""

    async def scenario() -> None:
        reader = Reader()
        for number in range(1, 5):
            reader.hold(number)
        async with running(tmp_path, act=reader, workers={"count": 2}, output=FORMATS) as core:
            joining = core.pipeline._files._joining
            monkeypatch.setattr(joining, "prepare", refused(joining.prepare))
            bring(core, "fax.tif", tiff(4))
            await eventually(lambda: reader.read[1], "the first page")
            assert Cause.READING in core.backoff
            reader.gates[1].set()
            await eventually(lambda: reader.read.total() == 3, "two pages at once")
            assert not core.backoff
            for number in range(2, 5):
                reader.gates[number].set()
            assert await core.closed("fax.tif") is ScanState.DELIVERED

    run(scenario())


def test_a_folder_that_refuses_a_page_is_no_fault_of_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is one of reading, which the next page that is kept ends."""

    async def scenario() -> None:
        reader = Reader()
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            joining = core.pipeline._files._joining
            monkeypatch.setattr(joining, "keep", refused(joining.keep))
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.DELIVERED

    paused: list[DaemonPaused] = []
    unsubscribe = subscribe(paused.append, DaemonPaused)
    run(scenario())
    unsubscribe()
    assert [event.cause for event in paused] == ["reading"]


def test_blocked_files_hold_up_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may wait for their folder for hours, when they are read and joined."""
    monkeypatch.setattr("ocrwatch.daemon.file_reader._MOST_OPEN", 1)

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:
            deliver = core.deliverer.deliver

            def refuse(work: Work) -> Delivered:
                if work.path.startswith("shut/"):
                    raise Blocked("the folder refuses", "")
                return deliver(work)

            monkeypatch.setattr(core.deliverer, "deliver", refuse)
            bring(core, "shut/fax.tif", tiff(2))
            await core.in_state(ScanState.BLOCKED, "shut/fax.tif")
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.DELIVERED

    run(scenario())


def test_fresh_files_go_before_a_backlog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As fresh scans do."""
    monkeypatch.setattr("ocrwatch.daemon.file_reader._MOST_OPEN", 1)

    async def scenario() -> None:
        reader = Reader()
        reader.hold(1)
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            paths = [f"{number}.tif" for number in (1, 3, 5)]
            for number, path in zip((1, 3, 5), paths, strict=True):
                (core.folders.inbox / path).write_bytes(tiff(2, first=number))
            core.pipeline.begin([core.file(path, fresh=False) for path in paths])
            await eventually(lambda: reader.read[1], "a page of the backlog")
            bring(core, "fresh.tif", tiff(2, first=60))
            reader.gates[1].set()
            await core.closed("5.tif")
            assert list(core.heard.texts) == ["1.tif", "fresh.tif", "3.tif", "5.tif"]

    run(scenario())


def test_a_file_is_delivered_once_if_its_pages_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for that, and its row says that it was delivered."""

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:
            joining = core.pipeline._files._joining
            monkeypatch.setattr(joining, "discard", refused(joining.discard))
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert core.row("fax.tif").state is ScanState.DELIVERED

    run(scenario())


def test_a_state_folder_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Nothing waits for its thread when the run is cancelled."""

    async def scenario() -> None:
        reader, answers = Reader(), threading.Event()
        reader.hold(1)
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(2))
            await eventually(lambda: reader.read[1], "the first page")
            core.threads.state.submit(answers.wait)
            try:
                async with asyncio.timeout(5):
                    await core.pipeline.cancel()
            finally:
                answers.set()

    run(scenario())


def test_a_reload_leaves_a_file_its_engine(tmp_path: Path) -> None:
    """All its pages are read by the engine that was set when it was opened, though the new one has another lane."""
    remote = [{"name": "svc", "preset": "doctr", "url": "http://localhost:1/x"}]

    async def scenario() -> None:
        reader = Reader()
        reader.hold(1)
        async with running(tmp_path, act=reader, lanes={"remote:svc": 2}, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(4))
            await eventually(lambda: reader.read[1], "the first page")
            core.pipeline.change(core.folders.settings(output=FORMATS, ocr={"engine": "remote:svc"}, remote=remote), {})
            reader.gates[1].set()
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert {job.recipe.engine for job in core.executor.jobs} == {"auto"}

    run(scenario())


def test_a_file_that_is_read_alone_holds_up_no_others(tmp_path: Path) -> None:
    """It was in work when ocrwatch was killed; its pages are read together, and scans that come between them."""

    async def scenario() -> None:
        reader = Reader()
        for number in range(1, 41):
            reader.hold(number)
        folders = Folders(tmp_path)
        settings = folders.settings(output=FORMATS, workers={"count": 2})
        core = Core(folders, settings, act=reader)
        core.serve()
        bring(core, "fax.tif", tiff(20))
        await eventually(lambda: reader.read[1], "the first page")
        await core.end(clean=False)
        reader.read.clear()
        async with running(tmp_path, act=reader, workers={"count": 2}, output=FORMATS) as core:
            core.recover()
            await eventually(lambda: reader.read.total() == 2, "two pages at once")
            bring(core, "a.png", tiff(1, first=40))
            lane = core.pipeline.scheduler._lanes[LOCAL_LANE]
            await eventually(lambda: len(lane.places), "the scan is loaded, and waits for a worker")
            for number in (1, 2, 3):
                reader.gates[number].set()
            await eventually(lambda: reader.read[40], "the scan between the pages")
            for number in range(1, 41):
                reader.gates[number].set()
            assert await core.closed("fax.tif") is ScanState.DELIVERED

    run(scenario())


def test_a_file_that_lacked_a_page_is_no_earlier_delivery(tmp_path: Path) -> None:
    """It is put into the inbox again to be read again: its whole text is delivered."""

    async def scenario() -> None:
        reader = Reader({2: [Damaged("it is torn", "")]})
        async with running(tmp_path, act=reader, output=FORMATS, intake={"duplicates": "delete"}) as core:
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            bring(core, "again.tif", tiff(2))
            assert await core.closed("again.tif") is ScanState.DELIVERED
            assert text_of(core, "again.txt").split() == ["page1", "page2"]
            bring(core, "third.tif", tiff(2))
            assert await core.closed("third.tif") is ScanState.DUPLICATE

    run(scenario())


def test_files_that_are_copied_leave_threads_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy from a slow share may take minutes; scans are found and pages loaded meanwhile."""
    answers = threading.Event()

    def slow(*args: Any) -> Any:
        answers.wait()
        return copy(*args)

    monkeypatch.setattr("ocrwatch.intake.loading.copy", slow)

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), workers={"count": 4}, output=FORMATS) as core:
            try:
                for number in range(4):
                    bring(core, f"{number}.tif", tiff(2, first=1 + 2 * number))
                await eventually(lambda: core.scans.count(ScanState.LOADING) == 2, "two copies")
                await run_in(core.threads.io, int)
            finally:
                answers.set()
            for number in range(4):
                assert await core.closed(f"{number}.tif") is ScanState.DELIVERED

    run(scenario())


@pytest.mark.usefixtures("_impatient")
def test_a_file_that_fills_the_state_folder_holds_up_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is blocked, with what it needs, and gives its room back; when there is room it is read."""

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:
            keep = core.pipeline._files._joining.keep
            is_full = True

            def full(name: str, number: int, *rest: Any) -> Any:
                if is_full and number == 2 and not rest[0].summary.preview.startswith("page5"):
                    raise environment_fault(OSError(errno.ENOSPC, "full"), "cannot write")
                return keep(name, number, *rest)

            monkeypatch.setattr(core.pipeline._files._joining, "keep", full)
            bring(core, "huge.tif", tiff(4))
            scan = await core.in_state(ScanState.BLOCKED, "huge.tif")
            assert "no room" in scan.reason
            assert left_over(core) == []
            assert not core.backoff
            bring(core, "small.tif", tiff(2, first=50))
            assert await core.closed("small.tif") is ScanState.DELIVERED
            is_full = False
            assert await core.closed("huge.tif") is ScanState.DELIVERED
            assert text_of(core, "huge.txt").split() == ["page1", "page2", "page3", "page4"]
            assert core.row("huge.tif").attempts == 1

    run(scenario())
