"""Summarises a file with several pages as one scan: what ledger, log and hooks are told of it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from ocrwatch.document import FieldSummary, PageSummary, Second, Standing
from ocrwatch.errors import ScanFault
from ocrwatch.render.review import missing_fields

Value = TypeVar("Value")

_MOST: Final = 5
"""Pages that are named among the missing ones; distinct warnings and reasons for a review. A log line stays short."""

_LONGEST: Final = 300
"""Characters of what is said of one page."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page of a file with several, as its reading ended."""

    number: int
    """In its file, from 1."""
    summary: PageSummary | None = None
    """None if it is missing."""
    fields: tuple[FieldSummary, ...] | None = None
    """As :attr:`ocrwatch.render.base.RenderedPage.fields`."""
    parts: tuple[str, ...] = ()
    """Endings of its sidecars that are in the state folder."""
    code: str = ""
    """Why it is missing, with ``reason``; empty if it is there."""
    reason: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether it could not be read."""
        return self.summary is None


def file_summary(pages: Sequence[ReadPage], preview_chars: int) -> PageSummary:
    """Return the summary of a file of which these are all pages in their order; at least one must have been read.

    - Words are counted together, and the confidence is the mean of the pages', weighted by their words.
    - The engine is that of most pages, and the second one that of the first page that was read again. The lines that
      have its text are counted together.
    - The beginning of the text has ``preview_chars`` characters, from as many pages as that takes.
    - Warnings and reasons for a review name their page. Of many pages the first are named, and the others counted.
    - It is blank if all its pages are. It is never doubtful, since its pages have been read again by then, and no
      separator sheet, since it is a document already.
    """
    summaries = [page.summary for page in pages if page.summary is not None]
    beginnings = (summary.preview.strip("\n") for summary in summaries)
    return PageSummary(
        Counter(summary.engine for summary in summaries).most_common(1)[0][0],
        sum(summary.words for summary in summaries),
        _confidence(summaries),
        _second([summary.second for summary in summaries if summary.second is not None]),
        _warnings(pages),
        "\n".join(filter(None, beginnings))[:preview_chars],
        (*_missing(pages), *_doubtful(pages), *missing_fields(file_fields(pages) or ())),
        is_blank=len(summaries) == len(pages) and all(summary.is_blank for summary in summaries),
    )


def file_fields(pages: Sequence[ReadPage]) -> tuple[FieldSummary, ...] | None:
    """Return the fields of a file: of each the value with the best standing, from the first page that has one such.

    None if they were not looked for on any page.
    """
    best = best_fields((field.name, field.standing, field) for page in pages for field in page.fields or ())
    return tuple(best.values()) if any(page.fields is not None for page in pages) else None


def best_fields(found: Iterable[tuple[str, Standing, Value]]) -> dict[str, Value]:
    """Return of each name the value with the best standing, the first of several; ``found`` is in page order."""
    best: dict[str, tuple[int, Value]] = {}
    for name, standing, value in found:
        rank = tuple(Standing).index(standing)
        if name not in best or rank < best[name][0]:
            best[name] = (rank, value)
    return {name: value for name, (_, value) in best.items()}


def none_read(first: ScanFault, pages: int) -> ScanFault:
    """Return the fault of a file without a page that could be read; ``first`` is that of its first page."""
    if pages > 1:
        first.message = f"none of its {pages} pages can be read; the first: {first.message}"
    # Each page had its attempts.
    first.retryable = False
    return first


def _confidence(summaries: Sequence[PageSummary]) -> float | None:
    known = [(summary.confidence, summary.words) for summary in summaries if summary.confidence is not None]
    words = sum(count for _, count in known)
    return sum(confidence * count for confidence, count in known) / words if words else None


def _second(seconds: Sequence[Second]) -> Second | None:
    if not seconds:
        return None
    first = next((second for second in seconds if not second.failure), seconds[0])
    same = [second for second in seconds if (second.name, second.version) == (first.name, first.version)]
    return replace(first, lines=sum(second.lines for second in same))


def _warnings(pages: Sequence[ReadPage]) -> tuple[str, ...]:
    said = [(page.number, each) for page in pages if page.summary is not None for each in page.summary.warnings]
    lines, _ = _told_once(pages, said)
    left = len({warning for _, warning in said}) - len(lines)
    return (*lines, *([f"and {left} more {'warning' if left == 1 else 'warnings'}"] if left > 0 else []))


def _missing(pages: Sequence[ReadPage]) -> list[str]:
    lines = [_line(pages, page.number, f" is missing: {page.reason}") for page in pages if page.is_missing]
    left = len(lines) - _MOST
    return [*lines[:_MOST], *([f"and {_more(left)} {'is' if left == 1 else 'are'} missing"] if left > 0 else [])]


def _doubtful(pages: Sequence[ReadPage]) -> list[str]:
    reasons = [
        (page.number, ", ".join(page.summary.review_reasons))
        for page in pages
        if page.summary is not None and page.summary.review_reasons
    ]
    # A damaged list of objects marks each page.
    lines, told = _told_once(pages, reasons)
    left = len(reasons) - told
    return [*lines, *([f"and {_more(left)}"] if left > 0 else [])]


def _told_once(pages: Sequence[ReadPage], said: Sequence[tuple[int, str]]) -> tuple[list[str], int]:
    """Return lines for what is said of pages, the same of several in one, and of how many pages the lines are."""
    numbers: dict[str, list[int]] = {}
    for number, what in said:
        numbers.setdefault(what, []).append(number)
    lines = []
    for what, (first, *others) in itertools.islice(numbers.items(), _MOST):
        lines.append(_line(pages, first, f": {what}") + (f" (and {_more(len(others))})" if others else ""))
    return lines, sum(len(each) for each in itertools.islice(numbers.values(), _MOST))


def _line(pages: Sequence[ReadPage], number: int, what: str) -> str:
    line = f"page {number} of {len(pages)}{what}" if len(pages) > 1 else what.removeprefix(": ")
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _more(count: int) -> str:
    return f"{count} more {'page' if count == 1 else 'pages'}"
