"""Connections to a service: which proxy they take, when they are made, and what is no answer."""

from __future__ import annotations

import asyncio
import functools
from typing import Final

import pytest
from yarl import URL

from ocrwatch.executors.http_ocr import client as client_module
from ocrwatch.executors.http_ocr.client import Client, NoAnswer, proxy_for
from tests.eventually import run
from tests.ocr_services import serving

_SERVICE: Final = URL("https://ocr.example.org")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what this machine's environment says of proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_no_proxy_is_used_without_one_in_the_environment() -> None:
    """Requests go directly to the service."""
    assert proxy_for(_SERVICE) is None


@pytest.mark.parametrize("value", ["http://proxy.example.org:3128", "proxy.example.org:3128"])
def test_the_environment_names_a_proxy(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without its scheme, for one kind of address."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert proxy_for(_SERVICE) == URL("http://proxy.example.org:3128")
    assert proxy_for(URL("http://ocr.example.org")) is None


def test_some_hosts_take_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY names them, with all below."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,example.org")
    assert proxy_for(_SERVICE) is None
    assert proxy_for(URL("https://ocr.example.com")) is not None


def test_a_request_takes_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets it, with the password of its address, though the service's own name leads nowhere."""
    with serving("rapidocr") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://me:secret@"))

        async def main() -> int:
            client = Client("cloud", "http://ocr.invalid/ocr", 1, 5.0)
            try:
                return (await client.post("http://ocr.invalid/ocr", b"", {})).status
            finally:
                await client.close()

        assert run(main()) == 400
        assert [request.path for request in proxy.requests] == ["/ocr"]
        assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"


def test_it_is_known_when_a_connection_was_made() -> None:
    """The first request makes one, and the next takes it again."""
    with serving("rapidocr") as service:
        made: list[str] = []

        async def main() -> None:
            client = Client("cloud", service.url, 1, 5.0)
            try:
                for name in ("first", "second"):
                    await client.post(f"{service.url}/ocr", b"", {}, connected=functools.partial(made.append, name))
            finally:
                await client.close()

        run(main())
        assert made == ["first"]


async def _fault_of(url: str) -> NoAnswer:
    """Return the error of a request to which there is no answer."""
    client = Client("cloud", url, 1, 5.0)
    try:
        with pytest.raises(NoAnswer) as caught:
            await client.post(f"{url}/ocr", b"", {})
        return caught.value
    finally:
        await client.close()


def _answering(raw: bytes) -> NoAnswer:
    """Return the error of a request that is answered with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    async def main() -> NoAnswer:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            return await _fault_of(f"http://{host}:{port}")

    return run(main())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, id="of known length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n",
            id="in chunks",
        ),
    ],
)
def test_an_answer_that_is_too_long_may_be_because_of_the_image(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service was reached: the message says so, and the remedy has nothing of the network."""
    monkeypatch.setattr(client_module, "MOST_RECEIVED", 1000)
    fault = _answering(raw)
    assert "the answer of the service cloud" in fault.message
    assert "is too long" in fault.message
    assert "answer" in fault.remedy


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"220 mail.example.org ready\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Text: " + b"x" * 100_000 + b"\r\n\r\n", id="text in a header"),
    ],
)
def test_an_answer_that_is_no_http_may_be_because_of_the_image(raw: bytes) -> None:
    """Such as a header that is too long, because it has the text."""
    assert "is no HTTP" in _answering(raw).message
