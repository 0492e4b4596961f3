"""Scores each page as ocrwatch and Tesseract read it, and counts over pages."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.bench.scoring import bag_f1

SAME = 0.02
"""Difference in word F1 up to which two readings are equally good."""

CLEARLY = 0.05
"""Difference in word F1 above which one reading is clearly better."""

BAD = 0.5
"""Word F1 below which a page should be marked for review."""

GOOD = 0.8
"""Word F1 above which a page should not be marked for review."""

_SOME_WORDS = 10
"""Words in Tesseract's text from which a page has something to read."""

DIGITS = 6
"""Decimals to which differences are rounded, so that .52 - .50 is not more than .02."""


@dataclass(frozen=True, slots=True)
class PageScore:
    """One page, read by both; None is unknown."""

    page: str
    """File name of the scan."""
    ocrwatch_f1: float
    """Word F1 of ocrwatch's text, 0 if there is none."""
    tesseract_f1: float
    """Word F1 of Tesseract's text."""
    was_read: bool
    """Whether ocrwatch delivered the scan."""
    is_silent_empty: bool
    """Whether ocrwatch delivered no text although Tesseract reads ten words, and the truth has words."""
    steps: tuple[str, ...] | None = None
    confidence: float | None = None
    """Mean of the words', 0 to 100; None also if there are no words."""
    review: bool | None = None
    review_reasons: tuple[str, ...] | None = None
    unread: float | None = None
    """Share of the page's marks that lie in no word, 0 to 1."""

    @property
    def gain(self) -> float:
        """Word F1 of ocrwatch minus that of Tesseract."""
        return round(self.ocrwatch_f1 - self.tesseract_f1, DIGITS)

    @property
    def verdict(self) -> Literal["win", "same", "loss"]:
        """How ocrwatch did in comparison."""
        if abs(self.gain) <= SAME:
            return "same"
        return "win" if self.gain > 0 else "loss"

    @property
    def clearly_worse(self) -> bool:
        """Whether Tesseract reads the page clearly better."""
        return self.gain < -CLEARLY


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts and means over pages, each page weighing the same."""

    pages: int
    ocrwatch_f1: float
    """Mean word F1 of ocrwatch."""
    tesseract_f1: float
    """Mean word F1 of Tesseract."""
    wins: int
    same: int
    losses: int
    clearly_worse: int
    not_read: int
    silent_empties: int
    bad: int
    """Pages whose word F1 is below BAD."""
    bad_in_review: int
    good: int
    """Pages whose word F1 is above GOOD."""
    good_in_review: int


def scored(page: str, truth: str, ocrwatch: str | None, tesseract: str, sidecar: Mapping[str, Any]) -> PageScore:
    """Compare the texts of one page.

    That of ``ocrwatch`` is None if the scan was not delivered. ``sidecar`` is ocrwatch's JSON; fields that it does not
    have are unknown.
    """
    steps, reasons = sidecar.get("steps"), sidecar.get("review_reasons")
    is_empty = ocrwatch is not None and not ocrwatch.strip()
    return PageScore(
        page,
        0.0 if ocrwatch is None else bag_f1(truth, ocrwatch),
        bag_f1(truth, tesseract),
        was_read=ocrwatch is not None,
        is_silent_empty=is_empty and len(tesseract.split()) >= _SOME_WORDS and bool(truth.strip()),
        steps=None if steps is None else tuple(steps),
        confidence=sidecar.get("confidence"),
        review=sidecar.get("review"),
        review_reasons=None if reasons is None else tuple(map(str, reasons)),
        unread=sidecar.get("unread"),
    )


def summarise(scores: Sequence[PageScore]) -> Summary:
    """Count the pages of a corpus, or of all; there is at least one."""
    bad = [score for score in scores if score.ocrwatch_f1 < BAD]
    good = [score for score in scores if score.ocrwatch_f1 > GOOD]
    verdicts = [score.verdict for score in scores]
    return Summary(
        pages=len(scores),
        ocrwatch_f1=statistics.fmean(score.ocrwatch_f1 for score in scores),
        tesseract_f1=statistics.fmean(score.tesseract_f1 for score in scores),
        wins=verdicts.count("win"),
        same=verdicts.count("same"),
        losses=verdicts.count("loss"),
        clearly_worse=sum(score.clearly_worse for score in scores),
        not_read=sum(not score.was_read for score in scores),
        silent_empties=sum(score.is_silent_empty for score in scores),
        bad=len(bad),
        bad_in_review=sum(bool(score.review) for score in bad),
        good=len(good),
        good_in_review=sum(bool(score.review) for score in good),
    )
