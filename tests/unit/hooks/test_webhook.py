"""Facts are posted until they are taken or there is no hope."""

from __future__ import annotations

import io
import socket
import time

import pytest

from ocrwatch import log
from ocrwatch.hooks import webhook
from ocrwatch.hooks.webhook import Address, NotTaken, Webhook, parse_header
from tests.listening import Listener, listening


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Wait little between attempts; return the log."""
    monkeypatch.setattr(webhook, "_FIRST_WAIT", 0.01)
    stream = io.StringIO()
    log.configure("info", "json", stream)
    return stream


def _address(listener: Listener, *, timeout: float = 10, attempts: int = 5) -> Address:
    return Address(listener.url, ("X-Token", "abc"), timeout, attempts)


def test_a_post_that_fails_twice_is_taken(impatient: io.StringIO) -> None:
    """The facts go out as JSON with the header, again after each failure, and no more once they are taken."""
    with listening([500, 503]) as listener:
        Webhook().post(_address(listener), b'{"event": "delivered"}')
        assert listener.posts == [{"event": "delivered"}] * 3
        assert listener.taken == [{"event": "delivered"}]
        sent = listener.sent_headers[0]
        assert (sent["Content-Type"], sent["X-Token"]) == ("application/json", "abc")
        assert sent["User-Agent"].startswith("ocrwatch/")
    assert impatient.getvalue().count("hook.retrying") == 2
    assert "answered 503" in impatient.getvalue()


@pytest.mark.parametrize("code", [400, 401, 404, 410])
def test_a_refusal_is_final(code: int) -> None:
    """What time will not change is not tried again."""
    with listening([code] * 5) as listener:
        with pytest.raises(NotTaken, match=f"answered {code}"):
            Webhook().post(_address(listener), b"{}")
        assert len(listener.posts) == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(code: int) -> None:
    """The facts go where the settings say and nowhere else."""
    with listening() as other, listening([code]) as listener:
        listener.headers["Location"] = other.url
        with pytest.raises(NotTaken, match="redirect"):
            Webhook().post(_address(listener), b"{}")
        assert (len(listener.posts), other.posts) == (1, [])


def test_attempts_are_counted() -> None:
    """It gives up after as many as were asked for."""
    with listening([500] * 9) as listener:
        with pytest.raises(NotTaken, match="answered 500"):
            Webhook().post(_address(listener, attempts=3), b"{}")
        assert len(listener.posts) == 3


def test_server_says_how_long_to_wait() -> None:
    """Retry-After is obeyed."""
    with listening([429]) as listener:
        listener.headers["Retry-After"] = "1"
        begun = time.monotonic()
        Webhook().post(_address(listener), b"{}")
        assert time.monotonic() - begun >= 1


def test_a_silent_server_costs_the_time_limit() -> None:
    """And the address's path, which may be a secret, is in no message."""
    with listening() as listener:
        listener.silent.set()
        with pytest.raises(NotTaken, match=r"did not answer within 0\.2 s") as caught:
            Webhook().post(_address(listener, timeout=0.2, attempts=2), b"{}")
        assert len(listener.posts) == 2
        assert "secret-path" not in str(caught.value)


def test_nobody_listens() -> None:
    """The system's reason is told, and the address is shown without its path."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = Address(f"http://127.0.0.1:{unused.getsockname()[1]}/secret-path", None, 5, 2)
        with pytest.raises(NotTaken, match=r"could not be reached \(.*Connection refused") as caught:
            Webhook().post(address, b"{}")
    assert "secret-path" not in str(caught.value)
    assert address.shown == address.url.removesuffix("/secret-path")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Authorization: Bearer 12 ab\n", ("Authorization", "Bearer 12 ab")),
        ("X-Token:abc", ("X-Token", "abc")),
        ("12345", None),
        ("A b: c", None),
        ("A: b\r\nInjected: c", None),
        ("A: ", None),
        ("A: é", None),
        ("", None),
    ],
)
def test_secret_is_one_header(text: str, header: tuple[str, str] | None) -> None:
    """A name, a colon and a value on one line; nothing can be smuggled in."""
    assert parse_header(text) == header
