"""Posts notifications to an address, and retries until they are accepted or refused for good."""

from __future__ import annotations

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ocrwatch
from ocrwatch.events import HookRetrying, publish
from ocrwatch.settings.types import shown_address

if TYPE_CHECKING:
    from stamina.instrumentation import RetryDetails
    from urllib3 import PoolManager

_MIN_DELAY = 0.5
_MAX_DELAY = 30.0
_MAX_RETRY_AFTER = 300.0
"""Longest wait in seconds if the server itself sets it (Retry-After)."""
_RETRYABLE = frozenset({408, 425, 429})
"""Refusals that time may change (RFC 9110, 8470 and 6585); all others below 500 are final."""
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")


class PostFailed(Exception):
    """The address did not accept the notification.

    ``wait`` is the server's requested delay in seconds.
    """

    def __init__(self, reason: str, *, final: bool = False, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Address:
    """Where to post to, and how."""

    url: str
    header: tuple[str, str] | None
    """Name and value of a header that authenticates the sender."""
    timeout: float
    """Seconds for one attempt."""
    attempts: int

    @property
    def shown(self) -> str:
        """The address without its path, which may hold a secret."""
        return shown_address(self.url)


def parse_header(text: str) -> tuple[str, str] | None:
    """Return name and value of a header line such as ``Authorization: Bearer 1234``.

    None if it is none.
    """
    match = _HEADER.fullmatch(text.strip())
    return (match[1], match[2]) if match else None


class Webhook:
    """Posts notifications, one at a time.

    Redirects are not followed: the notification goes where the settings say and nowhere else.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "hooks-webhook")
        self._pool = self._thread.submit(_load)

    async def post(self, address: Address, body: bytes) -> None:
        """Post ``body`` as JSON; raises :class:`PostFailed` after the last attempt."""
        pool = await asyncio.wrap_future(self._pool)
        import stamina  # noqa: PLC0415 - _load has imported it

        loop = asyncio.get_running_loop()
        async for attempt in stamina.retry_context(
            on=_retry_delay,
            attempts=address.attempts,
            timeout=None,
            wait_initial=_MIN_DELAY,
            wait_max=_MAX_DELAY,
            wait_jitter=_MIN_DELAY,
        ):
            with attempt:
                await loop.run_in_executor(self._thread, _post_once, pool, address, body)

    def close(self) -> None:
        """Post no more. A post that was begun is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _load() -> PoolManager:
    """Import what only a webhook needs: it takes 0.3 s, too long for the event loop's thread."""
    import stamina.instrumentation  # noqa: PLC0415 - only if there is a webhook
    import urllib3  # noqa: PLC0415 - as above

    # It would warn of faulty headers of an answer with the whole address; what fails is told by PostFailed.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    # stamina would log in its own words.
    stamina.instrumentation.set_on_retry_hooks([_log_retry])
    return urllib3.PoolManager(retries=False)


def _post_once(pool: PoolManager, address: Address, body: bytes) -> None:
    import urllib3  # noqa: PLC0415 - as above

    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"ocrwatch/{ocrwatch.__version__}",
        **dict([address.header] if address.header else []),
    }
    try:
        response = pool.request(
            "POST",
            address.url,
            body=body,
            headers=headers,
            redirect=False,
            timeout=urllib3.Timeout(total=address.timeout),
            preload_content=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise PostFailed(_describe(error, address)) from error
    try:
        _check_status(response.status, response.headers.get("Retry-After", ""))
    finally:
        # The body of the answer is not needed, at any length.
        response.close()


def _check_status(status: int, retry_after: str) -> None:
    if status < 300:  # noqa: PLR2004 - 2xx: accepted
        return
    if status < 400:  # noqa: PLR2004 - 3xx: elsewhere
        raise PostFailed(f"answered {status}, a redirect, which is not followed", final=True)
    wait = min(float(retry_after), _MAX_RETRY_AFTER) if retry_after.isdecimal() else None
    final = status < 500 and status not in _RETRYABLE  # noqa: PLR2004 - 4xx: refused
    raise PostFailed(f"answered {status}", final=final, wait=wait)


def _retry_delay(error: Exception) -> bool | float:
    """Return to stamina whether to retry, or after how many seconds."""
    if not isinstance(error, PostFailed) or error.final:
        return False
    return True if error.wait is None else error.wait


def _log_retry(details: RetryDetails) -> None:
    reason = str(details.caused_by)
    publish(HookRetrying(hook="webhook", reason=reason, retry_in_s=round(details.wait_for, 1)))


def _describe(error: Exception, address: Address) -> str:
    """Describe an error without urllib3's class names and without the address's path."""
    cause = error.__cause__ or error.__context__
    words = getattr(cause, "strerror", None) or (str(cause) if cause else "")
    if "timed out" in f"{error} {words}".lower():
        return f"did not answer within {address.timeout:g} s"
    return f"could not be reached ({words or type(error).__name__})".replace(address.url, address.shown)
