"""Events of the daemon as a whole, its settings and its outputs."""

from __future__ import annotations

import logging
from typing import Final

from ocrwatch.events.base import Event, Level


class DaemonStarted(Event, frozen=True, kw_only=True):
    """ocrwatch has started."""

    name = "daemon.started"
    level = "info"

    version: str
    pid: int
    inbox: str
    outbox: str
    workers: int


class DaemonReady(Event, frozen=True, kw_only=True):
    """A worker can read."""

    name = "daemon.ready"
    level = "info"

    mode: str
    """How the inbox is watched: ``inotify`` or ``poll``."""
    workers: int


class DaemonPaused(Event, frozen=True, kw_only=True):
    """The environment lacks something.

    ocrwatch retries by itself, and quarantines no scan for it. If the `cause` is a remote OCR service (`remote:NAME`),
    only the scans that need it wait.
    """

    name = "daemon.paused"
    level = "error"

    cause: str
    reason: str
    remedy: str


class DaemonResumed(Event, frozen=True, kw_only=True):
    """The environment is in order again."""

    name = "daemon.resumed"
    level = "info"

    cause: str
    paused_s: float


class DaemonStopping(Event, frozen=True, kw_only=True):
    """ocrwatch stops, and first finishes the scans that are being read."""

    name = "daemon.stopping"
    level = "info"

    signal: str
    in_work: int
    """Scans that are being read."""
    timeout_s: float


class DaemonReloaded(Event, frozen=True, kw_only=True):
    """New settings are in force; `changed` has their keys."""

    name = "daemon.reloaded"
    level = "info"

    changed: tuple[str, ...]
    workers: int


class DaemonReloadFailed(Event, frozen=True, kw_only=True):
    """The new settings are wrong; the old ones stay in force."""

    name = "daemon.reload_failed"
    level = "error"

    reason: str
    remedy: str | None = None
    exception: BaseException | None = None


class SettingKept(Event, frozen=True, kw_only=True):
    """A changed setting needs a restart; its old value stays in force."""

    name = "setting.kept"
    level = "warning"

    key: str
    remedy: str


class DaemonKilled(Event, frozen=True, kw_only=True):
    """An earlier run was killed while it read these scans.

    They are read one at a time before all others, except a scan that was alone: it waits, as it may be the cause.
    """

    name = "daemon.killed"
    level = "warning"

    in_work: tuple[str, ...]
    """Paths of the scans."""


class DaemonFailed(Event, frozen=True, kw_only=True):
    """A bug ended ocrwatch; unfinished scans are still in the inbox."""

    name = "daemon.failed"
    level = "critical"

    exception: BaseException | None = None


class DaemonStopped(Event, frozen=True, kw_only=True):
    """ocrwatch has stopped; the fields count the scans of this run by their end."""

    name = "daemon.stopped"
    level = "info"

    delivered: int | None = None
    quarantined: int | None = None
    changed: int | None = None
    duplicate: int | None = None
    cancelled: int | None = None
    incomplete: int | None = None


class StatusListening(Event, frozen=True, kw_only=True):
    """Metrics and health checks are served at this address."""

    name = "status.listening"
    level = "info"

    address: str


class ListenerFailed(Event, frozen=True, kw_only=True):
    """A listener raised an exception; nothing else is affected.

    One of another package is logged once for each kind of error.
    """

    name = "listener.failed"
    level = "error"

    listener: str
    handling: str | None = None
    """Name of the event that it could not handle."""
    reason: str
    remedy: str
    exception: BaseException | None = None


class ListenerDropped(Event, frozen=True, kw_only=True):
    """Events for a listener were dropped because too many were waiting, the oldest first."""

    name = "listener.dropped"
    level = "warning"

    listener: str
    count: int
    reason: str
    remedy: str


_LEVELS: Final[dict[int, Level]] = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


class LogLost(Event, frozen=True, kw_only=True):
    """Lines of the log could not be written, such as on a full disk; it can be written again."""

    name = "log.lost"
    level = "warning"

    count: int
    """How many events before this one may be missing."""


class LogWarning(Event, frozen=True, kw_only=True):
    """A warning from a library or from Python."""

    name = "log.warning"
    level = "warning"
    unlogged = frozenset({"levelno"})

    logger: str
    message: str
    levelno: int = logging.WARNING
    """Level of :mod:`logging`; one between two of its own counts as the lower one."""
    exception: BaseException | None = None

    @property
    def log_level(self) -> Level:
        """The library's level."""
        return _LEVELS[min(self.levelno // 10 * 10, logging.CRITICAL)]
