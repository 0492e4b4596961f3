"""Metrics and health over HTTP, on a port of this machine."""

from __future__ import annotations

import errno
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.observe import health_http as module
from ocrwatch.observe.health_http import LONGEST_TURN, HealthState, Listener
from ocrwatch.observe.status import PauseStatus, Status, isoformat
from tests.unit.observe.statuses import status
from tests.waiting import until


def metrics(accept: str) -> tuple[str, bytes]:
    """Stand for the metrics."""
    return "text/x", accept.encode()


@pytest.fixture
def board() -> HealthState:
    """Make what the daemon writes on."""
    return HealthState()


@pytest.fixture
def listener(board: HealthState) -> Iterator[Listener]:
    """Listen on a free port."""
    listener = Listener("127.0.0.1", 0, board, metrics)
    yield listener
    listener.close()


def get(listener: Listener, path: str, method: str = "GET") -> tuple[int, str]:
    """Ask, and return code and text."""
    connection = http.client.HTTPConnection(listener.address, timeout=10)
    try:
        connection.request(method, path, headers={"Accept": "me"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_paths(listener: Listener) -> None:
    """Each path has its answer, an unknown one tells which there are, and nothing else is accepted."""
    assert get(listener, "/metrics") == (200, "me")
    assert get(listener, "/metrics?x=1") == (200, "me")
    assert get(listener, "/metrics", "HEAD") == (200, "")
    assert get(listener, "/healthz") == (200, "ok\n")
    assert get(listener, "/")[0] == 200
    assert get(listener, "/etc/passwd")[0] == 404
    assert get(listener, "/metrics", "POST")[0] == 501


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (None, "no worker has loaded its engine yet"),
        (status(state="starting"), "no worker has loaded its engine yet"),
        (status(state="watching", workers_ready=0), "no worker is ready"),
        (status(state="stopping", workers_ready=1), "it is stopping"),
        (
            status(
                state="paused", workers_ready=1, paused=[PauseStatus("inbox", "gone\udcff", "mount it", isoformat(0))]
            ),
            "gone\\udcff; mount it",
        ),
        (status(state="working", workers_ready=1), ""),
    ],
)
def test_readiness(listener: Listener, board: HealthState, told: Status | None, reason: str) -> None:
    """Ready when a worker can read and nothing is in the way; else the reason is the answer."""
    board.status = told
    assert get(listener, "/readyz") == ((503, f"{reason}\n") if reason else (200, "ok\n"))
    assert get(listener, "/healthz")[0] == 200


def test_a_loop_that_hangs_is_neither_well_nor_ready(listener: Listener, board: HealthState) -> None:
    """And is both again when it turns."""
    board.status = status(workers_ready=1)
    board.turned(time.monotonic() - LONGEST_TURN - 5)
    for path in ("/healthz", "/readyz"):
        code, said = get(listener, path)
        assert code == 503
        assert "has not turned for 35 s" in said
    board.turned(time.monotonic())
    assert get(listener, "/readyz") == (200, "ok\n")


def test_a_port_in_use_is_named_with_what_to_do(listener: Listener, board: HealthState) -> None:
    """One sentence, and the other is not disturbed."""
    port = int(listener.address.rpartition(":")[2])
    with pytest.raises(EnvironmentFault) as raised:
        Listener("127.0.0.1", port, board, metrics)
    assert str(raised.value) == (
        f"cannot listen on 127.0.0.1:{port} (address already in use); "
        "stop what uses that port, or choose another in status.listen"
    )
    assert get(listener, "/healthz")[0] == 200


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_of_nobody_here(board: HealthState, host: str) -> None:
    """It says which setting to change."""
    with pytest.raises(EnvironmentFault, match=r"cannot listen on .*status\.listen"):
        Listener(host, 0, board, metrics)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_service_that_may_not_use_the_network(board: HealthState, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """In the sandbox of the service no address would do: the remedy is to allow the network."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(socket.socket, "__init__", refused)
    with pytest.raises(EnvironmentFault) as raised:
        Listener(host, 9464, board, metrics)
    assert raised.value.remedy == "allow the service to use the network: sudo sh deploy/install.sh --with-network"


def test_a_machine_without_ipv6(board: HealthState, monkeypatch: pytest.MonkeyPatch) -> None:
    """If other addresses work, the address is to blame."""
    original = socket.socket.__init__

    def refused(self: socket.socket, family: int = -1, *others: int, **more: object) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        original(self, family, *others, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "__init__", refused)
    with pytest.raises(EnvironmentFault, match=r"name an IPv4 address of this machine in status\.listen"):
        Listener("::1", 9464, board, metrics)


def test_ipv6(board: HealthState) -> None:
    """The loopback of IPv6, where there is one."""
    try:
        listener = Listener("::1", 0, board, metrics)
    except EnvironmentFault:
        pytest.skip("there is no IPv6 here")
    try:
        assert listener.address.startswith("[::1]:")
        assert get(listener, "/healthz")[0] == 200
    finally:
        listener.close()


def test_clients_that_say_nothing_use_nothing_up(
    monkeypatch: pytest.MonkeyPatch, listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    """So many at once and no more are waited for, and not for long; then others are served again."""
    monkeypatch.setattr(module._Handler, "timeout", 1.0)
    host, _, port = listener.address.rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(40)]
    try:

        def served() -> bool:
            try:
                return get(listener, "/healthz") == (200, "ok\n")
            except (OSError, http.client.HTTPException):
                return False

        until(served, what="it answers")
    finally:
        for client in silent:
            client.close()
    assert capfd.readouterr().err == ""


def test_clients_are_answered_again_after_a_lack_of_threads(
    monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    """If the system starts no thread for them, clients are turned away, and none of them counts as being served."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread._target.__name__ == "process_request_thread":  # type: ignore[attr-defined]
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(module._MOST_AT_ONCE):
            with pytest.raises((OSError, http.client.HTTPException)):
                get(listener, "/healthz")
    assert get(listener, "/healthz") == (200, "ok\n")
