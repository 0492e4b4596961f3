"""Files of several pages: each page is read as a scan is, and the file is delivered as one scan."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocrwatch.backoff import Cause
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.delivery.steps import Steps
from ocrwatch.document import Page
from ocrwatch.errors import Blocked, Damaged, EnvironmentFault, TimedOut, WorkerDied
from ocrwatch.events import Event, ScanDelivered, ScanRetrying, ScanSplit, subscribe
from ocrwatch.executors.ipc import Job
from ocrwatch.scan import Scan, ScanState
from tests.core import Core, Folders, running
from tests.eventually import eventually, run
from tests.fake_executor import page_of
from tests.scripted import Remembered

pytestmark = pytest.mark.usefixtures("_short_pauses")

FORMATS = {"formats": ("txt", "json")}


def tiff(pages: int, first: int = 1) -> bytes:
    """Return a TIFF whose pages are told apart by their heights."""
    images = [Image.new("1", (50, 10 * number), 1) for number in range(first, first + pages)]
    file = io.BytesIO()
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:], compression="group4")
    return file.getvalue()


class Reader:
    """Reads a page as ``page N`` from its height; errors as the test says, by the page's number."""

    def __init__(self, answers: dict[int, list[BaseException]] | None = None) -> None:
        self.answers = answers or {}
        self.read: Counter[int] = Counter()
        self.gates: defaultdict[int, asyncio.Event] = defaultdict(_open_gate)

    def hold(self, number: int) -> None:
        """Have a page be read until the test opens its gate."""
        self.gates[number] = asyncio.Event()

    async def __call__(self, job: Job) -> Page:
        """Read one page."""
        with Image.open(io.BytesIO(job.content)) as image:
            assert getattr(image, "n_frames", 1) == 1
            number = image.height // 10
        self.read[number] += 1
        await self.gates[number].wait()
        if answers := self.answers.get(number):
            raise answers.pop(0)
        return page_of(f"page{number}")


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


def bring(core: Core, path: str, content: bytes) -> None:
    """Have a file come into the inbox, and into a batch."""
    place = core.folders.inbox / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    core.take(path)


def text_of(core: Core, name: str = "fax.txt") -> str:
    """Return a text in the outbox."""
    return (core.folders.outbox / name).read_text()


def document_of(core: Core, name: str = "fax.json") -> dict[str, Any]:
    """Return a document in the outbox."""
    found: dict[str, Any] = json.loads((core.folders.outbox / name).read_text())
    return found


def pages_of(core: Core, path: str) -> list[Scan]:
    """Return the pages of a file that are open."""
    return [scan for scan in core.scans.of(*ScanState) if scan.path == path and scan.file_page is not None]


def left_over(core: Core) -> list[str]:
    """Return what is in the folder for pages."""
    return sorted(place.name for place in (core.folders.state / "pages").iterdir())


def test_a_file_becomes_one_text(tmp_path: Path) -> None:
    """Its pages are in their order, whatever order they are read in; the file is archived, and nothing is left."""
    told: list[Event] = []

    async def scenario() -> None:
        reader = Reader()
        reader.hold(1)
        async with running(tmp_path, act=reader, workers={"count": 2}, output=FORMATS) as core:
            content = tiff(4)
            bring(core, "in/fax.tif", content)
            await eventually(lambda: reader.read[3], "the pages after the first are read")
            # The pages count as one file.
            assert len(core.scans) > core.scans.files == 1
            assert core.scans.in_work == ["in/fax.tif"]
            reader.gates[1].set()
            assert await core.closed("in/fax.tif") is ScanState.DELIVERED
            assert core.scans.files == 0
            assert text_of(core, "in/fax.txt").split() == ["page1", "page2", "page3", "page4"]
            document = document_of(core, "in/fax.json")
            assert (document["schema"], document["name"], document["page_count"]) == ("ocrwatch.document/1", "fax", 4)
            assert [page["number"] for page in document["pages"]] == [1, 2, 3, 4]
            assert {page["path"] for page in document["pages"]} == {"in/fax.tif"}
            assert {page["sha256"] for page in document["pages"]} == {core.row("in/fax.tif").sha256}
            assert not document["review"]
            assert (core.folders.archive / "in/fax.tif").read_bytes() == content
            assert core.row("in/fax.tif").state is ScanState.DELIVERED
            assert left_over(core) == []
            assert core.scans.in_work == []
            assert len(core.scans) == 0

    unsubscribe = subscribe(told.append, Event)
    run(scenario())
    unsubscribe()
    assert [(event.name, event.path) for event in told if isinstance(event, ScanSplit | ScanDelivered)] == [
        ("scan.split", "in/fax.tif"),
        ("scan.delivered", "in/fax.tif"),
    ]


def test_pages_are_split_as_they_are_read(tmp_path: Path) -> None:
    """A file of many pages does not fill the state folder with all of its images."""
    images: list[int] = []

    async def scenario() -> None:
        reader = Reader()

        async def act(job: Job) -> Page:
            images.append(len([name for name in left_over(core) if name.endswith(".tif")]))
            return await reader(job)

        async with running(tmp_path, act=act, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(30))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert len(text_of(core).split()) == 30

    run(scenario())
    # One for each worker, and one besides.
    assert len(images) == 30
    assert max(images) <= 2


def test_a_page_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The text, the JSON and the mark for review say which page is missing, and why."""

    async def scenario() -> None:
        reader = Reader({2: [Damaged("it is torn", "")]})
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(3))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert "[page 2 of 3 (fax.tif) is missing: it is torn]" in text_of(core)
            document = document_of(core)
            assert document["pages"][1]["missing"] == {"code": "damaged", "reason": "it is torn"}
            assert document["review_reasons"] == ["page 2 of 3 is missing: it is torn"]
            review = core.row("fax.tif").review
            assert review is not None
            assert review.reasons == ("page 2 of 3 is missing: it is torn",)

    run(scenario())


def test_a_page_is_retried_as_a_scan_is(tmp_path: Path) -> None:
    """A worker that dies on it is no reason to give it up at once; the log names the page, and the row of its file."""
    told: list[ScanRetrying] = []

    async def scenario() -> None:
        reader = Reader({2: [WorkerDied("killed", ""), TimedOut("slow", "")], 3: [WorkerDied("killed", "")] * 5})
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(3))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert reader.read == {1: 1, 2: 3, 3: 3}
            assert [page["missing"] is None for page in document_of(core)["pages"]] == [True, True, False]
            assert {(event.id, event.path) for event in told} == {(core.row("fax.tif").id, "fax.tif")}
            assert sorted((event.page or 0, event.attempt) for event in told) == [(2, 1), (2, 2), (3, 1), (3, 2)]

    unsubscribe = subscribe(told.append, ScanRetrying)
    run(scenario())
    unsubscribe()


def test_a_file_without_a_readable_page_is_quarantined(tmp_path: Path) -> None:
    """There is no text to deliver; the reason is that of the first page."""

    async def scenario() -> None:
        reader = Reader({1: [Damaged("it is torn", "")], 2: [Damaged("it is burnt", "")]})
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.QUARANTINED
            assert "none of its 2 pages can be read; the first: it is torn" in (core.row("fax.tif").reason or "")
            assert (core.folders.quarantine / "fax.tif").exists()
            assert list(core.folders.outbox.iterdir()) == []
            assert left_over(core) == []

    run(scenario())


def test_a_damaged_page_may_still_be_written(tmp_path: Path) -> None:
    """Its file returns to intake, as a scan does, while its writer may be at work."""

    async def scenario() -> None:
        reader = Reader({2: [Damaged("it is torn", "")]})
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            core.heard.doubted = {"damaged"}
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.INCOMPLETE
            assert core.row("fax.tif").attempts == 0
            assert list(core.folders.outbox.iterdir()) == []

    run(scenario())


def test_a_stop_leaves_the_file_where_it_is(tmp_path: Path) -> None:
    """What is read then is read to the end, the rest by the next start, from the cache as far as it was read."""

    async def scenario() -> None:
        reader, cache = Reader(), Remembered()
        reader.hold(2)
        async with running(tmp_path, act=reader, cache=cache, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(4))
            await eventually(lambda: reader.read[2], "the second page")
            core.pipeline.stop()
            reader.gates[2].set()
            assert await core.closed("fax.tif") is ScanState.CANCELLED
            assert (core.row("fax.tif").attempts, core.row("fax.tif").state) == (0, ScanState.QUEUED)
            assert left_over(core) == []
        assert reader.read == {1: 1, 2: 1}
        async with running(tmp_path, act=reader, cache=cache, output=FORMATS) as core:
            core.take("fax.tif")
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert reader.read == {1: 1, 2: 1, 3: 1, 4: 1}
            assert text_of(core).split() == ["page1", "page2", "page3", "page4"]

    run(scenario())


def test_a_killed_run_is_done_again(tmp_path: Path) -> None:
    """The file is read anew, alone, and once delivered; a run that was killed leaves no pages."""

    async def scenario() -> None:
        reader = Reader()
        reader.hold(2)
        folders = Folders(tmp_path)
        core = Core(folders, folders.settings(output=FORMATS), act=reader)
        core.serve()
        bring(core, "fax.tif", tiff(3))
        await eventually(lambda: reader.read[2], "the second page")
        await core.end(clean=False)
        reader.gates[2].set()
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            core.recover()
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert text_of(core).split() == ["page1", "page2", "page3"]
            assert sorted(path.name for path in folders.outbox.iterdir()) == ["fax.json", "fax.txt"]

    run(scenario())


def test_a_changed_file_is_not_delivered(tmp_path: Path) -> None:
    """What was read is not what is in the inbox now."""

    async def scenario() -> None:
        reader = Reader()
        reader.hold(2)
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            bring(core, "fax.tif", tiff(2))
            await eventually(lambda: reader.read[2], "the second page")
            (core.folders.inbox / "fax.tif").write_bytes(tiff(3))
            reader.gates[2].set()
            assert await core.closed("fax.tif") is ScanState.CHANGED
            assert list(core.folders.outbox.iterdir()) == []
            assert left_over(core) == []

    run(scenario())


def test_small_files_do_not_wait_for_a_large_one(tmp_path: Path) -> None:
    """Scans and files that come meanwhile are read between its pages."""

    async def scenario() -> None:
        reader = Reader()
        for number in range(1, 21):
            reader.hold(number)
        async with running(tmp_path, act=reader, output=FORMATS) as core:
            bring(core, "large.tif", tiff(20))
            await eventually(lambda: reader.read[1], "the first page")
            bring(core, "small.tif", tiff(2, first=50))
            reader.gates[1].set()
            await eventually(lambda: len(pages_of(core, "small.tif")) == 2, "the pages of the small file")
            for number in range(2, 8):
                reader.gates[number].set()
            assert await core.closed("small.tif") is ScanState.DELIVERED
            assert not core.heard.ends["large.tif"]
            for number in range(8, 21):
                reader.gates[number].set()
            assert await core.closed("large.tif") is ScanState.DELIVERED

    run(scenario())


def test_a_full_state_folder_makes_no_page_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, and the page is read again; the attempt of the file does not count."""

    async def scenario() -> None:
        reader = Reader()
        async with running(tmp_path, act=reader, cache=Remembered(), output=FORMATS) as core:
            keep = core.pipeline._files._joining.keep
            refused = [EnvironmentFault("the disk is full", "make room")] * 2

            def full(*args: Any) -> Any:
                if refused:
                    raise refused.pop()
                return keep(*args)

            monkeypatch.setattr(core.pipeline._files._joining, "keep", full)
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert text_of(core).split() == ["page1", "page2"]
            assert not document_of(core)["review"]
            assert core.row("fax.tif").attempts == 1
            assert Cause.READING not in core.backoff

    run(scenario())


def test_formats_without_pages_are_refused(tmp_path: Path) -> None:
    """The file waits for a format that can have several pages, and says which; scans go on."""

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output={"formats": ("explain",)}) as core:
            bring(core, "fax.tif", tiff(2))
            scan = await core.in_state(ScanState.BLOCKED, "fax.tif")
            assert "output.formats" in scan.reason
            assert core.pipeline.is_idle

    run(scenario())


def test_names_of_files_and_scans_do_not_meet(tmp_path: Path) -> None:
    """A file and a scan of the same name both get their texts."""

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:
            bring(core, "a.tif", tiff(2))
            assert await core.closed("a.tif") is ScanState.DELIVERED
            bring(core, "a.tif", tiff(2, first=7))
            await eventually(lambda: len(core.heard.ends["a.tif"]) == 2, "the second")
            assert text_of(core, "a.txt").split() == ["page1", "page2"]
            assert text_of(core, "a-2.txt").split() == ["page7", "page8"]

    run(scenario())


@pytest.mark.usefixtures("_impatient")
def test_files_that_cannot_be_delivered_hold_up_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: what cannot be moved out of the inbox needs no process any more."""
    claim = Steps.claim
    refused = True

    def claimed(steps: Steps, plan: Plan, *, first: bool) -> bool:
        if refused and plan.path != "fine.tif":
            raise Blocked("another program has it open", "close it")
        return claim(steps, plan, first=first)

    monkeypatch.setattr(Steps, "claim", claimed)

    async def scenario() -> None:
        nonlocal refused
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:
            names = [f"{number}.tif" for number in range(6)]
            for name in names:
                bring(core, name, tiff(2))
            for name in names:
                await core.in_state(ScanState.BLOCKED, name)
            bring(core, "fine.tif", tiff(2, first=5))
            assert await core.closed("fine.tif") is ScanState.DELIVERED
            refused = False
            for name in names:
                assert await core.closed(name) is ScanState.DELIVERED
            assert left_over(core) == []

    run(scenario())


def test_what_cannot_be_removed_is_left_to_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is delivered all the same, and not read again."""

    async def scenario() -> None:
        async with running(tmp_path, act=Reader(), output=FORMATS) as core:

            def refuse(_name: str) -> None:
                raise EnvironmentFault("the disk does not answer", "see why")

            monkeypatch.setattr(core.pipeline._files._joining, "discard", refuse)
            bring(core, "fax.tif", tiff(2))
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert core.row("fax.tif").state is ScanState.DELIVERED
            assert not core.backoff

    run(scenario())
