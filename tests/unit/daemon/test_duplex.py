"""Fronts and backs on their way through a run, and what a stop or a kill leaves of them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.events import Event
from ocrwatch.executors.ipc import Job
from ocrwatch.ledger import StackState
from tests.core import Core
from tests.eventually import eventually, run
from tests.fake_executor import echo
from tests.unit.daemon.test_documents import grouping, states, texts

DUPLEX = {"duplex": "reversed"}
BOTH = ["front_1.jpg\n", "back_2.jpg\n", "front_2.jpg\n", "back_1.jpg\n"]


async def wait_for_fronts(core: Core) -> None:
    """Wait until the ledger has that fronts wait for their backs."""
    await eventually(lambda: [entry.state for entry in core.ledger.stacks.unfinished()] == [StackState.WAITING])


async def delivered(heard: list[Event], core: Core, count: int = 1) -> list[Any]:
    """Wait until so many documents are delivered, and nothing else is gathered; return their events."""
    await eventually(lambda: len(heard) >= count and core.documents.is_idle)
    assert len(heard) == count
    return list(heard)


def test_fronts_wait_for_their_backs(tmp_path: Path) -> None:
    """The document comes when both are complete, and is in turns."""

    async def scenario() -> None:
        async with grouping(tmp_path, group=DUPLEX) as (core, heard):
            core.bring("front_1.jpg", "front_2.jpg")
            await wait_for_fronts(core)
            assert heard == []
            core.bring("back_1.jpg", "back_2.jpg")
            (event,) = await delivered(heard, core)
            assert texts(core, "front") == BOTH
            assert (event.pages, event.review, event.closed_by) == (4, None, "quiet")

    run(scenario())
    assert states(tmp_path) == [StackState.DONE, StackState.DONE]


def test_a_restart_continues_to_wait_for_backs(tmp_path: Path) -> None:
    """Pages that come after it are another pile, though their names go on."""

    async def first() -> None:
        async with grouping(tmp_path, group=DUPLEX) as (core, heard):
            core.bring("scan_1.jpg", "scan_2.jpg")
            await wait_for_fronts(core)
            assert heard == []

    async def second() -> None:
        async with grouping(tmp_path, group=DUPLEX) as (core, heard):
            core.bring("scan_3.jpg", "scan_4.jpg")
            (event,) = await delivered(heard, core)
            assert texts(core, "scan") == ["scan_1.jpg\n", "scan_4.jpg\n", "scan_2.jpg\n", "scan_3.jpg\n"]
            assert event.review is None

    run(first())
    run(second())


def test_pages_that_were_not_read_before_a_kill_come_to_their_pile(tmp_path: Path) -> None:
    """The fronts were closed before it, and the first of their backs was delivered."""

    async def killed() -> None:
        async def act(job: Job) -> Any:
            if job.request.path in {b"scan_2.jpg", b"scan_4.jpg"}:
                await asyncio.Event().wait()
            return await echo(job)

        async with grouping(tmp_path, group=DUPLEX, act=act) as (core, heard):
            core.executor._capacity = 3
            core.bring("scan_1.jpg", "scan_2.jpg")
            await wait_for_fronts(core)
            core.bring("scan_3.jpg", "scan_4.jpg")
            await eventually(lambda: core.ledger.totals().get("delivered") == 2)
            assert heard == []

    async def again() -> None:
        async with grouping(tmp_path, group=DUPLEX) as (core, heard):
            (event,) = await delivered(heard, core)
            assert texts(core, "scan") == ["scan_1.jpg\n", "scan_4.jpg\n", "scan_2.jpg\n", "scan_3.jpg\n"]
            assert event.review is None

    run(killed())
    run(again())


def test_fronts_without_backs_are_written_in_the_end(tmp_path: Path) -> None:
    """They are marked for review; pages that come then are the next pile."""

    async def scenario() -> None:
        async with grouping(tmp_path, group={**DUPLEX, "duplex_wait": "1s"}) as (core, heard):
            core.bring("scan_1.jpg", "scan_2.jpg")
            (event,) = await delivered(heard, core)
            assert event.review_reasons == ("duplex: 2 fronts and no backs",)
            core.bring("scan_3.jpg")
            (_, event) = await delivered(heard, core, 2)
            assert event.review_reasons == ("duplex: 1 front and no backs",)

    run(scenario())


def test_once_pairs_what_it_has(tmp_path: Path) -> None:
    """It waits for no backs."""

    async def scenario() -> None:
        async with grouping(tmp_path, group={**DUPLEX, "quiet": "1h"}) as (core, heard):
            paths = ("next_1.jpg", "back_1.jpg", "back_2.jpg", "front_1.jpg", "front_2.jpg")
            for age, path in enumerate(paths):
                os.utime(core.folders.put(path, ""), (1e9 - age, 1e9 - age))
            core.take(*sorted(paths))
            await core.idle()
            core.documents.end()
            events = await delivered(heard, core, 2)
            assert texts(core, "front") == BOTH
            assert [event.closed_by for event in events] == ["end", "end"]
            reasons = {event.document: event.review_reasons for event in events}
            assert reasons == {"front": None, "next": ("duplex: 1 front and no backs",)}

    run(scenario())


def test_backs_wait_until_the_ledger_has_their_fronts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill would otherwise make them pages of the fronts; while it refuses, nothing of them is delivered."""
    monkeypatch.setattr("ocrwatch.backoff.FIRST_DELAY", 0.05)

    async def scenario() -> None:
        async with grouping(tmp_path, group=DUPLEX) as (core, heard):
            hold, held = core.ledger.stacks.hold, asyncio.Event()

            def refused(*stack: Any) -> None:
                if not held.is_set():
                    raise EnvironmentFault("the ledger is on a full disk")
                hold(*stack)

            monkeypatch.setattr(core.ledger.stacks, "hold", refused)
            core.bring("scan_1.jpg")
            await core.idle()
            core.bring("scan_1.jpg", data="the back")
            await eventually(lambda: core.backoff)
            assert core.ledger.totals().get("delivered") == 1
            held.set()
            await delivered(heard, core)
            assert texts(core, "scan") == ["scan_1.jpg\n", "the back\n"]

    run(scenario())
