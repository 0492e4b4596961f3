"""Azure's Read: requests to both of its services, and what their results mean."""

from __future__ import annotations

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

VISION = service("azure-read", "https://westeurope.api.cognitive.microsoft.com")
DOCUMENTS = service("azure-read", "https://forms.cognitiveservices.azure.com/", api="document-intelligence")


def word(text: str, box: Any, confidence: Any = 0.98) -> dict[str, Any]:
    """Return a word of Computer Vision."""
    return {"boundingBox": box, "text": text, "confidence": confidence}


def result(*pages: dict[str, Any], status: str = "succeeded") -> dict[str, Any]:
    """Return a result of Computer Vision 3.2 with these pages."""
    return {
        "status": status,
        "createdDateTime": "2026-11-03T14:32:04Z",
        "lastUpdatedDateTime": "2026-11-03T14:32:05Z",
        "analyzeResult": {"version": "3.2.0", "modelVersion": "2022-04-30", "readResults": list(pages)},
    }


def page(*lines: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Return a page of Computer Vision, of the size of the image unless ``facts`` say another one."""
    return {"page": 1, "angle": 0.5, "width": 1000, "height": 1400, "unit": "pixel", "lines": list(lines), **facts}


LINE = {
    "boundingBox": [100, 50, 420, 52, 420, 92, 100, 90],
    "appearance": {"style": {"name": "other", "confidence": 0.995}},
    "text": "Our glory",
    "words": [
        word("Our", [100, 50, 200, 51, 200, 91, 100, 90], 0.5),
        word("glory", [220, 51, 420, 52, 420, 92, 220, 91], 0.991),
    ],
}


def document(**changes: Any) -> dict[str, Any]:
    """Return a result of Document Intelligence: two paragraphs, the second one of two lines."""
    analysed = {
        "apiVersion": "2024-11-30",
        "modelId": "prebuilt-read",
        "stringIndexType": "textElements",
        "content": "Invoice\nTotal 12.50\nEUR",
        "pages": [
            {
                "pageNumber": 1,
                "angle": 0.1,
                "width": 1000,
                "height": 1400,
                "unit": "pixel",
                "words": [
                    {
                        "content": "Invoice",
                        "polygon": [10, 10, 110, 10, 110, 40, 10, 40],
                        "confidence": 0.999,
                        "span": {"offset": 0, "length": 7},
                    },
                    {
                        "content": "Total",
                        "polygon": [10, 60, 60, 60, 60, 90, 10, 90],
                        "confidence": 0.9,
                        "span": {"offset": 8, "length": 5},
                    },
                    {
                        "content": "12.50",
                        "polygon": [80, 60, 140, 60, 140, 90, 80, 90],
                        "confidence": 0.8,
                        "span": {"offset": 14, "length": 5},
                    },
                    {
                        "content": "EUR",
                        "polygon": [10, 100, 50, 100, 50, 130, 10, 130],
                        "confidence": 0.7,
                        "span": {"offset": 20, "length": 3},
                    },
                ],
                "lines": [
                    {
                        "content": "Invoice",
                        "polygon": [10, 10, 110, 10, 110, 40, 10, 40],
                        "spans": [{"offset": 0, "length": 7}],
                    },
                    {
                        "content": "Total 12.50",
                        "polygon": [10, 60, 140, 60, 140, 90, 10, 90],
                        "spans": [{"offset": 8, "length": 11}],
                    },
                    {
                        "content": "EUR",
                        "polygon": [10, 100, 50, 100, 50, 130, 10, 130],
                        "spans": [{"offset": 20, "length": 3}],
                    },
                ],
                "spans": [{"offset": 0, "length": 23}],
            }
        ],
        "paragraphs": [
            {"spans": [{"offset": 0, "length": 7}], "content": "Invoice", "boundingRegions": []},
            {"spans": [{"offset": 8, "length": 15}], "content": "Total 12.50 EUR", "boundingRegions": []},
        ],
        "styles": [],
    }
    return {"status": "succeeded", "analyzeResult": {**analysed, **changes}}


def test_computer_vision_gets_the_image_as_it_is() -> None:
    """The language is left to the service, because naming one forces it."""
    request = preset_of(VISION).request(IMAGE, VISION, ("deu", "eng"))
    assert (request.body, request.content_type) == (CONTENT, "application/octet-stream")
    assert (request.path, request.query) == ("/vision/v3.2/read/analyze", ())


def test_options_become_parameters() -> None:
    """Those of Computer Vision have its names."""
    asked = service("azure-read", language="de", model_version="2022-04-30", reading_order="natural")
    assert preset_of(asked).request(IMAGE, asked, ("deu",)).query == (
        ("language", "de"),
        ("model-version", "2022-04-30"),
        ("readingOrder", "natural"),
    )


def test_document_intelligence_has_another_path_and_a_version() -> None:
    """The path has the product's name, which was another one before 2024."""
    request = preset_of(DOCUMENTS).request(IMAGE, DOCUMENTS, ("deu",))
    assert (request.body, request.content_type) == (CONTENT, "image/jpeg")
    assert request.path == "/documentintelligence/documentModels/prebuilt-read:analyze"
    assert request.query == (("api-version", "2024-11-30"),)
    older = service("azure-read", api="document-intelligence", api_version="2023-07-31", language="de")
    request = preset_of(older).request(IMAGE, older, ("deu",))
    assert request.path == "/formrecognizer/documentModels/prebuilt-read:analyze"
    assert request.query == (("api-version", "2023-07-31"), ("locale", "de"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api": "vision4"}, "api"),
        ({"api_version": "2024-11-30"}, "api_version"),
        ({"api": "document-intelligence", "reading_order": "natural"}, "reading_order"),
        ({"api": "document-intelligence", "api_version": "latest"}, "api_version"),
        ({"reading_order": "columns"}, "reading_order"),
        ({"modle": "x"}, "modle"),
    ],
)
def test_wrong_options_are_usage_errors(options: dict[str, str], said: str) -> None:
    """The message names the option, and so does the remedy for one of the other service."""
    with pytest.raises(UsageError, match=said):
        preset_of(service("azure-read", **options))


def test_key_and_limits() -> None:
    """The key has a header of its own, without a prefix; the service polls; sides are limited."""
    preset = preset_of(VISION)
    place = key_place(preset, VISION)
    assert (place.header, place.prefix, place.query) == ("Ocp-Apim-Subscription-Key", "", "")
    assert preset.polls
    assert limits(preset, VISION).max_side == 10_000
    assert preset.exchange("key", VISION) is None


def test_lines_have_words_places_and_confidences() -> None:
    """Boxes are in pixels, and confidences from 0 to 100; lines are in no order."""
    answer = answer_of(result(page(LINE)), VISION)
    assert words_of(answer) == [
        ("Our", Box(100, 50, 200, 91), 50.0),
        ("glory", Box(220, 51, 420, 92), 99.1),
    ]
    baseline = line_of(answer).baseline
    assert baseline is not None
    assert 50 < baseline.y0 < 90
    assert 0 < baseline.y1 - baseline.y0 < 3, "it falls as the line does"
    assert answer.version == "2022-04-30"
    assert not answer.in_order
    assert answer.warnings == ()


def test_natural_order_is_kept_if_it_was_asked_for() -> None:
    """Otherwise the lines are put into one by their places."""
    assert answer_of(result(page(LINE)), service("azure-read", reading_order="natural")).in_order


def test_text_on_its_side_has_its_length_along_the_line() -> None:
    """The first corner is where the text begins: here it runs down, and its letters lie on their backs."""
    turned = {
        "boundingBox": [140, 100, 140, 400, 100, 400, 100, 100],
        "text": "turned",
        "words": [word("turned", [140, 100, 140, 400, 100, 400, 100, 100])],
    }
    answer = answer_of(result(page(turned, angle=90.0)), VISION)
    (read,) = line_of(answer).words
    assert (read.width, read.height) == (300, 40)
    assert read.box == Box(100, 100, 140, 400)
    baseline = line_of(answer).baseline
    assert baseline is not None
    assert baseline.x0 == pytest.approx(baseline.x1)
    assert baseline.y0 < baseline.y1


def test_another_unit_or_size_is_brought_to_pixels() -> None:
    """A page in inches, or of a copy that the service made, says its size."""
    inches = {
        "boundingBox": [1, 1, 2, 1, 2, 2, 1, 2],
        "text": "inch",
        "words": [word("inch", [1, 1, 2, 1, 2, 2, 1, 2])],
    }
    answer = answer_of(result(page(inches, unit="inch", width=10, height=14)), VISION)
    assert words_of(answer) == [("inch", Box(100, 100, 200, 200), 98.0)]


def test_words_without_places_and_confidences_keep_their_text() -> None:
    """Nothing but the place, or the confidence, is lost."""
    line = {"text": "a b c", "words": [word("a", None, None), word("b", [0] * 8, "high"), word("c", [1, 2, 3], 7.0)]}
    answer = answer_of(result(page(line)), VISION)
    assert words_of(answer) == [("a", UNPLACED, None), ("b", UNPLACED, None), ("c", UNPLACED, None)]
    assert lines_of(answer) == ["a b c"]


@pytest.mark.parametrize("words", [None, [], "x", [None, 1], [{"text": None}]])
def test_a_line_without_words_is_split(words: Any) -> None:
    """Its text is delivered, with its place."""
    line = {"boundingBox": [100, 50, 420, 50, 420, 90, 100, 90], "text": "two words", "words": words}
    answer = answer_of(result(page(line)), VISION)
    assert lines_of(answer) == ["two words"]
    assert line_of(answer).box.left == 100


def test_vertical_chinese_is_kept_in_one_line() -> None:
    """Each sign is a word of its own, and there are no spaces between them."""
    signs = [
        word(sign, [500, 100 + 50 * at, 540, 100 + 50 * at, 540, 140 + 50 * at, 500, 140 + 50 * at])
        for at, sign in enumerate("中华人民")
    ]
    line = {"boundingBox": [500, 100, 540, 100, 540, 290, 500, 290], "text": "中华人民", "words": signs}
    answer = answer_of(result(page(line)), VISION)
    assert lines_of(answer) == ["中华人民"]
    assert line_of(answer).box == Box(500, 100, 540, 290)


@pytest.mark.parametrize("of", [VISION, DOCUMENTS], ids=["vision", "documents"])
def test_a_page_without_text_is_no_error(of: Any) -> None:
    """Nor is a result without pages."""
    assert answer_of(result(page()), of).blocks == ()
    assert answer_of(result(), of).blocks == ()
    assert answer_of(document(pages=[], paragraphs=None, content=""), of).blocks == ()


def test_pages_after_the_first_are_said() -> None:
    """One image was sent: a warning says that there is more."""
    answer = answer_of(result(page(LINE), page(LINE)), VISION)
    assert lines_of(answer) == ["Our glory"]
    assert answer.warnings == ("the service answered with 2 pages, of which the first is used",)


def test_words_beside_lines_are_joined_by_their_places_in_the_text() -> None:
    """Each paragraph is a block; the order is the service's."""
    answer = answer_of(document(), DOCUMENTS)
    assert [[line.text for line in block.lines] for block in answer.blocks] == [["Invoice"], ["Total 12.50", "EUR"]]
    assert words_of(answer)[1:3] == [("Total", Box(10, 60, 60, 90), 90.0), ("12.50", Box(80, 60, 140, 90), 80.0)]
    assert answer.in_order
    assert answer.version == "prebuilt-read 2024-11-30"


def test_words_of_no_line_are_not_lost() -> None:
    """They come last, in a line of their own."""
    changed = document(paragraphs=None)
    changed["analyzeResult"]["pages"][0]["lines"].pop()
    assert lines_of(answer_of(changed, DOCUMENTS)) == ["Invoice", "Total 12.50", "EUR"]
    for each in changed["analyzeResult"]["pages"][0]["words"]:
        each["span"] = None
    changed["analyzeResult"]["pages"][0]["lines"] = "none"
    assert lines_of(answer_of(changed, DOCUMENTS)) == ["Invoice Total 12.50 EUR"]


@pytest.mark.parametrize("pages", [[], [{"words": [], "lines": None}], ["a page"]])
def test_text_of_no_line_and_no_word_is_not_lost(pages: list[Any]) -> None:
    """It is delivered without places, unless it may be that of other pages."""
    answer = answer_of(document(pages=pages), DOCUMENTS)
    assert lines_of(answer) == ["Invoice", "Total 12.50", "EUR"]
    assert line_of(answer).box == UNPLACED
    assert answer_of(document(pages=[{}, {}]), DOCUMENTS).blocks == ()


@pytest.mark.parametrize(
    "failure",
    [
        {"status": "failed", "analyzeResult": {"errors": [{"code": "InvalidImage", "message": "not an image"}]}},
        {"status": "failed", "error": {"code": "InvalidImageSize", "message": "not an image"}},
        {
            "status": "failed",
            "error": {
                "code": "InvalidRequest",
                "message": "Invalid request.",
                "innererror": {"code": "InvalidContentDimensions", "message": "not an image"},
            },
        },
        {
            "status": "failed",
            "error": {
                "code": "InternalServerError",
                "message": "An unexpected error occurred.",
                "details": [{"code": "InvalidContent", "message": "not an image", "target": "1"}],
            },
        },
    ],
)
def test_a_failure_because_of_the_image_is_the_scans(failure: dict[str, Any]) -> None:
    """The innermost error decides, and the message has the service's words."""
    with pytest.raises(Rejected, match="not an image") as caught:
        answer_of(failure, VISION)
    assert "cloud" in caught.value.message


@pytest.mark.parametrize(
    "failure",
    [
        {"status": "failed"},
        {"status": "failed", "error": {"code": "InternalServerError", "message": "An unexpected error occurred."}},
        {"status": "failed", "error": "down"},
        {"status": "failed", "error": {"code": 7, "details": {"code": "InvalidImage"}}},
        {"status": "running"},
        {"status": "notStarted", "analyzeResult": None},
        {"status": "succeeded"},
        {"status": "succeeded", "analyzeResult": {"version": "3.2"}},
        {"status": None},
        {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}},
        [],
        None,
        b"",
        b"<html><title>502 Bad Gateway</title></html>",
        b'{"status": "succeeded", "analyzeResult": {"readResults": [{"li',
    ],
)
def test_everything_else_is_a_fault_of_the_service(failure: Any) -> None:
    """No text was read, and no scan is to blame: operations that failed otherwise, and bodies of another kind."""
    with pytest.raises(ServiceFault):
        answer_of(failure, VISION)
