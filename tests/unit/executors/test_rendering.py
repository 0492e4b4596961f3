"""From a page to all that the daemon gets of it."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from hypothesis import given
from PIL import Image

from ocrwatch.cache import codec
from ocrwatch.cache.codec import pack, unpack
from ocrwatch.document import (
    BEGINNING,
    BLANK,
    Baseline,
    Block,
    Box,
    Code,
    EngineInfo,
    Field,
    FieldSummary,
    Line,
    Page,
    PageSummary,
    Second,
    Standing,
    Word,
)
from ocrwatch.errors import Damaged, InternalFault
from ocrwatch.executors.base import REDUCED, request_for
from ocrwatch.executors.rendering import plain, render_packed, render_page
from ocrwatch.recipe import FieldRule, Recipe
from ocrwatch.render.base import Original, RenderRequest
from ocrwatch.render.registry import flaw_of, render
from ocrwatch.scan import Batch, Scan, SettledFile
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts
from tests.other_formats import installed
from tests.pages import pages, sidecars_of
from tests.rendering import encode

BOX = Box(0, 0, 10, 10)
ENGINE = EngineInfo("tesserocr", "5.5.0", ("eng",))
REQUEST = RenderRequest(("txt", "json"), b"sub/a.jpg", 1234, "ab" * 32, packs=True)


def page_of(*words: Word) -> Page:
    """Make a page of one line."""
    return Page(100, 100, 300.0, 1, (Block((Line(words, BOX),), BOX),), ENGINE)


def word(text: str, confidence: float = 90.0) -> Word:
    """Make a word."""
    return Word(text, BOX, confidence)


PAGE = replace(page_of(word("some"), word("words", 80.0)), timings=(("engine", 1.0),))


def of_json(page: Page, request: RenderRequest = REQUEST) -> dict[str, Any]:
    """Render a page, and return its JSON."""
    found: dict[str, Any] = json.loads(sidecars_of(render_page(page, request))["json"])
    return found


# The page of an engine.


@given(pages())
def test_a_page_of_the_declared_types_stays_as_it_is(page: Page) -> None:
    """To the last bit, its timings too."""
    assert plain(page) == page


def test_numbers_of_numpy_and_lists_become_plain() -> None:
    """Engines of other packages return numpy's numbers, infinite ones, and lists."""
    words: Any = [
        Word(np.str_("a"), Box(*np.array([1, 2, 3, 4])), np.float64(1.5)),
        word("b", np.float32(0.5)),  # type: ignore[arg-type]
        word("c", math.inf),
        word("d", 90),
        word("e", math.nan),
    ]
    odd: Any = replace(PAGE, blocks=[Block([Line(words, BOX)], BOX)], engine=EngineInfo("e", "1", ["eng"]))  # type: ignore[arg-type]
    got = plain(odd)
    assert got.words[:4] == (Word("a", Box(1, 2, 3, 4), 1.5), word("b", 0.5), word("c", math.inf), word("d", 90.0))
    assert math.isnan(got.words[4].confidence or 0)
    assert {type(each.confidence) for each in got.words} == {float}
    assert {type(number) for number in (got.words[0].box.left, got.words[0].box.bottom)} == {int}
    assert (type(got.blocks), type(got.words[0].text), got.engine.languages) == (tuple, str, ("eng",))


class Bad:
    """Raises when it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise ZeroDivisionError(name)


@pytest.mark.parametrize(
    "odd",
    [
        {"width": "100"},
        {"width": 100.5},
        {"width": 1 << 70},
        {"dpi": "300"},
        {"blocks": None},
        {"blocks": (1,)},
        {"blocks": page_of(Word("\ud800", BOX, 1.0)).blocks},
        {"blocks": page_of(Word(b"text", BOX, 1.0)).blocks},  # type: ignore[arg-type]
        {"blocks": page_of(Word(None, BOX, 1.0)).blocks},  # type: ignore[arg-type]
        {"blocks": page_of(Word("a", (0, 0, 1, 1), 1.0)).blocks},  # type: ignore[arg-type]
        {"blocks": page_of(Word("a", BOX, None, None)).blocks},  # type: ignore[arg-type]
        {"blocks": page_of(Word("a", BOX, 1j)).blocks},  # type: ignore[arg-type]
        {"warnings": (object(),)},
        {"warnings": (Bad(),)},
    ],
)
def test_other_values_are_an_internal_fault_that_names_the_engine(odd: dict[str, Any]) -> None:
    """The remedy says to whom to report it."""
    with pytest.raises(InternalFault) as caught:
        plain(replace(PAGE, **odd))
    assert caught.value.message.startswith("the engine tesserocr returned an invalid page (")
    assert "ocr.engine" in caught.value.remedy


def test_short_memory_is_no_fault_of_the_engine() -> None:
    """The worker says that memory was short."""

    class Starved:
        """Finds no memory."""

        def __index__(self) -> int:
            raise MemoryError

    np_like: Any = type("Number", (np.int64,), {"__int__": lambda _: Starved().__index__()})(1)
    with pytest.raises(MemoryError):
        plain(replace(PAGE, width=np_like))


# Sidecars.


def test_sidecars_are_those_of_the_formats_in_the_order_of_publishing() -> None:
    """With the path, the size and the hash of the scan."""
    original = Original("sub/a.jpg", 1234, "ab" * 32)
    rendered = render_page(PAGE, REQUEST)
    assert rendered.sidecars == render(PAGE, original, ("json", "txt"))
    assert [ending for ending, _ in rendered.sidecars] == ["json", "txt"]
    assert of_json(PAGE)["source"] == {"path": "sub/a.jpg", "bytes": 1234, "sha256": "ab" * 32}
    assert render_page(PAGE, replace(REQUEST, formats=())).sidecars == ()


def test_a_path_that_is_not_utf_8_shows_its_bytes_in_the_json() -> None:
    """The path is sent as the file system has it."""
    assert of_json(PAGE, replace(REQUEST, path=b"s\xff/\xc3\xa9.jpg"))["source"]["path"] == "s\\xff/é.jpg"


def test_a_request_has_all_of_a_scan_that_its_sidecars_need() -> None:
    """Its path is bytes, also if it is not UTF-8; reasons for a review may be known."""
    settings = Settings.model_validate({"output": {"formats": ["json", "txt"], "review_below": 60}})
    file = SettledFile("s\udcff.jpg", FileFacts(1, 1, 1234, 0, 0), fresh=True, ready_at=0.0)
    scan = Scan(file, Batch(1, 1), settings.for_path(file.path), Recipe(), sha256="ab" * 32)
    expected = RenderRequest(("json", "txt"), b"s\xff.jpg", 1234, "ab" * 32, 60.0, (), 700, packs=True)
    assert request_for(scan, preview_chars=700, packs=True) == expected
    scan.reduced = True
    assert request_for(scan, preview_chars=0, packs=False) == replace(
        expected, review_notes=(REDUCED,), preview_chars=BEGINNING, packs=False
    )


@pytest.mark.parametrize(
    ("below", "notes", "reasons"),
    [
        (0.0, (), ()),
        (0.0, ("it took long",), ()),
        (50.0, (), ()),
        (50.0, ("it took long",), ("it took long",)),
        (95.0, (), ("confidence 84",)),
        (95.0, ("it took long",), ("confidence 84", "it took long")),
    ],
)
def test_reasons_for_a_review_are_in_the_json_and_in_the_summary(
    below: float, notes: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    """Those of the page and those known before; none at all if the limit is 0."""
    request = replace(REQUEST, review_below=below, review_notes=notes)
    assert render_page(PAGE, request).summary.review_reasons == reasons
    found = of_json(PAGE, request)
    assert (found["review"], found["review_reasons"]) == (bool(reasons), list(reasons))


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_none_in_the_json(number: float) -> None:
    """JSON cannot express it (RFC 8259)."""
    found = of_json(replace(page_of(word("a", number)), dpi=number, unread=number), replace(REQUEST, review_below=75.0))
    (line,) = found["blocks"][0]["lines"]
    assert [found["dpi"], found["unread"], found["confidence"], line["confidence"]] == [None] * 4
    assert line["words"][0]["confidence"] is None


def test_a_format_that_fails_is_an_internal_fault(tmp_path: Path) -> None:
    """Of this scan only."""
    with installed(tmp_path, "raises"):
        request = replace(REQUEST, formats=("txt", "raises"))
        with pytest.raises(InternalFault, match="no such glyph"):
            render_page(PAGE, replace(request, path=b"bad.jpg"))
        assert [ending for ending, _ in render_page(PAGE, request).sidecars] == ["raises", "txt"]


# Codes.

CORNERS = (1.0, 2.0, 30.04, 2.0, 30.0, 20.0, 1.0, 20.0)


def coded(*texts: str) -> Page:
    """Return the page with QR codes of these texts."""
    return replace(PAGE, codes=tuple(Code("qr", text, Box(1, 2, 31, 20), CORNERS) for text in texts))


def test_codes_are_in_the_json_if_they_were_looked_for() -> None:
    """Kind, text, box and corners; without any it is an empty list, and the JSON of other pages is as before."""
    (code,) = of_json(coded("TAG:invoice"))["codes"]
    assert code == {
        "kind": "qr",
        "text": "TAG:invoice",
        "box": [1, 2, 31, 20],
        "corners": [[1.0, 2.0], [30.0, 2.0], [30.0, 20.0], [1.0, 20.0]],
    }
    assert of_json(coded())["codes"] == []
    assert "codes" not in of_json(PAGE)


def test_a_code_may_have_any_characters() -> None:
    """The JSON is valid, and has them all."""
    text = "".join(map(chr, range(160))) + '</script>"\\\u2028\U0001f600'
    assert of_json(coded(text))["codes"][0]["text"] == text


@pytest.mark.parametrize(
    ("texts", "expected"),
    [((), False), (("ASN00123",), False), (("ASN00123", "PATCHT"), True), (("ocrwatch:separator",), True)],
)
def test_the_summary_says_whether_the_page_is_a_separator(texts: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001
    """One separator code on it is enough. The daemon takes the answer for a valid one."""
    rendered = render_page(coded(*texts), REQUEST)
    assert rendered.summary.is_separator is expected
    assert flaw_of(rendered, REQUEST) == ""


def test_the_summary_has_the_profile_that_a_separator_names() -> None:
    """Whatever its characters are, also if the page was cached."""
    name = "a\n\x00\u2028\U0001f600"
    rendered = render_page(coded("PATCHT", f"ocrwatch:separator:{name}"), REQUEST)
    assert rendered.summary.profiles_named == (name,)
    assert flaw_of(rendered, REQUEST) == ""
    assert render_packed(rendered.packed, REQUEST).summary.profiles_named == (name,)


def test_without_a_search_no_page_is_a_separator() -> None:
    """It has no codes."""
    assert not render_page(PAGE, REQUEST).summary.is_separator


def test_a_cached_page_keeps_its_codes() -> None:
    """It is a separator again, and has the same JSON."""
    page = coded("PATCHT", "\x00")
    rendered = render_page(page, REQUEST)
    again = render_packed(rendered.packed, REQUEST)
    assert unpack(rendered.packed).codes == page.codes
    assert again.summary.is_separator
    assert again.sidecars == rendered.sidecars


# The summary.


def test_the_summary_has_what_is_logged_of_a_page() -> None:
    """Its engine, words and confidence, the second reader and the warnings."""
    page = replace(PAGE, second=Second("rapidocr", "3.10.0", 7), warnings=("odd",))
    summary = render_page(page, REQUEST).summary
    assert summary.confidence == pytest.approx((90 * 4 + 80 * 5) / 9)
    assert summary == PageSummary(ENGINE, 2, summary.confidence, Second("rapidocr", "3.10.0", 7), ("odd",))
    empty = render_page(replace(PAGE, blocks=()), REQUEST).summary
    assert (empty.words, empty.confidence, empty.preview) == (0, None, "")


def test_the_summary_says_whether_a_second_reader_should_read_the_page() -> None:
    """Not again if one has, or has tried."""
    doubtful = page_of(word("some", 60.0))
    assert render_page(doubtful, REQUEST).summary.is_doubtful
    assert not render_page(page_of(word("some", 95.0)), REQUEST).summary.is_doubtful
    tried = replace(doubtful, second=Second("remote:cloud", "", 0, "no answer"))
    assert not render_page(tried, REQUEST).summary.is_doubtful


def test_words_without_a_confidence_are_marked_for_review() -> None:
    """The confidence of the page does not count them."""
    mixed = page_of(word("some", 95.0), replace(word("words"), confidence=None))
    summary = render_page(mixed, replace(REQUEST, review_below=75.0)).summary
    assert (summary.confidence, summary.review_reasons) == (95.0, ("1 word without a confidence",))


@pytest.mark.parametrize(
    ("chars", "preview"), [(0, ""), (1, "s"), (6, "some w"), (11, "some words\n"), (99, "some words\n")]
)
def test_the_preview_is_as_long_as_requested(chars: int, preview: str) -> None:
    """In characters; a shorter text comes whole."""
    assert render_page(PAGE, replace(REQUEST, preview_chars=chars)).summary.preview == preview


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_confidence_that_is_not_finite_is_none(number: float) -> None:
    """The ledger and the log could not express it; the page is delivered."""
    rendered = render_page(page_of(word("a", number), word("b")), REQUEST)
    assert (rendered.summary.confidence, rendered.summary.words) == (None, 2)
    assert sidecars_of(rendered)["txt"] == b"a b\n"


# The page for the cache.


def test_the_page_is_packed_if_it_is_wanted() -> None:
    """Without its timings; nothing if there is no cache."""
    assert render_page(PAGE, REQUEST).packed == pack(PAGE)
    assert unpack(render_page(PAGE, REQUEST).packed) == replace(PAGE, timings=())
    assert render_page(PAGE, replace(REQUEST, packs=False)).packed == b""


def test_a_page_that_cannot_be_cached_is_delivered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is too large, or so is the name of its engine."""
    long = replace(PAGE, engine=EngineInfo("x" * 70_000, "1", ()))
    for page in (long, PAGE):
        rendered = render_page(page, REQUEST)
        assert bool(rendered.packed) == (page is PAGE)
        assert sidecars_of(rendered)["txt"] == b"some words\n"
    monkeypatch.setattr(codec, "MAX_SIZE", 100)
    rendered = render_page(PAGE, REQUEST)
    assert rendered.packed == b""
    assert sidecars_of(rendered)["txt"] == b"some words\n"
    assert rendered.summary.words == 2


@given(pages())
def test_a_packed_page_gives_what_the_page_gave(page: Page) -> None:
    """The same bytes, each time."""
    request = replace(REQUEST, review_below=75.0, preview_chars=5)
    rendered = render_page(page, request)
    assert render_packed(rendered.packed, request) == rendered


@pytest.mark.parametrize("packed", [b"", b"rubbish", pack(PAGE)[:-1], pack(PAGE) + b"x"])
def test_bytes_that_are_no_page_are_damaged(packed: bytes) -> None:
    """The error says that the scan is read again."""
    with pytest.raises(Damaged, match=r"the cached page is damaged \(.*; nothing: the scan is read again"):
        render_packed(packed, REQUEST)


def test_page_without_tables_for_a_format_of_tables_is_marked_for_review() -> None:
    """A scan that ended a worker is read again without them; its empty CSV must not look like a page without tables."""
    page, request = page_of(word("Total")), replace(REQUEST, formats=("csv",), review_below=75.0)
    assert render_page(page, request).summary.review_reasons == ("tables were not looked for",)
    assert render_page(replace(page, tables=()), request).summary.review_reasons == ()
    assert render_page(page, replace(request, formats=("txt",))).summary.review_reasons == ()


# Fields.

RULES = (FieldRule("date"), FieldRule("total", required=True))
DATE = Field("date", Standing.VERIFIED, "2026-11-27", "27.11.26", "a date", confidence=90.0)
TOTAL = Field("total", Standing.READ, "12.50", "12,50", "it was read", required=True)
NO_TOTAL = replace(TOTAL, standing=Standing.MISSING, value="", text="")
NO_DATE = replace(DATE, standing=Standing.MISSING, value="", text="")


def test_names_standings_and_values_of_fields_leave_the_worker_beside_the_summary() -> None:
    """The summary, which is logged, has none of them."""
    request = replace(REQUEST, fields=RULES)
    rendered = render_page(replace(PAGE, fields=(DATE, TOTAL)), request)
    assert rendered.fields == (
        FieldSummary("date", Standing.VERIFIED, required=False, value="2026-11-27"),
        FieldSummary("total", Standing.READ, required=True, value="12.50"),
    )
    assert rendered.summary == render_page(PAGE, REQUEST).summary
    assert render_page(replace(PAGE, fields=(DATE, TOTAL)), REQUEST).fields is None
    assert render_page(PAGE, request).fields is None


@pytest.mark.parametrize(
    "page",
    [
        replace(PAGE, fields=(TOTAL, DATE)),
        replace(PAGE, fields=(DATE,)),
        replace(PAGE, fields=(DATE, replace(TOTAL, value="1" * 100_001))),
        replace(PAGE, warnings=("x" * 100_001,)),
    ],
)
def test_a_cached_page_that_is_no_answer_to_the_request_is_damaged(page: Page) -> None:
    """It has other fields, or texts that are too long. The scan is read again, and the worker is not blamed."""
    with pytest.raises(Damaged, match=r"the cached page is damaged \(it has .*; nothing: the scan is read again"):
        render_packed(pack(page), replace(REQUEST, fields=RULES))


@pytest.mark.parametrize("below", [0.0, 50.0])
@pytest.mark.parametrize("steps", [(), (BLANK,)])
@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ((DATE, TOTAL), ()),
        ((NO_DATE, TOTAL), ()),
        ((DATE, NO_TOTAL), ("required field total is missing",)),
        (None, ("fields were not looked for",)),
    ],
)
def test_a_page_without_a_required_field_is_marked_for_review(
    below: float, steps: tuple[str, ...], fields: tuple[Field, ...] | None, reasons: tuple[str, ...]
) -> None:
    """Whatever the limit of confidence is, and even if the page is blank; an optional field may be missing."""
    rendered = render_page(
        replace(PAGE, fields=fields, steps=steps), replace(REQUEST, review_below=below, fields=RULES)
    )
    assert rendered.summary.review_reasons == reasons


def test_a_page_of_a_file_need_not_have_its_required_fields() -> None:
    """Another page of the file may have them; what is said of its own text stays."""
    page, request = replace(PAGE, fields=(DATE, NO_TOTAL)), replace(REQUEST, review_below=99.0, fields=RULES, page=3)
    assert render_page(page, request).summary.review_reasons == ("confidence 84",)


@pytest.mark.parametrize(("below", "reasons"), [(0.0, ()), (50.0, ("fields were not looked for",))])
def test_optional_fields_that_were_not_looked_for_count_like_tables(below: float, reasons: tuple[str, ...]) -> None:
    """Nobody has said that a page without them is incomplete."""
    request = replace(REQUEST, review_below=below, fields=RULES[:1])
    assert render_page(PAGE, request).summary.review_reasons == reasons


def test_the_reasons_for_a_review_of_the_text_come_before_those_of_the_fields() -> None:
    """Each required field has a reason of its own."""
    page = replace(PAGE, fields=(replace(NO_DATE, required=True), NO_TOTAL))
    assert render_page(page, replace(REQUEST, review_below=95.0, fields=RULES)).summary.review_reasons == (
        "confidence 84",
        "required field date is missing",
        "required field total is missing",
    )


def test_a_request_has_the_fields_of_the_profile_even_if_the_reading_drops_them() -> None:
    """So that the page is known to lack them."""
    settings = Settings.model_validate(
        {"profiles": [{"match": "*", "fields": [{"name": "total", "type": "amount", "required": True}]}]}
    )
    file = SettledFile("a.jpg", FileFacts(1, 1, 1234, 0, 0), fresh=True, ready_at=0.0)
    scan = Scan(file, Batch(1, 1), settings.for_path(file.path), Recipe(), sha256="ab" * 32)
    (rule,) = request_for(scan, preview_chars=0, packs=False).fields
    assert (rule.name, rule.required) == ("total", True)


def test_what_was_read_besides_the_own_text_of_a_page_is_apart_in_its_pdf() -> None:
    """Only if the page itself can be kept, and only if it was not read: then all of its text belongs to its image."""
    content = encode(Image.new("L", (100, 100), 255))
    box = Box(10, 40, 60, 60)
    line = Line((Word("Own", box, 100.0, 50.0, 20.0),), box, baseline=Baseline(10, 58, 60, 58))
    own = Page(100, 100, 100.0, 1, (Block((line,), box),), EngineInfo("pdfium", "1", ()))
    request = RenderRequest(("pdf",), b"a.pdf", 1, "ab" * 32, page=1)

    def streams(keeps_page: bool, find: Recipe | None) -> int:  # noqa: FBT001 - of the test
        rendered = render_packed(pack(own), replace(request, keeps_page=keeps_page), content, find)
        ((_, data),) = rendered.sidecars
        assert isinstance(data, bytes)
        with pikepdf.open(io.BytesIO(data)) as pdf:
            return len(pdf.pages[0].obj.Contents) if isinstance(pdf.pages[0].obj.Contents, pikepdf.Array) else 1

    assert [streams(True, Recipe()), streams(False, Recipe()), streams(True, None)] == [3, 1, 1]
