"""The OCR pipeline: an image's bytes to :class:`~ocrwatch.document.Page`.

Everything here runs in a worker process and does not access the file system.
"""

from __future__ import annotations

import contextlib
import itertools
import traceback
from dataclasses import replace

import cv2

from ocrwatch.document import Block, EngineInfo, Page, Second, Upright
from ocrwatch.errors import EngineFailed, EnvironmentFault, invalid_page
from ocrwatch.recipe import Recipe
from ocrwatch.recognise import engines
from ocrwatch.recognise.decode import Decoded, decode
from ocrwatch.recognise.doubt import second_failed
from ocrwatch.recognise.engine_choice import AUTO
from ocrwatch.recognise.enhance import Enhanced
from ocrwatch.recognise.page_codes import with_codes
from ocrwatch.recognise.page_view import REDUCE_FROM, PageView, dpi_of, for_languages, needs_full_size, view_of
from ocrwatch.recognise.placement import Placement
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.reader import USUAL, OcrResult, Reader, TextRegion, in_order
from ocrwatch.recognise.result_selection import ReadingPolicy
from ocrwatch.recognise.second_reader import SecondReader
from ocrwatch.recognise.stopwatch import Stopwatch
from ocrwatch.recognise.tables_and_fields import with_tables_and_fields
from ocrwatch.recognise.word_edges import fit_edges


def warm(recipe: Recipe) -> EngineInfo:
    """Load the recipe's engine in advance, so that the first scan is not delayed.

    Raises UsageError for a wrong setting and EnvironmentFault for a missing installation.
    """
    # Parallelism is one process per core; OpenCV's own threads would compete for the same cores.
    cv2.setNumThreads(1)
    info = engines.load(recipe).info
    _load_second(recipe)
    return info


def recognise(content: bytes, recipe: Recipe) -> Page:
    """Read one scan. The result depends only on the arguments and installed software.

    Raises ScanFault if this scan cannot be read, and EnvironmentFault or UsageError if no scan could be read.
    """
    engine = engines.load(recipe)
    second, why_not = _load_second(recipe)
    recipe = for_languages(recipe)
    options = recipe.enhance
    clock = Stopwatch()
    decoded = decode(content, max_pixels=options.max_pixels, reduce_from=REDUCE_FROM if options.enabled else None)
    clock.lap("decode")
    view, reader = view_of(decoded, recipe), Reader(engine, recipe, dpi_of(decoded, recipe))
    enhanced = reader.enhance(view.page, USUAL)
    clock.lap("enhance")
    if needs_full_size(decoded, enhanced):
        decoded = decode(content, max_pixels=options.max_pixels)
        clock.lap("decode")
        view, reader = view_of(decoded, recipe), Reader(engine, recipe, dpi_of(decoded, recipe))
        enhanced = reader.enhance(view.page, USUAL)
        clock.lap("enhance")
    view, policy, result = _best(view, enhanced, reader, second)
    blank = options.enabled and options.blank and policy.is_blank(result)
    clock.lap("engine")
    blocks, upright = _placed(view, decoded, result, engine.info)
    page = Page(
        width=decoded.width,
        height=decoded.height,
        dpi=decoded.dpi,
        orientation=decoded.orientation,
        image=decoded.image,
        blocks=() if blank else blocks,
        engine=engine.info,
        steps=(*view.steps, *result.enhanced.steps, *_rest(result), *(("blank",) if blank else ())),
        warnings=(*decoded.warnings, *second_failed(result.failure or why_not)),
        unread=policy.unread(result),
        second=Second(weights.NAME, "", 0, why_not) if why_not else _second(second, result),
        upright=None if blank else upright,
    )
    page = with_tables_and_fields(page, decoded, recipe, reader, clock, second=second is not None)
    if recipe.codes:
        page = with_codes(page, decoded, clock)
    return replace(page, timings=clock.milliseconds())


def _placed(
    view: PageView, decoded: Decoded, result: OcrResult, engine: EngineInfo
) -> tuple[tuple[Block, ...], Upright | None]:
    """Return the text with its positions on the original, and how the page lies there.

    Raises InternalFault if the engine, which may be of another package, returned values of wrong types.
    """
    placement = Placement(view.to_original, view.page.gray.shape, width=decoded.width, height=decoded.height)
    try:
        blocks = [placement.blocks(region) for region in in_order(_with_edges_fitted(result))]
        return tuple(itertools.chain(*blocks)), placement.upright(result.regions)
    except MemoryError:
        raise
    except Exception as error:  # whatever another package's objects raise
        raise invalid_page(engine.name, error, traceback.format_exc()) from error


def _with_edges_fitted(result: OcrResult) -> tuple[TextRegion, ...]:
    """Return the regions of a page, with better edges of words in the first one: the image of others is not kept."""
    main, *rest = result.regions
    return replace(main, blocks=fit_edges(main.blocks, result.enhanced.gray)), *rest


def _load_second(recipe: Recipe) -> tuple[EngineInfo | None, str]:
    """Load the second reader if the recipe has one; return it, and why it cannot be loaded.

    Then the first engine reads alone, and the page says so. Raises EnvironmentFault if it was requested by name.
    """
    try:
        return engines.load_second(recipe), ""
    except EnvironmentFault as fault:
        if recipe.second != AUTO:
            raise
        return None, fault.message


def _best(
    view: PageView, enhanced: Enhanced, reader: Reader, second: EngineInfo | None
) -> tuple[PageView, ReadingPolicy, OcrResult]:
    """Read a page; if a rectified page reads badly, read it unrectified too.

    Returns the result with more evidence. The perspective was an estimate, which the original page can refute. Raises
    EngineFailed if neither can be read.
    """
    policy = _policy(view, reader, second)
    try:
        result = policy.best(reader.read_enhanced(enhanced, USUAL))
    except EngineFailed:
        if view.unrectified is None:
            raise
        return _best(view.unrectified, reader.enhance(view.unrectified.page, USUAL), reader, second)
    if view.unrectified is None or policy.is_beyond_doubt(result):
        return view, policy, result
    with contextlib.suppress(EngineFailed):
        other = _best(view.unrectified, reader.enhance(view.unrectified.page, USUAL), reader, second)
        if other[2].evidence > result.evidence:
            return other
    return view, policy, result


def _policy(view: PageView, reader: Reader, second: EngineInfo | None) -> ReadingPolicy:
    return ReadingPolicy(reader, view.page, SecondReader(view.page, reader.recipe) if second else None)


def _second(engine: EngineInfo | None, result: OcrResult) -> Second | None:
    if engine is None or not result.second:
        return None
    return Second(engine.name, engine.version, result.replaced, result.failure)


def _rest(result: OcrResult) -> tuple[str, ...]:
    return (f"rest {len(result.rest)}",) if result.rest else ()
