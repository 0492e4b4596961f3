"""When a file is complete; the clock is the test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.errors import Damaged, OtherFormat, TooLarge, Truncated
from ocrwatch.intake.completeness import Completeness
from ocrwatch.intake.opener import Probe
from ocrwatch.intake.readiness import (
    LONGEST_INTERVAL,
    NAMED_PATIENCE,
    OTHER_PATIENCE,
    GivenUp,
    Gone,
    ReadinessTracker,
    Ready,
    Unsettled,
    Verdict,
    Waiting,
)
from ocrwatch.scan import Arrival, SettledFile
from ocrwatch.storage.file_facts import FileFacts

QUIET, CLOSED_QUIET, PATIENCE = 1.0, 0.2, 60.0
WHOLE, PARTIAL, NOT_JPEG, EMPTY = (
    Completeness.WHOLE,
    Completeness.PARTIAL,
    Completeness.OTHER,
    Completeness.EMPTY,
)
A = "a.jpg"


def settle() -> ReadinessTracker:
    """Make what the tests below begin with."""
    return ReadinessTracker(QUIET, CLOSED_QUIET, PATIENCE)


def probe(size: int, state: Completeness | None = WHOLE) -> Probe:
    """Make what a look finds; another size is another state of the file."""
    return Probe(FileFacts(1, 2, size, size), state)


def look(subject: ReadinessTracker, found: Probe | None, now: float, path: str = A) -> Verdict:
    """Take the one look that is due."""
    assert subject.due(now, 10) == [path]
    return subject.update(path, found, now)


def test_a_whole_file_is_ready_after_two_looks_a_quiet_time_apart() -> None:
    """A file found by a look goes on when it was the same a quiet time later, and not before."""
    subject = settle()
    subject.track(Arrival(A, fresh=False), 0.0)
    assert look(subject, probe(5), 0.0) == Waiting("", first=False)
    assert subject.due(QUIET - 0.01, 10) == []
    assert subject.next_look() == QUIET
    verdict = look(subject, probe(5), QUIET)
    assert isinstance(verdict, Ready)
    assert (verdict.scan.path, verdict.scan.facts, verdict.scan.fresh, verdict.scan.ready_at) == (
        A,
        probe(5).facts,
        False,
        QUIET,
    )
    assert A not in subject
    assert subject.next_look() is None


@pytest.mark.parametrize("how", ["closed", "moved"])
def test_a_closed_file_has_a_shorter_quiet(how: str) -> None:
    """What was closed after writing, or moved in, goes on after the short quiet."""
    subject = settle()
    subject.track(Arrival(A, "closed" if how == "closed" else "moved"), 0.0)
    look(subject, probe(5), 0.0)
    assert isinstance(look(subject, probe(5), CLOSED_QUIET), Ready)


def test_an_event_brings_the_next_look_forward() -> None:
    """An event on a known path has it looked at now; a further sighting by a look does not."""
    subject = settle()
    subject.track(Arrival(A, fresh=False), 0.0)
    look(subject, probe(5, PARTIAL), 0.0)
    look(subject, probe(5, PARTIAL), 1.0)
    subject.track(Arrival(A), 1.1)
    assert subject.due(1.1, 10) == []
    subject.track(Arrival(A, "closed"), 1.2)
    look(subject, probe(9), 1.2)
    verdict = look(subject, probe(9), 1.2 + CLOSED_QUIET)
    assert isinstance(verdict, Ready)
    assert verdict.scan.fresh


def test_a_growing_file_is_never_ready_and_never_given_up() -> None:
    """As long as it changes it waits, even where every state of it is a whole JPEG and it takes days."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    size = 1
    for state in [WHOLE, PARTIAL] * 200:
        now = subject.next_look()
        assert now is not None
        assert look(subject, probe(size, state), now) == Waiting("growing" if size > 1 else "", first=size == 2)
        size += 1


def test_an_incomplete_file_goes_on_as_it_is_after_the_patience() -> None:
    """One that does not change is looked at ever more rarely, and decoded in the end: only its end may be missing."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    times: list[float] = []
    verdict: Verdict = Waiting("", first=False)
    while not isinstance(verdict, Ready):
        now = subject.next_look()
        assert now is not None
        times.append(now)
        verdict = look(subject, probe(5, PARTIAL), now)
    assert verdict.scan.facts == probe(5).facts
    assert times[-1] == PATIENCE
    assert len(times) < 15
    assert A not in subject


def test_a_change_starts_the_patience_anew() -> None:
    """One byte more, just before the end, and the file has the whole patience again."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    look(subject, probe(5, PARTIAL), 0.0)
    subject.due(PATIENCE - 1, 1)
    assert subject.update(A, probe(6, PARTIAL), PATIENCE - 1) == Waiting("growing", first=True)
    subject.due(2 * PATIENCE - 2, 1)
    assert subject.update(A, probe(6, PARTIAL), 2 * PATIENCE - 2) == Waiting("incomplete", first=True)
    subject.due(2 * PATIENCE - 1, 1)
    assert isinstance(subject.update(A, probe(6, PARTIAL), 2 * PATIENCE - 1), Ready)


@pytest.mark.parametrize(("state", "fault", "after"), [(NOT_JPEG, OtherFormat, OTHER_PATIENCE), (EMPTY, Truncated, 60)])
def test_other_files_are_given_up(state: Completeness, fault: type, after: float) -> None:
    """Bytes that are no JPEG are believed sooner than half a JPEG; an empty file has the whole patience."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    look(subject, probe(5, state), 0.0)
    now = 0.0
    while isinstance(verdict := look(subject, probe(5, state), now := subject.next_look() or -1.0), Waiting):
        assert now < after
    assert isinstance(verdict, GivenUp)
    assert isinstance(verdict.fault, fault)
    assert now == after


def test_a_file_of_another_known_kind_is_given_up_within_seconds() -> None:
    """What begins as a HEIC image will be no JPEG, however long it is waited for; the fault says what to do."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    found = replace(probe(5, NOT_JPEG), kind="a HEIC image")
    assert isinstance(look(subject, found, 0.0), Waiting)
    while isinstance(verdict := look(subject, found, now := subject.next_look() or -1.0), Waiting):
        pass
    assert isinstance(verdict, GivenUp)
    assert now == max(QUIET, NAMED_PATIENCE)
    assert "HEIC" in verdict.fault.message
    assert "Most Compatible" in verdict.fault.remedy


def test_a_short_patience_also_holds_for_what_is_no_jpeg() -> None:
    """No file is waited for longer than the patience that was asked for."""
    subject = ReadinessTracker(QUIET, CLOSED_QUIET, 3.0)
    subject.track(Arrival(A), 0.0)
    look(subject, probe(5, NOT_JPEG), 0.0)
    look(subject, probe(5, NOT_JPEG), 1.0)
    assert subject.due(3.0, 1) == [A]
    assert isinstance(subject.update(A, probe(5, NOT_JPEG), 3.0), GivenUp)


def test_an_unreadable_file_is_never_given_up() -> None:
    """A file that the daemon may not read is the environment's fault: it waits, however long it takes."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    now = 0.0
    for _ in range(100):
        assert isinstance(look(subject, probe(5, None), now), Waiting)
        now = subject.next_look() or -1.0
    assert now > 20 * PATIENCE
    assert isinstance(look(subject, probe(5), now), Ready)


def test_what_is_gone_is_forgotten() -> None:
    """A file that is not there any more is not looked at again."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    assert look(subject, None, 0.0) == Gone()
    assert (len(subject), subject.next_look()) == (0, None)


def test_a_path_is_not_due_while_its_look_is_under_way() -> None:
    """Nothing is due twice at once, however many times it arrives meanwhile."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    subject.track(Arrival(A), 0.0)
    assert subject.due(0.0, 10) == [A]
    assert subject.due(5.0, 10) == []


def test_an_event_during_a_look_has_another_look_follow_it() -> None:
    """What comes while a look is under way is looked at right after it, not beside it.

    Were there two looks at once, the first could find the file ready and the second take it for gone.
    """
    subject = settle()
    subject.track(Arrival(A), 0.0)
    look(subject, probe(5, PARTIAL), 0.0)
    assert subject.due(1.0, 10) == [A]
    subject.track(Arrival(A, "closed"), 1.1)
    assert subject.due(1.1, 10) == []
    assert isinstance(subject.update(A, probe(5, PARTIAL), 1.2), Waiting)
    following = subject.next_look()
    assert following is not None
    assert following <= 1.2 + QUIET


def test_looks_are_limited_and_the_longest_due_comes_first() -> None:
    """No more paths are due at once than were asked for, in the order in which they became due."""
    subject = settle()
    for number in range(5):
        subject.track(Arrival(f"{number}.jpg"), float(-number))
    assert subject.due(0.0, 2) == ["4.jpg", "3.jpg"]
    assert subject.due(0.0, 9) == ["2.jpg", "1.jpg", "0.jpg"]


def test_a_file_is_stuck_when_nothing_more_can_be_expected() -> None:
    """Only files known to be incomplete, and unchanged for long, are no reason to wait any longer."""
    subject = settle()
    assert subject.is_stuck(0.0, 3.0)
    subject.track(Arrival(A), 0.0)
    assert not subject.is_stuck(100.0, 3.0)
    look(subject, probe(5, PARTIAL), 0.0)
    assert not subject.is_stuck(100.0, 3.0)
    look(subject, probe(5, PARTIAL), 1.0)
    assert not subject.is_stuck(2.9, 3.0)
    assert subject.is_stuck(3.0, 3.0)
    subject.due(10.0, 1)
    subject.update(A, probe(6, PARTIAL), 10.0)
    assert not subject.is_stuck(100.0, 3.0)


@dataclass(frozen=True)
class Change:
    """Something that happens to the file: it is written to, or an event of it is heard."""

    after: float
    state: Completeness | None
    """None for an event without a change."""
    heard: bool


CHANGES = st.lists(
    st.builds(Change, st.floats(0.001, 50.0), st.sampled_from([WHOLE, PARTIAL, NOT_JPEG, None]), heard=st.booleans()),
    max_size=12,
)


def play(changes: list[Change]) -> tuple[Verdict, float, float, bool]:
    """Play a file's life: its last verdict and when that came, when it changed last, and whether that was heard."""
    subject, now, size, state = settle(), 0.0, 1, PARTIAL
    changed_at, heard = 0.0, False
    subject.track(Arrival(A), now)
    left = list(changes)
    at = left[0].after if left else float("inf")
    while True:
        following = subject.next_look()
        assert following is not None
        # A clock moves on between two looks, if only by a microsecond.
        now = min(max(now + 1e-6, following), at)
        if now == at:
            change = left.pop(0)
            if change.state is not None:
                size, state, changed_at, heard = size + 1, change.state, now, False
            if change.heard:
                subject.track(Arrival(A, "closed"), now)
                heard = True
            at = now + left[0].after if left else float("inf")
            continue
        assert subject.due(now, 10) == [A]
        verdict = subject.update(A, probe(size, state), now)
        if isinstance(verdict, Ready):
            assert state is WHOLE or (state is PARTIAL and now - changed_at >= PATIENCE - 1e-9)
            assert verdict.scan.facts == probe(size).facts
        if not isinstance(verdict, Waiting):
            return verdict, now, changed_at, heard


@given(CHANGES)
def test_no_file_is_ready_before_it_was_quiet(changes: list[Change]) -> None:
    """Whatever happens to a file, it goes on only whole and unchanged for the quiet time that holds for it."""
    verdict, now, changed_at, _ = play(changes)
    if isinstance(verdict, Ready):
        assert now - changed_at >= CLOSED_QUIET - 1e-9
        if not any(change.heard for change in changes):
            assert now - changed_at >= QUIET - 1e-9


@given(CHANGES)
def test_a_whole_file_goes_on_soon_after_its_last_change(changes: list[Change]) -> None:
    """A file that is whole goes on within the quiet time after it was heard of, or after the next look at it."""
    verdict, now, changed_at, heard = play([*changes, Change(0.5, WHOLE, heard=False)])
    # One that has become no whole JPEG within the patience goes on as it is.
    if isinstance(verdict, Ready) and now - changed_at < PATIENCE:
        assert now - changed_at <= LONGEST_INTERVAL + QUIET + 50.0 * heard + 1e-9
    verdict, now, changed_at, heard = play([*changes, Change(0.5, WHOLE, heard=True)])
    if isinstance(verdict, Ready) and heard and now - changed_at < PATIENCE:
        assert now - changed_at <= QUIET + 50.0 + 1e-9


@given(CHANGES)
def test_nothing_is_given_up_within_its_patience(changes: list[Change]) -> None:
    """A file is given up only when it is not whole and has not changed for its patience."""
    verdict, now, changed_at, _ = play([*changes, Change(0.5, PARTIAL, heard=False)])
    if isinstance(verdict, GivenUp):
        patience = OTHER_PATIENCE if isinstance(verdict.fault, OtherFormat) else PATIENCE
        assert now - changed_at >= patience - 1e-9


def test_a_refused_look_says_nothing_about_the_file() -> None:
    """It is looked at again after growing intervals, told of once, and goes on as if nothing had been."""
    settle = ReadinessTracker(stable_for=1.0, stable_for_closed=1.0, give_up_after=60.0)
    settle.track(Arrival("a.jpg", "closed"), 0.0)
    assert settle.due(0.0, 10) == ["a.jpg"]
    assert settle.refused("a.jpg", "bad sector", 0.0) == Waiting("bad sector", first=True)
    again = settle.next_look()
    assert again is not None
    assert again > 0
    assert settle.due(again, 10) == ["a.jpg"]
    assert settle.refused("a.jpg", "bad sector", again) == Waiting("bad sector", first=False)
    later = settle.next_look()
    assert later is not None
    assert later - again > again
    assert "a.jpg" in settle
    assert settle.incomplete == 1


def test_what_is_wrong_with_files_is_told() -> None:
    """Of each that something was found wrong with, what that is and when it last changed; of others nothing."""
    subject = settle()
    subject.track(Arrival("fine.jpg"), 0.0)
    assert look(subject, probe(5), 0.0, "fine.jpg") == Waiting("", first=False)
    subject.track(Arrival(A), 0.5)
    look(subject, probe(5, PARTIAL), 0.5)
    assert list(subject.waiting()) == []
    assert A in subject.due(5.0, 2)
    subject.update(A, probe(6, PARTIAL), 5.0)
    assert list(subject.waiting()) == [Unsettled(A, "growing", 5.0)]


DAMAGE = Damaged("the image data is damaged", "scan it again")


def ready_at(subject: ReadinessTracker, found: Probe, begin: float = 0.0) -> SettledFile:
    """Take the looks that are due until the file is ready."""
    while True:
        now = subject.next_look()
        assert now is not None
        verdict = look(subject, found, max(now, begin))
        if isinstance(verdict, Ready):
            return verdict.scan


def test_a_damaged_file_is_read_again_when_its_patience_is_over() -> None:
    """It is told of meanwhile, and what is found then is believed."""
    subject = settle()
    subject.track(Arrival(A), 10.0)
    scan = ready_at(subject, probe(5))
    assert subject.is_doubtful(scan, DAMAGE, 12.0)
    assert subject.await_writer(scan, DAMAGE, 12.0) == Waiting("damaged", first=True)
    assert list(subject.waiting()) == [Unsettled(A, "damaged", 10.0, DAMAGE.message, 10.0 + PATIENCE)]
    assert "may still be written" in subject.reason_of(A)
    assert subject.incomplete == 1
    subject.await_writer(replace(scan, has_pages=True), DAMAGE, 12.0)
    assert [each.has_pages for each in subject.waiting()] == [True]
    again = ready_at(subject, probe(5))
    assert (again.ready_at, again.changed_at) == (10.0 + PATIENCE, 10.0)
    assert not subject.is_doubtful(again, DAMAGE, again.ready_at)


@pytest.mark.parametrize("heard", [True, False])
def test_a_damaged_file_that_changes_is_read_when_it_has_settled(*, heard: bool) -> None:
    """It is another version, whose own damage would be doubtful as well; long before the patience is over."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    subject.await_writer(ready_at(subject, probe(5)), DAMAGE, 2.0)
    assert look(subject, probe(5), 2.0).__class__ is Waiting
    if heard:
        subject.track(Arrival(A, "closed"), 8.0)
    assert subject.reason_of(A)
    now = subject.next_look()
    assert now is not None
    assert look(subject, probe(6), max(now, 8.0)) == Waiting("growing", first=True)
    assert [one.reason for one in subject.waiting()] == ["growing"]
    scan = ready_at(subject, probe(6))
    assert scan.changed_at == max(now, 8.0)
    assert scan.ready_at <= 8.0 + LONGEST_INTERVAL + QUIET
    assert subject.is_doubtful(scan, DAMAGE, scan.ready_at)


@pytest.mark.parametrize(
    ("arrival", "age"),
    [
        (Arrival(A, "closed"), 0.0),
        (Arrival(A, "found"), 0.0),
        (Arrival(A, "moved"), 1000.0),
        (Arrival(A, "found", fresh=False), 100.0),
    ],
)
def test_how_old_a_file_is(arrival: Arrival, age: float) -> None:
    """Its times count for what was renamed into the inbox or was there before the daemon, else its arrival does.

    The modification time may be that of the file that it was copied from.
    """
    subject = settle()
    subject.track(arrival, 0.0)
    found = replace(probe(5), unmodified_for=1000.0, untouched_for=100.0)
    scan = ready_at(subject, found)
    assert scan.changed_at == -age
    assert subject.is_doubtful(scan, DAMAGE, scan.ready_at) == (age < PATIENCE)


def test_only_what_a_half_written_file_has_is_doubted() -> None:
    """No later byte makes a file sound that is of another kind, or too large."""
    subject = settle()
    subject.track(Arrival(A), 0.0)
    scan = ready_at(subject, probe(5))
    assert subject.is_doubtful(scan, Truncated("it ends early"), 1.0)
    assert not subject.is_doubtful(scan, OtherFormat("it is a PNG image"), 1.0)
    assert not subject.is_doubtful(scan, TooLarge("it is too large"), 1.0)


def test_what_a_look_changes_is_no_change() -> None:
    """Rclone moves the time of a file that is read before it is uploaded: what the look left is what counts."""

    def found(time: int) -> Probe:
        before = FileFacts(1, 0, 5, time)
        return Probe(before, WHOLE, left=replace(before, mtime_ns=time + 1))

    subject = settle()
    subject.track(Arrival(A), 0.0)
    assert isinstance(look(subject, found(1), 0.0), Waiting)
    verdict = look(subject, found(2), QUIET)
    assert isinstance(verdict, Ready)
    assert verdict.scan.facts.mtime_ns == 3
    subject.track(Arrival(A), 10.0)
    assert isinstance(look(subject, found(1), 10.0), Waiting)
    assert isinstance(look(subject, found(7), 10.0 + QUIET), Waiting)


@pytest.mark.parametrize("state", [PARTIAL, None, NOT_JPEG])
def test_without_a_quiet_time_an_incomplete_file_is_not_probed_all_the_time(state: Completeness | None) -> None:
    """With ``stable_for = "0s"`` a file that is incomplete or unreadable is probed a few times a second at most."""
    subject = ReadinessTracker(0.0, 0.0, PATIENCE)
    subject.track(Arrival(A), 0.0)
    look(subject, probe(5, state), 0.0)
    assert _probes(subject, lambda: probe(5, state), 3.0) < 12


def test_without_a_quiet_time_a_growing_file_is_not_probed_all_the_time() -> None:
    """With ``stable_for = "0s"`` a file that has changed at each probe is probed ten times a second at most."""
    subject = ReadinessTracker(0.0, 0.0, PATIENCE)
    subject.track(Arrival(A), 0.0)
    sizes = iter(range(1, 10_000))
    assert _probes(subject, lambda: probe(next(sizes), PARTIAL), 3.0) <= 32


def test_without_a_quiet_time_a_whole_file_is_ready_at_once() -> None:
    """With ``stable_for = "0s"`` the second probe follows the first without a pause."""
    subject = ReadinessTracker(0.0, 0.0, PATIENCE)
    subject.track(Arrival(A), 0.0)
    look(subject, probe(5), 0.0)
    assert isinstance(look(subject, probe(5), 0.0), Ready)


def _probes(subject: ReadinessTracker, found: Callable[[], Probe], until: float) -> int:
    """Take each probe when it is due, a millisecond long; return how many there were until a time."""
    now, count = 0.0, 0
    while now < until:
        due = subject.next_look()
        assert due is not None
        now = max(now + 0.001, due)
        look(subject, found(), now)
        count += 1
    return count
