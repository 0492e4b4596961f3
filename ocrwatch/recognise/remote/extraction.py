"""Finds the tables, fields and codes of a page that a remote service has read."""

from __future__ import annotations

from dataclasses import replace

from ocrwatch.document import Page
from ocrwatch.errors import EnvironmentFault, UsageError
from ocrwatch.recipe import REMOTE, Recipe
from ocrwatch.recognise import engines
from ocrwatch.recognise.decode import Decoded, decode
from ocrwatch.recognise.engine_choice import AUTO, NONE
from ocrwatch.recognise.page_codes import with_codes
from ocrwatch.recognise.page_view import REDUCE_FROM, dpi_of
from ocrwatch.recognise.reader import Reader
from ocrwatch.recognise.stopwatch import Stopwatch
from ocrwatch.recognise.tables_and_fields import with_tables_and_fields


def with_extracts(page: Page, content: bytes, recipe: Recipe) -> Page:
    """Return a page with the tables, fields and codes that the recipe asks for, as if it was read here.

    Parts of the page are read again by an engine of this machine, never by the service; if none can be loaded, there is
    no second look. ``content`` is the scan. Raises ScanFault if it cannot be decoded.
    """
    reads_again = bool(recipe.tables or recipe.fields)
    lacks_codes = recipe.codes and page.codes is None
    if not reads_again and not lacks_codes:
        return page
    clock = Stopwatch()
    options = recipe.enhance
    decoded = decode(content, max_pixels=options.max_pixels, reduce_from=REDUCE_FROM if options.enabled else None)
    clock.lap("decode")
    if reads_again:
        reader = _reader(decoded, here(recipe))
        second = reader is not None and _has_second(reader.recipe)
        page = with_tables_and_fields(page, decoded, recipe, reader, clock, second=second)
    if lacks_codes:
        page = with_codes(page, decoded, clock)
    return replace(page, timings=(*page.timings, *clock.milliseconds()))


def here(recipe: Recipe) -> Recipe:
    """Return the recipe with engines of this machine in place of a service."""
    engine = AUTO if recipe.is_remote else recipe.engine
    second = NONE if recipe.second.startswith(REMOTE) else recipe.second
    return replace(recipe, engine=engine, second=second, remote=None)


def _reader(decoded: Decoded, recipe: Recipe) -> Reader | None:
    """Return the reader for second looks; None if no engine can be loaded."""
    try:
        return Reader(engines.load(recipe), recipe, dpi_of(decoded, recipe))
    except (EnvironmentFault, UsageError):
        return None


def _has_second(recipe: Recipe) -> bool:
    try:
        return engines.load_second(recipe) is not None
    except EnvironmentFault:
        return False
