"""Answers that are no results, what services say themselves, options, bodies and languages."""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.bodies import as_base64, data_uri, form, json_body
from ocrwatch.executors.http_ocr.presets.languages import iso_639_1, named
from ocrwatch.executors.http_ocr.presets.parsing import (
    check_options,
    choice,
    decode,
    refused,
    rejected,
    shortened,
)
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset
from ocrwatch.recognise.languages import LANGUAGES
from tests.ocr_answers import image_in
from tests.unit.executors.http_ocr.presets.services import SENT, service

OFFICE = service("rapidocr")


class _Result(msgspec.Struct):
    text: str
    scores: list[Any] = []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "an empty body"),
        (b" \n", "an empty body"),
        (b"\n <!DOCTYPE html><title>502 Bad Gateway</title>", "a web page"),
        (b'{"text": "ab', "truncated"),
        (b'{"text": "ab"}}', "trailing characters"),
        (b'{"text": "\xff"}', "utf-8"),
        (b'{"text": 1}', "Expected `str`, got `int`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"other": 1}', "missing required field `text`"),
        (b'{"scores": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_result_is_the_services_fault(body: bytes, reason: str) -> None:
    """The message says what came instead, and the remedy which settings to look at."""
    with pytest.raises(ServiceFault) as raised:
        decode(body, _Result, OFFICE)
    assert raised.value.message.startswith("the OCR service office answered something that is no result of rapidocr (")
    assert reason.casefold() in raised.value.message.casefold()
    assert len(raised.value.message) < 300
    assert "[[remote]] office" in raised.value.remedy


def test_nothing_of_a_text_is_in_a_message() -> None:
    """Messages are logged, and text of scans is confidential."""
    with pytest.raises(ServiceFault) as raised:
        decode(b'{"text": ["very confidential"]}', _Result, OFFICE)
    assert "confidential" not in str(raised.value)


def test_python_writes_more_than_json() -> None:
    """NaN and infinities become null; half a character stays, and is cleaned later."""
    assert decode(b'{"text": "a", "scores": [NaN, -Infinity, 1]}', _Result, OFFICE).scores == [None, None, 1]
    assert decode(json.dumps({"text": "a\ud83d"}).encode(), _Result, OFFICE).text == "a\ud83d"
    assert decode(b'\xef\xbb\xbf{"text": "a"}', _Result, OFFICE).text == "a"
    assert decode(b'{"text": "a", "scores": [1e400, -1e400]}', _Result, OFFICE).scores == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("key\r\n is\x00wrong ", "key is wrong"),
        (["a", None, "b"], "a; b"),
        (None, "no reason given"),
        ("", "no reason given"),
        ("no. " * 500, ("no. " * 500)[:199] + "…"),
        ("no data:image/png;base64,aGVs+bG8= here", "no … here"),
        (f"no {'aGVsbG8/' * 20}== here", "no … here"),
    ],
)
def test_words_of_a_service_are_short(words: object, shown: str) -> None:
    """On one line, of up to 200 characters."""
    assert shortened(words) == shown
    fault = refused(OFFICE, words, "wait")
    assert isinstance(fault, ServiceFault)
    assert fault.message == f"the OCR service office refuses: {shown}"
    assert isinstance(rejected(OFFICE, words), Rejected)
    assert rejected(OFFICE, words).message == f"the OCR service office does not read this scan: {shown}"


def test_unknown_options_are_named() -> None:
    """The remedy lists those that there are."""
    asked = service("doctr", engine="2")
    with pytest.raises(UsageError, match="has no option 'engine'; set one of: field, mode"):
        check_options(asked, {"mode", "field"})
    with pytest.raises(UsageError, match="remove it"):
        PlainPreset().check(asked)
    check_options(asked, {"engine"})


def test_options_have_values() -> None:
    """A default, and a remedy with all others."""
    assert choice(OFFICE, "engine", ("1", "2"), "1") == "1"
    assert choice(service("x", engine="2"), "engine", ("1", "2"), "1") == "2"
    with pytest.raises(UsageError, match=r"the option engine of \[\[remote\]\] office is '3'; set it to one of: 1, 2"):
        choice(service("x", engine="3"), "engine", ("1", "2"), "1")


def test_keys_are_not_exchanged_by_default() -> None:
    """A plain service gets its key itself."""
    assert PlainPreset().exchange("key", OFFICE) is None
    with pytest.raises(ServiceFault):
        PlainPreset().token(b"{}")


def test_a_form_has_the_image_and_fields() -> None:
    """The name of the file is not the scan's, which may be confidential."""
    body, content_type = form(SENT, "image_file", [("language", "deu"), ("title", 'ü "x"')])
    assert content_type.startswith("multipart/form-data; boundary=")
    assert image_in(content_type, body) == SENT.content
    assert b'name="image_file"; filename="scan.jpg"\r\nContent-Type: image/jpeg\r\n' in body
    assert b'name="language"\r\n\r\ndeu\r\n' in body


def test_images_are_written_as_text() -> None:
    """Base64, alone and as data URI, in JSON."""
    encoded = base64.b64encode(SENT.content).decode()
    assert as_base64(SENT) == encoded
    assert data_uri(SENT) == f"data:image/jpeg;base64,{encoded}"
    assert json.loads(json_body({"file": as_base64(SENT), "n": 1})) == {"file": encoded, "n": 1}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("eng", "en"),
        ("deu", "de"),
        ("deu_frak", "de"),
        ("frk", "de"),
        ("chi_sim", "zh"),
        ("chi_tra_vert", "zh"),
        ("jpn_vert", "ja"),
        ("ita_old", "it"),
        ("aze_cyrl", "az"),
        ("srp_latn", "sr"),
        ("nor", "no"),
        ("ceb", None),
        ("script/Latin", None),
        ("own", None),
    ],
)
def test_tesseracts_languages_have_codes(name: str, code: str | None) -> None:
    """Variants have those of their language."""
    assert iso_639_1(name) == code


def test_nearly_all_languages_have_a_code() -> None:
    """Only languages without one have none, and all codes have two letters."""
    names = [line.split(" ")[0].rstrip(":") for line in LANGUAGES.strip().splitlines()]
    codes = {name: iso_639_1(name) for name in names}
    assert [name for name, code in codes.items() if code is None] == ["ceb", "chr", "syr"]
    assert all(code is None or (len(code) == 2 and code.islower()) for code in codes.values())


def test_services_have_names_of_their_own() -> None:
    """By Tesseract's name or by the code; each once, and unknown ones are left out."""
    names = {"chi_sim": "chs", "de": "ger", "en": "eng"}
    assert named(("deu", "eng", "deu_frak", "chi_sim_vert", "tha"), names) == ["ger", "eng", "chs"]


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("http://host:9003", "/ocr"),
        ("http://host:9003/", "/ocr"),
        ("http://host:9003/ocr", ""),
        ("http://host:9003/ocr/", ""),
        ("http://host:9003/api", "/ocr"),
        ("http://host:9003/api/ocr?a=b", ""),
    ],
)
def test_an_address_may_have_the_path_already(url: str, rest: str) -> None:
    """Only what is missing is appended."""
    assert rest_of_path(service("rapidocr", url), "/ocr") == rest


def test_options_are_checked_without_images_and_the_web() -> None:
    """The daemon's own process loads presets to check options, but neither image libraries nor an HTTP client."""
    names = ("rapidocr", "paddlex", "doctr", "tesseract-server", "ocr.space")
    program = f"""
import sys
from ocrwatch.executors.http_ocr.presets.base import open_preset
from ocrwatch.recipe import RemoteService
for name in {names}:
    open_preset(name).check(RemoteService("office", name, "http://localhost"))
print({{"cv2", "numpy", "PIL", "urllib3"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
