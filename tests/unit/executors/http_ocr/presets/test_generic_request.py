"""The preset ``generic``: requests, and options that are wrong."""

from __future__ import annotations

import base64
import json

import pytest

from ocrwatch.errors import UsageError
from ocrwatch.executors.http_ocr.presets.base import Request, key_place
from tests.unit.executors.http_ocr.presets.asking import CONTENT, IMAGE, preset_of, with_options

ENCODED = base64.b64encode(CONTENT).decode()


def request_with(options: dict[str, str], *languages: str) -> Request:
    """Return the request of a service that has its text at ``text``."""
    of = with_options("generic", {"text": "text", **options})
    return preset_of(of).request(IMAGE, of, languages)


def test_a_form_has_the_image_and_other_fields() -> None:
    """It is the default; the file's name is not the scan's."""
    request = request_with({"field": "image", "field.lang": "{languages}", "field.mode": "fast"}, "deu", "eng")
    kind, _, boundary = request.content_type.partition("; boundary=")
    assert kind == "multipart/form-data"
    parts = request.body.split(b"--" + boundary.encode())[1:-1]
    heads, contents = zip(*(part.strip(b"\r\n").split(b"\r\n\r\n") for part in parts), strict=True)
    assert contents == (b"deu+eng", b"fast", CONTENT)
    assert b'name="lang"' in heads[0]
    assert b'name="image"; filename="scan.jpg"' in heads[2]
    assert b"Content-Type: image/jpeg" in heads[2]


def test_a_raw_body_is_the_image() -> None:
    """Parameters, headers and a path are added."""
    options = {"body": "raw", "path": "/ocr/v2", "query.lang": "{language}", "query.psm": "3", "header.Accept": "a/b"}
    request = request_with(options, "chi_sim", "eng")
    assert (request.body, request.content_type, request.path) == (CONTENT, "image/jpeg", "/ocr/v2")
    assert request.query == (("lang", "zh"), ("psm", "3"))
    assert request.headers == (("Accept", "a/b"),)
    assert request_with({"body": "raw", "content_type": "application/octet-stream"}).content_type.endswith("stream")


def test_json_has_the_image_and_values() -> None:
    """A value that is JSON is one; others are texts. Names may be paths."""
    options = {
        "body": "base64-json",
        "field": "requests[0].image.content",
        "field.requests[0].features[0].type": "TEXT",
        "field.requests[0].features[1].type": "LAYOUT",
        "field.detect": "true",
        "field.pages": "1",
        "field.name": '"1"',
        "field.langs": '["{language}"]',
        "field.rate": "NaN",
        "field.empty": "{}",
        "field.text": "a, b",
    }
    request = request_with(options, "deu")
    assert request.content_type == "application/json"
    features = [{"type": "TEXT"}, {"type": "LAYOUT"}]
    assert json.loads(request.body) == {
        "requests": [{"image": {"content": ENCODED}, "features": features}],
        "detect": True,
        "pages": 1,
        "name": "1",
        "langs": ["de"],
        "rate": "NaN",
        "empty": {},
        "text": "a, b",
    }


def test_json_may_have_a_data_uri() -> None:
    """The member is ``image`` unless it is named."""
    body = request_with({"body": "base64-json", "data_uri": "true"}).body
    assert json.loads(body) == {"image": f"data:image/jpeg;base64,{ENCODED}"}


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, ("Authorization", "Bearer ", "")),
        ({"key_prefix": "Token "}, ("Authorization", "Token ", "")),
        ({"key_header": "X-Api-Key"}, ("X-Api-Key", "", "")),
        ({"key_header": "X-Api-Key", "key_prefix": "Key "}, ("X-Api-Key", "Key ", "")),
        ({"key_query": "key"}, ("Authorization", "Bearer ", "key")),
    ],
)
def test_options_say_where_the_key_is(options: dict[str, str], place: tuple[str, str, str]) -> None:
    """In a header, with or without something before it, or in a parameter."""
    of = with_options("generic", {"text": "text", **options})
    found = key_place(preset_of(of), of)
    assert (found.header, found.prefix, found.query) == place


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "where the text is"),
        ({"line_box": "box"}, "line_box"),
        ({"text": "a..b"}, "text"),
        ({"lines": "[x]"}, "lines"),
        ({"text": "a", "lines": "b"}, "text"),
        ({"words": "a[*]"}, "words"),
        ({"lines": "a[*]", "words": "$.b[*]"}, "words"),
        ({"lines": "a", "confidence_scale": "5"}, "confidence_scale"),
        ({"lines": "a", "line_box": "b", "box": "corners"}, "box"),
        ({"lines": "a", "line_box": "b", "box_members": "x,y"}, "box_members"),
        ({"lines": "a", "line_box": "b", "box_members": "x,y,.,h"}, "box_members"),
        ({"text": "a", "error_value": "1"}, "error_value"),
        ({"text": "a", "error_path": "e", "error_value": "1", "error_unless": "0"}, "error_unless"),
        ({"answer": "text", "text": "a"}, "text"),
        ({"text": "a", "body": "xml"}, "body"),
        ({"text": "a", "body": "raw", "field.x": "1"}, "field.x"),
        ({"text": "a", "content_type": "x/y"}, "content_type"),
        ({"text": "a", "body": "base64-json", "field": "a..b"}, "field"),
        ({"text": "a", "body": "base64-json", "field": "[0].a"}, "field"),
        ({"text": "a", "body": "base64-json", "field.a[*]": "1"}, r"field.a\[\*\]"),
        ({"text": "a", "body": "base64-json", "field.a[999999]": "1"}, r"field.a\[999999\]"),
        ({"text": "a", "header.": "x"}, "header."),
        ({"text": "a", "header.X Y": "x"}, "header.X Y"),
        ({"text": "a", "header.X": "a\r\nHost: b"}, "header.X"),
        ({"text": "a", "header.Content-Length": "5"}, "header.Content-Length"),
        ({"text": "a", "header.Authorization": "Bearer 1234"}, "looks like a key"),
        ({"text": "a", "header.X-API-Key": "1234"}, "looks like a key"),
        ({"text": "a", "query.access_token": "1234"}, "looks like a key"),
        ({"text": "a", "field.apikey": "1234"}, "looks like a key"),
        ({"text": "a", "key_query": "key", "key_header": "X"}, "key_query"),
        ({"text": "a", "key_header": "X\nY"}, "key_header"),
        ({"text": "a", "key_prefix": "\u00e4"}, "key_prefix"),
        ({"text": "a", "fieldname": "x"}, "fieldname"),
        ({"text": "a", "path": "/a b\n"}, "path"),
    ],
)
def test_wrong_options_are_usage_errors(options: dict[str, str], said: str) -> None:
    """They are found at the start: the message names the option, the remedy is there, and no key is quoted."""
    with pytest.raises(UsageError, match=said) as caught:
        preset_of(with_options("generic", options))
    assert caught.value.remedy
    assert "cloud" in caught.value.message
    assert "1234" not in str(caught.value)
