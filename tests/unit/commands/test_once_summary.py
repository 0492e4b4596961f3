"""``once`` always says what it did."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from ocrwatch.commands.once import _print_summary, _Recovered
from ocrwatch.daemon.daemon import Summary
from ocrwatch.scan import ScanState
from ocrwatch.settings import Settings

RECOVERED = (ScanState.DELIVERED, ScanState.DUPLICATE, ScanState.QUARANTINED)
ENDS = (*RECOVERED, ScanState.CHANGED, ScanState.CANCELLED)


def summary_of(tmp_path: Path, recovered: _Recovered, **fields: object) -> str:
    """Return what is printed after a run that closed no scan of its own."""
    output = io.StringIO()
    settings = Settings(inbox=tmp_path, outbox=tmp_path / "outbox", quarantine=tmp_path / "quarantine")
    summary = Summary(**{"ends": Counter[ScanState](), **fields})  # type: ignore[arg-type]
    _print_summary(Console(file=output, soft_wrap=True), settings, summary, recovered)
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
