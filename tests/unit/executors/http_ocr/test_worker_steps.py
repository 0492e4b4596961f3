"""What a worker does for a service: the request before, the rendered page after, and bugs of presets in between."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from ocrwatch.cache.codec import unpack
from ocrwatch.document import EngineInfo, Page, Second
from ocrwatch.errors import Damaged, InternalFault, Rejected, ServiceFault, Truncated, UsageError
from ocrwatch.executors.http_ocr.presets import base
from ocrwatch.executors.http_ocr.worker_steps import Prepared, assembled, prepare_scan
from ocrwatch.executors.ipc import encode_other
from ocrwatch.executors.rendering import render_page
from ocrwatch.recipe import FieldRule, Recipe, RemoteService
from ocrwatch.recognise.page import recognise
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.render.registry import flaw_of
from tests.code_images import code_image, with_code
from tests.pages import sidecars_of
from tests.rendering import encode, render
from tests.unit.recognise.fields.test_reading import RULES, receipt
from tests.unit.recognise.remote.service import TEXT, lost, read

SCAN = render(TEXT)
REQUEST = RenderRequest(("txt", "json"), b"sub/a.jpg", len(SCAN), "ab" * 32, review_below=75.0, packs=True)


@pytest.fixture(autouse=True)
def _presets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Plain", "Versioned", "Small", "Refusing", "Broken"):
        monkeypatch.setitem(base._BUILT_IN, name.lower(), f"tests.unit.executors.http_ocr.made_up:{name}")


def recipe(preset: str = "plain", **options: object) -> Recipe:
    """Return a recipe by which a service reads first."""
    service = RemoteService("cloud", preset, "http://127.0.0.1/", options=tuple(options.items()))  # type: ignore[arg-type]
    return Recipe("remote:cloud", languages=("eng", "deu"), remote=service)


def second(preset: str = "plain") -> Recipe:
    """Return a recipe by which a service reads doubtful pages."""
    return replace(recipe(preset), engine="tesserocr", second="remote:cloud")


def answer_to(prepared: Prepared) -> bytes:
    """Return what the service reads."""
    return msgspec.json.encode(read(prepared.request.body))


def json_of(rendered: RenderedPage) -> dict[str, object]:
    """Return the JSON sidecar."""
    found: dict[str, object] = json.loads(sidecars_of(rendered)["json"])
    return found


def local(scan: bytes = SCAN, **changes: object) -> Page:
    """Return the page that was read here."""
    return replace(recognise(scan, second()), **changes)  # type: ignore[arg-type]


def packed(page: Page) -> bytes:
    """Return a page as the parent has it."""
    return render_page(page, REQUEST).packed


def test_a_scan_is_read_by_a_service() -> None:
    """The request is the preset's, and the page is rendered as any other; it can be cached."""
    prepared = prepare_scan(SCAN, recipe())
    assert prepared.request.body == SCAN
    assert prepared.request.path == f"/{prepared.sent.sent_width}x{prepared.sent.sent_height}/eng+deu"
    rendered = assembled(SCAN, recipe(), prepared.sent, answer_to(prepared), b"", "", REQUEST)
    assert sidecars_of(rendered)["txt"].decode() == TEXT + "\n"
    assert flaw_of(rendered, REQUEST) == ""
    assert rendered.summary.engine == EngineInfo("remote:cloud", "plain", ("eng", "deu"))
    assert rendered.summary.warnings == ("made up",)
    assert rendered.summary.second is None
    assert unpack(rendered.packed).engine == rendered.summary.engine


def test_what_goes_through_the_parent_comes_back_the_same() -> None:
    """What is remembered of a page is a value that the channel carries."""
    prepared = prepare_scan(SCAN, recipe())
    sent = msgspec.msgpack.Encoder(enc_hook=encode_other).encode(prepared)
    assert msgspec.msgpack.decode(sent, type=Prepared) == prepared


def test_the_version_is_that_of_the_service_if_it_says_one() -> None:
    """Otherwise it is the preset's name."""
    prepared = prepare_scan(SCAN, recipe("versioned"))
    rendered = assembled(SCAN, recipe("versioned"), prepared.sent, answer_to(prepared), b"", "", REQUEST)
    assert rendered.summary.engine.version == "2026-11"


def test_the_limit_of_the_service_is_obeyed_unless_another_one_is_set() -> None:
    """The preset knows the usual one."""
    assert len(prepare_scan(SCAN, recipe("small")).request.body) <= 20_000 < len(SCAN)
    wanted = recipe("small")
    assert wanted.remote is not None
    larger = replace(wanted, remote=replace(wanted.remote, max_bytes=100_000))
    assert prepare_scan(SCAN, larger).request.body == SCAN


def test_a_damaged_scan_makes_no_request() -> None:
    """It raises the same error as in a reading here."""
    with pytest.raises(Truncated):
        prepare_scan(SCAN[: len(SCAN) // 2], recipe())


def test_a_doubtful_page_is_improved_by_a_service() -> None:
    """The parent sees that the page is in doubt, and gives the packed page back with the answer."""
    first = local()
    worst, *rest = first.blocks[0].lines
    worst = replace(worst, words=tuple(replace(word, text="xxxxxxxx", confidence=32.0) for word in worst.words))
    bad = replace(first, blocks=(replace(first.blocks[0], lines=(worst, *rest)), *first.blocks[1:]))
    assert render_page(bad, REQUEST).summary.is_doubtful
    assert not render_page(first, REQUEST).summary.is_doubtful
    prepared = prepare_scan(SCAN, second("versioned"))
    rendered = assembled(SCAN, second("versioned"), prepared.sent, answer_to(prepared), packed(bad), "", REQUEST)
    assert sidecars_of(rendered)["txt"].decode() == TEXT + "\n"
    assert rendered.summary.engine.name == "tesserocr"
    assert rendered.summary.second == Second("remote:cloud", "2026-11", 1)
    assert not rendered.summary.is_doubtful
    assert json_of(rendered)["second"] == {"name": "remote:cloud", "version": "2026-11", "lines": 1}


def test_fields_are_found_on_the_merged_page() -> None:
    """Those of the first reading are forgotten."""
    scan = encode(receipt(), quality=92)
    wanted = replace(second(), fields=RULES, tables=True)
    request = replace(REQUEST, fields=RULES)
    bad = local(scan, blocks=(), upright=None, fields=(), tables=())
    prepared = prepare_scan(scan, wanted)
    rendered = assembled(scan, wanted, prepared.sent, answer_to(prepared), packed(bad), "", request)
    assert rendered.fields is not None
    assert {field.name: field.value for field in rendered.fields}["total"] == "12.50"
    assert flaw_of(rendered, request) == ""


def test_codes_are_found_on_the_page_of_a_service() -> None:
    """Also if it was the second reader, or could not read: then they are those of the first reading."""
    image = receipt()
    with_code(image, code_image("code39", "PATCHT"), 60, 60)
    scan = encode(image, quality=92)
    first, both = replace(recipe(), codes=True), replace(second(), codes=True)
    prepared = prepare_scan(scan, first)
    answer, read_here = answer_to(prepared), packed(recognise(scan, both))
    for wanted, sent, page, failure in (
        (first, prepared.sent, b"", ""),
        (both, prepared.sent, packed(local(scan)), ""),
        (both, prepared.sent, read_here, ""),
        (both, None, read_here, "no answer within 30 seconds"),
    ):
        rendered = assembled(scan, wanted, sent, answer, page, failure, REQUEST)
        assert [code["text"] for code in json_of(rendered)["codes"]] == ["PATCHT"]  # type: ignore[attr-defined]
        assert rendered.summary.is_separator


def test_a_service_that_failed_leaves_the_first_reading() -> None:
    """With a warning; nothing of what was sent is needed."""
    first = local()
    for sent in (None, prepare_scan(SCAN, second()).sent):
        rendered = assembled(SCAN, second(), sent, b"", packed(first), "no answer within 30 seconds", REQUEST)
        assert sidecars_of(rendered)["txt"].decode() == TEXT + "\n"
        assert rendered.summary.second == Second("remote:cloud", "", 0, "no answer within 30 seconds")
        assert rendered.summary.warnings == ("the second reader could not read: no answer within 30 seconds",)
        assert not rendered.summary.is_doubtful


def test_a_first_page_that_is_damaged_is_no_bug() -> None:
    """It is read again, as a cached one."""
    with pytest.raises(Damaged):
        assembled(SCAN, second(), None, b"", b"no page", "failed", REQUEST)


def test_text_without_places_or_confidences_is_delivered_and_marked_for_review() -> None:
    """Fields with labels are found, and formats that show places leave them out."""
    wanted = replace(recipe(), tables=True, fields=(FieldRule("number", "integer", near=("bill hill paid",)),))
    request = replace(REQUEST, formats=("txt", "json", "hocr", "alto", "tsv", "md", "pdf"), fields=wanted.fields)
    prepared = prepare_scan(SCAN, wanted)
    body = msgspec.json.encode(lost(read(prepared.request.body)))
    rendered = assembled(SCAN, wanted, prepared.sent, body, b"", "", request)
    assert sidecars_of(rendered)["txt"].decode() == TEXT + "\n"
    assert rendered.summary.review_reasons == ("no confidence",)
    assert rendered.fields is not None
    assert rendered.fields[0].value == "2041"
    assert len(rendered.sidecars) == 7


def test_an_empty_answer() -> None:
    """A page with print and without text is marked for review."""
    prepared = prepare_scan(SCAN, recipe())
    rendered = assembled(SCAN, recipe(), prepared.sent, b"[]", b"", "", REQUEST)
    assert sidecars_of(rendered)["txt"] == b""
    assert rendered.summary.review_reasons == ("no text", "100 % of the marks unread")


def test_refusals_pass() -> None:
    """They say whose fault it is."""
    prepared = prepare_scan(SCAN, recipe("refusing"))
    for first in (b"", packed(local())):
        with pytest.raises(Rejected):
            assembled(SCAN, recipe("refusing"), prepared.sent, b"image", first, "", REQUEST)
        with pytest.raises(ServiceFault):
            assembled(SCAN, recipe("refusing"), prepared.sent, b"quota", first, "", REQUEST)


def test_a_preset_that_makes_no_request_has_a_bug() -> None:
    """Only this scan is to blame, with the traceback for the preset's authors."""
    with pytest.raises(InternalFault, match=r"the preset broken failed \(TypeError: its request is a str\)") as caught:
        prepare_scan(SCAN, recipe("broken"))
    assert "please report it; if the preset is another package's, to its authors" in str(caught.value)
    with pytest.raises(InternalFault, match=r"the preset broken failed \(KeyError: 'model'\)") as caught:
        prepare_scan(SCAN, recipe("broken", model="large"))
    assert "made_up.py" in caught.value.trace


@pytest.mark.parametrize("body", [b"none", b"blocks", b"words", b"other"])
def test_a_preset_that_gives_no_answer_has_a_bug(body: bytes) -> None:
    """Whatever it returns instead."""
    sent = prepare_scan(SCAN, recipe()).sent
    with pytest.raises(InternalFault, match="the preset broken failed"):
        assembled(SCAN, recipe("broken"), sent, body, b"", "", REQUEST)


def test_short_memory_is_no_bug_of_a_preset() -> None:
    """The scan is read again later."""
    sent = prepare_scan(SCAN, recipe()).sent
    with pytest.raises(MemoryError):
        assembled(SCAN, recipe("broken"), sent, b"memory", b"", "", REQUEST)


def test_a_preset_that_does_not_exist() -> None:
    """It is a wrong setting."""
    with pytest.raises(UsageError, match="there is no preset named 'nothing'"):
        prepare_scan(SCAN, recipe("nothing"))
