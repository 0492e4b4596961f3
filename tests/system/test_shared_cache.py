"""Two daemons share a cache in Redis: whatever becomes of Redis, the texts are the same, and no secret is shown."""

from __future__ import annotations

import json
import secrets
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from ocrwatch.cache.base import Entry
from ocrwatch.cache.sealing import MAX_BYTES, seal, unseal
from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.pages import framed, zlib_bomb
from tests.redis_server import RedisServer, free_port
from tests.system.dropping import phrase, put, scan, text_of
from tests.waiting import until

SCANS = 8
KEY = secrets.token_hex(32)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a server."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


def config(server: RedisServer, *more: str) -> str:
    """Return settings that use the server, and of the other levels only memory."""
    lines = (
        'levels = ["memory"]',
        f'redis = "{server.url}"',
        'redis_key_file = "redis.key"',
        'redis_timeout = "500ms"',
    )
    return "\n".join(("[cache]", *lines, *more, ""))


def home(tmp_path: Path, name: str) -> Path:
    """Make the folder of a daemon, with the common key."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "redis.key").write_text(f"{KEY}\n")
    (folder / "redis.key").chmod(0o600)
    return folder


def read_all(daemon: DaemonProcess, first: int = 0) -> list[bool]:
    """Have the daemon read the scans; return for each whether its text was known."""
    for number in range(first, first + SCANS):
        put(daemon.inbox, f"{number}.jpg", scan(number))
    known = []
    for number in range(first, first + SCANS):
        event = daemon.wait_for("scan.delivered", path=f"{number}.jpg")
        assert text_of(daemon, f"{number}.txt") == phrase(number)
        known.append(event.get("cached", False))
    return known


def texts(daemon: DaemonProcess) -> dict[str, bytes]:
    """Return the bytes of all texts."""
    return {path.name: path.read_bytes() for path in daemon.outbox.glob("*.txt")}


def read_by_another(server: RedisServer, tmp_path: Path) -> dict[str, bytes]:
    """Have a first daemon read the scans, wait until they are in Redis, and return their texts."""
    with DaemonProcess(home(tmp_path, "first"), config=config(server)) as daemon:
        daemon.wait_ready()
        assert read_all(daemon) == [False] * SCANS
        until(lambda: len(server.names()) == SCANS, what="all texts in Redis")
        assert daemon.stop() == 0
        assert daemon.events("cache.failed") == []
        return texts(daemon)


def test_a_second_daemon_answers_from_redis(server: RedisServer, tmp_path: Path) -> None:
    """On another folder, with the same bytes of text; nothing is read again, and the status says where it was found."""
    first = read_by_another(server, tmp_path)
    second = home(tmp_path, "second")
    with DaemonProcess(second, config=config(server)) as daemon:
        assert read_all(daemon) == [True] * SCANS
        assert texts(daemon) == first

        def counted() -> bool:
            status = json.loads(run_ocrwatch(second, "status", "--json").stdout)
            return bool(status["cache_level_hits"] == {"memory": 0, "redis": SCANS})

        until(counted, what="a status that counts them")
        daemon.stop()
    # ``once`` does not wait for Redis to be connected before it begins.
    third = home(tmp_path, "third")
    for number in range(SCANS):
        put(third / "inbox", f"{number}.jpg", scan(number))
    done = run_ocrwatch(third, "once", config=config(server))
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["cached"] for event in events if event["event"] == "scan.delivered"] == [True] * SCANS


def kill(server: RedisServer) -> None:
    """Kill it."""
    server.kill()


def freeze(server: RedisServer) -> None:
    """Freeze it."""
    server.freeze()


def fill(server: RedisServer) -> None:
    """Fill it, with nothing of the first daemon in it."""
    with server.client() as client:
        client.flushall()
    server.fill()


def restart(server: RedisServer) -> None:
    """Restart it, which empties it."""
    server.start()


@pytest.mark.parametrize("trouble", [kill, freeze, fill, restart], ids=lambda trouble: trouble.__name__)
def test_trouble_with_redis_changes_no_text(
    trouble: Callable[[RedisServer], None], server: RedisServer, tmp_path: Path
) -> None:
    """It is logged once, scans are read, and the daemon stops as fast as ever."""
    first = read_by_another(server, tmp_path)
    with DaemonProcess(home(tmp_path, "second"), config=config(server)) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "before.jpg", scan(0))
        assert daemon.wait_for("scan.delivered", path="before.jpg")["cached"]
        trouble(server)
        known = read_all(daemon)
        assert not any(known[1:])
        assert {name: text for name, text in texts(daemon).items() if name != "before.txt"} == first
        if trouble is not restart:
            daemon.wait_for("cache.failed")
        begun = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begun < 15
        assert len(daemon.events("cache.failed")) <= 1
        assert not daemon.events("scan.quarantined")
    server.thaw()


def test_poison_in_redis_changes_no_text(server: RedisServer, tmp_path: Path) -> None:
    """Each scan is read, as if its text was not known, and its text in Redis is replaced by a good one."""
    first = read_by_another(server, tmp_path)
    names = server.names()
    secret = KEY.encode()
    with server.client() as client:
        values = [client.get(name) for name in names]
        good = [value for value in values if isinstance(value, bytes)]
        engine = ("tesserocr", "5")
        poisons = [
            good[0][:-1],
            good[1][:40] + bytes([good[1][40] ^ 1]) + good[1][41:],
            good[2],
            seal(b"another secret" * 3, names[3], unseal(secret, names[3], good[3])),
            b"x" * (MAX_BYTES + 1),
            # These two were signed by a daemon with the key, which has gone mad.
            seal(secret, names[5], Entry(framed(zlib_bomb(), engine), time.time())),
            seal(secret, names[6], Entry(framed(zlib.compress(msgspec.msgpack.encode({"width": "1"})), engine), 2e9)),
            b"",
        ]
        for name, poison in zip([*names[:2], names[0], *names[3:]], poisons, strict=True):
            client.set(name, poison or b"")
        client.delete(names[7])
        client.lpush(names[7], "another type")
    with DaemonProcess(home(tmp_path, "second"), config=config(server)) as daemon:
        daemon.wait_ready()
        known = read_all(daemon)
        assert known.count(True) == 1
        assert texts(daemon) == first
        assert daemon.events("cache.failed")
        assert not daemon.events("scan.quarantined")
        assert not daemon.events("worker.died")
        daemon.stop()
    with DaemonProcess(home(tmp_path, "third"), config=config(server)) as daemon:
        assert read_all(daemon) == [True] * SCANS
        assert texts(daemon) == first
        daemon.stop()


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither the key nor the password is in log, status, settings, findings or any file but its own."""
    word = secrets.token_hex(16)
    port = free_port()
    with RedisServer(tmp_path / "redis", "--requirepass", word, port=port) as server:
        folder = home(tmp_path, "first")
        (folder / "redis.password").write_text(f"{word}\n")
        (folder / "redis.password").chmod(0o600)
        said = []
        with DaemonProcess(folder, config=config(server, 'redis_password_file = "redis.password"')) as daemon:
            daemon.wait_ready()
            read_all(daemon)
            said += [
                run_ocrwatch(folder, *command).stdout for command in (("config", "show"), ("doctor",), ("status",))
            ]
            assert server.url in said[0]
            assert "answers in" in said[1]
            (folder / "redis.password").write_text("another word\n")
            said.append(run_ocrwatch(folder, "doctor").stdout)
            assert "refuses the password" in said[-1]
            (folder / "redis.password").write_text(f"{word}\n")
            server.kill()
            read_all(daemon, SCANS)
            daemon.wait_for("cache.failed")
            daemon.stop()
            said += [json.dumps(daemon.events()), *daemon.complaints, daemon.output]
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in {"redis.key", "redis.password"}]
    assert any(path.name == "status.json" for path in files)
    found = "\n".join(said).encode() + b"\n".join(path.read_bytes() for path in files)
    assert KEY.encode() not in found
    assert word.encode() not in found


def test_without_a_key_it_does_not_start(tmp_path: Path) -> None:
    """One sentence with the command that makes one; nothing is read."""
    done = run_ocrwatch(tmp_path, "once", config='[cache]\nredis = "redis://localhost"\n')
    assert done.returncode == 2
    assert "cache.redis needs cache.redis_key_file" in done.stderr
    assert "head -c 32 /dev/urandom" in done.stderr
    assert run_ocrwatch(tmp_path, "config", "check").returncode == 2
