"""Scans that wait for a service: other settings give them to another lane at once, and the rest stays as it was."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import pytest

from ocrwatch.backoff import Cause
from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault, ServiceFault
from ocrwatch.executors.ipc import Job
from ocrwatch.intake.loading import Loaded
from ocrwatch.scan import LOCAL_LANE, Batch, Scan, ScanState
from ocrwatch.settings import recipe
from tests.core import Core, running
from tests.eventually import eventually, run, settled
from tests.scripted import Remembered, Script

CLOUD: Final = "remote:cloud"
_LANES: Final = {CLOUD: 1}
_REMOTE: Final = [{"name": "cloud", "preset": "rapidocr", "url": "https://ocr.example.org"}]


def _ocr(*engines: str) -> dict[str, Any]:
    """Return the settings for these engines."""
    return {"remote": _REMOTE, "ocr": {"engine": list(engines), "second": "none"}}


def _change(core: Core, *engines: str, **changes: object) -> None:
    """Give a core settings with other engines."""
    core.pipeline.change(core.folders.settings(**_ocr(*engines), **changes), {})


def _pause(core: Core) -> None:
    """Have the service ask to be left alone for an hour."""
    core.backoff.record(CLOUD, ServiceFault("no answer", "wait"), time.monotonic(), at_least=3600.0)


@pytest.mark.parametrize("engines", [("tesserocr",), (CLOUD, "tesserocr"), ("tesserocr", CLOUD)])
def test_scans_that_wait_for_a_service_are_read_by_an_engine_that_is_named_meanwhile(
    tmp_path: Path, engines: tuple[str, ...]
) -> None:
    """Instead of the service, or besides it."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, lanes=_LANES, **_ocr(CLOUD)) as core:
            _pause(core)
            core.bring("a.jpg", "b.jpg")
            await settled()
            assert core.pipeline.scheduler.waiting_in(CLOUD) == 2
            _change(core, *engines)
            await core.idle()
            assert [each.engine for each in script.recipes] == ["tesserocr"] * 2
            assert core.heard.ends == {"a.jpg": [ScanState.DELIVERED], "b.jpg": [ScanState.DELIVERED]}

    run(scenario())


def test_loaded_scans_leave_a_service_without_their_bytes(tmp_path: Path) -> None:
    """They may wait long in the other lane, and are loaded again."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=Remembered(), lanes=_LANES, **_ocr(CLOUD)) as core:
            script.hold("a.jpg")
            core.bring("a.jpg", "b.jpg", "c.jpg", "d.jpg")
            waiting = await core.in_state(ScanState.LOADING, "d.jpg")
            await eventually(lambda: waiting.content)
            core.backoff.record(Cause.INBOX, EnvironmentFault("away"), time.monotonic())
            _change(core, "tesserocr")
            await eventually(lambda: waiting.lane == LOCAL_LANE)
            assert waiting.state is ScanState.QUEUED
            assert waiting.content == b""
            core.backoff.resolve(Cause.INBOX)
            script.release("a.jpg")
            await core.idle()
            assert len(core.heard.texts) == 4

    run(scenario())


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_scan_that_is_being_loaded_chooses_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_paused: bool
) -> None:
    """It does not begin to wait for the service that the settings do not name any more."""
    script, loads, goes_on = Script(), [], asyncio.Event()

    async def scenario() -> None:
        async with running(tmp_path, act=script, lanes=_LANES, **_ocr(CLOUD)) as core:
            commit = core.loading.commit

            async def slow(scan: Scan) -> Loaded:
                loads.append(scan.lane)
                await goes_on.wait()
                return await commit(scan)

            monkeypatch.setattr(core.loading, "commit", slow)
            core.bring("a.jpg")
            await eventually(lambda: loads)
            if is_paused:
                _pause(core)
            _change(core, "tesserocr")
            goes_on.set()
            await core.idle()
            assert loads == [CLOUD, LOCAL_LANE]
            assert [each.engine for each in script.recipes] == ["tesserocr"]

    run(scenario())


def test_scans_that_wait_for_workers_go_to_the_lane_of_a_service(tmp_path: Path) -> None:
    """Those that a worker has, or is about to get, stay with it."""
    script, lanes = Script(), {}

    async def scenario() -> None:
        async with running(tmp_path, lanes=_LANES, **_ocr("tesserocr")) as core:

            async def act(job: Job) -> Page:
                scan = core.scans.of_row(job.scan)
                assert scan is not None
                lanes[scan.path] = (job.recipe.engine, scan.lane)
                return await script(job)

            core.executor.act = act
            script.hold("a.jpg")
            core.bring("a.jpg", "b.jpg", "c.jpg")
            await core.in_state(ScanState.READING, "b.jpg")
            _change(core, CLOUD)
            script.release("a.jpg")
            await core.idle()
            local = ("tesserocr", LOCAL_LANE)
            assert lanes == {"a.jpg": local, "b.jpg": local, "c.jpg": (CLOUD, CLOUD)}

    run(scenario())


def test_other_changes_leave_scans_where_they_wait(tmp_path: Path) -> None:
    """In their order, with the same engines."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, lanes=_LANES, **_ocr(CLOUD)) as core:
            _pause(core)
            core.bring("a.jpg", "b.jpg")
            await settled()
            waiting = dict(core.pipeline.scheduler._waiting)
            _change(core, CLOUD, output={"formats": ["json"]})
            await settled()
            assert core.pipeline.scheduler._waiting == waiting
            core.backoff.resolve(CLOUD)
            await core.idle()
            assert [each.engine for each in script.recipes] == [CLOUD] * 2

    run(scenario())


def test_a_page_that_waits_for_its_second_reader_stays(tmp_path: Path) -> None:
    """Its engine has read it: another one would begin anew."""

    async def scenario() -> None:
        async with running(tmp_path, lanes=_LANES, **_ocr("tesserocr")) as core:
            _pause(core)
            core.folders.put("a.jpg")
            settings = core.folders.settings().for_path("a.jpg")
            scan = Scan(core.file("a.jpg"), Batch(1, 1), settings, recipe(settings), engine="tesserocr", lane=CLOUD)
            waiting = asyncio.ensure_future(_placed(core, scan))
            await settled()
            _change(core, "rapidocr")
            await settled()
            assert not waiting.done()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    run(scenario())


async def _placed(core: Core, scan: Scan) -> None:
    async with core.pipeline.scheduler.place(scan):
        pass
