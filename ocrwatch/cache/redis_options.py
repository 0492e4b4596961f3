"""Options of the Redis level: derived from the settings, and checked. Redis itself is not asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ocrwatch.errors import EnvironmentFault, UsageError, environment_fault
from ocrwatch.settings.caching import Cache
from ocrwatch.settings.redis_address import RedisAddress, parse_redis_address

INSTALL: Final = "install ocrwatch with its extra redis: pip install 'ocrwatch[redis]' (install.sh: --with-redis)"

_SHORTEST_KEY: Final = 32
"""Bytes of the file: those of 24 random bytes in base64, or of 16 in hexadecimal digits."""
_LONGEST_SECRET: Final = 8000
_USUAL_KEY_FILE: Final = Path("/etc/ocrwatch/redis.key")


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """Options of the Redis level. The secrets are not in its text form."""

    address: RedisAddress
    key: bytes = field(repr=False)
    """The secret that texts are signed with."""
    password: str | None = field(repr=False)
    max_age: float
    """Seconds for which Redis keeps a text."""
    timeout: float
    """Seconds for one answer."""


def redis_options(cache: Cache) -> RedisOptions | None:
    """Return the options of the Redis level, None without one.

    Raises :class:`UsageError` if there is no key file or one of the files holds no secret, and
    :class:`EnvironmentFault` if one cannot be read, or if the package redis is not installed.
    """
    if not cache.redis:
        return None
    if cache.redis_key_file is None:
        raise UsageError(
            "cache.redis needs cache.redis_key_file: without it, others who can write to Redis could choose the texts",
            f"{_make_key(_USUAL_KEY_FILE)}, copy the file to the other machines, and set cache.redis_key_file to it",
        )
    if find_spec("redis") is None:
        raise EnvironmentFault("cache.redis needs the package redis, which is not installed", INSTALL)
    return RedisOptions(
        parse_redis_address(cache.redis),
        _key(cache.redis_key_file),
        None if cache.redis_password_file is None else _password(cache.redis_password_file),
        min(cache.redis_max_age, cache.max_age),
        cache.redis_timeout,
    )


def _make_key(path: Path) -> str:
    return f"run (umask 077; head -c 32 /dev/urandom | base64 > {path}), let ocrwatch's user read it"


def _key(path: Path) -> bytes:
    key = _content(path, "cache.redis_key_file").strip()
    if len(key) < _SHORTEST_KEY:
        raise UsageError(
            f"the file {path} of cache.redis_key_file holds {len(key)} bytes, too few to be a secret",
            f"{_make_key(path)}, and copy the file to the other machines",
        )
    return key


def _password(path: Path) -> str:
    remedy = "write the password for Redis into it, on one line"
    try:
        password = _content(path, "cache.redis_password_file").decode().strip("\r\n")
    except UnicodeDecodeError:
        raise UsageError(f"the file {path} of cache.redis_password_file is not text in UTF-8", remedy) from None
    if not password or "\n" in password:
        raise UsageError(f"the file {path} of cache.redis_password_file holds no password", remedy)
    return password


def _content(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_SECRET)
    except OSError as error:
        raise environment_fault(
            error, f"cannot read the file {path} of {option}", closed="let ocrwatch's user read it"
        ) from error
