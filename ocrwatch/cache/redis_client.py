"""The client of Redis, without the defaults that would wait, and its errors in words.

redis-py repeats a request ten times if the server does not answer, and waits 5 seconds for each answer. Here each
request is sent once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ocrwatch.cache.redis_options import INSTALL, RedisOptions
from ocrwatch.cache.sealing import PREFIX

if TYPE_CHECKING:
    from redis import Redis

ELSEWHERE: Final = "scans are read all the same"
"""What every remedy ends with."""

_UNREACHABLE: Final = "check that it runs and is reachable"


def open_client(options: RedisOptions, patience: float) -> Redis:
    """Return a client, which connects with its first request.

    ``patience`` is how many seconds it waits for a connection, and for each part of an answer.
    """
    # Costs 0.1 s and 10 MB, which daemons without Redis need not pay.
    from redis import Redis  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    address = options.address
    place: dict[str, Any] = {"host": address.host, "port": address.port}
    if address.socket:
        place = {"unix_socket_path": address.socket}
    elif address.encrypted:
        place |= {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return Redis(
        **place,
        db=address.database,
        username=address.user or None,
        password=options.password,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        # The older protocol needs no greeting: each request of the greeting would be another wait.
        protocol=2,
        driver_info=None,
    )


def abort(client: Redis) -> None:
    """Close its connection, also while another thread waits for an answer: that fails at once."""
    client.connection_pool.disconnect(inuse_connections=True)


def in_words(error: Exception) -> tuple[str, str]:
    """Return what an error says of the server, as the end of a sentence, and the remedy."""
    if isinstance(error, ImportError):
        return f"cannot be used: the package redis cannot be loaded ({error})", f"{INSTALL}; {ELSEWHERE}"
    from redis import exceptions  # noqa: PLC0415 - as above

    said = " ".join(str(error).split()) or type(error).__name__
    meanings: tuple[tuple[type[Exception], str, str], ...] = (
        (exceptions.OutOfMemoryError, "is full", "set its maxmemory-policy to allkeys-lru, or give it more memory"),
        (exceptions.ReadOnlyError, "is a replica, which takes no texts", "name the primary server in cache.redis"),
        (
            exceptions.AuthenticationError,
            f"refuses the password ({said})",
            "correct the file of cache.redis_password_file",
        ),
        (exceptions.NoPermissionError, f"refuses this user ({said})", f"allow it +mget +set +ping on {PREFIX}*"),
        (exceptions.ResponseError, f"refuses a request ({said})", "check its log"),
        (exceptions.TimeoutError, "does not answer", _UNREACHABLE),
        (Exception, f"cannot be reached ({said})", _UNREACHABLE),
    )
    reason, remedy = next(meaning[1:] for meaning in meanings if isinstance(error, meaning[0]))
    return reason, f"{remedy}; {ELSEWHERE}"


def is_refusal(error: Exception) -> bool:
    """Return whether a server that works answered with an error: other requests may go well."""
    from redis import exceptions  # noqa: PLC0415 - as above

    return isinstance(error, exceptions.ResponseError)
