"""``doctor`` starts the process that splits files into pages."""

from __future__ import annotations

import pytest

from ocrwatch.checks import split_process as module
from ocrwatch.checks.split_process import split_process


@pytest.mark.parametrize(("with_pdf", "kinds"), [(True, "TIFF and PDF"), (False, "TIFF")])
def test_a_process_that_starts(monkeypatch: pytest.MonkeyPatch, kinds: str, *, with_pdf: bool) -> None:
    """PDF is named if its extra is installed."""
    monkeypatch.setattr(module, "reads_pdf", lambda: with_pdf)
    found = split_process()
    assert (found.severity, found.message) == ("fine", f"{kinds} files with several pages can be split")


def test_a_process_that_cannot_start_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans are read without it; the remedy does not name ``doctor`` again."""
    monkeypatch.setattr("ocrwatch.splitting.process.MODULE", "ocrwatch.nothing")
    found = split_process()
    assert (found.subject, found.severity) == ("pages", "warning")
    assert "ended with exit code 1 as it started" in found.message
    assert found.remedy.startswith("install ocrwatch again")
