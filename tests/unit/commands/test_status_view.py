"""The lines of ``ocrwatch status``; the clock is the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from rich.text import Text

from ocrwatch.commands.status_view import Seen, duration, view
from ocrwatch.observe.status import (
    BeingRead,
    Failure,
    Incomplete,
    NotReadFile,
    PauseStatus,
    ProfileCounts,
    Refusal,
    Resting,
    ServiceStatus,
    Status,
    ToReview,
    isoformat,
)
from ocrwatch.observe.status_documents import FileBeingRead, OpenDocument
from tests.unit.observe.statuses import status

ZONE = timezone(timedelta(hours=1), "CET")


def lines(last: Status | None, *, now: float = 60.0, holder: int | None = 42) -> list[str]:
    """Return what is shown, without colours."""
    seen = Seen("/state", holder, last, datetime.fromtimestamp(now, UTC), heartbeat=10.0, zone=ZONE)
    return [Text.from_markup(line).plain for line in view(seen)]


def test_an_idle_daemon() -> None:
    """What it does, since when in local time, and that nothing waits."""
    assert lines(status(workers_ready=2)) == [
        "watching since 01:00:00 CET (1 min 0 s), process 42, ocrwatch 1.0",
        "inbox       /srv/inbox (inotify)",
        "workers     2 of 2 ready, tesserocr 5",
        "in work     nothing",
        "waiting     0",
        "scans       0 in the last minute, 0 in the last hour, 0 in the last 24 hours",
        "delivered   0 since the start",
        "quarantined 0 since the start",
    ]


def test_a_damaged_scan_that_is_waited_for() -> None:
    """What was found in it, and when it is quarantined."""
    shown = lines(
        status(incomplete=[Incomplete("a.jpg", "damaged", isoformat(50), "a part is missing", isoformat(650))])
    )
    assert (
        "incomplete  a.jpg: it is damaged, but may still be written: a part is missing; quarantined at 01:10:50 CET "
        "unless it changes; unchanged for 10 s"
    ) in shown


def test_a_busy_daemon() -> None:
    """Who reads what for how long, what is next, and what is the matter with the others."""
    shown = lines(
        status(
            state="working",
            waiting=9,
            more=True,
            in_work=["a.jpg", "b.tif", "c.jpg"],
            being_read=[
                BeingRead("a.jpg", 7, 2, isoformat(58)),
                BeingRead("b.tif", 8, 1, isoformat(58), 3),
                BeingRead("b.tif", 9, 1, isoformat(59), 4),
            ],
            oldest_waiting="[old].jpg",
            oldest_waiting_since=isoformat(-3600),
            queue=[f"{number}.jpg" for number in range(6)],
            queued=6,
            delivering=["read.jpg"],
            incomplete=[Incomplete(f"half{number}.jpg", "growing", isoformat(50)) for number in range(7)],
            resting=[Resting("again.jpg", 1, "timeout", "it took too long", isoformat(90))],
            profiles=[ProfileCounts("", 1, 0), ProfileCounts("bills/**", 2000, 1)],
            worker_deaths=3,
            scans_last_minute=12,
            scans_last_hour=1234,
            scans_last_day=5678,
            failures=[
                Failure("x.jpg", "damaged", "it is", isoformat(1)),
                Failure("y.jpg", "damaged", "so too", isoformat(2)),
            ],
        )
    )
    assert "in work     a.jpg for 2 s, worker 7, attempt 2" in shown
    assert "            b.tif, page 3, for 2 s, worker 8" in shown
    assert "waiting     10 and more behind them, the first, [old].jpg, came 1 h 1 min ago" in shown
    assert "            next: 0.jpg, 1.jpg, 2.jpg, 3.jpg, …" in shown
    assert "to deliver  read.jpg" in shown
    assert "incomplete  half0.jpg: it is still being written; unchanged for 10 s" in shown
    assert "            and 2 more" in shown
    assert "retried     again.jpg at 01:01:30 CET: it took too long" in shown
    assert "workers     0 of 2 ready, tesserocr 5; 3 died since the start" in shown
    assert "scans       12 in the last minute, 1,234 in the last hour, 5,678 in the last 24 hours" in shown
    assert shown[shown.index("quarantined 0 since the start") + 1] == "            01:00:02 CET y.jpg: so too"
    assert "profiles    none: 1 delivered, 0 quarantined" in shown
    assert "            bills/**: 2,000 delivered, 1 quarantined" in shown


def test_files_of_several_pages() -> None:
    """How far each is, and which pages are being read."""
    shown = lines(
        status(
            state="working",
            files=[FileBeingRead("a.pdf", 1500, 122, isoformat(0)), FileBeingRead("b.tif", 1, 0, isoformat(59))],
            being_read=[BeingRead("a.pdf", 7, 1, isoformat(58), 1123), BeingRead("c.jpg", 8, 1, isoformat(59))],
        )
    )
    first = shown.index("in work     a.pdf for 1 min 0 s, 122 of 1,500 pages done")
    assert shown[first + 1 : first + 4] == [
        "            b.tif for 1 s, 0 of 1 page done",
        "            a.pdf, page 1,123, for 2 s, worker 7",
        "            c.jpg for 1 s, worker 8",
    ]


def test_what_waits_for_review() -> None:
    """How many wait, also if none was marked since the start, and the newest of them with the reasons, newest first."""
    reviews = [
        ToReview("[a].jpg", 54.2, isoformat(1), ["confidence 54", "62 % of the marks unread"]),
        ToReview("b.jpg", None, isoformat(2), ["no text"]),
    ]
    shown = lines(status(review_waiting=1200, to_review=3, reviews=reviews))
    first = shown.index("to review   1,200 (3 scans marked since the start)")
    assert shown[first + 1 : first + 3] == [
        "            01:00:02 CET b.jpg: no text",
        "            01:00:01 CET [a].jpg: confidence 54, 62 % of the marks unread",
    ]
    assert "to review   1,200" in lines(status(review_waiting=1200))
    assert "to review   0 (3 scans marked since the start)" in lines(status(to_review=3))
    stopped = lines(status(state="stopped", review_waiting=7), holder=None)
    assert stopped[2] == "To review: 7; ocrwatch review lists them."


def test_what_is_not_read() -> None:
    """How many files, the first of them with the reason and what to do, and how many more."""
    some = [NotReadFile(f"[{number}].pdf", "it is a PDF", "save JPEG") for number in range(9)]
    shown = lines(status(not_read=1200, not_read_files=some))
    first = shown.index("not read    1,200")
    assert shown[first + 1] == "            [0].pdf: it is a PDF; save JPEG"
    assert shown[first + 6] == "            and 1,195 more"
    assert "            and 1 more" not in lines(status(not_read=1, not_read_files=some[:1]))


def test_documents_of_several_pages() -> None:
    """How many, and of the first ones when each is complete or what it waits for; an idle daemon has no such line."""
    some = [
        OpenDocument("scan", "bills", 7, on_their_way=1, complete_at=isoformat(100)),
        OpenDocument("late", "", 1, complete_at=isoformat(30)),
        OpenDocument("[fax]", "", 3, missing=1, waits_for="waits: the outbox is full", remedy="free some space"),
        OpenDocument("now", "", 1),
    ]
    shown = lines(status(documents=some, documents_open=1004, documents_delivered=1200))
    first = shown.index("documents   1,200 since the start, 1,004 being gathered or written")
    assert shown[first + 1 : first + 6] == [
        "            bills/scan (7 pages, 1 of them on its way): complete in 40 s if no further page comes",
        "            late (1 page): complete in 0 s if no further page comes",
        "            [fax] (3 pages, 1 missing): waits: the outbox is full; free some space",
        "            now (1 page): is being written",
        "            and 1,000 more",
    ]
    assert "documents   1 since the start, 0 being gathered or written" in lines(status(documents_delivered=1))


def test_a_pause_comes_with_what_to_do() -> None:
    """The reason, since when, and the remedy; a day that is past is named."""
    shown = lines(
        status(state="paused", paused=[PauseStatus("delivery", "the disk is full", "free some space", isoformat(0))]),
        now=86_400 * 2,
    )
    assert shown[0].startswith("paused since 1970-01-01 01:00:00 CET (2 d 0 h)")
    assert "paused since 1970-01-01 01:00:00 CET (2 d 0 h): the disk is full; free some space" in shown


def test_refused_settings_come_with_what_to_do() -> None:
    """What is wrong with new settings stands at the top, for as long as they are refused."""
    refusal = Refusal("there is no option log.levle", "did you mean log.level?", isoformat(30))
    assert lines(status(refused_settings=refusal))[1] == (
        "new settings refused since 01:00:30 CET (30 s): there is no option log.levle; did you mean log.level?"
    )


def test_a_daemon_that_says_nothing_may_hang() -> None:
    """When several heartbeats are missing that is said; a clock that was set back is not taken for it."""
    assert any("may hang" in line for line in lines(status(written=isoformat(60)), now=100.0))
    assert not any("may hang" in line for line in lines(status(written=isoformat(60)), now=85.0))
    assert not any("may hang" in line for line in lines(status(written=isoformat(5000)), now=85.0))


def test_a_daemon_that_has_not_spoken_yet() -> None:
    """A new process is not mixed up with what a former one has written."""
    assert lines(None) == ["starting, process 42"]
    assert lines(status(pid=41, state="working")) == ["starting, process 42"]
    assert lines(status(pid=41), holder=0)[0].startswith("watching")


def test_a_daemon_that_is_not_there() -> None:
    """Stopped, killed, or never there: each is told apart."""
    assert lines(None, holder=None) == ["not running (state folder /state)"]
    assert lines(status(state="stopped"), holder=None)[1].startswith("It stopped at 01:01:00 CET. Scans in /srv/inbox")
    assert "killed or crashed" in lines(status(state="working"), holder=None)[1]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_durations(seconds: float, shown: str) -> None:
    """The two greatest units; a negative one is none."""
    assert duration(seconds) == shown


def test_services_are_shown_with_their_requests() -> None:
    """How many were refused, how long an answer takes, and how many wait for one."""
    shown = lines(
        status(
            services=[
                ServiceStatus("cloud", "https://ocr.example.org", 1200, 3, 1, 5, 0.347),
                ServiceStatus("gpu", "http://gpu:9003"),
            ]
        )
    )
    first = shown.index(
        "services    cloud (https://ocr.example.org): 1,204 requests, 3 refused, 1 without an answer, median 0.35 s, "
        "5 under way"
    )
    assert shown[first + 1] == "            gpu (http://gpu:9003): 0 requests"


def test_a_service_that_is_not_available_does_not_look_like_a_pause() -> None:
    """Others go on; why it is away, what to do, and when it is tried again are in its own line."""
    cloud = ServiceStatus(
        "cloud", "https://o", 1, 2, paused_since=isoformat(0), reason="it answered [503]", remedy="see it",
        next_try=isoformat(65),
    )  # fmt: skip
    shown = lines(status(state="working", services=[cloud]))
    assert shown[0].startswith("working")
    assert not any(line.startswith("paused") for line in shown)
    assert (
        "services    cloud (https://o): 3 requests, 2 refused; not available since 01:00:00 CET (1 min 0 s): "
        "it answered [503]; see it; next try at 01:01:05 CET"
    ) in shown
