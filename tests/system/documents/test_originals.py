"""What becomes of the originals of pages while their document waits, and afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.document_accounts import documents_in
from tests.feeder import settings, stack
from tests.system.documents.feeding import FINE, LONG, check_accounts, feed, joined, stop, texts, wait_for_pages
from tests.system.dropping import files
from tests.waiting import until

DELETE = 'on_success = "delete"'
KEEP = 'on_success = "keep"'


def test_originals_are_deleted_when_their_document_is_there(tmp_path: Path, engine: dict[str, str]) -> None:
    """Until then they lie in the archive, also over a restart."""
    sheets = stack("in/scan", [1, 2, 3])
    with DaemonProcess(tmp_path, config=settings(quiet=LONG, top=DELETE), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        wait_for_pages(daemon, sheets)
        stop(daemon)
        assert not daemon.events("document.delivered")
    kept = {path.read_bytes() for path in (tmp_path / "archive").rglob("*.jpg")}
    assert kept == {sheet.data for sheet in sheets}
    assert not files(tmp_path / "inbox")
    answer = run_ocrwatch(tmp_path, "once", environment=engine)
    assert answer.returncode == FINE, answer.stderr
    assert documents_in(tmp_path / "outbox")["in/scan"].pdf == texts(1, 2, 3)
    assert not files(tmp_path / "archive")
    check_accounts(tmp_path, sheets, on_success="delete")


@pytest.mark.extended
def test_originals_are_deleted_while_the_daemon_runs(tmp_path: Path, engine: dict[str, str]) -> None:
    """No restart is needed for that, and none of the next batch is deleted with them."""
    first, second = stack("scan", [1, 2, 3]), stack("next", [4, 5])
    with DaemonProcess(tmp_path, config=settings(top=DELETE), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, first)
        joined(daemon, "scan")
        until(lambda: not files(daemon.archive), what="the originals of the first are gone")
        feed(daemon.inbox, second)
        assert joined(daemon, "next").pdf == texts(4, 5)
        stop(daemon)
        assert not files(daemon.archive)
    check_accounts(tmp_path, [*first, *second], on_success="delete")


def test_originals_that_are_kept_become_one_document_only_once(tmp_path: Path, engine: dict[str, str]) -> None:
    """With on_success = keep they stay in the inbox, and a restart does not gather them again."""
    sheets = stack("scan", [1, 2, 3])
    with DaemonProcess(tmp_path, config=settings(quiet="1s", top=KEEP), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        assert joined(daemon, "scan").txt == texts(1, 2, 3)
        stop(daemon)
    with DaemonProcess(tmp_path, environment=engine) as daemon:
        daemon.wait_ready()
        later = stack("later", [4, 5])
        feed(daemon.inbox, later)
        joined(daemon, "later")
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 1
    check_accounts(tmp_path, [*sheets, *later], on_success="keep")
