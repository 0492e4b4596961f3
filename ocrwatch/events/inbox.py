"""Events of the inbox: how it is watched, and which files are not read."""

from __future__ import annotations

from ocrwatch.events.base import Event


class InboxUnlocked(Event, frozen=True, kw_only=True):
    """The inbox's file system has no locks.

    A second ocrwatch on this inbox would not be noticed.
    """

    name = "inbox.unlocked"
    level = "warning"

    inbox: str
    reason: str


class InboxCrowded(Event, frozen=True, kw_only=True):
    """The inbox has too many files that are not read: log and status list only some."""

    name = "inbox.crowded"
    level = "warning"

    count: int
    named: int
    """How many are listed at most."""
    remedy: str


class WatchArmed(Event, frozen=True, kw_only=True):
    """The inbox is watched."""

    name = "watch.armed"
    level = "info"

    inbox: str
    mode: str
    file_system: str | None = None
    source: str | None = None
    """What is mounted there, such as ``nas:/scans``."""


class WatchLost(Event, frozen=True, kw_only=True):
    """inotify is unavailable; ocrwatch falls back to polling."""

    name = "watch.lost"
    level = "warning"

    reason: str
    remedy: str | None = None
    mode: str


class WatchOverflowed(Event, frozen=True, kw_only=True):
    """The kernel dropped events because too many came at once.

    The inbox is rescanned immediately.
    """

    name = "watch.overflowed"
    level = "warning"

    reason: str
    remedy: str


class FolderRemoved(Event, frozen=True, kw_only=True):
    """A folder in the inbox was removed.

    It was empty after its scans were read (intake.remove_empty_folders).
    """

    name = "folder.removed"
    level = "info"

    path: str


class FolderKept(Event, frozen=True, kw_only=True):
    """An empty folder in the inbox cannot be removed (intake.remove_empty_folders)."""

    name = "folder.kept"
    level = "info"

    path: str
    reason: str
