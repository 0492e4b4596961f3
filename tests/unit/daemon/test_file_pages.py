"""Pages of a file that cannot be taken out of it, their attempts, and how far a file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ocrwatch.daemon.status_publisher import files_being_read
from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault, ScanFault, TimedOut, WorkerDied
from ocrwatch.events import ScanWaiting, subscribe
from ocrwatch.executors.events import Begun
from ocrwatch.executors.ipc import Job
from ocrwatch.observe.status import isoformat
from ocrwatch.scan import ScanState
from ocrwatch.splitting.base import FileFailed, SplitPage
from ocrwatch.splitting.splitter import Splitter
from tests.core import running
from tests.eventually import eventually, run
from tests.fake_executor import WORKER
from tests.unit.daemon.test_file_reader import FORMATS, Reader, bring, document_of, left_over, text_of, tiff

pytestmark = pytest.mark.usefixtures("_short_pauses")


def spoil(monkeypatch: pytest.MonkeyPatch, faults: dict[int, Exception]) -> None:
    """Have certain pages not be taken out."""
    page = Splitter.page

    async def spoilt(self: Splitter, number: int) -> SplitPage:
        if (fault := faults.get(number)) is not None:
            raise fault
        return await page(self, number)

    monkeypatch.setattr(Splitter, "page", spoilt)


def missing(core: Any) -> dict[int, str]:
    """Return why pages are missing in the document."""
    return {page["number"]: page["missing"]["reason"] for page in document_of(core)["pages"] if page["missing"]}


def test_what_is_left_of_a_file_that_is_given_up_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages that were read are delivered; the original is archived, since it has what is missing."""
    died = WorkerDied("killed while taking page 4 out of its file", "")
    spoil(monkeypatch, {2: WorkerDied("killed", ""), 4: died, 5: FileFailed(died), 6: FileFailed(died)})

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS, on_success="delete") as core:
            content = tiff(6)
            bring(core, "fax.tif", content)
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            not_tried = f"not tried, since too many pages before it failed; the last: {died.message}"
            assert missing(core) == {2: "killed", 4: died.message, 5: not_tried, 6: not_tried}
            assert [word for word in text_of(core).split() if word in {"page1", "page3"}] == ["page1", "page3"]
            assert (core.folders.archive / "fax.tif").read_bytes() == content
            review = core.row("fax.tif").review
            assert review is not None
            assert review.reasons[0] == "page 2 of 6 is missing: killed"
            bring(core, "whole.tif", tiff(1, first=7))
            assert await core.closed("whole.tif") is ScanState.DELIVERED
            assert not (core.folders.archive / "whole.tif").exists()

    run(scenario())


@pytest.mark.parametrize(("fault", "tries"), [(WorkerDied("killed", ""), 3), (TimedOut("too slow", ""), 1)])
def test_a_file_of_which_no_page_can_be_taken_out_is_quarantined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: ScanFault, tries: int
) -> None:
    """It is retried as a scan is, unless each of its pages has taken too long."""
    spoil(monkeypatch, {1: WorkerDied("killed", ""), 2: FileFailed(fault)})

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:
            bring(core, "fax.tif", tiff(3))
            assert await core.closed("fax.tif") is ScanState.QUARANTINED
            assert (core.row("fax.tif").code, core.row("fax.tif").attempts) == (fault.code, tries)

    run(scenario())


@pytest.mark.usefixtures("_impatient")
def test_a_file_whose_process_cannot_start_holds_up_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits, the log says so once, and ``once`` may end; when the process can start, the file is read."""
    told: list[ScanWaiting] = []
    tries = 0
    start = Splitter.open

    async def counted(self: Splitter) -> int:
        nonlocal tries
        tries += 1
        return await start(self)

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:
            with monkeypatch.context() as patch:
                patch.setattr("ocrwatch.splitting.process.MODULE", "ocrwatch.nothing")
                patch.setattr(Splitter, "open", counted)
                bring(core, "fax.tif", tiff(2))
                scan = await core.in_state(ScanState.BLOCKED, "fax.tif")
                assert (scan.code, scan.remedy) == ("blocked", "run ocrwatch doctor")
                assert core.pipeline.is_idle
                assert not core.backoff
                assert left_over(core) == []
                bring(core, "a.png", tiff(1, first=9))
                assert await core.closed("a.png") is ScanState.DELIVERED
                await eventually(lambda: tries > 2, "it is tried again")
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert core.row("fax.tif").attempts == 1

    unsubscribe = subscribe(told.append, ScanWaiting)
    run(scenario())
    unsubscribe()
    assert [(event.path, event.blocked, event.next_step) for event in told] == [
        ("fax.tif", True, "run ocrwatch doctor")
    ]


def test_a_worker_that_dies_idle_costs_a_page_no_attempt(tmp_path: Path) -> None:
    """Another gets the page, in the same attempt."""

    async def scenario() -> None:
        reader = Reader({2: [WorkerDied("killed", "")] * 2})
        async with running(tmp_path, output=FORMATS) as core:

            async def act(job: Job) -> Page:
                # The executor has told of it before it acts.
                core.pipeline.begun(Begun(WORKER + 1, job.scan, 0))
                core.pipeline.begun(Begun(WORKER + 2, job.scan, 0))
                return await reader(job)

            core.executor.act = act
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert reader.read == {1: 1, 2: 3}
            assert missing(core) == {}

    run(scenario())


def test_a_page_that_could_not_be_kept_has_lost_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reading has shown nothing against it."""

    async def scenario() -> None:
        reader = Reader()
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            keep = core.pipeline._files._joining.keep
            refused = [EnvironmentFault("the disk refuses", "")] * 3

            def refuse(*args: Any) -> Any:
                if refused:
                    reader.answers[1] = [WorkerDied("killed", "")] * 2 if len(refused) == 1 else []
                    raise refused.pop()
                return keep(*args)

            monkeypatch.setattr(core.pipeline._files._joining, "keep", refuse)
            bring(core, "fax.tif", tiff(1))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert missing(core) == {}
            assert reader.read[1] == 6

    run(scenario())


def test_a_file_says_how_many_of_its_pages_are_done(tmp_path: Path) -> None:
    """Those that are missing count, and those that are read after one that takes long."""

    async def scenario() -> None:
        reader = Reader({1: [TimedOut("too slow", "")] * 3})
        reader.hold(3)
        async with running(tmp_path, act=reader, workers={"count": 2}, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(9))
            bring(core, "a.png", tiff(1, first=20))

            def shown() -> list[tuple[str, int, int]]:
                return [(one.path, one.pages, one.done) for one in files_being_read(core.scans, isoformat)]

            await eventually(lambda: shown() == [("fax.tif", 9, 8)], "all pages but one")
            (scan,) = [scan for scan in core.scans.of(ScanState.READING) if scan.progress is not None]
            assert scan.progress is not None
            assert scan.progress.in_order == 2
            reader.gates[3].set()
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert shown() == []

    run(scenario())
