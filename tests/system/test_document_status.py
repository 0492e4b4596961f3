"""Documents of several pages in ``status``, ``STATUS.txt``, ``why`` and ``once``, beside the real daemon."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import put, scan
from tests.system.pausing import bad_scan
from tests.waiting import until

GROUPED = """
[output]
formats = ["txt", "json"]
[[profiles]]
match = "**"
[profiles.group]
by = "name"
quiet = "1h"
"""
IMPATIENT = (
    sys.executable,
    "-P",
    "-c",
    "from ocrwatch import cli; from ocrwatch.daemon import daemon; daemon._LONGEST_PAUSE_OF_ONCE = 1.0; cli.main()",
)
"""ocrwatch, whose ``once`` does not wait for a minute."""
WITH_NOTE = {"OCRWATCH_STATUS__SHARE_FILE": "true"}


def status(folder: Path) -> dict[str, Any]:
    """Return what ``status --json`` prints."""
    return dict(json.loads(run_ocrwatch(folder, "status", "--json").stdout))


def document(folder: Path) -> dict[str, Any]:
    """Return the document that is being gathered, if it is the only one."""
    found = status(folder)
    return dict(found["documents"][0]) if found["documents_open"] == len(found["documents"]) == 1 else {}


def why(folder: Path, file: str) -> dict[str, Any]:
    """Return the only answer for a file."""
    (answer,) = json.loads(run_ocrwatch(folder, "why", file, "--json").stdout)["answers"]
    return dict(answer)


def note(folder: Path) -> str:
    """Return what the file for the users of the share says."""
    return (folder / "outbox/STATUS.txt").read_text(encoding="utf-8")


def test_pages_are_gathered_written_and_written_again(tmp_path: Path) -> None:
    """Each place says what is gathered, what it waits for, that it goes on after a stop, and where it went."""
    with DaemonProcess(tmp_path, config=GROUPED, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        assert status(tmp_path)["documents"] == []
        assert "Documents" not in note(tmp_path)
        for number in (1, 2):
            put(daemon.inbox, f"bills/scan_{number:03}.jpg", scan(number))
        put(daemon.inbox, "bills/scan_003.jpg", bad_scan())
        until(
            lambda: (found := document(tmp_path)) and (found["on_their_way"], found["missing"]) == (0, 1),
            what="all pages ended",
        )
        check_while_it_gathers(tmp_path)
        check_that_it_waits(daemon)
        daemon.stop()
    assert "bills/scan (4 pages, 1 missing; it goes on when ocrwatch is started again)" in note(tmp_path)

    once = run_ocrwatch(tmp_path, "once")
    assert once.stdout.splitlines() == [
        f"1 document with 4 pages was written to {tmp_path / 'outbox'}.",
        "The document bills/scan lacks 1 page: bills/scan_003.jpg",
    ]
    assert once.returncode == 1

    with DaemonProcess(tmp_path, environment=WITH_NOTE) as daemon:
        daemon.wait_ready()
        check_that_it_is_written(tmp_path)
        put(daemon.inbox, "bills/scan_003.jpg", scan(3))
        daemon.wait_for("scan.delivered", path="bills/scan_003.jpg")
        daemon.stop()
    again = run_ocrwatch(tmp_path, "once")
    assert again.stdout == f"1 document with 4 pages was written to {tmp_path / 'outbox'}.\n"
    assert again.returncode == 0
    newer = why(tmp_path, "outbox/bills/scan-2.txt")["says"]
    assert "It replaces the document bills/scan, which lacked pages." in newer
    assert "Missing" not in newer
    assert "The document bills/scan-2 replaces it" in why(tmp_path, "outbox/bills/scan.txt")["says"]
    assert "It is page 3 of 4 of the document bills/scan-2: " in why(tmp_path, "inbox/bills/scan_003.jpg")["says"]


def check_while_it_gathers(folder: Path) -> None:
    """Check that its pages are counted, and that each of them says what it is a page of."""
    gathered = document(folder)
    assert (gathered["name"], gathered["folder"], gathered["pages"]) == ("scan", "bills", 3)
    assert gathered["complete_at"] > status(folder)["written"]
    shown = run_ocrwatch(folder, "status").stdout
    assert "documents   0 since the start, 1 being gathered or written" in shown
    assert "bills/scan (3 pages, 1 missing): complete in 59 min" in shown
    until(lambda: "bills/scan (3 pages, 1 missing; complete at " in note(folder), what="the note says it")
    gathers = "gathered in the document bills/scan with 2 others; it is complete when no page has come for 3600 s."
    for file in ("inbox/bills/scan_001.jpg", "outbox/bills/scan_001.txt", "archive/bills/scan_001.jpg"):
        assert gathers in why(folder, file)["says"]
    assert "It is missing in the document bills/scan with 2 others" in why(folder, "scan_003.jpg")["says"]


def check_that_it_waits(daemon: DaemonProcess) -> None:
    """Check that a page that is not complete is waited for, and that this is said."""
    half = daemon.inbox / "bills/scan_004.jpg"
    half.write_bytes(scan(4)[:900])
    waits = "waits for bills/scan_004.jpg: it ends early"
    until(lambda: document(daemon.folder)["waits_for"] == waits, what="it waits for a page that is not complete")
    until(lambda: f"3 pages, 1 missing; {waits})" in note(daemon.folder), what="the note says so")
    assert "It will be a page of the document bills/scan." in why(daemon.folder, "scan_004.jpg")["says"]
    half.write_bytes(scan(4))
    daemon.wait_for("scan.delivered", path="bills/scan_004.jpg")
    until(lambda: document(daemon.folder)["pages"] == 4, what="the page is complete")


def check_that_it_is_written(folder: Path) -> None:
    """Check that a restarted daemon still knows the document, which lacks a page."""
    found = status(folder)
    assert (found["documents"], found["documents_open"], found["documents_delivered"]) == ([], 0, 0)
    (written,) = found["document_deliveries"]
    assert written["sidecars"] == ["bills/scan.json", "bills/scan.txt"]
    assert (written["pages"], written["missing"]) == (4, ["bills/scan_003.jpg"])
    until(lambda: "bills/scan.json, bills/scan.txt (4 pages, 1 of them missing)" in note(folder), what="the note")
    text = folder / "outbox/bills/scan.txt"
    assert "It is page 4 of 4 of the document bills/scan: " in why(folder, "scan_004.jpg")["says"]
    assert f"{text}." in why(folder, "scan_004.jpg")["says"]
    assert "It is missing in the document bills/scan (page 3 of 4): " in why(folder, "scan_003.jpg")["says"]
    itself = why(folder, "outbox/bills/scan.txt")
    assert (itself["state"], itself["path"]) == ("document", "bills/scan")
    assert "Missing: page 3 (bills/scan_003.jpg: " in itself["says"]
    assert str(text) in itself["files"]


def test_once_ends_if_its_document_is_refused(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """After a minute, which is a second here, with the remedy and code 3; a later run writes the document."""
    put(tmp_path / "inbox", "bills/scan_001.jpg", scan(1))
    with DaemonProcess(tmp_path, config=GROUPED) as daemon:
        daemon.wait_for("scan.delivered")
        daemon.stop()
    folder = tmp_path / "outbox/bills"
    folder.chmod(0o500)
    with DaemonProcess(tmp_path, command="once", program=IMPATIENT, wrapper=unprivileged) as once:
        waiting = once.wait_for("document.waiting")
        assert once.wait() == 3
    assert [line for line in once.complaints if line.startswith("ocrwatch: ")] == [
        f"ocrwatch: {waiting['reason']}; {waiting['next_step']}"
    ]
    folder.chmod(0o700)
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.stdout == f"1 document with 1 page was written to {tmp_path / 'outbox'}.\n"
    assert answer.returncode == 0
