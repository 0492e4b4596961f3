"""Checks the Redis server of the cache: that it answers in time, that it can drop old texts, and who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ocrwatch.cache.redis_options import RedisOptions, redis_options
from ocrwatch.cache.redis_probe import ServerFacts, probe
from ocrwatch.checks.finding import Finding
from ocrwatch.checks.machine import exposed
from ocrwatch.errors import OcrwatchError
from ocrwatch.settings import Settings
from ocrwatch.settings.types import format_duration

_SUBJECT: Final = "redis"
_MEMORY: Final = "redis memory"
_CONNECTION: Final = "redis connection"
_KEEPS_EVERYTHING: Final = "noeviction"


def redis_server(settings: Settings) -> Iterator[Finding]:
    """Check Redis, if the cache uses it; without it ocrwatch works, so there are only warnings."""
    cache = settings.cache
    try:
        options = redis_options(cache) if cache.enabled else None
    except OcrwatchError:
        # A finding of the cache.
        return
    if options is None:
        return
    for name in ("redis_key_file", "redis_password_file"):
        if (path := getattr(cache, name)) is not None:
            yield from exposed(f"cache.{name}", path)
    yield from _privacy(options)
    try:
        facts = probe(options)
    except OcrwatchError as error:
        yield Finding(_SUBJECT, "warning", error.message, error.remedy)
        return
    yield _speed(options, facts)
    yield from _memory(facts)


def _privacy(options: RedisOptions) -> Iterator[Finding]:
    if not (options.address.encrypted or options.address.is_of_this_machine):
        message = f"texts go over the network to {options.address.host} unencrypted"
        yield Finding(_CONNECTION, "warning", message, "encrypt the connection: use rediss:// in cache.redis")


def _speed(options: RedisOptions, facts: ServerFacts) -> Finding:
    what = f"Redis{facts.version and f' {facts.version}'} at {options.address} answers in {facts.seconds * 1000:.1f} ms"
    if facts.seconds > options.timeout:
        allowed = format_duration(options.timeout)
        remedy = "set a longer cache.redis_timeout, or use a Redis server that is nearer"
        return Finding(_SUBJECT, "warning", f"{what}, and cache.redis_timeout is {allowed}", remedy)
    return Finding(_SUBJECT, "fine", what)


def _memory(facts: ServerFacts) -> Iterator[Finding]:
    if facts.memory_limit is None:
        # This user may not ask.
        return
    if facts.memory_limit == 0:
        message = "Redis has no limit of memory: texts and other values may fill its machine"
        remedy = "set its maxmemory, such as 200mb, and its maxmemory-policy to allkeys-lru"
        yield Finding(_MEMORY, "warning", message, remedy)
    elif facts.policy == _KEEPS_EVERYTHING:
        message = f"Redis takes no more texts when it has {facts.memory_limit / 1e6:.0f} MB"
        yield Finding(_MEMORY, "warning", message, "set its maxmemory-policy to allkeys-lru or volatile-lru")
    else:
        yield Finding(_MEMORY, "fine", f"Redis drops old values at {facts.memory_limit / 1e6:.0f} MB ({facts.policy})")
