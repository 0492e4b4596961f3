"""``ocrwatch once``: reads what is there, says what became of it, and ends."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.daemon_process import PROGRAM, DaemonProcess, clean_environment, run_ocrwatch
from tests.system.dropping import files, phrase, put, scan
from tests.system.pausing import kill_before_archiving

FINE, QUARANTINED = 0, 1


def test_once_reads_what_is_there(tmp_path: Path) -> None:
    """Once reads the inbox, says how many scans and where the text is, and leaves nothing behind."""
    for number in range(3):
        put(tmp_path / "inbox", f"sub/scan{number}.jpg", scan(number))
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == FINE
    assert answer.stdout.startswith("3 scans read in ")
    assert str(tmp_path / "outbox") in answer.stdout
    assert len(answer.stdout.splitlines()) == 1
    assert files(tmp_path / "outbox") == {f"sub/scan{number}.txt" for number in range(3)}
    assert not files(tmp_path / "inbox")


def test_once_with_an_empty_inbox(tmp_path: Path) -> None:
    """Without a scan it says so and is fine."""
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == FINE
    assert answer.stdout == f"Nothing to read in {tmp_path / 'inbox'}.\n"


def test_once_with_a_scan_that_cannot_be_read(tmp_path: Path) -> None:
    """What was quarantined is counted and shows in the exit code; the rest is read."""
    put(tmp_path / "inbox", "good.jpg", scan(1))
    put(tmp_path / "inbox", "bad.jpg", scan(1).replace(b"\xff\xc0", b"\xff\xc3", 1))
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == QUARANTINED
    assert answer.stdout.startswith("1 scan read in ")
    assert f"1 scan could not be read; see the reasons in {tmp_path / 'quarantine'}" in answer.stdout
    assert files(tmp_path / "quarantine") == {"bad.jpg", "bad.jpg.reason.json"}


def test_once_names_what_it_does_not_read(tmp_path: Path) -> None:
    """Files of other kinds are named with what to do, also if they have just come; there was nothing else to read."""
    put(tmp_path / "inbox", "sub/doc.gif", b"GIF89a")
    put(tmp_path / "inbox", "Thumbs.db", b"")
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == FINE
    nothing, not_read, document = answer.stdout.splitlines()
    assert nothing.startswith("Nothing to read in ")
    assert not_read == "Not read: 1 file"
    assert document.startswith(
        "  sub/doc.gif: it is a GIF image, and only JPEG, PNG and TIFF images and PDF documents are"
    )


def test_once_does_not_wait_for_an_incomplete_scan(tmp_path: Path) -> None:
    """A scan that does not get whole is named and stays; it may still be on its way."""
    put(tmp_path / "inbox", "good.jpg", scan(1))
    put(tmp_path / "inbox", "half.jpg", scan(2)[:5000])
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == QUARANTINED
    assert "half.jpg" in answer.stdout
    assert files(tmp_path / "inbox") == {"half.jpg"}
    assert files(tmp_path / "outbox") == {"good.txt"}


def test_once_that_is_interrupted_says_what_is_left(tmp_path: Path) -> None:
    """Interrupted, once finishes what is being read, counts all that is left, and does not claim to be fine."""
    for number in range(24):
        put(tmp_path / "inbox", f"scan{number}.jpg", scan(number, 40))
    with DaemonProcess(tmp_path, "--workers", "1", command="once") as once:
        once.wait_for("scan.delivered")
        code = once.stop()
        left = len(files(tmp_path / "inbox"))
        assert left > 0
        assert f"{left} left in the inbox" in once.output
        assert code != FINE


def test_once_that_is_interrupted_early_does_not_call_the_inbox_empty(tmp_path: Path) -> None:
    """Interrupted before any scan was ready, once does not say that there was nothing to read."""
    put(tmp_path / "inbox", "waits.jpg", scan(1))
    with DaemonProcess(tmp_path, "--set", "settle.stable_for=1m", command="once") as once:
        once.wait_for("daemon.started")
        once.stop()
        assert files(tmp_path / "inbox") == {"waits.jpg"}
        assert "Nothing to read" not in once.output


def test_once_with_a_file_that_may_not_be_read(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """A file without permission is left, and the summary does not call it incomplete."""
    put(tmp_path / "inbox", "closed.jpg", scan(1)).chmod(0)
    with DaemonProcess(tmp_path, command="once", wrapper=unprivileged) as once:
        assert once.wait() == QUARANTINED
        assert "closed.jpg" in once.output
        assert "not a complete JPEG" not in once.output


def test_once_that_only_finishes_what_an_interrupted_run_has_left(tmp_path: Path) -> None:
    """It says what it did, not that there was nothing to read."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        kill_before_archiving(daemon, "page.jpg")
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == FINE
    text = f"1 scan read in an interrupted run and delivered now; the text is in {tmp_path / 'outbox'}.\n"
    assert answer.stdout == text
    assert files(tmp_path / "archive") == {"page.jpg"}


def test_once_with_a_preview(tmp_path: Path) -> None:
    """--preview shows at most 100 characters of each text on a line with its name."""
    put(tmp_path / "inbox", "long.jpg", scan(1, 6))
    answer = run_ocrwatch(tmp_path, "once", "--preview")
    shown = answer.stdout.splitlines()[0]
    assert shown.startswith(f"long.jpg: {phrase(1)} {phrase(1)}")
    assert len(shown) <= len("long.jpg: ") + 100


def test_once_with_a_scan_that_cannot_be_moved(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """A folder of the inbox that may not be written to: no text is published, the scan is named, and it ends."""
    put(tmp_path / "inbox", "theirs/stuck.jpg", scan(1))
    (tmp_path / "inbox/theirs").chmod(0o555)
    try:
        with DaemonProcess(tmp_path, command="once", wrapper=unprivileged) as daemon:
            assert daemon.wait() == QUARANTINED
            assert "theirs/stuck.jpg (the user root may not move scans out of its folder" in daemon.output
            assert "chmod -R u+rwX" in daemon.output
        assert not files(tmp_path / "outbox")
    finally:
        (tmp_path / "inbox/theirs").chmod(0o755)
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == FINE
    assert files(tmp_path / "archive") == {"theirs/stuck.jpg"}
    assert files(tmp_path / "outbox") == {"theirs/stuck.txt"}


def test_once_starts_no_more_workers_than_scans_wait(tmp_path: Path) -> None:
    """The start of a worker costs half a second of CPU; an empty inbox gets one, which shows that it could read."""
    (tmp_path / "inbox").mkdir()
    for scans, workers in ((0, 1), (1, 1), (2, 2), (5, 3)):
        for number in range(scans):
            put(tmp_path / "inbox", f"{scans}-{number}.jpg", scan(number))
        answer = run_ocrwatch(tmp_path, "once", "--workers", "3")
        assert answer.returncode == FINE
        (started,) = (line for line in map(json.loads, answer.stderr.splitlines()) if line["event"] == "daemon.started")
        assert started["workers"] == workers


def _once_with(folder: Path, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run once with a redirection of the shell; what it does not redirect is returned."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *PROGRAM, "once"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_a_stream_that_was_closed_before_the_start_is_not_taken_for_a_channel(tmp_path: Path, closed: str) -> None:
    """A worker whose channel had the number of a standard stream lost it."""
    put(tmp_path / "inbox", "a.jpg", scan(1))
    answer = _once_with(tmp_path, closed)
    assert answer.returncode == FINE
    assert "worker.died" not in answer.stderr
    assert files(tmp_path / "outbox") == {"a.txt"}


@pytest.mark.parametrize(
    "without_log", ["2>/dev/full", "2>&-", "2>&1 >output | true"], ids=["full disk", "closed", "closed pipe"]
)
def test_a_log_that_cannot_be_written_stops_no_scan(tmp_path: Path, without_log: str) -> None:
    """The text matters, not what is said of it; the summary goes to standard output."""
    put(tmp_path / "inbox", "a.jpg", scan(1))
    answer = _once_with(tmp_path, without_log)
    assert answer.returncode == FINE
    assert files(tmp_path / "outbox") == {"a.txt"}
    assert not files(tmp_path / "inbox")


@pytest.mark.parametrize("options", [[], ["--preview"]], ids=["summary", "previews"])
def test_a_reader_that_goes_away_stops_no_scan(tmp_path: Path, options: list[str]) -> None:
    """As with ``ocrwatch once --preview | head -1``: nobody reads what is said, and everything is read all the same."""
    for number in range(3):
        put(tmp_path / "inbox", f"{number}.jpg", scan(number))
    reading, writing = os.pipe()
    os.close(reading)
    answer = subprocess.run(
        [*PROGRAM, "once", *options],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (answer.returncode, "Traceback" in answer.stderr) == (FINE, False), answer.stderr
    assert files(tmp_path / "outbox") == {"0.txt", "1.txt", "2.txt"}


def test_previews_that_cannot_be_written_stop_no_scan(tmp_path: Path) -> None:
    """The disk behind the output is full: that is one sentence at the end, and no bug for each scan."""
    for number in range(2):
        put(tmp_path / "inbox", f"{number}.jpg", scan(number))
    answer = _once_with(tmp_path, "--preview >/dev/full")
    assert answer.returncode == 3
    assert "ocrwatch: cannot write the output (no space left on device)" in answer.stderr
    assert "bug" not in answer.stderr
    assert files(tmp_path / "outbox") == {"0.txt", "1.txt"}
