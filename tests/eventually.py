"""Running coroutines in tests: with a deadline, and so that no error is lost."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

LONG: Final = 20.0
"""Seconds after which a test has failed."""


def run(coroutine: Coroutine[Any, Any, T], timeout: float = LONG) -> T:
    """Run a coroutine to its end, and fail for each error that nobody has taken note of."""
    lost: list[dict[str, Any]] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        async with asyncio.timeout(timeout):
            result = await coroutine
        gc.collect()
        return result

    result = asyncio.run(watched())
    assert not lost, lost
    return result


async def eventually(condition: Callable[[], T | None], what: str = "") -> T:
    """Return what ``condition`` returns as soon as that is true; fail with ``what`` if it is not soon enough."""
    deadline = asyncio.get_running_loop().time() + LONG
    while not (result := condition()):
        assert asyncio.get_running_loop().time() < deadline, what or "not in time"
        await asyncio.sleep(0.002)
    return result


async def settled(turns: int = 20) -> None:
    """Let everything run that can run without waiting for a thread or a timer."""
    for _ in range(turns):
        await asyncio.sleep(0)
