"""Scans whose bytes were delivered before (``intake.duplicates``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import delivered, files, put, scan, temporary_files
from tests.waiting import until


def config(policy: str, more: str = "") -> str:
    """Return settings with this policy."""
    return f'{more}\n[intake]\nduplicates = "{policy}"\n[watch]\nrescan = "1s"\n'


def why(folder: Path, file: str) -> tuple[str, str]:
    """Return state and answer for one file."""
    answer = json.loads(run_ocrwatch(folder, "why", "--json", file).stdout)["answers"][0]
    return answer["state"], answer["says"]


@pytest.mark.parametrize(
    ("policy", "inbox", "archive", "said"),
    [
        ("skip", {"sub/again.jpg"}, {"a.jpg"}, "it stays in the inbox"),
        ("archive", set(), {"a.jpg", "sub/again.jpg"}, "it was put into the archive"),
        ("delete", set(), {"a.jpg"}, "it was deleted"),
    ],
)
def test_the_same_bytes_are_not_delivered_again(
    tmp_path: Path, policy: str, inbox: set[str], archive: set[str], said: str
) -> None:
    """There is one text, the original goes where the setting says, and log, status and why tell."""
    with DaemonProcess(tmp_path, config=config(policy)) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        put(daemon.inbox, "sub/again.jpg", scan(1))
        event = daemon.wait_for("scan.duplicate", path="sub/again.jpg")
        assert (event["same_as"], event["sidecars"]) == ("a.jpg", ["a.txt"])
        put(daemon.inbox, "other.jpg", scan(2))
        delivered(daemon, "other.jpg", 2)
        (daemon.archive / "other.jpg").unlink()
        assert (files(daemon.inbox), files(daemon.archive)) == (inbox, archive)
        assert files(daemon.outbox) == {"a.txt", "other.txt"}
        assert not (daemon.outbox / "sub").exists()
        assert not temporary_files(daemon)
        state, says = why(tmp_path, "sub/again.jpg")
        assert state == "duplicate"
        assert "the same bytes as a.jpg, whose text is a.txt" in says
        assert said in says
        until(lambda: "duplicates  1 since the start" in run_ocrwatch(tmp_path, "status").stdout)
        daemon.stop()
        assert daemon.wait_for("daemon.stopped")["duplicate"] == 1
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.stdout == f"Nothing to read in {tmp_path / 'inbox'}.\n"


def test_what_comes_together_is_one_too(tmp_path: Path) -> None:
    """Two scans of one batch with the same bytes give one text; without the setting two, as ever."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        put(tmp_path / "inbox", name, scan(1 if name != "b.jpg" else 2))
    answer = run_ocrwatch(tmp_path, "once", config=config("delete"))
    assert "1 scan had the same bytes as scans delivered before: deleted." in answer.stdout
    assert files(tmp_path / "outbox") == {"a.txt", "b.txt"}
    assert files(tmp_path / "archive") == {"a.jpg", "b.jpg"}
    assert not files(tmp_path / "inbox")
    put(tmp_path / "inbox", "a.jpg", scan(1))
    run_ocrwatch(tmp_path, "once", config=config("deliver"))
    assert files(tmp_path / "outbox") == {"a.txt", "b.txt", "a-2.txt"}


def test_without_its_text_or_by_other_options_it_is_no_duplicate(tmp_path: Path) -> None:
    """If the earlier text was fetched, or other options are in force, a text is written rather than none."""
    inbox = put(tmp_path / "inbox", "a.jpg", scan(1)).parent
    run_ocrwatch(tmp_path, "once", config=config("delete"))
    (tmp_path / "outbox/a.txt").unlink()
    put(inbox, "b.jpg", scan(1))
    run_ocrwatch(tmp_path, "once")
    assert files(tmp_path / "outbox") == {"b.txt"}
    put(inbox, "c.jpg", scan(1))
    run_ocrwatch(tmp_path, "once", config=config("delete", "[output]\nformats = ['txt', 'json']"))
    assert files(tmp_path / "outbox") == {"b.txt", "c.txt", "c.json"}
    assert files(tmp_path / "archive") == {"a.jpg", "b.jpg", "c.jpg"}
    put(inbox, "d.jpg", scan(1))
    run_ocrwatch(tmp_path, "once")
    assert files(tmp_path / "archive") == {"a.jpg", "b.jpg", "c.jpg"}
    assert not files(inbox)


def test_skipped_scans_are_delivered_once_the_setting_is_another(tmp_path: Path) -> None:
    """What was left in the inbox is not forgotten."""
    put(tmp_path / "inbox", "a.jpg", scan(1))
    run_ocrwatch(tmp_path, "once", config=config("skip"))
    put(tmp_path / "inbox", "b.jpg", scan(1))
    run_ocrwatch(tmp_path, "once")
    assert files(tmp_path / "inbox") == {"b.jpg"}
    run_ocrwatch(tmp_path, "once", config=config("deliver"))
    assert files(tmp_path / "outbox") == {"a.txt", "b.txt"}
    assert not files(tmp_path / "inbox")


def test_originals_that_stay_are_not_deleted_as_duplicates(tmp_path: Path) -> None:
    """Renamed, the only original would go: that combination is refused, with what to set instead."""
    answer = run_ocrwatch(tmp_path, "once", config=config("delete", 'on_success = "keep"'))
    assert answer.returncode == 2
    assert "set intake.duplicates to skip" in answer.stderr


def test_the_only_original_is_not_deleted(tmp_path: Path) -> None:
    """A scan that was moved from the archive back into the inbox is delivered again: it is no duplicate of itself."""
    with DaemonProcess(tmp_path, config=config("delete")) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        daemon.wait_for("batch.finished")
        (daemon.archive / "a.jpg").rename(daemon.inbox / "again.jpg")
        delivered(daemon, "again.jpg", 1)
        daemon.wait_for("batch.finished", count=2)
        assert files(daemon.archive) == {"again.jpg"}


def test_another_scans_text_under_the_old_name_counts_for_nothing(tmp_path: Path) -> None:
    """Texts are fetched and counters restart: the name of the earlier text may be another's by now."""
    with DaemonProcess(tmp_path, config=config("delete", 'on_success = "delete"')) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        daemon.wait_for("scan.delivered", path="a.jpg")
        (daemon.outbox / "a.txt").unlink()
        put(daemon.inbox, "a.jpg", scan(2))
        daemon.wait_for("scan.delivered", count=2)
        put(daemon.inbox, "b.jpg", scan(1))
        daemon.wait_for("scan.delivered", path="b.jpg")


def test_what_was_skipped_is_delivered_under_another_setting(tmp_path: Path) -> None:
    """It has stayed in the inbox without a text of its own."""
    with DaemonProcess(tmp_path, config=config("skip", 'on_success = "keep"')) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "a.jpg", scan(1))
        daemon.wait_for("scan.delivered", path="a.jpg")
        put(daemon.inbox, "b.jpg", scan(1))
        daemon.wait_for("scan.duplicate", path="b.jpg")
        daemon.stop()
    with DaemonProcess(tmp_path, config=config("deliver", 'on_success = "keep"')) as daemon:
        daemon.wait_ready()
        daemon.wait_for("scan.delivered", path="b.jpg")
        assert files(daemon.outbox) == {"a.txt", "b.txt"}
