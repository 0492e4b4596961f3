"""The pages of documents on their way through a run: what is waited for, and what a stop or a restart leaves."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.backoff import Cause
from ocrwatch.document import UNPLACED, Code, Page
from ocrwatch.documents.joiner import Joiner
from ocrwatch.errors import Blocked, EnvironmentFault, Truncated
from ocrwatch.events import DocumentDelivered, DocumentFailed, DocumentWaiting, Event, subscribe
from ocrwatch.executors.ipc import Job
from ocrwatch.intake.readiness import Unsettled
from ocrwatch.ledger import Ledger, StackState
from tests.core import Core, running
from tests.eventually import eventually, run
from tests.fake_executor import echo
from tests.several_pages import tiff_of
from tests.unit.documents.pile import Here

QUIET = 0.5


@dataclass
class Inbox:
    """What intake knows; all of it, unless the test says otherwise."""

    tracked: list[str] = field(default_factory=list)
    stuck: list[Unsettled] = field(default_factory=list)
    known_until: float = float("inf")

    def paths(self) -> Iterator[str]:
        """Yield all paths."""
        return iter(self.tracked)

    def incomplete(self) -> Iterator[Unsettled]:
        """Yield those that do not become complete."""
        return iter(self.stuck)


class Gate:
    """Reads scans when the test lets it."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, job: Job) -> Page:
        """Wait, and read."""
        await self.opened.wait()
        return await echo(job)


@asynccontextmanager
async def grouping(root: Path, **options: Any) -> AsyncIterator[tuple[Core, list[Event]]]:
    """Run a core that makes documents, and note what it says of them."""
    by = options.pop("by", "name")
    profile = {"match": "**", "group": {"by": by, "quiet": f"{QUIET}s", **options.pop("group", {})}}
    heard: list[Event] = []
    unsubscribes = [subscribe(heard.append, kind) for kind in (DocumentDelivered, DocumentWaiting, DocumentFailed)]
    options.setdefault("settle", {"give_up_after": "1s"})
    async with running(root, profiles=[profile], **options) as core:
        core.documents.inbox = Inbox()
        core.documents._delivery._joiner = Here()
        await core.documents.restore()
        core.recover()
        service = asyncio.ensure_future(core.documents.run())
        try:
            yield core, heard
        finally:
            service.cancel()
            await asyncio.gather(service, return_exceptions=True)
            for unsubscribe in unsubscribes:
                unsubscribe()


def texts(core: Core, name: str) -> list[str]:
    """Return the texts of the pages of a document."""
    return (core.folders.outbox / f"{name}.txt").read_text().split("\f")


def states(folder: Path) -> list[StackState]:
    """Return the states of all stacks in a ledger that is closed."""
    ledger = Ledger(folder / "state")
    found = [StackState(row[0]) for row in ledger.db.execute("SELECT state FROM stacks ORDER BY id")]
    ledger.close()
    return found


def test_pages_become_a_document_when_no_more_come(tmp_path: Path) -> None:
    """Each is delivered as ever before; the document waits for the quiet time."""

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            core.bring("scan_10.jpg", "scan_9.jpg")
            await core.idle()
            assert heard == []
            core.bring("scan_11.jpg")
            await eventually(lambda: heard)
            assert texts(core, "scan") == ["scan_9.jpg\n", "scan_10.jpg\n", "scan_11.jpg\n"]
            await eventually(lambda: core.documents.is_idle)

    run(scenario())
    assert states(tmp_path) == [StackState.DONE]


def test_a_stop_in_the_middle_of_a_pile_closes_no_stack(tmp_path: Path) -> None:
    """Pages that are not read in this run belong to it; the next run reads them and makes one document."""

    async def stopped() -> None:
        gate = Gate()
        async with grouping(tmp_path, act=gate) as (core, heard):
            core.bring("scan_1.jpg", "scan_2.jpg", "scan_3.jpg")
            await asyncio.sleep(QUIET)
            gate.opened.set()
            await eventually(lambda: core.ledger.totals().get("delivered"))
            core.documents.stop()
            core.pipeline.stop()
            await eventually(lambda: not len(core.scans))
            assert heard == []

    async def again() -> None:
        async with grouping(tmp_path) as (core, heard):
            await eventually(lambda: heard)
            assert len(texts(core, "scan")) == 3

    run(stopped())
    run(again())


def test_a_restart_continues_a_stack(tmp_path: Path) -> None:
    """Its quiet time begins anew, and it is closed without a further page."""

    async def first() -> None:
        async with grouping(tmp_path) as (core, _):
            core.bring("scan_1.jpg")
            await core.idle()

    async def second() -> None:
        began = time.monotonic()
        async with grouping(tmp_path) as (core, heard):
            await eventually(lambda: heard)
            assert time.monotonic() - began >= QUIET
            assert texts(core, "scan") == ["scan_1.jpg\n"]

    run(first())
    run(second())


def test_a_file_that_is_not_complete_is_waited_for_and_then_named(tmp_path: Path) -> None:
    """One that never is holds up no document for good."""

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            arriving = Inbox(["scan_2.jpg"], [Unsettled("scan_2.jpg", "truncated", time.monotonic())])
            core.documents.inbox = arriving
            core.bring("scan_1.jpg")
            began = time.monotonic()
            await eventually(lambda: heard)
            assert time.monotonic() - began > QUIET + 1.0
            assert texts(core, "scan")[1].startswith("[page 2 of 2 (scan_2.jpg) is missing: its file was not complete")

    run(scenario())


def test_a_page_that_returns_to_intake_keeps_its_place(tmp_path: Path) -> None:
    """It was damaged shortly after its last change: its writer may still be at work."""

    async def scenario() -> None:
        async def act(job: Job) -> Page:
            if job.request.path == b"scan_2.jpg" and "truncated" in core.heard.doubted:
                await asyncio.sleep(QUIET + 0.5)
                raise Truncated("it ends early")
            return await echo(job)

        async with grouping(tmp_path, act=act) as (core, heard):
            inbox = core.documents.inbox = Inbox()
            core.heard.doubted.add("truncated")
            core.bring("scan_1.jpg", "scan_2.jpg", "scan_3.jpg")
            inbox.tracked = ["scan_2.jpg"]
            await eventually(lambda: core.heard.ends["scan_2.jpg"])
            await asyncio.sleep(0.5)
            assert heard == []
            core.heard.doubted.clear()
            core.take("scan_2.jpg")
            await eventually(lambda: heard)
            assert texts(core, "scan") == ["scan_1.jpg\n", "scan_2.jpg\n", "scan_3.jpg\n"]

    run(scenario())


def test_files_of_another_profile_are_not_waited_for(tmp_path: Path) -> None:
    """They are in the same folder, and are read by themselves."""

    async def scenario() -> None:
        async with grouping(tmp_path, by="folder") as (core, heard):
            profiles = [{"match": "*.tif"}, *(profile.model_dump() for profile in core.settings.profiles)]
            core.documents.settings = core.folders.settings(profiles=profiles)
            core.documents.inbox = Inbox(["other.tif"])
            core.bring("scan_1.jpg")
            await eventually(lambda: heard)

    run(scenario())


def test_files_of_several_pages_are_not_waited_for(tmp_path: Path) -> None:
    """They are documents of their own, and one of them may be read for an hour, or be blocked."""

    async def scenario() -> None:
        async with grouping(tmp_path, by="folder") as (core, heard):
            core.documents.inbox = Inbox(["fax.tif"])
            core.bring("scan_1.jpg")
            await core.closed("scan_1.jpg")
            core.executor.act = Gate()
            (core.folders.inbox / "fax.tif").write_bytes(tiff_of((1, 2)))
            core.take("fax.tif")
            await eventually(lambda: heard)
            assert not core.heard.ends["fax.tif"]

    run(scenario())


def test_no_stack_is_closed_in_a_pause_of_the_inbox(tmp_path: Path) -> None:
    """What it expects is not known then."""

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            core.bring("scan_1.jpg")
            await core.idle()
            core.backoff.record(Cause.INBOX, EnvironmentFault("the inbox is away"), time.monotonic(), at_least=60.0)
            await asyncio.sleep(QUIET + 0.5)
            assert heard == []
            core.backoff.resolve(Cause.INBOX)
            await eventually(lambda: heard)

    run(scenario())


def test_files_of_another_name_are_not_waited_for(tmp_path: Path) -> None:
    """They belong to another document."""

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            core.documents.inbox = Inbox(["other_2.jpg", "sub/scan_2.jpg"])
            core.bring("scan_1.jpg")
            await eventually(lambda: heard)

    run(scenario())


def test_no_stack_is_closed_before_the_inbox_was_looked_at(tmp_path: Path) -> None:
    """While a share is away, or until the next rescan, further pages may lie there."""

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            inbox = core.documents.inbox = Inbox(known_until=0.0)
            core.bring("scan_1.jpg")
            await core.idle()
            await asyncio.sleep(QUIET + 0.5)
            assert heard == []
            inbox.known_until = float("inf")
            await eventually(lambda: heard)

    run(scenario())


def test_a_blocked_page_comes_into_the_document_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is written without it, and anew when it can be moved."""
    monkeypatch.setattr("ocrwatch.daemon.pipeline.BLOCKED_DELAY", 2.0)

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            steps = core.deliverer._steps
            claim = steps.claim

            def refused(plan: Any, *, first: bool) -> bool:
                if plan.path == "scan_2.jpg" and not heard:
                    raise Blocked("it is open", "close it")
                return claim(plan, first=first)

            monkeypatch.setattr(steps, "claim", refused)
            core.bring("scan_1.jpg", "scan_2.jpg")
            await eventually(lambda: heard)
            assert "could not be moved out of the inbox" in texts(core, "scan")[1]
            await eventually(lambda: len(heard) > 1)
            assert texts(core, "scan-2") == ["scan_1.jpg\n", "scan_2.jpg\n"]

    run(scenario())


def test_a_refused_document_is_tried_again_and_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pages are delivered, and other documents do not wait for it."""
    monkeypatch.setattr("ocrwatch.daemon.document_writing.FIRST_DELAY", 0.05)

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            joiner = core.documents._delivery._joiner
            join, refusals = joiner.join, [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) for _ in range(3)]

            def refused(job: Any, descriptors: Any) -> Any:
                if job.document.name == "scan" and refusals:
                    raise refusals.pop()
                return join(job, descriptors)

            monkeypatch.setattr(joiner, "join", refused)
            core.bring("scan_1.jpg", "other_1.jpg")
            await eventually(lambda: len(heard) > 2)
            kinds = sorted(type(event).__name__ for event in heard)
            assert kinds == ["DocumentDelivered", "DocumentDelivered", "DocumentWaiting"]
            assert isinstance(heard[-1], DocumentDelivered)
            assert heard[-1].document == "scan"

    run(scenario())


def test_a_bug_in_one_document_is_said_and_another_start_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are written; what the document needs is kept."""

    async def first() -> None:
        async with grouping(tmp_path) as (core, heard):
            joiner = core.documents._delivery._joiner
            join = joiner.join

            def broken(job: Any, descriptors: Any) -> Any:
                if job.document.name == "scan":
                    raise ZeroDivisionError
                return join(job, descriptors)

            monkeypatch.setattr(joiner, "join", broken)
            core.bring("scan_1.jpg", "other_1.jpg")
            await eventually(lambda: len(heard) > 1)
            assert {type(event).__name__ for event in heard} == {"DocumentFailed", "DocumentDelivered"}
            await eventually(lambda: core.documents.is_idle)

    async def second() -> None:
        async with grouping(tmp_path) as (core, heard):
            await eventually(lambda: heard)
            assert texts(core, "scan") == ["scan_1.jpg\n"]
            await eventually(lambda: core.documents.is_idle)

    run(first())
    assert sorted(states(tmp_path)) == [StackState.CLOSED, StackState.DONE]
    run(second())
    assert states(tmp_path) == [StackState.DONE, StackState.DONE]


def test_a_ledger_that_refuses_a_stack_costs_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page waits with its text."""
    monkeypatch.setattr("ocrwatch.backoff.FIRST_DELAY", 0.05)

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            begin, refusals = core.ledger.stacks.begin, [EnvironmentFault("the ledger is on a full disk")] * 2

            def refused(*stack: Any) -> int:
                if refusals:
                    raise refusals.pop()
                return begin(*stack)

            monkeypatch.setattr(core.ledger.stacks, "begin", refused)
            core.bring("scan_1.jpg")
            await eventually(lambda: heard)
            assert core.row("scan_1.jpg").attempts == 1
            assert not core.backoff

    run(scenario())


def test_pages_with_the_same_bytes_are_all_in_the_document(tmp_path: Path) -> None:
    """Forms are printed alike, whatever becomes of duplicates otherwise."""

    async def scenario() -> None:
        async with grouping(tmp_path, intake={"duplicates": "archive"}) as (core, heard):
            core.bring("scan_1.jpg", "scan_2.jpg", data="form")
            await eventually(lambda: heard)
            assert texts(core, "scan") == ["form\n", "form\n"]

    run(scenario())


def test_a_separator_sheet_names_the_profile_of_what_is_behind_it(tmp_path: Path) -> None:
    """The event has its name, and what was decided when the sheet was read."""

    async def act(job: Job) -> Page:
        page = await echo(job)
        text = "ocrwatch:separator:invoices"
        return replace(page, codes=(Code("qr", text, UNPLACED, (0.0,) * 8),) if job.request.path == b"b.jpg" else ())

    async def scenario() -> None:
        async with grouping(tmp_path, by="separator", act=act) as (core, heard):
            named = {"match": "none/**", "name": "invoices", "output": {"formats": ["json"]}}
            profiles = [named, *(profile.model_dump() for profile in core.settings.profiles)]
            core.documents.settings = core.folders.settings(profiles=profiles, output={"formats": ["json", "txt"]})
            core.bring("a.jpg", "b.jpg", "c.jpg")
            await eventually(lambda: len(heard) == 2)
            found = {event.document: (event.profile, event.review_reasons) for event in heard}  # type: ignore[attr-defined]
            # Its pages have no JSON, since their own profile says so.
            reasons = ("the separator sheet b.jpg names a profile with none of the formats that its pages have",)
            assert found == {"a-document": ("**", None), "c-document": ("invoices", reasons)}

    run(scenario())


def test_originals_are_deleted_with_their_document(tmp_path: Path) -> None:
    """Until then they are in the archive."""

    async def scenario() -> None:
        async with grouping(tmp_path, on_success="delete") as (core, heard):
            core.bring("scan_1.jpg", "scan_2.jpg")
            await core.idle()
            assert len(list(core.folders.archive.iterdir())) == 2
            await eventually(lambda: heard)
            await eventually(lambda: not list(core.folders.archive.iterdir()))

    run(scenario())


def test_a_hung_process_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its disk may not answer: it is tried again, and other documents do not wait for it for ever."""
    monkeypatch.setattr("ocrwatch.documents.joiner._SECONDS", 0.5)
    monkeypatch.setattr("ocrwatch.documents.joiner._SECONDS_A_PAGE", 0.0)
    monkeypatch.setattr("ocrwatch.documents.joiner.MODULE", "tests.unit.daemon.hanging")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))

    async def scenario() -> None:
        async with grouping(tmp_path) as (core, heard):
            core.documents._delivery._joiner = Joiner()
            core.bring("scan_1.jpg")
            await eventually(lambda: heard)
            assert isinstance(heard[0], DocumentWaiting)
            assert "did not end in time" in heard[0].reason

    run(scenario())
