"""From batches to bytes: what waits, in which order it is loaded, and what cannot be."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ocrwatch.backoff import Backoff
from ocrwatch.daemon.loader import Loaded, Loader
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.queueing import Queue, Resting
from ocrwatch.daemon.tickets import End, Ticket
from ocrwatch.errors import Blocked, Changed, InternalFault, OcrwatchError, ScanFault
from ocrwatch.log import get_logger
from ocrwatch.observe.status import BLOCKED

BUG_REMEDY = "please report it with the log's traceback"

_MOST_TOGETHER = 64

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Room:
    """What may be loaded now."""

    workers: int
    """Scans for the workers."""
    bytes: int
    """Besides, so many bytes of scans that may be known already."""
    most: int
    """Not more scans than this in any case."""
    plain: bool
    """Whether there may be one among them whose first reading took too long."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What is done with a scan before it is loaded, and where it goes from here."""

    renew: Callable[[Ticket], None]
    loaded: Callable[[Loaded], None]
    given_up: Callable[[Ticket, ScanFault], None]
    """Its row is open, and it is to be quarantined."""
    end: Callable[[Ticket, End], None]


class Loading:
    """Keeps what waits, and loads it in its order; one round of loading at a time."""

    def __init__(self, loop: Loop, pauses: Backoff, loader: Loader, ways: Ways) -> None:
        self._loop = loop
        self._pauses = pauses
        self._loader = loader
        self._ways = ways
        self._waiting = Queue()
        self._resting = Resting()
        self._blocked: dict[str, str] = {}
        self._on_load: Sequence[Ticket] = ()
        self._is_loading = False
        self._under_way = 0
        self._one_by_one = 0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._resting) + self._under_way

    @property
    def blocked(self) -> dict[str, str]:
        """Paths of those that cannot be had at present, with the reason and the remedy."""
        return dict(self._blocked)

    @property
    def count_blocked(self) -> int:
        """How many :attr:`blocked` has."""
        return len(self._blocked)

    @property
    def resting(self) -> list[tuple[float, Ticket]]:
        """Those that rest, with the ends of their rests (monotonic seconds), soonest first."""
        return self._resting.in_order()

    def queue(self) -> Iterator[Ticket]:
        """Yield those that wait for their turn or are being loaded, in their order."""
        return itertools.chain(self._on_load, self._waiting)

    @property
    def queued(self) -> int:
        """How many :meth:`queue` has."""
        return len(self._on_load) + len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being loaded."""
        return not self._under_way

    @property
    def waits(self) -> bool:
        """Whether scans wait to be loaded, and nothing is being loaded."""
        return bool(self._waiting) and self.is_idle

    @property
    def is_through(self) -> bool:
        """Whether nothing waits to be loaded now, and nothing is."""
        return not self._waiting and self.is_idle

    @property
    def wants_backlog(self) -> bool:
        """Whether another batch of the backlog may come; not before, so that fresh ones can overtake it."""
        return not self._waiting.has_backlog

    def add(self, ticket: Ticket) -> None:
        """Have a scan wait for its turn."""
        self._waiting.add(ticket)

    def put_back(self, ticket: Ticket) -> None:
        """Have a scan wait again whose turn had come."""
        if self._stopped:
            self._ways.end(ticket, "stopped")
        else:
            self._waiting.put_back(ticket)

    def rest(self, ticket: Ticket, until: float) -> None:
        """Have a scan wait until then (monotonic seconds)."""
        ticket.rested = True
        if self._stopped:
            self._ways.end(ticket, "stopped")
        else:
            self._resting.add(ticket, until)

    def hold_up(self, ticket: Ticket, error: Blocked) -> None:
        """Have a scan wait that the environment refuses while it serves the others."""
        if ticket.reason != error.message:
            _log.warning("scan.waiting", path=ticket.path, reason=error.message, next_step=error.remedy)
        ticket.code, ticket.reason, ticket.remedy = BLOCKED, error.message, error.remedy
        self._blocked[ticket.path] = str(error)
        self.rest(ticket, self._pauses.blocked_until(time.monotonic()))

    def wake(self, now: float) -> None:
        """Have those wait for their turn that have rested enough."""
        for ticket in self._resting.rested(now):
            self._blocked.pop(ticket.path, None)
            self._waiting.add(ticket)

    def load(self, room: Room, is_ending: Callable[[Queue], bool]) -> None:
        """Begin to load what there is ``room`` for, unless something is being loaded."""
        if self._is_loading:
            return
        most = min(room.most, 1 if self._one_by_one else _MOST_TOGETHER)
        tickets: list[Ticket] = []
        size = 0
        plain = room.plain
        while (
            len(tickets) < most
            and (len(tickets) < room.workers or size < room.bytes)
            and (ticket := self._waiting.take(ending=is_ending(self._waiting), plain=plain))
        ):
            tickets.append(ticket)
            size += ticket.scan.facts.size
            plain = plain and not ticket.plain
        if tickets:
            self._load(tickets)

    def next_wake(self) -> float:
        """Return when one has rested enough (monotonic seconds), infinity if none rests."""
        return self._resting.next_end()

    def stop(self) -> None:
        """Load no more, and let go of what waits."""
        self._stopped = True
        for ticket in (*self._waiting.drain(), *self._resting.drain()):
            self._ways.end(ticket, "stopped")
        self._blocked.clear()

    def give_up(self, ticket: Ticket, fault: ScanFault) -> None:
        """Have a scan quarantined that no worker has seen."""
        self._under_way += 1
        self._loop.background(
            lambda: self._loader.open_row(ticket),
            lambda row: self._row_opened(ticket, row, fault),
            lambda error: self._not_loaded([ticket], error),
        )

    def _row_opened(self, ticket: Ticket, row: tuple[int, str | None] | None, fault: ScanFault) -> None:
        self._under_way -= 1
        if row is None:
            # A copy of it is in the quarantine already, and it stays in the inbox.
            self._ways.end(ticket, "known")
            return
        ticket.id, ticket.sha256 = row
        if self._stopped:
            self._ways.end(ticket, "stopped")
        else:
            self._ways.given_up(ticket, fault)

    def _load(self, tickets: Sequence[Ticket]) -> None:
        self._is_loading = True
        self._on_load = tickets
        for ticket in tickets:
            self._ways.renew(ticket)
        self._under_way += len(tickets)
        self._one_by_one = max(0, self._one_by_one - len(tickets))
        self._loop.load(
            lambda: self._loader.load(tickets),
            lambda results: self._take_in(tickets, results),
            lambda error: self._load_failed(tickets, error),
        )

    def _load_failed(self, tickets: Sequence[Ticket], error: BaseException) -> None:
        self._is_loading = False
        self._on_load = ()
        self._not_loaded(tickets, error)

    def _take_in(self, tickets: Sequence[Ticket], results: Sequence[Loaded]) -> None:
        self._is_loading = False
        self._on_load = ()
        self._under_way -= len(tickets)
        if any(loaded.is_read for loaded in results):
            self._pauses.resolve("reading")
        for ticket in reversed(tickets[len(results) :]):
            self.put_back(ticket)
        for loaded in results:
            match loaded.error:
                case None if self._stopped:
                    self._ways.end(loaded.ticket, "stopped")
                case None:
                    loaded.ticket.is_free_again()
                    self._ways.loaded(loaded)
                case Changed():
                    self._ways.end(loaded.ticket, "changed")
                case Blocked() as error:
                    self.hold_up(loaded.ticket, error)
                case fault:
                    self.give_up(loaded.ticket, fault)

    def _not_loaded(self, tickets: Sequence[Ticket], error: BaseException) -> None:
        self._under_way -= len(tickets)
        if isinstance(error, Changed):
            self._ways.end(tickets[0], "changed")
        elif isinstance(error, Blocked) and len(tickets) == 1:
            self.hold_up(tickets[0], error)
        elif isinstance(error, OcrwatchError):
            self._pauses.record("reading", error, time.monotonic())
            self._put_all_back(tickets)
        elif len(tickets) > 1:
            # Whose fault it is comes out one by one.
            self._one_by_one = len(tickets)
            self._put_all_back(tickets)
        else:
            self.give_up(tickets[0], InternalFault(f"a bug in ocrwatch: {error!r}", BUG_REMEDY))
            _log.error("scan.failed", path=tickets[0].path, exc_info=error)

    def _put_all_back(self, tickets: Sequence[Ticket]) -> None:
        for ticket in reversed(tickets):
            self.put_back(ticket)
