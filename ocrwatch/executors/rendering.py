"""Renders a page in a worker: its sidecars, a summary, and the packed page."""

from __future__ import annotations

import math
import os
from typing import Final

import msgspec

from ocrwatch.cache.codec import Malformed, pack, unpack
from ocrwatch.document import FieldSummary, Page, PageSummary
from ocrwatch.errors import Damaged, invalid_page
from ocrwatch.executors.ipc import encode_other
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.doubt import is_doubtful
from ocrwatch.recognise.separators import is_separator, profiles_named
from ocrwatch.render.base import Original, RenderedPage, RenderRequest
from ocrwatch.render.registry import flaw_of, render, table_formats
from ocrwatch.render.review import review_reasons

_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=encode_other)
_DECODER: Final = msgspec.msgpack.Decoder(Page)


def plain(page: Page) -> Page:
    """Return a page of an engine with the declared types; engines of other packages may return numpy's numbers.

    Raises :class:`InternalFault` if it has other values.
    """
    try:
        return _DECODER.decode(_ENCODER.encode(page))
    except MemoryError:
        raise
    except Exception as error:  # whatever another package's objects raise
        raise invalid_page(page.engine.name, error) from error


def render_page(page: Page, request: RenderRequest, content: bytes = b"", own_blocks: int = 0) -> RenderedPage:
    """Render a page. ``content`` is the scan's, for formats that show it; ``own_blocks``: see :class:`Original`.

    Raises :class:`InternalFault` if a format fails, :class:`EnvironmentFault` if it lacks a package.
    """
    reasons = review_reasons(page, request.review_below, demands_fields=not request.page)
    if request.review_below:
        reasons = (*reasons, *request.review_notes, *_missing_tables(page, request))
    reasons = (*reasons, *_unsearched_fields(page, request))
    path = os.fsdecode(request.path)
    original = Original(path, request.size, request.sha256, reasons, content, request.straighten, own_blocks)
    return RenderedPage(
        render(page, original, request.formats),
        _summary(page, reasons, request.preview_chars),
        _packed(page) if request.packs else b"",
        _fields(page) if request.fields else None,
    )


def render_packed(
    packed: bytes, request: RenderRequest, content: bytes = b"", find: Recipe | None = None
) -> RenderedPage:
    """Render a cached page, or one with text of its own, which is completed by the recipe ``find``.

    Raises :class:`Damaged` if it is none, or no answer to the request, and like :func:`render_page`.
    """
    page = unpacked(packed)
    own_blocks = 0
    if find is not None:
        own_blocks = len(page.blocks) if request.keeps_page else 0
        from ocrwatch.recognise.own_text import completed  # noqa: PLC0415 - loads much

        page = plain(completed(page, content, find))
    rendered = render_page(page, request, content, own_blocks)
    if flaw := flaw_of(rendered, request):
        # The daemon would take it for a worker that sends invalid data, and end the worker.
        raise _damaged(f"it has {flaw}")
    return rendered


def unpacked(packed: bytes) -> Page:
    """Return a page that was packed. Raises :class:`Damaged` if it is none."""
    try:
        return unpack(packed)
    except Malformed as error:
        raise _damaged(str(error)) from error


def _damaged(reason: str) -> Damaged:
    return Damaged(f"the cached page is damaged ({reason})", "nothing: the scan is read again")


def _missing_tables(page: Page, request: RenderRequest) -> tuple[str, ...]:
    """Return a reason for a review if the page was read without tables, as after the death of a worker."""
    return ("tables were not looked for",) if page.tables is None and table_formats(request.formats) else ()


def _unsearched_fields(page: Page, request: RenderRequest) -> tuple[str, ...]:
    """Return a reason for a review if the page was read without the profile's fields.

    Like a missing field, it counts without a limit of confidence if one of them is required.
    """
    if page.fields is not None or not request.fields:
        return ()
    counts = bool(request.review_below) or any(rule.required for rule in request.fields)
    return ("fields were not looked for",) if counts else ()


def _fields(page: Page) -> tuple[FieldSummary, ...] | None:
    if page.fields is None:
        return None
    return tuple(FieldSummary(field.name, field.standing, field.required, field.value) for field in page.fields)


def _summary(page: Page, reasons: tuple[str, ...], preview_chars: int) -> PageSummary:
    confidence = page.confidence
    if confidence is not None and not math.isfinite(confidence):
        # An engine of another package may give infinity, which JSON cannot express and SQLite cannot read.
        confidence = None
    return PageSummary(
        page.engine,
        len(page.words),
        confidence,
        page.second,
        page.warnings,
        page.text[:preview_chars] if preview_chars else "",
        reasons,
        page.second is None and is_doubtful(page),
        page.is_blank,
        any(map(is_separator, page.codes or ())),
        profiles_named(page.codes or ()),
    )


def _packed(page: Page) -> bytes:
    try:
        return pack(page)
    except (TypeError, ValueError):
        # Too large, or with unusual numbers: it can be delivered all the same.
        return b""
