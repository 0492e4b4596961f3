"""Which scans repeat an earlier one: what the ledger and the outbox must say for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ocrwatch.delivery.chosen_names import Fate, Plan, Sidecar
from ocrwatch.delivery.duplicates import CODE, Duplicates, made_by
from ocrwatch.delivery.step_order import Work
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import Ledger
from ocrwatch.scan import Batch, Scan, ScanState, SettledFile
from ocrwatch.settings import Settings, recipe
from ocrwatch.storage.file_facts import FileFacts

SCAN = b"a scan"
SHA = hashlib.sha256(SCAN).hexdigest()
TEXT = b"text"
SIDECAR = Sidecar("t", "a.txt", size=len(TEXT), sha256=hashlib.sha256(TEXT).hexdigest())


class Past:
    """A ledger and an outbox to which the test delivers by hand."""

    def __init__(self, folder: Path) -> None:
        self.outbox = folder / "outbox"
        self.archive = folder / "archive"
        for place in (self.outbox, self.archive):
            (place / "sub").mkdir(parents=True)
        (self.archive / "sub/a.jpg").write_bytes(SCAN)
        self.ledger = Ledger(folder)
        self.duplicates = Duplicates(self.ledger, self.outbox, self.archive, "delete")

    def scan(self, path: str, **settings: object) -> Scan:
        """Return a scan whose row is open."""
        file = SettledFile(path, FileFacts(1, len(path), len(SCAN), 4), fresh=True, ready_at=time.monotonic())
        options = Settings.model_validate(settings).for_path(path)
        scan = Scan(file, Batch(1, 1), options, recipe(options), sha256=SHA)
        scan.id = self.ledger.begin(path, file.facts, SHA).id
        return scan

    def note(self, scan: Scan, fate: Fate = "archive", sidecar: Sidecar = SIDECAR) -> None:
        """Note a plan, with a text that is not there yet."""
        plan = Plan(
            scan.path, scan.file.facts, SHA, "sub", "a", fate, "a.jpg", (sidecar,),
            made_by=made_by(scan),
        )  # fmt: skip
        self.ledger.planned(scan.id, plan.to_json(), code=None, reason=None)

    def publish(self, scan: Scan) -> None:
        """Put the text there."""
        (self.outbox / "sub/a.txt").write_bytes(TEXT)
        self.ledger.published(scan.id)


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    """Open an empty one."""
    past = Past(tmp_path)
    yield past
    past.ledger.close()


def test_a_durable_text_makes_the_next_one_a_duplicate(past: Past) -> None:
    """Not before it is published; also while its original is still put away, and afterwards."""
    first, second = past.scan("sub/a.jpg"), past.scan("b.jpg")
    past.note(first)
    assert past.duplicates.earlier(second) is None
    past.publish(first)
    found = past.duplicates.earlier(second)
    assert found is not None
    assert (found.path, found.sidecars) == ("sub/a.jpg", ("sub/a.txt",))
    assert past.duplicates.earlier(first) is None
    past.ledger.close_scan(first.id, ScanState.DELIVERED, code=None, reason=None)
    assert past.duplicates.earlier(second) == found


def test_names_that_are_not_utf_8_are_readable_in_the_reason(past: Past) -> None:
    """The ledger records the reason of a duplicate whose earlier scan and text have such names."""
    first, second = past.scan("sub/f\udcfc.jpg"), past.scan("b.jpg")
    sidecar = replace(SIDECAR, final="f\udcfc.txt")
    past.note(first, sidecar=sidecar)
    (past.outbox / "sub/f\udcfc.txt").write_bytes(TEXT)
    past.ledger.published(first.id)
    found = past.duplicates.earlier(second)
    assert found is not None
    assert found.reason == "it has the same bytes as sub/f\\xfc.jpg, whose text is sub/f\\xfc.txt"
    past.ledger.close_scan(second.id, ScanState.DELIVERED, code=CODE, reason=found.reason)
    assert past.ledger.get(second.id).reason == found.reason


def test_a_text_that_is_gone_or_of_other_options_does_not(past: Past) -> None:
    """Then a second text is better than none."""
    first = past.scan("sub/a.jpg")
    past.note(first)
    past.publish(first)
    assert past.duplicates.earlier(past.scan("b.jpg", output={"formats": ["txt", "json"]})) is None
    assert past.duplicates.earlier(past.scan("c.jpg", ocr={"languages": ["deu"]})) is None
    (past.outbox / "sub/a.txt").unlink()
    assert past.duplicates.earlier(past.scan("d.jpg")) is None
    (past.outbox / "sub/a.txt").symlink_to("/etc/passwd")
    assert past.duplicates.earlier(past.scan("e.jpg")) is None


def test_a_pdf_that_shows_the_scan_otherwise_does_not(past: Past) -> None:
    """For other formats it makes no difference."""
    as_scanned = {"straighten": False}
    pdf = {"formats": ["txt", "pdf"]}
    assert made_by(past.scan("a.jpg")) == made_by(past.scan("b.jpg", pdf=as_scanned))
    assert made_by(past.scan("c.jpg", output=pdf)) != made_by(past.scan("d.jpg", output=pdf, pdf=as_scanned))


def test_another_text_of_that_name_does_not(past: Past) -> None:
    """The text was fetched, and the name was given to another scan's: names are used again."""
    first = past.scan("sub/a.jpg")
    past.note(first)
    past.publish(first)
    (past.outbox / "sub/a.txt").write_bytes(b"another text")
    assert past.duplicates.earlier(past.scan("b.jpg")) is None


def test_the_only_original_is_never_deleted(past: Past) -> None:
    """An archive that has the original no more, or another under its name, makes the scan the only one."""
    first = past.scan("sub/a.jpg")
    past.note(first)
    past.publish(first)
    (past.archive / "sub/a.jpg").write_bytes(b"other!")
    assert past.duplicates.earlier(past.scan("b.jpg")) is None
    (past.archive / "sub/a.jpg").unlink()
    assert past.duplicates.earlier(past.scan("c.jpg")) is None
    past.duplicates.fate = "archive"
    assert past.duplicates.earlier(past.scan("d.jpg")) is not None


def test_what_is_in_the_quarantine_or_a_duplicate_itself_does_not(past: Past) -> None:
    """Neither has a text."""
    first, second = past.scan("sub/a.jpg"), past.scan("b.jpg")
    past.note(first, "quarantine")
    past.publish(first)
    past.note(second)
    past.ledger.close_scan(second.id, ScanState.DELIVERED, code=CODE, reason="the same")
    assert past.duplicates.earlier(past.scan("c.jpg")) is None


def test_a_scan_whose_own_text_is_on_its_way_is_none(past: Past) -> None:
    """It was held up while another with the same bytes was delivered: what is staged is published."""
    held, other = past.scan("a.jpg"), past.scan("b.jpg")
    past.note(held)
    past.note(other)
    past.publish(other)
    assert past.duplicates.earlier(held) is None


def test_an_outbox_that_refuses_is_the_environments_fault(past: Past) -> None:
    """Whether the text is there cannot be told: nothing is deleted for it."""
    first, second = past.scan("a.jpg"), past.scan("b.jpg")
    past.note(first)
    past.publish(first)
    past.outbox.rename(past.outbox.with_name("away"))
    with pytest.raises(EnvironmentFault, match="outbox"):
        past.duplicates.earlier(second)


def test_those_that_may_be_duplicates_are_not_delivered_with_others(past: Past) -> None:
    """Neither one of bytes delivered before, nor a second one of the same bytes."""
    scans = [past.scan(f"{name}.jpg") for name in "ab"]
    works = [Work(each.id, each.path, each.file.facts, SHA, "archive", ()) for each in scans]
    assert past.duplicates.among(works) == {scans[1].id}
    past.note(scans[0])
    past.publish(scans[0])
    assert past.duplicates.among(works[1:]) == {scans[1].id}
