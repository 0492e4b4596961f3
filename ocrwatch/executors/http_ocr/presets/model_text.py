"""Text as a language model writes it: what it adds to the text of a page, and loops in which it repeats itself."""

from __future__ import annotations

import re
import zlib
from enum import Enum
from typing import Final

BLANK: Final = "[blank page]"
"""What a model is asked to write for a page without text: few can write nothing."""
_BLANKS: Final = frozenset({BLANK, "[blank]"})

_FENCED = re.compile(r"```[\w+-]*[ \t]*\n(?P<text>.*)```", re.DOTALL)
_INTRODUCTION = re.compile(r"[^\n]{1,200}:[ \t]*\n\s*(?=```)")
"""A line such as ``Here is the text of the image:``, only before a fence: without one it may be on the page."""
_THOUGHTS: Final = "<think>"
_END_OF_THOUGHTS: Final = "</think>"

_LONGEST_PERIOD: Final = 40
"""Lines that are repeated together in a loop."""
_SUSPICIOUS: Final = 15
"""How often lines are repeated, one after the other, before it is said: columns with the same value are that long."""
_LOOP: Final = 100
"""How many lines in a row repeat others before it is a loop: no page has as many equal ones."""
_WINDOW: Final = 1000
"""Bytes of one line of which the repetition is measured: no line of print is that long."""
_LOOP_RATIO: Final = 20.0
"""How much smaller a loop can be packed. Prose reaches 2."""


class Repetition(Enum):
    """Whether a model repeats itself."""

    NONE = "none"
    SUSPICIOUS = "suspicious"
    """It may be so on the page."""
    LOOP = "loop"
    """No page is like this."""


def without_additions(answer: str) -> str:
    """Return the text without what a model puts around it: thoughts, and one fence around all of it.

    Anything else may be on the page, and stays. Of thoughts that do not end nothing is left.
    """
    text = answer.strip()
    if text.startswith(_THOUGHTS):
        text = text.partition(_END_OF_THOUGHTS)[2].strip()
    fenced = _FENCED.fullmatch(_INTRODUCTION.sub("", text, count=1) if _INTRODUCTION.match(text) else text)
    # With a further fence in it, the first one does not enclose everything.
    if fenced is not None and "```" not in fenced["text"]:
        text = fenced["text"]
    return "" if text.strip().casefold() in _BLANKS else text


def ends_in_thoughts(answer: str) -> bool:
    """Return whether the model did not begin with the text."""
    return answer.lstrip().startswith(_THOUGHTS) and _END_OF_THOUGHTS not in answer


def repetition(text: str) -> Repetition:
    """Return whether a text repeats itself as only a model in a loop does.

    A loop is of lines, of up to 40 that are repeated together, or within one line.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    repeated, times = _most_repeated(lines)
    if repeated >= _LOOP or any(map(_has_loop, lines)):
        return Repetition.LOOP
    return Repetition.SUSPICIOUS if times >= _SUSPICIOUS else Repetition.NONE


def _most_repeated(lines: list[str]) -> tuple[int, float]:
    """Return how many lines in a row are those before again, and how many times all of them are repeated."""
    most, times = 0, 0.0
    for period in range(1, min(_LONGEST_PERIOD, len(lines) // 2) + 1):
        run = longest = 0
        for before, line in zip(lines, lines[period:], strict=False):
            run = run + 1 if line == before else 0
            longest = max(longest, run)
        most, times = max(most, longest), max(times, longest / period)
    return most, times


def _has_loop(line: str) -> bool:
    """Return whether a part of a line can be packed as only repetition can."""
    data = line.encode("utf-8", "replace")
    windows = (data[at : at + _WINDOW] for at in range(0, len(data) - _WINDOW + 1, _WINDOW // 2))
    return any(_WINDOW / len(zlib.compress(window)) >= _LOOP_RATIO for window in windows)
