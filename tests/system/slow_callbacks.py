"""ocrwatch with an event loop that reports each step of more than 50 ms.

asyncio's debug mode reports such steps, too, but counts the time in which the thread waits for a core: a step of 5 ms
takes 54 on two cores that four other processes use. What remains is computing, and waiting for disks, locks and other
threads.
"""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.events
import logging
import math
import sys
import threading
import time
from pathlib import Path

from ocrwatch import cli

SLOWEST = 0.05
"""Seconds."""


MARK = "slow steps are reported"

_LOGGER = logging.getLogger("asyncio")
_run_step = asyncio.events.Handle._run


class Loop(asyncio.SelectorEventLoop):
    """Warns of slow steps."""

    def __init__(self) -> None:
        super().__init__()
        self.slow_callback_duration = math.inf
        self.set_debug(True)
        asyncio.events.Handle._run = _watched_step  # type: ignore[method-assign,assignment]
        print(MARK, file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Close, and leave other loops alone."""
        asyncio.events.Handle._run = _run_step  # type: ignore[method-assign]
        super().close()


class Policy(asyncio.DefaultEventLoopPolicy):
    """Gives the daemon such an event loop."""

    _loop_factory = Loop


def waited_for_a_core() -> float:
    """Return for how many seconds this thread has been ready to run while others ran (Linux, sched-stats.rst)."""
    try:
        return int(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        # A kernel without these statistics.
        return 0.0


def _watched_step(handle: asyncio.Handle) -> None:
    begun, waited = time.monotonic(), waited_for_a_core()
    _run_step(handle)
    seconds = time.monotonic() - begun
    if seconds >= SLOWEST and (seconds := seconds - (waited_for_a_core() - waited)) >= SLOWEST:
        what = asyncio.base_events._format_handle(handle)  # type: ignore[attr-defined]
        _LOGGER.warning("Executing %s took %.3f seconds", what, seconds)


if __name__ == "__main__":
    asyncio.set_event_loop_policy(Policy())
    _LOGGER.addHandler(logging.StreamHandler(sys.stderr))
    sys.exit(cli.main())
