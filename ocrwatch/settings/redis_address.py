"""The address of a Redis server: ``redis://``, ``rediss://`` (encrypted) or ``unix://``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator

DEFAULT_PORT: Final = 6379
_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})
_EXAMPLES: Final = (
    'write an address, such as "redis://localhost", "rediss://cache.example.org:6379/0" or '
    '"unix:///run/redis/redis-server.sock?db=0"'
)
_SOCKET_DATABASE: Final = "db="


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis server is."""

    host: str
    """Empty for a socket."""
    port: int
    socket: str
    """Absolute path of a Unix socket; empty for a host."""
    database: int
    user: str
    """A user of Redis' access control lists; empty for the default one."""
    encrypted: bool

    def __str__(self) -> str:
        """Return the address as it is written in the settings; no password can be in it."""
        user = f"{self.user}@" if self.user else ""
        if self.socket:
            return f"unix://{user}{self.socket}{f'?{_SOCKET_DATABASE}{self.database}' if self.database else ''}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "rediss" if self.encrypted else "redis"
        return f"{scheme}://{user}{host}:{self.port}{f'/{self.database}' if self.database else ''}"

    @property
    def is_of_this_machine(self) -> bool:
        """Whether what is sent there cannot leave this machine."""
        if self.socket or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_redis_address(value: str) -> RedisAddress:
    """Return the parts of an address.

    Raises ValueError, whose text says what would be right.
    """
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(_EXAMPLES) from None
    if parts.password is not None or "password" in parts.query.lower():
        raise ValueError("put the password into a file, and name that in cache.redis_password_file")
    if parts.scheme not in _SCHEMES or parts.fragment or port == 0 or not value.isascii() or not value.isprintable():
        raise ValueError(_EXAMPLES)
    user = unquote(parts.username or "")
    if parts.scheme == "unix":
        socket = unquote(parts.path)
        if parts.hostname or port is not None or not socket.startswith("/") or "\0" in socket:
            raise ValueError(_EXAMPLES)
        return RedisAddress("", 0, socket, _database_of_socket(parts), user, encrypted=False)
    if not parts.hostname or parts.query:
        raise ValueError(_EXAMPLES)
    database = _number(parts.path.removeprefix("/"))
    return RedisAddress(parts.hostname, port or DEFAULT_PORT, "", database, user, encrypted=parts.scheme == "rediss")


def _database_of_socket(parts: SplitResult) -> int:
    if parts.query and not parts.query.startswith(_SOCKET_DATABASE):
        raise ValueError(_EXAMPLES)
    return _number(parts.query.removeprefix(_SOCKET_DATABASE))


def _number(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or len(text) > len("9999"):
        raise ValueError(_EXAMPLES)
    return int(text)


def _redis_url(value: str) -> str:
    if value:
        parse_redis_address(value)
    return value


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
"""An address that :func:`parse_redis_address` accepts; empty for none."""
