"""One remote OCR service: its pace, its key, its connections, and what it refuses."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import msgspec
from yarl import URL

from ocrwatch.backoff import Backoff
from ocrwatch.errors import NO_SERVER, EngineFailed, OcrwatchError, ScanFault, ServiceFault
from ocrwatch.events import RemoteAnswered, RemoteRefused, publish
from ocrwatch.executors.http_ocr.client import Client, NoAnswer, Response
from ocrwatch.executors.http_ocr.gate import Gate, Turn
from ocrwatch.executors.http_ocr.keys import Key, key_of
from ocrwatch.executors.http_ocr.presets.base import Request, TokenExchange, key_place, open_preset
from ocrwatch.executors.http_ocr.refusals import is_accepted, is_ambiguous, may_be_of_image, may_be_of_key, refusal
from ocrwatch.recipe import REMOTE
from ocrwatch.settings.remote import Remote
from ocrwatch.storage.side_thread import SideThread

_POLLED_EVERY: Final = 1.0
"""Seconds between two questions for a result, as the services advise that answer 202."""

_ACCEPTED: Final = 202
_RUNNING: Final = frozenset({"notstarted", "running"})
_RENEWED_BEFORE: Final = 60.0
"""Seconds before its end from which a token is not used any more."""

_SHORTEST_SECRET: Final = 6
"""Characters of a part of a key that are removed from messages."""

_MOST_SECRETS: Final = 8
"""Keys and tokens that are kept out of messages: answers to requests with earlier ones may still come."""

_WRONG_URL: Final = "check url and preset of the service"

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Ambiguous(Exception):
    """A service failed on an image, and either may be the reason."""

    def __init__(self, of_scan: ScanFault, of_service: ServiceFault, *, at_once: bool) -> None:
        """``at_once``: whether the image is the more likely reason; otherwise only if it fails again."""
        super().__init__(of_scan.message)
        self.of_scan = of_scan
        self.of_service = of_service
        self.at_once = at_once


@dataclass(frozen=True, slots=True)
class _Token:
    """What is sent instead of a key."""

    exchange: TokenExchange
    """What it was given for: another key needs another token."""
    value: str
    ends_at: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _NoToken:
    """The last exchange that failed."""

    exchange: TokenExchange
    message: str
    remedy: str
    ended_at: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _Authorization:
    """The key as a request has it."""

    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...] = ()


class _Progress(msgspec.Struct):
    """What is known of a result while it is made."""

    status: str = ""


class Service:
    """Asks one service. Lives on the event loop."""

    def __init__(self, remote: Remote, backoff: Backoff) -> None:
        """Load the preset; raises :class:`UsageError` if it does not exist, or does not take the options."""
        self.options = remote
        self.preset = open_preset(remote.preset)
        self.preset.check(remote.service)
        self.name = remote.name
        self._backoff = backoff
        self._gate = Gate(remote.rate, remote.concurrency)
        self._client = Client(remote.name, remote.url, remote.concurrency, remote.timeout)
        # A file may be on a mount that hangs.
        self._reader = SideThread(f"key-{remote.name}") if remote.key_file is not None else None
        self._recent: deque[tuple[str, ...]] = deque(maxlen=_MOST_SECRETS)
        """The parts of the last keys, and the last tokens."""
        self._secrets: tuple[str, ...] = ()
        """What must be in no message, the longest first."""
        self._token: _Token | None = None
        self._no_token: _NoToken | None = None
        self._exchanging = asyncio.Lock()

    @property
    def cause(self) -> str:
        """The cause of its pauses."""
        return f"{REMOTE}{self.name}"

    async def ask(self, message: Request) -> bytes:
        """Send an image, and return the body of the answer.

        Raises :class:`ServiceFault` if the service reads no image now, :class:`Rejected` if it refuses this one,
        :class:`Ambiguous` if it cannot be told, and :class:`Stopping`.
        """
        self._check_pause()
        # Before its turn: those that have waited for a token together would be sent together.
        authorization = await self._authorized()
        async with self._gate.turn() as turn:
            # It may have begun while this one waited.
            self._check_pause()
            begun = time.monotonic()
            try:
                response = await self._send(message, authorization, begun + self.options.timeout, turn)
            except ServiceFault as fault:
                self._record(fault, None, begun)
                if isinstance(fault, NoAnswer):
                    raise _ambiguous(fault) from None
                raise
            if not is_accepted(response.status):
                raise self._refusal(response, begun)
            took_ms, size = round((time.monotonic() - begun) * 1000), len(response.body)
            publish(RemoteAnswered(service=self.name, status=response.status, ms=took_ms, bytes=size))
            return response.body

    def stop(self) -> None:
        """Send no more requests; those that were sent are waited for."""
        self._gate.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._reader is not None:
            self._reader.close(0.0)
        await self._client.close()

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return self._gate.held

    def completed(self, fault: ServiceFault, begun: float) -> ServiceFault:
        """Complete the fault of a request that began at ``begun`` (monotonic seconds).

        If the preset found it in an answer that was accepted, the token is forgotten: it may be the reason.
        """
        if not fault.service:
            self._token = None
        return self._named(fault, begun)

    def _named(self, fault: ServiceFault, begun: float) -> ServiceFault:
        """Say which service a fault is of, and when it was asked."""
        fault.service, fault.tried_at = self.name, begun
        self.without_key(fault)
        return fault

    def without_key(self, error: OcrwatchError) -> None:
        """Remove the key from an error: some services repeat it."""
        error.message = self._cleaned(error.message)
        error.args = tuple(self._cleaned(each) if isinstance(each, str) else each for each in error.args)

    def _cleaned(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
            # The end of a message may have been cut off, and with it a part of the key.
            for length in range(len(secret) - 1, _SHORTEST_SECRET - 1, -1):
                text = text.replace(f"{secret[:length]}…", "…")
        return text

    def _check_pause(self) -> None:
        """Raise the reason of a pause that has begun since the scheduler let the scan through."""
        pause = self._backoff.active.get(self.cause)
        if pause is not None and pause.next_try > time.monotonic():
            raise self._named(ServiceFault(pause.message, pause.remedy), pause.begun)

    async def _send(self, message: Request, authorization: _Authorization, deadline: float, turn: Turn) -> Response:
        """Send a request, and ask for its result until it is there."""
        headers = {"Content-Type": message.content_type, **dict(message.headers), **authorization.headers}
        query = (*message.query, *authorization.query)
        url = _joined(self.options.url, message.path)
        response = await self._client.post(url, message.body, headers, query, turn.is_sent_now)
        if not (self.preset.polls and response.status == _ACCEPTED):
            return response
        place = response.headers.get("Operation-Location") or response.headers.get("Location") or ""
        return await self._result(url, place, authorization.headers, deadline)

    async def _result(self, asked: str, place: str, headers: Mapping[str, str], deadline: float) -> Response:
        """Ask for a result until it is made."""
        try:
            url = urljoin(asked, place)
            is_elsewhere = URL(url).origin() != URL(asked).origin()
        except ValueError as error:
            raise self._fault("does not say where its result is", _WRONG_URL) from error
        if is_elsewhere:
            # The key is sent to no other server.
            raise self._fault("says that its result is on another server", _WRONG_URL)
        while time.monotonic() < deadline:
            await asyncio.sleep(_POLLED_EVERY)
            response = await self._client.get(url, headers)
            if not is_accepted(response.status) or not _is_running(response.body):
                return response
        raise NoAnswer(
            f"the service {self.name} did not read an image within {self.options.timeout:g} s",
            "see the service; set a longer timeout if it needs more time",
        )

    def _fault(self, what: str, remedy: str) -> ServiceFault:
        return ServiceFault(f"the service {self.name} {what}", remedy)

    async def _authorized(self) -> _Authorization:
        """Return the key as requests have it; raises :class:`ServiceFault`, which is published, if there is none."""
        begun = time.monotonic()
        try:
            return await self._authorization()
        except ServiceFault as fault:
            # One that others have met as well is published once.
            if not fault.service:
                self._record(fault, None, begun)
            raise

    async def _authorization(self) -> _Authorization:
        if (key := await self._key()) is None:
            return _Authorization({})
        place = key_place(self.preset, self.options.service)
        with self._blamed_on_preset():
            exchange = self.preset.exchange(key.value, self.options.service)
        secret = key.value if exchange is None else await self._exchanged(exchange)
        if place.query:
            return _Authorization({}, ((place.query, secret),))
        return _Authorization({place.header: f"{place.prefix}{secret}"})

    async def _key(self) -> Key | None:
        """Return the key; raises :class:`ServiceFault` if it cannot be read."""
        try:
            async with asyncio.timeout(self.options.timeout):
                key = await self._read_key()
        except TimeoutError as error:
            raise ServiceFault(
                f"the file {self.options.key_file} with the key of the service {self.name} "
                f"was not read within {self.options.timeout:g} s",
                NO_SERVER,
            ) from error
        except OcrwatchError as error:
            raise ServiceFault(error.message, error.remedy) from error
        if key is not None:
            self._hide(key.parts)
        return key

    async def _read_key(self) -> Key | None:
        if self._reader is None:
            return key_of(self.options)
        return await asyncio.wrap_future(self._reader.submit(key_of, self.options))

    def _hide(self, secrets: tuple[str, ...]) -> None:
        """Remove secrets from messages from now on, and the last ones before them."""
        if secrets in self._recent:
            self._recent.remove(secrets)
        self._recent.append(secrets)
        self._secrets = tuple(sorted({secret for each in self._recent for secret in each}, key=len, reverse=True))

    async def _exchanged(self, exchange: TokenExchange) -> str:
        """Return a token, which is asked for once and used until it ends.

        If that fails, so do all that wait for it: each would wait as long for the same refusal.
        """
        asked_at = time.monotonic()
        async with self._exchanging:
            token, failed = self._token, self._no_token
            if token is None or token.exchange != exchange or token.ends_at < time.monotonic():
                if failed is not None and failed.exchange == exchange and failed.ended_at >= asked_at:
                    raise self._named(ServiceFault(failed.message, failed.remedy), asked_at)
                try:
                    token = self._token = await self._asked_for_token(exchange)
                except ServiceFault as fault:
                    self._no_token = _NoToken(exchange, fault.message, fault.remedy, time.monotonic())
                    raise
            self._hide((token.value,))
            return token.value

    async def _asked_for_token(self, exchange: TokenExchange) -> _Token:
        self._gate.check_open()
        try:
            response = await self._client.post(exchange.url, urlencode(exchange.form).encode(), _FORM)
        except NoAnswer as fault:
            # It has nothing to do with an image.
            raise ServiceFault(fault.message, fault.remedy) from fault
        if not is_accepted(response.status):
            error = self._said(response)
            raise ServiceFault(f"no token: {error.message}", "check the key of the service")
        with self._blamed_on_preset():
            value, seconds = self.preset.token(response.body)
        return _Token(exchange, value, time.monotonic() + max(0.0, seconds - _RENEWED_BEFORE))

    @contextmanager
    def _blamed_on_preset(self) -> Iterator[None]:
        """Turn an error of a preset of another package into the service's; its message may have the key."""
        try:
            yield
        except OcrwatchError:
            raise
        except Exception as error:
            failure = f"cannot be asked: the preset {self.options.preset} failed ({type(error).__name__})"
            raise self._fault(failure, "report it to the makers of its package") from error

    def _said(self, response: Response) -> OcrwatchError:
        """Return the error of a refusal; the key is removed from the body before that is cut to a length."""
        body = response.body
        for secret in self._secrets:
            body = body.replace(secret.encode(), "…".encode())
        return refusal(self.name, response.status, response.headers.get("Retry-After", ""), body)

    def _refusal(self, response: Response, begun: float) -> Exception:
        """Return the error of a refusal."""
        if may_be_of_key(response.status):
            self._token = None
        error = self._said(response)
        self._record(error, response.status, begun)
        if isinstance(error, ScanFault) and is_ambiguous(response.status):
            of_service = ServiceFault(error.message, "see the service, and its options; it is tried again")
            return Ambiguous(error, self._named(of_service, begun), at_once=True)
        if isinstance(error, ServiceFault) and may_be_of_image(response.status):
            return _ambiguous(error)
        return error

    def _record(self, error: OcrwatchError, status: int | None, begun: float) -> None:
        """Publish a refusal."""
        if isinstance(error, ServiceFault):
            self._named(error, begun)
        self.without_key(error)
        took_ms = round((time.monotonic() - begun) * 1000)
        publish(RemoteRefused(service=self.name, reason=error.message, status=status, ms=took_ms, remedy=error.remedy))


def _ambiguous(fault: ServiceFault) -> Ambiguous:
    """Return that an image may be the reason of a fault, if it meets it again."""
    of_scan = EngineFailed(fault.message, "look at the scan, and at the log of the service")
    return Ambiguous(of_scan, fault, at_once=False)


def _joined(url: str, path: str) -> str:
    """Append a path to an address, which may have parameters."""
    if not path:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}{path}"))


def _is_running(body: bytes) -> bool:
    try:
        return msgspec.json.decode(body, type=_Progress).status.lower() in _RUNNING
    except msgspec.MsgspecError:
        return False
