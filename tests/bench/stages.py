"""How much processor time each stage of reading a page takes, measured from outside.

The functions are wrapped by name in a process of the bench's own; nothing in ocrwatch knows of it.
"""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from ocrwatch.recipe import Recipe
from ocrwatch.recognise import enhance, page, reader
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.reader import Reader
from ocrwatch.recognise.result_selection import ReadingPolicy

SECOND = "second readings"
"""Everything that is done because the first reading was poor: enhancing and reading, in part or again."""

_REST = "everything else"


@dataclass(frozen=True, slots=True)
class Timed:
    """One page, read with some settings."""

    text: str
    seconds: dict[str, float]
    """Processor time by stage, in the order of the stages' first ends; each without the stages it calls."""
    acted: frozenset[str]
    """Stages that found something to do."""

    @property
    def cpu(self) -> float:
        """Processor seconds of all stages."""
        return sum(self.seconds.values())


class Meter:
    """Takes the processor time of wrapped functions. One for a process, which it changes for good."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._acted: set[str] = set()
        self._open: list[str] = []
        self._since = 0.0

    def install(self) -> None:
        """Wrap the stages of :func:`ocrwatch.recognise.page.recognise` and load the engine."""
        page.warm(Recipe())
        steps = tuple(self.wrapped(_name(step), step, _did_something) for step in enhance.STEPS)
        for owner, name, replacement in (
            (enhance, "STEPS", steps),
            (enhance, "scale_text", self.wrapped("scale text", enhance.scale_text, _added_a_step)),
            (page, "decode", self.wrapped("decode", decode)),
            (reader, "enhance", self.wrapped("enhance, besides the steps", enhance.enhance)),
            (Reader, "read_enhanced", self.wrapped("engine", Reader.read_enhanced)),
            (ReadingPolicy, "best", self.wrapped(SECOND, ReadingPolicy.best)),
        ):
            mock.patch.object(owner, name, replacement).start()

    def read(self, scan: Path, recipe: Recipe) -> Timed:
        """Read one scan in this way."""
        self._seconds, self._acted = defaultdict(float), set()
        jpeg = scan.read_bytes()
        read = self.wrapped(_REST, page.recognise)(jpeg, recipe)
        return Timed(read.text, dict(self._seconds), frozenset(self._acted))

    def wrapped(
        self, stage: str, function: Callable[..., Any], acted: Callable[[tuple[Any, ...], Any], bool] | None = None
    ) -> Callable[..., Any]:
        """Count the time of ``function`` under ``stage``; ``acted`` tells by arguments and result if it did something.

        A function that is called by another one of the wrapped is not counted with it, except where that is a second
        reading, which is counted as a whole.
        """

        def timed(*arguments: Any, **options: Any) -> Any:
            if SECOND in self._open:
                return function(*arguments, **options)
            self._pause()
            self._open.append(stage)
            try:
                result = function(*arguments, **options)
            finally:
                self._pause()
                self._open.pop()
            if acted is None or acted(arguments, result):
                self._acted.add(stage)
            return result

        return timed

    def _pause(self) -> None:
        """Give the time since the last pause to the innermost stage."""
        now = _processor_time()
        if self._open:
            self._seconds[self._open[-1]] += now - self._since
        self._since = now


def _processor_time() -> float:
    """Seconds of this process and of those it waited for: an engine may be a program of its own."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _name(step: Callable[..., object]) -> str:
    return getattr(step, "__name__", str(step)).replace("_", " ")


def _did_something(_arguments: tuple[Any, ...], result: object) -> bool:
    return result is not None


def _added_a_step(arguments: tuple[Any, ...], result: Any) -> bool:
    return len(result.steps) > len(arguments[0].steps)
