"""A web server that answers as it is told and keeps what was posted to it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Listener:
    """What came, and what is answered: the next of ``answers`` to each post, 200 when there are no more."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """Added to each answer that is not 200."""
    posts: list[dict[str, Any]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    """Those of ``posts`` that were answered with 200."""
    sent_headers: list[dict[str, str]] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    """Set, it answers nothing until the end."""
    ended: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def listening(answers: Sequence[int] = ()) -> Iterator[Listener]:
    """Listen on an address of this machine."""
    listener = Listener(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            facts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            listener.sent_headers.append(dict(self.headers))
            listener.posts.append(facts)
            if listener.silent.is_set():
                listener.ended.wait(60)
                return
            code = listener.answers.pop(0) if listener.answers else 200
            if code == 200:
                listener.taken.append(facts)
            self.send_response(code)
            for name, value in (listener.headers if code != 200 else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    listener.url = f"http://127.0.0.1:{server.server_port}/secret-path"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
