"""The key of a service and its token: when they are asked for, how long that may take, and that no message has them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from ocrwatch.backoff import Backoff
from ocrwatch.errors import OcrwatchError, ServiceFault, Stopping
from ocrwatch.events import RemoteRefused, subscribe
from ocrwatch.executors.http_ocr import keys
from ocrwatch.executors.http_ocr import service as module
from ocrwatch.executors.http_ocr.client import NoAnswer, Response
from ocrwatch.executors.http_ocr.presets.base import Request
from ocrwatch.executors.http_ocr.service import Service
from ocrwatch.settings import Remote
from tests.eventually import eventually, run, settled

_REQUEST: Final = Request(b"image", "image/jpeg")
_PAIR: Final = "the-api-key:the-secret-key"


@dataclass
class Server:
    """Answers in the place of a service and of its token server."""

    status: int = 200
    """Of answers to images."""
    says: str = "{}"
    token_status: int = 200
    token_latency: float = 0.0
    is_hung: bool = False
    """Whether there is no answer about tokens."""
    latency: float = 0.0
    sent: list[float] = field(default_factory=list)
    """When images were sent (monotonic seconds)."""
    exchanges: list[bytes] = field(default_factory=list)
    """What tokens were asked for with."""
    keys: list[str] = field(default_factory=list)
    """The keys, or tokens, of images."""

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        query: Iterable[tuple[str, str]] = (),
        connected: Callable[[], None] | None = None,  # noqa: ARG002 - its connections are there
    ) -> Response:
        """Answer."""
        if url.endswith("/oauth/2.0/token"):
            self.exchanges.append(body)
            await asyncio.sleep(self.token_latency)
            if self.is_hung:
                raise NoAnswer("it did not answer", "see the service")
            token = {"access_token": f"token-{len(self.exchanges)}", "expires_in": 2_592_000}
            return Response(self.token_status, {}, json.dumps(token if self.token_status == 200 else {}).encode())
        self.sent.append(time.monotonic())
        self.keys.append(dict(query).get("access_token") or headers.get("Authorization", ""))
        status, says = self.status, self.says
        await asyncio.sleep(self.latency)
        return Response(status, {}, says.encode())

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Have services ask a server of the test, and look at key files each time."""
    found = Server()
    monkeypatch.setattr(module, "Client", lambda *_: found)
    monkeypatch.setattr(keys, "_LOOKED_AT_EVERY", 0.0)
    yield found
    keys._files.clear()


def service(key_file: Path, key: str = _PAIR, **options: object) -> Service:
    """Return a service with a key that is exchanged for a token if it is a pair."""
    key_file.write_text(key)
    url = "https://ocr.example.org"
    values = {"name": "cloud", "preset": "baidu", "url": url, "rate": 1000, "key_file": key_file, **options}
    return Service(Remote.model_validate(values), Backoff())


async def _results(asked: Service, count: int) -> list[bytes | BaseException]:
    """Ask for several images at once; return what came of each."""
    return await asyncio.gather(*(asked.ask(_REQUEST) for _ in range(count)), return_exceptions=True)


# The token.


def test_a_token_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    """All requests have it."""

    async def main() -> None:
        server.token_latency = 0.05
        assert await _results(service(tmp_path / "key"), 5) == [b"{}"] * 5
        assert len(server.exchanges) == 1
        assert server.keys == ["token-1"] * 5

    run(main())


@pytest.mark.parametrize("is_hung", [False, True])
def test_a_refused_key_is_tried_once_by_all_that_wait(server: Server, tmp_path: Path, *, is_hung: bool) -> None:
    """They fail together, after one refusal or one timeout, which is published once; the next request tries again."""
    refused: list[RemoteRefused] = []

    async def main() -> None:
        asked = service(tmp_path / "key")
        server.token_latency, server.is_hung, server.token_status = 0.05, is_hung, 401
        results = await _results(asked, 8)
        assert [type(each) for each in results] == [ServiceFault] * 8
        assert len({str(each) for each in results}) == 1
        assert all(isinstance(each, ServiceFault) and each.service == "cloud" and each.tried_at for each in results)
        assert len(server.exchanges) == len(refused) == 1
        assert not server.sent
        server.is_hung, server.token_status = False, 200
        assert await _results(asked, 2) == [b"{}"] * 2

    unsubscribe = subscribe(refused.append, RemoteRefused)
    try:
        run(main())
    finally:
        unsubscribe()


def test_requests_that_waited_for_a_token_keep_the_rate(server: Server, tmp_path: Path) -> None:
    """However long it took, they are not sent all at once."""

    async def main() -> None:
        server.token_latency = 0.6
        await _results(service(tmp_path / "key", rate=20, concurrency=8), 8)
        assert server.sent[-1] - server.sent[0] >= 7 * 0.8 / 20 - 0.01

    run(main())


def test_another_key_gets_another_token(server: Server, tmp_path: Path) -> None:
    """From the next request on, though the token is still valid."""

    async def main() -> None:
        asked = service(tmp_path / "key")
        await asked.ask(_REQUEST)
        (tmp_path / "key").write_text("other-api-key:other-secret-key")
        await asked.ask(_REQUEST)
        assert server.keys == ["token-1", "token-2"]
        assert b"other-secret-key" in server.exchanges[1]

    run(main())


@pytest.mark.parametrize(("status", "exchanges"), [(401, 2), (403, 2), (400, 1), (404, 1), (429, 1), (503, 1)])
def test_a_token_is_forgotten_if_it_may_be_the_reason(
    server: Server, tmp_path: Path, status: int, exchanges: int
) -> None:
    """It is valid for 30 days: a service that is busy says nothing against it."""

    async def main() -> None:
        asked = service(tmp_path / "key")
        server.status = status
        with pytest.raises(Exception, match=str(status)) as caught:
            await asked.ask(_REQUEST)
        fault = caught.value if isinstance(caught.value, ServiceFault) else getattr(caught.value, "of_service", None)
        assert isinstance(fault, ServiceFault)
        # As the executor does with all faults.
        asked.completed(fault, time.monotonic())
        server.status = 200
        await asked.ask(_REQUEST)
        assert len(server.exchanges) == exchanges

    run(main())


def test_a_token_is_forgotten_if_the_preset_finds_a_refusal(server: Server, tmp_path: Path) -> None:
    """Baidu refuses tokens with status 200; a request that was not sent because of a pause finds nothing."""

    async def main() -> None:
        backoff = Backoff()
        asked = service(tmp_path / "key")
        asked._backoff = backoff
        await asked.ask(_REQUEST)
        fault = asked.completed(ServiceFault("Access token invalid", "put a valid token there"), time.monotonic())
        await asked.ask(_REQUEST)
        assert server.keys == ["token-1", "token-2"]
        backoff.record(asked.cause, fault, time.monotonic(), at_least=60.0)
        with pytest.raises(ServiceFault) as caught:
            await asked.ask(_REQUEST)
        asked.completed(caught.value, time.monotonic())
        backoff.resolve(asked.cause)
        await asked.ask(_REQUEST)
        assert server.keys[-1] == "token-2"

    run(main())


def test_no_token_is_asked_for_after_a_stop(server: Server, tmp_path: Path) -> None:
    """Not even by one that waited for another, which was cancelled."""

    async def main() -> None:
        asked = service(tmp_path / "key")
        server.token_latency = 5.0
        first, second = (asyncio.ensure_future(asked.ask(_REQUEST)) for _ in range(2))
        await eventually(lambda: server.exchanges)
        asked.stop()
        first.cancel()
        with pytest.raises(Stopping):
            await second
        assert len(server.exchanges) == 1

    run(main())


# The key.


def test_a_key_that_was_replaced_is_in_no_message(server: Server, tmp_path: Path) -> None:
    """The answer to a request with the old one may come later, and repeat it; so may that of an old token."""

    async def main() -> None:
        asked = service(tmp_path / "key", "the-old-api-key:the-old-secret-key")
        server.latency, server.status = 0.2, 503
        server.says = json.dumps({"message": "the-old-secret-key and token-1 are bad"})
        first = asyncio.ensure_future(asked.ask(_REQUEST))
        await eventually(lambda: server.sent)
        server.latency, server.status = 0.0, 200
        asked.completed(ServiceFault("refused"), time.monotonic())
        (tmp_path / "key").write_text(_PAIR)
        await asked.ask(_REQUEST)
        with pytest.raises(ServiceFault) as caught:
            await first
        assert caught.value.message.endswith("… and … are bad")

    run(main())


def test_few_secrets_are_kept(server: Server, tmp_path: Path) -> None:
    """Keys may be replaced every day."""

    async def main() -> None:
        asked = service(tmp_path / "key")
        for number in range(50):
            (tmp_path / "key").write_text(f"secret-number-{number}")
            await asked.ask(_REQUEST)
        error = OcrwatchError("secret-number-49 secret-number-48 secret-number-0")
        asked.without_key(error)
        assert error.message == "… … secret-number-0"

    run(main())


def test_a_key_file_on_a_dead_mount_is_a_fault(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the timeout of a request, with a remedy; and the program ends although the thread hangs."""
    goes_on = threading.Event()

    def hang(_: Remote) -> None:
        goes_on.wait(20)

    async def main() -> None:
        asked = service(tmp_path / "key", timeout=0.2)
        results = await _results(asked, 3)
        assert [type(each) for each in results] == [ServiceFault] * 3
        assert str(tmp_path / "key") in str(results[0])
        assert isinstance(results[0], ServiceFault)
        assert results[0].remedy
        await asked.close()

    monkeypatch.setattr(module, "key_of", hang)
    begun = time.monotonic()
    run(main())
    assert time.monotonic() - begun < 5
    assert not server.sent
    goes_on.set()


def test_a_key_file_is_read_again_when_its_mount_is_back(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that gave up meanwhile are not made up for."""
    goes_on = threading.Event()
    read: list[str] = []

    def slow(remote: Remote) -> keys.Key | None:
        read.append(remote.name)
        goes_on.wait(20)
        return keys.key_of(remote)

    async def main() -> None:
        asked = service(tmp_path / "key", "a-token", timeout=0.2)
        await _results(asked, 3)
        goes_on.set()
        await settled()
        assert await asked.ask(_REQUEST) == b"{}"
        assert server.keys == ["a-token"]
        assert len(read) == 2
        await asked.close()

    monkeypatch.setattr(module, "key_of", slow)
    run(main())
