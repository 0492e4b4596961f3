"""The whole road of a page: JPEG bytes in, :class:`~ocrwatch.values.Page` out, without touching the file system.

Everything here runs in a worker process.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import cv2
import numpy as np

from ocrwatch.recognise import engines
from ocrwatch.recognise.affine import Affine, compose, map_box, scaling
from ocrwatch.recognise.decode import CREDIBLE_DPI, Decoded, decode
from ocrwatch.recognise.enhance import Enhanced, enhance
from ocrwatch.values import Block, Box, EngineInfo, Page, Recipe

REDUCE_FROM = 5000
"""Pixels of the long side from which an image is first decoded at half its size: A4 at 430 dots per inch."""


def warm(recipe: Recipe) -> EngineInfo:
    """Load the recipe's engine, so that the first scan does not wait for it.

    Raises UsageError for a wrong setting and EnvironmentFault for what is not installed.
    """
    # One process a core is the parallelism; threads of OpenCV's own would fight over the same cores.
    cv2.setNumThreads(1)
    return engines.load(recipe).info


def recognise(jpeg: bytes, recipe: Recipe) -> Page:
    """Read one scan. The result depends on nothing but the arguments and the installed engine.

    Raises ScanFault where this scan cannot be read, EnvironmentFault or UsageError where none could be.
    """
    engine = engines.load(recipe)
    clock = _Stopwatch()
    decoded = decode(jpeg, max_pixels=recipe.enhance.max_pixels, reduce_from=REDUCE_FROM if recipe.enhance.on else None)
    clock.lap("decode")
    enhanced = enhance(decoded.gray, recipe.enhance)
    clock.lap("enhance")
    if decoded.reduction > 1 and _magnification(enhanced.to_given) >= 1:
        # Its text is small, or was not found: this page needs the pixels that the decoder left out.
        decoded = decode(jpeg, max_pixels=recipe.enhance.max_pixels)
        clock.lap("decode")
        enhanced = enhance(decoded.gray, recipe.enhance)
        clock.lap("enhance")
    to_original = compose(scaling(decoded.reduction, decoded.reduction), enhanced.to_given)
    dpi = _resolution(recipe, decoded, enhanced, to_original)
    blocks = engine.read(enhanced.gray, dpi, recipe)
    clock.lap("engine")
    return Page(
        width=decoded.width,
        height=decoded.height,
        dpi=decoded.dpi,
        orientation=decoded.orientation,
        blocks=_mapped(blocks, to_original, decoded),
        engine=engine.info,
        steps=_steps(decoded, enhanced),
        warnings=decoded.warnings,
        timings=clock.milliseconds(),
    )


def _steps(decoded: Decoded, enhanced: Enhanced) -> tuple[str, ...]:
    reduced = (f"reduce {1 / decoded.reduction:.2f}",) if decoded.reduction > 1 else ()
    return reduced + enhanced.steps


def _magnification(to_given: Affine) -> float:
    """How much larger the mapped image is than the one it maps to, along each side."""
    return 1 / math.sqrt(abs(float(np.linalg.det(to_given[:, :2]))))


def _resolution(recipe: Recipe, decoded: Decoded, enhanced: Enhanced, to_original: Affine) -> int:
    """Dots per inch of the enhanced image, 0 where they are unknown or past belief.

    Layout analysis takes its distances from them, so that the size of the type says more than the scan's own figure.
    """
    if enhanced.print is not None and not recipe.dpi:
        return round(enhanced.print.resolution)
    given = recipe.dpi or decoded.dpi or 0
    resolution = round(given * _magnification(to_original))
    lowest, highest = CREDIBLE_DPI
    return resolution if lowest <= resolution <= highest else 0


def _mapped(blocks: tuple[Block, ...], to_original: Affine, page: Decoded) -> tuple[Block, ...]:
    """Give the same blocks with their boxes in the original's upright pixels."""

    def box(given: Box) -> Box:
        return map_box(given, to_original, width=page.width, height=page.height)

    return tuple(
        replace(
            block,
            box=box(block.box),
            lines=tuple(
                replace(
                    line,
                    box=box(line.box),
                    words=tuple(replace(word, box=box(word.box)) for word in line.words),
                )
                for line in block.lines
            ),
        )
        for block in blocks
    )


class _Stopwatch:
    """Adds up the time between laps by name."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count the time since the last lap, or the start, under ``name``."""
        now = time.perf_counter()
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last
        self._last = now

    def milliseconds(self) -> tuple[tuple[str, float], ...]:
        """Names in order of their first lap, with milliseconds to a hundredth."""
        return tuple((name, round(seconds * 1000, 2)) for name, seconds in self._seconds.items())
