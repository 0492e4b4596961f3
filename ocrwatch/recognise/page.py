"""The OCR pipeline: an image's bytes to :class:`~ocrwatch.document.Page`.

Everything here runs in a worker process and does not access the file system.
"""

from __future__ import annotations

import contextlib
import itertools
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from ocrwatch.document import Block, EngineInfo, Page, Second, Upright
from ocrwatch.errors import EngineFailed, EnvironmentFault, invalid_page, is_memory_error
from ocrwatch.recipe import WHOLE_PAGE, Recipe
from ocrwatch.recognise import engines, perspective
from ocrwatch.recognise.affine import Affine, compose, magnification, scaling
from ocrwatch.recognise.decode import Decoded, Gray, decode
from ocrwatch.recognise.engine_choice import AUTO
from ocrwatch.recognise.enhance import Enhanced
from ocrwatch.recognise.enhance.fixed_steps import crop_region
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.extract.fields.extraction import all_missing, with_fields
from ocrwatch.recognise.extract.tables import with_tables
from ocrwatch.recognise.extract.unread_cells import sheet_of, with_cells_read
from ocrwatch.recognise.placement import Placement
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.projective import Projective, as_projective
from ocrwatch.recognise.reader import USUAL, OcrResult, Reader, TextRegion, in_order
from ocrwatch.recognise.result_selection import ReadingPolicy
from ocrwatch.recognise.second_reader import SecondReader
from ocrwatch.recognise.strip_reader import StripReader
from ocrwatch.recognise.word_edges import fit_edges

REDUCE_FROM = 5000
"""Long side in pixels from which an image is first decoded at half its size: A4 at 430 dpi."""

PERSPECTIVE = "perspective"
"""Step name in ``Page.steps``: the perspective of a photographed page was rectified."""

_NARROWED = frozenset({"eng", "deu", "fra", "spa"})
"""Languages whose text may be narrowed: rendered pages of them are read equally well. Greek pages narrowed to 80 % have
character error rates of .031 to .038 instead of .023; other languages were not measured."""


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
    if not _NARROWED.issuperset(recipe.languages):
        recipe = replace(recipe, enhance=replace(recipe.enhance, narrow=False))
    options = recipe.enhance
    clock = _Stopwatch()
    decoded = decode(content, max_pixels=options.max_pixels, reduce_from=REDUCE_FROM if options.enabled else None)
    clock.lap("decode")
    view, reader = _view(decoded, recipe), Reader(engine, recipe, _dpi(decoded, recipe))
    enhanced = reader.enhance(view.page, USUAL)
    clock.lap("enhance")
    if decoded.reduction > 1 and magnification(enhanced.to_input) >= 1:
        # The text is small or was not found: decode the page again, at full resolution.
        decoded = decode(content, max_pixels=options.max_pixels)
        clock.lap("decode")
        view, reader = _view(decoded, recipe), Reader(engine, recipe, _dpi(decoded, recipe))
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
        warnings=(*decoded.warnings, *_failure(result.failure or why_not)),
        unread=policy.unread(result),
        second=Second(weights.NAME, "", 0, why_not) if why_not else _second(second, result),
        upright=None if blank else upright,
    )
    if recipe.tables:
        page = _with_tables(page, decoded, reader)
        clock.lap("tables")
    if recipe.fields:
        page = _with_fields(page, decoded, reader, second=second is not None)
        clock.lap("fields")
    return replace(page, timings=clock.milliseconds())


def _with_tables(page: Page, decoded: Decoded, reader: Reader) -> Page:
    """Return a page with its tables. A bug in finding them costs no text: the page has a warning then."""
    try:
        return _with_cells_read(with_tables(decoded.gray, decoded.reduction, page), decoded, reader)
    except Exception as error:
        if _is_of_environment(error):
            raise
        return replace(page, tables=(), warnings=(*page.warnings, _bug("tables", error)))


def _with_cells_read(page: Page, decoded: Decoded, reader: Reader) -> Page:
    """Read cells with print that was not read once more, and find the tables again if that gave text."""
    sheet = sheet_of(page, decoded.gray, decoded.reduction)
    if sheet is None:
        return page
    try:
        blocks = reader.read_sheet(sheet.sheet.image)
    except EngineFailed:
        return page
    again = with_tables(decoded.gray, decoded.reduction, with_cells_read(page, sheet, blocks))
    return again if _read_cells(again) > _read_cells(page) else page


def _with_fields(page: Page, decoded: Decoded, reader: Reader, *, second: bool) -> Page:
    """Return a page with its fields. A bug in finding them costs no text: all are missing then, with a warning."""
    rules = reader.recipe.fields
    try:
        strips = StripReader(decoded.gray, decoded.reduction, page, reader, second=second)
        return with_fields(page, rules, strips)
    except Exception as error:
        if _is_of_environment(error):
            raise
        return replace(page, fields=all_missing(rules), warnings=(*page.warnings, _bug("fields", error)))


def _is_of_environment(error: Exception) -> bool:
    """Return whether the scan must be read again later, as if the error were raised in reading the page."""
    return isinstance(error, OSError | EnvironmentFault) or is_memory_error(error)


def _bug(what: str, error: Exception) -> str:
    """Return the warning that something on a page could not be found.

    It has the last place in this package, but not the message of the error, which may have a part of a value.
    """
    package = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if package in Path(frame.filename).parents][-1]
    file = Path(last.filename).relative_to(package).as_posix()
    place = f"{type(error).__name__} in {file}, line {last.lineno}"
    return f"{what} could not be found: a bug in ocrwatch, please report it: {place}"


def _read_cells(page: Page) -> int:
    """Count the cells with text, twice if all of their print was read."""
    return sum(2 - cell.is_unread for table in page.tables or () for cell in table.cells if cell.text)


def _placed(
    view: _View, decoded: Decoded, result: OcrResult, engine: EngineInfo
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


@dataclass(frozen=True, slots=True)
class _View:
    """The page to read, before enhancement."""

    page: Pixels
    to_original: Affine | Projective
    """Maps the page to the original's upright pixels; projective if the page was rectified."""
    steps: tuple[str, ...]
    """Names of the steps that were applied, in order."""
    unrectified: _View | None = None
    """The page before it was rectified; None if it was not."""


def _view(decoded: Decoded, recipe: Recipe) -> _View:
    """Crop the region to read, and rectify it if it was photographed at an angle."""
    given, to_decoded = _region(decoded, recipe)
    to_original = compose(scaling(decoded.reduction, decoded.reduction), to_decoded)
    view = _View(Pixels(given), to_original, _steps(decoded, recipe))
    options = recipe.enhance
    straight = perspective.rectify(view.page) if options.enabled and options.perspective else None
    if straight is None:
        return view
    to_original = as_projective(to_original) @ straight.to_input
    return _View(Pixels(straight.gray), to_original, (*view.steps, PERSPECTIVE), view)


def _best(
    view: _View, enhanced: Enhanced, reader: Reader, second: EngineInfo | None
) -> tuple[_View, ReadingPolicy, OcrResult]:
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


def _policy(view: _View, reader: Reader, second: EngineInfo | None) -> ReadingPolicy:
    return ReadingPolicy(reader, view.page, SecondReader(view.page, reader.recipe) if second else None)


def _region(decoded: Decoded, recipe: Recipe) -> tuple[Gray, Affine]:
    if recipe.region == WHOLE_PAGE:
        return decoded.gray, scaling(1.0, 1.0)
    return crop_region(decoded.gray, recipe.region)


def _dpi(decoded: Decoded, recipe: Recipe) -> float | None:
    """Return the resolution of the decoded pixels in dpi; None if it is unknown."""
    original = recipe.dpi or decoded.dpi
    return original / decoded.reduction if original else None


def _steps(decoded: Decoded, recipe: Recipe) -> tuple[str, ...]:
    reduced = (f"reduce {1 / decoded.reduction:.2f}",) if decoded.reduction > 1 else ()
    return reduced if recipe.region == WHOLE_PAGE else (*reduced, "region")


def _second(engine: EngineInfo | None, result: OcrResult) -> Second | None:
    if engine is None or not result.second:
        return None
    return Second(engine.name, engine.version, result.replaced, result.failure)


def _failure(why: str) -> tuple[str, ...]:
    return (f"the second reader could not read: {why}",) if why else ()


def _rest(result: OcrResult) -> tuple[str, ...]:
    return (f"rest {len(result.rest)}",) if result.rest else ()


class _Stopwatch:
    """Sums the time between laps by name."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Add the time since the last lap, or since the start, to ``name``."""
        now = time.perf_counter()
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last
        self._last = now

    def milliseconds(self) -> tuple[tuple[str, float], ...]:
        """Return names in order of their first lap, with milliseconds to two decimals."""
        return tuple((name, round(seconds * 1000, 2)) for name, seconds in self._seconds.items())
