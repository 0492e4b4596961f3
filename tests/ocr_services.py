"""An OCR service on this machine that answers as it is told, in the shape of one kind of service.

In tests: ``with serving("rapidocr") as service``. As a program, for benches, until it is interrupted:
``python -m tests.ocr_services --preset rapidocr --port 9003 --latency 1 --limit 50``; then ``GET /_counts`` says what
came, and ``POST /_set?mode=status=429,retry_after=2&latency=1&limit=50`` changes what is answered.

Its text is made of the image's bytes: see :func:`text_of`. It runs on an event loop in its own thread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import signal
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from tests.ocr_answers import SHAPES, image_in

Kind = Literal["answer", "refusal", "rejection", "page", "hang", "cut", "reset", "late"]
"""What is done with a request: ``answer`` it with the text; answer a ``refusal`` of all images, or a ``rejection`` of
this one, as services do that refuse with status 200; answer the web ``page`` of a proxy; ``hang``: no answer until the
client closes the connection; ``cut`` the answer in the middle; ``reset`` the connection; ``late``: send the head at
once and the body after the latency."""

_LONGEST_START = 10.0
_LINGER_AND_RESET = struct.pack("ii", 1, 0)
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class Mode:
    """How requests are answered."""

    kind: Kind = "answer"
    status: int = 200
    """Another one is answered with a message instead of the text."""
    retry_after: str = ""
    """The header of an answer with another status."""
    latency: float | None = None
    """Seconds from the request to the answer; None for the service's."""
    closes: bool = False
    """Whether the connection is closed after the answer, without a word."""

    @staticmethod
    def parse(text: str) -> Mode:
        """Read a mode such as ``kind=late,latency=2`` or ``status=429,retry_after=3``."""
        values: dict[str, Any] = dict(part.split("=", 1) for part in text.split(",") if part)
        if values.get("kind", "answer") not in get_args(Kind):
            raise ValueError(f"there is no kind {values['kind']!r}")
        for name, convert in (("status", int), ("latency", float), ("closes", bool)):
            if name in values:
                values[name] = convert(values[name])
        return Mode(**values)


NORMAL = Mode()


@dataclass(slots=True)
class Received:
    """One request."""

    at: float
    """When it came (monotonic seconds)."""
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Names are in small letters."""
    connection: int
    """Number of its connection, from 1."""
    size: int = 0
    """Bytes of the body."""
    sha256: str = ""
    """Of the image; empty if it has none."""
    outcome: str = ""
    """The status that was answered, or what was done instead; empty as long as it waits."""


def text_of(sha256: str) -> str:
    """Return what is read on an image with this SHA-256, if a test does not say something else."""
    return f"Scan {sha256[:8]}\nread remotely {sha256[8:16]}"


@dataclass(slots=True)
class OcrService:
    """The service: what it does, and what came. Everything may be changed while it runs."""

    preset: str = "rapidocr"
    port: int = 0
    latency: float = 0.0
    """Seconds from a request to its answer."""
    limit: int = 0
    """Maximum number of requests within any second; more are answered with 429. 0 for no limit."""
    key: str = ""
    """Requests without it, in a header or parameter, are answered with 401."""
    mode: Mode = NORMAL
    next: deque[Mode] = field(default_factory=deque)
    """Modes of the next requests, before ``mode`` holds again."""
    for_image: dict[str, Mode] = field(default_factory=dict)
    """Modes for images, by SHA-256, whatever the others are."""
    text: Callable[[str], str] = text_of
    """The text of an image, by SHA-256."""
    says: str = ""
    """What refusals say besides."""
    polls: int = 1
    """How often a result is not ready yet, of services that are asked for it."""
    requests: list[Received] = field(default_factory=list)
    over_limit: int = 0
    """How many requests came above the limit."""
    most_in_flight: int = 0
    most_open: int = 0
    """Maximum number of connections at a time."""
    connections: int = 0
    """How many connections there were."""
    in_flight: int = 0
    _arrivals: deque[float] = field(default_factory=deque)
    _results: dict[str, int] = field(default_factory=dict)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _ended: asyncio.Event | None = None
    _problem: OSError | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def images(self) -> list[str]:
        """The SHA-256 of each image that came, in order."""
        return [request.sha256 for request in self.requests if request.sha256]

    @property
    def counts(self) -> dict[str, Any]:
        """What came, in numbers."""
        outcomes = [request.outcome for request in self.requests]
        return {
            "requests": len(outcomes),
            "outcomes": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
            "over_limit": self.over_limit,
            "most_in_flight": self.most_in_flight,
            "most_open": self.most_open,
            "connections": self.connections,
            "seconds": self.requests[-1].at - self.requests[0].at if outcomes else 0.0,
        }

    def start(self) -> None:
        """Listen; on the port that it had, if it was stopped before."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(_LONGEST_START), "the OCR service did not start"
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """Close the port and all connections."""
        if self._thread is not None and self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(_LONGEST_START)
            assert not self._thread.is_alive(), "the OCR service did not end"
        self._thread = None

    async def _run(self, ready: threading.Event) -> None:
        self._loop, self._ended, self._problem = asyncio.get_running_loop(), asyncio.Event(), None
        try:
            server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1024)
        except OSError as error:
            self._problem = error
            return
        finally:
            if not self.port and self._problem is None:
                self.port = server.sockets[0].getsockname()[1]
            ready.set()
        await self._ended.wait()
        server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._open.add(writer)
        self.most_open = max(self.most_open, len(self._open))
        try:
            while await self._exchange(reader, writer, number):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> bool:
        """Answer one request; return whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").rstrip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
        at, address = time.monotonic(), urlsplit(target)
        query = tuple(parse_qsl(address.query, keep_blank_values=True))
        body = await _body(reader, headers)
        if address.path.startswith("/_"):
            return await _send(writer, 200, self._controlled(address.path, dict(query)))
        if method == "GET":
            return await _send(writer, 200, self._result(address.path.rpartition("/")[2]))
        request = Received(at, address.path, query, headers, connection, len(body))
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answered(request, body, reader, writer)
        finally:
            self.in_flight -= 1

    async def _answered(
        self, request: Received, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        shape, mode = SHAPES[self.preset], self.mode
        image = image_in(request.headers.get("content-type", ""), body)
        request.sha256 = hashlib.sha256(image).hexdigest() if image else ""
        if (status := self._own_refusal(request, shape.path)) is not None:
            mode = Mode(status=status, latency=0.0)
        elif request.sha256 in self.for_image:
            mode = self.for_image[request.sha256]
        elif self.next:
            mode = self.next.popleft()
        request.outcome = mode.kind if mode.kind != "answer" else ""
        if mode.kind == "hang":
            await reader.read(1)
            return False
        due = request.at + (self.latency if mode.latency is None else mode.latency)
        if mode.kind != "late":
            await asyncio.sleep(due - time.monotonic())
        if mode.kind == "reset":
            _reset(writer)
            return False
        status, content, added = self._content(request, mode)
        request.outcome = request.outcome or str(status)
        head = _head(status, len(content), added)
        if mode.kind == "cut":
            writer.write(head + content[: len(content) // 2])
            await writer.drain()
            return False
        writer.write(head)
        if mode.kind == "late":
            await asyncio.sleep(due - time.monotonic())
        writer.write(content)
        await writer.drain()
        return not mode.closes

    def _own_refusal(self, request: Received, path: str) -> int | None:
        """Return the status of a refusal that follows from the request; None if there is none."""
        while self._arrivals and self._arrivals[0] <= request.at - 1.0:
            self._arrivals.popleft()
        self._arrivals.append(request.at)
        if self.limit and len(self._arrivals) > self.limit:
            self.over_limit += 1
            return HTTPStatus.TOO_MANY_REQUESTS
        values = (*request.headers.values(), *(value for _, value in request.query))
        if self.key and not any(self.key in value for value in values):
            return HTTPStatus.UNAUTHORIZED
        if path and request.path != path:
            return HTTPStatus.NOT_FOUND
        return None if request.sha256 else HTTPStatus.BAD_REQUEST

    def _content(self, request: Received, mode: Mode) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and further headers of an answer."""
        shape = SHAPES[self.preset]
        if mode.kind == "page":
            return 200, _PAGE, {"Content-Type": "text/html"}
        if mode.kind == "refusal" and shape.refusal is None:
            mode = replace(mode, status=503)
        if mode.kind == "rejection" and shape.rejection is None:
            mode = replace(mode, status=400)
        if mode.status != HTTPStatus.OK:
            said = _json({"detail": f"told to answer {HTTPStatus(mode.status).phrase}{self.says}"})
            return mode.status, said, {"Retry-After": mode.retry_after} if mode.retry_after else {}
        if mode.kind in {"refusal", "rejection"}:
            content = shape.refusal if mode.kind == "refusal" else shape.rejection
        elif shape.polls:
            self._results[request.sha256] = self.polls
            return 202, b"", {"Operation-Location": f"{self.url}/results/{request.sha256}"}
        else:
            content = shape.answer(self.text(request.sha256).split("\n"))
        return 200, _json(content), {}

    def _result(self, sha256: str) -> bytes:
        """Return the result that is asked for."""
        left = self._results.get(sha256, 0)
        self._results[sha256] = left - 1
        if left > 0:
            return _json({"status": "running"})
        return _json(SHAPES[self.preset].answer(self.text(sha256).split("\n")))

    def _controlled(self, path: str, query: Mapping[str, str]) -> bytes:
        """Change what is answered, if that is asked for; return the counts."""
        if path == "/_set":
            self.latency = float(query.get("latency", self.latency))
            self.limit = int(query.get("limit", self.limit))
            self.mode = Mode.parse(query["mode"]) if "mode" in query else self.mode
        return _json(self.counts)


@contextlib.contextmanager
def serving(preset: str = "rapidocr", **options: Any) -> Iterator[OcrService]:
    """Run a service; ``options`` are those of :class:`OcrService`."""
    service = OcrService(preset, **options)
    service.start()
    try:
        yield service
    finally:
        service.stop()


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    pieces = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(pieces)


async def _send(writer: asyncio.StreamWriter, status: int, content: bytes) -> bool:
    writer.write(_head(status, len(content), {}) + content)
    await writer.drain()
    return True


def _head(status: int, length: int, added: Mapping[str, str]) -> bytes:
    headers = {"Content-Type": "application/json", "Content-Length": str(length), **added}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the client gets a reset."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_AND_RESET)
    writer.transport.abort()


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.ocr_services", description="An OCR service for benches.")
    parser.add_argument("--preset", choices=sorted(SHAPES), default="rapidocr")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds from a request to its answer")
    parser.add_argument("--limit", type=int, default=0, help="requests within any second, above which 429 is answered")
    parser.add_argument("--mode", type=Mode.parse, default=NORMAL, help="such as status=429,retry_after=3")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serving(**vars(options)) as service:
        print(service.url, flush=True)  # noqa: T201 - it is a program
        ended.wait()
    print(json.dumps(service.counts), flush=True)  # noqa: T201


if __name__ == "__main__":
    _main()
