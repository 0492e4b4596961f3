"""Events from the inbox, through watchdog: they only wake the daemon up."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter, InotifyObserver, InotifyWatchGroup
from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper
from watchdog.utils import BaseThread

from ocrwatch.errors import EnvironmentFault, environment_fault
from ocrwatch.intake.names import NameRules
from ocrwatch.scan import Arrival, Settled

# watchdog holds a "moved away" for half a second, and everything behind it, to pair it with its "moved to". The
# archive lies outside the inbox, so after each delivery the next scan would wait for a pair that never comes.
InotifyMoveEventGrouper.delay = 0.02

_LONGEST_END = 5.0
"""Seconds to wait for watchdog's end; after that it ends by itself."""

# Our events cover its log, or it is irrelevant: watchdog reports its own end as an error.
_watchdog_log = logging.getLogger("watchdog")
_watchdog_log.addHandler(logging.NullHandler())
_watchdog_log.propagate = False


class Listener(Protocol):
    """Receives the events of an inbox.

    All methods are called on watchdog's threads and must do no more than put something on a queue.
    """

    def arrived(self, arrival: Arrival) -> None:
        """Handle a path that may be a scan."""

    def stirred(self) -> None:
        """Handle new folders, with contents that only a rescan can find."""

    def left_alone(self) -> None:
        """Handle a file that came or went and is no scan."""

    def overflowed(self) -> None:
        """Handle dropped events, of scans too: the kernel's queue (fs.inotify.max_queued_events) was full."""

    def limited(self) -> None:
        """Handle a folder that is not watched, since the kernel allows no more watches."""

    def ended(self) -> None:
        """Handle the end of events, unless the watch was disarmed."""


class InotifyWatcher:
    """Watches one inbox through inotify while it is armed."""

    def __init__(self, inbox: Path, rules: NameRules, listener: Listener, *, recursive: bool) -> None:
        self._inbox = inbox
        self._rules = rules
        self._recursive = recursive
        self._listener = listener
        self._handler = _Handler(inbox, rules, listener)
        self._observer: _Observer | None = None

    @property
    def armed(self) -> bool:
        """Whether events can arrive."""
        return self._observer is not None and self._observer.is_watching

    @property
    def failure(self) -> str:
        """The error that ended the watch; empty if there was none, or it is unknown."""
        return "" if self._observer is None else self._observer.end

    @property
    def is_removed(self) -> bool:
        """Whether the watch ended because the inbox was removed or unmounted, which is no error of the watch."""
        return self._observer is not None and self._observer.is_removed

    def arm(self) -> None:
        """Start watching, or start again if it was armed.

        Raises :class:`EnvironmentFault` if the kernel refuses, most often because
        ``fs.inotify.max_user_watches`` or ``max_user_instances`` is used up.
        """
        self.disarm()
        wanted: list[type[FileSystemEvent]] = [FileCreatedEvent, FileClosedEvent, FileMovedEvent]
        if self._recursive:
            wanted += [DirCreatedEvent, DirMovedEvent]
        try:
            observer = _Observer(self._rules, self._listener)
            observer.schedule(self._handler, str(self._inbox), recursive=self._recursive, event_filter=wanted)
            observer.start()
        except PermissionError as error:
            raise environment_fault(error, f"cannot watch the inbox {self._inbox} for events") from error
        except (OSError, RuntimeError, MemoryError) as error:
            # Before Python 3.12 os.walk, which finds the folders, recurses for each level; and a thread that cannot be
            # started is a RuntimeError.
            reason = getattr(error, "strerror", None) or error
            raise EnvironmentFault(
                f"cannot watch the inbox {self._inbox} for events ({reason})",
                "raise fs.inotify.max_user_instances and max_user_watches with sysctl, or set watch.mode to poll",
            ) from error
        self._observer = observer

    def disarm(self) -> None:
        """Stop watching, as far as that takes only a moment; the rest ends by itself.

        While watchdog adds very deep folders it does not react, for half a minute on a busy machine.
        """
        observer, self._observer = self._observer, None
        if observer is None:
            return
        ending = threading.Thread(target=_end, args=(observer,), name="watch-end", daemon=True)
        # Without a thread for it, it ends with the process.
        with contextlib.suppress(RuntimeError, MemoryError):
            ending.start()
            ending.join(_LONGEST_END)


def _end(observer: InotifyObserver) -> None:
    # It loses track of folders that change places, but it stops.
    with contextlib.suppress(Exception):
        observer.stop()
        observer.join()


class _Failing(BaseThread):
    """Keeps its fatal error instead of printing a traceback beside the log, and reports its end."""

    failure: Exception | None = None
    has_ended = False
    _listener: Listener

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - the watch is armed again, whatever the error
            self.failure = error
        finally:
            self.has_ended = True
            self._listener.ended()


class _Descriptor(_Failing, InotifyFD):
    """Reads from the kernel.

    A folder that cannot be watched is an error here, not a watch numbered -1.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def _add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        watch = self._get_or_create_watch(path, mask)
        if watch.wd < 0:
            self._watch_for_wd.pop(watch.wd, None)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fsdecode(path))
        # A folder that came while its parent was read is added twice; watchdog would warn of that.
        watch.callbacks[id_] = callback
        return watch.wd

    def _remove_callback(self, wd: WatchDescriptor, id_: CallbackId) -> None:
        watch = self._watch_for_wd.get(wd)
        if watch is not None and id_ in watch.callbacks:
            super()._remove_callback(wd, id_)


@dataclass(kw_only=True)
class _Group(InotifyWatchGroup):
    """The watches of an inbox and its folders, except ignored ones: a snapshot has millions."""

    rules: NameRules = field(repr=False)
    listener: Listener = field(repr=False)
    removed: Callable[[], None] = field(repr=False)
    """Called when the inbox itself is no longer watched."""

    def on_queue_overflow(self) -> None:
        # The dropped events may include new folders: they are watched before the rescan that finds the scans in them.
        try:
            super().on_queue_overflow()
        finally:
            self.listener.overflowed()
            self._end_if_removed()

    def on_event(self, event: InotifyEvent) -> None:
        # The end of the watch follows, here as with a disk that is unmounted. With this event the emitter would end
        # without a reason.
        if not event.is_delete_self:
            super().on_event(event)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        # The kernel ends the watch of a folder that is removed, and all those on a disk that is unmounted.
        super().on_watch_deleted(wd)
        self._end_if_removed()

    def _end_if_removed(self) -> None:
        with self._lock:
            is_removed = self.is_active and self.path not in self._active_callbacks_by_path
        if is_removed:
            self.removed()

    def _add_all_callbacks(self, path: bytes) -> None:
        if not self._is_entered(path):
            return
        self._add_callback(path)
        if not self.is_recursive or not os.path.isdir(path):  # noqa: PTH112 - bytes
            return
        for root, folders, _ in os.walk(path):
            folders[:] = [
                name
                for name in folders
                if self._is_entered(name) and not os.path.islink(root + b"/" + name)  # noqa: PTH114 - bytes
            ]
            for name in folders:
                self._add_callback(root + b"/" + name)

    def _add_callback(self, path: bytes) -> None:
        try:
            watch = self._inotify_fd.add_callback(path, self.event_mask, self._callback, self._id)
        except OSError as error:
            # A folder may be gone again, or closed to this user: a rescan reports that.
            if path == self.path:
                raise
            if error.errno == errno.ENOSPC:
                self.listener.limited()
        else:
            self._active_callbacks_by_path[path] = watch
            self._active_callbacks_by_watch[watch] = path

    def _recursive_simulate(self, src_path: bytes) -> list[InotifyEvent]:
        return super()._recursive_simulate(src_path) if self._is_entered(src_path) else []

    def _is_entered(self, path: bytes) -> bool:
        return path == self.path or self.rules.enters(os.fsdecode(path.rpartition(b"/")[2]))


class _Emitter(_Failing, InotifyFullEmitter):
    """Turns kernel events into watchdog's events, until the inbox is removed or unmounted."""

    is_removed = False

    def __init__(self, *arguments: Any, rules: NameRules, listener: Listener, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._rules = rules
        self._listener = listener

    def on_thread_start(self) -> None:
        self._inotify = _Group(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter(),
            rules=self._rules,
            listener=self._listener,
            removed=self._end_as_removed,
        )

    def _end_as_removed(self) -> None:
        self.is_removed = True
        self.stop()


class _Observer(_Failing, InotifyObserver):
    """Passes the events to the handler."""

    def __init__(self, rules: NameRules, listener: Listener) -> None:
        self._listener = listener
        self._inotify_fd = _Descriptor(listener)
        self._inotify_fd.start()
        BaseObserver.__init__(self, _Emitter, inotify_fd=self._inotify_fd, rules=rules, listener=listener)

    @property
    def is_watching(self) -> bool:
        """Whether all of its threads live: each may die alone, and watchdog does not report it."""
        threads = (self, self._inotify_fd, *self.emitters)
        return len(self.emitters) > 0 and all(
            each.is_alive() and not getattr(each, "has_ended", False) for each in threads
        )

    @property
    def is_removed(self) -> bool:
        """Whether the kernel has ended the watch of the inbox itself."""
        return any(isinstance(each, _Emitter) and each.is_removed for each in self.emitters)

    @property
    def end(self) -> str:
        """The error that ended one of its threads; empty if none is known."""
        threads = (self, self._inotify_fd, *self.emitters)
        return next((repr(each.failure) for each in threads if isinstance(each, _Failing) and each.failure), "")


class _Handler(FileSystemEventHandler):
    def __init__(self, inbox: Path, rules: NameRules, listener: Listener) -> None:
        self._prefix = f"{inbox}{os.sep}"
        self._rules = rules
        self._listener = listener

    def dispatch(self, event: FileSystemEvent) -> None:
        if isinstance(event, DirCreatedEvent | DirMovedEvent):
            self._listener.stirred()
        elif isinstance(event, FileMovedEvent):
            # The file there is no longer an ignored one, for example because it got a scan's name.
            self._leave(self._relative(event.src_path))
            self._take(event.dest_path, "moved")
        elif isinstance(event, FileClosedEvent):
            self._take(event.src_path, "closed")
        elif isinstance(event, FileCreatedEvent):
            self._take(event.src_path, "found")

    def _take(self, absolute: bytes | str, how: Settled) -> None:
        path = self._relative(absolute)
        if path and self._rules.takes(path):
            self._listener.arrived(Arrival(path, how))
        else:
            self._leave(path)

    def _leave(self, path: str) -> None:
        if path and self._rules.leaves(path):
            self._listener.left_alone()

    def _relative(self, absolute: bytes | str) -> str:
        return os.fsdecode(absolute).removeprefix(self._prefix)
