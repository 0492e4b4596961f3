"""ocrwatch with an event loop that reports each step of more than 50 ms (asyncio's debug mode)."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import logging
import sys

from ocrwatch import cli

SLOWEST = 0.05
"""Seconds."""


MARK = "slow steps are reported"


class Loop(asyncio.SelectorEventLoop):
    """Warns of slow steps."""

    def __init__(self) -> None:
        super().__init__()
        self.slow_callback_duration = SLOWEST
        self.set_debug(True)
        print(MARK, file=sys.stderr, flush=True)  # noqa: T201


class Policy(asyncio.DefaultEventLoopPolicy):
    """Gives the daemon such an event loop."""

    _loop_factory = Loop


if __name__ == "__main__":
    asyncio.set_event_loop_policy(Policy())
    logging.getLogger("asyncio").addHandler(logging.StreamHandler(sys.stderr))
    sys.exit(cli.main())
