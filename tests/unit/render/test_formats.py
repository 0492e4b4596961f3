"""What is in a sidecar."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image

from ocrwatch.document import UNPLACED, Baseline, Block, Box, EngineInfo, Line, Page, Second, StoredImage, Upright, Word
from ocrwatch.render.base import Original
from ocrwatch.render.json import JSON_SCHEMA
from ocrwatch.render.registry import endings, names, render
from ocrwatch.render.review import MOST_UNREAD, review_reasons
from tests.rendering import encode

ORIGINAL = Original("sub/scan1.jpg", 1234, "ab" * 32)
JPEG = encode(Image.new("L", (200, 100), 255))


def line(*words: tuple[str, float], paragraph: int = 0) -> Line:
    """Make a line of words with their confidences."""
    return Line(
        tuple(
            Word(text, Box(number, 0, number + 1, 2), confidence, 1.0, 1.5)
            for number, (text, confidence) in enumerate(words)
        ),
        Box(0, 0, len(words), 2),
        paragraph,
        Baseline(0.0, 1.5, len(words), 1.6),
    )


PAGE = Page(
    width=100,
    height=200,
    dpi=300.0,
    orientation=6,
    blocks=(
        Block((line(("Grüße", 90.126), ("aus", 80.0)), line(("漢字", 70.0), paragraph=1)), Box(0, 0, 50, 60)),
        Block((line(("second", 60.0)), line(("line", 60.0))), Box(0, 70, 50, 80)),
    ),
    engine=EngineInfo("tesserocr", "5.5.0", ("deu", "eng")),
    steps=("scale 0.58",),
    warnings=("a warning",),
    timings=(("decode", 1.0),),
    image=StoredImage("jpeg", 200, 100, 3, 8, progressive=True),
    upright=Upright(1, -1.25, 200.0, 100.0, (0.0, 1.0, 0.0, -1.0, 0.0, 100.1234567890123, 0.0, 0.0, 1.0)),
)
EMPTY = replace(PAGE, blocks=())
TEXT = "Grüße aus\n\n漢字\n\nsecond\nline\n"


def rendered(page: Page, name: str, original: Original = ORIGINAL) -> bytes:
    """Render one format."""
    ((_, data),) = render(page, original, (name,))
    return data


def test_the_text_is_utf_8_with_paragraphs_apart() -> None:
    """Lines end with a newline, paragraphs and blocks are separated by an empty line."""
    assert rendered(PAGE, "txt").decode("utf-8") == TEXT


def test_a_blank_page_has_an_empty_text() -> None:
    """Nothing read is nothing written, but there is a file: the scan was done."""
    assert rendered(EMPTY, "txt") == b""
    data = json.loads(rendered(EMPTY, "json"))
    assert (data["text"], data["blocks"], data["confidence"]) == ("", [], None)


def test_the_json_has_everything_but_timings() -> None:
    """Fields and their types are what the schema's version promises."""
    raw = rendered(PAGE, "json")
    assert raw.endswith(b"}\n")
    assert "Grüße" in raw.decode("utf-8")
    data = json.loads(raw)
    blocks = data.pop("blocks")
    assert data == {
        "schema": JSON_SCHEMA,
        "source": {"path": "sub/scan1.jpg", "bytes": 1234, "sha256": "ab" * 32},
        "width": 100,
        "height": 200,
        "dpi": 300.0,
        "orientation": 6,
        "image": {
            "kind": "jpeg",
            "width": 200,
            "height": 100,
            "components": 3,
            "bits": 8,
            "page": 0,
            "progressive": True,
            "adobe_transform": None,
        },
        "engine": {"name": "tesserocr", "version": "5.5.0", "languages": ["deu", "eng"]},
        "steps": ["scale 0.58"],
        "warnings": ["a warning"],
        "confidence": pytest.approx((90.126 * 5 + 80 * 3 + 70 * 2 + 60 * 10) / 20, abs=0.01),
        "unread": None,
        "review": False,
        "review_reasons": [],
        "upright": {
            "turns": 1,
            "angle": -1.25,
            "width": 200.0,
            "height": 100.0,
            "matrix": [[0.0, 1.0, 0.0], [-1.0, 0.0, 100.123456789], [0.0, 0.0, 1.0]],
        },
        "text": TEXT,
    }
    assert [block["box"] for block in blocks] == [[0, 0, 50, 60], [0, 70, 50, 80]]
    assert blocks[0]["lines"][0] == {
        "text": "Grüße aus",
        "box": [0, 0, 2, 2],
        "baseline": [0.0, 1.5, 2.0, 1.6],
        "paragraph": 0,
        "confidence": pytest.approx((90.126 * 5 + 80 * 3) / 8, abs=0.01),
        "words": [
            {"text": "Grüße", "box": [0, 0, 1, 2], "width": 1.0, "height": 1.5, "confidence": 90.13},
            {"text": "aus", "box": [1, 0, 2, 2], "width": 1.0, "height": 1.5, "confidence": 80.0},
        ],
    }
    assert [line["paragraph"] for line in blocks[0]["lines"]] == [0, 1]


def test_the_json_says_who_has_read_again() -> None:
    """A page of which something was read again has the second engine and its lines beside the first; others nothing."""
    data = json.loads(rendered(replace(PAGE, second=Second("rapidocr", "3.10.0", 7)), "json"))
    assert data["second"] == {"name": "rapidocr", "version": "3.10.0", "lines": 7}
    assert list(data).index("second") == list(data).index("engine") + 1
    del data["second"]
    assert data == json.loads(rendered(PAGE, "json"))
    assert "second" not in json.loads(rendered(PAGE, "json"))


def test_the_json_of_a_page_that_could_not_be_read_again() -> None:
    """A second engine that has failed is named with no lines; why is a warning of the page."""
    failed = replace(PAGE, second=Second("rapidocr", "3.10.0", 0, "it failed"), warnings=("it failed",))
    data = json.loads(rendered(failed, "json"))
    assert data["second"] == {"name": "rapidocr", "version": "3.10.0", "lines": 0}
    assert data["warnings"] == ["it failed"]


def test_what_is_unknown_is_null_in_the_json() -> None:
    """Text of a service may have neither positions nor confidences."""
    word = Word("bare", UNPLACED, None)
    bare = replace(PAGE, blocks=(Block((Line((word,), UNPLACED),), UNPLACED),), upright=None)
    data = json.loads(rendered(bare, "json"))
    assert (data["upright"], data["confidence"], data["blocks"][0]["box"]) == (None, None, None)
    (found,) = data["blocks"][0]["lines"]
    assert (found["box"], found["baseline"], found["confidence"]) == (None, None, None)
    assert found["words"] == [{"text": "bare", "box": None, "width": None, "height": None, "confidence": None}]


def test_the_same_page_gives_the_same_bytes() -> None:
    """Timings, which differ each time, are in no sidecar."""
    other = replace(PAGE, timings=(("decode", 2.0), ("engine", 3.0)))
    original = replace(ORIGINAL, content=JPEG)
    for name in names():
        assert rendered(PAGE, name, original) == rendered(other, name, original)


def with_confidence(confidence: float) -> Page:
    """Return a page of one word."""
    return replace(PAGE, blocks=(Block((line(("word", confidence)),), Box(0, 0, 1, 2)),))


@pytest.mark.parametrize(
    ("page", "reasons"),
    [
        (with_confidence(80.0), ()),
        (with_confidence(54.4), ("confidence 54",)),
        (with_confidence(79.99), ("confidence 79",)),
        (with_confidence(-1e999), ("confidence 0",)),
        (EMPTY, ("no text",)),
        (replace(EMPTY, unread=1.0), ("no text", "100 % of the marks unread")),
        (replace(EMPTY, steps=("scale 0.58", "blank"), unread=1.0), ()),
        (replace(with_confidence(95.0), unread=MOST_UNREAD), ()),
        (replace(with_confidence(95.0), unread=0.6219), ("62 % of the marks unread",)),
        (replace(with_confidence(54.0), unread=0.8), ("confidence 54", "80 % of the marks unread")),
    ],
)
def test_what_a_page_is_marked_for_review_for(page: Page, reasons: tuple[str, ...]) -> None:
    """Little confidence, many marks in no word, no text without being blank; with a limit of 0, nothing at all."""
    assert review_reasons(page, 80) == reasons
    assert review_reasons(page, 0) == ()


def test_the_json_says_why_a_page_is_marked() -> None:
    """The mark, the reasons and the share of what was not read."""
    marked = replace(ORIGINAL, review_reasons=("no text", "62 % of the marks unread"))
    data = json.loads(rendered(replace(PAGE, unread=0.62189), "json", marked))
    assert (data["review"], data["review_reasons"]) == (True, ["no text", "62 % of the marks unread"])
    assert data["unread"] == 0.62


def test_a_name_that_is_not_utf_8_shows_its_odd_bytes() -> None:
    """The JSON is UTF-8 whatever the scan is called."""
    data = json.loads(rendered(PAGE, "json", replace(ORIGINAL, path="s\udcff/é\n.jpg")).decode("utf-8"))
    assert data["source"]["path"] == "s\\xff/é\n.jpg"


def test_the_text_comes_last_whatever_order_was_asked_for() -> None:
    """.txt is the commit mark: where it is, all others are."""
    order = [ending for ending, _ in render(PAGE, ORIGINAL, ("txt", "json"))]
    assert order == ["json", "txt"]
    assert endings()[-1] == "txt"
    assert render(PAGE, ORIGINAL, ()) == ()
