"""``once`` always says what it did."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from ocrwatch.commands.once import _print_summary, _Recovered
from ocrwatch.daemon.daemon import Summary
from ocrwatch.events import DocumentDelivered
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings

RECOVERED = (ScanState.DELIVERED, ScanState.DUPLICATE, ScanState.QUARANTINED)
ENDS = (*RECOVERED, ScanState.CHANGED, ScanState.CANCELLED)


def summary_of(
    tmp_path: Path, recovered: _Recovered, documents: Sequence[DocumentDelivered] = (), **fields: object
) -> str:
    """Return what is printed after a run that closed no scan of its own."""
    output = io.StringIO()
    settings = Settings(inbox=tmp_path, outbox=tmp_path / "outbox", quarantine=tmp_path / "quarantine")
    summary = Summary(**{"ends": Counter[ScanState](), **fields})  # type: ignore[arg-type]
    _print_summary(Console(file=output, soft_wrap=True), settings, summary, recovered, documents)
    return output.getvalue()


@pytest.mark.parametrize("state", ENDS)
def test_no_end_is_passed_over(tmp_path: Path, state: ScanState) -> None:
    """Something is printed however the only scan ended."""
    assert summary_of(tmp_path, _Recovered(), ends=Counter({state: 1}))


@pytest.mark.parametrize("state", RECOVERED)
def test_no_end_of_a_recovered_scan_is_passed_over(tmp_path: Path, state: ScanState) -> None:
    """Something other than that there was nothing to read is printed."""
    said = summary_of(tmp_path, _Recovered(Counter({state: 1})))
    assert said
    assert "Nothing" not in said


def test_a_recovered_duplicate(tmp_path: Path) -> None:
    """It is counted as one of this run."""
    said = summary_of(tmp_path, _Recovered(Counter({ScanState.DUPLICATE: 1})))
    assert said.startswith("1 scan had the same bytes as scans delivered before")


def test_recovered_texts_that_need_review(tmp_path: Path) -> None:
    """They are counted, since nobody was told of them before."""
    said = summary_of(tmp_path, _Recovered(Counter({ScanState.DELIVERED: 2}), to_review=1))
    assert said.startswith("2 scans read in an interrupted run and delivered now, 1 of them to review")


def test_a_recovered_scan_in_the_quarantine_beside_one_that_is_left(tmp_path: Path) -> None:
    """Both are named."""
    said = summary_of(tmp_path, _Recovered(Counter({ScanState.QUARANTINED: 1})), left={"a.jpg": "incomplete"})
    assert "1 scan could not be read" in said
    assert "a.jpg (not complete)" in said


def document(name: str, pages: int, *missing: str) -> DocumentDelivered:
    """Return the event of a document."""
    return DocumentDelivered(
        id=1,
        document=name,
        folder="sub",
        pages=pages,
        sidecars=(f"{name}.txt",),
        grouped_by="name",
        closed_by="end",
        missing=missing or None,
    )


def test_documents_are_counted_and_those_that_lack_pages_are_named(tmp_path: Path) -> None:
    """After the scans, how many documents with how many pages were written, and which pages are missing."""
    documents = [document("fax", 3), document("scan", 12, "sub/scan_007.jpg", "sub/scan_008.jpg")]
    said = summary_of(tmp_path, _Recovered(), documents, ends=Counter({ScanState.DELIVERED: 4})).splitlines()
    assert said[0].startswith("4 scans read")
    assert said[1:] == [
        f"2 documents with 15 pages were written to {tmp_path / 'outbox'}.",
        "The document sub/scan lacks 2 pages: sub/scan_007.jpg, sub/scan_008.jpg",
    ]
    many = [document(f"scan{number}", 2, "a.jpg") for number in range(30)]
    assert summary_of(tmp_path, _Recovered(), many).splitlines()[-1] == "  and 10 more lack pages"


def test_documents_of_pages_that_an_earlier_run_has_read(tmp_path: Path) -> None:
    """Without a scan to read, it does not say that there was nothing to do; without documents nothing is said."""
    said = summary_of(tmp_path, _Recovered(), [document("scan", 1)])
    assert said == f"1 document with 1 page was written to {tmp_path / 'outbox'}.\n"
    assert len(summary_of(tmp_path, _Recovered(), ends=Counter({ScanState.DELIVERED: 1})).splitlines()) == 1


def test_documents_that_were_not_written(tmp_path: Path) -> None:
    """They are counted, with what happens next."""
    said = summary_of(tmp_path, _Recovered(), ends=Counter({ScanState.DELIVERED: 1}), documents_left=2)
    assert said.splitlines()[-1] == "Not written yet: 2 documents; the next run tries again."
