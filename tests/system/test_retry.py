"""Quarantined scans go back into the inbox, and nothing is lost or overwritten on the way."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import delivered, emptied, files, put, scan

FINE, LEFT, USAGE, ENVIRONMENT = 0, 1, 2, 3
IMPATIENT = '[settle]\nstable_for = "300ms"\ngive_up_after = "1s"\n'
DAMAGED = scan(0)[: len(scan(0)) // 2] + scan(0)[-2:]


def quarantined(folder: Path, *names: str, data: bytes = b"a scan") -> None:
    """Lay scans with their reasons into the quarantine, as the daemon does."""
    (folder / "inbox").mkdir(exist_ok=True)
    for name in names:
        put(folder / "quarantine", name, data)
        put(folder / "quarantine", f"{name}.reason.json", b"{}\n")


def test_everything_goes_back_where_it_came_from(tmp_path: Path) -> None:
    """Without a daemon: subfolders are mirrored, reasons go, and one is told to start the daemon."""
    quarantined(tmp_path, "a.jpg", "sub/deep/b.jpg")
    answer = run_ocrwatch(tmp_path, "retry")
    assert (answer.returncode, answer.stderr) == (FINE, "")
    assert files(tmp_path / "inbox") == {"a.jpg", "sub/deep/b.jpg"}
    assert files(tmp_path / "quarantine") == set()
    assert "Back in the inbox: sub/deep/b.jpg\n" in answer.stdout
    assert "2 scans are back" in answer.stdout
    assert "start it" in answer.stdout


def test_nothing_in_the_inbox_is_overwritten(tmp_path: Path) -> None:
    """A scan whose name is taken gets another, and one whose folder's name a file has gets another folder."""
    quarantined(tmp_path, "a.jpg", "sub/b.jpg", data=b"from the quarantine")
    put(tmp_path / "inbox", "a.jpg", b"a new one")
    put(tmp_path / "inbox", "sub", b"a file")
    answer = run_ocrwatch(tmp_path, "retry")
    assert answer.returncode == FINE
    assert "a.jpg as a-2.jpg" in answer.stdout
    inbox = tmp_path / "inbox"
    assert files(inbox) == {"a.jpg", "a-2.jpg", "sub", "sub-2/b.jpg"}
    assert (inbox / "a.jpg").read_bytes() == b"a new one"
    assert (inbox / "a-2.jpg").read_bytes() == b"from the quarantine"


@pytest.mark.parametrize(
    ("named", "moved"),
    [
        (["a.jpg"], {"a.jpg"}),
        (["a.jpg.reason.json", "a.jpg"], {"a.jpg"}),
        (["sub"], {"sub/b.jpg", "sub/deep/c.jpg"}),
        (["sub/deep/c.jpg", "sub/b.jpg"], {"sub/b.jpg", "sub/deep/c.jpg"}),
        (["{}/quarantine/sub/b.jpg"], {"sub/b.jpg"}),
        (["quarantine/a.jpg"], {"a.jpg"}),
        (["."], {"a.jpg", "sub/b.jpg", "sub/deep/c.jpg"}),
    ],
)
def test_only_what_is_named_goes_back(tmp_path: Path, named: list[str], moved: set[str]) -> None:
    """Scans and folders are named from the quarantine, from where one is, or absolutely; by their reasons too."""
    everything = {"a.jpg", "sub/b.jpg", "sub/deep/c.jpg"}
    quarantined(tmp_path, *everything)
    answer = run_ocrwatch(tmp_path, "retry", *(name.format(tmp_path) for name in named))
    assert answer.returncode == FINE, answer.stderr
    assert files(tmp_path / "inbox") == moved
    stay = everything - moved
    assert files(tmp_path / "quarantine") == stay | {f"{name}.reason.json" for name in stay}


@pytest.mark.parametrize("named", ["missing.jpg", "../outside.jpg", "/etc/hostname", "link.jpg", "a.jpg/b.jpg"])
def test_a_wrong_name_moves_nothing(tmp_path: Path, named: str) -> None:
    """What is not there, lies elsewhere or is a link is a wrong usage, and the others stay where they are."""
    quarantined(tmp_path, "a.jpg")
    put(tmp_path, "outside.jpg", b"mine")
    (tmp_path / "quarantine" / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    answer = run_ocrwatch(tmp_path, "retry", "a.jpg", named)
    assert answer.returncode == USAGE
    assert named in answer.stderr
    assert files(tmp_path / "inbox") == set()
    assert (tmp_path / "outside.jpg").exists()


def test_what_has_no_reason_is_left_alone(tmp_path: Path) -> None:
    """Whoever put it there meant something by it; it is named, and the exit code tells."""
    quarantined(tmp_path, "a.jpg")
    put(tmp_path / "quarantine", "notes.txt", b"look at these tomorrow")
    put(tmp_path / "quarantine", ".ocrwatch-0123abcd-7.copy.tmp", b"half a copy")
    answer = run_ocrwatch(tmp_path, "retry")
    assert answer.returncode == LEFT
    assert "Left in place: notes.txt (there is no notes.txt.reason.json beside it)" in answer.stdout
    assert "1 scan is back" in answer.stdout
    assert files(tmp_path / "inbox") == {"a.jpg"}
    assert files(tmp_path / "quarantine") == {"notes.txt", ".ocrwatch-0123abcd-7.copy.tmp"}


def test_an_empty_quarantine_is_fine(tmp_path: Path) -> None:
    """There is nothing to do, and no folder is made for it."""
    answer = run_ocrwatch(tmp_path, "retry")
    assert (answer.returncode, answer.stderr) == (FINE, "")
    assert "Nothing to put back" in answer.stdout
    assert files(tmp_path) == {"ocrwatch.toml"}


def test_an_inbox_that_is_gone_is_the_environments_fault(tmp_path: Path) -> None:
    """The share may be away: the scan stays where it is, with its reason."""
    quarantined(tmp_path, "a.jpg")
    (tmp_path / "inbox").rmdir()
    answer = run_ocrwatch(tmp_path, "retry")
    assert answer.returncode == ENVIRONMENT
    assert "inbox" in answer.stderr
    assert files(tmp_path / "quarantine") == {"a.jpg", "a.jpg.reason.json"}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on another file system."""
    shm = Path("/dev/shm")
    if not os.access(shm, os.W_OK) or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to write to")
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


def test_across_file_systems_a_copy_goes_back(tmp_path: Path, elsewhere: Path) -> None:
    """The bytes and the time stay, nothing temporary does, and the quarantine is empty."""
    quarantined(elsewhere, "sub/a.jpg", data=b"far away")
    before = (elsewhere / "quarantine/sub/a.jpg").stat().st_mtime_ns
    (tmp_path / "inbox").mkdir()
    answer = run_ocrwatch(tmp_path, "retry", "--quarantine", str(elsewhere / "quarantine"))
    assert answer.returncode == FINE, answer.stderr
    assert files(tmp_path / "inbox") == {"sub/a.jpg"}
    assert (tmp_path / "inbox/sub/a.jpg").read_bytes() == b"far away"
    assert (tmp_path / "inbox/sub/a.jpg").stat().st_mtime_ns == before
    assert files(elsewhere / "quarantine") == set()


def test_a_running_daemon_tries_again_and_remembers(tmp_path: Path) -> None:
    """A scan that is still broken comes back with its history; one that was mended meanwhile is read."""
    with DaemonProcess(tmp_path, config=IMPATIENT) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "broken.jpg", DAMAGED)
        put(daemon.inbox, "mended.jpg", DAMAGED)
        daemon.wait_for("scan.quarantined", count=2)
        emptied(daemon.inbox)
        put(daemon.quarantine, "mended.jpg", scan(3))
        answer = run_ocrwatch(tmp_path, "retry")
        assert answer.returncode == FINE, answer.stderr
        assert "2 scans are back" in answer.stdout
        assert "start it" not in answer.stdout
        delivered(daemon, "mended.jpg", 3)
        daemon.wait_for("scan.quarantined", count=2, path="broken.jpg")
        emptied(daemon.inbox)
        assert daemon.stop() == FINE
    assert files(daemon.quarantine) == {"broken.jpg", "broken.jpg.reason.json"}
    reason = json.loads((daemon.quarantine / "broken.jpg.reason.json").read_text())
    assert [past["code"] for past in reason["earlier"]][-1] == "damaged"
    assert len(reason["earlier"]) == 2
