"""The preset ``ocr.space``. Its answers follow the documentation of OCR.space."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ocrwatch.document import UNPLACED, Box
from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.base import open_preset
from tests.ocr_answers import image_in
from tests.unit.executors.http_ocr.presets.services import SENT, answer_of, lines_of, service, texts_of, words_of

BUSY = "You may only perform this action upto maximum 180 number of times within 3600 seconds"


def word(text: Any, left: Any = 10.0, top: Any = 20.0, width: Any = 50.0, height: Any = 16.0) -> dict[str, Any]:
    """Return a word of an overlay."""
    return {"WordText": text, "Left": left, "Top": top, "Height": height, "Width": width}


def page(*lines: list[dict[str, Any]], text: Any = "", **changes: Any) -> dict[str, Any]:
    """Return an answer with an overlay of these lines."""
    overlay = {
        "Lines": [{"LineText": "", "Words": words, "MaxHeight": 16.0, "MinTop": 20.0} for words in lines],
        "HasOverlay": bool(lines),
        "Message": "",
    }
    result = {
        "TextOverlay": overlay,
        "TextOrientation": "0",
        "FileParseExitCode": 1,
        "ParsedText": text,
        "ErrorMessage": "",
        "ErrorDetails": "",
    }
    return {
        "ParsedResults": [result | changes],
        "OCRExitCode": 1,
        "IsErroredOnProcessing": False,
        "ProcessingTimeInMilliseconds": "312",
    }


def error(exit_code: Any, *messages: str) -> dict[str, Any]:
    """Return a refusal."""
    return {"OCRExitCode": exit_code, "IsErroredOnProcessing": True, "ErrorMessage": list(messages)}


def fields_of(languages: tuple[str, ...], **options: str) -> dict[str, str]:
    """Return the fields of the form that is sent."""
    request = open_preset("ocr.space").request(SENT, service("ocr.space", **options), languages)
    assert request.path == "/parse/image"
    assert image_in(request.content_type, request.body) == SENT.content
    found = re.findall(rb'name="(\w+)"\r\n\r\n(.*?)\r\n', request.body)
    return {name.decode(): value.decode() for name, value in found}


def test_an_image_is_sent_in_a_form() -> None:
    """With its kind, since the service asks for one, and the overlay. The key goes into a header of its own."""
    assert fields_of(("eng",)) == {"language": "eng", "isOverlayRequired": "true", "filetype": "JPG"}
    key = open_preset("ocr.space").key
    assert (key.header, key.prefix, key.query) == ("apikey", "", "")
    assert open_preset("ocr.space").max_bytes == 1_000_000


@pytest.mark.parametrize(
    ("languages", "options", "sent"),
    [
        (("deu",), {}, "ger"),
        (("eng", "fra"), {}, "fre"),
        (("chi_sim", "eng"), {}, "chs"),
        (("chi_tra_vert",), {}, "cht"),
        (("tha",), {}, "eng"),
        (("tha",), {"OCREngine": "2"}, "auto"),
        (("eng",), {"OCREngine": "2"}, "eng"),
        (("deu",), {"language": "auto", "OCREngine": "3"}, "auto"),
    ],
)
def test_the_service_has_its_own_names_of_languages(
    languages: tuple[str, ...], options: dict[str, str], sent: str
) -> None:
    """It reads one, with English; an unknown one is left to engines that find it out."""
    assert fields_of(languages, **options)["language"] == sent


def test_options_are_fields() -> None:
    """They have the service's names."""
    fields = fields_of(("eng",), OCREngine="2", scale="true", isTable="true")
    assert (fields["OCREngine"], fields["scale"], fields["isTable"]) == ("2", "true", "true")


def test_words_have_places_and_no_confidences() -> None:
    """Lines are in no reading order."""
    answer = answer_of("ocr.space", page([word("Hello"), word("you", 70.0)], [word("again", "10", "60", "5.5", 16)]))
    assert texts_of(answer) == ["Hello you", "again"]
    assert not answer.in_order
    assert [(each.box, each.confidence) for each in words_of(answer)] == [
        (Box(10, 20, 60, 36), None),
        (Box(70, 20, 120, 36), None),
        (Box(10, 60, 16, 76), None),
    ]


def test_text_without_overlay_has_no_places() -> None:
    """The same if the service has turned the image before it read it, since then its places are on another image."""
    turned = page([word("Hello")], text="Hello\r\n", TextOrientation="270")
    for content in (page(text="Hello\r\n"), page(text="Hello\r\n", TextOverlay=None), turned):
        answer = answer_of("ocr.space", content)
        assert texts_of(answer) == ["Hello"]
        assert lines_of(answer)[0].box == UNPLACED
        assert answer.in_order


def test_a_line_without_words_keeps_its_text() -> None:
    """It is split, without places, beside lines that have words."""
    for words in ([], None, [word("")]):
        content = page([word("Hello")])
        content["ParsedResults"][0]["TextOverlay"]["Lines"].append({"LineText": "Total 5", "Words": words})
        assert texts_of(answer_of("ocr.space", content)) == ["Hello", "Total 5"]


def test_a_result_that_is_not_complete_is_told() -> None:
    """Its exit code says so."""
    answer = answer_of("ocr.space", page([word("Hello")]) | {"OCRExitCode": 2})
    assert texts_of(answer) == ["Hello"]
    assert answer.warnings == ("the service says that it read only a part of the scan",)
    assert answer_of("ocr.space", page([word("Hello")])).warnings == ()


def test_a_blank_page_has_no_words() -> None:
    """It is a result with an empty text."""
    assert answer_of("ocr.space", page()).blocks == ()
    assert answer_of("ocr.space", page(text=None, TextOverlay={"Lines": None})).blocks == ()


def test_odd_values_cost_only_themselves() -> None:
    """Null places, empty words; exit codes as text."""
    content = page([word("a", None), word(""), word(None), word("b", float("1e12"))]) | {"OCRExitCode": "1"}
    answer = answer_of("ocr.space", content)
    assert [(each.text, each.box) for each in words_of(answer)] == [("a", UNPLACED), ("b", UNPLACED)]


@pytest.mark.parametrize(
    "content",
    [
        error(3, "Unable to recognize the file type, E216:Unable to detect the file extension"),
        error(99, "Unable to recognize the file type", "E216:Unable to detect the file extension"),
        error(4, "File failed validation. File size exceeds the maximum permissible file size limit of 1024 KB"),
        error(3, "All images/pages errored in parsing"),
        {"error": "E501: Not an image or PDF", "details": "Invalid base64"},
        page(FileParseExitCode=-10, ErrorMessage="OCR Engine Parse Error"),
    ],
)
def test_some_refusals_blame_the_image(content: Any) -> None:
    """Its kind, its size, or the engine failed on it."""
    with pytest.raises(Rejected, match="the OCR service office does not read this scan: "):
        answer_of("ocr.space", content)


@pytest.mark.parametrize(
    "content",
    [
        BUSY,
        error(3, BUSY),
        error(6, "Timed out waiting for results"),
        error(3, "E101: Timed out waiting for results"),
        error(99, "System Resource Exhaustion, OCR Binary Failed E500"),
        error(99, "The API key is invalid"),
        {"error": "E555: API key not valid", "details": "Get your FREE ocr api key"},
        "For this API KEY only 300 concurrent connections at the same time allowed.",
        error(99, "Value for parameter 'language' is invalid"),
        error(4, "something new"),
        page(FileParseExitCode=-20, ErrorMessage="Timeout"),
    ],
)
def test_other_refusals_are_the_services(content: Any) -> None:
    """Key, quota, overload, wrong options, and what is unknown: any image would be refused."""
    with pytest.raises(ServiceFault, match="the OCR service office refuses: "):
        answer_of("ocr.space", content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"ParsedResults": [{"TextOv',
        b"<html></html>",
        b"You may only perform this action",
        {},
        {"OCRExitCode": 1, "IsErroredOnProcessing": False},
        {"OCRExitCode": 1, "ParsedResults": []},
        {"ParsedResults": [{"ParsedText": "a"}]},
        {"OCRExitCode": 1, "ParsedResults": [{"TextOverlay": {"Lines": [{}]}}]},
        [],
        None,
        1,
    ],
)
def test_anything_else_is_the_services_fault(content: Any) -> None:
    """Above all, an answer without a result is no page without text."""
    with pytest.raises(ServiceFault, match=r"no result of ocr\.space"):
        answer_of("ocr.space", content)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("engine", "2", "set one of: OCREngine, detectOrientation, isTable, language, scale"),
        ("OCREngine", "4", "set it to one of: 1, 2, 3"),
        ("scale", "yes", "set it to one of: true, false"),
    ],
)
def test_options_are_checked(name: str, value: str, remedy: str) -> None:
    """The remedy says what they may be."""
    with pytest.raises(UsageError, match=remedy):
        open_preset("ocr.space").check(service("ocr.space", **{name: value}))
    open_preset("ocr.space").check(service("ocr.space", OCREngine="2", language="auto", scale="true"))
