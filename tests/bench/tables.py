"""Results as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from tests.bench.results import Result, Spread
from tests.bench.scoring import Score, total

Qualities = Mapping[str, Mapping[str, Score | None]]
"""By what was done to the pages, then by the label of the way that read them."""


def comparison(title: str, results: Mapping[str, Result]) -> Table:
    """One row a way."""
    table = _table(title, "", "scans/s", "ratio (min-max)", "CER", "word F1", "all MB", "each MB", "CPU s/scan")
    most = max(result.scans for result in results.values())
    for label, result in results.items():
        table.add_row(
            label + _remarks(result, most),
            _figure(result.rate.median, 2),
            _with_extremes(result.ratio),
            _figure(None if result.quality is None else result.quality.cer, 4),
            _figure(None if result.quality is None else result.quality.word_f1, 3),
            _figure(result.peak_mb, 0),
            _figure(result.worker_mb, 0),
            _figure(result.cpu, 2),
        )
    return table


def degradations(title: str, qualities: Qualities) -> Table:
    """One row a kind of damage, and the whole; for each way its CER and its word F1."""
    labels = list(dict.fromkeys(label for scores in qualities.values() for label in scores))
    table = _table(title, "", *(f"{label}\n{figure}" for figure in ("CER", "word F1") for label in labels))
    for kind, scores in qualities.items():
        table.add_row(kind, *_qualities([scores.get(label) for label in labels]))
    table.add_section()
    columns = [[scores.get(label) for scores in qualities.values()] for label in labels]
    table.add_row("all", *_qualities([_total(column) for column in columns]))
    return table


def plain(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Lay out texts; the first column to the left, figures to the right."""
    table = _table(title, *columns)
    for row in rows:
        table.add_row(*row)
    return table


def scans(count: int) -> str:
    """Say how many."""
    return "1 scan" if count == 1 else f"{count} scans"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table


def _remarks(result: Result, most: int) -> str:
    remarks = []
    if result.scans < most:
        remarks.append(f"{result.scans} of {most} scans")
    if result.unread:
        remarks.append(f"{result.unread} not read")
    return f" ({', '.join(remarks)})" if remarks else ""


def _qualities(scores: Sequence[Score | None]) -> list[str]:
    rates = [_figure(None if score is None else score.cer, 4) for score in scores]
    return [*rates, *(_figure(None if score is None else score.word_f1, 3) for score in scores)]


def _total(scores: Sequence[Score | None]) -> Score | None:
    known = [score for score in scores if score is not None]
    return total(known) if known else None


def _with_extremes(figures: Spread) -> str:
    return f"{figures.median:.2f} ({figures.least:.2f}-{figures.most:.2f})"


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
