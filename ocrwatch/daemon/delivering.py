"""From results to files, one after the other, waiting out whatever the disks refuse."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ocrwatch.daemon.loop import Loop
from ocrwatch.daemon.pauses import Pauses
from ocrwatch.daemon.tickets import End, Ticket
from ocrwatch.deliver.delivery import REASON_ENDING, Delivered, Deliverer, Work
from ocrwatch.deliver.formats import Original, render
from ocrwatch.deliver.plan import Fate
from ocrwatch.errors import EnvironmentFault, HeldUp, InternalFault, ScanFault, Vanished
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.log import get_logger
from ocrwatch.values import Page

REASON_SCHEMA = "ocrwatch.reason/1"
"""Name and version of the reason file beside a quarantined original."""

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


class Delivering:
    """Delivers in order. A fault of the environment holds the line: what comes later would only meet it as well."""

    def __init__(
        self,
        loop: Loop,
        pauses: Pauses,
        ledger: Ledger,
        deliverer: Deliverer,
        *,
        fate: Fate,
        group_id: Callable[[str], int],
        preview_chars: int,
        end: Callable[[Ticket, End], None],
        delivered: Callable[[Ticket, Page, Delivered], None],
    ) -> None:
        self._loop = loop
        self._pauses = pauses
        self._ledger = ledger
        self._deliverer = deliverer
        self._fate = fate
        self._group_id = group_id
        self._preview_chars = preview_chars
        self._end = end
        self._delivered = delivered
        self._line: deque[_Parcel] = deque()
        self._held: deque[tuple[float, _Parcel, str]] = deque()
        self._told: dict[str, str] = {}
        self._busy = False

    def __len__(self) -> int:
        return len(self._line)

    @property
    def held_up(self) -> dict[str, str]:
        """Paths of the scans that one folder refuses, with the reason; they are tried again later."""
        return {parcel.path: reason for _, parcel, reason in self._held}

    def deliver(self, ticket: Ticket, page: Page) -> None:
        """Have a page's sidecars published and its original put away."""

        def sent(delivered: Delivered | None) -> None:
            assert delivered is not None  # noqa: S101 - for the type checker
            self._log_delivered(ticket, page, delivered)
            self._delivered(ticket, page, delivered)
            self._end(ticket, "delivered")

        def broken(error: BaseException) -> None:
            self.quarantine(ticket, InternalFault(f"a bug in ocrwatch: {error!r}", "please report it"))

        self._line.append(
            _Parcel(
                ticket.path,
                lambda: self._deliverer.deliver(self._page_work(ticket, page)),
                sent,
                lambda: self._end(ticket, "changed"),
                broken,
                acquit=ticket.id,
            )
        )

    def quarantine(self, ticket: Ticket, fault: ScanFault) -> None:
        """Have a scan that cannot be read put into the quarantine with the reason."""

        def sent(delivered: Delivered | None) -> None:
            self._log_quarantined(ticket, fault, delivered)
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
            sidecars = list(delivered.sidecars) if delivered else []
            fate = delivered and delivered.fate
            _log.info("scan.recovered", id=entry.id, path=entry.path, fate=fate, sidecars=sidecars)
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
            _Parcel(entry.path, lambda: self._deliverer.discard(entry.id, entry.path), nothing, nothing, nothing)
        )

    def tick(self, now: float) -> None:
        """Begin the next delivery."""
        while self._held and self._held[0][0] <= now:
            self._line.append(self._held.popleft()[1])
        if self._busy or not self._line or now < self._pauses.next_try("delivery"):
            return
        self._busy = True
        parcel = self._line[0]
        self._loop.deliver(
            parcel.send,
            lambda delivered: self._done(parcel, delivered),
            lambda error: self._failed(parcel, error),
        )

    def next_wake(self) -> float:
        """Return when :meth:`tick` has something to do (monotonic seconds)."""
        held = self._held[0][0] if self._held else float("inf")
        if self._busy or not self._line:
            return held
        return min(held, self._pauses.next_try("delivery"))

    def give_back(self) -> None:
        """Take back the attempts of what was read and will not be delivered in this run."""
        self._acquit()

    def _page_work(self, ticket: Ticket, page: Page) -> Work:
        output = ticket.options.output
        original = Original(ticket.path, ticket.scan.facts.size, ticket.sha256 or "")
        return Work(
            ticket.id,
            ticket.path,
            ticket.scan.facts,
            ticket.sha256,
            self._fate,
            render(page, original, output.formats),
            mode=output.mode,
            group=None if output.group is None else self._group_id(output.group),
        )

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
        entry = self._ledger.get(ticket.id)
        earlier = self._ledger.history(ticket.sha256) if ticket.sha256 else []
        reason = {
            "schema": REASON_SCHEMA,
            "path": os.fsencode(ticket.path).decode("utf-8", "backslashreplace"),
            "code": fault.code,
            "reason": fault.message,
            "remedy": fault.remedy,
            "to_retry": "put the scan back into the inbox, or run ocrwatch retry",
            "attempts": entry.attempts,
            "bytes": ticket.scan.facts.size,
            "sha256": ticket.sha256,
            "modified_at": _iso(ticket.scan.facts.mtime_ns / 1e9),
            "quarantined_at": _iso(time.time()),
            "earlier": [
                {"ended_at": _iso(past.updated_at), "state": past.state, "code": past.code, "reason": past.reason}
                for past in earlier
            ],
        }
        return (json.dumps(reason, ensure_ascii=False, indent=1) + "\n").encode("utf-8")

    def _done(self, parcel: _Parcel, delivered: Delivered | None) -> None:
        self._next()
        self._told.pop(parcel.path, None)
        self._pauses.clear("delivery")
        parcel.sent(delivered)

    def _log_quarantined(self, ticket: Ticket, fault: ScanFault, delivered: Delivered | None) -> None:
        _log.warning(
            "scan.quarantined",
            id=ticket.id,
            path=ticket.path,
            batch=ticket.batch.id,
            attempt=ticket.attempt,
            code=fault.code,
            reason=fault.message,
            remedy=fault.remedy,
            quarantined=delivered and delivered.original,
        )

    def _log_delivered(self, ticket: Ticket, page: Page, delivered: Delivered) -> None:
        fields: dict[str, object] = {
            "id": ticket.id,
            "path": ticket.path,
            "bytes": ticket.scan.facts.size,
            "sha256": ticket.sha256,
            "batch": ticket.batch.id,
            "attempt": ticket.attempt,
            "engine": f"{page.engine.name} {page.engine.version}",
            "words": len(page.words),
            "confidence": None if page.confidence is None else round(page.confidence, 1),
            "queued_ms": round(ticket.queued_ms),
            "read_ms": round(ticket.read_ms),
            "sidecars": list(delivered.sidecars),
            "archived": delivered.original,
        }
        if ticket.options.profile_name is not None:
            fields["profile"] = ticket.options.profile_name
        if page.warnings:
            fields["warnings"] = list(page.warnings)
        if self._preview_chars:
            fields["preview"] = page.text[: self._preview_chars]
        _log.info("scan.delivered", **fields)

    def _failed(self, parcel: _Parcel, error: BaseException) -> None:
        match error:
            case HeldUp():
                self._next()
                if self._told.get(parcel.path) != error.message:
                    self._told[parcel.path] = error.message
                    _log.warning("scan.waiting", path=parcel.path, reason=error.message, then=error.remedy)
                self._held.append((self._pauses.held_up_until(time.monotonic()), parcel, error.message))
            case EnvironmentFault():
                self._busy = False
                self._pauses.hit("delivery", error, time.monotonic())
                self._acquit()
            case Vanished():
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
            self._pauses.clear("delivery")


def _iso(seconds: float) -> str | None:
    """Render a time, None where a file's is one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return None
