"""Sends each event to the configured programs and webhook."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ocrwatch.hooks.dispatcher import Dispatcher, Notification
from ocrwatch.hooks.program import ProgramFailed, Programs
from ocrwatch.hooks.webhook import Address, NotTaken, Webhook
from ocrwatch.log import get_logger

HOOK_SCHEMA = "ocrwatch.hook/1"
"""Name and version of the facts; the number grows when a field changes its meaning or is removed."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class HookOptions:
    """Options: what to do at which event."""

    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Program and arguments by event: ``delivered``, ``quarantined``, ``batch``."""
    timeout: float = 30.0
    """Seconds for one run of a program."""
    concurrency: int = 2
    """Programs that run at once."""
    capacity: int = 1000
    """Waiting notifications, for programs and for the webhook each."""
    webhook: Address | None = None


class Hooks:
    """Takes facts on the loop's thread, and sends them on others.

    ``now`` returns the time of an event as text.
    """

    def __init__(self, options: HookOptions, now: Callable[[], str]) -> None:
        self._options = options
        self._now = now
        self._programs = Programs()
        self._webhook: Webhook | None = None
        self._runs = Dispatcher("programs", self._run, threads=options.concurrency, capacity=options.capacity)
        # One thread, so that listeners get events in order.
        self._posts = Dispatcher("webhook", self._post, threads=1, capacity=options.capacity)
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
        self._runs.change(threads=options.concurrency, capacity=options.capacity)
        self._posts.change(threads=1, capacity=options.capacity)

    def notify(self, event: str, subject: str, facts: Mapping[str, object]) -> None:
        """Notify the configured listeners of ``event``; returns at once."""
        wanted = event in self._options.programs
        if not (wanted or self._options.webhook):
            return
        told = {"schema": HOOK_SCHEMA, "event": event, "time": self._now(), **facts}
        # ASCII: names that are not UTF-8 are sent as their escapes (PEP 383), as in the log.
        notice = Notification(event, json.dumps(told).encode("ascii") + b"\n", subject)
        if wanted:
            self._runs.send(notice)
        if self._options.webhook:
            self._posts.send(notice)

    def close(self) -> None:
        """Kill the running programs and drop what waits."""
        self._runs.close()
        self._posts.close()
        self._programs.close()

    def _run(self, notice: Notification) -> None:
        options = self._options
        command = options.programs.get(notice.event)
        if command is None:
            return
        begun = time.monotonic()
        try:
            self._programs.run(command, notice.body, options.timeout)
        except ProgramFailed as failure:
            _log.warning(
                "hook.failed",
                hook=notice.event,
                subject=notice.subject,
                target=command[0],
                reason=failure.reason,
                stderr=failure.stderr,
            )
        else:
            _told(notice, command[0], begun)

    def _post(self, notice: Notification) -> None:
        address, webhook = self._options.webhook, self._webhook
        if address is None or webhook is None:
            return
        begun = time.monotonic()
        try:
            webhook.post(address, notice.body)
        except NotTaken as failure:
            _log.warning(
                "hook.failed",
                hook=notice.event,
                subject=notice.subject,
                target=address.shown,
                reason=failure.reason,
            )
        else:
            _told(notice, address.shown, begun)


def _told(notice: Notification, target: str, begun: float) -> None:
    took_ms = round((time.monotonic() - begun) * 1000)
    _log.debug("hook.told", hook=notice.event, subject=notice.subject, target=target, took_ms=took_ms)
