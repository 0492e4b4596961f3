"""The whole road of a page: JPEG bytes in, :class:`~ocrwatch.values.Page` out, without touching the file system.

Everything here runs in a worker process.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import cv2

from ocrwatch.recognise import engines
from ocrwatch.recognise.affine import Affine, compose, magnification, map_box, scaling
from ocrwatch.recognise.decode import Decoded, Gray, decode
from ocrwatch.recognise.enhance.fixed import cut
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.policy import ReadingPolicy
from ocrwatch.recognise.reader import USUAL, Reader, Reading, in_order
from ocrwatch.recognise.second_reader import SecondReader
from ocrwatch.values import WHOLE_PAGE, Block, Box, EngineInfo, Page, Recipe, Second

REDUCE_FROM = 5000
"""Pixels of the long side from which an image is first decoded at half its size: A4 at 430 dots per inch."""

_NARROWED = frozenset({"eng", "deu", "fra", "spa"})
"""Languages whose text may be narrowed: rendered pages of them are read equally well. Greek pages, narrowed to 80 %,
have character error rates of .031 to .038 instead of .023; others were not measured."""


def warm(recipe: Recipe) -> EngineInfo:
    """Load the recipe's engine, so that the first scan does not wait for it.

    Raises UsageError for a wrong setting and EnvironmentFault for what is not installed.
    """
    # One process a core is the parallelism; threads of OpenCV's own would fight over the same cores.
    cv2.setNumThreads(1)
    info = engines.load(recipe).info
    engines.load_second(recipe)
    return info


def recognise(jpeg: bytes, recipe: Recipe) -> Page:
    """Read one scan. The result depends on nothing but the arguments and the installed engine.

    Raises ScanFault where this scan cannot be read, EnvironmentFault or UsageError where none could be.
    """
    engine, second = engines.load(recipe), engines.load_second(recipe)
    if not _NARROWED.issuperset(recipe.languages):
        recipe = replace(recipe, enhance=replace(recipe.enhance, narrow=False))
    options = recipe.enhance
    clock = _Stopwatch()
    decoded = decode(jpeg, max_pixels=options.max_pixels, reduce_from=REDUCE_FROM if options.on else None)
    clock.lap("decode")
    page, to_decoded, reader = _prepared(decoded, recipe, engine)
    enhanced = reader.enhance(page, USUAL)
    clock.lap("enhance")
    if decoded.reduction > 1 and magnification(enhanced.to_given) >= 1:
        # Its text is small, or was not found: this page needs the pixels that the decoder left out.
        decoded = decode(jpeg, max_pixels=options.max_pixels)
        clock.lap("decode")
        page, to_decoded, reader = _prepared(decoded, recipe, engine)
        enhanced = reader.enhance(page, USUAL)
        clock.lap("enhance")
    policy = ReadingPolicy(reader, page, SecondReader(page, recipe) if second else None)
    reading = policy.best(reader.read_enhanced(enhanced, USUAL))
    blank = options.on and options.blank and policy.is_blank(reading)
    clock.lap("engine")
    to_original = compose(scaling(decoded.reduction, decoded.reduction), to_decoded)
    blocks = [_mapped(part.blocks, compose(to_original, part.to_page), decoded) for part in in_order(reading.parts)]
    return Page(
        width=decoded.width,
        height=decoded.height,
        dpi=decoded.dpi,
        orientation=decoded.orientation,
        blocks=() if blank else tuple(itertools.chain(*blocks)),
        engine=engine.info,
        steps=(*_steps(decoded, recipe), *reading.enhanced.steps, *_rest(reading), *(("blank",) if blank else ())),
        warnings=(*decoded.warnings, *_failure(reading)),
        timings=clock.milliseconds(),
        unread=policy.unread(reading),
        second=_second(second, reading),
    )


def _prepared(decoded: Decoded, recipe: Recipe, engine: engines.Engine) -> tuple[Pixels, Affine, Reader]:
    """Return what is to be read, the map from it to the decoded pixels, and what reads it."""
    given, to_decoded = _region(decoded, recipe)
    return Pixels(given), to_decoded, Reader(engine, recipe, _dpi(decoded, recipe))


def _region(decoded: Decoded, recipe: Recipe) -> tuple[Gray, Affine]:
    if recipe.region == WHOLE_PAGE:
        return decoded.gray, scaling(1.0, 1.0)
    return cut(decoded.gray, recipe.region)


def _dpi(decoded: Decoded, recipe: Recipe) -> float | None:
    """Resolution of the decoded pixels, where it is known."""
    original = recipe.dpi or decoded.dpi
    return original / decoded.reduction if original else None


def _steps(decoded: Decoded, recipe: Recipe) -> tuple[str, ...]:
    reduced = (f"reduce {1 / decoded.reduction:.2f}",) if decoded.reduction > 1 else ()
    return reduced if recipe.region == WHOLE_PAGE else (*reduced, "region")


def _second(engine: EngineInfo | None, reading: Reading) -> Second | None:
    if engine is None or not reading.second:
        return None
    return Second(engine.name, engine.version, reading.replaced, reading.failure)


def _failure(reading: Reading) -> tuple[str, ...]:
    return (f"the second reader could not read: {reading.failure}",) if reading.failure else ()


def _rest(reading: Reading) -> tuple[str, ...]:
    return (f"rest {len(reading.rest)}",) if reading.rest else ()


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
