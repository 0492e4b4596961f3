"""``ocrwatch review`` lists documents of several pages like single pages, and marks them as reviewed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ocrwatch.commands.review import review
from ocrwatch.document import Review
from ocrwatch.documents.plan import PlannedPage
from ocrwatch.errors import ExitCode, UsageError
from ocrwatch.housekeeping.archive_check import REWRITTEN
from ocrwatch.ledger import StackState
from ocrwatch.scan import ScanState
from ocrwatch.storage.file_facts import FileFacts
from tests.unit.commands.test_why_documents import Desk, plan_of

MISSING = "page 2 of 3 (scan_2.jpg) is missing: it is torn"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Make the folders, and work in the one with the settings."""
    desk = Desk(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ocrwatch.toml").write_text("")
    yield desk
    desk.ledger.close()


def ask(*files: str, as_json: bool = False) -> ExitCode:
    """Run the command."""
    return review([Path(file) for file in files], None, {}, [], done=bool(files), as_json=as_json)


def page(desk: Desk, path: str, *reasons: str) -> int:
    """Deliver a page that is marked for these reasons; return its row."""
    row = desk.ledger.begin(path, FileFacts(1, 2, 3, 4), None)
    marked = Review(reasons, 54.0) if reasons else None
    desk.ledger.close_scan(row.id, ScanState.DELIVERED, code=None, reason=None, review=marked)
    return row.id


def document(desk: Desk, name: str = "scan", *rows: int, replaces: str = "", stack: int = 0) -> int:
    """Write a document that lacks its second page; return its stack."""
    stack = stack or desk.stack()
    pages = [PlannedPage(row, f"scan_{number}.jpg", None) for number, row in enumerate(rows or (90, 91), 1)]
    plan = replace(plan_of(name, *pages), review=() if replaces else (MISSING,), replaces=replaces)
    desk.write(stack, plan, StackState.INCOMPLETE)
    return stack


def test_a_document_is_listed_with_its_reasons(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """With its text, in the order of their times, until another one replaces it."""
    page(desk, "a.jpg", "confidence 54")
    stack = document(desk)
    assert ask() is ExitCode.FINE
    _, first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("      54.0  a.jpg: confidence 54; read at ")
    assert second.startswith(f"         -  the document scan: {MISSING}; written at ")
    assert last.startswith("1 page and 1 document wait for review. ")
    ask(as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [(each["kind"], each["path"], each["reasons"]) for each in found] == [
        ("scan", "a.jpg", ["confidence 54"]),
        ("document", "scan", [MISSING]),
    ]
    assert found[1]["files"] == [str(desk.settings.outbox / "scan.txt")]
    document(desk, "scan-2", replaces="scan", stack=stack)
    ask()
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 page waits for review. ")


@pytest.mark.parametrize("name", ["outbox/scan.txt", "scan.txt", "scan"])
def test_a_document_is_reviewed_with_its_pages(desk: Desk, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """But for a page whose original is another file by now: nobody has seen that. A second time changes nothing."""
    rows = page(desk, "scan_1.jpg", "confidence 54"), page(desk, "scan_3.jpg", REWRITTEN)
    other = page(desk, "other.jpg", "no text")
    document(desk, "scan", *rows)
    assert ask(name) is ExitCode.FINE
    reviewed = capsys.readouterr().out
    assert reviewed.startswith("Reviewed: the document scan (")
    assert "Reviewed: scan_1.jpg" in reviewed
    assert desk.ledger.stacks.to_review(5) == (0, [])
    assert [row.id for row in desk.ledger.to_review(5)[1]] == [rows[1], other]
    assert ask(name) is ExitCode.FINE
    assert capsys.readouterr().out == f"Was reviewed before: {name}\n"
    (found,) = desk.why_document("scan.txt")
    assert f"It was marked for review ({MISSING}), and was reviewed at " in found.says
    assert (found.review, found.reviewed_at is not None) == ([MISSING], True)


def test_what_is_meant_is_found_before_anything_is_marked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name changes nothing; a document that is not marked is named, with exit code 1."""
    for folder in ("", "post"):
        plan = replace(plan_of("scan", PlannedPage(90, "scan_1.jpg", None)), folder=folder, review=(MISSING,))
        (desk.settings.outbox / folder).mkdir(exist_ok=True)
        desk.write(desk.stack(), plan)
    with pytest.raises(UsageError, match=r"the ledger has no record of nowhere\.txt"):
        ask("post/scan.txt", "nowhere.txt")
    assert desk.ledger.stacks.to_review(5)[0] == 2
    assert ask("post/scan") is ExitCode.FINE
    desk.write(desk.stack(), plan_of("fine", PlannedPage(92, "fine_1.jpg", None)))
    assert ask("fine.txt") is ExitCode.QUARANTINED
    assert "Not marked for review: fine.txt" in capsys.readouterr().out
