"""Cache level in Redis, which several daemons share.

Redis may be gone, hang, be slow, be full, or hold what others have put there: scans are then read, at the same pace.
Lookups wait for it for a limited time, once for all scans of a round, and new texts are sent on the side.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, ClassVar, Final

from ocrwatch.cache.base import Entry
from ocrwatch.cache.breaker import Breaker
from ocrwatch.cache.redis_client import ELSEWHERE, abort, in_words, is_refusal, open_client
from ocrwatch.cache.redis_options import RedisOptions
from ocrwatch.cache.sealing import Rejected, name_of, seal, unseal
from ocrwatch.events import CacheFailed, publish
from ocrwatch.settings.types import format_duration
from ocrwatch.storage.side_thread import SideThread

if TYPE_CHECKING:
    from redis import Redis

_PATIENCE: Final = 1.0
"""Seconds for a connection, and for an answer that no scan waits for."""

_START: Final = 1.0
"""Seconds from the start for which lookups wait for the first connection: later ones are made on the side. Workers take
as long to load their engines.
"""

_MOST_WAITING: Final = 16_000_000
"""Bytes of the new pages that wait to be sent: about 1,000 pages of 800 words."""

_OVERHEAD: Final = 500
"""Bytes of a waiting page besides its own."""

_LAST: Final = 1.0
"""Seconds for which the end waits for the last new pages."""


class RedisLevel:
    """Signed pages in Redis."""

    in_memory: ClassVar[bool] = False

    def __init__(self, options: RedisOptions) -> None:
        """Connect on the side; never waits."""
        self._options = options
        server = Breaker(f"Redis at {options.address}")
        self._lookups = _Lookups(options, server)
        self._writes = _Writes(options, server)
        self._complained = False

    @property
    def dropped(self) -> int:
        """How many new pages were not sent, because Redis was away, full or too slow."""
        return self._writes.dropped

    def get(self, key: bytes) -> Entry | None:
        """Return the entry under ``key``, None if there is none."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """Return the entries under these keys; waits at most ``timeout`` for Redis, and not at all while it fails."""
        names = [name_of(key) for key in keys]
        found: dict[bytes, Entry] = {}
        for key, name, value in zip(keys, names, self._lookups.ask(names), strict=False):
            if value is None:
                continue
            try:
                found[key] = unseal(self._options.key, name, value)
            except Rejected as reason:
                self._complain(reason)
        return found

    def put(self, key: bytes, entry: Entry) -> None:
        """Send an entry on the side; never waits."""
        self._writes.add(key, entry)

    def prune(self) -> None:
        """Do nothing: Redis drops what is too old."""

    def close(self) -> None:
        """Send what waits, for a second at most, and close the connections."""
        self._writes.close()
        self._lookups.close()

    def _complain(self, reason: Rejected) -> None:
        """Log the first value that is rejected; a good one takes its place when its scan was read."""
        if not self._complained:
            self._complained = True
            remedy = "use the same cache.redis_key_file on all machines, and let only ocrwatch write to ocrwatch:1:*"
            publish(CacheFailed(reason=f"a text in Redis {reason}", remedy=f"{remedy}; {ELSEWHERE}"))


class _Lookups:
    """Asks for many values at once, over a connection that is made on the side."""

    def __init__(self, options: RedisOptions, server: Breaker) -> None:
        self._options = options
        self._server = server
        self._lock = threading.Lock()
        self._thread = SideThread("cache-redis-read")
        self._client: Redis | None = None
        self._opening: Future[Redis] | None = self._thread.submit(self._open)
        self._start_by = time.monotonic() + _START

    def ask(self, names: Sequence[bytes]) -> Sequence[object]:
        """Return the values of these names in order, None for each that there is not; empty while Redis fails."""
        with self._lock:
            client = self._usable()
            if client is None:
                return ()
            request = self._thread.submit(client.mget, names)
            try:
                values = request.result(self._options.timeout)
            except Exception as error:  # noqa: BLE001 - whatever it is, the scans are read
                request.cancel()
                self._fail(error, client)
                return ()
            self._server.worked()
            return values

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                abort(self._client)
            self._thread.close(0)

    def _usable(self) -> Redis | None:
        """Return the connected client, None if there is none yet, or if it is too early after a failure."""
        if self._opening is None:
            if not self._server.allows():
                return None
            if self._client is not None:
                return self._client
            self._opening = self._thread.submit(self._open)
        try:
            self._client = self._opening.result(max(0.0, self._start_by - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - as above
            if not self._opening.done():
                return None
            self._fail(error, None)
        else:
            self._server.worked()
        self._opening = None
        return self._client

    def _open(self) -> Redis:
        """Connect: takes an encrypted connection longer than a lookup may."""
        client = open_client(self._options, _PATIENCE)
        client.ping()
        return client

    def _fail(self, error: Exception, client: Redis | None) -> None:
        # An answer that comes later is of no use, and must not be taken for that to the next request.
        if client is not None:
            abort(client)
        self._client = None
        if isinstance(error, TimeoutError):
            remedy = f"check its load, or set a longer cache.redis_timeout; {ELSEWHERE}"
            self._server.failed(f"did not answer within {format_duration(self._options.timeout)}", remedy)
        else:
            self._server.failed(*in_words(error))


class _Writes:
    """Sends new values one after the other; what Redis cannot take in time is dropped."""

    def __init__(self, options: RedisOptions, server: Breaker) -> None:
        self._options = options
        self._server = server
        self._refusals = Breaker(f"Redis at {options.address}")
        self._lock = threading.Lock()
        self._thread = SideThread("cache-redis-write")
        self._client: Redis | None = None
        self._waiting = 0
        self._is_closing = False
        self.dropped = 0

    def add(self, key: bytes, entry: Entry) -> None:
        weight = len(entry.page) + _OVERHEAD
        with self._lock:
            if self._server.is_away or self._refusals.is_away or self._waiting + weight > _MOST_WAITING:
                self.dropped += 1
                return
            self._waiting += weight
        self._thread.submit(self._send, key, entry)

    def close(self) -> None:
        self._thread.close(_LAST)
        self._is_closing = True
        if self._client is not None:
            abort(self._client)

    def _send(self, key: bytes, entry: Entry) -> None:
        name = name_of(key)
        value = seal(self._options.key, name, entry)
        is_sent = value is None or self._set(name, value)
        with self._lock:
            self._waiting -= len(entry.page) + _OVERHEAD
            self.dropped += not is_sent

    def _set(self, name: bytes, value: bytes) -> bool:
        # In this order: the one try of a server that failed must not be given up for its other failure.
        if self._refusals.is_away or not (self._server.allows() and self._refusals.allows()):
            return False
        try:
            if self._client is None:
                self._client = open_client(self._options, _PATIENCE)
            self._client.set(name, value, px=max(1, round(self._options.max_age * 1000)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the page is not shared
            if self._is_closing:
                return False
            breaker = self._refusals if is_refusal(error) else self._server
            breaker.failed(*in_words(error))
            return False
        self._server.worked()
        self._refusals.worked()
        return True
