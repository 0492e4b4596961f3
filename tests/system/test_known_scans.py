"""Scans that were seen before are answered without a worker."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from ocrwatch.recipe import Recipe
from ocrwatch.recognise.tessdata import tessdata_folder
from tests.daemon_process import DaemonProcess, is_alive, run_ocrwatch
from tests.faulty_engines import install
from tests.rendering import render
from tests.waiting import until

FORMATS = '[output]\nformats = ["txt", "json"]\n'
SCAN = render("Words that were read before")


def drop(daemon: DaemonProcess, name: str, data: bytes = SCAN) -> None:
    """Put a scan into the inbox."""
    path = daemon.inbox / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def test_a_scan_seen_before_gets_the_same_text_under_its_new_name(tmp_path: Path) -> None:
    """In the same run and in a later one; its JSON tells of its own path, and it counts no attempt."""
    with DaemonProcess(tmp_path, config=FORMATS) as daemon:
        daemon.wait_ready()
        drop(daemon, "first.jpg")
        assert "cached" not in daemon.wait_for("scan.delivered", path="first.jpg")
        drop(daemon, "sub/second.jpg")
        event = daemon.wait_for("scan.delivered", path="sub/second.jpg")
        assert (event["cached"], event["attempt"], event["read_ms"]) == (True, 0, 0)
        assert event["engine"] == daemon.events("scan.delivered")[0]["engine"]

        def counted() -> bool:
            return bool(json.loads(run_ocrwatch(tmp_path, "status", "--json").stdout)["cached"] == 1)

        until(counted, what="a status that counts it")
        daemon.stop()
    with DaemonProcess(tmp_path) as daemon:
        drop(daemon, "first.jpg")
        assert daemon.wait_for("scan.delivered")["cached"] is True
        daemon.stop()
    texts = {name: (tmp_path / "outbox" / f"{name}.txt").read_bytes() for name in ("first", "sub/second", "first-2")}
    assert len(set(texts.values())) == 1
    assert texts["first"]
    documents = [json.loads((tmp_path / "outbox" / f"{name}.json").read_text()) for name in texts]
    assert [document.pop("source")["path"] for document in documents] == ["first.jpg", "sub/second.jpg", "first.jpg"]
    assert documents[0] == documents[1] == documents[2]
    archived = sorted(str(path.relative_to(tmp_path / "archive")) for path in (tmp_path / "archive").rglob("*.jpg"))
    assert archived == ["first-2.jpg", "first.jpg", "sub/second.jpg"]


@pytest.fixture
def faulty_engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which engines that hang are found."""
    folder = tmp_path_factory.mktemp("engines")
    install(folder)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"}


def test_it_is_answered_while_no_worker_is_free(tmp_path: Path, faulty_engines: dict[str, str]) -> None:
    """All workers are busy for long, and others wait for them; what is known waits for neither."""
    config = f'{FORMATS}[workers]\ncount = 1\n[[profiles]]\nmatch = "slow/*"\nocr = {{ engine = "hang" }}\n'
    with DaemonProcess(tmp_path, config=config, environment=faulty_engines) as daemon:
        daemon.wait_ready()
        drop(daemon, "first.jpg")
        daemon.wait_for("scan.delivered")
        for number in range(6):
            drop(daemon, f"slow/{number}.jpg", render(f"slow {number}"))
        daemon.wait_for("batch.started", count=2)
        drop(daemon, "second.jpg")
        assert daemon.wait_for("scan.delivered", path="second.jpg")["cached"] is True
        assert not daemon.events("scan.delivered", path="slow/0.jpg")


def test_it_is_answered_before_any_worker_can_read(tmp_path: Path) -> None:
    """A restart does not keep what is known waiting for its engines."""
    assert run_once(tmp_path, FORMATS) == [False]
    with DaemonProcess(tmp_path, config=FORMATS) as daemon:
        drop(daemon, "scan.jpg")
        daemon.wait_for("scan.delivered", cached=True)


def test_many_at_once_each_get_their_own_names(tmp_path: Path) -> None:
    """Of scans that want the same names, each has one stem for text and original, and none is lost or doubled."""
    assert run_once(tmp_path, FORMATS) == [False]
    names = [f"{folder}scan{n}{ending}" for folder in ("", "sub/") for n in range(20) for ending in (".jpg", ".jpeg")]
    for name in names:
        path = tmp_path / "inbox" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(SCAN)
    done = run_ocrwatch(tmp_path, "once")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    delivered = [event for event in events if event["event"] == "scan.delivered"]
    assert sorted(event["path"] for event in delivered) == sorted(names)
    assert all(event["cached"] for event in delivered)
    for event in delivered:
        stem = event["archived"].rpartition(".")[0]
        assert event["sidecars"] == [f"{stem}.json", f"{stem}.txt"]
        assert json.loads((tmp_path / "outbox" / f"{stem}.json").read_text())["source"]["path"] == event["path"]
    assert len(list((tmp_path / "archive").rglob("*.jp*"))) == len(names) + 1
    assert len(list((tmp_path / "outbox").rglob("*.txt"))) == len(names) + 1
    assert not list((tmp_path / "inbox").rglob("*.jp*"))


def run_once(folder: Path, config: str, data: bytes = SCAN) -> list[bool]:
    """Read one scan with ``once``; return for each delivery whether it was known."""
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "inbox/scan.jpg").write_bytes(data)
    done = run_ocrwatch(folder, "once", config=config)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    return [event.get("cached", False) for event in events if event["event"] == "scan.delivered"]


@pytest.mark.parametrize(
    "other", ["[ocr]\npage_segmentation = 6\n", "[enhance]\nskew = false\n", '[ocr]\nengine = "pytesseract"\n']
)
def test_other_settings_are_another_reading(tmp_path: Path, other: str) -> None:
    """A text is never given for settings that it was not read with; but both are kept."""
    assert run_once(tmp_path, "") == [False]
    assert run_once(tmp_path, other) == [False]
    assert run_once(tmp_path, "") == [True]
    assert run_once(tmp_path, other) == [True]


def test_other_language_data_is_another_reading(tmp_path: Path) -> None:
    """Data that was replaced may read something else, though it has the same name; its time does not matter."""
    data = tmp_path / "tessdata"
    data.mkdir()
    installed = tessdata_folder(Recipe()) / "eng.traineddata"
    (data / "eng.traineddata").write_bytes(installed.read_bytes())
    config = f'[ocr]\ntessdata = "{data}"\n'
    assert run_once(tmp_path, config) == [False]
    assert run_once(tmp_path, config) == [True]
    os.utime(data / "eng.traineddata", ns=(0, 0))
    assert run_once(tmp_path, config) == [True]
    (data / "eng.user-words").write_text("words\n")
    assert run_once(tmp_path, config) == [False]


def test_language_data_that_changes_while_it_runs_ends_what_is_known(tmp_path: Path) -> None:
    """Which data a worker has loaded cannot be told then, so that nothing is looked up or kept; one line says so."""
    data = tmp_path / "tessdata"
    data.mkdir()
    (data / "eng.traineddata").write_bytes((tessdata_folder(Recipe()) / "eng.traineddata").read_bytes())
    with DaemonProcess(tmp_path, config=f'[ocr]\ntessdata = "{data}"\n') as daemon:
        daemon.wait_ready()
        drop(daemon, "1.jpg")
        daemon.wait_for("scan.delivered")
        os.utime(data / "eng.traineddata", ns=(0, 0))
        for number in (2, 3):
            drop(daemon, f"{number}.jpg")
            assert "cached" not in daemon.wait_for("scan.delivered", path=f"{number}.jpg")
        assert len(daemon.events("cache.failed")) == 1


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    """Then nothing is kept, what was kept is deleted, and each is read."""
    assert run_once(tmp_path, "[cache]\nenabled = false\n") == [False]
    assert run_once(tmp_path, "[cache]\nenabled = false\n") == [False]
    assert not (tmp_path / "state/cache.db").exists()
    assert run_once(tmp_path, "") == [False]
    assert (tmp_path / "state/cache.db").exists()
    assert run_once(tmp_path, "[cache]\nenabled = false\n") == [False]
    assert not list((tmp_path / "state").glob("cache.db*"))


def test_failures_are_not_remembered(tmp_path: Path) -> None:
    """A scan that could not be read is tried again when it comes again."""
    damaged = SCAN.replace(b"\xff\xc0", b"\xff\xc3", 1)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        for number in (1, 2):
            drop(daemon, f"{number}.jpg", damaged)
            assert daemon.wait_for("scan.quarantined", count=number)["attempt"] == 1
        daemon.stop()
    database = sqlite3.connect(tmp_path / "state/cache.db")
    assert database.execute("SELECT count(*) FROM pages").fetchone() == (0,)
    database.close()


def test_a_cache_that_cannot_be_used_stops_nothing(tmp_path: Path) -> None:
    """Rubbish in its place is renamed, a folder left alone; scans are read, and nothing pauses."""
    state = tmp_path / "state"
    (state / "cache.db").mkdir(parents=True)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        drop(daemon, "1.jpg")
        daemon.wait_for("scan.delivered")
        assert len(daemon.events("cache.failed")) == 1
        assert not daemon.events("daemon.paused")
        daemon.stop()
    (state / "cache.db").rmdir()
    (state / "cache.db").write_bytes(b"rubbish" * 1000)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        drop(daemon, "2.jpg", render("another"))
        daemon.wait_for("scan.delivered")
        assert len(daemon.events("cache.damaged")) == 1
        daemon.stop()
    assert (state / "cache.db.damaged").is_file()


def poison(state: Path, change: str) -> None:
    """Change the only page in the cache."""
    database = sqlite3.connect(state / "cache.db")
    with database:
        assert database.execute(f"UPDATE pages SET page = {change}").rowcount == 1  # noqa: S608 - the test's own
    database.close()


@pytest.mark.parametrize(
    "change",
    [
        "x'00'",
        "zeroblob(100)",
        "substr(page, 1, length(page) - 1)",
        "substr(page, 1, length(page) - 10) || zeroblob(10)",
        "zeroblob(2000) || page",
    ],
)
def test_a_damaged_page_costs_one_line_and_one_reading(tmp_path: Path, change: str) -> None:
    """Its scan is read and delivered once, and the cache has a good page afterwards."""
    assert run_once(tmp_path, FORMATS) == [False]
    poison(tmp_path / "state", change)
    drop_into = tmp_path / "inbox"
    (drop_into / "again.jpg").write_bytes(SCAN)
    done = run_ocrwatch(tmp_path, "once")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events].count("cache.failed") == 1
    (delivered,) = [event for event in events if event["event"] == "scan.delivered"]
    assert "cached" not in delivered
    assert not [event for event in events if event["event"] == "worker.died"]
    assert (tmp_path / "outbox/again.txt").read_bytes() == (tmp_path / "outbox/scan.txt").read_bytes()
    assert run_once(tmp_path, FORMATS) == [True]


def test_a_process_that_renders_is_started_for_the_first_known_scan(tmp_path: Path) -> None:
    """It ends with the daemon, and is replaced if it is killed."""
    with DaemonProcess(tmp_path, config=f"{FORMATS}[workers]\ncount = 1\n") as daemon:
        daemon.wait_ready()
        drop(daemon, "1.jpg")
        daemon.wait_for("scan.delivered")
        before = set(daemon.workers())
        assert len(before) == 1
        drop(daemon, "2.jpg")
        assert daemon.wait_for("scan.delivered", path="2.jpg")["cached"] is True
        (renderer,) = set(daemon.workers()) - before
        os.kill(renderer, signal.SIGKILL)
        drop(daemon, "3.jpg")
        assert daemon.wait_for("scan.delivered", path="3.jpg")["cached"] is True
        assert renderer not in daemon.workers()
        assert len(daemon.workers()) == 2
        assert not daemon.events("cache.failed")
        workers = daemon.workers()
        daemon.stop()
    until(lambda: not any(map(is_alive, workers)), what="the end of all workers")
