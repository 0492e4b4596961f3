"""Merges a page that was read here with what a remote service read of the same scan.

Texts are compared by evidence, as with the second reader of this machine. A service may give no places, or no
confidences: what cannot be judged does not replace text of which the first reader is sure, and is never unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ocrwatch.document import BLANK, Block, Line, Page, Second, Upright, Word
from ocrwatch.recognise.doubt import LEAST_ALONE, OTHER, second_failed
from ocrwatch.recognise.evidence import evidence
from ocrwatch.recognise.merging import merged
from ocrwatch.recognise.remote.answered import has_places
from ocrwatch.recognise.remote.marks import unread_share
from ocrwatch.recognise.remote.straight_lines import StraightLines
from ocrwatch.recognise.result_selection import MIN_GAIN
from ocrwatch.recognise.rows import band_of
from ocrwatch.recognise.second_reader import SURE_LINE, is_covered
from ocrwatch.recognise.sent_page import SentPage

_ASSUMED = OTHER.line
"""Confidence of a word for which its engine gives none: it replaces text that is in doubt, and no other."""


@dataclass(frozen=True, slots=True)
class _Text:
    """The text of a page that was read twice."""

    blocks: tuple[Block, ...]
    upright: Upright | None
    lines: int
    """How many have text of the second reading."""


def merged_with_second(first: Page, second: Page, sent: SentPage) -> Page:
    """Return the page that was read here with the better text of each line.

    Both pages are on the original. Tables and fields must be found again; codes do not depend on the text.
    """
    text = _text(first, second)
    page = replace(
        first,
        blocks=text.blocks,
        upright=text.upright,
        steps=tuple(step for step in first.steps if step != BLANK or not text.blocks),
        warnings=tuple(dict.fromkeys((*first.warnings, *second.warnings, *_unjudged(first, text, second)))),
        timings=(*first.timings, *second.timings),
        second=Second(second.engine.name, second.engine.version, text.lines),
        tables=None,
        fields=None,
    )
    return replace(page, unread=unread_share(sent.marks, page.words, page.width, page.height))


def with_failed_second(first: Page, name: str, reason: str) -> Page:
    """Return the page that was read here, with why the service ``name`` could not read it."""
    return replace(first, second=Second(name, "", 0, reason), warnings=(*first.warnings, *second_failed(reason)))


def _text(first: Page, second: Page) -> _Text:
    if not second.words:
        return _Text(first.blocks, first.upright, 0)
    if first.words and (by_lines := _by_lines(first, second)) is not None:
        return by_lines
    if not first.words or _evidence(second.words) > MIN_GAIN * _evidence(first.words):
        return _Text(second.blocks, second.upright, len(second.lines))
    return _Text(first.blocks, first.upright, 0)


def _by_lines(first: Page, second: Page) -> _Text | None:
    """Return the better text of each line; None if lines cannot be compared by their places.

    If the two readings do not agree on which way is up, one of them read nonsense.
    """
    upright, other = first.upright, second.upright
    if upright is None or other is None or upright.turns != other.turns:
        return None
    if not has_places(first.words) or not has_places(second.words):
        return None
    straight = StraightLines(upright, _ASSUMED)
    blocks = straight.blocks(first.blocks)
    lines = [line for block in straight.blocks(second.blocks) for line in block.lines]
    # Services differ in what a confidence of 99 means, so none replaces text that was read well.
    sure = [band_of(line.words) for block in blocks for line in block.lines if (line.confidence or 0.0) >= SURE_LINE]
    doubtful = [line for line in lines if not is_covered(band_of(line.words), sure)]
    result = merged(blocks, doubtful, LEAST_ALONE, sure)
    return _Text(straight.original(result.blocks), upright, result.replaced)


def _evidence(words: Iterable[Word]) -> float:
    return evidence(word if word.confidence is not None else replace(word, confidence=_ASSUMED) for word in words)


def _unjudged(first: Page, text: _Text, second: Page) -> tuple[str, ...]:
    """Return a warning if text was taken over for which the service gives no confidence."""
    before = {id(word) for word in first.words}
    lines = sum(_is_unjudged(line, before) for block in text.blocks for line in block.lines)
    if not lines:
        return ()
    what = "1 line is" if lines == 1 else f"{lines} lines are"
    return (f"{what} from {second.engine.name}, which does not say how sure it is: compare with the scan",)


def _is_unjudged(line: Line, before: set[int]) -> bool:
    words: Sequence[Word] = line.words
    return any(word.confidence is None and id(word) not in before for word in words)
