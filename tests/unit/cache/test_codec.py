"""Pages as bytes: the same page comes back, and nothing else is one."""

from __future__ import annotations

import json
import resource
import zlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.cache.codec import MAX_SIZE, Malformed, engine_of, pack, unpack
from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Second, Word
from ocrwatch.recognise.extract.tables import with_tables
from tests.pages import framed, pages, zlib_bomb
from tests.table_images import draw_table, simple

BOX = Box(1, 2, 3, 4)
WORDS = tuple(Word(text, BOX, 96.33451843261719) for text in ("Grüße", "漢字", "\u2028"))
PAGE = Page(
    800, 600, 300.0, 6, (Block((Line(WORDS, BOX, 1),), BOX),), EngineInfo("tesserocr", "5.5.0", ("deu",)),
    ("scale 0.58",), ("odd",),
)  # fmt: skip


@given(pages())
def test_any_page_comes_back_as_it_was(page: Page) -> None:
    """A page comes back to the last bit; only the timings, which are of one reading, are left out."""
    assert unpack(pack(page)) == replace(page, timings=())


def test_a_page_comes_back_with_its_second_reader() -> None:
    """A page has the second reader and the number of its lines again."""
    again = replace(PAGE, second=Second("rapidocr", "3.10.0", 7))
    assert unpack(pack(again)) == again
    assert unpack(pack(PAGE)).second is None


def test_a_page_comes_back_with_its_tables() -> None:
    """Each cell has its place, text and words again; no tables are not the same as unknown ones."""
    drawn = draw_table(simple([("Port", "Ships"), ("Oslo", "7"), ("Riga", "")]))
    tables = with_tables(drawn.gray, 1, drawn.page()).tables or ()
    assert [len(table.cells) for table in tables] == [6]
    page = replace(PAGE, tables=tables)
    assert unpack(pack(page)) == page
    assert unpack(pack(replace(PAGE, tables=()))).tables == ()
    assert unpack(pack(PAGE)).tables is None


def test_the_same_page_gives_the_same_bytes() -> None:
    """Machines that share a cache write the same."""
    assert pack(PAGE) == pack(replace(PAGE, timings=(("decode", 1.0),)))


def test_the_engine_is_known_without_unpacking() -> None:
    """The daemon's own process inflates nothing: it reads what is before the page."""
    packed = pack(PAGE)
    assert packed == framed(zlib.compress(msgspec.msgpack.encode(PAGE), 1))
    assert engine_of(packed) == engine_of(framed(b"")) == engine_of(framed(zlib_bomb())) == ("tesserocr", "5.5.0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\0\0",
        b"\0\0" + pack(PAGE)[2:],
        b"\xff\xff" + pack(PAGE)[2:],
        pack(PAGE)[:8],
        framed(b"", None),
        framed(b"", ("tesserocr",)),
        framed(b"", ("tesserocr", 5)),
        framed(b"", ("tesserocr", "5.5.0", "eng")),
        b"\0\x03\x92\xa1\xff",
    ],
)
def test_what_names_no_engine_is_no_page(data: bytes) -> None:
    """Neither for the daemon, which asks for its engine, nor for what unpacks it."""
    for read in (engine_of, unpack):
        with pytest.raises(Malformed):
            read(data)


@pytest.mark.parametrize("engine", [("pytesseract", "5.5.0"), ("tesserocr", "5.5.1"), ("", "")])
def test_a_page_of_another_engine_than_it_says_is_none(engine: tuple[str, str]) -> None:
    """The daemon only compares the version at the beginning: it must be the page's."""
    with pytest.raises(Malformed, match="another engine"):
        unpack(framed(zlib.compress(msgspec.msgpack.encode(PAGE)), engine))


def test_half_a_page_is_none() -> None:
    """Wherever it ends."""
    packed = pack(PAGE)
    for length in range(len(packed)):
        with pytest.raises(Malformed):
            unpack(packed[:length])


def test_one_changed_bit_is_enough() -> None:
    """In the engine's name, in the page and in its checksum.

    A few bits mean nothing to zlib: with them changed it is the same page.
    """
    packed = pack(PAGE)
    without_meaning = 0
    for place in range(8 * len(packed)):
        damaged = bytearray(packed)
        damaged[place // 8] ^= 1 << place % 8
        try:
            page = unpack(bytes(damaged))
        except Malformed:
            continue
        assert page == PAGE
        without_meaning += 1
    assert without_meaning < 8


@given(st.binary())
def test_random_bytes_are_no_page(data: bytes) -> None:
    """Random bytes, also if they are well compressed, raise one exception only."""
    for rubbish in (
        data,
        zlib.compress(data),
        framed(data),
        framed(zlib.compress(data)),
        pack(PAGE) + data + b"x",
        pack(PAGE)[: len(data)],
    ):
        with pytest.raises(Malformed):
            unpack(rubbish)


def poisoned(**changes: object) -> bytes:
    """Pack a page with values that are none of a page's."""
    return framed(zlib.compress(msgspec.msgpack.encode({**msgspec.to_builtins(PAGE), **changes})))


_LINE = msgspec.to_builtins(PAGE.blocks[0].lines[0])


@pytest.mark.parametrize(
    "data",
    [
        poisoned(width="800"),
        poisoned(width=800.5),
        poisoned(dpi="300"),
        poisoned(steps=[1]),
        poisoned(blocks=[[[[[[]]]]]]),
        poisoned(blocks=[{"lines": [{**_LINE, "words": [{"text": "a", "box": {}, "confidence": 1.0}]}], "box": {}}]),
        poisoned(
            blocks=[{
                "lines": [{**_LINE, "words": [{**_LINE["words"][0], "confidence": "96"}]}], "box": _LINE["box"],
            }]
        ),
        poisoned(engine=None),
        poisoned(second=["rapidocr"]),
        framed(zlib.compress(json.dumps([[[[]]]]).encode("ascii"))),
        framed(zlib.compress(b"\xdd\xff\xff\xff\xff")),
        framed(zlib.compress(b"\x91" * 100_000)),
        framed(zlib.compress(b"\x81\xa1x" + b"\x91" * 100_000)),
    ],
)  # fmt: skip
def test_what_has_other_types_is_no_page(data: bytes) -> None:
    """Wrong types, and nesting without end."""
    with pytest.raises(Malformed):
        unpack(data)


def test_what_is_huge_when_it_is_inflated_is_no_page() -> None:
    """It is given up where the largest page ends."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Malformed):
        unpack(framed(zlib_bomb()))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


def test_what_is_too_large_or_odd_is_not_packed() -> None:
    """What could not be read back is refused when it is written."""
    for odd in ("x" * MAX_SIZE, "\ud800", object(), 1 << 70):
        with pytest.raises((TypeError, ValueError)):
            pack(replace(PAGE, warnings=(odd,)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bytes"):
        pack(replace(PAGE, engine=EngineInfo("x" * 70_000, "1", ())))
