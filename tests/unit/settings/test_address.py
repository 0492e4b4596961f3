"""Addresses to listen on."""

from __future__ import annotations

import pytest

from ocrwatch.errors import UsageError
from ocrwatch.settings.load import load, parse_overrides
from ocrwatch.settings.types import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9464", ("127.0.0.1", 9464)),
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:9464", ("::1", 9464)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
        ("scanner-pc.example:65535", ("scanner-pc.example", 65_535)),
        ("192.0.2.7:0", ("192.0.2.7", 0)),
    ],
)
def test_host_and_port(text: str, address: tuple[str, int]) -> None:
    """Without a host it is this machine only; IPv6 is written in brackets."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "wrong", ["9464", "::1:9464", "host:", "host:65536", "host:-1", "[::1]", "a b:1", "http://x:1/"]
)
def test_what_is_no_address_is_refused_with_an_example(wrong: str) -> None:
    """The message says what would be right."""
    with pytest.raises(UsageError, match=r"status\.listen.*:9464"):
        load(None, parse_overrides([f"status.listen={wrong}"]), {})
