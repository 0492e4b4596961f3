"""Paths into JSON, as users write them to say where a service has its text.

Names are joined with dots, and ``[*]`` stands for each element: ``result.lines[*].text``. ``[0]`` is the first element,
``[-1]`` the last one. ``[*]`` of an object stands for each of its values. A name with other characters than letters,
digits, ``_``, ``-``, ``@`` and ``:`` stands in double quotes: ``"full text".value``. A leading ``$`` is the answer as a
whole: it may be left out, except in paths that begin at a line or a word.

Other notations return nothing for a wrong path. This one tells what an answer does not have from what is empty in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Each(Enum):
    """The step to each element of a list, or to each value of an object."""

    EACH = "[*]"


Step = str | int | Each

_STEP: Final = re.compile(
    r"""(?:(?P<dot>\.)?(?:(?P<name>[\w@:-]+)|"(?P<quoted>[^"]*)"))|\[(?:(?P<each>\*)|(?P<index>-?\d{1,9}))\]"""
)
_LONGEST: Final = 500
"""Characters of a path."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path, parsed."""

    text: str
    """As it was written."""
    steps: tuple[Step, ...]
    from_root: bool = False
    """Whether it begins with ``$``."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to in an answer."""

    values: tuple[Any, ...]
    missing: bool
    """Whether the answer has no such place: a name or an element that the path needs is absent everywhere. False for a
    list that is there and empty, and for null."""


def parse_path(text: str) -> Path:
    """Parse a path; empty, or ``$``, is the whole answer. Raises ValueError, whose text says what is wrong with it."""
    written = text.strip()
    if len(written) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} characters")
    rest = written.removeprefix("$")
    rooted = rest != written
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        match = _STEP.match(rest, at)
        # A name needs a dot before it unless it is the first; the first has one only after "$".
        named = match is not None and match["each"] is None and match["index"] is None
        if match is None or (named and (match["dot"] is not None) != (bool(steps) or rooted)):
            raise ValueError(f"{rest[at:][:20]!r} is not the next step of a path such as result.lines[*].text")
        steps.append(_step(match))
        at = match.end()
    return Path(written, tuple(steps), rooted)


def find(path: Path, answer: Any) -> Found:
    """Return the values that a path leads to, in the answer's order."""
    values, missing = [answer], False
    for step in path.steps:
        # What is empty or null before this step is empty after it, and the path is not to blame.
        reachable = [value for value in values if not _is_empty(value)]
        values = [after for value in reachable for after in _follow(step, value)]
        missing = missing or (bool(reachable) and not values)
        if not values:
            break
    return Found(tuple(values), missing)


def first(path: Path, answer: Any) -> Any:
    """Return the first value that a path leads to, None if there is none."""
    return next(iter(find(path, answer).values), None)


def texts_in(value: Any) -> Iterator[str]:
    """Return all strings in a JSON value; names of members are not among them."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def _step(match: re.Match[str]) -> Step:
    if match["each"] is not None:
        return Each.EACH
    if match["index"] is not None:
        return int(match["index"])
    return match["name"] if match["name"] is not None else match["quoted"]


def _follow(step: Step, value: Any) -> list[Any]:
    """Return what one step leads to: nothing, one value, or each element."""
    if isinstance(value, dict):
        if step is Each.EACH:
            return list(value.values())
        name = str(step)
        return [value[name]] if name in value else []
    if isinstance(value, list):
        if step is Each.EACH:
            return value
        if isinstance(step, int) and -len(value) <= step < len(value):
            return [value[step]]
    return []
