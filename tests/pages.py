"""Any page, and what is none, for tests that send or keep pages."""

from __future__ import annotations

import functools
import struct
import zlib
from typing import TypeVar, get_args

import msgspec
from hypothesis import strategies as st

from ocrwatch.document import (
    Block,
    Box,
    Cell,
    Code,
    CodeKind,
    EngineInfo,
    Line,
    Page,
    PageSummary,
    Second,
    Table,
    TableKind,
    Word,
)
from ocrwatch.render.base import RenderedPage

T = TypeVar("T")

_TEXT = st.text(max_size=8)
_WHOLE = st.integers(-(1 << 40), 1 << 40)
_NUMBERS = st.floats(allow_nan=False)  # infinite ones too: engines of other packages return them
_ENGINES = st.builds(EngineInfo, _TEXT, _TEXT, st.lists(_TEXT, max_size=3).map(tuple))
_SECONDS = st.none() | st.builds(Second, _TEXT, _TEXT, _WHOLE, _TEXT)
_BOXES = st.builds(Box, _WHOLE, _WHOLE, _WHOLE, _WHOLE)
_QUADS = st.tuples(*[_NUMBERS] * 8)


def _tuples(each: st.SearchStrategy[T], most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(each, max_size=most).map(tuple)


def pages() -> st.SearchStrategy[Page]:
    """Generate pages: the types that are declared, and any values."""
    words = st.builds(Word, _TEXT, _BOXES, _NUMBERS)
    lines = st.builds(Line, _tuples(words), _BOXES, _WHOLE)
    blocks = st.builds(Block, _tuples(lines), _BOXES)
    cells = st.builds(
        Cell,
        *[_WHOLE] * 4,
        text=_TEXT,
        box=_BOXES,
        corners=_QUADS,
        words=_tuples(_WHOLE),
        confidence=st.none() | _NUMBERS,
        is_header=st.booleans(),
    )
    kinds = st.sampled_from(get_args(TableKind))
    tables = st.builds(Table, kinds, _WHOLE, _WHOLE, _BOXES, _QUADS, _tuples(cells), _NUMBERS)
    codes = st.builds(Code, st.sampled_from(get_args(CodeKind)), _TEXT, _BOXES, _QUADS)
    return st.builds(
        Page,
        width=_WHOLE,
        height=_WHOLE,
        dpi=st.none() | _NUMBERS,
        orientation=_WHOLE,
        blocks=_tuples(blocks),
        engine=_ENGINES,
        steps=_tuples(_TEXT),
        warnings=_tuples(_TEXT),
        timings=_tuples(st.tuples(_TEXT, _NUMBERS)),
        unread=st.none() | _NUMBERS,
        second=_SECONDS,
        tables=st.none() | _tuples(tables, most=2),
        codes=st.none() | _tuples(codes, most=2),
    )


def rendered_pages() -> st.SearchStrategy[RenderedPage]:
    """Generate what workers answer with: the types that are declared, and any values."""
    summaries = st.builds(
        PageSummary,
        engine=_ENGINES,
        words=_WHOLE,
        confidence=st.none() | _NUMBERS,
        second=_SECONDS,
        warnings=_tuples(_TEXT),
        preview=_TEXT,
        review_reasons=_tuples(_TEXT),
    )
    sidecars = _tuples(st.tuples(_TEXT, st.binary(max_size=20)))
    return st.builds(RenderedPage, sidecars, summaries, st.binary(max_size=20))


def sidecars_of(page: RenderedPage) -> dict[str, bytes]:
    """Return the sidecars of a page, as workers render them, by their endings."""
    return {ending: content for ending, content in page.sidecars if isinstance(content, bytes)}


def framed(compressed: bytes, engine: object = ("tesserocr", "5.5.0")) -> bytes:
    """Put a compressed page behind the name of an engine, as the codec does."""
    name = msgspec.msgpack.encode(engine)
    return struct.pack("!H", len(name)) + name + compressed


@functools.cache
def zlib_bomb() -> bytes:
    """Return 486 KB that take 500 MB when they are inflated."""
    deflating, part = zlib.compressobj(9), bytes(1_000_000)
    return b"".join([*(deflating.compress(part) for _ in range(500)), deflating.flush()])
