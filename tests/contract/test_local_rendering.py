"""The local executor's process that renders cached pages: its start and its ends."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from ocrwatch.cache.codec import pack
from ocrwatch.errors import EnvironmentFault, ScanFault, TimedOut, WorkerDied
from ocrwatch.executors.base import WorkerOptions
from ocrwatch.executors.events import WorkerLost, WorkerReady
from ocrwatch.executors.ipc import Job, RenderJob
from ocrwatch.executors.local import LocalExecutor
from ocrwatch.render.base import RenderedPage
from tests.contract.pooling import GENEROUS, JPEG, Start, is_alive, recipe, refuse_one_thread, request
from tests.eventually import eventually, run
from tests.fake_executor import page_of
from tests.waiting import until

PACKED = pack(page_of("word"))
SHORT = 3.0
"""Seconds of the time limit, in tests of it."""


class Local:
    """A local executor, and what it has told."""

    def __init__(self, formats: tuple[str, ...], timeout: float) -> None:
        self.events: list[object] = []
        self.options = WorkerOptions(1, (recipe("echo"),), formats, timeout, 0, 0)
        self.before = set(psutil.Process().children())
        self.executor = LocalExecutor(self.options, self, self)

    def count_attempt(self, _scan: int) -> int:
        """Count nothing."""
        return 1

    def refund_attempt(self, _scan: int) -> None:
        """Take nothing back."""

    def record_sent(self, _scan: int) -> None:
        """Record nothing."""

    def record_answered(self, _scan: int) -> None:
        """Record nothing."""

    def heard(self, event: object) -> None:
        """Remember it."""
        self.events.append(event)

    async def start(self) -> None:
        """Start it, and wait for its worker."""
        self.executor.start()
        await eventually(lambda: self.executor.ready)

    async def render(self, scan: int, *formats: str, path: str = "a.jpg") -> RenderedPage:
        """Have a cached page rendered."""
        return await self.executor.render(RenderJob(scan, PACKED, request(*formats, path=path)))

    async def read(self, scan: int) -> RenderedPage:
        """Have a scan read."""
        return (await self.executor.read(Job(scan, JPEG, recipe("echo"), request()))).page

    @property
    def lost(self) -> list[WorkerLost]:
        """The deaths that it has told."""
        return [event for event in self.events if isinstance(event, WorkerLost)]

    @property
    def processes(self) -> set[psutil.Process]:
        """All that it has started."""
        return set(psutil.Process().children()) - self.before

    @property
    def renderer(self) -> int:
        """The process that renders."""
        (pid,) = self.executor._helpers.pids
        return pid


Open = Callable[..., Local]


@pytest.fixture
def opened(formats: tuple[str, ...]) -> Iterator[Open]:
    """Return what makes executors, and end them."""
    made: list[Local] = []

    def opened(timeout: float = GENEROUS) -> Local:
        made.append(Local(formats, timeout))
        return made[-1]

    yield opened
    for local in made:
        local.executor.close()


def test_without_a_cached_page_no_process_is_started_for_them(opened: Open) -> None:
    """It is started once, for the first one, and tells of no engine."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        await local.read(1)
        assert len(local.processes) == 1
        await asyncio.gather(local.render(2), local.render(3))
        assert len(local.processes) == 2
        assert (local.executor.capacity, local.executor.ready) == (1, 1)
        assert len([event for event in local.events if isinstance(event, WorkerReady)]) == 1

    run(scenario(), GENEROUS)


def test_a_process_that_cannot_render_keeps_no_scan_waiting(opened: Open) -> None:
    """Each gets the reason at once; readings go on, and the daemon does not pause."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        local.executor._helpers.change(replace(local.options, workers=1, recipes=(), formats=("no-such-format",)))
        for scan in (1, 2):
            with pytest.raises(EnvironmentFault, match=r"no worker can start .*no-such-format"):
                await local.render(scan)
        assert [type(event) for event in local.events] == [WorkerReady]
        await local.read(3)
        # Nothing is left that would be rendered for no scan once the process can start.
        assert local.executor._helpers.withdraw() == []
        begun = time.monotonic()
        for scan in range(4, 8):
            with pytest.raises(EnvironmentFault):
                await local.render(scan)
            local.executor._try_again_at = time.monotonic() + GENEROUS
        assert time.monotonic() - begun < GENEROUS

    run(scenario(), GENEROUS)


def _refuse(role: str) -> None:
    """Fail as if no more processes were allowed."""
    raise BlockingIOError(errno.EAGAIN, role)


def test_a_process_that_cannot_be_replaced_holds_up_no_page(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others render what it was to render, and no page is given up."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        local.executor.change(replace(local.options, helpers=2))
        await local.render(1)
        await eventually(lambda: local.executor._helpers.ready == 2)
        monkeypatch.setattr("ocrwatch.executors.worker_process.spawn", _refuse)
        os.kill(local.executor._helpers.pids[0], signal.SIGKILL)
        pages = asyncio.gather(*(local.render(scan) for scan in range(2, 12)))
        assert len(await asyncio.wait_for(pages, GENEROUS)) == 10

    run(scenario(), GENEROUS)


def test_a_process_that_could_not_render_is_tried_again(opened: Open) -> None:
    """Its settings may be right by then."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        wrong = replace(local.options, workers=1, recipes=(), formats=("no-such-format",))
        local.executor._helpers.change(wrong)
        with pytest.raises(EnvironmentFault):
            await local.render(1)
        local.executor.change(local.options)
        until_rendered = time.monotonic() + GENEROUS
        while time.monotonic() < until_rendered:
            try:
                assert (await local.render(2)).sidecars
            except EnvironmentFault:
                await asyncio.sleep(0.05)
            else:
                return
        pytest.fail("nothing was rendered")

    run(scenario(), 2 * GENEROUS)


@pytest.mark.parametrize(
    ("name", "fault", "how"),
    [("crashes", WorkerDied, "exited with code 9"), ("hangs", TimedOut, "stuck and had to be killed")],
)
def test_a_format_that_ends_its_process_is_a_scans_fault(
    opened: Open, name: str, fault: type[ScanFault], how: str
) -> None:
    """The process is replaced, and renders with the same format; the reader stays."""
    local = opened(SHORT)

    async def scenario() -> None:
        await local.start()
        with pytest.raises(fault):
            await local.render(1, "txt", name, path="bad.jpg")
        (lost,) = local.lost
        assert (lost.how, lost.phase, lost.scan) == (how, "rendering", 1)
        page = await local.render(2, "txt", name)
        assert [ending for ending, _ in page.sidecars] == [name, "txt"]
        assert local.renderer != lost.pid
        assert not is_alive(lost.pid)
        await local.read(3)
        assert len(local.lost) == 1

    run(scenario(), GENEROUS)


def test_a_process_that_ends_before_its_sender_goes_on_is_a_scans_fault(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the daemon may get the processor back only when the process has taken the page and died."""
    local = opened()
    sendall = socket.socket.sendall

    def send_and_be_held_up(connection: socket.socket, data: bytes) -> None:
        sendall(connection, data)
        if b"RenderJob" in data:
            poll = select.poll()
            poll.register(connection, 0)
            assert poll.poll(GENEROUS * 1000)

    async def scenario() -> None:
        await local.start()
        monkeypatch.setattr(socket.socket, "sendall", send_and_be_held_up, raising=False)
        with pytest.raises(WorkerDied, match="exited with code 9 while rendering it"):
            await local.render(1, "txt", "crashes", path="bad.jpg")
        (lost,) = local.lost
        assert (lost.how, lost.phase, lost.scan) == ("exited with code 9", "rendering", 1)

    run(scenario(), GENEROUS)


def test_scans_are_read_while_a_format_hangs(opened: Open) -> None:
    """A page that holds up the others of its kind holds up no worker."""
    local = opened(SHORT)

    async def scenario() -> None:
        await local.start()
        hanging = asyncio.ensure_future(local.render(1, "hangs", path="bad.jpg"))
        waiting = asyncio.ensure_future(local.render(2))
        await local.read(3)
        assert not hanging.done()
        with pytest.raises(TimedOut):
            await hanging
        assert (await waiting).summary.words == 1

    run(scenario(), GENEROUS)


def test_a_renderer_that_was_killed_is_replaced(opened: Open) -> None:
    """A page that it had not taken yet is rendered by another, without a fault."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        await local.render(1)
        first = local.renderer
        os.kill(first, signal.SIGKILL)
        assert (await local.render(2)).summary.words == 1
        assert local.renderer != first

    run(scenario(), GENEROUS)


def test_its_formats_are_those_of_the_last_settings(opened: Open) -> None:
    """Also if they are changed before its first page, and between two."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        for names in (("txt",), ("txt", "marks")):
            local.executor.change(replace(local.options, formats=names))
            page = await local.render(1, *names)
            assert {ending for ending, _ in page.sidecars} == {name.replace("marks", "marks.csv") for name in names}
        assert local.lost == []

    run(scenario(), GENEROUS)


@pytest.mark.parametrize("path", ["a.jpg", "bad.jpg"])
def test_it_ends_at_once_whatever_is_being_rendered(opened: Open, path: str) -> None:
    """No process is left, and no death is told."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        await local.render(1)
        rendering = asyncio.ensure_future(local.render(2, "hangs", path=path))
        await asyncio.sleep(0)
        rendering.cancel()
        await asyncio.gather(rendering, return_exceptions=True)

    run(scenario(), GENEROUS)
    processes = local.processes
    assert len(processes) == 2
    begun = time.monotonic()
    local.executor.close()
    assert time.monotonic() - begun < 5
    until(lambda: not any(process.is_running() for process in processes), what="the end of all processes")
    assert local.lost == []


def test_a_pool_that_only_renders_loads_no_engine(start: Start) -> None:
    """And is ready all the same; one process renders one page after another."""
    pooling = start(engine=None, formats=("txt", "json"))
    until(lambda: pooling.pool.ready, GENEROUS, "a process that renders")
    (renderer,) = pooling.pool.pids
    for scan in range(3):
        pooling.submit_packed(scan, PACKED)
        assert pooling.rendered(scan).sidecars == (("txt", b"word\n"),)
    assert pooling.pool.pids == (renderer,)
    assert pooling.attempts == {}
    assert [event.engine for event in pooling.events(WorkerReady)] == [None]
    # An engine takes more than half a second to load, and this memory.
    assert not any("cv2" in each.path for each in psutil.Process(renderer).memory_maps())


def test_a_thread_that_cannot_be_started_is_the_environments_fault(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page is read instead; the next one starts the process, and no page waits for ever."""
    local = opened()

    async def scenario() -> None:
        await local.start()
        refuse_one_thread(monkeypatch)
        with pytest.raises(EnvironmentFault, match=r"cannot start a thread for a worker \(can't start"):
            await local.render(1)
        assert (await local.render(2)).sidecars

    run(scenario(), GENEROUS)
