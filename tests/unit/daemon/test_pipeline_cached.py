"""Cached pages: rendered without a reading; if one cannot be, its scan is read."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from ocrwatch.cache.base import LevelOptions
from ocrwatch.cache.codec import pack, unpack
from ocrwatch.cache.key import PageCache
from ocrwatch.cache.tiers import open_cache
from ocrwatch.daemon.retry_policy import MOST_DEATHS
from ocrwatch.errors import (
    Damaged,
    EngineFailed,
    EnvironmentFault,
    InternalFault,
    OutOfMemory,
    ScanFault,
    TimedOut,
    WorkerDied,
)
from ocrwatch.executors.base import REDUCED
from ocrwatch.executors.ipc import RenderJob
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings, recipe
from tests.core import Core, running, sha256
from tests.eventually import eventually, run
from tests.fake_executor import page_of, render
from tests.other_formats import installed
from tests.pages import framed, zlib_bomb
from tests.scripted import Remembered, Script, delivered, quarantined, reason

pytestmark = pytest.mark.usefixtures("_short_pauses")

PACKED = pack(page_of("text of a.jpg"))
ENGINE = {"engine": "pytesseract"}
"""An engine for which pages of all engines are kept."""

RenderAct = Callable[[RenderJob], Awaitable[RenderedPage]]


def usual_recipe(*, reduced: bool = False) -> Recipe:
    """Return the recipe of a scan, or that of one that took too long."""
    settings = Settings.model_validate(
        {"enhance": {"enabled": not reduced}, "ocr": {"second": "none"} if reduced else {}}
    )
    return recipe(settings)


def knowing(packed: bytes = PACKED, *, reduced: bool = False) -> Remembered:
    """Return a cache that has this page for ``a.jpg``.

    It was read with the usual options, and with reduced ones if ``reduced``.
    """
    cache = Remembered()
    for each in {usual_recipe(), usual_recipe(reduced=reduced)}:
        cache.known[sha256("a.jpg"), each] = packed
    return cache


def refusing(*faults: Exception) -> RenderAct:
    """Return what raises these one after the other, and then renders."""
    left = list(faults)

    async def act(job: RenderJob) -> RenderedPage:
        if left:
            raise left.pop(0)
        return await render(job)

    return act


@contextmanager
def failures() -> Iterator[list[Any]]:
    """Collect what is logged of cached pages that cannot be used."""
    found: list[Any] = []
    with capture_logs() as logs:
        yield found
    found += [log["reason"] for log in logs if log["event"] == "cache.failed"]


async def delivered_once(core: Core) -> None:
    """Check that ``a.jpg`` was delivered, once."""
    assert await core.closed("a.jpg") is ScanState.DELIVERED
    await core.idle()
    assert core.heard.events.count(("delivered", "a.jpg")) == 1
    assert core.folders.files() == delivered("a")
    assert not core.backoff


def test_the_sidecars_of_a_cached_page_are_those_of_its_scan(tmp_path: Path) -> None:
    """The JSON has its name, and nothing else differs."""
    script = Script()

    async def scenario() -> None:
        output = {"formats": ["json", "txt"]}
        async with running(tmp_path, act=script, cache=Remembered(), output=output) as core:
            core.bring("a.jpg", data="same")
            await core.idle()
            core.bring("sub/b.jpg", data="same")
            await core.idle()
            files = core.folders.files()
            assert files["outbox/a.txt"] == files["outbox/sub/b.txt"] == "text of same\n"
            a, b = (json.loads(files[f"outbox/{name}.json"]) for name in ("a", "sub/b"))
            assert (a["source"].pop("path"), b["source"].pop("path")) == ("a.jpg", "sub/b.jpg")
            assert a == b
            assert core.heard.texts == {"a.jpg": "text of same", "sub/b.jpg": "text of same"}
            assert script.begun == ["same"]

    run(scenario())


POISONS = {
    "empty": b"",
    "rubbish": b"rubbish",
    "truncated": PACKED[:-1],
    "followed": PACKED + b"x",
    "changed": PACKED[:-10] + bytes([PACKED[-10] ^ 1]) + PACKED[-9:],
    "of another engine": framed(zlib.compress(msgspec.msgpack.encode(page_of("text"))), ("fake", "2")),
    "of wrong types": framed(zlib.compress(msgspec.msgpack.encode({"width": "1"})), ("fake", "1")),
    "without an engine": framed(zlib.compress(msgspec.msgpack.encode(page_of("text"))), None),
    "a bomb": framed(zlib_bomb(), ("fake", "1")),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
def test_a_poisoned_page_costs_one_line_and_one_reading(tmp_path: Path, poison: bytes) -> None:
    """The scan is delivered once, and the cache has a good page afterwards."""
    state = tmp_path / "cache"
    state.mkdir()
    levels = open_cache(state, ("memory", "disk"), LevelOptions(1000.0, 500_000_000))
    settings = Settings.model_validate({"ocr": ENGINE})
    known = recipe(settings)
    cache = PageCache(levels, [known])
    key = cache._key(sha256("a.jpg"), known)
    assert key is not None
    levels.save(key, poison)
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=cache, ocr=ENGINE) as core:
            with failures() as found:
                core.bring("a.jpg")
                assert await core.closed("a.jpg") is ScanState.DELIVERED
                await core.idle()
            assert len(found) == 1
            assert "damaged" in found[0]
            assert script.begun == ["a.jpg"]
            assert len(core.executor.rendered) <= 1
            assert core.row().attempts == 1
            assert core.heard.last is not None
            assert not core.heard.last.cached
            with failures() as found:
                core.bring("b.jpg", data="a.jpg")
                await core.idle()
            assert found == []
            assert script.begun == ["a.jpg"]
            assert core.heard.last.cached

    run(scenario())
    levels.close()
    again = open_cache(state, ("disk",), LevelOptions(1000.0, 500_000_000))
    page = again.get(key)
    again.close()
    assert page is not None
    assert unpack(page) == page_of("text of a.jpg")


@pytest.mark.parametrize("fault", [Damaged, InternalFault, TimedOut, WorkerDied, OutOfMemory])
def test_a_page_that_cannot_be_rendered_is_read(tmp_path: Path, fault: type[ScanFault]) -> None:
    """One line says so, it is tried once, and only the reading counts as an attempt."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=knowing(), retry={"attempts": 1}) as core:
            core.executor.render_act = refusing(*(fault("no such glyph") for _ in range(9)))
            with failures() as found:
                core.bring("a.jpg")
                await delivered_once(core)
            assert found == ["a.jpg: no such glyph"]
            assert len(core.executor.rendered) == 1
            assert script.begun == ["a.jpg"]
            assert core.row().attempts == 1
            assert core.heard.last is not None
            assert not core.heard.last.cached

    run(scenario())


def test_a_page_that_cannot_be_rendered_is_tried_once_whatever_becomes_of_the_reading(tmp_path: Path) -> None:
    """It is not rendered again for each attempt."""
    script = Script({"a.jpg": [EngineFailed("no"), EngineFailed("no")]})

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=knowing()) as core:
            core.executor.render_act = refusing(*(InternalFault("no such glyph") for _ in range(9)))
            with failures() as found:
                core.bring("a.jpg")
                await delivered_once(core)
            assert len(found) == len(core.executor.rendered) == 1
            assert core.row().attempts == 3

    run(scenario())


def test_a_page_that_was_cached_while_a_scan_waited_may_not_be_rendered_either(tmp_path: Path) -> None:
    """The scan is read in its place."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=Remembered()) as core:
            script.hold("same")
            core.bring("a.jpg", data="same")
            core.bring("b.jpg")
            core.bring("c.jpg", data="same")
            await eventually(lambda: [scan.path for scan in core.pipeline.scheduler.queue()] == ["c.jpg"])
            core.executor.render_act = refusing(InternalFault("no such glyph"))
            with failures() as found:
                script.release("same")
                await core.idle()
            assert found == ["c.jpg: no such glyph"]
            assert script.begun == ["same", "b.jpg", "same"]
            assert core.folders.files()["outbox/c.txt"] == "text of same\n"
            assert core.row("c.jpg").attempts == 1

    run(scenario())


@pytest.mark.parametrize("counted", [(3, 0), (0, MOST_DEATHS)])
def test_a_scan_that_may_not_be_read_any_more_is_delivered_from_the_cache_or_not_at_all(
    tmp_path: Path, counted: tuple[int, int]
) -> None:
    """If its page cannot be rendered it goes to the quarantine.

    Its attempts are used up, or it has killed ocrwatch too often.
    """
    script = Script()

    async def scenario(*faults: Exception) -> None:
        async with running(tmp_path, act=script, cache=knowing()) as core:
            core.executor.render_act = refusing(*faults)
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger.db.execute("UPDATE scans SET attempts = ?, deaths = ? WHERE id = ?", (*counted, entry.id))
            core.take("a.jpg")
            end = await core.closed("a.jpg")
            if faults:
                assert end is ScanState.QUARANTINED
                assert quarantined(core, "a.jpg")
                assert reason(core)["code"] == WorkerDied.code
                assert reason(core)["attempts"] == counted[0]
                for path in core.folders.quarantine.iterdir():
                    path.unlink()
            else:
                assert end is ScanState.DELIVERED
            assert script.begun == []

    run(scenario(InternalFault("no such glyph")))
    run(scenario())


def test_a_page_that_cannot_be_rendered_does_not_shorten_a_delay(tmp_path: Path) -> None:
    """An earlier run has noted when the scan may be read again."""
    script = Script()

    async def scenario() -> None:
        async with running(
            tmp_path, act=script, cache=knowing(), retry={"attempts": 3, "first_delay": 0.2, "max_delay": 0.2}
        ) as core:
            core.executor.render_act = refusing(*(InternalFault("no such glyph") for _ in range(9)))
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger.wait(entry.id, time.time() + 1000, "engine-failed", "no")
            before = time.monotonic()
            core.take("a.jpg")
            await delivered_once(core)
            assert time.monotonic() - before >= 0.2
            assert script.begun == ["a.jpg"]
            assert len(core.executor.rendered) == 1

    run(scenario())


@pytest.mark.parametrize("reduced", [False, True])
def test_a_scan_that_took_too_long_is_read_last_if_its_page_cannot_be_rendered(
    tmp_path: Path, *, reduced: bool
) -> None:
    """Without enhancement, also if there is a cached page of such a reading."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=knowing(reduced=reduced)) as core:
            core.executor.render_act = refusing(*(InternalFault("no such glyph") for _ in range(9)))
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger.count_attempt(entry.id)
            core.ledger.wait(entry.id, time.time(), TimedOut.code, "it took 5 s")
            core.folders.put("b.jpg")
            core.folders.put("c.jpg")
            core.take("a.jpg", "b.jpg", "c.jpg")
            await core.idle()
            assert script.begun == ["b.jpg", "c.jpg", "a.jpg"]
            assert [each.enhance.enabled for each in script.recipes] == [True, True, False]
            assert core.row().attempts == 2

    run(scenario())


def test_a_fault_of_the_environment_means_that_the_scan_is_read(tmp_path: Path) -> None:
    """Reading meets it, too, if it lasts; no pause begins for a page that need not be rendered."""
    script = Script()

    async def scenario() -> None:
        async with running(tmp_path, act=script, cache=knowing()) as core:
            core.executor.render_act = refusing(EnvironmentFault("memory is short"))
            with capture_logs() as logs:
                core.bring("a.jpg")
                await delivered_once(core)
            events = [log["event"] for log in logs]
            assert events.count("cache.failed") == 1
            assert not [event for event in events if event.startswith("daemon.")]
            assert script.begun == ["a.jpg"]

    run(scenario())


def test_a_cached_page_of_a_reduced_reading_is_marked(tmp_path: Path) -> None:
    """An earlier run read it without enhancement, and was killed before it was delivered."""
    script = Script()

    async def scenario() -> None:
        cache = Remembered()
        cache.known[sha256("a.jpg"), usual_recipe(reduced=True)] = PACKED
        async with running(tmp_path, act=script, cache=cache, output={"review_below": 1}) as core:
            core.folders.put("a.jpg")
            entry = core.ledger.begin("a.jpg", core.file("a.jpg").facts, None)
            core.ledger.count_attempt(entry.id)
            core.ledger.wait(entry.id, time.time(), TimedOut.code, "it took 5 s")
            core.take("a.jpg")
            await core.idle()
            assert script.begun == []
            review = core.row().review
            assert review is not None
            assert review.reasons == (REDUCED,)

    run(scenario())


class Held:
    """Renders when the test says."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.fault: Exception | None = None

    async def __call__(self, job: RenderJob) -> RenderedPage:
        """Wait, and render or fail."""
        self.begun.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return await render(job)


@pytest.mark.parametrize("fault", [None, InternalFault("no such glyph")])
def test_a_stop_waits_for_a_page_that_is_being_rendered(tmp_path: Path, fault: Exception | None) -> None:
    """It is delivered; if it cannot be rendered, its scan is left to the next start."""
    script, held = Script(), Held()

    async def scenario() -> None:
        held.fault = fault
        async with running(tmp_path, act=script, cache=knowing()) as core:
            core.executor.render_act = held
            core.bring("a.jpg")
            await held.begun.wait()
            assert core.pipeline.stop() == 0
            assert not core.pipeline.is_idle
            held.gate.set()
            if fault is None:
                await delivered_once(core)
            else:
                assert await core.closed("a.jpg") is ScanState.CANCELLED
                assert core.folders.files() == {"inbox/a.jpg": "a.jpg"}
                assert core.row().attempts == 0
            assert script.begun == []

    run(scenario())


def test_a_run_ends_though_a_page_is_still_being_rendered(tmp_path: Path) -> None:
    """The next one delivers it."""
    held = Held()

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), cache=knowing()) as core:
            core.executor.render_act = held
            core.bring("a.jpg")
            await held.begun.wait()
            core.pipeline.stop()
            await core.pipeline.cancel()
            assert await core.closed("a.jpg") is ScanState.CANCELLED
        async with running(tmp_path, act=Script(), cache=knowing()) as core:
            core.recover()
            await delivered_once(core)
            assert core.row().attempts == 0

    run(scenario())


def test_a_bug_of_the_renderer_costs_one_scan_and_nothing_else(tmp_path: Path) -> None:
    """It is logged, and the scan is in the quarantine; others go on."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), cache=knowing()) as core:
            core.executor.render_act = refusing(ZeroDivisionError("a bug"))
            with capture_logs() as logs:
                core.bring("a.jpg", "b.jpg")
                assert await core.closed("a.jpg") is ScanState.QUARANTINED
                assert await core.closed("b.jpg") is ScanState.DELIVERED
            assert [log["path"] for log in logs if log["event"] == "scan.failed"] == ["a.jpg"]
            await core.idle()
            assert len(core.scans) == 0

    run(scenario())


def test_formats_that_show_the_scan_get_its_bytes(tmp_path: Path) -> None:
    """Also for a cached page, and with the options of its profile; nobody else is sent them."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), cache=knowing()) as core:
            core.bring("a.jpg")
            await core.idle()
            profile = {"match": "plain/*", "pdf": {"straighten": False}}
            settings = core.folders.settings(output={"formats": ["shows"]}, profiles=[profile])
            core.pipeline.change(settings, {})
            for path in ("b.jpg", "plain/b.jpg"):
                core.bring(path, data="a.jpg")
                await core.idle()
            core.bring("c.jpg")
            await core.idle()
            assert [job.content for job in core.executor.rendered] == [b"", b"a.jpg", b"a.jpg"]
            files = {name: text for name, text in core.folders.files().items() if name.endswith(".copy")}
            assert files == {
                "outbox/b.copy": "a.jpgTrue",
                "outbox/plain/b.copy": "a.jpgFalse",
                "outbox/c.copy": "c.jpgTrue",
            }

    with installed(tmp_path / "plugin", "shows"):
        run(scenario())


def test_a_change_of_formats_is_that_of_cached_pages_too(tmp_path: Path) -> None:
    """A scan that comes later has the sidecars that the settings want then."""

    async def scenario() -> None:
        async with running(tmp_path, act=Script(), cache=knowing()) as core:
            core.pipeline.change(core.folders.settings(output={"formats": ["json"]}), {})
            core.bring("a.jpg")
            await core.idle()
            assert [name for name in core.folders.files() if name.startswith("outbox")] == ["outbox/a.json"]

    run(scenario())
