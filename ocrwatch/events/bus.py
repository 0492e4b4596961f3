"""Publishes events: each is logged, then passed to the listeners of its kind.

There is one bus in a process, as there is one log. The subscriber ends its subscription.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ocrwatch.events.base import EXCEPTION, Event
from ocrwatch.events.daemon import ListenerFailed, LogLost

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

AnyEvent = TypeVar("AnyEvent", bound=Event)

_listeners: dict[type[Event], tuple[Callable[[Any], None], ...]] = {}
_changing = threading.Lock()


def publish(event: Event) -> None:
    """Log an event, and pass it to its listeners, in this thread and in the order of their subscriptions.

    Usable in any thread. An exception of a listener is logged, and raised no further.
    """
    _log.write(event)
    # Those of all events come last.
    for listener in (*_listeners.get(type(event), ()), *_listeners.get(Event, ())):
        try:
            listener(event)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the publisher's work goes on, whatever the error
            _failed(listener, event, error)


def subscribe(listener: Callable[[AnyEvent], None], kind: type[AnyEvent]) -> Callable[[], None]:
    """Call ``listener`` with each event of a kind, or of all kinds if it is :class:`Event`.

    It is called in the thread that publishes, and must not block. Returns what ends the subscription.
    """
    with _changing:
        _listeners[kind] = (*_listeners.get(kind, ()), listener)

    def unsubscribe() -> None:
        with _changing:
            _listeners[kind] = tuple(each for each in _listeners[kind] if each is not listener)

    return unsubscribe


class _Log:
    """The log. If it cannot be written (a full disk, a closed pipe), no scan fails, and the lost lines are counted."""

    def __init__(self) -> None:
        self._lost = 0

    def write(self, event: Event) -> None:
        """Write an event."""
        exception = getattr(event, EXCEPTION, None)
        with_traceback = {} if exception is None else {"exc_info": exception}
        try:
            getattr(_logger(), event.log_level)(event.name, **event.fields(), **with_traceback)
        except OSError:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self.write(LogLost(count=lost))


_log = _Log()


def _failed(listener: Callable[[Any], None], event: Event, error: BaseException) -> None:
    failure = ListenerFailed(
        listener=getattr(listener, "__qualname__", repr(listener)),
        handling=event.name,
        reason=f"a bug in ocrwatch: {error!r}",
        remedy="please report it with the log's traceback",
        exception=error,
    )
    if isinstance(event, ListenerFailed):
        # A listener that fails on this event, too, would be called endlessly.
        _log.write(failure)
    else:
        publish(failure)


@functools.cache
def _logger() -> FilteringBoundLogger:
    import structlog  # noqa: PLC0415 - costs 50 ms, which not every command needs

    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
