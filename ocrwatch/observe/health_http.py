"""Serves ``/metrics``, ``/healthz`` and ``/readyz`` over HTTP.

Its threads never wait for the event loop.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Final

from ocrwatch.errors import EnvironmentFault, system_reason
from ocrwatch.observe.status import Status

LONGEST_TURN: Final = 30.0
"""Seconds without a turn of the daemon's loop until it counts as hung; an idle loop turns every ten."""

_PATIENCE: Final = 5.0
"""Seconds that a client may take to send its request or receive the answer."""

_MOST_AT_ONCE: Final = 16
"""Clients at one time; more are rejected, so that slow ones cannot use up the daemon's memory."""

_PLAIN: Final = "text/plain; charset=utf-8"
_INDEX: Final = "ocrwatch\n/metrics for Prometheus\n/healthz  is it alive?\n/readyz   can it read?\n"

_REMEDIES: Final = {
    errno.EADDRINUSE: "stop what uses that port, or choose another in status.listen",
    errno.EACCES: "choose a port above 1023 in status.listen",
    # RestrictAddressFamilies= of the service (systemd.exec(5)).
    errno.EAFNOSUPPORT: "allow the service to use the network: sudo sh deploy/install.sh --with-network",
}

Answer = tuple[HTTPStatus, str, bytes]


class HealthState:
    """The daemon's latest status, readable from any thread at any time."""

    def __init__(self) -> None:
        self.status: Status | None = None
        self._turned_at = time.monotonic()

    def turned(self, now: float) -> None:
        """Record that the daemon's loop turns (monotonic seconds)."""
        self._turned_at = now

    def ailment(self) -> str:
        """Return why the daemon is not healthy, empty if it is."""
        silent = time.monotonic() - self._turned_at
        return f"its loop has not turned for {silent:.0f} s" if silent > LONGEST_TURN else ""

    def obstacle(self) -> str:
        """Return why nothing can be read now, empty if reading works."""
        if ailment := self.ailment():
            return ailment
        status = self.status
        if status is None or status.state == "starting":
            return "no worker has loaded its engine yet"
        if status.paused:
            return "; ".join(f"{pause.reason}; {pause.remedy}" for pause in status.paused)
        if status.state in {"stopping", "stopped"}:
            return f"it is {status.state}"
        return "" if status.workers_ready else "no worker is ready"


class Listener:
    """Answers on ``host`` and ``port`` until it is closed."""

    def __init__(self, host: str, port: int, board: HealthState, metrics: Callable[[str], tuple[str, bytes]]) -> None:
        """Start to listen; ``metrics`` renders them for an ``Accept`` header.

        Raises :class:`EnvironmentFault` if the address cannot be bound.
        """

        def answer(path: str, accept: str) -> Answer:
            if path == "/metrics":
                return HTTPStatus.OK, *metrics(accept)
            if path == "/healthz":
                return _verdict(board.ailment())
            if path == "/readyz":
                return _verdict(board.obstacle())
            if path == "/":
                return HTTPStatus.OK, _PLAIN, _INDEX.encode()
            return HTTPStatus.NOT_FOUND, _PLAIN, b"there is /metrics, /healthz and /readyz\n"

        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._server = _Server(family, address, answer)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot listen on {_shown(host, port)} ({system_reason(error)})",
                remedy_for(error),
            ) from error
        self.address = _shown(*self._server.socket.getsockname()[:2])
        """The actual host and port, also if port 0 was given."""
        self._thread = threading.Thread(target=self._server.serve_forever, name="listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_PATIENCE)


def remedy_for(error: OSError) -> str:
    """Return what to do if the system refuses to listen."""
    if error.errno == errno.EAFNOSUPPORT and _has_ipv4():
        return "name an IPv4 address of this machine in status.listen"
    return _REMEDIES.get(error.errno or 0, "name an address of this machine in status.listen")


def _has_ipv4() -> bool:
    try:
        socket.socket(socket.AF_INET).close()
    except OSError:
        return False
    return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _MOST_AT_ONCE

    def __init__(self, family: int, address: object, answer: Callable[[str, str], Answer]) -> None:
        self.address_family = socket.AddressFamily(family)
        self.answer = answer
        self._free = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(address, _Handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        # HTTPServer's method would ask the name service for this machine's name, which may take long.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def process_request(self, request: object, client_address: object) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except BaseException:
            # No thread was started, which would release it.
            self._free.release()
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: a client that disconnects is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE
    server_version = "ocrwatch"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        code, content_type, body = self.server.answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Log no requests."""


def _verdict(trouble: str) -> Answer:
    if trouble:
        return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, f"{trouble}\n".encode("utf-8", "backslashreplace")
    return HTTPStatus.OK, _PLAIN, b"ok\n"


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
