"""Notifications are posted until they are accepted, or refused for good."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time

import pytest

from ocrwatch import log
from ocrwatch.hooks import webhook
from ocrwatch.hooks.webhook import Address, PostFailed, Webhook, parse_header
from tests.eventually import eventually, run
from tests.listening import Listener, listening
from tests.waiting import until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, restored_logging: None) -> io.StringIO:
    """Wait little between attempts; return the log."""
    monkeypatch.setattr(webhook, "_MIN_DELAY", 0.01)
    stream = io.StringIO()
    log.configure("info", "json", stream)
    return stream


def _address(listener: Listener, *, timeout: float = 10, attempts: int = 5) -> Address:
    return Address(listener.url, ("X-Token", "abc"), timeout, attempts)


def _post(address: Address, *bodies: bytes) -> None:
    async def one_after_the_other() -> None:
        hook = Webhook()
        try:
            for body in bodies:
                await hook.post(address, body)
        finally:
            hook.close()

    run(one_after_the_other(), 20)


def test_post_that_fails_twice_is_accepted(impatient: io.StringIO) -> None:
    """It is sent as JSON with the header, again after each failure, and no more once it is accepted."""
    with listening([500, 503]) as listener:
        _post(_address(listener), b'{"event": "delivered"}')
        assert listener.posts == [{"event": "delivered"}] * 3
        assert listener.taken == [{"event": "delivered"}]
        sent = listener.sent_headers[0]
        assert (sent["Content-Type"], sent["X-Token"]) == ("application/json", "abc")
        assert sent["User-Agent"].startswith("ocrwatch/")
    assert impatient.getvalue().count("hook.retrying") == 2
    assert "answered 503" in impatient.getvalue()
    assert "secret-path" not in impatient.getvalue()
    assert "abc" not in impatient.getvalue()


@pytest.mark.parametrize("code", [400, 401, 404, 410])
def test_refusal_is_final(code: int) -> None:
    """What time will not change is not tried again."""
    with listening([code] * 5) as listener:
        with pytest.raises(PostFailed, match=f"answered {code}"):
            _post(_address(listener), b"{}")
        assert len(listener.posts) == 1


@pytest.mark.parametrize("code", [408, 425, 429, 500, 599])
def test_passing_refusal_is_tried_again(code: int) -> None:
    """What time may change is tried again."""
    with listening([code]) as listener:
        _post(_address(listener), b"{}")
        assert (len(listener.posts), len(listener.taken)) == (2, 1)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(code: int) -> None:
    """The notification goes where the settings say and nowhere else."""
    with listening() as other, listening([code]) as listener:
        listener.headers["Location"] = other.url
        with pytest.raises(PostFailed, match="redirect"):
            _post(_address(listener), b"{}")
        assert (len(listener.posts), other.posts) == (1, [])


def test_attempts_are_counted() -> None:
    """It gives up after as many as were asked for."""
    with listening([500] * 9) as listener:
        with pytest.raises(PostFailed, match="answered 500"):
            _post(_address(listener, attempts=3), b"{}")
        assert len(listener.posts) == 3


def test_server_says_how_long_to_wait() -> None:
    """Retry-After is respected."""
    with listening([429]) as listener:
        listener.headers["Retry-After"] = "1"
        begun = time.monotonic()
        _post(_address(listener), b"{}")
        assert time.monotonic() - begun >= 1


def test_silent_server_costs_the_time_limit() -> None:
    """And the address's path, which may be a secret, is in no message."""
    with listening() as listener:
        listener.silent.set()
        with pytest.raises(PostFailed, match=r"did not answer within 0\.2 s") as caught:
            _post(_address(listener, timeout=0.2, attempts=2), b"{}")
        assert len(listener.posts) == 2
        assert "secret-path" not in str(caught.value)


def test_event_loop_waits_for_no_server() -> None:
    """While a server does not answer, everything else goes on; a post that is cancelled is not waited for."""
    with listening() as listener:
        listener.silent.set()

        async def beside() -> None:
            hook = Webhook()
            posting = asyncio.create_task(hook.post(_address(listener), b"{}"))
            await eventually(lambda: listener.posts)
            assert not posting.done()
            posting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await posting
            hook.close()

        begun = time.monotonic()
        run(beside())
        assert time.monotonic() - begun < 5
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("hooks")], 15)


def test_server_is_not_there() -> None:
    """The system's reason is told, and the address is shown without its path."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = Address(f"http://127.0.0.1:{unused.getsockname()[1]}/secret-path", None, 5, 2)
        with pytest.raises(PostFailed, match=r"could not be reached \(.*Connection refused") as caught:
            _post(address, b"{}")
    assert "secret-path" not in str(caught.value)
    assert address.shown == address.url.removesuffix("/secret-path")


def test_answer_of_any_length_is_not_read() -> None:
    """An answer that never ends costs nothing, and the next post is answered."""
    with listening() as listener, socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
                ended.wait(10)

        ended = threading.Event()
        thread = threading.Thread(target=answer)
        thread.start()
        begun = time.monotonic()
        _post(Address(f"http://127.0.0.1:{server.getsockname()[1]}/", None, 8, 1), b"{}")
        _post(_address(listener), b"{}")
        assert time.monotonic() - begun < 5
        ended.set()
        thread.join(10)


def test_answer_with_faulty_headers_is_accepted_silently(impatient: io.StringIO) -> None:
    """The HTTP library would warn with the whole address, whose path may be a secret."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        _post(Address(f"http://127.0.0.1:{server.getsockname()[1]}/secret-path", None, 8, 1), b"{}")
        thread.join(10)
    assert impatient.getvalue() == ""


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
    """A name, a colon and a value on one line; nothing else gets into the request."""
    assert parse_header(text) == header
