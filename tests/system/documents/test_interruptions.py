"""``once``, restarts, kills and a full outbox: there is one right document in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.document_accounts import documents_in, parts_in
from tests.feeder import settings, stack
from tests.system.disks import disk_for
from tests.system.documents.feeding import (
    FINE,
    LONG,
    QUARANTINED,
    check_accounts,
    feed,
    joined,
    stop,
    texts,
    wait_for_pages,
)
from tests.system.dropping import files

_KILLS = 4


def test_once_joins_what_is_there(tmp_path: Path, engine: dict[str, str]) -> None:
    """It does not wait for ``quiet``: when nothing is left to read, all documents are complete."""
    letter, bill = stack("letter", range(1, 12)), stack("sub/bill", [21, 22])
    feed(tmp_path / "inbox", [*reversed(letter), *bill])
    answer = run_ocrwatch(tmp_path, "once", config=settings(quiet=LONG), environment=engine)
    assert answer.returncode == FINE, answer.stderr
    documents = documents_in(tmp_path / "outbox")
    assert {stem: document.txt for stem, document in documents.items()} == {
        "letter": texts(*range(1, 12)),
        "sub/bill": texts(21, 22),
    }
    assert answer.stderr.count('"event": "document.delivered"') == 2
    check_accounts(tmp_path, [*letter, *bill])


def test_what_comes_after_a_restart_belongs_to_the_same_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """It was stopped after the first pages; further ones came before and after the next start."""
    sheets = stack("scan", [1, 2, 3, 4, 5, 6])
    with DaemonProcess(tmp_path, config=settings(quiet="6s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets[:3])
        wait_for_pages(daemon, sheets[:3])
        stop(daemon)
        assert not daemon.events("document.delivered")
    feed(tmp_path / "inbox", sheets[4:5])
    with DaemonProcess(tmp_path, environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, [sheets[3], sheets[5]])
        document = joined(daemon, "scan")
        assert document.texts == document.txt == document.pdf == texts(1, 2, 3, 4, 5, 6)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
        assert not daemon.events("document.late")
    check_accounts(tmp_path, sheets)


@pytest.mark.extended
def test_a_document_that_nothing_more_comes_for_is_closed_after_a_restart(
    tmp_path: Path, engine: dict[str, str]
) -> None:
    """All pages had come when it was stopped; without any further event the document is delivered by the next run."""
    sheets = stack("scan", [1, 2, 3])
    with DaemonProcess(tmp_path, config=settings(quiet="4s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        wait_for_pages(daemon, sheets)
        stop(daemon)
        assert not daemon.events("document.delivered")
        assert parts_in(daemon.state)
    with DaemonProcess(tmp_path, environment=engine) as daemon:
        assert joined(daemon, "scan").pdf == texts(1, 2, 3)
        stop(daemon)
    check_accounts(tmp_path, sheets)


@pytest.mark.parametrize("on_success", ["delete", pytest.param("archive", marks=pytest.mark.extended)])
def test_killed_while_it_gathers_it_loses_no_page(tmp_path: Path, engine: dict[str, str], on_success: str) -> None:
    """``kill -9`` again and again while the pages are read: one document has them all, each once."""
    sheets = stack("scan", range(1, 21))
    top = f'on_success = "{on_success}"'
    config = settings(quiet=LONG, top=top, more="[workers]\ncount = 1")
    feed(tmp_path / "inbox", sheets)
    for _ in range(_KILLS):
        with DaemonProcess(tmp_path, config=config, environment=engine) as daemon:
            daemon.wait_for("scan.delivered", count=3)
            daemon.kill()
    answer = run_ocrwatch(tmp_path, "once", environment=engine)
    assert answer.returncode == FINE, answer.stderr
    document = documents_in(tmp_path / "outbox")["scan"]
    assert document.texts == document.txt == document.pdf == texts(*range(1, 21))
    check_accounts(tmp_path, sheets, on_success=on_success)


def test_a_document_waits_for_space_in_the_outbox(tmp_path: Path, engine: dict[str, str]) -> None:
    """The disk is full when it is to be delivered: nothing half done is seen, and it comes when there is space."""
    sheets = stack("scan", [1, 2, 3])
    with (
        disk_for(tmp_path / "outbox"),
        DaemonProcess(tmp_path, config=settings(quiet="5s"), environment=engine) as daemon,
    ):
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        wait_for_pages(daemon, sheets)
        filler = daemon.outbox / "filler"
        _fill(filler)
        assert not daemon.events("document.delivered")
        waiting = daemon.wait_for("document.waiting", document="scan")
        assert "no space left" in waiting["reason"]
        assert {name for name in files(daemon.outbox) if name.startswith("scan.")} == set()
        assert not daemon.events("document.delivered")
        filler.unlink()
        assert joined(daemon, "scan").pdf == texts(1, 2, 3)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
        check_accounts(tmp_path, sheets)


def _fill(path: Path) -> None:
    """Take all the space there is."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 12)):
                pass
        except OSError:
            return


@pytest.mark.extended
def test_once_does_not_wait_for_an_incomplete_page(tmp_path: Path, engine: dict[str, str]) -> None:
    """It is missing in the document, as one that cannot be read; when it is complete the document is written anew."""
    sheets = stack("scan", [1, 2, 3])
    feed(tmp_path / "inbox", sheets[:2])
    half = tmp_path / "inbox" / sheets[2].path
    half.write_bytes(sheets[2].data[:1000])
    answer = run_ocrwatch(tmp_path, "once", config=settings(), environment=engine)
    assert answer.returncode == QUARANTINED
    document = documents_in(tmp_path / "outbox")["scan"]
    assert (document.texts, document.missing) == (texts(1, 2, 0), ["scan_3.jpg"])
    assert document.content["review"]
    half.write_bytes(sheets[2].data)
    answer = run_ocrwatch(tmp_path, "once", environment=engine)
    assert answer.returncode == FINE, answer.stderr
    assert documents_in(tmp_path / "outbox")["scan-2"].pdf == texts(1, 2, 3)
    assert not files(tmp_path / "inbox")
    check_accounts(tmp_path, sheets, replaced={"scan"})


def test_a_page_that_is_still_being_written_keeps_its_document_open(tmp_path: Path, engine: dict[str, str]) -> None:
    """Its other pages wait for it longer than ``quiet``, but no other document does."""
    sheets, later = stack("scan", [1, 2, 3]), stack("later", [4])
    with DaemonProcess(tmp_path, config=settings(quiet="1s"), environment=engine) as daemon:
        daemon.wait_ready()
        with (daemon.inbox / sheets[2].path).open("wb", buffering=0) as file:
            file.write(sheets[2].data[:1000])
            feed(daemon.inbox, sheets[:2])
            wait_for_pages(daemon, sheets[:2])
            feed(daemon.inbox, later)
            joined(daemon, "later")
            assert len(daemon.events("document.delivered")) == 1
            file.write(sheets[2].data[1000:])
        assert joined(daemon, "scan").txt == texts(1, 2, 3)
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 2
    check_accounts(tmp_path, [*sheets, *later])
