"""A scanner that scans one side only: all fronts, then all backs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.document_accounts import documents_in, parts_in
from tests.feeder import Sheet, settings, stack
from tests.system.documents.feeding import FINE, check_accounts, feed, joined, stop, texts, wait_for_pages
from tests.waiting import until

DUPLEX = 'duplex = "reversed"\n'


def test_a_pile_that_is_turned_over_becomes_one_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """Killed between fronts and backs; the numbers go on, and a blank back is left out, archived and named."""
    fronts = stack("scan", [1, 3, 5])
    backs = [Sheet("scan_4.jpg", 6), Sheet("scan_5.jpg", 0, "blank"), Sheet("scan_6.jpg", 2)]
    config = settings(quiet="1s", blank="drop") + DUPLEX
    with DaemonProcess(tmp_path, config=config, environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, fronts)
        until(lambda: _waits(daemon) == ["waits for the backs of scan"], 20, "fronts wait for their backs")
        daemon.kill()
    assert parts_in(tmp_path / "state")
    with DaemonProcess(tmp_path, environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, backs)
        document = joined(daemon, "scan")
        assert document.texts == document.txt == document.pdf == texts(1, 2, 3, 5, 6)
        assert [each["path"] for each in document.content["dropped"]] == ["scan_5.jpg"]
        assert document.content["review_reasons"] == []
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
    check_accounts(tmp_path, [*fronts, *backs], left_out={"scan_5.jpg"})


def _waits(daemon: DaemonProcess) -> list[str]:
    """Return what the documents wait for, as the status says."""
    try:
        status = json.loads((daemon.state / "status.json").read_text())
    except FileNotFoundError:
        return []
    return [document["waits_for"] for document in status["documents"]]


@pytest.mark.extended
def test_unequal_piles_are_two_documents(tmp_path: Path, engine: dict[str, str]) -> None:
    """Both are marked for review; the next two piles of the same names are a pair."""
    fronts, backs = stack("front", [1, 3, 5]), stack("back", [4, 2])
    with DaemonProcess(tmp_path, config=settings(quiet="1s") + DUPLEX, environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, fronts)
        wait_for_pages(daemon, fronts)
        feed(daemon.inbox, backs)
        assert joined(daemon, "front").texts == texts(1, 3, 5)
        assert joined(daemon, "back").texts == texts(4, 2)
        for event in daemon.events("document.delivered"):
            assert event["review_reasons"] == ["duplex: 3 fronts and 2 backs"]
        stop(daemon)
    check_accounts(tmp_path, [*fronts, *backs])


@pytest.mark.extended
def test_once_pairs_piles_that_lie_there(tmp_path: Path, engine: dict[str, str]) -> None:
    """The older pile has the fronts, though its names come later."""
    fronts, backs = stack("front", [1, 3]), stack("back", [2, 4])
    for age, pile in enumerate((backs, fronts)):
        feed(tmp_path / "inbox", pile)
        for sheet in pile:
            os.utime(tmp_path / "inbox" / sheet.path, (1e9 - age, 1e9 - age))
    config = settings(quiet="1h") + 'duplex = "same"\n'
    answer = run_ocrwatch(tmp_path, "once", config=config, environment=engine)
    assert answer.returncode == FINE, answer.stderr
    documents = documents_in(tmp_path / "outbox")
    assert {stem: document.txt for stem, document in documents.items()} == {"front": texts(1, 2, 3, 4)}
    check_accounts(tmp_path, [*fronts, *backs])
