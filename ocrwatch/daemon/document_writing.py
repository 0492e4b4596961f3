"""Writes the documents of closed stacks, and waits while the environment refuses one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from ocrwatch.backoff import FIRST_DELAY, LONGEST_DELAY, Backoff, Cause
from ocrwatch.documents.delivery import DeliveredDocument, DocumentDelivery
from ocrwatch.documents.pair_planning import Pile, plan_piles, take_repairs
from ocrwatch.documents.planning import plan_again, plan_documents, plan_with
from ocrwatch.documents.stack import UNKNOWN, Check, Stack
from ocrwatch.errors import EnvironmentFault, InternalFault, without_frames
from ocrwatch.events import DocumentDelivered, DocumentFailed, DocumentLate, DocumentWaiting, publish
from ocrwatch.ledger import Ledger
from ocrwatch.storage.threads import Threads, run_in

P = ParamSpec("P")
T = TypeVar("T")

_LATE_REMEDY: Final = "increase quiet in [profiles.group] if the feeder pauses for longer between two pages"


@dataclass(slots=True)
class Refusal:
    """Why the documents of a stack are not written."""

    fault: EnvironmentFault
    since: float
    """Monotonic seconds of the first refusal in a row."""


class DocumentWriting:
    """Writes each stack's documents in a coroutine of its own. Lives on the event loop."""

    def __init__(self, ledger: Ledger, threads: Threads, backoff: Backoff, delivery: DocumentDelivery) -> None:
        self._ledger = ledger
        self._threads = threads
        self._backoff = backoff
        self._delivery = delivery
        self._tasks: dict[asyncio.Task[None], Stack] = {}
        self.refusals: dict[Stack, Refusal] = {}
        """Why documents are not written, by their stack."""
        self.unwritten = 0
        """How many stacks have documents that were not written: because of a bug, or because the run ended."""

    def __len__(self) -> int:
        """Return how many stacks are being written."""
        return len(self._tasks)

    def __iter__(self) -> Iterator[Stack]:
        """Yield the stacks that are being written."""
        return iter(dict.fromkeys(self._tasks.values()))

    @property
    def is_busy(self) -> bool:
        """Whether a document is being written, and nothing refuses it."""
        return bool(self._tasks) and not self.refusals

    def write(self, stack: Stack, absent: Mapping[str, str], absent_backs: Mapping[str, str]) -> None:
        """Write the documents of a closed stack, or of fronts and perhaps their backs.

        ``absent`` and ``absent_backs`` are pages that were waited for in vain.
        """
        piles = self._write_piles(stack, absent, absent_backs) if stack.is_pile else self._write(stack, absent)
        self._start(piles, stack)

    def check(self, stack: Stack) -> None:
        """Give earlier documents the pages of a pile that they lack."""
        stack.check = Check.RUNNING
        self._start(self._check(stack), stack)

    def go_on(self, stack: Stack) -> None:
        """Write the documents that an earlier run has planned."""
        self._start(self._write_planned(stack.id, stack), stack)

    def write_with(self, scan: int, stack: Stack) -> None:
        """Write the document of a page, by its row, that has ended after its stack was written."""
        self._start(self._write_with(scan, stack), stack)

    def write_incomplete(self, rows: Sequence[int]) -> None:
        """Write documents of incomplete stacks anew if a missing page was read just before an earlier run ended."""
        if rows:
            stack = Stack(UNKNOWN, 0.0, is_written=True)
            self._start(self._write_again(rows, stack), stack)

    async def cancel(self) -> None:
        """Write no more; the next start continues."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self, stack: Stack, absent: Mapping[str, str]) -> None:
        if not stack.id:
            # None of its pages got as far as a plan.
            return
        quarantine = self._delivery.quarantine
        rows = await self._persist(stack, plan_documents, self._ledger, stack.id, stack.closed_by, absent, quarantine)
        for row in rows:
            await self._write_planned(row, stack)

    async def _write_piles(self, stack: Stack, absent: Mapping[str, str], absent_backs: Mapping[str, str]) -> None:
        fronts = Pile(stack.id, absent)
        backs = None if stack.backs is None else Pile(stack.backs.id, absent_backs)
        for row in await self._persist(stack, plan_piles, self._ledger, fronts, backs, stack.doubt):
            await self._write_planned(row, stack)

    async def _check(self, stack: Stack) -> None:
        # After a bug it is left to the next start.
        found = Check.EMPTY
        try:
            quarantine = self._delivery.quarantine
            rows, has_pages = await self._persist(stack, take_repairs, self._ledger, stack.id, quarantine)
            found = Check.DONE if has_pages else Check.EMPTY
        finally:
            stack.check = found
            stack.is_written = found is Check.EMPTY
        for row in rows:
            await self._write_planned(row, stack)

    async def _write_with(self, scan: int, stack: Stack) -> None:
        row = await self._persist(stack, plan_with, self._ledger, scan)
        if row is not None:
            await self._write_planned(row, stack)

    async def _write_again(self, rows: Sequence[int], stack: Stack) -> None:
        for row in rows:
            again = await self._persist(stack, plan_again, self._ledger, row)
            if again is not None:
                await self._write_planned(again, stack)

    async def _write_planned(self, row: int, stack: Stack) -> None:
        """Write the planned documents of a row, that of ``stack`` or of one that got its pages, and release these."""
        has_failed = False
        for entry in await self._persist(stack, self._delivery.to_write, row):
            try:
                document = await self._persist(stack, self._delivery.deliver, entry)
            except Exception as error:  # noqa: BLE001 - a bug; the document is in the ledger, and others are written
                has_failed = True
                trace = error.trace if isinstance(error, InternalFault) else None
                exception = None if trace else error
                publish(DocumentFailed(document=stack.facts.name, reason=str(error), trace=trace, exception=exception))
            else:
                if document is not None:
                    _publish_delivered(document)
        if has_failed:
            self.unwritten += 1
        else:
            await self._persist(stack, self._delivery.release, row)

    async def _persist(self, stack: Stack, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call on the thread of documents, again and again while the environment refuses it."""
        delay = FIRST_DELAY
        try:
            while True:
                await self._backoff.clear_for(Cause.DELIVERY)
                try:
                    return await run_in(self._threads.documents, call, *args, **kwargs)
                except EnvironmentFault as error:
                    self._refused(stack, error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)
        finally:
            self.refusals.pop(stack, None)

    def _refused(self, stack: Stack, error: EnvironmentFault) -> None:
        before = self.refusals.get(stack)
        since = time.monotonic() if before is None else before.since
        self.refusals[stack] = Refusal(without_frames(error), since)
        if before is None or before.fault.message != error.message:
            publish(DocumentWaiting(document=stack.facts.name, reason=error.message, next_step=error.remedy))

    def _start(self, coroutine: Coroutine[Any, Any, None], stack: Stack) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks[task] = stack
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        stack = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        self.unwritten += task.cancelled() or error is not None
        if error is not None:
            # The documents are in the ledger: a restart tries again.
            publish(DocumentFailed(document=stack.facts.name, exception=error))


def _publish_delivered(document: DeliveredDocument) -> None:
    plan = document.plan
    missing = tuple(page.path for page in plan.missing)
    if plan.after:
        publish(
            DocumentLate(
                path=plan.pages[0].path,
                pages=len(plan.pages),
                after=plan.after,
                document=plan.stem,
                remedy=_LATE_REMEDY,
            )
        )
    publish(
        DocumentDelivered(
            id=document.id,
            document=plan.stem,
            folder=plan.inbox_folder,
            pages=len(plan.pages),
            sidecars=document.files,
            grouped_by=plan.grouped_by,
            closed_by=plan.closed_by,
            profile=plan.profile or None,
            dropped=len(plan.dropped) or None,
            missing=missing or None,
            review=True if plan.review else None,
            review_reasons=plan.review or None,
            replaces=plan.replaces or None,
            after=plan.after or None,
        )
    )
