"""Connections to a service: which proxy they take, and when they are made."""

from __future__ import annotations

import functools
from typing import Final

import pytest
from yarl import URL

from ocrwatch.executors.http_ocr.client import Client, proxy_for
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
