"""Fronts and backs that were scanned one after the other become one document, and stay apart if they are no pair."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocrwatch.documents.delivery import DeliveredDocument
from ocrwatch.documents.pair_planning import Pile as WaitingPile
from ocrwatch.documents.pair_planning import plan_piles, take_repairs
from ocrwatch.documents.planning import plan_again
from ocrwatch.ledger import StackState
from tests.unit.delivery.interruption import Interruption, Killed
from tests.unit.documents.pile import Make, Pile

REVERSED: dict[str, Any] = {"duplex": "reversed", "duplex_wait": 600.0}
FRONTS = ("front_1.jpg", "front_2.jpg", "front_3.jpg")
BACKS = ("back_1.jpg", "back_2.jpg", "back_3.jpg")


def pile_of(pile: Pile, *paths: str, broken: tuple[str, ...] = (), data: bytes = b"", **options: Any) -> int:
    """Scan a pile, and hold it; return its row."""
    stem = paths[0].rpartition("_")[0]
    stack = pile.begin(**{**REVERSED, "stem": stem, **options})
    for path in paths:
        pile.page(stack, path, fate="quarantine" if path in broken else "archive", data=data and data + path.encode())
    assert pile.hold(stack)
    return stack


def texts(document: DeliveredDocument, pile: Pile) -> list[str]:
    """Return the text of each page, without its end; empty if it is missing."""
    content = json.loads((pile.places.outbox / f"{document.plan.stem}.json").read_text())
    return [page["page"]["text"].removesuffix(".jpg") if page["page"] else "" for page in content["pages"]]


@pytest.mark.parametrize(("duplex", "order"), [("reversed", (3, 2, 1)), ("same", (1, 2, 3))])
def test_fronts_and_backs_take_turns(piles: Make, duplex: str, order: tuple[int, ...]) -> None:
    """The backs are in reverse order, or in the order of the fronts; the document has the name of the fronts."""
    pile = piles()
    fronts, backs = pile_of(pile, *FRONTS, duplex=duplex), pile_of(pile, *BACKS, duplex=duplex)
    (document,) = pile.write_piles(fronts, backs)
    assert texts(document, pile) == [f"{side}_{n}" for f, b in zip((1, 2, 3), order, strict=True)
                                     for side, n in (("front", f), ("back", b))]  # fmt: skip
    assert (document.plan.stem, document.plan.review, document.plan.closed_by) == ("front", (), "quiet")
    assert (pile.state(fronts), pile.state(backs)) == (StackState.DONE, StackState.DONE)
    assert not any(name.startswith("parts/") for name in pile.files())


def test_both_piles_may_have_the_same_names(piles: Make) -> None:
    """The scanner restarts its counter for the second pile."""
    pile = piles()
    fronts = pile_of(pile, "scan_1.jpg", "scan_2.jpg", data=b"front ")
    backs = pile_of(pile, "scan_1.jpg", "scan_2.jpg", data=b"back ")
    (document,) = pile.write_piles(fronts, backs)
    rows = {entry.id: entry.stack for stack in (fronts, backs) for entry in pile.ledger.stacks.pages(stack)}
    assert [(page.path, rows[page.scan]) for page in document.plan.pages] == [
        ("scan_1.jpg", fronts), ("scan_2.jpg", backs), ("scan_2.jpg", fronts), ("scan_1.jpg", backs),
    ]  # fmt: skip


def test_blank_backs_are_dropped_after_the_piles_were_joined(piles: Make) -> None:
    """Each front keeps its own back; a dropped one is archived, and named in the document."""
    pile = piles()
    fronts = pile_of(pile, *FRONTS, blank="drop")
    backs = pile.begin(**REVERSED, stem="back", blank="drop")
    for path in BACKS:
        pile.page(backs, path, is_blank=path == "back_2.jpg")
    pile.hold(backs)
    (document,) = pile.write_piles(fronts, backs)
    assert texts(document, pile) == ["front_1", "back_3", "front_2", "front_3", "back_1"]
    assert [page.path for page in document.plan.dropped] == ["back_2.jpg"]
    assert "archive/back_2.jpg" in pile.files()


def test_a_blank_page_splits_the_joined_piles(piles: Make) -> None:
    """As it does in pages of a scanner that scans both sides."""
    pile = piles()
    fronts = pile_of(pile, *FRONTS, blank="split")
    backs = pile.begin(**REVERSED, stem="back", blank="split")
    for path in BACKS:
        pile.page(backs, path, is_blank=path == "back_2.jpg")
    pile.hold(backs)
    one, two = pile.write_piles(fronts, backs)
    assert texts(one, pile) == ["front_1", "back_3", "front_2"]
    assert texts(two, pile) == ["front_3", "back_1"]


@pytest.mark.parametrize("side", ["front", "back"])
def test_a_separator_sheet_has_two_sides(piles: Make, side: str) -> None:
    """Both are left out, whichever lay under the scanner first; the documents are marked if the other has text."""
    pile = piles()
    facts = {**REVERSED, "by": "separator", "stem": ""}
    rows = []
    for stem, middle in (("a", "front"), ("b", "back")):
        stack = pile.begin(**facts)
        for number in (1, 2, 3):
            is_middle = number == 2
            pile.page(
                stack,
                f"{stem}_{number}.jpg",
                is_separator=is_middle and side == middle,
                is_blank=is_middle and side != middle and stem == "b",
            )
        pile.hold(stack)
        rows.append(stack)
    one, two = pile.write_piles(*rows)
    assert (texts(one, pile), texts(two, pile)) == (["a_1", "b_3"], ["a_3", "b_1"])
    assert [page.path for page in one.plan.dropped] == ["a_2.jpg", "b_2.jpg"]
    said = () if side == "front" else ("a_2.jpg, the other side of a separator sheet, is not blank",)
    assert (one.plan.review, two.plan.review) == (said, ())


def test_unequal_piles_stay_apart_and_are_marked(piles: Make) -> None:
    """Each is a document of its own, as without duplex; none of them counts as late."""
    pile = piles()
    fronts, backs = pile_of(pile, *FRONTS), pile_of(pile, *BACKS[:2])
    one, two = pile.write_piles(fronts, backs)
    said = "duplex: 3 fronts and 2 backs"
    assert (texts(one, pile), one.plan.review) == (["front_1", "front_2", "front_3"], (said,))
    assert (texts(two, pile), two.plan.review, two.plan.after) == (["back_1", "back_2"], (said,), "")
    content = json.loads((pile.places.outbox / "back.json").read_text())
    assert (content["review"], content["review_reasons"]) == (True, [said])


def test_a_pile_without_another_is_marked(piles: Make) -> None:
    """It is one document of fronts."""
    pile = piles()
    (document,) = pile.write_piles(pile_of(pile, *FRONTS))
    assert document.plan.review == ("duplex: 3 fronts and no backs",)
    assert texts(document, pile) == ["front_1", "front_2", "front_3"]


def test_piles_of_which_it_is_not_sure_stay_apart(piles: Make) -> None:
    """Equal numbers prove nothing if their pages came in turns."""
    pile = piles()
    documents = pile.write_piles(pile_of(pile, *FRONTS), pile_of(pile, *BACKS), doubt="duplex: in turns")
    assert [document.plan.review for document in documents] == [("duplex: in turns",)] * 2


def test_pairs_after_an_unequal_one_are_marked_until_there_is_a_pause(piles: Make) -> None:
    """If one pile came in two parts, all later fronts might be joined with the backs of others."""
    pile = piles()
    pile.write_piles(pile_of(pile, *FRONTS), pile_of(pile, *BACKS[:2]))
    (unsure,) = pile.write_piles(pile_of(pile, *FRONTS), pile_of(pile, *BACKS))
    (again,) = pile.write_piles(pile_of(pile, *FRONTS), pile_of(pile, *BACKS))
    assert len(unsure.plan.pages) == len(again.plan.pages) == 6
    assert "shortly after a pile that is in no pair" in unsure.plan.review[0]
    assert unsure.plan.review == again.plan.review
    pile.ledger.db.execute("UPDATE stacks SET updated_at = updated_at - 600")
    (sure,) = pile.write_piles(pile_of(pile, *FRONTS), pile_of(pile, *BACKS))
    assert sure.plan.review == ()


def test_missing_pages_count_and_keep_their_places(piles: Make) -> None:
    """Those in the quarantine do, and those that were waited for in vain."""
    pile = piles()
    fronts = pile_of(pile, *FRONTS, broken=("front_2.jpg",))
    backs = pile_of(pile, *BACKS[:2])
    waited_for = WaitingPile(backs, {"back_3.jpg": "it is not complete"})
    (row,) = plan_piles(pile.ledger, WaitingPile(fronts, {}), waited_for)
    (document,) = pile.finish(row)
    assert texts(document, pile) == ["front_1", "", "", "back_2", "front_3", "back_1"]
    assert [page.path for page in document.plan.missing] == ["back_3.jpg", "front_2.jpg"]
    assert (pile.state(fronts), pile.state(backs)) == (StackState.INCOMPLETE, StackState.INCOMPLETE)


@pytest.mark.parametrize("broken", ["front_2.jpg", "back_2.jpg"])
def test_a_page_that_is_retried_comes_to_its_place(piles: Make, broken: str) -> None:
    """The document is written anew with all pages in turns; the retried page is no pile, and waits for none."""
    pile = piles()
    fronts = pile_of(pile, *FRONTS, broken=(broken,))
    backs = pile_of(pile, *BACKS, broken=(broken,))
    (document,) = pile.write_piles(fronts, backs)
    assert "" in texts(document, pile)
    retried = pile.begin(**REVERSED, stem=broken.rpartition("_")[0])
    pile.page(retried, broken)
    assert not pile.hold(retried)
    (again,) = pile.repaired
    assert texts(again, pile) == ["front_1", "back_3", "front_2", "back_2", "front_3", "back_1"]
    assert (again.plan.replaces, again.plan.review, again.plan.closed_by) == ("front", (), "retry")
    assert (pile.state(fronts), pile.state(backs), pile.state(retried)) == (StackState.DONE, StackState.DONE, None)
    assert not any(name.startswith("parts/") for name in pile.files())


def test_a_page_that_is_retried_while_its_pile_waits_comes_into_it(piles: Make) -> None:
    """The fronts go on waiting for their backs."""
    pile = piles()
    fronts = pile_of(pile, *FRONTS, broken=("front_2.jpg",))
    retried = pile.begin(**REVERSED, stem="front")
    pile.page(retried, "front_2.jpg")
    assert not pile.hold(retried)
    assert (pile.repaired, pile.state(fronts)) == ([], StackState.WAITING)
    (document,) = pile.write_piles(fronts, pile_of(pile, *BACKS))
    assert (document.plan.missing, document.plan.review, len(document.plan.pages)) == ((), (), 6)


def test_a_page_that_fails_again_is_no_pile(piles: Make) -> None:
    """It is missing once, where it was."""
    pile = piles()
    pile.write_piles(pile_of(pile, *FRONTS, broken=("front_2.jpg",)), pile_of(pile, *BACKS))
    retried = pile.begin(**REVERSED, stem="front")
    pile.page(retried, "front_2.jpg", fate="quarantine")
    before = pile.files()
    assert not pile.hold(retried)
    assert (pile.repaired, pile.files()) == ([], before)


def test_a_name_that_both_piles_lack_is_not_guessed(piles: Make) -> None:
    """A repaired file with other bytes may be either of the two pages: it stays a pile of its own."""
    pile = piles()
    names, broken = ("scan_1.jpg", "scan_2.jpg"), ("scan_2.jpg",)
    rows = [pile_of(pile, *names, broken=broken, data=data) for data in (b"front ", b"back ")]
    pile.write_piles(*rows)
    copied = pile.begin(**REVERSED)
    pile.page(copied, "scan_2.jpg", data=b"repaired")
    assert pile.hold(copied)


def test_a_name_that_one_pile_lacks_is_found(piles: Make) -> None:
    """The other pile has a page of this name; the document is marked, since the file has other bytes."""
    pile = piles()
    names = ("scan_1.jpg", "scan_2.jpg")
    rows = [pile_of(pile, *names, data=b"front ", broken=names[1:]), pile_of(pile, *names, data=b"back ")]
    pile.write_piles(*rows)
    copied = pile.begin(**REVERSED)
    row = pile.page(copied, "scan_2.jpg", data=b"repaired")
    assert not pile.hold(copied)
    (again,) = pile.repaired
    assert [page.scan for page in again.plan.pages] == [1, 4, row, 3]
    assert again.plan.review == ("page 3 of 4 (scan_2.jpg) was read from another file of the same name",)


def test_originals_are_deleted_when_the_document_of_both_piles_is_durable(piles: Make) -> None:
    """Those of fronts and backs, and not before."""
    pile = piles()
    rows = []
    for paths in (FRONTS, BACKS):
        stack = pile.begin(**REVERSED, stem=paths[0].rpartition("_")[0])
        pile.pages(stack, *paths, deletes=True)
        pile.hold(stack)
        rows.append(stack)
    assert len(list(pile.places.archive.iterdir())) == 6
    pile.write_piles(*rows)
    assert not list(pile.places.archive.iterdir())


def test_planning_can_be_repeated(piles: Make) -> None:
    """The answer of a call may be lost; what was planned is written once."""
    pile = piles()
    fronts, backs = (WaitingPile(pile_of(pile, *paths), {}) for paths in (FRONTS, BACKS))
    assert take_repairs(pile.ledger, fronts.row, None) == ([], True)
    assert plan_piles(pile.ledger, fronts, backs) == plan_piles(pile.ledger, fronts, backs) == [fronts.row]
    assert plan_again(pile.ledger, backs.row) == fronts.row
    assert len(pile.go_on()) == 1
    assert plan_piles(pile.ledger, fronts, backs) == []
    assert pile.ledger.stacks.unfinished() == []


def test_pairs_are_forgotten_together(piles: Make) -> None:
    """The history ends for both piles at once."""
    pile = piles()
    fronts, backs = pile_of(pile, *FRONTS, broken=FRONTS[:1]), pile_of(pile, *BACKS)
    pile.write_piles(fronts, backs)
    pile.ledger.db.execute("UPDATE stacks SET updated_at = 0")
    pile.delivery().prune(1.0)
    assert (pile.state(fronts), pile.state(backs)) == (None, None)
    assert not any(name.startswith("parts/") for name in pile.files())


@pytest.mark.parametrize("backs", [3, 2])
def test_killed_at_any_step_both_piles_end_as_undisturbed(
    piles: Make, monkeypatch: pytest.MonkeyPatch, backs: int
) -> None:
    """Whatever call is the last one, a restart comes to the same files with the same bytes."""
    interruption = Interruption(monkeypatch)

    def end(at: int | None) -> tuple[dict[str, bytes], list[StackState | None], str]:
        interruption.begin()
        pile = piles()
        pile.ledger.db.execute("UPDATE meta SET value = '0badcafe' WHERE key = 'token'")
        pile.restart()
        rows = [pile_of(pile, *FRONTS), pile_of(pile, *BACKS[:backs])]
        died = ""
        interruption.begin(at)
        try:
            pile.write_piles(*rows)
        except Killed as killed:
            died = str(killed)
            interruption.begin()
            pile.restart()
            pile.go_on()
        return pile.files(), [pile.state(row) for row in rows], died

    wanted, states, _ = end(None)
    steps = len(interruption.steps)
    assert steps > 10
    wrong = [at for at in range(steps) if end(at)[:2] != (wanted, states)]
    assert wrong == []
