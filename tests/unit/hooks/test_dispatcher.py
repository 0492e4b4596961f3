"""Notifications wait in bounded queues, and are sent by tasks that delay nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ocrwatch import log
from ocrwatch.hooks import dispatcher, webhook
from ocrwatch.hooks.dispatcher import Dispatcher
from ocrwatch.hooks.payload import Notification
from ocrwatch.hooks.targets import HookOptions
from ocrwatch.hooks.webhook import Address
from tests.daemon_process import is_alive
from tests.eventually import eventually, run, settled
from tests.listening import Listener, listening


@pytest.fixture
def logged(restored_logging: None) -> io.StringIO:
    """Keep the log."""
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    return stream


def _events(logged: io.StringIO, name: str = "") -> list[dict[str, object]]:
    events: list[dict[str, object]] = [json.loads(line) for line in logged.getvalue().splitlines()]
    return [event for event in events if not name or event["event"] == name]


def _numbered(number: int, event: str = "delivered") -> Notification:
    return Notification(event, str(number), f"{number}\n".encode())


def _numbers(posts: Iterable[object]) -> list[object]:
    """Return what :func:`_numbered` made the bodies of."""
    return list(posts)


class _Gated:
    """A program that waits after its begin until it is let go, if its number has a gate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        script = 'read n; echo $$ > "$1/$n.tmp"; mv "$1/$n.tmp" "$1/$n.pid"; '
        script += '[ ! -p "$1/$n.gate" ] || cat "$1/$n.gate"; rm "$1/$n.pid"; echo $n >> "$1/done"'
        self.command = ("/bin/sh", "-c", script, "hook", str(folder))

    def shut(self, *numbers: int) -> None:
        for number in numbers:
            os.mkfifo(self.folder / f"{number}.gate")

    async def open(self, *numbers: int) -> None:
        """Let those go that run."""
        for number in numbers:
            # Opening it waits for the program to read.
            await asyncio.to_thread((self.folder / f"{number}.gate").write_bytes, b"")
            await eventually(lambda number=number: number in self.done, f"the end of {number}")  # type: ignore[misc]

    @property
    def running(self) -> dict[int, int]:
        """Process ids by number."""
        return {int(path.stem): int(path.read_text()) for path in self.folder.glob("*.pid")}

    @property
    def done(self) -> list[int]:
        done = self.folder / "done"
        return [int(line) for line in done.read_text().split()] if done.exists() else []


@pytest.fixture
def gated(tmp_path: Path) -> _Gated:
    """Return a program with gates."""
    return _Gated(tmp_path)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Listen to posts, which are repeated at once."""
    monkeypatch.setattr(webhook, "_MIN_DELAY", 0.01)
    with listening() as found:
        yield found


def _to(listener: Listener, timeout: float = 5) -> HookOptions:
    return HookOptions(webhook=Address(listener.url, None, timeout, 3))


@asynccontextmanager
async def _dispatching(options: HookOptions) -> AsyncIterator[Dispatcher]:
    hooks = Dispatcher(options)
    try:
        yield hooks
    finally:
        await hooks.close()
        assert hooks.is_idle


def test_webhook_gets_all_in_order(listener: Listener) -> None:
    """One after the other, also if one has to be repeated; then all is idle."""
    listener.answers += [200, 500, 200]

    async def posting() -> None:
        async with _dispatching(_to(listener)) as hooks:
            assert hooks.is_idle
            for number in range(20):
                hooks.notify(_numbered(number))
            assert not hooks.is_idle
            await eventually(lambda: hooks.is_idle)
            assert _numbers(listener.taken) == [*range(20)]
            assert _numbers(listener.posts) == [0, 1, 1, *range(2, 20)]

    run(posting())


def test_program_and_webhook_get_their_events(tmp_path: Path, gated: _Gated, listener: Listener) -> None:
    """A program gets those that it is for, the webhook all; neither waits for the other."""
    gated.shut(0)
    listener.answers += [500]

    async def notifying() -> None:
        options = dataclasses.replace(_to(listener), programs={"delivered": gated.command})
        async with _dispatching(options) as hooks:
            hooks.notify(_numbered(0))
            hooks.notify(_numbered(1, "batch"))
            await eventually(lambda: _numbers(listener.taken) == [0, 1] and gated.running.keys() == {0})
            assert not hooks.is_idle
            await gated.open(0)
            await eventually(lambda: hooks.is_idle)
        assert gated.done == [0]

    run(notifying())


def test_without_hooks_nothing_is_sent() -> None:
    """Neither task nor thread is made."""

    async def notifying() -> None:
        async with _dispatching(HookOptions()) as hooks:
            hooks.notify(_numbered(0))
            assert hooks.is_idle
            assert len(asyncio.all_tasks()) == 1

    run(notifying())


def test_limit_of_programs_at_once(gated: _Gated) -> None:
    """No more run than allowed; a change takes effect at once, or when enough of them have ended."""
    gated.shut(*range(5))

    async def running() -> None:
        options = HookOptions({"delivered": gated.command}, concurrency=2)
        async with _dispatching(options) as hooks:
            for number in range(7):
                hooks.notify(_numbered(number))
            await eventually(lambda: gated.running.keys() == {0, 1})
            hooks.change(dataclasses.replace(options, concurrency=3))
            await eventually(lambda: gated.running.keys() == {0, 1, 2})
            hooks.change(dataclasses.replace(options, concurrency=1))
            await gated.open(0, 1)
            await settled()
            assert gated.running.keys() == {2}
            await gated.open(2)
            await eventually(lambda: gated.running.keys() == {3})
            await gated.open(3)
            await eventually(lambda: gated.running.keys() == {4})
            await gated.open(4)
            await eventually(lambda: hooks.is_idle)
        assert gated.done == [*range(7)]

    run(running(), 20)


def test_overflow_drops_the_oldest(gated: _Gated, logged: io.StringIO) -> None:
    """Notifying never waits, the newest are kept, and the log counts what was dropped."""
    gated.shut(0)

    async def overflowing() -> None:
        options = HookOptions({"delivered": gated.command}, concurrency=1, capacity=3)
        async with _dispatching(options) as hooks:
            begun = time.monotonic()
            for number in range(1000):
                hooks.notify(_numbered(number))
            assert time.monotonic() - begun < 5
            await eventually(lambda: 0 in gated.running)
            await gated.open(0)
            await eventually(lambda: hooks.is_idle)
        assert gated.done == [0, 997, 998, 999]

    run(overflowing())
    drops = _events(logged, "hook.dropped")
    # The first at once and the rest at the end, rather than a line for each.
    assert [event["count"] for event in drops] == [1, 995]
    assert [event["target"] for event in drops] == ["programs"] * 2
    assert [event["reason"] for event in drops] == ["they come faster than they can be sent", "ocrwatch stopped"]


def test_drops_are_reported_again_later(gated: _Gated, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was dropped since the last report is in the next."""
    gated.shut(0)

    async def overflowing() -> None:
        async with _dispatching(HookOptions({"delivered": gated.command}, concurrency=1, capacity=1)) as hooks:
            for number in range(5):
                hooks.notify(_numbered(number))
            # As if a minute had passed.
            hooks._runs._next_report = time.monotonic()
            hooks.notify(_numbered(5))

    run(overflowing())
    assert [event["count"] for event in _events(logged, "hook.dropped")] == [1, 3, 1]


def test_smaller_queue_drops_what_is_too_much(gated: _Gated, logged: io.StringIO) -> None:
    """A change of the capacity takes effect with the next notification."""
    gated.shut(0)

    async def changing() -> None:
        options = HookOptions({"delivered": gated.command}, concurrency=1)
        async with _dispatching(options) as hooks:
            for number in range(10):
                hooks.notify(_numbered(number))
            hooks.change(dataclasses.replace(options, capacity=2))
            hooks.notify(_numbered(10))
            await gated.open(0)
            await eventually(lambda: hooks.is_idle)
        assert gated.done == [0, 9, 10]

    run(changing())
    assert [event["count"] for event in _events(logged, "hook.dropped")] == [8]


def test_what_waits_gets_new_options(gated: _Gated, listener: Listener, tmp_path: Path) -> None:
    """What waits goes to the new program or address; nowhere if there is none any more."""
    gated.shut(0, 1)
    other = tmp_path / "other"
    new = ("/bin/sh", "-c", 'cat >> "$1"', "hook", str(other))

    async def changing() -> None:
        with listening() as silent:
            silent.silent.set()
            programs = {"delivered": gated.command, "batch": gated.command}
            options = dataclasses.replace(_to(silent, timeout=0.5), programs=programs, concurrency=1)
            async with _dispatching(options) as hooks:
                hooks.notify(_numbered(0))
                hooks.notify(_numbered(1, "batch"))
                hooks.notify(_numbered(2))
                await eventually(lambda: silent.posts and 0 in gated.running)
                hooks.change(dataclasses.replace(_to(listener), programs={"delivered": new}))
                await eventually(other.exists)
                await gated.open(0)
                await eventually(lambda: hooks.is_idle)
        assert gated.done == [0]
        assert other.read_text() == "2\n"
        assert set(_numbers(silent.posts)) == {0}
        assert _numbers(listener.taken) == [1, 2]

    run(changing(), 20)


def test_webhook_may_come_later_and_go(listener: Listener) -> None:
    """A reload adds it, and takes it away with what waits for it."""
    listener.silent.set()

    async def changing() -> None:
        async with _dispatching(HookOptions()) as hooks:
            hooks.notify(_numbered(0))
            hooks.change(_to(listener, timeout=0.5))
            hooks.notify(_numbered(1))
            hooks.notify(_numbered(2))
            await eventually(lambda: listener.posts)
            hooks.change(HookOptions())
            hooks.notify(_numbered(3))
            await eventually(lambda: hooks.is_idle)
            assert set(_numbers(listener.posts)) == {1}

    run(changing())


def test_close_kills_what_runs_and_counts_what_waits(gated: _Gated, listener: Listener, logged: io.StringIO) -> None:
    """Closed, it takes nothing more; a server that does not answer is not waited for."""
    gated.shut(0)
    listener.silent.set()

    async def closing() -> list[int]:
        hooks = Dispatcher(dataclasses.replace(_to(listener, 60), programs={"delivered": gated.command}, concurrency=1))
        for number in range(4):
            hooks.notify(_numbered(number))
        await eventually(lambda: listener.posts and gated.running)
        pids = list(gated.running.values())
        begun = time.monotonic()
        await hooks.close()
        assert time.monotonic() - begun < 5
        hooks.notify(_numbered(9))
        assert hooks.is_idle
        assert len(asyncio.all_tasks()) == 1
        return pids

    assert not any(map(is_alive, run(closing())))
    drops = _events(logged, "hook.dropped")
    assert [(event["target"], event["count"], event["reason"]) for event in drops] == [
        ("programs", 3, "ocrwatch stopped"),
        ("webhook", 3, "ocrwatch stopped"),
    ]
    (failed,) = _events(logged, "hook.failed")
    assert (failed["subject"], failed["reason"]) == ("0", "was ended because ocrwatch stopped")


def test_close_waits_for_no_disk(gated: _Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that cannot be killed, because it waits for a disk, does not delay the end."""

    async def never(*_: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(dispatcher, "_KILLED_WITHIN", 0.05)

    async def closing() -> None:
        async with _dispatching(HookOptions({"delivered": gated.command})) as hooks:
            monkeypatch.setattr(hooks._programs, "run", never)
            hooks.notify(_numbered(0))
            await settled()
            assert not hooks.is_idle

    run(closing())


def test_each_end_is_logged(listener: Listener, logged: io.StringIO) -> None:
    """Success at debug level; failure with the end of standard error, or the address without its path."""
    listener.answers += [404]

    async def notifying() -> None:
        programs = {"delivered": ("/bin/true",), "batch": ("/bin/sh", "-c", "echo no index >&2; exit 7")}
        async with _dispatching(dataclasses.replace(_to(listener), programs=programs)) as hooks:
            hooks.notify(_numbered(1, "batch"))
            await eventually(lambda: hooks.is_idle)
            hooks.notify(_numbered(2))
            await eventually(lambda: hooks.is_idle)

    run(notifying())
    shown = listener.url.removesuffix("/secret-path")
    told = [(event["hook"], event["subject"], event["target"]) for event in _events(logged, "hook.told")]
    assert sorted(told) == [("delivered", "2", "/bin/true"), ("delivered", "2", shown)]
    failed = {str(event["target"]): event for event in _events(logged, "hook.failed")}
    assert (failed["/bin/sh"]["reason"], failed["/bin/sh"]["stderr"]) == ("exited with code 7", "no index")
    assert failed[shown]["reason"] == "answered 404"
    assert {event["subject"] for event in failed.values()} == {"1"}


def test_bug_costs_one_notification(gated: _Gated, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong with one is logged, and the others are sent."""

    async def notifying() -> None:
        async with _dispatching(HookOptions({"delivered": gated.command}, concurrency=1)) as hooks:
            right = hooks._programs.run

            async def wrong(command: tuple[str, ...], body: bytes, time_limit: float) -> None:
                if body == b"1\n":
                    raise ZeroDivisionError
                await right(command, body, time_limit)

            monkeypatch.setattr(hooks._programs, "run", wrong)
            for number in range(3):
                hooks.notify(_numbered(number))
            await eventually(lambda: hooks.is_idle)

    run(notifying())
    assert gated.done == [0, 2]
    assert [event["subject"] for event in _events(logged, "hook.failed")] == ["1"]
