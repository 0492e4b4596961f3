"""Doctor's findings of Redis, with a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.checks.finding import Finding
from ocrwatch.checks.redis_server import redis_server
from ocrwatch.settings import Cache, Settings
from tests.redis_server import RedisServer, free_port
from tests.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a server with a limit of memory."""
    with RedisServer(tmp_path / "redis", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as server:
        yield server


def findings(folder: Path, url: str, **options: Any) -> dict[str, Finding]:
    """Return what is found, by its subject."""
    key = folder / "redis.key"
    if not key.exists():
        key.write_bytes(b"k" * 44)
        key.chmod(0o600)
    settings = Settings(cache=Cache(redis=url, redis_key_file=key, redis_timeout="1s", **options))
    return {finding.subject: finding for finding in redis_server(settings)}


def test_all_is_well(server: RedisServer, tmp_path: Path) -> None:
    """It answers in time and drops old texts; nothing is left in it."""
    found = findings(tmp_path, server.url)
    assert {finding.severity for finding in found.values()} == {"fine"}
    assert set(found) == {"redis", "redis memory"}
    assert server.url in found["redis"].message
    assert "allkeys-lru" in found["redis memory"].message
    until(lambda: server.names() == [], what="an empty server")


def test_without_redis_nothing_is_said(tmp_path: Path) -> None:
    """Nor if its options are wrong, which is a finding of the cache."""
    assert findings(tmp_path, "") == {}
    assert list(redis_server(Settings(cache=Cache(redis="redis://localhost")))) == []
    assert list(redis_server(Settings(cache=Cache(enabled=False, redis="redis://localhost")))) == []


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """A warning: scans are read without it."""
    found = findings(tmp_path, f"redis://127.0.0.1:{free_port()}")
    assert (found["redis"].severity, set(found)) == ("warning", {"redis"})
    assert "cannot be reached" in found["redis"].message
    assert found["redis"].remedy


def test_a_frozen_server(server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for for long."""
    monkeypatch.setattr("ocrwatch.cache.redis_probe._PATIENCE", 0.1)
    server.freeze()
    assert "does not answer" in findings(tmp_path, server.url)["redis"].message
    server.thaw()


def test_a_slow_server(server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than lookups wait."""
    monkeypatch.setattr("ocrwatch.cache.redis_probe._time_lookup", lambda _: 1.2)
    found = findings(tmp_path, server.url)["redis"]
    assert found.severity == "warning"
    assert "answers in 1200.0 ms, and cache.redis_timeout is 1s" in found.message
    assert "longer cache.redis_timeout" in found.remedy


def test_a_server_that_takes_nothing(server: RedisServer, tmp_path: Path) -> None:
    """It is full."""
    server.fill()
    found = findings(tmp_path, server.url)["redis"]
    assert found.severity == "warning"
    assert "is full" in found.message


@pytest.mark.parametrize(
    ("limit", "policy", "said"),
    [("0", "allkeys-lru", "no limit of memory"), ("50mb", "noeviction", "takes no more texts when it has 52 MB")],
)
def test_a_server_that_fills_up(limit: str, policy: str, said: str, server: RedisServer, tmp_path: Path) -> None:
    """Some day it fills its machine, or takes no more."""
    with server.client() as client:
        client.config_set("maxmemory", limit)
        client.config_set("maxmemory-policy", policy)
    found = findings(tmp_path, server.url)["redis memory"]
    assert found.severity == "warning"
    assert said in found.message
    assert "maxmemory" in found.remedy


def test_a_password(tmp_path: Path) -> None:
    """A wrong one is said without it, and the right one is used; what this user may not ask is left out."""
    word = "s3cret-word"
    acl = ("--user", "default", "on", f">{word}", "~ocrwatch:1:*", "+mget", "+set", "+ping")
    path = tmp_path / "password"
    with RedisServer(tmp_path / "redis", *acl) as server:
        path.write_text("other-word\n")
        found = findings(tmp_path, server.url, redis_password_file=path)["redis"]
        assert "refuses the password" in found.message
        assert "redis_password_file" in found.remedy
        assert "-word" not in found.message + found.remedy
        path.write_text(f"{word}\n")
        path.chmod(0o644)
        found_all = findings(tmp_path, server.url, redis_password_file=path)
    assert found_all["redis"].severity == "fine"
    assert "redis memory" not in found_all
    exposed = found_all["cache.redis_password_file"]
    assert (exposed.severity, exposed.remedy) == ("warning", f"run: chmod o-rwx {path}")


def test_a_user_who_may_not_write(tmp_path: Path) -> None:
    """The remedy names what must be allowed."""
    acl = ("--user", "default", "on", "nopass", "~ocrwatch:1:*", "+mget", "+ping")
    with RedisServer(tmp_path / "redis", *acl) as server:
        found = findings(tmp_path, server.url)["redis"]
    assert "refuses this user" in found.message
    assert "+set" in found.remedy


def test_an_unencrypted_connection_to_another_machine(tmp_path: Path) -> None:
    """A warning, before it is tried; not for one that is encrypted, or of this machine."""
    for url, is_said in (
        ("redis://no-such.invalid", True),
        ("rediss://no-such.invalid", False),
        (f"redis://localhost:{free_port()}", False),
    ):
        found = findings(tmp_path, url)
        assert ("redis connection" in found) is is_said, url
        assert found["redis"].severity == "warning"
    remedy = findings(tmp_path, "redis://no-such.invalid")["redis connection"].remedy
    assert "rediss://" in remedy


def test_a_key_that_everybody_may_read(tmp_path: Path) -> None:
    """Everybody could choose texts."""
    findings(tmp_path, "redis://no-such.invalid")
    (tmp_path / "redis.key").chmod(0o644)
    assert findings(tmp_path, "redis://no-such.invalid")["cache.redis_key_file"].severity == "warning"
