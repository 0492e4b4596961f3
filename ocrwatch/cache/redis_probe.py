"""Asks a Redis server how fast it answers, whether it takes texts, and what it does when it is full."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ocrwatch.cache.redis_client import in_words, open_client
from ocrwatch.cache.redis_options import RedisOptions
from ocrwatch.cache.sealing import PREFIX
from ocrwatch.errors import EnvironmentFault

if TYPE_CHECKING:
    from redis import Redis

_PATIENCE: Final = 3.0
"""Seconds for each answer: someone waits for the findings."""

_TRIES: Final = 3
"""Requests that are timed; the fastest counts."""

_NAME: Final = f"{PREFIX}doctor"
"""A value with this name is written as texts are, and gone after a millisecond."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a Redis server says of itself."""

    seconds: float
    """Time for an answer."""
    version: str
    memory_limit: int | None = None
    """Bytes; 0 for none, None if it is not known."""
    policy: str = ""
    """What it does if it is full, as ``maxmemory-policy`` names it."""


def probe(options: RedisOptions) -> ServerFacts:
    """Look something up, write something, and return what the server says of itself.

    Raises :class:`EnvironmentFault` if it does not answer, or refuses.
    """
    try:
        with contextlib.closing(open_client(options, _PATIENCE)) as client:
            client.ping()
            seconds = min(_time_lookup(client) for _ in range(_TRIES))
            client.set(_NAME, b"", px=1)
            return _facts(client, seconds)
    except Exception as error:
        reason, remedy = in_words(error)
        raise EnvironmentFault(f"Redis at {options.address} {reason}", remedy) from error


def _time_lookup(client: Redis) -> float:
    begun = time.perf_counter()
    client.mget([_NAME])
    return time.perf_counter() - begun


def _facts(client: Redis, seconds: float) -> ServerFacts:
    from redis.exceptions import ResponseError  # noqa: PLC0415 - only if there is a Redis server

    try:
        found = client.info()
    except ResponseError:
        # Forbidden to this user, who needs nothing of it.
        return ServerFacts(seconds, "")
    if not isinstance(found, Mapping):
        return ServerFacts(seconds, "")
    limit = found.get("maxmemory")
    return ServerFacts(
        seconds,
        str(found.get("redis_version", "")),
        limit if isinstance(limit, int) else None,
        str(found.get("maxmemory_policy", "")),
    )
