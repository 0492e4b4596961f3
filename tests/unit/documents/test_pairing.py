"""Which piles are fronts and backs, and how long fronts wait for their backs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocrwatch.documents.grouping import COUNTER, END, Grouping
from ocrwatch.documents.stack import Check, Stack, StackFacts
from tests.unit.documents.test_grouping import Coming, idle

PILE = StackFacts("**", "", "name", "scan", 10.0, "keep", ("txt",), duplex="reversed", duplex_wait=600.0)
FRONT, BACK = replace(PILE, stem="front"), replace(PILE, stem="back")
TIME = replace(PILE, by="time", stem="")


def scan(
    grouping: Grouping,
    now: float,
    *paths: str,
    facts: StackFacts = PILE,
    written_at: float | None = None,
    came_at: float | None = None,
) -> Stack:
    """Have the pages of a pile come and be delivered, one each second; return the pile of the last one.

    With ``written_at`` they have been in the inbox before: it is not known when they came, but for ``came_at``.
    """
    for second, path in enumerate(paths):
        time = now + second
        came = time if written_at is None else came_at
        stack = grouping.join(path, facts, time, time if written_at is None else written_at, came)
        grouping.ended(stack, path, delivered=True)
    return stack


def due(grouping: Grouping, now: float, pages: Coming = idle, found: Check = Check.DONE) -> list[Stack]:
    """Return what is due after the ledger has all piles, and none, or all, are pages that earlier documents lack."""
    ready = grouping.due(now, pages)
    for stack in grouping.unheld():
        stack.is_held = True
    for stack in grouping.to_check(pages):
        stack.check, stack.is_written = found, found is Check.EMPTY
    return ready or grouping.due(now, pages)


def test_two_piles_that_follow_each_other_are_a_pair() -> None:
    """A pause of the quiet time lies between them; the first one waits until the second one is complete."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "scan_1.jpg", "scan_2.jpg")
    assert due(grouping, 11.0) == []
    assert (fronts.closed_by, grouping.next_due()) == ("quiet", 611.0)
    backs = scan(grouping, 100.0, "scan_3.jpg", "scan_4.jpg")
    assert backs is not fronts
    assert due(grouping, 110.9) == []
    assert due(grouping, 111.0) == [fronts]
    assert fronts.backs is backs
    assert len(grouping) == 0


@pytest.mark.parametrize("facts", [TIME, replace(PILE, by="folder", stem=""), replace(PILE, by="separator", stem="")])
def test_piles_of_other_groupings_are_pairs_too(facts: StackFacts) -> None:
    """Whatever their pages are called."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "a.jpg", "c.jpg", facts=facts)
    due(grouping, 20.0)
    backs = scan(grouping, 30.0, "b.jpg", "d.jpg", facts=facts)
    assert due(grouping, 50.0) == [fronts]
    assert fronts.backs is backs


def test_another_name_needs_no_pause() -> None:
    """The fronts take the pace of their feeder, as the next name has come."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "front_1.jpg", "front_2.jpg", facts=FRONT)
    backs = scan(grouping, 3.0, "back_1.jpg", "back_2.jpg", facts=BACK)
    assert due(grouping, 14.0) == [fronts]
    assert fronts.backs is backs


def test_a_name_that_comes_again_needs_no_pause() -> None:
    """The scanner restarted its counter for the backs."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "scan_1.jpg", "scan_2.jpg")
    backs = scan(grouping, 3.0, "scan_1.jpg", "scan_2.jpg")
    assert fronts.closed_by == COUNTER
    assert due(grouping, 14.0) == [fronts]
    assert fronts.backs is backs


def test_a_third_pile_begins_a_new_pair() -> None:
    """Also if it begins before the first pair is written."""
    grouping = Grouping()
    one, two, three, four = (
        scan(grouping, 3.0 * number, "scan_1.jpg", "scan_2.jpg") for number in range(4)
    )  # fmt: skip
    assert due(grouping, 100.0) == [one, three]
    assert (one.backs, three.backs) == (two, four)


def test_fronts_wait_for_a_limited_time() -> None:
    """Then they are due alone; the next pile is not their other side."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "scan_1.jpg")
    assert due(grouping, 10.0) == []
    assert due(grouping, 609.9) == []
    assert due(grouping, 610.0) == [fronts]
    assert fronts.backs is None
    assert scan(grouping, 611.0, "scan_2.jpg").feed.piles == [scan(grouping, 611.0, "scan_3.jpg")]


def test_fronts_do_not_give_up_while_their_backs_may_come() -> None:
    """The inbox was not looked at, a file in it is not complete, or backs are gathered."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "scan_1.jpg")
    due(grouping, 10.0)
    assert due(grouping, 700.0, Coming(known=False)) == []
    assert due(grouping, 700.0, Coming("back_1.jpg")) == []
    assert due(grouping, 700.0, Coming("other/back_1.jpg")) == [fronts]
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "scan_1.jpg")
    due(grouping, 10.0)
    scan(grouping, 605.0, "scan_2.jpg")
    assert due(grouping, 612.0) == []
    assert due(grouping, 615.0) == [fronts]


def test_piles_that_lay_there_are_ordered_by_their_times() -> None:
    """They are read in the order of their names, in which backs are before fronts."""
    grouping = Grouping()
    backs = scan(grouping, 0.0, "back_1.jpg", "back_2.jpg", facts=BACK, written_at=-50.0)
    fronts = scan(grouping, 0.0, "front_1.jpg", "front_2.jpg", facts=FRONT, written_at=-90.0)
    grouping.end(idle)
    assert due(grouping, 5.0) == [fronts]
    assert (fronts.backs, fronts.doubt) == (backs, "")


def test_a_pile_of_the_backlog_waits_for_those_that_may_be_older() -> None:
    """Its pages were all read before the first one of another name."""
    grouping = Grouping()
    backs = scan(grouping, 0.0, "back_1.jpg", facts=BACK, written_at=-50.0)
    others = scan(grouping, 0.0, "back2_1.jpg", facts=replace(BACK, stem="back2"), written_at=-20.0)
    assert due(grouping, 20.0, Coming("front_1.jpg")) == []
    fronts = scan(grouping, 30.0, "front_1.jpg", facts=FRONT, written_at=-90.0)
    assert due(grouping, 35.0, Coming("front_2.jpg")) == []
    assert due(grouping, 50.0) == [fronts]
    assert (fronts.backs, others.feed.piles) == (backs, [others])


def test_pages_that_came_in_turns_are_in_doubt() -> None:
    """Two feeders write to one folder."""
    grouping = Grouping()
    for number in range(3):
        scan(grouping, 2.0 * number, f"front_{number}.jpg", facts=FRONT)
        scan(grouping, 2.0 * number + 1, f"back_{number}.jpg", facts=BACK)
    (fronts,) = due(grouping, 100.0)
    assert fronts.backs is not None
    assert fronts.doubt == "duplex: it is not sure which of two piles came first"


@pytest.mark.parametrize(
    ("written", "came", "is_sure"),
    [
        ((5.0, 5.0), (0.0, 10.0), True),
        ((5.0, 5.0), (0.0, 4.0), False),
        ((5.0, 5.0), (None, None), False),
        ((5.0, 1.0), (0.0, 10.0), False),
        ((1.0, 5.0), (4.0, 4.0), True),
        ((1.0, 5.0), (3.0, 0.0), True),
    ],
)
def test_it_is_only_sure_which_pile_came_first_if_nothing_speaks_against_it(
    written: tuple[float, float],
    came: tuple[float | None, float | None],
    is_sure: bool,  # noqa: FBT001
) -> None:
    """The times of the files, and their arrivals if these are far enough apart to be no order of names."""
    grouping = Grouping()
    scan(grouping, 0.0, "front_1.jpg", facts=FRONT, written_at=written[0], came_at=came[0])
    scan(grouping, 0.0, "back_1.jpg", facts=BACK, written_at=written[1], came_at=came[1])
    grouping.end(idle)
    (fronts,) = due(grouping, 0.0)
    assert (fronts.facts.stem, fronts.doubt == "") == ("front", is_sure)


def test_a_page_that_its_pile_waited_for_is_no_doubt() -> None:
    """Its file was not complete when the backs came."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "scan_1.jpg")
    assert due(grouping, 10.0, Coming("scan_2.jpg")) == []
    backs = scan(grouping, 20.0, "scan_3.jpg", "scan_4.jpg")
    assert scan(grouping, 60.0, "scan_2.jpg") is fronts
    assert due(grouping, 60.0) == [fronts]
    assert (fronts.backs, fronts.doubt) == (backs, "")


def test_pages_of_earlier_documents_are_no_pile() -> None:
    """One that was retried between fronts and backs is taken out, and the fronts wait on."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "scan_1.jpg")
    due(grouping, 10.0)
    scan(grouping, 20.0, "old_2.jpg", facts=replace(PILE, stem="old"))
    assert due(grouping, 30.0, found=Check.EMPTY) == []
    assert fronts.feed.piles == [fronts]
    backs = scan(grouping, 40.0, "scan_2.jpg")
    assert due(grouping, 50.0) == [fronts]
    assert fronts.backs is backs


def test_other_folders_and_profiles_are_other_pairs() -> None:
    """So are piles without duplex."""
    grouping = Grouping()
    scan(grouping, 0.0, "scan_1.jpg")
    scan(grouping, 1.0, "sub/scan_1.jpg", facts=replace(PILE, folder="sub"))
    scan(grouping, 2.0, "scan_1.jpg", facts=replace(PILE, profile="other"))
    single = scan(grouping, 3.0, "scan_1.jpg", facts=replace(PILE, duplex=""))
    assert due(grouping, 100.0) == [single]


def test_at_the_end_of_a_run_no_pile_waits() -> None:
    """`ocrwatch once` pairs what there is."""
    grouping = Grouping()
    fronts = scan(grouping, 0.0, "front_1.jpg", facts=FRONT)
    backs = scan(grouping, 1.0, "back_1.jpg", facts=BACK)
    single = scan(grouping, 2.0, "next_1.jpg", facts=replace(PILE, stem="next"))
    grouping.end(idle)
    assert due(grouping, 2.0) == [fronts, single]
    assert (fronts.backs, single.backs, single.closed_by) == (backs, None, END)


def test_a_restart_knows_which_pile_waits() -> None:
    """Its wait begins anew, and what was on its way comes to it; the next pages are its backs."""
    grouping = Grouping()
    fronts = Stack(PILE, 0.0, 1, closed_by="quiet", closed_at=0.0, restored_at=1.0, is_held=True)
    fronts.delivered, fronts.expected = {"scan_1.jpg"}, {"scan_2.jpg"}
    grouping.restore(fronts)
    assert due(grouping, 0.5, Coming(known=False)) == []
    backs = scan(grouping, 2.0, "scan_3.jpg", "scan_4.jpg")
    assert scan(grouping, 3.0, "scan_2.jpg") is fronts
    assert due(grouping, 20.0) == [fronts]
    assert fronts.backs is backs
