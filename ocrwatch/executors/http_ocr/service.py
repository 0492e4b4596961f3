"""One remote OCR service: its pace, its key, its connections, and what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from ocrwatch.errors import EngineFailed, OcrwatchError, ScanFault, ServiceFault
from ocrwatch.events import RemoteAnswered, RemoteRefused, publish
from ocrwatch.executors.http_ocr.client import Client, NoAnswer, Response
from ocrwatch.executors.http_ocr.gate import Gate
from ocrwatch.executors.http_ocr.keys import Key, key_of
from ocrwatch.executors.http_ocr.presets.base import Request, TokenExchange, key_place, open_preset
from ocrwatch.executors.http_ocr.refusals import is_accepted, is_ambiguous, refusal
from ocrwatch.recipe import REMOTE
from ocrwatch.settings.remote import Remote
from ocrwatch.settings.types import shown_address

_POLLED_EVERY: Final = 1.0
"""Seconds between two questions for a result, as the services advise that answer 202."""

_ACCEPTED: Final = 202
_RUNNING: Final = frozenset({"notstarted", "running"})
_RENEWED_BEFORE: Final = 60.0
"""Seconds before its end from which a token is not used any more."""

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Ambiguous(Exception):
    """A service failed on an image, and either may be the reason."""

    def __init__(self, of_scan: ScanFault, of_service: ServiceFault, *, trial_helps: bool) -> None:
        """``trial_helps``: whether another image would show which."""
        super().__init__(of_scan.message)
        self.of_scan = of_scan
        self.of_service = of_service
        self.trial_helps = trial_helps


class _Progress(msgspec.Struct):
    """What is known of a result while it is made."""

    status: str = ""


class Service:
    """Asks one service. Lives on the event loop."""

    def __init__(self, remote: Remote) -> None:
        """Load the preset; raises :class:`UsageError` if it does not exist, or does not take the options."""
        self.options = remote
        self.preset = open_preset(remote.preset)
        self.preset.check(remote.service)
        self.name = remote.name
        self.successes = 0
        """Images that it has read."""
        self._gate = Gate(remote.rate, remote.concurrency)
        self._client = Client(remote.name, remote.url, remote.concurrency, remote.timeout)
        self._token: tuple[str, float] | None = None
        """A token and when it ends (monotonic seconds)."""
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
        async with self._gate.turn():
            begun = time.monotonic()
            try:
                response = await self._send(message, begun + self.options.timeout)
            except NoAnswer as fault:
                self._refused(fault, None, begun)
                of_scan = EngineFailed(fault.message, "look at the scan; set a longer timeout of the service")
                raise Ambiguous(of_scan, fault, trial_helps=False) from None
            except ServiceFault as fault:
                self._refused(fault, None, begun)
                raise
            if not is_accepted(response.status):
                self._refuse(response, begun)
            publish(
                RemoteAnswered(
                    service=self.name,
                    status=response.status,
                    ms=round((time.monotonic() - begun) * 1000),
                    bytes=len(response.body),
                )
            )
            return response.body

    def stop(self) -> None:
        """Send no more requests; those that were sent are waited for."""
        self._gate.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return self._gate.held

    def refused(self, error: ServiceFault, begun: float) -> ServiceFault:
        """Complete the fault of a request that began at ``begun`` (monotonic seconds), and forget its token."""
        error.service, error.tried_at = self.name, begun
        self._token = None
        return error

    def without_key(self, error: OcrwatchError) -> None:
        """Remove the key from an error: some services repeat it."""
        secrets = [self._token[0]] if self._token else []
        with contextlib.suppress(ServiceFault):
            key = self._key()
            secrets += key.parts if key is not None else ()
        for secret in secrets:
            error.message = error.message.replace(secret, "…")
            error.args = tuple(each.replace(secret, "…") if isinstance(each, str) else each for each in error.args)

    async def _send(self, message: Request, deadline: float) -> Response:
        """Send a request, and ask for its result until it is there."""
        headers = {"Content-Type": message.content_type, **dict(message.headers)}
        key_headers, query = await self._authorization()
        url = f"{self.options.url.rstrip('/')}{message.path}" if message.path else self.options.url
        response = await self._client.post(url, message.body, headers | key_headers, (*message.query, *query))
        if not (self.preset.polls and response.status == _ACCEPTED):
            return response
        place = response.headers.get("Operation-Location") or response.headers.get("Location") or ""
        return await self._result(urljoin(url, place), key_headers, deadline)

    async def _result(self, url: str, headers: Mapping[str, str], deadline: float) -> Response:
        """Ask for a result until it is made."""
        if urlsplit(url)[:2] != urlsplit(self.options.url)[:2]:
            # The key is sent to no other server.
            raise ServiceFault(
                f"the service {self.name} says that the result is on another server ({shown_address(url)})",
                "check url and preset of the service",
            )
        while time.monotonic() < deadline:
            await asyncio.sleep(_POLLED_EVERY)
            response = await self._client.get(url, headers)
            if not is_accepted(response.status) or not _is_running(response.body):
                return response
        raise NoAnswer(
            f"the service {self.name} did not read an image within {self.options.timeout:g} s",
            "see the service; set a longer timeout if it needs more time",
        )

    def _key(self) -> Key | None:
        """Return the key; raises :class:`ServiceFault` if it cannot be read."""
        try:
            return key_of(self.options)
        except OcrwatchError as error:
            raise ServiceFault(error.message, error.remedy) from error

    async def _authorization(self) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
        """Return the headers and parameters with the key."""
        if (key := self._key()) is None:
            return {}, ()
        place = key_place(self.preset, self.options.service)
        exchange = self.preset.exchange(key.value, self.options.service)
        secret = key.value if exchange is None else await self._exchanged(exchange)
        if place.query:
            return {}, ((place.query, secret),)
        return {place.header: f"{place.prefix}{secret}"}, ()

    async def _exchanged(self, exchange: TokenExchange) -> str:
        """Return a token, which is asked for once and used until it ends."""
        async with self._exchanging:
            if self._token is None or self._token[1] < time.monotonic():
                response = await self._client.post(exchange.url, urlencode(exchange.form).encode(), _FORM)
                if not is_accepted(response.status):
                    error = refusal(self.name, response.status, "", response.body)
                    raise ServiceFault(f"no token: {error.message}", "check the key of the service")
                token, seconds = self.preset.token(response.body)
                self._token = token, time.monotonic() + max(0.0, seconds - _RENEWED_BEFORE)
            return self._token[0]

    def _refuse(self, response: Response, begun: float) -> None:
        """Raise the error of a refusal."""
        error = refusal(self.name, response.status, response.headers.get("Retry-After", ""), response.body)
        self.without_key(error)
        self._refused(error, response.status, begun)
        if isinstance(error, ScanFault) and is_ambiguous(response.status):
            of_service = ServiceFault(error.message, "see the service, and its options; it is tried again")
            raise Ambiguous(error, of_service, trial_helps=True)
        raise error

    def _refused(self, error: OcrwatchError, status: int | None, begun: float) -> None:
        if isinstance(error, ServiceFault):
            self.refused(error, begun)
        publish(
            RemoteRefused(
                service=self.name,
                reason=error.message,
                status=status,
                ms=round((time.monotonic() - begun) * 1000),
                remedy=error.remedy,
            )
        )


def _is_running(body: bytes) -> bool:
    try:
        return msgspec.json.decode(body, type=_Progress).status.lower() in _RUNNING
    except msgspec.MsgspecError:
        return False
