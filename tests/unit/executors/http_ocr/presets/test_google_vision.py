"""Google Cloud Vision: its request, and what its answers mean."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ocrwatch.document import UNPLACED, Box
from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.base import key_place, limits
from tests.unit.executors.http_ocr.presets.asking import (
    CONTENT,
    IMAGE,
    answer_of,
    line_of,
    lines_of,
    preset_of,
    service,
    words_of,
)

GOOGLE = service("google-vision", "https://vision.googleapis.com")


def corners(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    """Return a bounding box; what is 0 is left out, as Google does."""
    points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return {"vertices": [{name: value for name, value in zip("xy", point, strict=True) if value} for point in points]}


def word(text: str, box: dict[str, Any] | None, then: str = "", confidence: float | None = 0.9) -> dict[str, Any]:
    """Return a word with its symbols; ``then`` is the break after it."""
    symbols: list[dict[str, Any]] = [{"text": letter, "confidence": 0.9} for letter in text]
    if then:
        symbols[-1]["property"] = {"detectedBreak": {"type": then}}
    made: dict[str, Any] = {"symbols": symbols, "property": {"detectedLanguages": [{"languageCode": "en"}]}}
    if box is not None:
        made["boundingBox"] = box
    if confidence is not None:
        made["confidence"] = confidence
    return made


def answered(*paragraphs: list[dict[str, Any]], text: str = "", **facts: Any) -> dict[str, Any]:
    """Return an answer with one block of these paragraphs."""
    block = {"blockType": "TEXT", "paragraphs": [{"words": words} for words in paragraphs]}
    pages = [{"width": 1000, "height": 1400, "blocks": [block], **facts}]
    return {"responses": [{"fullTextAnnotation": {"pages": pages, "text": text}}]}


def test_the_image_is_sent_as_base64_with_hints() -> None:
    """Languages have their codes of BCP 47, each once."""
    request = preset_of(GOOGLE).request(IMAGE, GOOGLE, ("deu", "chi_sim", "chi_tra", "script/Latin"))
    assert request.path == "/v1/images:annotate"
    assert request.content_type == "application/json"
    assert json.loads(request.body) == {
        "requests": [
            {
                "image": {"content": base64.b64encode(CONTENT).decode()},
                "features": [{"type": "DOCUMENT_TEXT_DETECTION"}],
                "imageContext": {"languageHints": ["de", "zh"]},
            }
        ]
    }


def test_options_change_the_request() -> None:
    """Hints can be others, or none."""
    asked = service(
        "google-vision", feature="TEXT_DETECTION", model="builtin/latest", language_hints="en-t-i0-handwrit"
    )
    (sent,) = json.loads(preset_of(asked).request(IMAGE, asked, ("deu",)).body)["requests"]
    assert sent["features"] == [{"type": "TEXT_DETECTION", "model": "builtin/latest"}]
    assert sent["imageContext"] == {"languageHints": ["en-t-i0-handwrit"]}
    asked = service("google-vision", language_hints="")
    (sent,) = json.loads(preset_of(asked).request(IMAGE, asked, ("deu",)).body)["requests"]
    assert "imageContext" not in sent


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://vision.googleapis.com/", "/v1/images:annotate"),
        ("https://eu-vision.googleapis.com/v1", "/images:annotate"),
        ("https://vision.googleapis.com/v1/images:annotate", ""),
    ],
)
def test_a_url_may_have_a_part_of_the_path(url: str, path: str) -> None:
    """The rest is appended."""
    asked = service("google-vision", url)
    assert preset_of(asked).request(IMAGE, asked, ()).path == path


def test_key_and_limits() -> None:
    """The key is in a header; a request has 10 MB with the image as base64."""
    preset = preset_of(GOOGLE)
    place = key_place(preset, GOOGLE)
    assert (place.header, place.prefix) == ("x-goog-api-key", "")
    largest = limits(preset, GOOGLE)
    assert largest.max_bytes * 4 / 3 < 10_000_000 - 1000
    assert largest.max_pixels == 75_000_000


@pytest.mark.parametrize("options", [{"feature": "LABEL_DETECTION"}, {"model": "x"}, {"hints": "de"}])
def test_wrong_options_are_usage_errors(options: dict[str, str]) -> None:
    """They are found at the start."""
    with pytest.raises(UsageError, match=next(iter(options))):
        preset_of(service("google-vision", **options))


def test_breaks_make_words_and_lines() -> None:
    """Parts of a word with nothing between them, such as a comma, become one word; a hyphen is added."""
    answer = answer_of(
        answered(
            [
                word("Dear", corners(10, 10, 60, 40), "SPACE"),
                word("Sir", corners(70, 10, 100, 40), confidence=0.6),
                word(",", corners(100, 10, 105, 40), "EOL_SURE_SPACE", 0.2),
                word("invoi", corners(10, 50, 60, 80), "HYPHEN"),
                word("ces", corners(10, 90, 40, 120), "LINE_BREAK"),
            ],
            [word("Yours", corners(10, 200, 60, 230), "SURE_SPACE"), word("A", corners(90, 200, 99, 230))],
        ),
        GOOGLE,
    )
    assert lines_of(answer) == ["Dear Sir,", "invoi-", "ces", "Yours A"]
    (block,) = answer.blocks
    assert [line.paragraph for line in block.lines] == [0, 0, 0, 1]
    assert words_of(answer)[:2] == [("Dear", Box(10, 10, 60, 40), 90.0), ("Sir,", Box(70, 10, 105, 40), 50.0)]
    assert answer.in_order


def test_a_break_may_be_before_a_word() -> None:
    """A prefix is what precedes its symbol."""
    second = word("b", corners(50, 10, 60, 40))
    second["symbols"][0]["property"] = {"detectedBreak": {"type": "SPACE", "isPrefix": True}}
    third = word("c", corners(10, 50, 20, 80))
    third["symbols"][0]["property"] = {"detectedBreak": {"type": "LINE_BREAK", "isPrefix": True}}
    assert lines_of(answer_of(answered([word("a", corners(10, 10, 20, 40)), second, third]), GOOGLE)) == ["a b", "c"]


def test_missing_coordinates_are_zero() -> None:
    """A word in the corner of the page has a vertex without members."""
    answer = answer_of(answered([word("Edge", corners(0, 0, 90, 40))]), GOOGLE)
    assert words_of(answer) == [("Edge", Box(0, 0, 90, 40), 90.0)]


def test_normalised_vertices_are_shares_of_the_image() -> None:
    """They are in answers for documents, and are 0 if they are missing, too."""
    box = {"normalizedVertices": [{}, {"x": 0.5}, {"x": 0.5, "y": 0.25}, {"y": 0.25}]}
    answer = answer_of(answered([word("Half", box)]), GOOGLE)
    assert words_of(answer) == [("Half", Box(0, 0, 500, 350), 90.0)]


def test_another_size_of_the_page_is_brought_to_pixels_of_the_image() -> None:
    """The page says its size."""
    answer = answer_of(answered([word("Half", corners(10, 10, 60, 20))], width=500, height=700), GOOGLE)
    assert words_of(answer) == [("Half", Box(20, 20, 120, 40), 90.0)]


def test_text_upside_down_keeps_its_direction() -> None:
    """Its first corner is at the lower right, and words of a line follow each other to the left."""
    first = {"vertices": [{"x": 200, "y": 100}, {"x": 120, "y": 100}, {"x": 120, "y": 60}, {"x": 200, "y": 60}]}
    last = {"vertices": [{"x": 110, "y": 100}, {"x": 50, "y": 100}, {"x": 50, "y": 60}, {"x": 110, "y": 60}]}
    line = line_of(answer_of(answered([word("down", first, "SPACE"), word("side", last)]), GOOGLE))
    assert line.box == Box(50, 60, 200, 100)
    assert line.baseline is not None
    assert line.baseline.x0 > line.baseline.x1


def test_a_column_of_chinese_runs_down() -> None:
    """Corners begin at the top left one; the words follow each other downwards."""
    words = [
        word("中华", corners(500, 100, 540, 190)),
        word("人民", corners(500, 200, 540, 290)),
        word("国", corners(500, 300, 540, 340), "LINE_BREAK"),
    ]
    answer = answer_of(answered(words), GOOGLE)
    assert words_of(answer) == [("中华人民国", Box(500, 100, 540, 340), 90.0)]
    (read,) = line_of(answer).words
    assert (read.width, read.height) == (240, 40)
    (single,) = line_of(answer_of(answered([word("竖排文字", corners(500, 100, 540, 260))]), GOOGLE)).words
    assert (single.width, single.height) == (160, 40)


def test_words_without_places_keep_their_text() -> None:
    """Confidences that are left out are unknown."""
    answer = answer_of(answered([word("no", None, "SPACE", None), word("place", {"vertices": []})]), GOOGLE)
    assert words_of(answer) == [("no", UNPLACED, None), ("place", UNPLACED, 90.0)]


@pytest.mark.parametrize(
    "response",
    [
        {"fullTextAnnotation": {"text": "line one\nline two\n"}},
        {
            "fullTextAnnotation": {
                "text": "line one\nline two\n",
                "pages": [{"blocks": [{"paragraphs": [{"words": 1}]}]}],
            }
        },
        {"textAnnotations": [{"locale": "en", "description": "line one\nline two"}, {"description": "line"}]},
        {"fullTextAnnotation": None, "textAnnotations": [{"description": "line one\nline two"}]},
    ],
)
def test_text_without_known_places_is_not_lost(response: dict[str, Any]) -> None:
    """Whatever the annotations are like, their text is delivered."""
    answer = answer_of({"responses": [response]}, GOOGLE)
    assert lines_of(answer) == ["line one", "line two"]
    assert line_of(answer).box == UNPLACED


@pytest.mark.parametrize("response", [{}, {"fullTextAnnotation": {"pages": [], "text": ""}}, {"error": None}])
def test_a_page_without_text_is_no_error(response: dict[str, Any]) -> None:
    """Its answer is an empty object."""
    assert answer_of({"responses": [response]}, GOOGLE).blocks == ()


def test_bad_image_data_is_the_scans_fault() -> None:
    """The refusal has status 200, and is quoted."""
    with pytest.raises(Rejected, match="Bad image data"):
        answer_of({"responses": [{"error": {"code": 3, "message": "Bad image data."}}]}, GOOGLE)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ({"code": 7, "message": "The caller does not have permission"}, "allow this key"),
        ({"code": 16, "message": "unauthenticated"}, "valid API key"),
        ({"code": 8, "message": "Quota exceeded"}, "quota"),
        ({"code": 13, "message": "internal"}, "state of the service"),
        ({"code": 14}, "state of the service"),
        ({"code": [3]}, "state of the service"),
        ({"code": "3"}, "state of the service"),
        ("broken", "state of the service"),
    ],
)
def test_other_errors_are_the_services(error: Any, remedy: str) -> None:
    """No other image would be read; each has its remedy."""
    for body in ({"responses": [{"error": error}]}, {"error": error}):
        with pytest.raises(ServiceFault) as caught:
            answer_of(body, GOOGLE)
        assert remedy in caught.value.remedy


def test_messages_are_short_and_without_images() -> None:
    """Control characters, data URIs and base64 do not get into the log."""
    image = base64.b64encode(b"confidential" * 20).decode()
    message = f"cannot decode\n\x1b[31m{image} and data:image/png;base64,{image[:8]}!x " + "because " * 100
    with pytest.raises(Rejected) as caught:
        answer_of({"responses": [{"error": {"code": 3, "message": message}}]}, GOOGLE)
    assert len(caught.value.message) < 300
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert image[:8] not in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><p>Sign in",
        b'{"responses": [',
        {"responses": []},
        {"responses": [None]},
        {},
        [],
        None,
        "x",
    ],
)
def test_other_bodies_are_faults_of_the_service(body: Any) -> None:
    """They are no answer of Cloud Vision."""
    with pytest.raises(ServiceFault):
        answer_of(body, GOOGLE)
