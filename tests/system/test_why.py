"""``ocrwatch why FILE`` beside the real daemon: one answer for every file, wherever it lies."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.daemon_process import PROGRAM, DaemonProcess, clean_environment, run_ocrwatch
from tests.faulty_engines import install
from tests.system.dropping import put, scan
from tests.system.pausing import bad_scan
from tests.waiting import until

BUSY = """
[workers]
count = 1
timeout = "10m"
shutdown_timeout = "0s"
[retry]
first_delay = "10m"
max_delay = "10m"
[[profiles]]
match = "hang/**"
[profiles.ocr]
engine = "hang"
[[profiles]]
match = "crash/**"
[profiles.ocr]
engine = "crash"
"""


def why(folder: Path, file: str | bytes, *, code: int = 0) -> dict[str, Any]:
    """Return the one answer for a file."""
    answer = subprocess.run(
        [*PROGRAM, "why", file, "--json"],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert answer.returncode == code, answer.stderr
    assert answer.stderr == b""
    told = json.loads(answer.stdout)
    assert told["schema"] == "ocrwatch.why/1"
    (one,) = told["answers"]
    return dict(one)


def test_scans_on_their_way(tmp_path: Path) -> None:
    """Tried again, being read, queued, not complete, ignored, unknown; and after a stop what stands."""
    (tmp_path / "engines").mkdir()
    install(tmp_path / "engines")
    path = os.pathsep.join([str(tmp_path / "engines"), str(Path(__file__).parents[2])])
    with DaemonProcess(tmp_path, config=BUSY, environment={"PYTHONPATH": path}) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "crash/one.jpg", scan(1))
        daemon.wait_for("scan.retrying")
        put(daemon.inbox, "hang/one.jpg", scan(1))
        until(lambda: why(tmp_path, "inbox/hang/one.jpg")["state"] == "reading", what="a worker has it")
        for number in range(4):
            put(daemon.inbox, f"q{number}.jpg", scan(number))
            until(lambda n=number: why(tmp_path, f"q{n}.jpg")["position"] == n + 1, what="its place in the queue")  # type: ignore[misc]
        odd = os.fsencode(daemon.inbox) + b"/q\xff.jpg"
        put(daemon.inbox, os.fsdecode(b"q\xff.jpg"), scan(5))
        until(lambda: why(tmp_path, odd)["position"] == 5, what="a name that is not UTF-8")
        put(daemon.inbox, "half.jpg", scan(1)[:900])
        until(lambda: why(tmp_path, "half.jpg")["state"] == "incomplete", what="it is not whole")
        (daemon.inbox / "notes.txt").write_text("milk")
        (daemon.inbox / "doc").write_bytes(b"GIF89a")
        put(daemon.inbox, "@Recycle/deleted.jpg", scan(1))
        (daemon.inbox / "link.jpg").symlink_to("q0.jpg")

        reading = why(tmp_path, "hang/one.jpg")
        assert reading["worker"] in daemon.workers()
        assert f"being read by worker {reading['worker']} since" in reading["says"]
        retrying = why(tmp_path, str(daemon.inbox / "crash/one.jpg"))
        assert (retrying["state"], retrying["attempts"], retrying["code"]) == ("retrying", 1, "worker-died")
        assert "failed once (its worker was killed by SIGSEGV" in retrying["says"]
        assert retrying["next_try"] > reading["since"]
        assert "4th in the queue" in why(tmp_path, "q3.jpg")["says"]
        assert "watch.include" in why(tmp_path, "notes.txt")["says"]
        document = why(tmp_path, "doc")
        assert document["state"] == "ignored"
        assert "it is a GIF image" in document["says"]
        assert "as JPEG" in document["remedy"]
        assert "belongs to the NAS" in why(tmp_path, "@Recycle/deleted.jpg")["says"]
        assert "symbolic link" in why(tmp_path, "inbox/link.jpg")["says"]
        assert why(tmp_path, "nowhere.jpg", code=1)["state"] == "unknown"
        answer = run_ocrwatch(tmp_path, "why", "half.jpg")
        assert answer.returncode == 0
        assert answer.stdout.startswith("half.jpg is not complete: it ends early. ")
        daemon.stop()
    for name, state in {"q0.jpg": "queued", "hang/one.jpg": "queued", "crash/one.jpg": "retrying"}.items():
        found = why(tmp_path, name)
        assert found["state"] == state
        assert "no ocrwatch runs here" in found["says"].lower()


def test_scans_that_ended(tmp_path: Path) -> None:
    """Where everything went, asked by any of its places; each time before; the same while it runs and afterwards."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        for count in (1, 2):
            put(daemon.inbox, "sub/page.jpg", scan(count))
            daemon.wait_for("scan.delivered", count=count)
        put(daemon.inbox, "bad.jpg", bad_scan())
        daemon.wait_for("scan.quarantined")

        def check() -> None:
            places = (
                "sub/page.jpg",
                "page.jpg",
                "outbox/sub/page-2.txt",
                "outbox/sub/page.txt",
                "archive/sub/page.jpg",
            )
            for place in places:
                page = why(tmp_path, place)
                assert (page["path"], page["state"]) == ("sub/page.jpg", "delivered")
                assert page["files"] == [
                    str(daemon.outbox / "sub/page-2.txt"),
                    str(daemon.archive / "sub/page-2.jpg"),
                ]
                (before,) = page["before"]
                assert before["files"][0] == str(daemon.outbox / "sub/page.txt")
            for place in ("bad.jpg", "quarantine/bad.jpg", "quarantine/bad.jpg.reason.json"):
                bad = why(tmp_path, place)
                assert (bad["path"], bad["state"], bad["code"]) == ("bad.jpg", "quarantined", "unsupported")
                assert f"ocrwatch retry {daemon.quarantine / 'bad.jpg'}" in bad["remedy"]

        check()
        (daemon.outbox / "sub/page-2.txt").unlink()
        assert "page-2.txt (not there any more)" in why(tmp_path, "page.jpg")["says"]
        daemon.stop()
    check()
    (tmp_path / "state/ledger.db").rename(tmp_path / "state/lost.db")
    forgotten = why(tmp_path, "quarantine/bad.jpg")
    assert (forgotten["path"], forgotten["state"], forgotten["code"]) == ("bad.jpg", "quarantined", "unsupported")
    assert "ocrwatch retry" in forgotten["remedy"]
    (tmp_path / "state/lost.db").rename(tmp_path / "state/ledger.db")
    put(tmp_path / "inbox", "bad.jpg", scan(1))
    again = why(tmp_path, "bad.jpg")
    assert again["state"] == "queued"
    assert [past["state"] for past in again["before"]] == ["quarantined"]
    assert "Before, " in run_ocrwatch(tmp_path, "why", "bad.jpg").stdout


def test_a_pause_is_part_of_the_answer(tmp_path: Path) -> None:
    """What holds all scans up is said for the one that was asked for."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        daemon.archive.rename(tmp_path / "away")
        put(daemon.inbox, "one.jpg", scan(1))
        paused = daemon.wait_for("daemon.paused")

        def said() -> bool:
            answer = run_ocrwatch(tmp_path, "why", "one.jpg")
            words = ("was read; ", "is paused since", paused["remedy"])
            return answer.returncode == 0 and all(word in answer.stdout for word in words)

        until(said, what="it says that ocrwatch is paused")


def test_originals_that_stay(tmp_path: Path) -> None:
    """With on_success = "keep" a scan in the inbox is known to be read."""
    put(tmp_path / "inbox", "kept.jpg", scan(1))
    assert run_ocrwatch(tmp_path, "once", config='on_success = "keep"\n').returncode == 0
    kept = why(tmp_path, "kept.jpg")
    assert kept["state"] == "delivered"
    assert "stays in the inbox" in kept["says"]


def test_a_ledger_that_cannot_be_read_is_no_reason_to_say_nothing(tmp_path: Path) -> None:
    """The folders still tell what they can, and the trouble is named."""
    put(tmp_path / "inbox", "one.jpg", scan(1))
    put(tmp_path / "state", "ledger.db", b"rubbish" * 1000)
    answer = run_ocrwatch(tmp_path, "why", "one.jpg")
    assert answer.returncode == 0
    assert "waits in the inbox" in answer.stdout
    assert "cannot read the ledger" in answer.stdout
    assert not answer.stderr


def test_where_none_ever_ran(tmp_path: Path) -> None:
    """Without folders it says so in one sentence, and makes nothing."""
    answer = run_ocrwatch(tmp_path, "why", "one.jpg")
    assert answer.returncode == 3
    assert len(answer.stderr.splitlines()) == 1
    assert "inbox" in answer.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"ocrwatch.toml"}
