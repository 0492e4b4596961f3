"""Pages of a feeder become one document, however and in whichever order they come."""

from __future__ import annotations

import random
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.document_accounts import documents_in
from tests.feeder import Sheet, settings, stack, text_of
from tests.system.documents.feeding import check_accounts, feed, joined, stop, texts, wait_for_pages
from tests.system.dropping import files

_PIECES = 4
_ENDINGS = ("txt", "json", "pdf")


def test_pages_in_any_order_become_one_document_in_the_order_of_their_names(
    tmp_path: Path, engine: dict[str, str]
) -> None:
    """Page 2 comes before page 10 in the text, the JSON and the PDF; each page has sidecars of its own too."""
    sheets = stack("in/scan", range(1, 13))
    shuffled = sheets.copy()
    random.Random(4).shuffle(shuffled)
    with DaemonProcess(tmp_path, config=settings(), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, shuffled)
        document = joined(daemon, "in/scan")
        assert document.texts == document.txt == document.pdf == texts(*range(1, 13))
        assert document.paths == [sheet.path for sheet in sheets]
        assert (document.content["name"], document.content["grouped_by"]) == ("scan", "name")
        assert not document.content["review"]
        assert not document.content["review_reasons"]
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
        own = {sheet.path.removesuffix(".jpg") for sheet in sheets}
        assert files(daemon.outbox) == {f"{stem}.{ending}" for stem in own | {"in/scan"} for ending in _ENDINGS}
    check_accounts(tmp_path, sheets)


def test_pages_that_are_written_slowly_become_one_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """Each comes in pieces, and only when the one before was read: shorter gaps than ``quiet`` end no document."""
    sheets = stack("scan", range(1, 6))
    with DaemonProcess(tmp_path, config=settings(quiet="4s"), environment=engine) as daemon:
        daemon.wait_ready()
        for sheet in sheets:
            data = sheet.data
            size = -(-len(data) // _PIECES)
            with (daemon.inbox / sheet.path).open("wb", buffering=0) as file:
                for start in range(0, len(data), size):
                    file.write(data[start : start + size])
            wait_for_pages(daemon, [sheet])
        assert joined(daemon, "scan").texts == texts(1, 2, 3, 4, 5)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
    check_accounts(tmp_path, sheets)


def test_two_batches_at_once_become_two_documents(tmp_path: Path, engine: dict[str, str]) -> None:
    """Pages of two feeders come in turns into the same folder, and a third's into another folder."""
    letter, bill, other = stack("letter", [1, 2, 3], digits=3), stack("bill", [11, 12, 13]), stack("b/bill", [21, 22])
    with DaemonProcess(tmp_path, config=settings(), environment=engine) as daemon:
        daemon.wait_ready()
        for pair in zip(letter, bill, strict=True):
            feed(daemon.inbox, pair)
        feed(daemon.inbox, other)
        assert joined(daemon, "letter").texts == texts(1, 2, 3)
        assert joined(daemon, "bill").texts == texts(11, 12, 13)
        assert joined(daemon, "b/bill").texts == texts(21, 22)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 3
    check_accounts(tmp_path, [*letter, *bill, *other])


@pytest.mark.extended
def test_names_that_come_again_begin_another_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """The scanner begins to count anew while its last document is still open: the two are not mixed."""
    first, second = stack("scan", [1, 2, 3]), stack("scan", [11, 12, 13, 14])
    with DaemonProcess(tmp_path, config=settings(quiet="4s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, first)
        wait_for_pages(daemon, first)
        feed(daemon.inbox, second)
        assert joined(daemon, "scan").texts == texts(1, 2, 3)
        assert joined(daemon, "scan-2").texts == texts(11, 12, 13, 14)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 2
    check_accounts(tmp_path, [*first, *second])


def test_a_page_that_comes_late_begins_another_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """The document that was closed stays as it is; the log names the late page and the document."""
    sheets, late = stack("scan", [1, 2]), stack("scan", [3], first=3)
    with DaemonProcess(tmp_path, config=settings(quiet="1s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        before = joined(daemon, "scan").file("txt").read_bytes()
        feed(daemon.inbox, late)
        assert joined(daemon, "scan-2").texts == texts(3)
        event = daemon.wait_for("document.late", path="scan_3.jpg")
        assert event["after"] == "scan"
        stop(daemon)
        assert len(daemon.events("document.late")) == 1
        assert [event.get("after") for event in daemon.events("document.delivered")] == [None, "scan"]
        assert (daemon.outbox / "scan.txt").read_bytes() == before
    check_accounts(tmp_path, [*sheets, *late])


@pytest.mark.extended
def test_two_pages_with_the_same_bytes_are_both_in_the_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """A sheet that was printed twice is scanned twice; the second is read from the cache, and no page is missing."""
    sheets = stack("scan", [5, 6, 5, 6, 6])
    with DaemonProcess(tmp_path, config=settings(), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        document = joined(daemon, "scan")
        assert document.texts == document.txt == document.pdf == texts(5, 6, 5, 6, 6)
        stop(daemon)
    check_accounts(tmp_path, sheets)


@pytest.mark.extended
def test_a_name_that_is_taken_is_not_overwritten(tmp_path: Path, engine: dict[str, str]) -> None:
    """All files of the document get the next free stem, also if only one of the names is taken."""
    sheets = stack("scan", [1, 2])
    taken = tmp_path / "outbox" / "scan.pdf"
    taken.parent.mkdir()
    taken.write_bytes(b"mine")
    with DaemonProcess(tmp_path, config=settings(), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        document = joined(daemon, "scan-2")
        assert document.texts == document.pdf == texts(1, 2)
        stop(daemon)
        assert taken.read_bytes() == b"mine"
        assert not {"scan.txt", "scan.json"} & files(daemon.outbox)
        taken.unlink()
    check_accounts(tmp_path, sheets)


def test_all_pages_of_a_folder_become_one_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """With ``by = "folder"`` it is named like the folder, whatever its pages are called."""
    sheets = [Sheet("case 7/letter.jpg", 3), Sheet("case 7/a10.jpg", 2), Sheet("case 7/a9.jpg", 1)]
    other, top = [Sheet("case 8/letter.jpg", 4)], [Sheet("x.jpg", 5), Sheet("y.jpg", 6)]
    with DaemonProcess(tmp_path, config=settings(by="folder"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, [*sheets, *other, *top])
        document = joined(daemon, "case 7/case 7")
        assert (document.texts, document.content["grouped_by"]) == (texts(1, 2, 3), "folder")
        assert joined(daemon, "case 8/case 8").texts == texts(4)
        assert joined(daemon, "document").texts == texts(5, 6)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 3
    check_accounts(tmp_path, [*sheets, *other, *top])


@pytest.mark.extended
def test_pages_that_come_together_become_one_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """With ``by = "time"`` a pause ends a document, which is named after its first page."""
    first = [Sheet("img a.jpg", 1), Sheet("img b.jpg", 2), Sheet("other.jpg", 3)]
    second = [Sheet("img c.jpg", 4), Sheet("img d.jpg", 5)]
    with DaemonProcess(tmp_path, config=settings(by="time"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, first)
        document = joined(daemon, "img a-document")
        assert (document.texts, document.content["grouped_by"]) == (texts(1, 2, 3), "time")
        feed(daemon.inbox, second)
        assert joined(daemon, "img c-document").texts == texts(4, 5)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 2
    check_accounts(tmp_path, [*first, *second])


@pytest.mark.extended
def test_pages_without_a_counter_are_documents_of_one_page(tmp_path: Path, engine: dict[str, str]) -> None:
    """Names that have nothing to count are not joined to others, and no page loses its own sidecars."""
    sheets = [Sheet("letter.jpg", 1), Sheet("bill.jpg", 2)]
    with DaemonProcess(tmp_path, config=settings(), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        daemon.wait_for("document.delivered", count=2)
        stop(daemon)
        documents = documents_in(daemon.outbox).values()
        assert sorted(document.texts for document in documents) == [texts(1), texts(2)]
    check_accounts(tmp_path, sheets)


@pytest.mark.extended
def test_pages_of_other_profiles_are_in_no_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """Only the profile with a table ``group`` joins its pages."""
    grouped, single = stack("feeder/scan", [1, 2]), stack("flatbed/scan", [3, 4])
    config = settings().replace('match = "**"', 'match = "feeder/**"')
    with DaemonProcess(tmp_path, config=config, environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, [*single, *grouped])
        assert joined(daemon, "feeder/scan").texts == texts(1, 2)
        wait_for_pages(daemon, single)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
    check_accounts(tmp_path, [*grouped, *single], left_out={sheet.path for sheet in single})


@pytest.mark.extended
def test_a_document_is_not_closed_before_it_was_quiet_for_so_long(tmp_path: Path, engine: dict[str, str]) -> None:
    """Its pages are delivered at once, and it waits for further ones as long as ``quiet`` says."""
    sheets = stack("scan", [1, 2])
    with DaemonProcess(tmp_path, config=settings(quiet="3s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets[:1])
        last_came = time.time()
        feed(daemon.inbox, sheets[1:])
        wait_for_pages(daemon, sheets)
        event = daemon.wait_for("document.delivered")
        assert datetime.fromisoformat(event["time"]).timestamp() - last_came >= 3
        stop(daemon)
    check_accounts(tmp_path, sheets)


def test_the_document_has_the_text_of_its_pages(tmp_path: Path, engine: dict[str, str]) -> None:
    """Between two pages of the text is a form feed, and nothing at its beginning or end."""
    sheets = stack("scan", [1, 2, 3])
    with DaemonProcess(tmp_path, config=settings("txt", "json"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        text = joined(daemon, "scan").file("txt").read_text()
        assert text == "\f".join(f"{text_of(number)}\n" for number in (1, 2, 3))
        stop(daemon)
    check_accounts(tmp_path, sheets)
