"""The daemon's state as a file."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ocrwatch.observe.status import (
    STATUS_NAME,
    STATUS_SCHEMA,
    Distribution,
    Failure,
    PauseStatus,
    ServiceStatus,
    Status,
    ToReview,
    isoformat,
    read,
    write,
)
from ocrwatch.observe.status_documents import FileBeingRead, OpenDocument, WrittenDocument

STATUS = Status(
    state="working",
    since=isoformat(0),
    written=isoformat(1),
    pid=42,
    version="1.0",
    inbox="/in/é",
    outbox="/out",
    quarantine="/quarantine",
    watch="inotify",
    workers=2,
    engine="tesserocr 5",
    started=isoformat(0),
    waiting=3,
    more=True,
    oldest_waiting_s=1.5,
    in_work=["a\\xff.jpg"],
    delivered=10,
    quarantined=1,
    scans_last_minute=5,
    scans_last_hour=9,
    paused=[PauseStatus("delivery", "the disk is full", "free some space", isoformat(0))],
    failures=[Failure("b.jpg", "damaged", "it is", isoformat(0))],
    files=[FileBeingRead("a.pdf", 500, 122, isoformat(0))],
    to_review=2,
    review_waiting=3,
    reviews=[
        ToReview("c.jpg", 12.5, isoformat(0), ["confidence 12"]),
        ToReview("d.jpg", None, isoformat(0), ["no text"]),
    ],
    documents=[OpenDocument("scan", "bills", 7, 2, 1, isoformat(90)), OpenDocument("", "", 1, waits_for="waits")],
    documents_open=2,
    documents_delivered=1,
    document_deliveries=[WrittenDocument("scan", "", ["scan.txt"], 3, isoformat(0), ["scan_002.jpg"])],
    services=[
        ServiceStatus("cloud", "https://o", 3, 2, 1, 4, 0.5, Distribution([0.5], [1, 2], 3.5)),
        ServiceStatus("gpu", "http://g", paused_since=isoformat(0), reason="it is off", next_try=isoformat(9)),
    ],
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Everything comes back, pauses and failures too, and nothing temporary is left."""
    write(tmp_path, STATUS)
    assert read(tmp_path) == STATUS
    write(tmp_path, replace(STATUS, state="stopped", paused=[], oldest_waiting_s=None))
    assert read(tmp_path) == replace(STATUS, state="stopped", paused=[], oldest_waiting_s=None)
    assert [path.name for path in tmp_path.iterdir()] == [STATUS_NAME]
    assert json.loads((tmp_path / STATUS_NAME).read_text())["schema"] == STATUS_SCHEMA


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", "{}", '{"paused": [], "failures": []}', '{"paused": 1}'])
def test_what_is_no_status_is_none(tmp_path: Path, text: str | None) -> None:
    """A missing, half or foreign file is not taken for a daemon's state, and is no error."""
    if text is not None:
        (tmp_path / STATUS_NAME).write_text(text)
    assert read(tmp_path) is None


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path) -> None:
    """The status is the least important file: that it cannot be written is no error."""
    write(tmp_path / "missing", STATUS)
    (tmp_path / STATUS_NAME).mkdir()
    write(tmp_path, STATUS)
    assert read(tmp_path) is None


def test_readers_never_see_half_a_status(tmp_path: Path) -> None:
    """Whoever reads while it is replaced gets the old one or the new one."""
    write(tmp_path, STATUS)
    done = threading.Event()

    def replace_often() -> None:
        for number in range(300):
            write(tmp_path, replace(STATUS, in_work=["x" * number * 10]))
        done.set()

    writer = threading.Thread(target=replace_often)
    writer.start()
    seen = 0
    while not done.is_set():
        assert read(tmp_path) is not None
        seen += 1
    writer.join(10)
    assert seen > 0


def test_times_are_iso_8601_in_utc() -> None:
    """Whoever reads it needs to know no time zone."""
    assert isoformat(0) == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("document", "name", "counts"),
    [
        (OpenDocument("scan", "a/b", 1), "a/b/scan", "1 page"),
        (OpenDocument("", "a", 7, on_their_way=2, missing=1), "a", "7 pages, 2 of them on their way, 1 missing"),
        (OpenDocument("", "", 1, on_their_way=1), "a document", "1 page, 1 of them on its way"),
    ],
)
def test_a_document_is_named_as_far_as_it_is_known(document: OpenDocument, name: str, counts: str) -> None:
    """One whose pages give it no name yet is named after its folder."""
    assert (document.shown, document.page_counts) == (name, counts)
