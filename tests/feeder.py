"""A scanner with a document feeder: numbered sheets, and a fast engine that reads the number off each of them."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ocrwatch.document import Block, Box, EngineInfo, Line, Word
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray
from tests.crash.scenario import MOST_ATTEMPTS, ROOT
from tests.rendering import encode

Kind = Literal["printed", "blank", "broken"]

_PER_ROW: Final = 10
_SIDE: Final = 24
_STEP: Final = 2 * _SIDE
_MARGIN: Final = 40
_INK: Final = 128
"""Pixels darker than this are printed."""


class CountsMarks:
    """An engine that counts the marks on a sheet: it reads "sheet7" off one with seven, and nothing off a blank one.

    The number stays the same if the page is cropped, scaled or straightened before.
    """

    name: ClassVar[str] = "counts-marks"
    spawns: ClassVar[bool] = False

    @property
    def info(self) -> EngineInfo:
        """Its name, on all pages."""
        return EngineInfo(self.name, "1", ())

    def prepare(self, recipe: Recipe) -> None:
        """Need nothing."""

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:  # noqa: ARG002 - the protocol's
        """Return one word, whose box covers all marks."""
        marks = cv2.connectedComponents((pixels < _INK).astype(np.uint8))[0] - 1
        if marks == 0:
            return ()
        height, width = pixels.shape
        word = Word(text_of(marks), Box(0, 0, width, height), 90.0)
        line = Line((word,), word.box)
        return (Block((line,), line.box),)


def install(folder: Path) -> dict[str, str]:
    """Make ``folder`` tell of the engine; returns the environment with which it is found."""
    metadata = folder / "feeder-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: feeder\nVersion: 0\n")
    engine = f"{CountsMarks.name} = {CountsMarks.__module__}:{CountsMarks.__name__}"
    (metadata / "entry_points.txt").write_text(f"[ocrwatch.engines]\n{engine}\n")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


@dataclass(frozen=True)
class Sheet:
    """One page as the feeder saves it."""

    path: str
    """Below the inbox."""
    number: int
    """How many marks it has; 0 if it is blank."""
    kind: Kind = "printed"

    @property
    def data(self) -> bytes:
        """Its bytes. Those of two blank sheets, or of two with the same number, are the same."""
        jpeg = printed(self.number)
        # Its marker says that it is lossless, which ocrwatch does not read.
        return jpeg.replace(b"\xff\xc0", b"\xff\xc3", 1) if self.kind == "broken" else jpeg

    @property
    def sha256(self) -> str:
        """The hash of its bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def text(self) -> str:
        """What the engine reads off it."""
        return text_of(self.number) if self.kind == "printed" else ""


@functools.cache
def printed(number: int) -> bytes:
    """Return a JPEG with as many marks; one without is blank."""
    rows = max(1, -(-number // _PER_ROW))
    page = Image.new("L", (2 * _MARGIN + _PER_ROW * _STEP, 2 * _MARGIN + max(rows, 4) * _STEP), 255)
    pen = ImageDraw.Draw(page)
    for mark in range(number):
        row, column = divmod(mark, _PER_ROW)
        x, y = _MARGIN + column * _STEP, _MARGIN + row * _STEP
        pen.rectangle((x, y, x + _SIDE - 1, y + _SIDE - 1), fill=0)
    return encode(page)


def text_of(number: int) -> str:
    """Return what the engine reads off a sheet with as many marks."""
    return f"sheet{number}"


def stack(stem: str, numbers: Iterable[int], *, first: int = 1, digits: int = 1) -> list[Sheet]:
    """Return printed sheets that are saved as ``<stem>_1.jpg``, ``<stem>_2.jpg`` and so on."""
    return [Sheet(f"{stem}_{count:0{digits}}.jpg", number) for count, number in enumerate(numbers, first)]


def settings(
    *formats: str,
    by: str = "name",
    quiet: str = "2s",
    blank: str = "",
    top: str = "",
    more: str = "",
    engine: str = CountsMarks.name,
) -> str:
    """Return settings in which all pages of the inbox are grouped.

    ``top`` are settings that belong to no section, and ``more`` are further sections.
    """
    wanted: Sequence[str] = formats or ("txt", "json", "pdf")
    lines = [
        top,
        "[ocr]",
        f'engine = "{engine}"',
        "[output]",
        f"formats = {json.dumps(wanted)}",
        "[enhance]",
        "turn = false",
        "[settle]",
        'stable_for = "200ms"',
        'stable_for_closed = "50ms"',
        "[retry]",
        f"attempts = {MOST_ATTEMPTS}",
        'first_delay = "0s"',
        more,
        "[[profiles]]",
        'match = "**"',
        "[profiles.group]",
        f'by = "{by}"',
        f'quiet = "{quiet}"',
        f'blank = "{blank}"' if blank else "",
    ]
    return "\n".join(lines) + "\n"
