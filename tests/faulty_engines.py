"""Engines that fail, each in its own way, to be found through the entry-point group as any other engine is.

What an engine is to do that needs a number is told by the recipe's ``whitelist``.
"""

# ruff: noqa: ARG002 - engines that fail do not need what they are given

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ocrwatch.document import Block, Box, EngineInfo, Line, Word
from ocrwatch.errors import EngineFailed
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray

_BOX = Box(0, 0, 1, 1)
_EVER = 1000


class Echo:
    """Reads the recipe's whitelist, and the process's number, off every page."""

    name: ClassVar[str] = "echo"
    spawns: ClassVar[bool] = False

    @property
    def info(self) -> EngineInfo:
        """Its name, whatever it is."""
        return EngineInfo(self.name, "1", ())

    def prepare(self, recipe: Recipe) -> None:
        """Need nothing."""

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Return two words: the whitelist and the process's number."""
        words = (Word(recipe.whitelist, _BOX, 90.0), Word(str(os.getpid()), _BOX, 90.0))
        return (Block((Line(words, _BOX),), _BOX),)


class Slow(Echo):
    """Takes its time: the whitelist's number of seconds."""

    name = "slow"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Sleep, then read."""
        time.sleep(float(recipe.whitelist))
        return super().read(pixels, dpi, recipe)


class Hang(Echo):
    """Never comes back."""

    name = "hang"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Sleep for ever."""
        time.sleep(_EVER)
        return ()


class Crash(Echo):
    """Dies as native code does."""

    name = "crash"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Leave last words, and get a segmentation fault."""
        os.write(2, b"these are my last words\n")
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(_EVER)
        return ()


class Exit(Echo):
    """Ends the process as a library might."""

    name = "exit"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Leave."""
        os._exit(7)


class EatMemory(Echo):
    """Wants more memory than there is."""

    name = "eat-memory"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Take memory until it is refused, without touching it."""
        hoard: list[memoryview] = []
        while True:
            hoard.append(memoryview(bytes(1 << 26)))


class StarveInterpreter(Echo):
    """Leaves Python itself without memory."""

    name = "starve-interpreter"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Fail as CPython does where one of its own functions was refused memory (3.13)."""
        raise SystemError("<built-in function get_ident> returned a result with an exception set") from MemoryError()


class Rubbish(Echo):
    """Has a bug."""

    name = "rubbish"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Divide by zero."""
        raise ZeroDivisionError("rubbish")


class SpawnsAndHangs(Echo):
    """StartupGuard a program and waits for it; the program's number is written to the file that the whitelist names."""

    name = "spawns-and-hangs"
    spawns = True

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Wait for ever for a program."""
        program = subprocess.Popen(["sleep", str(_EVER)])
        Path(recipe.whitelist).write_text(f"{os.getpid()} {program.pid}\n")
        program.wait()
        return ()


class KillsOcrwatch(Echo):
    """Takes the daemon with it, as a page does on which a machine's memory ends."""

    name = "kills-ocrwatch"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Kill the parent process."""
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(_EVER)
        return ()


class SlowUnlessPlain(Echo):
    """Never comes back while pages are enhanced; without that it reads as Echo does."""

    name = "slow-unless-plain"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Sleep for ever, or read at once."""
        if recipe.enhance.enabled:
            time.sleep(_EVER)
        return super().read(pixels, dpi, recipe)


class DiesEarly(Echo):
    """Does not live to see its first scan."""

    name = "dies-early"

    def prepare(self, recipe: Recipe) -> None:
        """Leave."""
        os._exit(3)


class DiesEarlyNow(Echo):
    """Does not live to see its first scan while the file is there that the whitelist names."""

    name = "dies-early-now"

    def prepare(self, recipe: Recipe) -> None:
        """Leave, or not."""
        if Path(recipe.whitelist).exists():
            os._exit(3)


class LoadsMuch(Echo):
    """Takes a quarter of a gigabyte before its first scan."""

    name = "loads-much"

    def prepare(self, recipe: Recipe) -> None:
        """Take it, without touching it."""
        bytes(1 << 28)


class StartsLate(Echo):
    """Is not loaded before the file is gone that the whitelist names."""

    name = "starts-late"

    def prepare(self, recipe: Recipe) -> None:
        """Wait for that."""
        while Path(recipe.whitelist).exists():
            time.sleep(0.05)


class Touching(Echo):
    """Really uses the whitelist's number of megabytes for a second."""

    name = "touching"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Take memory, hold it, and read."""
        hoard = b"x" * (int(recipe.whitelist) << 20)
        time.sleep(1)
        return super().read(pixels, dpi, recipe) if hoard else ()


class Odd(Echo):
    """Returns numbers of numpy and lists, as an engine from another package may."""

    name = "odd"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Return two words, one with an infinite confidence."""
        confidences: list[Any] = [np.float32(90.5), float("inf")]
        words: Any = [Word(np.str_(confidence), _BOX, confidence) for confidence in confidences]
        lines: Any = [Line(words, _BOX)]
        return (Block(lines, _BOX),)


class WrongTypes(Echo):
    """Returns a paragraph whose number is text."""

    name = "wrong-types"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Return one word."""
        paragraph: Any = "1"
        return (Block((Line((Word("word", _BOX, 90.0),), _BOX, paragraph),), _BOX),)


class Unsendable(Echo):
    """Returns text that is not Unicode, or with a whitelist, what is no text at all."""

    name = "unsendable"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Return one word."""
        text: Any = object() if recipe.whitelist else "\ud800"
        return (Block((Line((Word(text, _BOX, 90.0),), _BOX),), _BOX),)


class PaperJam(EngineFailed):
    """An error that only this package knows."""

    code = "paper-jam"
    retryable = False


class FailsInItsOwnWay(Echo):
    """Raises an error of its own."""

    name = "fails-in-its-own-way"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Fail."""
        raise PaperJam("jammed", "open the flap")


class TakenOver(Echo):
    """Sends what it likes to the parent: the whitelist, in hexadecimal."""

    name = "taken-over"

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Write to the worker's channel."""
        os.write(int(sys.argv[1]), bytes.fromhex(recipe.whitelist))
        time.sleep(_EVER)
        return ()


ENGINES: tuple[type[Echo], ...] = (
    Echo,
    Slow,
    Hang,
    Crash,
    Exit,
    EatMemory,
    StarveInterpreter,
    Rubbish,
    SpawnsAndHangs,
    KillsOcrwatch,
    SlowUnlessPlain,
    DiesEarly,
    DiesEarlyNow,
    LoadsMuch,
    StartsLate,
    Touching,
    Odd,
    WrongTypes,
    Unsendable,
    FailsInItsOwnWay,
    TakenOver,
)


def install(folder: Path) -> None:
    """Have the engines found from ``folder`` once it is on the path, as an installed package's are."""
    metadata = folder / "faulty-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 0\n")
    lines = [f"{engine.name} = {__name__}:{engine.__name__}\n" for engine in ENGINES]
    (metadata / "entry_points.txt").write_text("[ocrwatch.engines]\n" + "".join(lines))
