"""Sends each notification to the configured program and to the webhook, by tasks of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any, Final

from ocrwatch.events import HookDropped, HookFailed, HookTold, publish
from ocrwatch.hooks.payload import Notification
from ocrwatch.hooks.program import ProgramFailed, Programs
from ocrwatch.hooks.targets import HookOptions
from ocrwatch.hooks.webhook import PostFailed, Webhook

_DROPS_REPORTED_EVERY: Final = 60.0
_KILLED_WITHIN: Final = 2.0
"""Seconds in which a killed program ends, unless it waits for a disk that does not answer."""


class Dispatcher:
    """Takes notifications without waiting, and sends them.

    Lives on the event loop's thread.
    """

    def __init__(self, options: HookOptions) -> None:
        self._programs = Programs()
        self._webhook: Webhook | None = None
        self._runs = _Queue("programs")
        self._posts = _Queue("webhook")
        self._closed = False
        self.change(options)

    @property
    def is_idle(self) -> bool:
        """Whether all notifications were sent, or given up."""
        return self._runs.is_idle and self._posts.is_idle

    def change(self, options: HookOptions) -> None:
        """Apply other options from here on, also to what waits."""
        if options.webhook is not None and self._webhook is None:
            self._webhook = Webhook()
        self._options = options
        self._send_waiting()

    def notify(self, notification: Notification) -> None:
        """Notify the program for this event, and the webhook; returns at once."""
        if self._closed:
            return
        options = self._options
        if notification.event in options.programs:
            self._runs.put(notification, options.capacity)
        if options.webhook is not None:
            self._posts.put(notification, options.capacity)
        self._send_waiting()

    async def close(self) -> None:
        """Kill the running programs and drop what waits.

        A post that was begun is not waited for.
        """
        self._closed = True
        self._runs.drop_all("ocrwatch stopped")
        self._posts.drop_all("ocrwatch stopped")
        self._programs.close()
        if self._runs.tasks:
            await asyncio.wait(self._runs.tasks, timeout=_KILLED_WITHIN)
        left = [*self._runs.tasks, *self._posts.tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._webhook is not None:
            self._webhook.close()

    def _send_waiting(self) -> None:
        """Start as many tasks as the options allow."""
        while notification := self._runs.take(self._options.concurrency):
            self._start(self._run(notification), self._runs)
        # One at a time: the webhook gets events in order.
        while notification := self._posts.take(1):
            self._start(self._post(notification), self._posts)

    def _start(self, sending: Coroutine[Any, Any, None], queue: _Queue) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            queue.tasks.discard(task)
            self._send_waiting()

        task = asyncio.get_running_loop().create_task(sending)
        queue.tasks.add(task)
        task.add_done_callback(ended)

    async def _run(self, notification: Notification) -> None:
        options = self._options
        # A reload may have removed it since.
        if command := options.programs.get(notification.event):
            with _logged(notification, command[0]):
                await self._programs.run(command, notification.body, options.timeout)

    async def _post(self, notification: Notification) -> None:
        address, webhook = self._options.webhook, self._webhook
        if address is not None and webhook is not None:
            with _logged(notification, address.shown):
                await webhook.post(address, notification.body)


class _Queue:
    """Notifications that wait, and the tasks that send earlier ones."""

    def __init__(self, name: str) -> None:
        """``name`` is for the log."""
        self._name = name
        self._waiting: deque[Notification] = deque()
        self.tasks: set[asyncio.Task[None]] = set()
        self._dropped = 0
        self._next_report = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no notification waits or is being sent."""
        return not (self._waiting or self.tasks)

    def put(self, notification: Notification, capacity: int) -> None:
        """Add a notification.

        If ``capacity`` wait, drop the oldest: after a long outage new ones are more useful.
        """
        while len(self._waiting) >= capacity:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(notification)
        if time.monotonic() >= self._next_report:
            self._report_dropped("they come faster than they can be sent")

    def take(self, concurrency: int) -> Notification | None:
        """Return the oldest notification, if fewer than ``concurrency`` are being sent."""
        return self._waiting.popleft() if self._waiting and len(self.tasks) < concurrency else None

    def drop_all(self, reason: str) -> None:
        """Drop what waits."""
        self._dropped += len(self._waiting)
        self._waiting.clear()
        self._report_dropped(reason)

    def _report_dropped(self, reason: str) -> None:
        if not self._dropped:
            return
        count, self._dropped = self._dropped, 0
        self._next_report = time.monotonic() + _DROPS_REPORTED_EVERY
        remedy = "see that what the hooks run or post to is there and fast enough"
        publish(HookDropped(target=self._name, count=count, reason=reason, remedy=remedy))


@contextlib.contextmanager
def _logged(notification: Notification, target: str) -> Iterator[None]:
    """Log how the sending of a notification ends; later ones are sent whatever the error."""
    hook, subject, begun = notification.event, notification.subject, time.monotonic()
    try:
        yield
    except ProgramFailed as failure:
        reason, stderr = failure.reason, failure.stderr
        publish(HookFailed(hook=hook, subject=subject, target=target, reason=reason, stderr=stderr))
    except PostFailed as failure:
        publish(HookFailed(hook=hook, subject=subject, target=target, reason=failure.reason))
    except Exception as error:  # noqa: BLE001 - a bug here must not lose later notifications
        reason = f"a bug in ocrwatch: {error!r}"
        publish(HookFailed(hook=hook, subject=subject, reason=reason, exception=error))
    else:
        took_ms = round((time.monotonic() - begun) * 1000)
        publish(HookTold(hook=hook, subject=subject, target=target, took_ms=took_ms))
