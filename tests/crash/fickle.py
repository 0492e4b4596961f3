"""An engine that fails at random in every way there is, and pages with a number in their pixels that it can read.

It fails for as long as ``$FICKLE_CONTROL`` does not begin with a zero, in ``$FICKLE_RATE`` of its readings, and writes
beforehand to ``$FICKLE_LOG`` which page it fails on and how, so that what became of each can be told from what should.
"""

from __future__ import annotations

import io
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from PIL import Image

from ocrwatch.document import Block, Box, EngineInfo, Line, Word
from ocrwatch.errors import EngineFailed
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray

FATAL = frozenset({"has a bug", "returns rubbish"})
"""What a scan is quarantined for at once: a bug is no better for trying again."""

_BITS = 24
_CELL = 16
_BOX = Box(0, 0, 1, 1)
_EVER = 1000


def page(number: int) -> bytes:
    """Return a JPEG whose pixels say ``number``."""
    image = Image.new("L", (_BITS * _CELL, 2 * _CELL), 255)
    for bit in range(_BITS):
        if number >> bit & 1:
            image.paste(0, (bit * _CELL, 0, (bit + 1) * _CELL, 2 * _CELL))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90, dpi=(300, 300))
    return data.getvalue()


def number_on(pixels: Gray) -> int:
    """Return the number that ``pixels`` say."""
    return sum(int(pixels[_CELL, bit * _CELL + _CELL // 2] < 128) << bit for bit in range(_BITS))


class Fickle:
    """Reads the number, or fails."""

    name: ClassVar[str] = "fickle"
    spawns: ClassVar[bool] = False

    @property
    def info(self) -> EngineInfo:
        """Its name, whatever it is."""
        return EngineInfo(self.name, "1", ())

    def prepare(self, recipe: Recipe) -> None:
        """Need nothing."""

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:  # noqa: ARG002 - the protocol's
        """Return the number as the only word, or fail."""
        number = number_on(pixels)
        if _may_fail() and random.random() < float(os.environ["FICKLE_RATE"]):
            way = random.choice(list(_WAYS))
            with Path(os.environ["FICKLE_LOG"]).open("ab", buffering=0) as log:
                log.write(f"{number} {way}\n".encode())
            _WAYS[way]()
            return "rubbish"  # type: ignore[return-value]
        return (Block((Line((Word(f"{number:06}", _BOX, 90.0),), _BOX),), _BOX),)


def _may_fail() -> bool:
    return any(Path(os.environ["FICKLE_CONTROL"]).read_bytes()[:8])


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(_EVER)


def _hang() -> None:
    time.sleep(_EVER)


def _leave() -> None:
    os._exit(7)


def _eat_memory() -> None:
    hoard: list[bytes] = []
    while True:
        hoard.append(bytes(1 << 26))


def _report_failure() -> None:
    raise EngineFailed("the engine does not feel like it")


def _lack_something() -> None:
    raise OSError("the language data is gone")


def _have_a_bug() -> None:
    raise ZeroDivisionError("rubbish")


def _return_rubbish() -> None:
    """See where it is called."""


_WAYS: dict[str, Callable[[], None]] = {
    "crashes": _crash,
    "hangs": _hang,
    "leaves": _leave,
    "eats memory": _eat_memory,
    "reports a failure": _report_failure,
    "lacks something": _lack_something,
    "has a bug": _have_a_bug,
    "returns rubbish": _return_rubbish,
}
