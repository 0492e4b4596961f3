"""Options of the cache."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ocrwatch.settings.redis_address import RedisUrl
from ocrwatch.settings.section_base import Section
from ocrwatch.settings.types import Duration, Names, OptionalFile, Size, between, format_duration, format_size


class Cache(Section):
    """Texts of earlier scans, so that the same bytes are not read twice."""

    enabled: bool = True
    """Whether the text of a known scan is taken from the cache. The result is the same as reading it again, since the
    cache distinguishes settings, versions and language data. Disable it if no text may be kept in the state folder:
    the texts there are deleted at the next start, as they are if levels no longer has disk."""
    max_age: Annotated[Duration, between(60.0, 36500 * 86400.0, format_duration)] = 90 * 86400.0
    """How long a text is kept, 1m to 36500d."""
    max_bytes: Annotated[Size, between(10**6, 10**12, format_size)] = 200_000_000
    """Maximum size of the cache in the state folder, 1MB to 1TB. The oldest texts are removed first."""
    levels: Annotated[Names, Field(min_length=1)] = ("memory", "disk")
    """Where texts are kept, in order of lookup: memory, disk (the state folder), or levels that other packages add
    (entry points of the group ocrwatch.caches)."""
    redis: RedisUrl = ""
    """Redis server that several daemons share, asked after all levels, such as "rediss://cache.example.org"
    (encrypted), "redis://localhost:6379/0" or "unix:///run/redis/redis-server.sock"; empty for none. It needs
    redis_key_file and the extra redis. Texts leave this machine if the server is on another one."""
    redis_max_age: Annotated[Duration, between(60.0, 36500 * 86400.0, format_duration)] = 86400.0
    """How long a text is kept in Redis, 1m to 36500d, but no longer than max_age."""
    redis_timeout: Annotated[Duration, between(0.001, 1.0, format_duration)] = 0.05
    """Maximum time for an answer of Redis, 1ms to 1s. If it takes longer, or fails, Redis is not used for 30 seconds,
    and scans are read."""
    redis_key_file: OptionalFile = None
    """File with a secret, the same on all machines that share the texts: each text is signed with it, so that others
    who can write to Redis cannot change texts."""
    redis_password_file: OptionalFile = None
    """File with the password for Redis; empty for none. It is in no log and no status."""
