"""The gate before a service: requests leave at its rate, in order, and no more at a time than it may have."""

from __future__ import annotations

import asyncio
import time

import pytest

from ocrwatch.errors import Stopping
from ocrwatch.executors.http_ocr.gate import Gate
from tests.eventually import eventually, run, settled


async def _times(gate: Gate, count: int) -> list[float]:
    """Return when each of ``count`` requests was let through."""
    times = []

    async def one() -> None:
        async with gate.turn():
            times.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(count)))
    return times


@pytest.mark.parametrize(("rate", "count"), [(50.0, 120), (200.0, 450), (4.0, 9), (0.5, 2)])
def test_no_second_has_more_requests_than_the_rate(rate: float, count: int) -> None:
    """In no window of one second, wherever it begins; and no time is lost."""
    times = run(_times(Gate(rate, 1000), count))
    in_window = max(1, int(rate))
    window = in_window / rate
    distances = [later - earlier for earlier, later in zip(times, times[in_window:], strict=False)]
    assert min(distances) >= window
    assert times[-1] - times[0] <= 1.25 * (count - 1) / rate


def test_requests_are_spaced_evenly() -> None:
    """A service gets no burst at the beginning of each second."""
    times = run(_times(Gate(100.0, 1000), 100))
    assert times[49] - times[0] >= 0.75 * 0.49


def test_no_more_than_the_concurrency_are_in_flight() -> None:
    """However fast the rate is."""

    async def main() -> None:
        gate, held, most = Gate(10_000.0, 3), 0, 0

        async def one() -> None:
            nonlocal held, most
            async with gate.turn():
                held += 1
                most = max(most, held)
                await asyncio.sleep(0.001)
                held -= 1

        await asyncio.gather(*(one() for _ in range(50)))
        assert most == 3
        assert gate.held == 0

    run(main())


def test_turns_are_granted_in_order() -> None:
    """Nothing overtakes."""

    async def main() -> None:
        gate, order = Gate(1000.0, 1), []

        async def one(number: int) -> None:
            async with gate.turn():
                order.append(number)

        await asyncio.gather(*map(one, range(20)))
        assert order == list(range(20))

    run(main())


def test_a_closed_gate_lets_nothing_through_and_keeps_what_is_in_flight() -> None:
    """Those that wait are told, and so is the next one."""

    async def main() -> None:
        gate, end = Gate(1000.0, 1), asyncio.Event()

        async def one() -> str:
            async with gate.turn():
                await end.wait()
                return "done"

        tasks = [asyncio.ensure_future(one()) for _ in range(3)]
        await settled()
        gate.close()
        tasks.append(asyncio.ensure_future(one()))
        await settled()
        end.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[0] == "done"
        assert [type(each) for each in results[1:]] == [Stopping] * 3

    run(main())


def test_a_cancelled_request_leaves_its_place_to_the_next() -> None:
    """Whether it waited or was in flight."""

    async def main() -> None:
        gate = Gate(1000.0, 1)

        async def one() -> None:
            async with gate.turn():
                await asyncio.Event().wait()

        tasks = [asyncio.ensure_future(one()) for _ in range(3)]
        await settled()
        tasks[1].cancel()
        tasks[0].cancel()
        await asyncio.gather(*tasks[:2], return_exceptions=True)
        await eventually(lambda: gate.held)
        tasks[2].cancel()
        await asyncio.gather(tasks[2], return_exceptions=True)
        assert gate.held == 0

    run(main())
