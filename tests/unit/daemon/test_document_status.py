"""What the status says of documents of several pages, and when ``once`` gives up waiting for one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.daemon.document_status import open_documents, written_documents
from ocrwatch.documents.delivery import DeliveredDocument, DocumentDelivery
from ocrwatch.errors import EnvironmentFault
from ocrwatch.intake.readiness import Unsettled
from ocrwatch.observe.activity import Calendar
from ocrwatch.observe.status_documents import OpenDocument, OpenDocuments
from ocrwatch.scan import ScanState
from tests.core import Core, running
from tests.eventually import eventually, run

FULL = EnvironmentFault("the outbox is full", "free some space")


class Incoming:
    """An inbox with files that are not complete."""

    def __init__(self, *paths: str) -> None:
        self._paths = paths

    def incomplete(self) -> Iterable[Unsettled]:
        """Yield them."""
        return (Unsettled(path, "incomplete", 0.0) for path in self._paths)


@contextlib.asynccontextmanager
async def gathering(folder: Path, **group: Any) -> AsyncIterator[Core]:
    """Run a core that makes documents."""
    profile = {"match": "**", "group": {"by": "name", "quiet": 3600.0, **group}}
    async with running(folder, profiles=[profile]) as core:
        writing = asyncio.ensure_future(core.documents.run())
        try:
            yield core
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await core.documents.writing.cancel()


def shown(core: Core, *incomplete: str) -> OpenDocuments:
    """Return what the status says."""
    return open_documents(core.documents, Incoming(*incomplete), Calendar())


async def deliver(core: Core, *paths: str) -> None:
    """Have pages read and delivered."""
    core.bring(*paths)
    for path in paths:
        assert await core.closed(path) is ScanState.DELIVERED


def test_a_document_is_shown_while_it_is_gathered(tmp_path: Path) -> None:
    """With its pages and the time at which it is complete; it waits for a page of its own that is not complete."""

    async def scenario() -> None:
        async with gathering(tmp_path) as core:
            assert shown(core) == OpenDocuments()
            await deliver(core, "scan_1.jpg", "scan_2.jpg")
            found = shown(core, "scan.txt", "other_1.jpg", "sub/scan_3.jpg")
            (document,) = found.first
            assert (found.count, document.name, document.folder, document.pages) == (1, "scan", "", 2)
            assert (document.on_their_way, document.missing, document.waits_for) == (
                0,
                0,
                "waits for scan.txt: it ends early",
            )
            (document,) = shown(core, "other_1.jpg", "sub/scan_3.jpg").first
            assert (document.complete_at, document.waits_for) != (None, "")
            (document,) = shown(core, "scan_3.jpg").first
            assert document == OpenDocument("scan", "", 2, waits_for="waits for scan_3.jpg: it ends early")

    run(scenario())


def test_fronts_are_shown_while_they_wait_for_their_backs(tmp_path: Path) -> None:
    """With their name; backs wait for what comes as well."""

    async def scenario() -> None:
        async with gathering(tmp_path, duplex="reversed", quiet=0.5) as core:
            core.documents.inbox = None
            await deliver(core, "front_1.jpg")
            assert shown(core).first[0].waits_for == "waits for further fronts"
            await eventually(lambda: shown(core).first[0].waits_for == "waits for the backs of front")
            await deliver(core, "back_1.jpg")
            waiting = {document.name: document.waits_for for document in shown(core).first}
            assert waiting == {"front": "waits for the backs of front", "back": "waits for further backs"}

    run(scenario())


def test_the_first_few_are_those_that_are_complete_soonest(tmp_path: Path) -> None:
    """All are counted."""

    async def scenario() -> None:
        async with gathering(tmp_path) as core:
            await deliver(core, *(f"pile{letter}_1.jpg" for letter in "abcdefg"))
            found = shown(core)
            assert found.count == 7
            assert [each.name for each in found.first] == [f"pile{letter}" for letter in "abcde"]

    run(scenario())


def test_a_document_of_pages_in_time_has_no_name_before_it_is_complete(tmp_path: Path) -> None:
    """Its first page gives it its name."""

    async def scenario() -> None:
        async with gathering(tmp_path, by="time") as core:
            await deliver(core, "sub/scan_1.jpg")
            assert [(each.name, each.folder) for each in shown(core).first] == [("", "sub")]

    run(scenario())


def test_a_document_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why it waits comes first; it lasts since the first refusal, and ends when the document is written."""
    real, is_full = DocumentDelivery.deliver, True

    def deliver_or_refuse(self: DocumentDelivery, document: int) -> DeliveredDocument | None:
        if is_full:
            raise FULL
        return real(self, document)

    monkeypatch.setattr(DocumentDelivery, "deliver", deliver_or_refuse)
    monkeypatch.setattr("ocrwatch.daemon.document_writing.FIRST_DELAY", 0.01)

    async def scenario() -> None:
        nonlocal is_full
        async with gathering(tmp_path) as core:
            documents = core.documents
            await deliver(core, "scan_1.jpg", "scan_2.jpg")
            assert documents.lasting_refusal(0.0) is None
            documents.end()
            await eventually(lambda: documents.writing.refusals, "the refusal")
            expected = OpenDocument("scan", "", 2, waits_for="waits: the outbox is full", remedy="free some space")
            assert shown(core) == OpenDocuments(1, [expected])
            await eventually(lambda: documents.lasting_refusal(0.1), "it lasts")
            assert documents.lasting_refusal(0.1) is FULL
            assert documents.lasting_refusal(60.0) is None
            await deliver(core, "other_1.jpg")
            # Another document is still gathered.
            assert documents.lasting_refusal(0.0) is None
            is_full = False
            documents.end()
            await eventually(lambda: documents.is_idle, "all are written")
            assert shown(core) == OpenDocuments()
            assert {(each.name, each.pages) for each in written_documents(core.ledger)} == {("scan", 2), ("other", 1)}
            assert documents.writing.unwritten == 0

    run(scenario())


def test_a_document_that_cannot_be_made_because_of_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, since a later run tries again."""

    def fail(_self: DocumentDelivery, _document: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(DocumentDelivery, "deliver", fail)

    async def scenario() -> None:
        async with gathering(tmp_path) as core:
            await deliver(core, "scan_1.jpg")
            core.documents.end()
            await eventually(lambda: core.documents.is_idle, "it was tried")
            assert core.documents.writing.unwritten == 1

    run(scenario())
