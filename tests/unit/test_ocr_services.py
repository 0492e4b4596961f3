"""The OCR service of the tests answers as it is told, and in shapes that the presets understand."""

from __future__ import annotations

import hashlib
import http.client
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest

from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Image, open_preset
from ocrwatch.recipe import RemoteService
from tests.ocr_services import Mode, OcrService, serving, text_of
from tests.waiting import until

IMAGE = Image(b"\xff\xd8 an image \xff\xd9", "image/jpeg", 1000, 1000)
SHA256 = hashlib.sha256(IMAGE.content).hexdigest()
PRESETS = ("rapidocr", "paddlex", "doctr", "tesseract-server", "ocr.space")


@dataclass
class Client:
    """A connection, kept open, to a service."""

    service: OcrService

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=8)

    def ask(self, image: Image = IMAGE, **headers: str) -> tuple[int, bytes]:
        """Send an image; return status and body."""
        options = RemoteService("here", self.service.preset, self.service.url)
        request = open_preset(self.service.preset).request(image, options, ("eng",))
        self.connection.request("POST", request.path, request.body, {"Content-Type": request.content_type, **headers})
        answer = self.connection.getresponse()
        body = answer.read()
        self.headers = answer.headers
        return answer.status, body

    def read(self, image: Image = IMAGE) -> list[str]:
        """Send an image; return the lines that were read."""
        status, body = self.ask(image)
        assert status == 200
        options = RemoteService("here", self.service.preset, self.service.url)
        answer = open_preset(self.service.preset).answer(body, replace(image, content=b""), options)
        return [line.text for block in answer.blocks for line in block.lines]

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_text_depends_on_the_image(preset: str) -> None:
    """Each image has its own text, in the shape that its preset reads, over one connection."""
    other = replace(IMAGE, content=b"another image")
    with serving(preset) as service:
        client = Client(service)
        assert client.read() == text_of(SHA256).split("\n")
        assert client.read(other) == text_of(hashlib.sha256(other.content).hexdigest()).split("\n") != client.read()
        client.close()
    assert service.images == [SHA256, hashlib.sha256(other.content).hexdigest(), SHA256]
    assert service.connections == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_refusals_with_status_200_say_whose_fault_it_is(preset: str) -> None:
    """Where a service refuses with status 200, the preset raises whose fault it is; the others have another status."""
    with serving(preset) as service:
        client = Client(service)
        for kind, error, status in (("refusal", ServiceFault, 503), ("rejection", Rejected, 400)):
            service.mode = Mode.parse(f"kind={kind}")
            if (answered := client.ask()[0]) == 200:
                with pytest.raises(error):
                    client.read()
            else:
                assert answered == status
        client.close()


def test_other_statuses_are_answered_as_told() -> None:
    """Modes for the next requests, for one image and for all; with the time to wait if it is told."""
    with serving() as service:
        client = Client(service)
        service.next.extend([Mode(status=429, retry_after="3"), Mode(status=503)])
        service.for_image[hashlib.sha256(b"poison").hexdigest()] = Mode(status=500)
        assert client.ask()[0] == 429
        assert client.headers["Retry-After"] == "3"
        assert client.ask(replace(IMAGE, content=b"poison"))[0] == 500
        assert client.ask()[0] == 503
        assert client.headers["Retry-After"] is None
        assert client.ask()[0] == 200
        client.close()
    assert service.counts["outcomes"] == {"200": 1, "429": 1, "500": 1, "503": 1}


def test_a_key_is_demanded() -> None:
    """Without the key the answer is 401; headers and sizes are recorded."""
    with serving(key="sesame") as service:
        client = Client(service)
        assert client.ask()[0] == 401
        assert client.ask(Authorization="Bearer sesame")[0] == 200
        client.close()
    assert service.requests[1].headers["authorization"] == "Bearer sesame"
    assert service.requests[1].size > len(IMAGE.content)


def test_requests_above_the_limit_are_refused() -> None:
    """The window slides: within any second no more than the limit are answered."""
    with serving(limit=5) as service:
        client = Client(service)
        assert [client.ask()[0] for _ in range(7)] == [200] * 5 + [429] * 2
        last = service.requests[-1].at
        until(lambda: time.monotonic() > last + 1.0, what="the window has no requests")
        assert client.ask()[0] == 200
        client.close()
    assert service.over_limit == 2


def test_a_connection_may_break_in_every_way() -> None:
    """The answer is cut, the connection is reset, or closed behind the answer without a word."""
    with serving() as service:
        for mode, error in ((Mode("cut"), http.client.IncompleteRead), (Mode("reset"), ConnectionResetError)):
            service.next.append(mode)
            client = Client(service)
            with pytest.raises(error):
                client.ask()
            client.close()
        service.next.append(Mode(closes=True))
        client = Client(service)
        assert client.ask()[0] == 200
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
            client.ask()
        client.close()
    assert [request.outcome for request in service.requests][:3] == ["cut", "reset", "200"]


def test_an_answer_may_take_time() -> None:
    """The latency counts from the request; a late body comes after its head; a hanging request gets no answer."""
    with serving(latency=0.3) as service:
        client = Client(service)
        begun = time.monotonic()
        client.ask()
        assert time.monotonic() - begun >= 0.3
        service.next.append(Mode("late", latency=0.5))
        begun = time.monotonic()
        assert client.ask()[0] == 200
        assert time.monotonic() - begun >= 0.5
        client.close()
        service.next.append(Mode("hang"))
        client = Client(service)
        client.connection.timeout = 0.3
        with pytest.raises(TimeoutError):
            client.ask()
        client.close()
        until(lambda: service.in_flight == 0, what="the request that hung has ended with its connection")


def test_a_page_of_a_proxy_is_no_result() -> None:
    """A web page with status 200 is the service's fault."""
    with serving(mode=Mode("page")) as service:
        client = Client(service)
        with pytest.raises(ServiceFault, match="a web page"):
            client.read()
        client.close()


def test_it_may_go_and_come_back() -> None:
    """A stopped service refuses connections; started again, it has the same address."""
    with serving() as service:
        client = Client(service)
        assert client.ask()[0] == 200
        service.stop()
        client.close()
        with pytest.raises(ConnectionRefusedError):
            client.ask()
        service.start()
        client.close()
        assert client.ask()[0] == 200
        client.close()
    assert len(service.requests) == 2


def asked(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send one request of any kind; return status, headers and body."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=8)
    try:
        target = address._replace(scheme="", netloc="").geturl()
        connection.request(method, target, body, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_a_result_may_be_asked_for_later() -> None:
    """A service of that kind answers 202 with an address, where the result is ready after some time."""
    with serving("azure-read", polls=2) as service:
        status, headers, _ = asked(f"{service.url}/vision/v3.2/read/analyze", "POST", IMAGE.content)
        assert status == 202
        states = [json.loads(asked(headers["Operation-Location"])[2])["status"] for _ in range(3)]
    assert states == ["running", "running", "succeeded"]


def test_it_runs_as_a_program() -> None:
    """It prints its address, is told over HTTP what to answer, and prints at the end what came."""
    command = [sys.executable, "-m", "tests.ocr_services", "--preset", "generic", "--latency", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            url = program.stdout.readline().strip()
            assert json.loads(asked(f"{url}/_set?mode=status=503,retry_after=2", "POST")[2])["requests"] == 0
            status, headers, _ = asked(f"{url}/read", "POST", IMAGE.content)
            assert (status, headers["Retry-After"]) == (503, "2")
            program.send_signal(signal.SIGTERM)
            assert json.loads(program.stdout.read())["outcomes"] == {"503": 1}
        finally:
            program.kill()
