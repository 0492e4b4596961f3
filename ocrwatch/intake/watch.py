"""Events from the inbox, through watchdog: a wake-up, nothing more."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from ocrwatch.errors import EnvironmentFault
from ocrwatch.intake.names import NameRules
from ocrwatch.values import Arrival, Settled

# watchdog holds a "moved away" for half a second, and everything behind it, to pair it with its "moved to". The
# archive lies outside the inbox, so after each delivery the next scan would wait for a pair that never comes.
InotifyMoveEventGrouper.delay = 0.02

_LONGEST_END = 5.0
"""Seconds that watchdog may take to end before it is left to it."""

# It calls it an error that its own thread is told to stop while it waits for an event.
_watchdog_log = logging.getLogger("watchdog.observers.inotify")
_watchdog_log.addFilter(lambda record: "thread is inactive" not in record.getMessage())


class Watcher:
    """Watches one inbox through inotify while it is armed.

    ``arrived`` gets each path that may be a scan and ``stirred`` is called when folders came, whose content only a
    look can tell. Both are called on watchdog's thread and must do no more than put something on a queue, since
    an exception there would end the observer without a word.
    """

    def __init__(
        self,
        inbox: Path,
        rules: NameRules,
        *,
        recursive: bool,
        arrived: Callable[[Arrival], None],
        stirred: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._recursive = recursive
        self._handler = _Handler(inbox, rules, arrived, stirred)
        self._observer: InotifyObserver | None = None

    @property
    def armed(self) -> bool:
        """Whether events can arrive."""
        return (
            self._observer is not None
            and self._observer.is_alive()
            and any(emitter.is_alive() for emitter in self._observer.emitters)
            # The thread that reads from the kernel may die of its own, and watchdog has no word for that.
            and self._observer._inotify_fd.is_alive()  # noqa: SLF001
        )

    def arm(self) -> None:
        """Start watching, anew if it was armed.

        Raises :class:`EnvironmentFault` where the kernel refuses, most often because
        ``fs.inotify.max_user_watches`` or ``max_user_instances`` is used up.
        """
        self.disarm()
        wanted: list[type[FileSystemEvent]] = [FileCreatedEvent, FileClosedEvent, FileMovedEvent]
        if self._recursive:
            wanted += [DirCreatedEvent, DirMovedEvent]
        try:
            observer = InotifyObserver(generate_full_events=True)
            observer.schedule(self._handler, str(self._inbox), recursive=self._recursive, event_filter=wanted)
            observer.start()
        except (OSError, RuntimeError, MemoryError) as error:
            # Before Python 3.12 os.walk, with which watchdog finds the folders, calls itself for each one deeper; and a
            # thread that cannot be started is a RuntimeError.
            reason = getattr(error, "strerror", None) or error
            raise EnvironmentFault(
                f"cannot watch the inbox {self._inbox} for events ({reason})",
                "raise fs.inotify.max_user_instances and max_user_watches with sysctl, or set watch.mode to poll",
            ) from error
        self._observer = observer

    def disarm(self) -> None:
        """Stop watching, as far as that is done in a moment; the rest goes on by itself.

        While watchdog takes in very deep folders it hears nothing else, for half a minute on a busy machine.
        """
        observer, self._observer = self._observer, None
        if observer is None:
            return
        ending = threading.Thread(target=_end, args=(observer,), name="watch-end", daemon=True)
        # Where no thread can be had, it ends with the process.
        with contextlib.suppress(RuntimeError, MemoryError):
            ending.start()
            ending.join(_LONGEST_END)


def _end(observer: InotifyObserver) -> None:
    try:
        observer.stop()
    except Exception as error:  # noqa: BLE001 - it loses count of folders that change places, and stops all the same
        _watchdog_log.warning("watchdog did not stop cleanly: %r", error)
    else:
        observer.join()


class _Handler(FileSystemEventHandler):
    def __init__(
        self, inbox: Path, rules: NameRules, arrived: Callable[[Arrival], None], stirred: Callable[[], None]
    ) -> None:
        self._prefix = f"{inbox}{os.sep}"
        self._rules = rules
        self._arrived = arrived
        self._stirred = stirred

    def dispatch(self, event: FileSystemEvent) -> None:
        if isinstance(event, DirCreatedEvent | DirMovedEvent):
            self._stirred()
        elif isinstance(event, FileMovedEvent):
            self._take(event.dest_path, "moved")
        elif isinstance(event, FileClosedEvent):
            self._take(event.src_path, "closed")
        elif isinstance(event, FileCreatedEvent):
            self._take(event.src_path, "found")

    def _take(self, absolute: bytes | str, how: Settled) -> None:
        path = os.fsdecode(absolute).removeprefix(self._prefix)
        if path and self._rules.takes(path):
            self._arrived(Arrival(path, how))
