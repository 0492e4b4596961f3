"""The process that splits a file: what it costs if it cannot start, or dies or hangs at many pages."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ocrwatch.errors import Blocked, ScanFault, TimedOut, WorkerDied
from ocrwatch.splitting import process as process_module
from ocrwatch.splitting import splitter as splitter_module
from ocrwatch.splitting.base import FileFailed, SplitLimits
from ocrwatch.splitting.messages import Ask, encode
from ocrwatch.splitting.process import SplitProcess
from ocrwatch.splitting.splitter import Splitter
from tests.images import pages
from tests.unit.splitting.test_splitter import Splitting, child


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[SplitProcess]:
    """Collect the processes that are started."""
    started: list[SplitProcess] = []
    start = SplitProcess.start

    async def counted(source: Path, folder: Path) -> SplitProcess:
        started.append(await start(source, folder))
        return started[-1]

    monkeypatch.setattr(SplitProcess, "start", counted)
    return started


def spoil(monkeypatch: pytest.MonkeyPatch, numbers: Collection[int]) -> None:
    """Have the process die when it is asked for certain pages."""
    requests = [encode(Ask(number)) for number in numbers]
    ask = SplitProcess.ask

    async def spoilt(process: SplitProcess, message: bytes) -> bytes:
        if message in requests:
            child().kill()
        return await ask(process, message)

    monkeypatch.setattr(SplitProcess, "ask", spoilt)


async def outcome(splitter: Splitter, number: int) -> str:
    """Return what becomes of a page: its number, or the code of its fault."""
    try:
        return str((await splitter.page(number)).number)
    except ScanFault as fault:
        return fault.code


def test_what_happens_to_a_used_process_costs_no_page(tmp_path: Path, starts: list[SplitProcess]) -> None:
    """An earlier page may have damaged it: the page is tried with a fresh one."""
    splitting = Splitting(tmp_path, pages(3))

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        for number in (1, 2, 3):
            assert (await splitter.page(number)).number == number
            child().kill()

    splitting.run(work)
    assert len(starts) == 3


def test_pages_that_kill_the_process_cost_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are, as long as others come between them."""
    monkeypatch.setattr(splitter_module, "_MOST_IN_A_ROW", 2)
    spoil(monkeypatch, {1, 3, 5})

    async def work(splitter: Splitter) -> list[str]:
        return [await outcome(splitter, number) for number in range(1, await splitter.open() + 1)]

    died = "worker-died"
    assert Splitting(tmp_path, pages(6)).run(work) == [died, "2", died, "4", died, "6"]


def test_a_file_is_given_up_at_many_deaths_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: list[SplitProcess]
) -> None:
    """No process is started again; the fault is no page's."""
    monkeypatch.setattr(splitter_module, "_MOST_IN_A_ROW", 2)
    spoil(monkeypatch, {1, 2})

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        for number in (1, 2):
            with pytest.raises(WorkerDied, match=f"killed by SIGKILL while taking page {number} out"):
                await splitter.page(number)
        for number in (3, 1):
            with pytest.raises(FileFailed, match="while taking page 2 out"):
                await splitter.page(number)

    Splitting(tmp_path, pages(3)).run(work)
    assert len(starts) == 2
    assert not issubclass(FileFailed, ScanFault)


def test_a_file_is_given_up_when_it_has_taken_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with thousands of pages that hang must not take the place of others for days, though pages come between."""
    now = 0.0
    timeout = 100.0
    ask = SplitProcess.ask

    async def slow(process: SplitProcess, message: bytes) -> bytes:
        nonlocal now
        if message in {encode(Ask(1)), encode(Ask(3))}:
            now += timeout
            raise TimeoutError
        return await ask(process, message)

    monkeypatch.setattr(SplitProcess, "ask", slow)
    monkeypatch.setattr(splitter_module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(splitter_module, "_MOST_LOST", 1.5)

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        assert [await outcome(splitter, number) for number in (1, 2, 3)] == ["timeout", "2", "timeout"]
        with pytest.raises(FileFailed) as failed:
            await splitter.page(4)
        assert isinstance(failed.value.fault, TimedOut)

    Splitting(tmp_path, pages(4), SplitLimits(2 << 30, timeout)).run(work)


def refuse_threads(*_args: object) -> Any:
    """Refuse a thread, as Python does."""
    raise RuntimeError("can't start new thread")


def no_descriptor(*_args: object) -> Any:
    """Refuse a file, as a filter of system calls does."""
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((sys, "executable"), "/nonexistent/python", "no such file or directory.*execute /nonexistent/python"),
        (
            (process_module, "MODULE"),
            "ocrwatch.nothing",
            "ended with exit code 1 as it started: .*No module",
        ),
        ((ThreadPoolExecutor, "submit"), refuse_threads, "can't start new thread.*ulimit -u"),
        ((os, "memfd_create"), no_descriptor, "operation not permitted"),
    ],
)
def test_a_process_that_cannot_start_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[object, str], value: object, message: str
) -> None:
    """Nor of all scans, which need none: the file waits. When it can start again, the file is split."""
    splitting = Splitting(tmp_path, pages(2))

    async def work(splitter: Splitter) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(*place, value)
            with pytest.raises(Blocked, match="cannot start the process that splits files into pages") as raised:
                await splitter.open()
        raised.match(f"(?s){message}")
        assert raised.value.remedy
        assert await splitter.open() == 2

    splitting.run(work)
