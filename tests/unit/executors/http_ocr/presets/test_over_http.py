"""Presets and a local server that takes their requests and answers as their services do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import urllib3

from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Answer, key_place
from ocrwatch.recipe import RemoteService
from tests.ocr_services import Mode, OcrService, serving, text_of
from tests.unit.executors.http_ocr.presets.asking import CONTENT, IMAGE, SENT, lines_of, preset_of, with_options

KEY = "the-key-of-the-service"
OPTIONS = {
    "azure-read": {},
    "google-vision": {},
    "baidu": {},
    "openai": {"model": "vision-1"},
    "generic": {"lines": "lines[*]", "line_text": "text", "line_confidence": "score", "error_path": "error"},
}
"""Presets of this half, with the options that their services need."""


@pytest.fixture
def client() -> Iterator[urllib3.PoolManager]:
    """Return an HTTP client whose connections are closed at the end."""
    with urllib3.PoolManager(retries=False, timeout=8.0) as pool:
        yield pool


def read(client: urllib3.PoolManager, of: RemoteService) -> Answer:
    """Send the image with the key where the preset says, and ask for the result until it is there."""
    preset = preset_of(of)
    request, place = preset.request(IMAGE, of, ("eng",)), key_place(preset, of)
    headers = {"Content-Type": request.content_type, **dict(request.headers)}
    query = dict(request.query)
    if place.query:
        query[place.query] = KEY
    else:
        headers[place.header] = place.prefix + KEY
    address = of.url + request.path + (f"?{urlencode(query)}" if query else "")
    answer = client.request("POST", address, body=request.body, headers=headers)
    body = answer.data
    while answer.status == 202 and (not body or json.loads(body)["status"] == "running"):
        body = client.request("GET", answer.headers["Operation-Location"], headers=headers).data
    assert answer.status in {200, 202}
    return preset.answer(body, SENT, of)


def service_at(server: OcrService) -> RemoteService:
    """Return the service that the server is."""
    return with_options(server.preset, OPTIONS[server.preset], server.url)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_image_comes_and_its_text_is_read(name: str, client: urllib3.PoolManager) -> None:
    """The server finds image and key in the request, and the preset the text in the answer."""
    with serving(name, key=KEY) as server:
        answer = read(client, service_at(server))
    image = hashlib.sha256(CONTENT).hexdigest()
    assert server.images == [image]
    assert lines_of(answer) == text_of(image).split("\n")


@pytest.mark.parametrize("name", OPTIONS)
def test_a_page_without_text_is_read(name: str, client: urllib3.PoolManager) -> None:
    """It is no error, and has no text."""
    with serving(name, text=lambda _: "") as server:
        assert lines_of(read(client, service_at(server))) == []


@pytest.mark.parametrize("name", OPTIONS)
def test_a_refusal_with_status_200_is_noticed(name: str, client: urllib3.PoolManager) -> None:
    """So is the page of a proxy."""
    with serving(name) as server:
        for kind in ("refusal", "page"):
            server.mode = Mode(kind)
            with pytest.raises(ServiceFault):
                read(client, service_at(server))


@pytest.mark.parametrize("name", ["azure-read", "google-vision", "baidu"])
def test_a_rejection_with_status_200_is_noticed(name: str, client: urllib3.PoolManager) -> None:
    """The image is to blame; the services of the other two say so with a status of 400."""
    with serving(name) as server:
        server.mode = Mode("rejection")
        with pytest.raises(Rejected):
            read(client, service_at(server))
