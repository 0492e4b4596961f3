"""The level in Redis, with a real server: shared, and never in the way, whatever becomes of the server."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from ocrwatch.cache import breaker, redis
from ocrwatch.cache.base import Entry, LevelOptions
from ocrwatch.cache.codec import pack
from ocrwatch.cache.redis import RedisLevel
from ocrwatch.cache.redis_options import RedisOptions
from ocrwatch.cache.sealing import MAX_BYTES, name_of, seal
from ocrwatch.cache.tiers import open_cache
from ocrwatch.document import EngineInfo, Page
from ocrwatch.settings.redis_address import parse_redis_address
from tests.redis_server import RedisServer, free_port
from tests.waiting import until

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
PAGE = pack(Page(100, 100, None, 1, (), EngineInfo("tesserocr", "5.5.0", ("eng",))))
WORD = "s3cret-word"
SECRET = secrets.token_bytes(32)
PATIENT = 5.0
"""Seconds that lookups wait in tests that are not about waiting: the machine may be busy."""

Logs = list[EventDict]


@pytest.fixture
def events() -> Iterator[Logs]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as logs:
        yield logs


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a server."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def _short_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "AWAY", 0.2)


def options(url: str, **changes: Any) -> RedisOptions:
    """Return the options for a server."""
    usual = RedisOptions(parse_redis_address(url), SECRET, None, max_age=3600.0, timeout=PATIENT)
    return replace(usual, **changes)


def level(server: RedisServer, **changes: Any) -> closing[RedisLevel]:
    """Open the level; closed at the end of the block."""
    return closing(RedisLevel(options(server.url, **changes)))


def entry(page: bytes = PAGE) -> Entry:
    """Return a page that was just read."""
    return Entry(page, time.time())


def shared(server: RedisServer, *keys: bytes) -> Entry:
    """Let another daemon put a page under these keys; return its entry."""
    put = entry()
    with level(server) as other:
        for key in keys:
            other.put(key, put)
        until(lambda: len(server.names()) >= len(keys), what="all pages in Redis")
    return put


def sent(found: RedisLevel) -> bool:
    """Put a page under the other key."""
    found.put(OTHER_KEY, entry())
    return True


def names(logs: Logs) -> list[str]:
    """Return the names of events."""
    return [str(event["event"]) for event in logs]


def test_a_page_of_one_daemon_is_found_by_another(server: RedisServer) -> None:
    """With the time at which it was read; it expires by itself."""
    put = shared(server, KEY)
    with level(server) as found:
        assert found.get_many([OTHER_KEY, KEY]) == {KEY: put}
        assert found.get(OTHER_KEY) is None
    with server.client() as client:
        assert client.keys("*") == [b"ocrwatch:1:" + KEY.hex().encode()]
        assert 3500 < client.ttl(name_of(KEY)) <= 3600


def test_a_lookup_is_one_request(server: RedisServer) -> None:
    """However many scans are looked up."""
    shared(server, KEY)
    with level(server) as found:
        found.get_many([bytes([n]) * 32 for n in range(64)])
        assert server.calls("mget") == 1
        assert server.calls("get") == 0


def test_it_is_asked_after_all_other_levels(server: RedisServer, tmp_path: Path) -> None:
    """What it has is copied to them; a new page is sent to it, too."""
    shared(server, KEY)
    (tmp_path / "state").mkdir()
    cache = open_cache(tmp_path / "state", ("memory", "disk"), LevelOptions(1000.0, 10**7), options(server.url))
    assert cache.recent(KEY) is None
    assert cache.get_many([KEY, OTHER_KEY]) == {KEY: PAGE}
    assert cache.recent(KEY) == PAGE
    assert cache.get_many([KEY]) == {KEY: PAGE}
    assert server.calls("mget") == 1
    cache.put(OTHER_KEY, PAGE)
    cache.save(OTHER_KEY, PAGE)
    until(lambda: len(server.names()) == 2, what="the new page in Redis")
    assert dict(cache.counts.hits) == {"memory": 2, "disk": 0, "redis": 1}
    cache.close()
    cache = open_cache(tmp_path / "state", ("disk",), LevelOptions(1000.0, 10**7))
    assert cache.get(KEY) == PAGE
    cache.close()


def test_what_is_older_than_the_cache_keeps_is_not_used(server: RedisServer, tmp_path: Path) -> None:
    """Another daemon may keep texts for longer."""
    with level(server) as other:
        other.put(KEY, Entry(PAGE, time.time() - 100))
    cache = open_cache(tmp_path, ("memory",), LevelOptions(60.0, 10**7), options(server.url))
    assert cache.get(KEY) is None
    cache.close()


@pytest.mark.usefixtures("_short_absence")
def test_a_frozen_server_is_waited_for_once(server: RedisServer, events: Logs) -> None:
    """Then not at all, until it is tried again on the side; one line says that it failed, and one that it works."""
    put = shared(server, KEY)
    with level(server, timeout=0.1) as found:
        until(lambda: found.get(KEY) == put, what="the page")
        events.clear()
        server.freeze()
        begun = time.monotonic()
        assert found.get_many([KEY, OTHER_KEY]) == {}
        waited = time.monotonic() - begun
        assert waited >= 0.1
        # Each of them would wait as long.
        begun = time.monotonic()
        for _ in range(500):
            assert found.get(KEY) is None
            found.put(OTHER_KEY, entry())
        assert time.monotonic() - begun < 100 * 0.1
        assert found.dropped
        server.thaw()
        until(lambda: found.get(KEY) == put, what="the page after the server was thawed")
    assert names(events) == ["cache.failed", "cache.recovered"]
    assert "did not answer within 100ms" in str(events[0]["reason"])
    assert "cache.redis_timeout" in str(events[0]["remedy"])


def test_for_half_a_minute_after_a_failure_nothing_is_sent(server: RedisServer) -> None:
    """Not even if the server works again."""
    with level(server) as found:
        assert found.get(KEY) is None
        server.kill()
        assert found.get(KEY) is None
        server.start()
        for _ in range(100):
            assert found.get(KEY) is None
            found.put(KEY, entry())
        assert found.dropped == 100
        assert server.calls("mget") == server.calls("ping") - 1 == 0
    assert breaker.AWAY == 30


@pytest.mark.usefixtures("_short_absence")
def test_a_server_that_was_restarted_is_used_again(server: RedisServer, events: Logs) -> None:
    """It is empty, and is filled again."""
    shared(server, KEY)
    with level(server) as found:
        assert found.get(KEY) is not None
        server.kill()
        assert found.get(KEY) is None
        server.start()
        until(lambda: sent(found) and server.names(), what="a new page in Redis")
        until(lambda: found.get(OTHER_KEY), what="the new page")
    assert names(events) == ["cache.failed", "cache.recovered"]


def test_a_connection_that_redis_has_closed_is_made_again(server: RedisServer, events: Logs) -> None:
    """As its option ``timeout`` does to idle ones: that is no failure."""
    put = shared(server, KEY)
    with level(server) as found:
        assert found.get(KEY) == put
        with server.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert found.get(KEY) == put
    assert names(events) == []


@pytest.mark.parametrize(
    "url", ["unix:///nonexistent/redis.sock", "redis://127.0.0.1:{port}", "redis://no-such.invalid"]
)
def test_a_server_that_is_not_there_costs_one_line(url: str, events: Logs) -> None:
    """Nothing is found, and what is new is dropped."""
    with closing(RedisLevel(options(url.format(port=free_port())))) as found:
        until(lambda: found.get(KEY) is None and names(events), what="a line in the log")
        for _ in range(10):
            found.put(KEY, entry())
            assert found.get_many([KEY]) == {}
        assert found.dropped == 10
    assert names(events) == ["cache.failed"]
    assert "cannot be reached" in str(events[0]["reason"])
    assert str(events[0]["remedy"]).endswith("scans are read all the same")


@pytest.mark.usefixtures("_short_absence")
def test_a_full_server_is_still_read(server: RedisServer, events: Logs) -> None:
    """It refuses new pages, which are dropped and tried again later."""
    put = shared(server, KEY)
    with level(server) as found:
        assert found.get(KEY) == put
        server.fill()
        until(lambda: sent(found) and found.dropped, what="a page that was dropped")
        assert found.get(KEY) == put
        server.drain()
        until(lambda: sent(found) and found.get(OTHER_KEY), what="the page that was dropped")
    assert names(events) == ["cache.failed", "cache.recovered"]
    assert "is full" in str(events[0]["reason"])
    assert "maxmemory-policy" in str(events[0]["remedy"])


def test_what_cannot_be_sent_in_time_is_dropped(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory for it is limited; ``put`` never waits."""
    monkeypatch.setattr(redis, "_MOST_WAITING", 10 * len(PAGE) + 10 * redis._OVERHEAD)
    with level(server) as slow:
        assert slow.get(KEY) is None
        server.freeze()
        begun = time.monotonic()
        for _ in range(500):
            slow.put(KEY, entry())
        assert time.monotonic() - begun < redis._PATIENCE
        assert slow.dropped >= 490
        server.thaw()


def test_the_last_pages_are_sent_before_the_end(server: RedisServer) -> None:
    """``once`` ends right after the last scan."""
    keys = [bytes([n]) * 32 for n in range(50)]
    with level(server) as last:
        for key in keys:
            last.put(key, entry())
    assert server.names() == [name_of(key) for key in keys]


def test_the_end_does_not_wait_for_a_frozen_server(server: RedisServer) -> None:
    """Only for a second."""
    with level(server) as last:
        assert last.get(KEY) is None
        server.freeze()
        last.put(KEY, entry())
        begun = time.monotonic()
    assert time.monotonic() - begun < redis._LAST + 3
    server.thaw()


def test_a_page_that_is_too_large_is_not_sent(server: RedisServer) -> None:
    """It would hold up others; that is no failure."""
    with level(server) as found:
        found.put(KEY, entry(b"x" * MAX_BYTES))
        found.put(OTHER_KEY, entry())
        until(server.names, what="the other page")
        assert server.names() == [name_of(OTHER_KEY)]
        assert found.dropped == 0


def test_a_slow_start_of_the_server_keeps_no_lookup_waiting_for_long(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lookups wait for the first connection, but not longer than workers take to start."""
    monkeypatch.setattr(redis, "_START", 0.2)
    monkeypatch.setattr(redis, "_PATIENCE", 60.0)
    server.freeze()
    with level(server) as found:
        begun = time.monotonic()
        for _ in range(100):
            assert found.get(KEY) is None
        assert time.monotonic() - begun < 10
        server.thaw()
        until(lambda: found.get(KEY) is None and server.calls("mget"), what="a lookup after the connection")


def test_passwords_and_users(tmp_path: Path, events: Logs) -> None:
    """A wrong one is one line, without the password."""
    acl = (
        "--user",
        "default",
        "off",
        "--user",
        "ocrwatch",
        "on",
        f">{WORD}",
        "~ocrwatch:1:*",
        "+mget",
        "+set",
        "+ping",
    )
    port = free_port()
    with RedisServer(tmp_path / "redis", *acl, port=port) as server:
        url = f"redis://ocrwatch@127.0.0.1:{port}"
        with closing(RedisLevel(options(url, password=WORD))) as found:
            found.put(KEY, entry())
            until(lambda: found.get(KEY), what="the page")
        assert events == []
        for wrong in ("another-word", None):
            with closing(RedisLevel(options(url, password=wrong))) as found:
                assert found.get(KEY) is None
        assert "-word" not in str(events)
        assert ["refuses the password" in str(event["reason"]) for event in events] == [True, True]
        assert server.port == port


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian package openssl)")
    certificate, key = tmp_path / "redis.crt", tmp_path / "redis.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", certificate, "-keyout", key],
        capture_output=True, check=True,
    )  # fmt: skip
    return certificate, key


def test_an_encrypted_connection(
    certificate: tuple[Path, Path], tmp_path: Path, events: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only with a certificate that this machine trusts; lookups do not wait for its slower beginning."""
    ours, key = map(str, certificate)
    port = free_port()
    files = ("--tls-cert-file", ours, "--tls-key-file", key, "--tls-ca-cert-file", ours, "--tls-auth-clients", "no")
    with RedisServer(tmp_path / "redis", "--tls-port", str(port), *files):
        url = f"rediss://localhost:{port}"
        with closing(RedisLevel(options(url))) as found:
            assert found.get(KEY) is None
        assert "certificate" in str(events[0]["reason"])
        events.clear()
        monkeypatch.setenv("SSL_CERT_FILE", ours)
        with closing(RedisLevel(options(url, timeout=0.05))) as found:
            found.put(KEY, entry())
            until(lambda: found.get(KEY), what="the page")
    assert events == []


def test_the_options_do_not_show_their_secrets() -> None:
    """Wherever they may be printed."""
    shown = repr(options("redis://localhost", password=WORD))
    assert "s3cret" not in shown
    assert repr(SECRET) not in shown


def test_lookups_from_several_threads_get_their_own(server: RedisServer) -> None:
    """And none gets the answer to another's request."""
    keys = [bytes([n]) * 32 for n in range(20)]
    with level(server) as found:
        for key in keys:
            found.put(key, Entry(key, 1.0))
        until(lambda: len(server.names()) == len(keys), what="all pages in Redis")
        wrong: list[object] = []

        def look_up(key: bytes) -> None:
            got = [found.get_many([key]) for _ in range(50)]
            wrong.extend(each for each in got if each != {key: Entry(key, 1.0)})

        threads = [threading.Thread(target=look_up, args=(key,)) for key in keys[:8]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_an_answer_that_came_too_late_is_not_taken_for_that_to_the_next_request(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is closed."""
    monkeypatch.setattr(breaker, "AWAY", 0.0)
    first, second = entry(), Entry(PAGE, 1.0)
    with level(server) as other:
        other.put(KEY, first)
        other.put(OTHER_KEY, second)
    with level(server, timeout=0.05) as found:
        for _ in range(5):
            until(lambda: found.get(KEY) == first, what="the first page")
            server.freeze()
            assert found.get(KEY) is None
            server.thaw()
            got = until(lambda: found.get(OTHER_KEY), what="the second page")
            assert got == second


def test_poison_is_not_used_and_replaced(server: RedisServer, events: Logs) -> None:
    """One line for all of it; a good page takes its place."""
    name = name_of(KEY)
    value = seal(SECRET, name, entry())
    assert value is not None
    poisons: dict[str, bytes] = {
        "empty": b"",
        "truncated": value[:-1],
        "longer": value + b"x",
        "flipped bit": value[:-5] + bytes([value[-5] ^ 1]) + value[-4:],
        "flipped bit of the signature": bytes([value[0] ^ 1]) + value[1:],
        "of another key": seal(b"another secret" * 3, name, entry()) or b"",
        "of another name": seal(SECRET, name_of(OTHER_KEY), entry()) or b"",
        "not signed": PAGE,
        "giant": b"x" * 20_000_000,
    }
    with level(server) as found, server.client() as client:
        for poison in poisons.values():
            client.set(name, poison)
            assert found.get(KEY) is None
        client.delete(name)
        client.rpush(name, "another type")
        assert found.get(KEY) is None
        put = entry()
        found.put(KEY, put)
        until(lambda: found.get(KEY) == put, what="a good page")
    assert names(events) == ["cache.failed"]
    assert "cache.redis_key_file" in str(events[0]["remedy"])
