"""Sends requests to one service over HTTP, and keeps its connections."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

import ocrwatch
from ocrwatch.errors import ServiceFault, system_reason
from ocrwatch.settings.types import shown_address

MOST_RECEIVED: Final = 32_000_000
"""Bytes of an answer; chosen, far above that of a dense page with a box for each letter."""

_CONNECT_SECONDS: Final = 10.0
_KEPT_SECONDS: Final = 30.0
"""How long an idle connection is kept; chosen."""

_UNREACHED: Final = "check url of the service, the network, and whether the service runs"

_FURTHER_CONNECTIONS: Final = 4
"""Besides those of requests: for tokens."""


class _TooLong(Exception):
    """An answer has too many bytes."""


class NoAnswer(ServiceFault):
    """The service was reached and did not answer: it may be because of the image."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A request as it is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    connected: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of any status."""

    status: int
    headers: Mapping[str, str]
    """Names are of any case."""
    body: bytes


def proxy_for(url: URL) -> URL | None:
    """Return the proxy that the environment names for an address (HTTPS_PROXY, NO_PROXY)."""
    proxy = getproxies().get(url.scheme, "")
    if not proxy or proxy_bypass(f"{url.host}:{url.port}"):
        return None
    return URL(proxy if "://" in proxy else f"http://{proxy}")


class Client:
    """Sends requests to one service. Lives on the event loop; :meth:`close` ends its connections."""

    def __init__(self, service: str, url: str, connections: int, timeout: float) -> None:
        """``timeout`` is in seconds, for one request with its answer."""
        self._service = service
        self._shown = shown_address(url)
        self._connections = connections + _FURTHER_CONNECTIONS
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[URL, URL | None] = {}
        """By the origin of an address."""

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        query: Iterable[tuple[str, str]] = (),
        connected: Callable[[], None] | None = None,
    ) -> Response:
        """Send a request; raises :class:`ServiceFault` if there is no answer.

        ``connected`` is called if a new connection had to be made, just before the request is sent.

        Redirects are not followed: a scan goes where the settings say and nowhere else.
        """
        return await self._exchange(_Call("POST", url, headers, tuple(query), body, connected))

    async def get(self, url: str, headers: Mapping[str, str]) -> Response:
        """Ask for a result; raises like :meth:`post`."""
        return await self._exchange(_Call("GET", url, headers))

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, call: _Call) -> Response:
        try:
            try:
                return await self._once(call)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # The server may have closed a kept connection just as the request was sent. Reading an image twice
                # changes nothing.
                return await self._once(call)
        except aiohttp.ConnectionTimeoutError as error:
            raise ServiceFault(
                f"the service {self._service} ({self._shown}) cannot be reached (no connection within its time)",
                _UNREACHED,
            ) from error
        except TimeoutError as error:
            raise NoAnswer(
                f"the service {self._service} ({self._shown}) did not answer within {self._timeout:g} s",
                "see the service; set a longer timeout if it needs more time",
            ) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionResetError) as error:
            raise self._broken() from error
        except _TooLong as error:
            raise NoAnswer(
                f"the answer of the service {self._service} ({self._shown}) is too long"
                f" (more than {MOST_RECEIVED // 1_000_000} MB)",
                "see what the service answers: switch off pictures and other additions to the text there",
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if _was_broken(error):
                raise self._broken() from error
            if _is_no_http(error):
                raise NoAnswer(
                    f"the answer of the service {self._service} ({self._shown}) is no HTTP",
                    "check url of the service, and see its log",
                ) from error
            raise ServiceFault(
                f"the service {self._service} ({self._shown}) cannot be reached ({_reason(error)})",
                _UNREACHED,
            ) from error

    def _broken(self) -> NoAnswer:
        """Return that the connection ended early: an image may have ended the server."""
        return NoAnswer(
            f"the service {self._service} ({self._shown}) closed the connection before its answer was complete",
            "see the service and its log",
        )

    async def _once(self, call: _Call) -> Response:
        # The address is sent as it is written: it may have parts that are escaped already.
        target = URL(call.url, encoded=True).extend_query(call.query)
        async with self._open().request(
            call.method,
            target,
            data=call.body,
            headers=call.headers,
            allow_redirects=False,
            proxy=self._proxy(target),
            trace_request_ctx=call.connected,
        ) as response:
            content = await response.content.read(-1) if _is_short(response) else await _limited(response)
            return Response(response.status, response.headers, content)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_KEPT_SECONDS),
                timeout=aiohttp.ClientTimeout(
                    total=self._timeout, sock_connect=min(_CONNECT_SECONDS, self._timeout), ceil_threshold=3600
                ),
                headers={"User-Agent": f"ocrwatch/{ocrwatch.__version__}"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_tracing()],
            )
        return self._session

    def _proxy(self, target: URL) -> URL | None:
        """Return the proxy for an address.

        With trust_env, aiohttp would look for it in threads for each request, which took a third of its time and
        delayed it after its turn, and would send passwords of ~/.netrc.
        """
        origin = target.origin()
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(origin)
        return self._proxies[origin]


def _tracing() -> aiohttp.TraceConfig:
    """Return what calls ``connected`` of a request."""

    async def made(
        _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceConnectionCreateEndParams
    ) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx()

    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(made)
    return config


def _is_short(response: aiohttp.ClientResponse) -> bool:
    return (
        response.content_length is not None
        and response.content_length <= MOST_RECEIVED
        and not (response.headers.get("Content-Encoding"))
    )


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    """Return a body of unknown length; raises :class:`_TooLong`."""
    received = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        received += piece
        if len(received) > MOST_RECEIVED:
            raise _TooLong
    return bytes(received)


def _was_broken(error: Exception) -> bool:
    """Return whether a connection that was made was reset."""
    is_made = isinstance(error, aiohttp.ClientOSError) and not isinstance(error, aiohttp.ClientConnectorError)
    return is_made and getattr(error, "errno", None) in {errno.ECONNRESET, errno.EPIPE}


def _is_no_http(error: Exception) -> bool:
    """Return whether an answer came that cannot be parsed: a server may repeat text of the image in a header."""
    # The answer of a proxy has nothing to do with an image.
    return isinstance(error, aiohttp.ClientResponseError) and not isinstance(error, aiohttp.ClientHttpProxyError)


def _reason(error: Exception) -> str:
    """Return why there is no answer, without the address, whose path may hold a secret."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = f"its certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorDNSError():
            reason = "its name is not known"
        case aiohttp.ClientOSError():
            reason = system_reason(error)
        case _:
            reason = type(error).__name__
    return reason
