"""systemd is told what it wants to know, and nobody is where there is no systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.observe.systemd import notify, watchdog_interval


@pytest.fixture(autouse=True)
def without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs these tests is not what is told."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as the service manager does."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@ocrwatch-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listener


def test_a_message_reaches_the_manager(manager: socket.socket) -> None:
    """It arrives as it is, by a path or an abstract address, several assignments in one."""
    notify("READY=1")
    assert manager.recv(100) == b"READY=1"
    notify("WATCHDOG=1\nSTATUS=reading é")
    assert manager.recv(100) == "WATCHDOG=1\nSTATUS=reading é".encode()


def test_a_name_that_is_not_utf_8_is_told_as_its_escape(manager: socket.socket) -> None:
    """A pause may name a folder whose name is any bytes: that ends no daemon."""
    notify("STATUS=paused: cannot work in /srv/\udcff")
    assert manager.recv(100) == b"STATUS=paused: cannot work in /srv/\\udcff"


def test_without_a_manager_nothing_happens() -> None:
    """No socket is named: nothing is sent and nothing fails."""
    notify("READY=1")


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon does not end because nobody listens."""
    for address in (tmp_path / "missing", tmp_path, "@ocrwatch-nobody-listens"):
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("30000000", None, 15.0),
        ("30000000", str(os.getpid()), 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_signs_of_life_are_given_twice_as_often_as_wanted(
    usec: str | None, pid: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the watchdog is set, and set for this process."""
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert watchdog_interval() == seconds
