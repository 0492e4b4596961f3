"""Lays out the comparison page by page as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from tests.bench import tables
from tests.bench.page_scores import BAD, CLEARLY, GOOD, PageScore, Summary

_UNKNOWN = "?"


def every_page(title: str, scores: Sequence[PageScore]) -> Table:
    """One row a page, with the word F1 of both."""
    rows = [
        [score.page, f"{score.ocrwatch_f1:.3f}", f"{score.tesseract_f1:.3f}", f"{score.gain:+.3f}", _verdict(score)]
        for score in scores
    ]
    return tables.plain(title, ("", "F1 of ocrwatch", "F1 of Tesseract", "difference", "ocrwatch"), rows)


def clearly_worse(scores: Mapping[str, Sequence[PageScore]]) -> Table:
    """One row for each clearly worse page, with what ocrwatch says of it."""
    rows = [
        [
            f"{corpus}/{score.page}",
            f"{score.ocrwatch_f1:.2f} < {score.tesseract_f1:.2f}",
            _known(score.confidence, ".0f"),
            _review(score),
            _known(score.unread, ".0%"),
            _steps(score),
        ]
        for corpus, pages in scores.items()
        for score in pages
        if score.clearly_worse
    ]
    return tables.plain(
        f"clearly worse than Tesseract (by more than {CLEARLY:.2f})",
        ("", "F1", "confidence", "review", "unread", "steps"),
        rows,
    )


def summaries(by_corpus: Mapping[str, Summary], everything: Summary) -> Table:
    """One row a corpus, and the last one for all pages."""
    columns = (
        "", "pages", "ocrwatch", "Tesseract", "win, same,\nloss", "clearly\nworse", "silent\nempty",
        f"review\n< {BAD}", f"review\n> {GOOD}",
    )  # fmt: skip
    rows = [_summary(name, summary) for name, summary in by_corpus.items()]
    table = tables.plain(
        f"summary: mean word F1 of pages; review marks among pages with F1 below {BAD} and above {GOOD}", columns, rows
    )
    table.add_section()
    table.add_row(*_summary("all", everything))
    return table


def _summary(name: str, summary: Summary) -> list[str]:
    return [
        f"{name} ({summary.not_read} not read)" if summary.not_read else name,
        str(summary.pages),
        f"{summary.ocrwatch_f1:.3f}",
        f"{summary.tesseract_f1:.3f}",
        f"{summary.wins}, {summary.same}, {summary.losses}",
        str(summary.clearly_worse),
        str(summary.silent_empties),
        f"{summary.bad_in_review} of {summary.bad}",
        f"{summary.good_in_review} of {summary.good}",
    ]


def _verdict(score: PageScore) -> str:
    remarks: list[str] = [score.verdict]
    if score.clearly_worse:
        remarks.append("clearly worse")
    if not score.was_read:
        remarks.append("not read")
    if score.is_silent_empty:
        remarks.append("silent empty")
    return ", ".join(remarks)


def _review(score: PageScore) -> str:
    if score.review is None:
        return _UNKNOWN
    if not score.review:
        return "no"
    return f"yes: {', '.join(score.review_reasons)}" if score.review_reasons else "yes"


def _steps(score: PageScore) -> str:
    if score.steps is None:
        return _UNKNOWN
    return ", ".join(score.steps) or "none"


def _known(value: float | None, form: str) -> str:
    return _UNKNOWN if value is None else format(value, form)
