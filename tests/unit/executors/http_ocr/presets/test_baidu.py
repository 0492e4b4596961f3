"""Baidu's general OCR: its request, its tokens, and what its answers mean."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs

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

BAIDU = service("baidu", "https://aip.baidubce.com")

ANSWER = {
    "log_id": 1390582139283931136,
    "words_result_num": 2,
    "direction": 0,
    "words_result": [
        {
            "words": "发票 No 12",
            "location": {"left": 100, "top": 50, "width": 200, "height": 40},
            "vertexes_location": [{"x": 100, "y": 50}, {"x": 300, "y": 52}, {"x": 300, "y": 92}, {"x": 100, "y": 90}],
            "probability": {"average": 0.9884, "min": 0.9276, "variance": 0.0003},
            "min_finegrained_vertexes_location": [],
        },
        {
            "words": "合计",
            "location": {"left": 100, "top": 200, "width": 80, "height": 40},
            "probability": {"average": 1, "min": 1, "variance": 0},
        },
    ],
}


def sent_by(*languages: str, **options: str) -> dict[str, str]:
    """Return the fields of the form."""
    of = service("baidu", **options)
    request = preset_of(of).request(IMAGE, of, languages)
    assert request.content_type == "application/x-www-form-urlencoded"
    return {name: value for name, (value,) in parse_qs(request.body.decode(), strict_parsing=True).items()}


def test_the_image_is_sent_in_a_form() -> None:
    """Places and confidences are asked for."""
    request = preset_of(BAIDU).request(IMAGE, BAIDU, ("chi_sim",))
    assert request.path == "/rest/2.0/ocr/v1/accurate"
    assert sent_by("chi_sim", "eng") == {
        "image": base64.b64encode(CONTENT).decode(),
        "language_type": "CHN_ENG",
        "probability": "true",
        "vertexes_location": "true",
    }


def test_kinds_have_paths_and_limits() -> None:
    """The basic ones have no places, and the accurate ones take larger images."""
    basic = service("baidu", kind="general_basic")
    assert preset_of(basic).request(IMAGE, basic, ("eng",)).path == "/rest/2.0/ocr/v1/general_basic"
    assert "vertexes_location" not in sent_by("eng", kind="general_basic")
    assert (limits(preset_of(basic), basic).max_side, limits(preset_of(BAIDU), BAIDU).max_side) == (4096, 8192)
    for of, largest in ((basic, 4_000_000), (BAIDU, 10_000_000)):
        # Each of "+", "/" and "=" takes three characters in a form.
        assert limits(preset_of(of), of).max_bytes * 4 / 3 * (1 + 2 * 2 / 64) < largest


@pytest.mark.parametrize(
    ("languages", "kind", "expected"),
    [
        (("eng",), "accurate", "ENG"),
        (("chi_tra", "chi_sim"), "accurate", "CHN_ENG"),
        (("jpn_vert",), "general", "JAP"),
        (("deu", "eng"), "accurate", "auto_detect"),
        (("deu", "eng"), "general", "GER"),
        (("tha",), "accurate", "THA"),
        (("tha",), "general", "CHN_ENG"),
        (("ukr",), "accurate", "auto_detect"),
        (("ukr", "deu"), "general", "GER"),
    ],
)
def test_languages_have_the_services_names(languages: tuple[str, ...], kind: str, expected: str) -> None:
    """Several are recognised by the accurate kinds only; the others get the first one."""
    assert sent_by(*languages, kind=kind)["language_type"] == expected


def test_a_language_can_be_set() -> None:
    """It has precedence over those of the settings."""
    assert sent_by("deu", language_type="FRE")["language_type"] == "FRE"


@pytest.mark.parametrize(
    "options",
    [{"kind": "handwriting"}, {"language_type": "deu"}, {"language_type": "THA", "kind": "general"}, {"x": "1"}],
)
def test_wrong_options_are_usage_errors(options: dict[str, str]) -> None:
    """They are found at the start."""
    with pytest.raises(UsageError, match=next(iter(options))):
        preset_of(service("baidu", **options))


def test_a_pair_of_keys_is_exchanged_for_a_token() -> None:
    """A token is sent itself, as a parameter."""
    preset = preset_of(BAIDU)
    assert key_place(preset, BAIDU).query == "access_token"
    assert preset.exchange("24.token.2592000.1485516651.282335-8574074", BAIDU) is None
    exchange = preset.exchange(" the-api-key:the-secret-key\n", BAIDU)
    assert exchange is not None
    assert exchange.url == "https://aip.baidubce.com/oauth/2.0/token"
    assert dict(exchange.form) == {
        "grant_type": "client_credentials",
        "client_id": "the-api-key",
        "client_secret": "the-secret-key",
    }


def test_tokens_have_an_end() -> None:
    """It is given in seconds."""
    body = b'{"refresh_token": "25.b", "expires_in": 2592000, "scope": "public", "access_token": "24.6c5e"}'
    assert preset_of(BAIDU).token(body) == ("24.6c5e", 2_592_000)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": "invalid_client", "error_description": "unknown client id"}',
        b'{"access_token": "", "expires_in": 5}',
        b'{"access_token": "a", "expires_in": null}',
        b'{"access_token": "a", "expires_in": -1}',
        b'{"access_token": null}',
        b"<html>",
        b"",
        b"\xff",
    ],
)
def test_an_answer_without_a_token_is_a_fault_of_the_service(body: bytes) -> None:
    """The remedy says what the key file should have."""
    with pytest.raises(ServiceFault, match="key file"):
        preset_of(BAIDU).token(body)


def test_lines_are_split_into_words() -> None:
    """Corners have precedence over the rectangle; a line's confidence is that of its words."""
    answer = answer_of(ANSWER, BAIDU)
    assert lines_of(answer) == ["发票 No 12", "合计"]
    assert [(text, confidence) for text, _, confidence in words_of(answer)] == [
        ("发票", 98.8),
        ("No", 98.8),
        ("12", 98.8),
        ("合计", 100.0),
    ]
    assert line_of(answer).baseline is not None
    assert words_of(answer)[3][1] == Box(100, 200, 180, 240)
    assert not answer.in_order


def test_a_column_runs_down() -> None:
    """Its corners begin at the top left one."""
    column = {
        "words": "竖排文字",
        "vertexes_location": [{"x": 500, "y": 100}, {"x": 540, "y": 100}, {"x": 540, "y": 300}, {"x": 500, "y": 300}],
    }
    (word,) = line_of(answer_of({"words_result": [column]}, BAIDU)).words
    assert (word.box, word.width, word.height) == (Box(500, 100, 540, 300), 200, 40)


@pytest.mark.parametrize("probability", [None, {}, "0.9", {"average": "high"}, {"average": 12}, [1]])
def test_lines_of_the_basic_kinds_have_no_places(probability: Any) -> None:
    """They are in the service's order; odd confidences are unknown."""
    body = {"words_result": [{"words": "one two", "probability": probability}, None, {"words": None}, {"words": " "}]}
    answer = answer_of(body, BAIDU)
    assert [word[:2] for word in words_of(answer)] == [("one", UNPLACED), ("two", UNPLACED)]
    assert answer.in_order


def test_a_page_without_text_is_no_error() -> None:
    """Its list is empty."""
    assert answer_of({"words_result": [], "words_result_num": 0, "log_id": 1, "error_code": 0}, BAIDU).blocks == ()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (216200, "empty image"),
        (216201, "image format error"),
        (216202, "image size error"),
        (216630, "recognize error"),
    ],
)
def test_refusals_of_the_image_are_the_scans_fault(code: int, words: str) -> None:
    """They have status 200, and a code."""
    with pytest.raises(Rejected, match=rf"{words} \(error_code {code}\)"):
        answer_of({"log_id": 1, "error_code": code, "error_msg": words}, BAIDU)
    with pytest.raises(Rejected):
        answer_of({"error_code": str(code), "error_msg": words}, BAIDU)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        *((17, "buy"), (18, "rate"), (19, "buy"), (4, "rate"), (110, "key file"), (111, "key file"), (100, "key file")),
        *((6, "allow"), (282000, "console"), (1, "console"), (216100, "console"), (-5, "console")),
    ],
)
def test_other_refusals_are_the_services(code: int, remedy: str) -> None:
    """Quota, tokens and internal errors concern all images."""
    with pytest.raises(ServiceFault, match=f"error_code {code}") as caught:
        answer_of({"error_code": code, "error_msg": "some words"}, BAIDU)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"<html></html>",
            b'{"words_result": [{"wor',
            {},
            {"words_result": None},
            {"words_result": {}},
            [],
            None,
        ),
        *({"error_code": "broken"}, {"error_code": {}}, {"error_code": True}),
    ],
)
def test_other_bodies_are_faults_of_the_service(body: Any) -> None:
    """They are no answer of Baidu's OCR."""
    with pytest.raises(ServiceFault):
        answer_of(body, BAIDU)
