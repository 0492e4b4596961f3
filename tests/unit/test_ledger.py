"""The ledger knows what happened to every scan, whatever happens to the daemon."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.document import Review
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import SCHEMA_VERSION, Ledger, facts_key, mark_reviewed
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts

FACTS = FileFacts(1, 2, 3, 4)
OTHER = FileFacts(1, 9, 9, 9)
A, SHA = "sub/a.jpg", "ab" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Make a new ledger."""
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


def test_a_scan_goes_through_its_states(ledger: Ledger) -> None:
    """Each note is there at once, and a closed scan is not open any more."""
    entry = ledger.begin(A, FACTS, SHA)
    assert (entry.state, entry.attempts, entry.path, entry.sha256) == ("queued", 0, A, SHA)
    assert ledger.count_attempt(entry.id) == 1
    assert ledger.get(entry.id).state == "reading"
    ledger.planned(entry.id, '{"a": 1}', code=None, reason=None)
    assert (ledger.get(entry.id).state, ledger.plan_of(entry.id)) == ("planned", '{"a": 1}')
    ledger.published(entry.id)
    assert (ledger.get(entry.id).state, ledger.plan_of(entry.id)) == ("published", '{"a": 1}')
    assert [open_.id for open_ in ledger.unfinished()] == [entry.id]
    ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None)
    assert ledger.unfinished() == []
    assert ledger.plan_of(entry.id) is None
    assert ledger.get(entry.id).plan == '{"a": 1}'
    assert ledger.totals() == {"delivered": 1}
    assert entry.seen_at <= ledger.get(entry.id).updated_at


def test_the_same_file_is_found_again(ledger: Ledger) -> None:
    """The same facts, or the same bytes under the same name, continue what was begun."""
    first = ledger.begin(A, FACTS, SHA)
    ledger.count_attempt(first.id)
    assert ledger.begin(A, FACTS, None).id == first.id
    assert ledger.begin(A, FACTS, SHA).id == first.id
    again = ledger.begin(A, OTHER, SHA)
    assert (again.id, again.attempts, again.facts) == (first.id, 1, facts_key(OTHER))


def test_the_device_does_not_matter(ledger: Ledger) -> None:
    """A share that was mounted anew holds the same files."""
    first = ledger.begin(A, FACTS, None)
    assert ledger.begin(A, FileFacts(77, 2, 3, 4), None).id == first.id


def test_another_file_of_the_same_name_supersedes(ledger: Ledger) -> None:
    """A new file starts anew, without the attempts and the plan of the one that had its name."""
    first = ledger.begin(A, FACTS, SHA)
    ledger.count_attempt(first.id)
    ledger.planned(first.id, "{}", code=None, reason=None)
    second = ledger.begin(A, OTHER, "cd" * 32)
    assert (second.attempts, second.state, second.plan) == (0, "queued", None)
    assert second.id != first.id
    assert ledger.get(first.id).state == "changed"
    assert [entry.id for entry in ledger.unfinished()] == [second.id]
    assert ledger.begin("b.jpg", OTHER, "cd" * 32).id != second.id


def test_a_finished_scan_is_not_continued(ledger: Ledger) -> None:
    """The same file dropped in again after its end is a new scan; its history stays."""
    first = ledger.begin(A, FACTS, SHA)
    ledger.close_scan(first.id, ScanState.QUARANTINED, code="damaged", reason="it is")
    second = ledger.begin(A, FACTS, SHA)
    assert second.id != first.id
    assert [(past.state, past.code, past.reason) for past in ledger.history(SHA)] == [
        ("quarantined", "damaged", "it is")
    ]


def test_of_a_long_history_the_newest_are_returned(ledger: Ledger) -> None:
    """All empty files have the same bytes: a reason does not list thousands of them, but says how many there are."""
    for number in range(25):
        entry = ledger.begin(f"{number}.jpg", FACTS, SHA)
        ledger.close_scan(entry.id, ScanState.QUARANTINED, code="truncated", reason=None)
    ledger.begin("open.jpg", FACTS, SHA)
    ledger.begin("other.jpg", FACTS, "cd" * 32)
    assert [past.path for past in ledger.history(SHA)] == [f"{number}.jpg" for number in range(5, 25)]
    assert ledger.history_length(SHA) == 25
    assert (ledger.history("ef" * 32), ledger.history_length("ef" * 32)) == ([], 0)


def test_attempts_survive_whatever_ends_the_daemon(tmp_path: Path) -> None:
    """An attempt that was counted is known to the next run, even if this one never closed the ledger."""
    first = Ledger(tmp_path)
    entry = first.begin(A, FACTS, SHA)
    first.count_attempt(entry.id)
    first.count_attempt(entry.id)
    second = Ledger(tmp_path)
    assert second.begin(A, FACTS, SHA).attempts == 2
    assert second.token == first.token
    first.close()
    second.close()


def test_no_text_is_refused_for_bytes_that_are_not_utf_8(ledger: Ledger) -> None:
    """A reason may name a file, whatever its name is: such bytes are escaped in each text that is recorded."""
    entry, odd, seen = ledger.begin(A, FACTS, SHA), "f\udcfc.jpg is odd", "f\\udcfc.jpg is odd"
    ledger.wait(entry.id, 0.0, odd, odd)
    assert (ledger.get(entry.id).code, ledger.get(entry.id).reason) == (seen, seen)
    ledger.count_attempt(entry.id)
    ledger.refund_attempt(entry.id, code=odd, reason=odd)
    ledger.planned(entry.id, odd, code=odd, reason=odd)
    assert ledger.plan_of(entry.id) == seen
    ledger.close_scan(entry.id, ScanState.DELIVERED, code=odd, reason=odd, review=Review((odd,), None))
    assert ledger.get(entry.id).reason == seen
    ledger.mark_for_review(entry.id, f"{odd} again")
    ledger.rebuilt([("b.jpg", OTHER, SHA, odd)])
    assert [past.plan for past in ledger.history(SHA)] == [seen, seen]


def test_two_ledgers_have_two_tokens(tmp_path: Path) -> None:
    """Temporary files of two daemons can be told apart."""
    tokens = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ledger = Ledger(tmp_path / name)
        tokens.add(ledger.token)
        ledger.close()
    assert len(tokens) == 2


def test_an_attempt_is_taken_back(ledger: Ledger) -> None:
    """An attempt that ended for no fault of the scan does not count; one that is planned is not touched."""
    entry = ledger.begin(A, FACTS, SHA)
    ledger.count_attempt(entry.id)
    ledger.refund_attempt(entry.id)
    ledger.refund_attempt(entry.id)
    assert (ledger.get(entry.id).attempts, ledger.get(entry.id).state) == (0, "queued")
    ledger.count_attempt(entry.id)
    ledger.planned(entry.id, "{}", code=None, reason=None)
    ledger.refund_attempt(entry.id)
    assert (ledger.get(entry.id).attempts, ledger.plan_of(entry.id)) == (1, "{}")


def test_a_scan_with_a_service_is_not_suspected(ledger: Ledger) -> None:
    """Whatever ends ocrwatch while a service reads it: its attempt does not count, and it need not be read alone."""
    sent, other = (ledger.begin(path, FACTS, sha) for path, sha in ((A, SHA), ("b.jpg", "cd" * 32)))
    for entry in (sent, other):
        ledger.count_attempt(entry.id)
    ledger.record_sent(sent.id)
    assert ledger.get(sent.id).attempts == 1
    (suspect,) = ledger.record_unclean_end(1.0, 60.0)
    assert (suspect.id, suspect.alone, suspect.deaths) == (other.id, 1, 1)
    entry = ledger.get(sent.id)
    assert (entry.state, entry.attempts, entry.alone, entry.deaths) == ("queued", 0, 0, 0)
    # The other one is not being read at the next kill, which resets its deaths.
    ledger.count_attempt(sent.id)
    ledger.record_sent(sent.id)
    assert ledger.record_unclean_end(1.0, 60.0) == []
    assert ledger.get(other.id).deaths == 0
    ledger.record_sent(sent.id)
    assert ledger.get(sent.id).state == "queued"
    for end in (ledger.record_clean_end, lambda: ledger.refund_attempt(sent.id)):
        ledger.count_attempt(sent.id)
        ledger.record_sent(sent.id)
        end()
        assert (ledger.get(sent.id).state, ledger.get(sent.id).attempts) == ("queued", 0)


def test_a_scan_that_is_read_on_with_an_answer_is_suspected(ledger: Ledger) -> None:
    """Its own pixels are read again then."""
    entry = ledger.begin(A, FACTS, SHA)
    ledger.record_answered(entry.id)
    assert ledger.get(entry.id).state == "queued"
    ledger.count_attempt(entry.id)
    ledger.record_sent(entry.id)
    ledger.record_answered(entry.id)
    (suspect,) = ledger.record_unclean_end(1.0, 60.0)
    assert (suspect.id, suspect.deaths, suspect.attempts) == (entry.id, 1, 0)


def test_a_failed_attempt_waits_with_its_reason(ledger: Ledger) -> None:
    """When and why is known after a restart."""
    entry = ledger.begin(A, FACTS, SHA)
    ledger.count_attempt(entry.id)
    ledger.wait(entry.id, 12345.5, "timeout", "too slow")
    found = ledger.begin(A, FACTS, SHA)
    assert (found.state, found.not_before, found.code, found.reason) == ("retrying", 12345.5, "timeout", "too slow")
    assert [waiting.id for waiting in ledger.unfinished()] == [entry.id]


def test_unfinished_scans_come_oldest_first(ledger: Ledger) -> None:
    """A restart carries on in the order in which the scans came."""
    entries = [ledger.begin(f"{name}.jpg", FACTS, None) for name in "cab"]
    ledger.count_attempt(entries[0].id)
    assert [entry.path for entry in ledger.unfinished()] == ["c.jpg", "a.jpg", "b.jpg"]


@pytest.mark.parametrize("path", ["\udcff.jpg", "a\nb.jpg", "é/漢.jpg", "'; DROP TABLE scans; --.jpg"])
def test_names_are_data(ledger: Ledger, path: str) -> None:
    """Any name is found again as it is."""
    entry = ledger.begin(path, FACTS, SHA)
    assert ledger.begin(path, FACTS, SHA) == ledger.get(entry.id)
    assert ledger.get(entry.id).path == path
    ledger.planned(entry.id, '{"fate": "keep"}', code=None, reason=None)
    ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None)
    assert list(ledger.kept()) == [(path, facts_key(FACTS))]


def test_only_what_stays_in_the_inbox_is_kept(ledger: Ledger) -> None:
    """An archived scan of the same name and facts would be another file: it is to be read."""
    entry = ledger.begin(A, FACTS, SHA)
    ledger.planned(entry.id, '{"fate": "archive"}', code=None, reason=None)
    ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None)
    assert list(ledger.kept()) == []


def test_what_was_done_is_known_by_name_and_bytes(ledger: Ledger) -> None:
    """Only these bytes under this name, and only if they were delivered, are done."""
    entry = ledger.begin(A, FACTS, SHA)
    assert not ledger.was_done(A, SHA)
    ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None)
    assert ledger.was_done(A, SHA)
    assert not ledger.was_done("b.jpg", SHA)
    assert not ledger.was_done(A, "cd" * 32)


def test_an_unknown_scan_is_an_error(ledger: Ledger) -> None:
    """A number that was never given is not taken for a scan, and the ledger works on after that."""
    for call in (ledger.get, ledger.plan_of, ledger.count_attempt):
        with pytest.raises(KeyError):
            call(99)
    assert ledger.begin(A, FACTS, SHA).id > 0


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    """An older ocrwatch does not touch what a newer one has written, and says what to do."""
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(EnvironmentFault, match=r"newer ocrwatch.*upgrade"):
        Ledger(tmp_path)


def test_a_state_folder_that_is_gone_is_the_environments_fault(tmp_path: Path) -> None:
    """A missing folder is neither a bug nor damage."""
    with pytest.raises(EnvironmentFault, match="missing"):
        Ledger(tmp_path / "missing")


def test_a_full_disk_is_the_environments_fault_and_loses_nothing(ledger: Ledger) -> None:
    """What does not fit is refused whole; what was noted stays, and it goes on when there is room."""
    entry = ledger.begin(A, FACTS, SHA)
    (pages,) = ledger.db.execute("PRAGMA page_count").fetchone()
    ledger.db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(EnvironmentFault, match=r"full.*disk sound and not full"):
        ledger.planned(entry.id, "x" * 1_000_000, code=None, reason=None)
    assert ledger.get(entry.id).state == "queued"
    ledger.db.execute("PRAGMA max_page_count = 100000")
    ledger.planned(entry.id, "x" * 1_000_000, code=None, reason=None)
    assert ledger.plan_of(entry.id) == "x" * 1_000_000


def test_threads_share_it(ledger: Ledger) -> None:
    """Attempts counted from several threads at once are all counted, and each learns its own number."""
    entry = ledger.begin(A, FACTS, SHA)
    numbers: list[int] = []
    gate = threading.Barrier(4)

    def count() -> None:
        gate.wait(10)
        numbers.extend(ledger.count_attempt(entry.id) for _ in range(10))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(numbers) == list(range(1, 41))


def test_a_closed_ledger_is_the_environments_fault(tmp_path: Path) -> None:
    """A late note after the end raises what callers expect."""
    ledger = Ledger(tmp_path)
    ledger.close()
    with pytest.raises(EnvironmentFault):
        ledger.begin(A, FACTS, SHA)


def test_what_is_long_past_is_forgotten(ledger: Ledger) -> None:
    """Rows of scans that ended before a time are dropped, however many; open ones and the newer ones stay."""
    ledger.rebuilt((f"{number}.jpg", FACTS, SHA, "{}") for number in range(1198))
    states: tuple[ScanState, ...] = (ScanState.QUARANTINED, ScanState.CHANGED)
    for state in states:
        ledger.close_scan(ledger.begin(f"{state}.jpg", FACTS, SHA).id, state, code=None, reason=None)
    open_ = ledger.begin("open.jpg", FACTS, SHA)
    ledger.db.execute("UPDATE scans SET updated_at = 1000")
    newer = ledger.begin("newer.jpg", FACTS, SHA)
    ledger.close_scan(newer.id, ScanState.DELIVERED, code=None, reason=None)
    assert ledger.prune(999) == 0
    assert ledger.prune(2000) == 1200
    assert ledger.totals() == {"queued": 1, "delivered": 1}
    assert ledger.get(open_.id).path == "open.jpg"
    assert ledger.prune(2000) == 0


def test_what_stays_in_the_inbox_is_never_forgotten(ledger: Ledger) -> None:
    """Forgotten, an original that lies in the inbox would be read again after a restart."""
    for path, fate in ((A, "keep"), ("b.jpg", "archive")):
        entry = ledger.begin(path, FACTS, SHA)
        ledger.planned(entry.id, f'{{"fate": "{fate}"}}', code=None, reason=None)
        ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None)
    ledger.db.execute("UPDATE scans SET updated_at = 1000")
    assert ledger.prune(2000) == 1
    assert list(ledger.kept()) == [(A, facts_key(FACTS))]


def read(ledger: Ledger, path: str, review: Review | None) -> int:
    """Note a scan that was read; return its row."""
    entry = ledger.begin(path, FACTS, SHA)
    ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None, review=review)
    return entry.id


def test_marked_pages_wait_for_review(tmp_path: Path) -> None:
    """Also after a restart, the newest ones if no more are wanted; those without a mark do not."""
    ledger = Ledger(tmp_path)
    review = Review(("confidence 54", "62 % of the marks unread"), 54.25)
    marked = [read(ledger, f"{number}.jpg", review) for number in range(3)]
    other = read(ledger, "fine.jpg", None)
    ledger.close()
    ledger = Ledger(tmp_path)
    count, rows = ledger.to_review(2)
    assert (count, [row.id for row in rows]) == (3, marked[1:])
    assert {row.review for row in rows} == {review}
    assert all(row.waits_for_review for row in rows)
    assert not ledger.get(other).waits_for_review
    ledger.close()


def test_a_page_is_marked_once_for_each_reason(tmp_path: Path) -> None:
    """Also if it was ticked off, or not marked when it was delivered; when it was delivered stays as it was."""
    ledger = Ledger(tmp_path)
    scans = [ledger.begin(f"{number}.jpg", FACTS, None).id for number in range(2)]
    ledger.close_scan(scans[0], ScanState.DELIVERED, code=None, reason=None, review=Review(("confidence 54",), 54.0))
    ledger.close_scan(scans[1], ScanState.DELIVERED, code=None, reason=None)
    mark_reviewed(tmp_path, {scans[0]: ["confidence 54"]})
    before = [ledger.get(scan).updated_at for scan in scans]
    assert [ledger.mark_for_review(scan, "changed") for scan in (*scans, *scans)] == [True, True, False, False]
    assert [ledger.get(scan).review for scan in scans] == [
        Review(("confidence 54", "changed"), 54.0),
        Review(("changed",), None),
    ]
    assert [row.waits_for_review for row in map(ledger.get, scans)] == [True, True]
    assert [ledger.get(scan).updated_at for scan in scans] == before
    # Reasons that came after the page was looked at were not seen.
    mark_reviewed(tmp_path, {scans[0]: ["confidence 54"], scans[1]: ["changed"]})
    assert [row.id for row in ledger.to_review(10)[1]] == scans[:1]
    assert not ledger.mark_for_review(scans[1], "changed")
    assert not ledger.mark_for_review(999, "changed")
    ledger.close()


def test_a_mark_is_noted_with_the_end_or_not_at_all(ledger: Ledger) -> None:
    """What is interrupted before its commit leaves neither."""
    entry = ledger.begin(A, FACTS, SHA)
    review = Review(("no text",), None)

    def interrupted() -> None:
        with ledger.transaction():
            ledger.close_scan(entry.id, ScanState.DELIVERED, code=None, reason=None, review=review)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert (ledger.get(entry.id).state, ledger.get(entry.id).review) == ("queued", None)
    assert ledger.to_review(10) == (0, [])


def test_a_mark_is_forgotten_with_its_scan(ledger: Ledger) -> None:
    """Pruning leaves nothing to review of scans that it drops."""
    read(ledger, A, Review(("no text",), None))
    ledger.db.execute("UPDATE scans SET updated_at = 1000")
    newer = read(ledger, "newer.jpg", Review(("no text",), None))
    assert ledger.prune(2000) == 1
    count, rows = ledger.to_review(10)
    assert (count, [row.id for row in rows]) == (1, [newer])


def interrupt(ledger: Ledger, *paths: str) -> list[int]:
    """Have scans be in work, as a run leaves them that is killed; return their rows."""
    rows = [ledger.begin(path, FileFacts(1, hash(path) & 0xFFFF, 3, 4), path.encode().hex()).id for path in paths]
    for row in rows:
        ledger.count_attempt(row)
    return rows


def test_an_unclean_end_with_several_in_work_is_put_down_to_none(ledger: Ledger) -> None:
    """None has lost an attempt, and each is read alone from then on; a second look finds nothing to judge."""
    rows = interrupt(ledger, "a", "b")
    assert [entry.path for entry in ledger.record_unclean_end(1.0, 9.0)] == ["a", "b"]
    for row in rows:
        entry = ledger.get(row)
        assert (entry.state, entry.attempts, entry.alone, entry.deaths) == ("queued", 0, 1, 0)
    assert ledger.record_unclean_end(1.0, 9.0) == []


def test_an_unclean_end_with_one_in_work_is_counted_and_it_waits(ledger: Ledger) -> None:
    """It waits longer after each death, and has lost no attempt."""
    for deaths, delay in ((1, 1.0), (2, 2.0), (3, 3.0)):
        (row,) = interrupt(ledger, "a")
        begun = time.time()
        ledger.record_unclean_end(1.0, 3.0)
        entry = ledger.get(row)
        assert (entry.state, entry.attempts, entry.deaths) == ("retrying", 0, deaths)
        assert entry.not_before == pytest.approx(begun + delay, abs=0.5)


def test_deaths_are_forgotten_for_pages_that_were_not_done_before(ledger: Ledger) -> None:
    """And only for these, so that a file cannot have ocrwatch killed for ever; other scans keep theirs."""
    (row,) = interrupt(ledger, "a.pdf")
    told = []
    for pages in (7, 7, 6, 8):
        interrupt(ledger, "a.pdf")
        ledger.record_unclean_end(1.0, 9.0)
        ledger.record_progress(row, pages)
        told.append((ledger.get(row).deaths, ledger.get(row).pages))
    assert told == [(0, 7), (1, 7), (2, 7), (0, 8)]


@pytest.mark.parametrize("others", [("b",), ("b", "c")])
def test_a_death_without_the_suspect_clears_it(ledger: Ledger, others: tuple[str, ...]) -> None:
    """If ocrwatch is killed while others are in work, its deaths have another cause."""
    (suspect,) = interrupt(ledger, "a")
    ledger.record_unclean_end(1.0, 9.0)
    assert ledger.get(suspect).deaths == 1
    interrupt(ledger, *others)
    ledger.record_unclean_end(1.0, 9.0)
    assert (ledger.get(suspect).deaths, ledger.get(suspect).alone) == (0, 1)


def test_an_attempt_that_says_nothing_yet_is_taken_back_with_what_was_found(ledger: Ledger) -> None:
    """The scan is waited for, and read again as if for the first time."""
    entry = ledger.begin(A, FACTS, SHA)
    ledger.count_attempt(entry.id)
    ledger.refund_attempt(entry.id, code="damaged", reason="a part is missing")
    found = ledger.begin(A, FACTS, SHA)
    assert (found.id, found.state, found.attempts) == (entry.id, "queued", 0)
    assert (found.code, found.reason) == ("damaged", "a part is missing")


def test_what_was_put_away_lately_is_found(ledger: Ledger) -> None:
    """What was quarantined, the newest first, and what was delivered, the oldest first; not more than asked for."""
    ends: tuple[ScanState, ...] = (
        ScanState.DELIVERED,
        ScanState.QUARANTINED,
        ScanState.CHANGED,
        ScanState.DELIVERED,
        ScanState.QUARANTINED,
    )
    rows = []
    for number, end in enumerate(ends):
        rows.append(ledger.begin(f"{number}.jpg", FACTS, SHA).id)
        ledger.close_scan(rows[-1], end, code=None, reason=None)
    first, last = (ledger.get(rows[number]).updated_at for number in (0, 4))
    assert [entry.id for entry in ledger.quarantined_since(first, 9)] == [rows[4], rows[1]]
    assert [entry.id for entry in ledger.quarantined_since(first, 1)] == [rows[4]]
    assert ledger.quarantined_since(last + 1, 9) == []
    assert [entry.id for entry in ledger.delivered_between(first - 1, last, 9)] == [rows[0], rows[3]]
    assert [entry.id for entry in ledger.delivered_between(first, last, 9)] == [rows[3]]


def test_a_clean_end_leaves_nothing_to_judge(ledger: Ledger) -> None:
    """What was in work, or waited to be delivered, when ocrwatch was stopped has lost no attempt and is not blamed."""
    rows = interrupt(ledger, "a")
    ledger.record_clean_end()
    assert ledger.record_unclean_end(1.0, 9.0) == []
    entry = ledger.get(rows[0])
    assert (entry.state, entry.attempts, entry.alone, entry.deaths) == ("queued", 0, 0, 0)


def test_endings_are_remembered_for_good(ledger: Ledger, tmp_path: Path) -> None:
    """Those of formats that are not installed any more come after today's, also after a restart."""
    assert ledger.remember_endings(("json", "txt")) == ("json", "txt")
    assert ledger.remember_endings(("json", "alto.xml", "txt")) == ("json", "alto.xml", "txt")
    again = Ledger(tmp_path)
    assert again.remember_endings(("json", "txt")) == ("json", "txt", "alto.xml")
    again.close()
