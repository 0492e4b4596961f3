"""From results to files, one after the other, waiting out whatever the disks refuse."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from ocrwatch.backoff import Backoff
from ocrwatch.daemon.duplicates import CODE, Duplicates, Earlier, made_by
from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.telling import log_delivered, log_duplicate, log_quarantined, log_recovered, reason_file
from ocrwatch.daemon.tickets import End, Ticket
from ocrwatch.delivery.plan import Fate
from ocrwatch.delivery.transaction import Delivered, Deliverer, Work
from ocrwatch.document import Page, Review
from ocrwatch.errors import Blocked, Changed, EnvironmentFault, InternalFault, ScanFault
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.log import get_logger
from ocrwatch.quarantine.reason import REASON_ENDING
from ocrwatch.render.base import Original
from ocrwatch.render.registry import render
from ocrwatch.render.review import review_reasons

PLAINLY_READ = "read without enhancement, since reading it took too long"
"""Why such a text is to be reviewed."""

MOST_BLOCKED = 128
"""Scans that may be held up with their texts in memory; if more are, the folder refuses all of them: a pause."""

MOST_TOGETHER = 64
"""Results delivered in one go: as many as wait, but so that the first of them need not wait long for the last."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Parcel:
    path: str
    send: Callable[[], Delivered | None]
    """Does the work, on the delivery thread."""
    sent: Callable[[Delivered | None], None]
    vanished: Callable[[], None]
    broken: Callable[[BaseException], None]
    """Told of a bug."""
    acquit: int | None = None
    """The row of a scan that was read well: its attempt is taken back if it cannot be delivered."""
    work: Callable[[], Work] | None = None
    """Renders a result that can be delivered together with others, on the delivery thread."""
    is_leftover: bool = False
    """Whether it only clears away what an earlier run left of a scan, which is read again."""


@dataclass(frozen=True, slots=True)
class HeldParcel:
    """A scan that one folder, or only its own file, refuses."""

    until: float
    """When it is tried again (monotonic seconds)."""
    parcel: _Parcel
    error: Blocked


class Delivering:
    """Delivers in order. A fault of the environment holds the line: what comes later would only meet it as well."""

    def __init__(
        self,
        loop: Loop,
        pauses: Backoff,
        ledger: Ledger,
        deliverer: Deliverer,
        *,
        fate: Fate,
        group_id: Callable[[str], int],
        preview_chars: int,
        end: Callable[[Ticket, End], None],
        delivered: Callable[[Ticket, Page, Delivered], None],
        tell: Callable[[str, str, Mapping[str, object]], None],
        duplicates: Duplicates | None = None,
    ) -> None:
        """``tell`` gets what happened, the scan's path and the fields that were logged.

        Without ``duplicates`` the same bytes are delivered as often as they come.
        """
        self._loop = loop
        self._pauses = pauses
        self._ledger = ledger
        self._deliverer = deliverer
        self._fate = fate
        self._group_id = group_id
        self.preview_chars = preview_chars
        """How much of each text is logged."""
        self._end = end
        self._delivered = delivered
        self._tell = tell
        self._duplicates = duplicates
        self._line: deque[_Parcel] = deque()
        self._held: deque[HeldParcel] = deque()
        self._told: dict[str, str] = {}
        self._busy = False
        self._clear_away_at = 0.0

    def __len__(self) -> int:
        return len(self._line)

    def paths(self) -> Iterator[str]:
        """Yield the paths of the scans to be delivered, in order."""
        return (parcel.path for parcel in self._line if not parcel.is_leftover)

    @property
    def scans(self) -> int:
        """How many scans are to be delivered, without those that are blocked."""
        return sum(not parcel.is_leftover for parcel in self._line)

    @property
    def resting(self) -> Iterator[tuple[float, str, Blocked]]:
        """The scans that are blocked: when they are tried again (monotonic seconds), path and what is refused."""
        return ((held.until, held.parcel.path, held.error) for held in self._held)

    @property
    def blocked(self) -> dict[str, str]:
        """Paths of the scans that one folder refuses, with the reason; they are tried again later."""
        return {held.parcel.path: str(held.error) for held in self._held}

    def deliver(self, ticket: Ticket, page: Page) -> None:
        """Have a page's sidecars published and its original put away."""
        earlier: Earlier | None = None

        def send() -> Delivered:
            nonlocal earlier
            earlier = None if self._duplicates is None else self._duplicates.earlier(ticket)
            if earlier is not None and self._duplicates is not None:
                return self._deliverer.deliver(self._duplicate_work(ticket, earlier, self._duplicates.fate))
            return self._deliverer.deliver(self._page_work(ticket, page))

        def sent(delivered: Delivered | None) -> None:
            assert delivered is not None  # noqa: S101 - for the type checker
            if earlier is not None:
                log_duplicate(ticket, earlier, delivered)
                self._end(ticket, "duplicate")
                return
            fields = log_delivered(ticket, page, delivered, preview_chars=self.preview_chars)
            self._tell("delivered", ticket.path, fields)
            self._delivered(ticket, page, delivered)
            self._end(ticket, "delivered")

        def broken(error: BaseException) -> None:
            bug = InternalFault(f"a bug in ocrwatch: {error!r}", "please report it")
            # One of a format says which package it is in.
            self.quarantine(ticket, error if isinstance(error, ScanFault) else bug)

        self._line.append(
            _Parcel(
                ticket.path,
                send,
                sent,
                lambda: self._end(ticket, "changed"),
                broken,
                acquit=None if ticket.cached else ticket.id,
                work=lambda: self._page_work(ticket, page),
            )
        )

    def quarantine(self, ticket: Ticket, fault: ScanFault) -> None:
        """Have a scan that cannot be read put into the quarantine with the reason."""

        def sent(delivered: Delivered | None) -> None:
            ticket.stays = delivered is not None and delivered.stays
            self._tell("quarantined", ticket.path, log_quarantined(ticket, fault, delivered))
            self._end(ticket, "quarantined")

        self._line.append(
            _Parcel(
                ticket.path,
                lambda: self._deliverer.deliver(self._quarantine_work(ticket, fault)),
                sent,
                lambda: self._end(ticket, "changed"),
                lambda _: self._end(ticket, "stopped"),
            )
        )

    def resume(self, entry: Entry, ended: Callable[[], None]) -> None:
        """Have the plan carried out that an earlier run has left."""

        def sent(delivered: Delivered | None) -> None:
            fields = log_recovered(entry, delivered)
            if delivered is not None and entry.code != CODE:
                self._tell("quarantined" if delivered.fate == "quarantine" else "delivered", entry.path, fields)
            ended()

        self._line.append(
            _Parcel(
                entry.path,
                lambda: self._deliverer.resume(entry.id, entry.plan or "", entry.code, entry.reason),
                sent,
                ended,
                lambda _: ended(),
            )
        )

    def clear_away(self, entry: Entry) -> None:
        """Have removed what an earlier run may have staged without noting a plan."""

        def nothing(*_: object) -> None:
            pass

        self._line.append(
            _Parcel(
                entry.path,
                lambda: self._deliverer.discard(entry.id, entry.path),
                nothing,
                nothing,
                nothing,
                is_leftover=True,
            )
        )

    def tick(self, now: float) -> None:
        """Begin the next delivery, or several together."""
        while self._held and self._held[0].until <= now:
            self._line.append(self._held.popleft().parcel)
        if self._busy:
            return
        if not self._line:
            self._clear_away(now)
            return
        if now < self._pauses.next_try("delivery"):
            return
        self._busy = True
        parcel = self._line[0]
        together = list(takewhile(lambda each: each.work is not None, islice(self._line, MOST_TOGETHER)))
        if len(together) > 1 and "delivery" not in self._pauses:
            self._loop.deliver(
                lambda: self._send_together(together), lambda sent: self._done_together(together, sent), _raise
            )
            return
        self._loop.deliver(
            parcel.send,
            lambda delivered: self._done(parcel, delivered),
            lambda error: self._failed(parcel, error),
        )

    def _clear_away(self, now: float) -> None:
        """Have removed what could not be removed before, now that there is time."""
        if not self._deliverer.has_left_behind or now < self._clear_away_at:
            return
        self._busy = True
        self._clear_away_at = self._pauses.blocked_until(now)

        def done(_: object) -> None:
            self._busy = False

        self._loop.deliver(self._deliverer.clear_away, done, done)

    def _send_together(self, parcels: Sequence[_Parcel]) -> list[Delivered | None]:
        """Deliver on the delivery thread; None stands for those that are to be delivered on their own."""
        try:
            works = [parcel.work() for parcel in parcels if parcel.work is not None]
            alone = set() if self._duplicates is None else self._duplicates.among(works)
            sent = iter(self._deliverer.deliver_together([work for work in works if work.scan not in alone]))
            return [None if work.scan in alone else next(sent) for work in works]
        except Exception:  # noqa: BLE001 - a bug shows again where it can be put down to one scan
            return [None] * len(parcels)

    def _done_together(self, parcels: Sequence[_Parcel], sent: Sequence[Delivered | None]) -> None:
        self._busy = False
        for _ in parcels:
            self._line.popleft()
        alone = [replace(parcel, work=None) for parcel, each in zip(parcels, sent, strict=True) if each is None]
        self._line.extendleft(reversed(alone))
        for parcel, delivered in zip(parcels, sent, strict=True):
            if delivered is not None:
                parcel.sent(delivered)

    def next_wake(self) -> float:
        """Return when :meth:`tick` has something to do (monotonic seconds)."""
        held = self._held[0].until if self._held else float("inf")
        if self._busy:
            return held
        if not self._line:
            return min(held, self._clear_away_at) if self._deliverer.has_left_behind else held
        return min(held, self._pauses.next_try("delivery"))

    def close(self, *, clear_away: bool = True) -> None:
        """Take back the attempts of what was read and will not be delivered in this run; leave nothing unfinished.

        For when the loop is closed, and nothing is delivered any more. Without ``clear_away`` the folders are left
        alone: the next start finds what was staged.
        """
        self._acquit()
        self._line.clear()
        if not clear_away:
            return
        with contextlib.suppress(EnvironmentFault):
            self._deliverer.clear_away()

    def _page_work(self, ticket: Ticket, page: Page) -> Work:
        output = ticket.options.output
        reasons = review_reasons(page, output.review_below)
        if ticket.plain and output.review_below:
            reasons = (*reasons, PLAINLY_READ)
        original = Original(ticket.path, ticket.scan.facts.size, ticket.sha256 or "", reasons)
        return Work(
            ticket.id,
            ticket.path,
            ticket.scan.facts,
            ticket.sha256,
            self._fate,
            render(page, original, output.formats),
            mode=output.mode,
            group=None if output.group is None else self._group_id(output.group),
            review=Review(reasons, _finite(page.confidence)) if reasons else None,
            made_by=made_by(ticket),
        )

    def _duplicate_work(self, ticket: Ticket, earlier: Earlier, fate: Fate) -> Work:
        facts, sha256 = ticket.scan.facts, ticket.sha256
        return Work(ticket.id, ticket.path, facts, sha256, fate, (), code=CODE, reason=earlier.reason)

    def _quarantine_work(self, ticket: Ticket, fault: ScanFault) -> Work:
        return Work(
            ticket.id,
            ticket.path,
            ticket.scan.facts,
            ticket.sha256,
            "quarantine",
            ((REASON_ENDING, self._reason(ticket, fault)),),
            code=fault.code,
            reason=fault.message,
        )

    def _reason(self, ticket: Ticket, fault: ScanFault) -> bytes:
        attempts = self._ledger.get(ticket.id).attempts
        return reason_file(ticket, fault, attempts, self._ledger.history(ticket.sha256) if ticket.sha256 else [])

    def _done(self, parcel: _Parcel, delivered: Delivered | None) -> None:
        self._next()
        self._told.pop(parcel.path, None)
        self._pauses.resolve("delivery")
        parcel.sent(delivered)

    def _failed(self, parcel: _Parcel, error: BaseException) -> None:
        match error:
            case Blocked() if len(self._held) < MOST_BLOCKED:
                self._next()
                if self._told.get(parcel.path) != error.message:
                    self._told[parcel.path] = error.message
                    _log.warning("scan.waiting", path=parcel.path, reason=error.message, next_step=error.remedy)
                self._held.append(HeldParcel(self._pauses.blocked_until(time.monotonic()), parcel, error))
            case EnvironmentFault():
                self._busy = False
                self._pauses.record("delivery", error, time.monotonic())
                self._acquit()
            case Changed():
                self._next()
                self._told.pop(parcel.path, None)
                _log.info("scan.changed", path=parcel.path, reason="it changed or went while it was read")
                parcel.vanished()
            case _:
                self._next()
                _log.error("scan.failed", path=parcel.path, exc_info=error)
                parcel.broken(error)

    def _acquit(self) -> None:
        """Take back the attempts of what was read and cannot be delivered, or a long pause would use them up."""
        for parcel in self._line:
            if parcel.acquit is not None:
                with contextlib.suppress(EnvironmentFault):
                    self._ledger.refund_attempt(parcel.acquit)

    def _next(self) -> None:
        self._busy = False
        self._line.popleft()
        if not self._line:
            # Nothing is left to feel the way with, and nothing would be read to take its place.
            self._pauses.resolve("delivery")


def _finite(confidence: float | None) -> float | None:
    """Return a confidence that JSON can express: a third-party engine may give infinity, which SQLite cannot read."""
    return None if confidence is None or not math.isfinite(confidence) else round(confidence, 2)


def _raise(error: BaseException) -> None:
    raise error
