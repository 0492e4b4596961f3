"""Pages that were read badly are pointed out until somebody has looked at them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.rendering import encode, render
from tests.system.dropping import put, scan
from tests.system.pausing import kill_before_archiving
from tests.waiting import until

FINE, LEFT, USAGE = 0, 1, 2

CONFIG = """
[output]
formats = ["txt", "json"]
review_below = 100
[[profiles]]
match = "trusted/*"
[profiles.output]
review_below = 0
[status]
heartbeat = "1s"
share_file = true
"""

NOTE = {"OCRWATCH_STATUS__SHARE_FILE": "true"}


def scribble() -> bytes:
    """Return a page with strokes on it that are no letters."""
    chance = random.Random(1)
    page = Image.new("L", (800, 600), 255)
    pen = ImageDraw.Draw(page)
    for _ in range(120):
        x, y = chance.randrange(60, 740), chance.randrange(60, 540)
        pen.line([(x + chance.randrange(-14, 15), y + chance.randrange(-14, 15)) for _ in range(4)], fill=0, width=3)
    return encode(page)


def waiting(folder: Path) -> list[dict[str, Any]]:
    """Return the pages that wait for review."""
    answer = run_ocrwatch(folder, "review", "--json")
    assert answer.returncode == FINE, answer.stderr
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def paths(folder: Path) -> list[str]:
    """Return the paths of the pages that wait for review."""
    return [page["path"] for page in waiting(folder)]


def counts(folder: Path) -> tuple[int, int, list[str]]:
    """Return what the status says: how many pages wait, how many were marked since the start, which wait."""
    status = json.loads(run_ocrwatch(folder, "status", "--json").stdout)
    return status["review_waiting"], status["to_review"], [page["path"] for page in status["reviews"]]


def note_says(daemon: DaemonProcess, words: str) -> bool:
    """Tell whether STATUS.txt has these words."""
    path = daemon.outbox / "STATUS.txt"
    return path.exists() and words in path.read_text()


def test_a_page_below_the_threshold_is_marked_for_review(tmp_path: Path) -> None:
    """Log, JSON and status say so of what was read with too little confidence; not of blank pages, nor elsewhere."""
    with DaemonProcess(tmp_path, config=CONFIG) as daemon:
        daemon.wait_ready()
        (daemon.inbox / "trusted").mkdir()
        (daemon.inbox / "doubtful.jpg").write_bytes(render("Some words to read"))
        (daemon.inbox / "trusted/page.jpg").write_bytes(render("Some words to read"))
        (daemon.inbox / "blank.jpg").write_bytes(render(" ", width=800, height=600))
        daemon.wait_for("scan.delivered", count=3)
        (marked,) = daemon.events("scan.delivered", review=True)
        assert marked["path"] == "doubtful.jpg"
        assert marked["review_reasons"] == [f"confidence {int(marked['confidence'])}"]
        sidecars = {name: json.loads((daemon.outbox / f"{name}.json").read_text()) for name in ("doubtful", "blank")}
        assert {name: page["review"] for name, page in sidecars.items()} == {"doubtful": True, "blank": False}
        assert sidecars["doubtful"]["review_reasons"] == marked["review_reasons"]
        assert sidecars["blank"]["review_reasons"] == []
        assert counts(tmp_path)[0::2] == (1, ["doubtful.jpg"])
        until(lambda: counts(tmp_path) == (1, 1, ["doubtful.jpg"]), what="a status with all three")
        assert "to review   1 (1 scan marked since the start)" in run_ocrwatch(tmp_path, "status").stdout


def test_by_default_what_was_read_well_is_not_marked(tmp_path: Path) -> None:
    """A page that is plain to read is not marked; one whose text cannot be made out is."""
    put(tmp_path / "inbox", "good.jpg", scan(1, 5))
    put(tmp_path / "inbox", "scribbled.jpg", scribble())
    answer = run_ocrwatch(tmp_path, "once")
    assert answer.returncode == FINE
    assert answer.stdout.startswith("2 scans read in ")
    assert ", 1 of them to review (see ocrwatch review); the text is in" in answer.stdout
    assert len(answer.stdout.splitlines()) == 1
    (page,) = waiting(tmp_path)
    assert page["path"] == "scribbled.jpg"
    # None if nothing was read; the second reader makes a few letters of it.
    assert (page["confidence"] or 0.0) < 75


def test_pages_are_listed_until_they_are_ticked_off(tmp_path: Path) -> None:
    """By their text, original, path or name; while the daemon runs and while not; for good."""
    names = ("first.jpg", "sub/second.jpg", "third.jpg", "sub/fourth.jpg")
    with DaemonProcess(tmp_path, config=CONFIG, environment=NOTE) as daemon:
        daemon.wait_ready()
        assert run_ocrwatch(tmp_path, "review").stdout == "Nothing waits for review.\n"
        for number, name in enumerate(names):
            put(daemon.inbox, name, scan(number))
            daemon.wait_for("scan.delivered", path=name)
        put(daemon.inbox, "trusted/fine.jpg", scan(5))
        daemon.wait_for("scan.delivered", path="trusted/fine.jpg")

        pages = waiting(tmp_path)
        assert [page["path"] for page in pages] == list(names)
        event = daemon.events("scan.delivered", path="first.jpg")[0]
        assert pages[0]["reasons"] == event["review_reasons"]
        assert abs(pages[0]["confidence"] - event["confidence"]) < 0.1
        assert pages[0]["files"] == [
            str(daemon.outbox / "first.json"),
            str(daemon.outbox / "first.txt"),
            str(daemon.archive / "first.jpg"),
        ]
        shown = run_ocrwatch(tmp_path, "review").stdout
        assert f"first.jpg: {event['review_reasons'][0]}; read at" in shown
        assert "4 pages wait for review." in shown
        until(lambda: note_says(daemon, "To review: 4\n"), what="the note in the share")
        assert note_says(daemon, f"first.jpg: {event['review_reasons'][0]}")

        why = run_ocrwatch(tmp_path, "why", "first.jpg").stdout
        assert f"It is marked for review: {event['review_reasons'][0]}." in why
        assert f"mark it as reviewed: ocrwatch review --done {daemon.outbox / 'first.txt'}." in why

        answer = run_ocrwatch(tmp_path, "review", "--done", str(daemon.outbox / "first.txt"), "archive/sub/second.jpg")
        assert (answer.returncode, answer.stderr) == (FINE, "")
        assert f"Reviewed: first.jpg ({daemon.outbox / 'first.txt'})\n" in answer.stdout
        assert paths(tmp_path) == ["third.jpg", "sub/fourth.jpg"]
        assert counts(tmp_path)[0::2] == (2, ["third.jpg", "sub/fourth.jpg"])
        assert "and was reviewed at" in run_ocrwatch(tmp_path, "why", "first.jpg").stdout
        until(lambda: note_says(daemon, "To review: 2\n"), what="the daemon hears of it")
        put(daemon.inbox, "trusted/more.jpg", scan(6))
        daemon.wait_for("scan.delivered", path="trusted/more.jpg")
        assert daemon.stop() == FINE
    assert not daemon.events("daemon.paused")
    assert "To review: 2\n" in (daemon.outbox / "STATUS.txt").read_text()
    state = {path.name: path.stat().st_mode for path in daemon.state.iterdir()}

    assert paths(tmp_path) == ["third.jpg", "sub/fourth.jpg"]
    assert run_ocrwatch(tmp_path, "review", "--done", "third.jpg").returncode == FINE
    assert paths(tmp_path) == ["sub/fourth.jpg"]
    assert "To review: 1" in run_ocrwatch(tmp_path, "status").stdout
    assert {path.name: path.stat().st_mode for path in daemon.state.iterdir()} == state

    with DaemonProcess(tmp_path, config=CONFIG, environment=NOTE) as daemon:
        daemon.wait_ready()
        assert counts(tmp_path) == (1, 0, ["sub/fourth.jpg"])
        assert paths(tmp_path) == ["sub/fourth.jpg"]
        assert run_ocrwatch(tmp_path, "review", "--done", "fourth.jpg").returncode == FINE
        assert paths(tmp_path) == []
        until(
            lambda: note_says(daemon, "watching") and not note_says(daemon, "To review"), what="the note in the share"
        )
        assert daemon.stop() == FINE
        assert not daemon.events("scan.delivered")


def test_what_cannot_be_ticked_off_is_said(tmp_path: Path) -> None:
    """An unknown or an ambiguous name changes nothing; what is not marked is left alone; twice is no error."""
    for name in ("a/page.jpg", "b/page.jpg", "other.jpg", "trusted/fine.jpg"):
        put(tmp_path / "inbox", name, scan(1))
    assert run_ocrwatch(tmp_path, "once", config=CONFIG).returncode == FINE
    before = paths(tmp_path)
    assert sorted(before) == ["a/page.jpg", "b/page.jpg", "other.jpg"]

    unknown = run_ocrwatch(tmp_path, "review", "--done", "other.jpg", "missing.jpg")
    assert unknown.returncode == USAGE
    assert unknown.stderr.startswith("ocrwatch: the ledger has no record of missing.jpg; name a scan")
    ambiguous = run_ocrwatch(tmp_path, "review", "--done", "other.jpg", "page.jpg")
    assert ambiguous.returncode == USAGE
    assert "a/page.jpg" in ambiguous.stderr
    assert "b/page.jpg; name one by its whole path" in ambiguous.stderr
    for odd in (["--done"], ["other.jpg"], ["--done", "--json", "other.jpg"]):
        answer = run_ocrwatch(tmp_path, "review", *odd)
        assert answer.returncode == USAGE
        assert len(answer.stderr.splitlines()) == 1
    assert paths(tmp_path) == before

    answer = run_ocrwatch(tmp_path, "review", "--done", "a/page.jpg", "trusted/fine.jpg")
    assert answer.returncode == LEFT
    assert "Reviewed: a/page.jpg" in answer.stdout
    assert "Not marked for review: trusted/fine.jpg" in answer.stdout
    again = run_ocrwatch(tmp_path, "review", "--done", "a/page.jpg", "page.jpg")
    assert again.returncode == FINE
    assert "Reviewed: b/page.jpg" in again.stdout
    assert "Was reviewed before: a/page.jpg" in again.stdout
    assert paths(tmp_path) == ["other.jpg"]


def test_pages_of_one_path_are_ticked_off_by_their_texts_or_together(tmp_path: Path) -> None:
    """Scanners restart their counters: each page of a name has a text of its own."""
    for number in range(3):
        put(tmp_path / "inbox", "page.jpg", scan(number))
        assert run_ocrwatch(tmp_path, "once", config=CONFIG).returncode == FINE
    assert paths(tmp_path) == ["page.jpg"] * 3
    assert run_ocrwatch(tmp_path, "review", "--done", "outbox/page-2.txt").returncode == FINE
    texts = [page["files"][1] for page in waiting(tmp_path)]
    assert texts == [str(tmp_path / "outbox" / name) for name in ("page.txt", "page-3.txt")]
    answer = run_ocrwatch(tmp_path, "review", "--done", "page.jpg")
    assert len(answer.stdout.splitlines()) == 2
    assert paths(tmp_path) == []


def test_read_says_what_it_would_mark(tmp_path: Path) -> None:
    """Without any folder."""
    put(tmp_path, "page.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, "read", "--json", "page.jpg", config="[output]\nreview_below = 100\n")
    page = json.loads(answer.stdout)
    assert page["review"] is True
    assert page["review_reasons"] == [f"confidence {int(page['confidence'])}"]
    assert page["unread"] is None or 0 <= page["unread"] <= 1


def test_a_mark_survives_a_kill(tmp_path: Path) -> None:
    """A scan whose delivery a killed run had planned is marked when the next one closes it, and told with the marks."""
    config = CONFIG + '[hooks]\ndelivered = ["/bin/sh", "-c", "cat >> \\"$0\\"; echo >> \\"$0\\"", "{}"]\n'.format(
        tmp_path / "told"
    )
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        kill_before_archiving(daemon, "page.jpg")
    assert paths(tmp_path) == []
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_for("scan.recovered")
        daemon.wait_ready()
        assert paths(tmp_path) == ["page.jpg"]
        told = until(lambda: (tmp_path / "told").exists() and (tmp_path / "told").read_text().strip(), what="the hook")
        assert json.loads(str(told))["review_reasons"] == waiting(tmp_path)[0]["reasons"]
