"""Of which document a scan is a page, and what a document's own file is, from the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ocrwatch.commands.why.document_sentences import document_answers, with_document
from ocrwatch.commands.why.explanation import Answer, Sources, answer
from ocrwatch.delivery.chosen_names import Fate, Plan, Sidecar, StackPage
from ocrwatch.documents.plan import DocumentPlan, PlannedPage
from ocrwatch.documents.stack import StackFacts
from ocrwatch.ledger import DocumentState, Ledger, LedgerReader, StackState
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts

FACTS = StackFacts("", "", "name", "scan", 60.0, "keep", ("txt",))


class Desk:
    """A ledger with a stack of pages, and what ``why`` says."""

    def __init__(self, folder: Path) -> None:
        names = ("inbox", "outbox", "archive", "quarantine", "state")
        for name in names:
            (folder / name).mkdir()
        group = {"match": "**", "group": {"by": "name"}}
        self.settings = Settings.model_validate({**{name: folder / name for name in names}, "profiles": [group]})
        self.ledger = Ledger(folder / "state")
        self.sources = Sources(self.settings, None, lambda at: at)

    def stack(self, facts: StackFacts = FACTS) -> int:
        """Begin a stack."""
        return self.ledger.stacks.begin(facts.key, facts.to_json(), facts.feed if facts.duplex else None)

    def page(self, stack: int, path: str, *, code: str = "", deletes: bool = False) -> int:
        """Deliver or quarantine a page of a stack; return its row."""
        row = self.ledger.begin(path, FileFacts(1, abs(hash(path)), 3, 4), None)
        fate: Fate = "quarantine" if code else "archive"
        sidecars = () if code else (Sidecar("t", f"{path}.txt"),)
        place = StackPage(stack, deletes=deletes)
        plan = Plan(path, FileFacts(1, 2, 3, 4), None, "", path, fate, path, sidecars, page=place)
        self.ledger.planned(row.id, plan.to_json(), code=code or None, reason=None, stack=stack)
        end = ScanState.QUARANTINED if code else ScanState.DELIVERED
        self.ledger.close_scan(row.id, end, code=code or None, reason=code or None)
        return row.id

    def write(self, stack: int, plan: DocumentPlan, state: StackState = StackState.DONE) -> None:
        """Deliver the document of a stack; none if the stack remains closed."""
        (entry, *_) = self.ledger.stacks.close(stack, "quiet", [plan.to_json()])
        if state is not StackState.CLOSED:
            earlier = [each for each in self.ledger.stacks.documents(stack) if each.id < entry.id]
            replaced = [each.id for each in earlier if plan.is_instead_of(DocumentPlan.from_json(each.plan))]
            self.ledger.stacks.delivered(entry.id, plan.to_json(), plan.review, replaced)
            self.ledger.stacks.finish(stack, state)
            for file in plan.files:
                (self.settings.outbox / plan.below(file.final)).write_text("a document")

    def why(self, path: str) -> str:
        """Return what is said of a scan."""
        with LedgerReader(self.settings.state, alone=False) as reader:
            rows = reader.of_path(path)
            return with_document(
                self.sources, answer(self.sources, path, rows), path, rows[-1] if rows else None, reader
            ).says

    def why_document(self, file: str) -> list[Answer]:
        """Return what is said of a file of a document."""
        with LedgerReader(self.settings.state, alone=False) as reader:
            return document_answers(self.sources, self.settings.outbox / file, reader)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Make the folders."""
    desk = Desk(tmp_path)
    yield desk
    desk.ledger.close()


def plan_of(name: str, *pages: PlannedPage, dropped: tuple[PlannedPage, ...] = ()) -> DocumentPlan:
    """Return the plan of a document."""
    files = (Sidecar("t", f"{name}.txt"),)
    return DocumentPlan(name, "", "name", "quiet", ("txt",), pages, dropped, stem=name, files=files)


def test_a_page_whose_document_is_gathered(desk: Desk) -> None:
    """With how many others, and when the document is complete; one that could not be read is missing in it."""
    stack = desk.stack()
    desk.page(stack, "scan_1.jpg")
    complete = "it is complete when no page has come for 60 s."
    assert desk.why("scan_1.jpg").endswith(f" It is gathered in the document scan; {complete}")
    desk.page(stack, "scan_2.jpg", code="damaged")
    assert desk.why("scan_1.jpg").endswith(f" It is gathered in the document scan with 1 other; {complete}")
    desk.page(stack, "scan_3.jpg")
    assert f" It is missing in the document scan with 2 others; {complete}" in desk.why("scan_2.jpg")
    unnamed = desk.stack(replace(FACTS, by="time", stem=""))
    desk.page(unnamed, "other.jpg")
    assert " It is gathered in a document; " in desk.why("other.jpg")


def test_a_page_of_fronts_that_wait_for_their_backs(desk: Desk) -> None:
    """What the document waits for, and that other pages are its backs; then which page of it each is."""
    duplex = replace(FACTS, duplex="reversed", duplex_wait=600.0)
    fronts = desk.stack(duplex)
    front = desk.page(fronts, "scan_1.jpg")
    complete = "complete when no page has come for 60 s."
    assert desk.why("scan_1.jpg").endswith(f" It is gathered in the document scan; its fronts are {complete}")
    desk.ledger.stacks.hold(fronts, "quiet", ())
    assert desk.why("scan_1.jpg").endswith("; it waits for the backs of scan, for at most 10m.")
    backs = desk.stack(replace(duplex, stem="back"))
    back = desk.page(backs, "back_1.jpg")
    assert desk.why("back_1.jpg").endswith(f" It is gathered in the backs of the document scan; they are {complete}")
    desk.ledger.stacks.hold(backs, "quiet", ())
    assert desk.why("back_1.jpg").endswith("; they wait until the fronts are complete.")
    desk.ledger.stacks.pair(fronts, backs)
    plan = plan_of("scan", PlannedPage(front, "scan_1.jpg", None), PlannedPage(back, "back_1.jpg", None, pile=1))
    desk.write(fronts, plan)
    assert " It is page 2 of 2 of the document scan: " in desk.why("back_1.jpg")


def test_a_page_that_is_on_its_way(desk: Desk) -> None:
    """The document it will be a page of, as its name says; a scan without a group is in none."""
    (desk.settings.inbox / "sub").mkdir()
    (desk.settings.inbox / "sub/scan_1.jpg").write_bytes(b"\xff\xd8\xff\xda\x00\x02\x01\xff\xd9")
    assert desk.why("sub/scan_1.jpg").endswith(" It will be a page of the document sub/scan.")
    (profile,) = desk.settings.profiles
    group = profile.group.model_copy(update={"duplex": "same"})
    profiles = (profile.model_copy(update={"group": group}),)
    desk.sources = replace(desk.sources, settings=desk.settings.model_copy(update={"profiles": profiles}))
    assert desk.why("sub/scan_1.jpg").endswith(" It will be a page of a document.")
    desk.sources = replace(desk.sources, settings=desk.settings.model_copy(update={"profiles": ()}))
    assert "document" not in desk.why("sub/scan_1.jpg")


def test_a_page_whose_document_is_written(desk: Desk) -> None:
    """Which page of which document, and where that is; a missing or blank one is told apart."""
    stack = desk.stack()
    rows = [desk.page(stack, f"scan_{number}.jpg", code="damaged" if number == 2 else "") for number in (1, 2, 3)]
    one, two, three = (PlannedPage(row, f"scan_{number}.jpg", None) for number, row in enumerate(rows, 1))
    plan = plan_of(
        "scan", one, replace(two, code="damaged", reason="it is damaged"), dropped=(replace(three, code="blank"),)
    )
    desk.write(stack, plan, StackState.CLOSED)
    assert desk.why("scan_1.jpg").endswith(" It is page 1 of 2 of the document scan, which is being written.")
    desk.ledger.stacks.record(desk.ledger.stacks.documents(stack)[0].id, DocumentState.DELIVERED, plan.to_json())
    place = desk.settings.outbox / "scan.txt"
    gone = f"{place} (not there any more)."
    assert desk.why("scan_1.jpg").endswith(f" It is page 1 of 2 of the document scan: {gone}")
    assert f" It is missing in the document scan (page 2 of 2): {gone}" in desk.why("scan_2.jpg")
    assert desk.why("scan_3.jpg").endswith(" It was left out of the document scan, because it is blank.")


def test_an_original_that_waits_for_its_document(desk: Desk) -> None:
    """It is in the archive until the document is written, and is not claimed to be there afterwards."""
    stack = desk.stack()
    row = desk.page(stack, "scan_1.jpg", deletes=True)
    original = desk.settings.archive / "scan_1.jpg"
    original.write_bytes(b"scan")
    said = desk.why("scan_1.jpg")
    assert f"the original {original}." in said
    assert said.endswith(" Its original is deleted when the document is written.")
    desk.write(stack, plan_of("scan", PlannedPage(row, "scan_1.jpg", None)))
    original.unlink()
    said = desk.why("scan_1.jpg")
    assert "the original was deleted." in said
    assert "archive" not in said


def test_a_file_of_a_document(desk: Desk) -> None:
    """Its pages, those that are missing or were left out, that they came late, and what it replaces."""
    stack = desk.stack()
    pages = [PlannedPage(number, f"scan_{number}.jpg", None) for number in range(1, 13)]
    pages[6] = replace(pages[6], code="damaged", reason="it is damaged")
    blank = PlannedPage(20, "scan_20.jpg", None, "blank")
    lacking = replace(plan_of("scan-2", *pages, dropped=(blank,)), after="scan", review=("page 7 is missing",))
    desk.write(stack, lacking, StackState.INCOMPLETE)
    (found,) = desk.why_document("scan-2.txt")
    assert (found.state, found.path) == ("document", "scan-2")
    assert found.says.startswith("is a document of 12 pages, which was written at ")
    assert "scan_11.jpg and 1 more. Missing: page 7 (scan_7.jpg: it is damaged)." in found.says
    assert "Left out: scan_20.jpg. Its pages came late: the document scan was complete before." in found.says
    assert "ocrwatch retry scan_7.jpg" in found.remedy
    mark = f"; or look at the text, then mark it as reviewed: ocrwatch review --done {found.files[0]}"
    assert found.remedy.endswith(mark)
    assert "It should be reviewed: page 7 is missing." in found.says
    assert found.review == ["page 7 is missing"]
    assert found.files == [str(desk.settings.outbox / "scan-2.txt")]

    pages[6] = replace(pages[6], scan=21, code="", reason="")
    desk.write(stack, replace(plan_of("scan-3", *pages), replaces="scan-2"))
    (old,), (new,) = desk.why_document("scan-2.txt"), desk.why_document("scan-3.txt")
    assert old.says.endswith(" The document scan-3 replaces it, which has more of its pages.")
    assert (old.remedy, old.replaced_by, new.replaced_by) == ("", "scan-3", None)
    assert "reviewed" not in old.says
    assert new.says.endswith(" It replaces the document scan-2, which lacked pages.")
    assert desk.why_document("scan-3") == [new]
    assert desk.why_document("scan.txt") == desk.why_document("sub/scan-2.txt") == []


def test_what_is_said_of_a_document_is_said_once(desk: Desk) -> None:
    """That a page is missing is no further reason for its review; other documents are named with their folder."""
    pages = [PlannedPage(number, f"sub/scan_{number}.jpg", None) for number in (1, 2)]
    (desk.settings.outbox / "sub").mkdir()
    plan = replace(plan_of("scan-2", *pages), inbox_folder="sub", folder="sub", replaces="scan")
    desk.write(desk.stack(), plan.without(2, "damaged", "it is torn"))
    (found,) = desk.why_document("sub/scan-2.txt")
    assert found.says.endswith(
        " Missing: page 2 (sub/scan_2.jpg: it is torn). It should be reviewed. It replaces the document sub/scan, "
        "which lacked pages."
    )
    unsure = replace(plan_of("scan-3", *pages), review=("page 1: confidence 12",))
    desk.write(desk.stack(), unsure.without(2, "damaged", "it is torn"))
    (found,) = desk.why_document("scan-3.txt")
    assert found.says.endswith(" It should be reviewed: page 1: confidence 12.")


def test_a_name_that_only_occurs_in_a_plan_is_no_file_of_it(desk: Desk) -> None:
    """The pages' names are in the plan, too."""
    stack = desk.stack()
    desk.write(stack, plan_of("scan", PlannedPage(1, "scan_1.jpg", None)))
    assert json.dumps("scan_1.jpg") in desk.ledger.stacks.documents(stack)[0].plan
    assert desk.why_document("scan_1.jpg") == []
