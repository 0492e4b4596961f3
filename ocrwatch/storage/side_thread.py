"""A thread for calls that may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class SideThread:
    """Makes calls in order, on one thread.

    Unlike those of an executor, it does not keep the process from ending: a look-up of a name, which cannot be
    interrupted, may take minutes.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make a call after the earlier ones; one that has not begun can be cancelled."""
        future: Future[T] = Future()

        def make() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - who waits for the future gets it
                future.set_exception(error)

        self._calls.put(make)
        return future

    def close(self, patience: float) -> None:
        """End after the calls so far; wait for that at most ``patience`` seconds."""
        self._calls.put(None)
        self._thread.join(patience)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            # An idle thread must not keep the last call, with its page.
            del call
