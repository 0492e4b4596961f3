"""A real Redis server, which can be frozen, killed, filled and restarted."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from tests.waiting import until

PROGRAM = "redis-server"


def has_redis() -> bool:
    """Tell whether the program is installed."""
    return shutil.which(PROGRAM) is not None


class RedisServer:
    """A server on a Unix socket in ``folder``, or on a port of this machine; without files.

    A context manager. It is empty after each start.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        if not has_redis():
            pytest.skip(f"{PROGRAM} is not installed (Debian package {PROGRAM})")
        self.folder = folder
        self.port = port
        self.socket = folder / "redis.sock"
        self.url = f"redis://127.0.0.1:{port}" if port else f"unix://{self.socket}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(exist_ok=True, parents=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers; it may be frozen before, or be dead."""
        self.kill()
        place = ["--unixsocket", str(self.socket)] if not self.port else ["--bind", "127.0.0.1"]
        without_files = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self._process = subprocess.Popen(
            [PROGRAM, "--port", str(self.port), *place, *without_files, *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            until(self._answers, what="a Redis server that answers")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it, as a machine that goes down would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let connections wait until :meth:`thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def fill(self) -> None:
        """Let it take nothing more, as if its memory was used up."""
        with self.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1")

    def drain(self) -> None:
        """Let it take values again."""
        with self.client() as client:
            client.config_set("maxmemory", "0")

    @contextlib.contextmanager
    def client(self) -> Iterator[Redis]:
        """Return a client, to look at what is there and to put other things there."""
        client = Redis.from_url(self.url, socket_timeout=20.0)
        try:
            yield client
        finally:
            client.close()

    def names(self) -> list[bytes]:
        """Return the names of all values."""
        with self.client() as client:
            return sorted(bytes(name) for name in client.scan_iter() if isinstance(name, bytes))

    def calls(self, command: str) -> int:
        """Return how often a command was sent since the start."""
        with self.client() as client:
            found = client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})
            return int(found["calls"])

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except AuthenticationError:
            return True
        except (RedisError, OSError):
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def free_port() -> int:
    """Return a port of this machine that nothing uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
