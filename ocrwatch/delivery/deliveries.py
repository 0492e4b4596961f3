"""Queue of the delivery thread: items are delivered one by one or many together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Final, TypeGuard

from ocrwatch.backoff import Backoff, Cause
from ocrwatch.delivery.chosen_names import Fate, StackPage
from ocrwatch.delivery.duplicates import CODE, Duplicates, Earlier, made_by
from ocrwatch.delivery.field_lists import listed_fields
from ocrwatch.delivery.step_order import STORED_LOST, Delivered, Deliverer, Work
from ocrwatch.delivery.stored_sidecars import StoredLost
from ocrwatch.document import Review
from ocrwatch.errors import Blocked, EnvironmentFault, ScanFault, memory_short
from ocrwatch.ledger import Entry, Ledger
from ocrwatch.quarantine.reason_file import REASON_ENDING, render_reason
from ocrwatch.render.base import RenderedPage
from ocrwatch.scan import Scan
from ocrwatch.storage.group_commit import GroupCommit
from ocrwatch.storage.threads import run_in

MOST_BLOCKED: Final = 128
"""Scans that may be blocked with their texts in memory; more mean that the folder refuses all: a pause."""


class Item(ABC):
    """Something to deliver."""

    if_changed: str = "it changed or went while it was read"
    """What :class:`Changed` means for it."""
    attempt_of: int | None = None
    """Row of the scan whose attempt is refunded if no item can be delivered now: a long pause would use them up."""

    @abstractmethod
    def deliver(self, deliverer: Deliverer) -> Delivered | None:
        """Deliver it, on the delivery thread; return None if no scan was delivered by it."""


class PageItem(Item):
    """A page that was read: publishes its sidecars and archives its original."""

    def __init__(
        self,
        scan: Scan,
        page: RenderedPage,
        fate: Fate,
        group: int | None,
        duplicates: Duplicates | None,
        place: StackPage | None = None,
    ) -> None:
        """``place`` is its place in a stack of pages."""
        self._scan = scan
        self._page = page
        self._place = place
        # What is missing in its text is in the original only.
        self._fate = "archive" if page.is_partial and fate == "delete" else fate
        self._group = group
        self._duplicates = duplicates
        # Not when it is delivered: it may be blocked for hours, and a line that is made again must be the same.
        self._read_at = time.time()
        self.attempt_of = None if scan.cached else scan.id
        self.earlier: Earlier | None = None
        """The delivery that this one repeats, if the scan is a duplicate."""

    def deliver(self, deliverer: Deliverer) -> Delivered:
        """Deliver it, or only archive its original if its text was delivered before."""
        self.earlier = None if self._duplicates is None else self._duplicates.earlier(self._scan)
        if self.earlier is None or self._duplicates is None:
            try:
                return deliverer.deliver(self.work())
            except StoredLost:
                self.if_changed = STORED_LOST
                raise
        return deliverer.deliver(self._duplicate_work(self.earlier, self._duplicates.fate))

    def work(self) -> Work:
        """Return what is to be delivered."""
        # An earlier attempt may have found a delivery that is gone now.
        self.earlier = None
        scan, summary = self._scan, self._page.summary
        reasons, confidence = summary.review_reasons, summary.confidence
        rules = scan.options.fields if scan.options.output.fields_csv else ()
        return Work(
            scan.id,
            scan.path,
            scan.file.facts,
            scan.sha256,
            self._fate,
            self._page.sidecars,
            mode=scan.options.output.mode,
            group=self._group,
            review=Review(reasons, None if confidence is None else round(confidence, 2)) if reasons else None,
            # A file that lacks a page is no earlier delivery of the same bytes: they may be read again for that page.
            made_by=None if self._page.is_partial else made_by(scan),
            fields=listed_fields(rules, self._page.fields, self._read_at) if rules else None,
            page=self._place,
        )

    def _duplicate_work(self, earlier: Earlier, fate: Fate) -> Work:
        scan = self._scan
        return Work(scan.id, scan.path, scan.file.facts, scan.sha256, fate, (), code=CODE, reason=earlier.reason)


class QuarantineItem(Item):
    """A scan that cannot be read: moves it to the quarantine with the reason."""

    def __init__(self, scan: Scan, fault: ScanFault, ledger: Ledger, place: StackPage | None = None) -> None:
        """``place`` is its place in a stack of pages, in which it will be missing."""
        self._scan = scan
        self._fault = fault
        self._ledger = ledger
        self._place = place

    def deliver(self, deliverer: Deliverer) -> Delivered:
        """Move it."""
        scan, fault = self._scan, self._fault
        attempts = self._ledger.get(scan.id).attempts
        earlier = self._ledger.history(scan.sha256) if scan.sha256 else []
        count = self._ledger.history_length(scan.sha256) if scan.sha256 else 0
        reason = render_reason(scan.path, scan.file.facts, scan.sha256, fault, attempts, earlier, count)
        return deliverer.deliver(
            Work(
                scan.id,
                scan.path,
                scan.file.facts,
                scan.sha256,
                "quarantine",
                ((REASON_ENDING, reason),),
                code=fault.code,
                reason=fault.message,
                page=self._place,
            )
        )


class PlanItem(Item):
    """The plan of an earlier run; carries it out."""

    if_changed = "what an earlier run had staged is gone; it is read again"

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def deliver(self, deliverer: Deliverer) -> Delivered:
        """Carry it out."""
        entry = self._entry
        return deliverer.resume(entry.id, entry.plan or "", entry.code, entry.reason)


class LeftoverItem(Item):
    """Files that an earlier run may have staged without recording a plan.

    The scan is read again.
    """

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def deliver(self, deliverer: Deliverer) -> None:
        """Remove it."""
        deliverer.discard(self._entry.id, self._entry.path)


class ClearingItem(Item):
    """Files that could not be removed before, such as from a folder that was missing."""

    def deliver(self, deliverer: Deliverer) -> None:
        """Remove them. If the ledger refuses, a more important call reports it."""
        with contextlib.suppress(EnvironmentFault):
            deliverer.clear_away()


class Deliveries(GroupCommit[Item, Delivered | None]):
    """Delivers in order.

    Raises :class:`Changed` or :class:`Blocked` for one item, and the environment's fault for all. A fault of the
    environment stops the queue: later items would only meet it as well.
    """

    def __init__(
        self,
        thread: ThreadPoolExecutor,
        deliverer: Deliverer,
        ledger: Ledger,
        backoff: Backoff,
        duplicates: Duplicates | None,
    ) -> None:
        super().__init__(thread)
        self._deliverer = deliverer
        self._ledger = ledger
        self._backoff = backoff
        self._duplicates = duplicates

        self.pending = 0
        """How many items are to be delivered, or wait until they can be."""
        self.is_ending = False
        """Whether the run ends: a lasting pause is not ended by that, as it is why items were not delivered."""
        self._blocked_texts = 0
        self._refunds: set[asyncio.Task[None]] = set()

    async def deliver(self, item: Item) -> Delivered | None:
        """Deliver an item, and wait while a disk refuses all items.

        Raises :class:`Changed` or :class:`Blocked` for this one.
        """
        self.pending += 1
        try:
            while True:
                await self._backoff.clear_for(Cause.DELIVERY)
                try:
                    delivered = await self.commit(item)
                except EnvironmentFault as error:
                    too_many = isinstance(item, PageItem) and self._blocked_texts >= MOST_BLOCKED
                    if isinstance(error, Blocked) and not too_many:
                        raise
                    self._backoff.record(Cause.DELIVERY, error, time.monotonic())
                    self._refund(item)
                else:
                    self._backoff.resolve(Cause.DELIVERY)
                    return delivered
        finally:
            self.pending -= 1
            if not (self.pending or self.is_ending):
                # No item is left to try with, and no scan would be read in its place.
                self._backoff.resolve(Cause.DELIVERY)

    @contextlib.contextmanager
    def waiting(self, item: Item) -> Iterator[None]:
        """Record that the scan of an item is blocked, perhaps with its text in memory."""
        has_text = isinstance(item, PageItem)
        self._blocked_texts += has_text
        try:
            yield
        finally:
            self._blocked_texts -= has_text

    def _refund(self, item: Item) -> None:
        """Refund an attempt, so that the scan counts among the waiting.

        Not waited for: items keep their order.
        """

        async def refund(row: int) -> None:
            # A ledger that refuses is reported by the next try to deliver.
            with contextlib.suppress(EnvironmentFault):
                await run_in(self._thread, self._ledger.refund_attempt, row)

        if item.attempt_of is not None:
            task = asyncio.get_running_loop().create_task(refund(item.attempt_of))
            self._refunds.add(task)
            task.add_done_callback(self._refunds.discard)

    @property
    def has_left_behind(self) -> bool:
        """Whether there is work for a :class:`ClearingItem`."""
        return self._deliverer.has_left_behind

    def work(self, items: Sequence[Item]) -> list[Delivered | Exception | None]:
        """Deliver the pages at the head together, or the first item alone; during a backoff always alone."""
        pages = list(takewhile(lambda item: isinstance(item, PageItem), items))
        if len(pages) < 2 or Cause.DELIVERY in self._backoff:  # noqa: PLR2004 - from two on they go together
            result = self._alone(items[0])
            if _is_of_all(result):
                raise result
            return [result]
        results: list[Delivered | Exception | None] = []
        fault: EnvironmentFault | None = None
        for item, delivered in zip(pages, self._together(pages), strict=True):
            result = delivered or fault or self._alone(item)
            if _is_of_all(result):
                # Later items that were not delivered with the others are not tried now.
                fault = result
            results.append(result)
        return results

    def close(self) -> None:
        """Remove what was staged and will not be delivered in this run. Blocks."""
        self._deliverer.clear_away()

    def _alone(self, item: Item) -> Delivered | Exception | None:
        try:
            return item.deliver(self._deliverer)
        except MemoryError:
            return memory_short()
        except Exception as error:  # noqa: BLE001 - no error of one item may change the results of others
            return error

    def _together(self, items: Sequence[Item]) -> list[Delivered | None]:
        """Deliver pages with one group commit; return None for those that must be delivered alone."""
        try:
            works = [item.work() for item in items if isinstance(item, PageItem)]
            alone = set() if self._duplicates is None else self._duplicates.among(works)
            sent = iter(self._deliverer.deliver_together([work for work in works if work.scan not in alone]))
            return [None if work.scan in alone else next(sent) for work in works]
        except Exception:  # noqa: BLE001 - a bug shows again when delivered alone, as the fault of one scan
            return [None] * len(items)


def _is_of_all(result: object) -> TypeGuard[EnvironmentFault]:
    """Return whether a fault concerns more than one scan."""
    return isinstance(result, EnvironmentFault) and not isinstance(result, Blocked)
