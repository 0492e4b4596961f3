"""From the pages of a pile to one document, in an order that survives being killed at any step."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.delivery.chosen_names import Fate
from ocrwatch.documents.joiner import Joiner
from ocrwatch.documents.planning import plan_again, plan_documents, plan_with
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import StackState
from ocrwatch.render.joining.job import JoinJob
from tests.unit.delivery.interruption import Interruption, Killed
from tests.unit.documents.pile import Make, Pile

PAGES = ("scan_10.jpg", "scan_1.jpg", "scan_2.jpg")


def written(pile: Pile, *paths: str, **options: Any) -> int:
    """Write the document of a stack of pages; return the stack's row."""
    stack = pile.begin()
    pile.pages(stack, *paths, **options)
    pile.write(stack)
    return stack


def test_a_pile_becomes_one_document_in_order(piles: Make) -> None:
    """Its pages keep their own sidecars and originals, and nothing is left in the state folder."""
    pile = piles()
    stack = written(pile, *PAGES)
    assert pile.text("scan") == ["scan_1.jpg\n", "scan_2.jpg\n", "scan_10.jpg\n"]
    document = json.loads((pile.places.outbox / "scan.json").read_text())
    assert [page["path"] for page in document["pages"]] == ["scan_1.jpg", "scan_2.jpg", "scan_10.jpg"]
    files = pile.files()
    assert {f"archive/{page}" for page in PAGES} <= files.keys()
    assert not any(name.startswith("parts/") or ".tmp" in name for name in files)
    assert pile.state(stack) is StackState.DONE


def test_another_process_joins(piles: Make) -> None:
    """The daemon's own process does not: a document may be large."""
    pile = piles()
    pile.joiner = Joiner()
    written(pile, *PAGES)
    assert len(pile.text("scan")) == 3


def test_a_taken_name_is_never_overwritten(piles: Make) -> None:
    """All files of a document get the next free name, whatever has the first one."""
    pile = piles()
    (pile.places.outbox / "scan.json").write_text("another's")
    written(pile, *PAGES)
    assert (pile.places.outbox / "scan.json").read_text() == "another's"
    assert len(pile.text("scan-2")) == 3


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(piles: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program may take it while the document is written."""
    pile = piles()
    join = pile.joiner.join

    def slowly(job: JoinJob, descriptors: tuple[int, ...]) -> dict[str, tuple[int, str]]:
        (pile.places.outbox / "scan.txt").write_text("another's")
        return join(job, descriptors)

    monkeypatch.setattr(pile.joiner, "join", slowly)
    written(pile, *PAGES)
    assert (pile.places.outbox / "scan.txt").read_text() == "another's"
    assert {path.name for path in pile.places.outbox.glob("scan-*")} == {"scan-2.json", "scan-2.txt"}


def test_a_missing_page_is_named_and_a_retry_writes_the_document_anew(piles: Make) -> None:
    """The first document stays; the second one is complete, and says which one it replaces."""
    pile = piles()
    first = pile.begin()
    pile.pages(first, "scan_1.jpg", "scan_3.jpg")
    pile.page(first, "scan_2.jpg", fate="quarantine")
    (document,) = pile.write(first)
    assert document.plan.review == ("page 2 of 3 (scan_2.jpg) is missing: it is torn",)
    assert pile.text("scan")[1] == "[page 2 of 3 (scan_2.jpg) is missing: it is torn]\n"
    assert pile.state(first) is StackState.INCOMPLETE
    assert [(each.id, each.review) for each in pile.ledger.stacks.to_review(5)[1]] == [
        (document.id, document.plan.review)
    ]
    retried = pile.begin()
    pile.page(retried, "scan_2.jpg")
    (again,) = pile.write(retried)
    assert (again.plan.replaces, again.plan.closed_by, again.plan.review) == ("scan", "retry", ())
    assert pile.text("scan-2") == ["scan_1.jpg\n", "scan_2.jpg\n", "scan_3.jpg\n"]
    assert len(pile.text("scan")) == 3
    named = [
        json.loads((pile.places.outbox / f"{name}.json").read_text()).get("replaces") for name in ("scan", "scan-2")
    ]
    assert named == [None, "scan"]
    # The first one is not among the last ones any more, and need not be reviewed.
    assert [each.id for each in pile.ledger.stacks.delivered_last(5)] == [again.id]
    assert pile.ledger.stacks.document(document.id).replaced_by == again.id
    assert pile.ledger.stacks.to_review(5) == (0, [])
    assert not any(name.startswith("parts/") for name in pile.files())
    assert pile.state(first) is StackState.DONE


def test_a_page_that_fails_again_writes_nothing(piles: Make) -> None:
    """The document says so already."""
    pile = piles()
    stack = pile.begin()
    pile.page(stack, "scan_1.jpg")
    pile.page(stack, "scan_2.jpg", fate="quarantine")
    pile.write(stack)
    again = pile.begin()
    pile.page(again, "scan_2.jpg", fate="quarantine")
    before = pile.files()
    assert pile.write(again) == []
    assert pile.files() == before


def test_a_new_pile_of_the_same_names_mends_no_earlier_document(piles: Make) -> None:
    """A scanner that restarted its counter writes the name of a page that an earlier document lacks."""
    pile = piles()
    first = pile.begin()
    pile.page(first, "scan_1.jpg")
    pile.page(first, "scan_2.jpg", fate="quarantine")
    pile.write(first)
    second = pile.begin()
    pile.pages(second, "scan_1.jpg", "scan_2.jpg", data=b"another letter")
    (document,) = pile.write(second)
    assert document.plan.replaces == document.plan.after == ""
    assert len(pile.text("scan-2")) == 2
    assert pile.state(first) is StackState.INCOMPLETE


def lacking(pile: Pile, *paths: str, data: bytes = b"") -> int:
    """Write a document that lacks its last page; return its stack."""
    stack = pile.begin()
    pile.pages(stack, *paths[:-1], data=data)
    pile.page(stack, paths[-1], fate="quarantine", data=data + b"torn")
    pile.write(stack)
    return stack


def test_a_retried_page_goes_into_the_document_that_lacks_its_bytes_only(piles: Make) -> None:
    """Another pile lacks a page of the same name."""
    pile = piles()
    first = lacking(pile, "scan_1.jpg", "scan_2.jpg", data=b"first")
    second = lacking(pile, "scan_1.jpg", "scan_2.jpg", data=b"second")
    retried = pile.begin()
    pile.page(retried, "scan_2.jpg", data=b"firsttorn")
    (document,) = pile.write(retried)
    assert document.plan.replaces == "scan"
    assert (pile.state(first), pile.state(second)) == (StackState.DONE, StackState.INCOMPLETE)


def test_a_retried_page_may_have_another_name(piles: Make) -> None:
    """The quarantine gave it a number, since another file had its name there."""
    pile = piles()
    stack = lacking(pile, "scan_1.jpg", "scan_2.jpg")
    retried = pile.begin(stem="scan_2")
    pile.page(retried, "scan_2-2.jpg", data=b"torn")
    (document,) = pile.write(retried)
    assert (document.plan.replaces, len(pile.text("scan-2"))) == ("scan", 2)
    assert pile.state(stack) is StackState.DONE


def test_a_file_that_was_copied_again_completes_its_document(piles: Make) -> None:
    """Its bytes are others: a person is to look whether it is the page that was missing."""
    pile = piles()
    lacking(pile, "scan_1.jpg", "scan_2.jpg")
    copied = pile.begin()
    pile.page(copied, "scan_2.jpg", data=b"whole")
    (document,) = pile.write(copied)
    assert document.plan.replaces == "scan"
    assert document.plan.review == ("page 2 of 2 (scan_2.jpg) was read from another file of the same name",)


def test_the_first_page_of_another_pile_completes_no_document(piles: Make) -> None:
    """A scanner that restarted its counter writes the first name again."""
    pile = piles()
    first = pile.begin()
    pile.page(first, "scan_1.jpg", fate="quarantine")
    pile.page(first, "scan_2.jpg")
    pile.write(first)
    second = pile.begin()
    pile.page(second, "scan_1.jpg", data=b"another letter")
    (document,) = pile.write(second)
    assert document.plan.replaces == ""
    assert pile.state(first) is StackState.INCOMPLETE


def test_the_first_page_may_be_retried(piles: Make) -> None:
    """It was repaired in the quarantine, and is there no longer."""
    pile = piles()
    first = pile.begin()
    pile.page(first, "scan_1.jpg", fate="quarantine")
    pile.page(first, "scan_2.jpg")
    pile.write(first)
    (pile.places.quarantine / "scan_1.jpg").unlink()
    second = pile.begin()
    pile.page(second, "scan_1.jpg", data=b"repaired")
    (document,) = pile.write(second)
    assert document.plan.replaces == "scan"
    assert pile.text("scan-2") == ["scan_1.jpg\n", "scan_2.jpg\n"]


def test_damaged_pages_of_another_pile_stay_in_it(piles: Make) -> None:
    """All empty files have the same bytes."""
    pile = piles()
    first = pile.begin()
    pile.page(first, "scan_1.jpg")
    pile.page(first, "scan_3.jpg", fate="quarantine", data=b"0")
    pile.write(first)
    second = pile.begin()
    pile.pages(second, "scan_1.jpg", "scan_3.jpg", data=b"another letter")
    pile.page(second, "scan_2.jpg", fate="quarantine", data=b"0")
    (document,) = pile.write(second)
    assert [page.path for page in document.plan.missing] == ["scan_2.jpg"]
    assert pile.state(second) is StackState.INCOMPLETE


def test_a_page_that_ends_while_its_document_is_written(piles: Make) -> None:
    """Neither document is written twice, and nothing is released before the second is there."""
    pile = piles()
    stack = pile.begin()
    pile.page(stack, "scan_1.jpg", deletes=True)
    late = pile.page(stack, "scan_2.jpg", deletes=True)
    pile.ledger.db.execute("UPDATE scans SET state = 'planned' WHERE id = ?", (late,))
    delivery = pile.delivery()
    assert plan_documents(pile.ledger, stack, "quiet") == [stack]
    (first,) = delivery.to_write(stack)
    assert delivery.deliver(first) is not None
    pile.ledger.db.execute("UPDATE scans SET state = 'delivered' WHERE id = ?", (late,))
    assert plan_with(pile.ledger, late) == stack
    delivery.release(stack)
    assert pile.state(stack) is StackState.CLOSED
    assert len(list(pile.places.archive.iterdir())) == 2
    (second,) = delivery.to_write(stack)
    assert delivery.deliver(first) is None
    assert delivery.deliver(second) is not None
    delivery.release(stack)
    assert pile.state(stack) is StackState.DONE
    assert len(pile.text("scan-2")) == 2
    assert not list(pile.places.archive.iterdir())


def test_planning_can_be_repeated(piles: Make) -> None:
    """The answer of a call may be lost, and another page may end before its documents are written."""
    pile = piles()
    stack = pile.begin()
    pile.pages(stack, *PAGES)
    assert plan_documents(pile.ledger, stack, "quiet") == plan_documents(pile.ledger, stack, "quiet") == [stack]
    assert plan_again(pile.ledger, stack)
    assert pile.state(stack) is StackState.CLOSED
    assert len(pile.go_on()) == 1
    assert plan_documents(pile.ledger, stack, "quiet") == []
    assert plan_documents(pile.ledger, 999, "quiet") == []
    assert pile.state(stack) is StackState.DONE


def test_formats_that_a_page_lacks_are_left_out(piles: Make) -> None:
    """The settings were changed in the middle of a pile: no page is missing for that."""
    pile = piles()
    stack = pile.begin(formats=("json", "pdf", "txt"))
    pile.pages(stack, *PAGES)
    (document,) = pile.write(stack)
    assert document.plan.formats == ("json", "txt")
    assert document.plan.review == ()


def test_a_stack_of_blocked_pages_is_written_when_they_are_free(piles: Make) -> None:
    """Their copies are kept until then, also by the next start."""
    pile = piles()
    stack = pile.begin()
    pile.pages(stack, *PAGES)
    pile.ledger.db.execute("UPDATE scans SET state = 'planned'")
    assert pile.write(stack) == []
    assert pile.state(stack) is StackState.INCOMPLETE
    pile.go_on()
    pile.ledger.db.execute("UPDATE scans SET state = 'delivered'")
    (document,) = pile.go_on()
    assert document.plan.missing == ()
    assert len(pile.text("scan")) == 3


def test_a_pile_that_comes_much_later_is_not_late(piles: Make) -> None:
    """A scanner that never restarts its counter gives each pile the same name."""
    pile = piles()
    written(pile, "scan_1.jpg")
    pile.ledger.db.execute("UPDATE stacks SET updated_at = updated_at - 3600")
    later = pile.begin()
    pile.page(later, "scan_2.jpg")
    (document,) = pile.write(later)
    assert document.plan.after == ""


def test_pages_are_remembered_as_long_as_their_stack(piles: Make) -> None:
    """A retry after a long time must find all of them."""
    pile = piles()
    stack = lacking(pile, "scan_1.jpg", "scan_2.jpg")
    pile.ledger.db.execute("UPDATE scans SET updated_at = 0")
    assert pile.ledger.prune(1.0) == 0
    pile.ledger.db.execute("UPDATE stacks SET updated_at = 0")
    pile.delivery().prune(1.0)
    assert pile.ledger.prune(1.0) == 2
    assert pile.state(stack) is None
    assert not any(name.startswith("parts/") for name in pile.files())


def test_a_pile_with_separator_sheets_becomes_several_documents(piles: Make) -> None:
    """The sheets are in none of them; each document has the name of its first page."""
    pile = piles()
    stack = pile.begin(by="separator", stem="")
    pile.pages(stack, "a_1.jpg", "a_2.jpg", "a_4.jpg")
    pile.page(stack, "a_3.jpg", is_separator=True)
    one, two = pile.write(stack)
    assert pile.text("a_1-document") == ["a_1.jpg\n", "a_2.jpg\n"]
    assert pile.text("a_4-document") == ["a_4.jpg\n"]
    assert [page.path for page in one.plan.dropped] == ["a_3.jpg"]
    assert two.plan.dropped == ()
    assert "archive/a_3.jpg" in pile.files()


def test_late_pages_are_a_document_of_their_own(piles: Make) -> None:
    """It has the next name, even if the first document was fetched already."""
    pile = piles()
    written(pile, "scan_1.jpg")
    for name in ("scan.txt", "scan.json"):
        (pile.places.outbox / name).unlink()
    late = pile.begin()
    pile.page(late, "scan_2.jpg")
    (document,) = pile.write(late)
    assert document.plan.after == "scan"
    assert pile.text("scan-2") == ["scan_2.jpg\n"]


def test_a_stack_whose_pages_are_all_missing_makes_no_document(piles: Make) -> None:
    """Each page has its reason in the quarantine."""
    pile = piles()
    stack = pile.begin()
    pile.page(stack, "scan_1.jpg", fate="quarantine")
    assert pile.write(stack) == []
    assert pile.state(stack) is StackState.DONE


def test_originals_are_deleted_when_the_document_is_durable(piles: Make) -> None:
    """Not before, and not those of pages that were left out."""
    pile = piles()
    stack = pile.begin(blank="drop")
    pile.pages(stack, "scan_1.jpg", "scan_2.jpg", deletes=True)
    pile.page(stack, "scan_3.jpg", deletes=True, is_blank=True)
    assert len(list(pile.places.archive.iterdir())) == 3
    pile.write(stack)
    assert [path.name for path in pile.places.archive.iterdir()] == ["scan_3.jpg"]


def test_an_original_that_was_changed_is_not_deleted(piles: Make) -> None:
    """Its name may be another file's by now."""
    pile = piles()
    stack = pile.begin()
    pile.page(stack, "scan_1.jpg", deletes=True)
    (pile.places.archive / "scan_1.jpg").write_text("another's")
    pile.write(stack)
    assert (pile.places.archive / "scan_1.jpg").read_text() == "another's"


def test_a_lost_copy_is_a_missing_page(piles: Make) -> None:
    """The document comes all the same, and says what it lacks."""
    pile = piles()
    stack = pile.begin()
    pile.pages(stack, "scan_1.jpg", "scan_2.jpg")
    for part in (pile.root / "state" / "documents").glob("*-2.*"):
        part.unlink()
    (document,) = pile.write(stack)
    assert [page.code for page in document.plan.pages] == ["", "part-lost"]
    assert pile.text("scan")[1].startswith("[page 2 of 2 (scan_2.jpg) is missing")


def test_a_full_disk_leaves_nothing_half_written(piles: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is removed, and the document comes when there is space again."""
    pile = piles()
    stack = pile.begin()
    pile.pages(stack, *PAGES)
    (row,) = plan_documents(pile.ledger, stack, "quiet")
    join = pile.joiner.join

    def full(job: JoinJob, descriptors: tuple[int, ...]) -> dict[str, tuple[int, str]]:
        os.write(descriptors[0], b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pile.joiner, "join", full)
    with pytest.raises(EnvironmentFault, match="no space left"):
        pile.finish(row)
    assert not [path for path in pile.places.outbox.iterdir() if "tmp" in path.name or path.stem == "scan"]
    monkeypatch.setattr(pile.joiner, "join", join)
    assert len(pile.go_on()) == 1


def test_a_page_that_was_waited_for_in_vain_is_missing_until_it_comes(piles: Make) -> None:
    """The document names the file that was not complete in time, and is written anew when it is read."""
    pile = piles()
    stack = pile.begin()
    pile.pages(stack, "scan_1.jpg", "scan_3.jpg")
    (row,) = plan_documents(pile.ledger, stack, "quiet", {"scan_2.jpg": "it is not complete"})
    (document,) = pile.go_on()
    assert [page.code for page in document.plan.pages] == ["", "incomplete", ""]
    assert pile.state(row) is StackState.INCOMPLETE
    came = pile.begin()
    pile.page(came, "scan_2.jpg")
    (again,) = pile.write(came)
    assert again.plan.replaces == "scan"
    assert pile.text("scan-2") == ["scan_1.jpg\n", "scan_2.jpg\n", "scan_3.jpg\n"]
    assert pile.state(row) is StackState.DONE


def test_a_blocked_page_is_added_when_it_is_free(piles: Make) -> None:
    """The document was written without it; it is written anew."""
    pile = piles()
    stack = pile.begin()
    pile.page(stack, "scan_1.jpg")
    row = pile.page(stack, "scan_2.jpg")
    pile.ledger.db.execute("UPDATE scans SET state = 'planned' WHERE id = ?", (row,))
    (document,) = pile.write(stack)
    assert [page.code for page in document.plan.pages] == ["", "blocked"]
    pile.ledger.db.execute("UPDATE scans SET state = 'delivered' WHERE id = ?", (row,))
    assert plan_again(pile.ledger, stack)
    (again,) = pile.go_on()
    assert again.plan.replaces == "scan"
    assert len(pile.text("scan-2")) == 2
    assert pile.state(stack) is StackState.DONE


def test_copies_that_no_document_needs_are_removed_at_the_start(piles: Make) -> None:
    """Those of a lost ledger are counted."""
    pile = piles()
    stack = pile.begin()
    pile.page(stack, "scan_1.jpg")
    parts = pile.root / "state" / "documents"
    (parts / "01234567-1.txt").write_text("")
    (parts / f"{pile.ledger.token}-999.txt").write_text("")
    (parts / "lost+found").mkdir()
    (parts / "01234567-2.txt").mkdir()
    assert pile.delivery().discard_forgotten() == 1
    assert sorted(path.name for path in parts.iterdir() if path.is_dir()) == ["01234567-2.txt", "lost+found"]
    assert len([path for path in parts.iterdir() if path.is_file()]) == 2


@pytest.mark.parametrize("fate", ["archive", "delete", "missing", "split"])
def test_killed_at_any_step_it_ends_as_undisturbed(
    piles: Make, monkeypatch: pytest.MonkeyPatch, fate: Fate | str
) -> None:
    """Whatever call is the last one, a restart comes to the same files with the same bytes."""
    interruption = Interruption(monkeypatch)

    def end(at: int | None) -> tuple[dict[str, bytes], StackState | None, str]:
        interruption.begin()
        pile = piles()
        pile.ledger.db.execute("UPDATE meta SET value = '0badcafe' WHERE key = 'token'")
        pile.restart()
        stack = pile.begin(blank="split")
        pile.pages(stack, *PAGES, deletes=fate == "delete")
        if fate == "missing":
            pile.page(stack, "scan_3.jpg", fate="quarantine")
        if fate == "split":
            pile.page(stack, "scan_5.jpg", is_blank=True)
        record = pile.ledger.stacks.record
        monkeypatch.setattr(pile.ledger.stacks, "record", _counted(interruption, record))
        died = ""
        interruption.begin(at)
        try:
            pile.write(stack)
        except Killed as killed:
            died = str(killed)
            interruption.begin()
            pile.restart()
            pile.go_on()
        return pile.files(), pile.state(stack), died

    wanted, state, _ = end(None)
    steps = len(interruption.steps)
    assert steps > 10
    wrong = []
    for at in range(steps):
        files, ended, died = end(at)
        assert died
        if (files, ended) != (wanted, state):
            wrong.append(f"step {at}, before {died}: {sorted(files.keys() ^ wanted.keys())} {ended}")
    assert wrong == []


def _counted(interruption: Interruption, record: Callable[..., None]) -> Callable[..., None]:
    def call(document: int, state: str, plan: str) -> None:
        interruption.step(f"record {state}")
        record(document, state, plan)

    return call


def test_names_of_any_bytes_make_a_document(piles: Make) -> None:
    """A name that is not UTF-8, has a line break or is very long is no reason to lose one."""
    pile = piles()
    for stem in ("a\nb", "\udcff", "x" * 240):
        stack = pile.begin(stem=stem)
        pile.pages(stack, f"{stem}_1.jpg", f"{stem}_2.jpg")
        (document,) = pile.write(stack)
        assert all((pile.places.outbox / file).exists() for file in document.files)


def test_a_link_in_the_outbox_is_not_followed(piles: Make, tmp_path: Path) -> None:
    """Nothing is written where it leads."""
    pile = piles()
    stack = pile.begin(folder="sub", stem="scan")
    pile.page(stack, "sub/scan_1.jpg")
    (pile.places.outbox / "sub").rename(pile.places.outbox / "away")
    (pile.places.outbox / "sub").symlink_to(tmp_path)
    pile.write(stack)
    assert not list(tmp_path.glob("*.txt"))
    assert (pile.places.outbox / "sub-2" / "scan.txt").exists()
