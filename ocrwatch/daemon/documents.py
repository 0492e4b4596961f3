"""Gathers the pages of documents while they are read, and delivers each document when it is complete."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from ocrwatch.backoff import Backoff, Cause, wait_until
from ocrwatch.daemon.document_writing import DocumentWriting
from ocrwatch.delivery.chosen_names import StackPage
from ocrwatch.documents.delivery import DocumentDelivery
from ocrwatch.documents.grouping import Grouping
from ocrwatch.documents.on_their_way import BlockedPage, OnTheirWay
from ocrwatch.documents.sheets import sheet_profile
from ocrwatch.documents.stack import UNKNOWN, Stack, StackFacts, facts_of
from ocrwatch.errors import EnvironmentFault
from ocrwatch.events import DocumentForgotten, publish
from ocrwatch.intake.readiness import Unsettled
from ocrwatch.ledger import Entry, Ledger, StackEntry, StackState, mtime_of
from ocrwatch.render.base import RenderedPage
from ocrwatch.render.joining.job import joinable
from ocrwatch.render.registry import load
from ocrwatch.scan import Scan, ScanState
from ocrwatch.settings import Settings
from ocrwatch.storage.threads import Threads, run_in

_LOOK_INTERVAL: Final = 0.25
"""Seconds between two looks at which stacks are due."""

_LOOKS_SHARE: Final = 20
"""How many times longer than such a look the pause after it is."""

_ENDS: Final = frozenset({ScanState.DELIVERED, ScanState.QUARANTINED})
"""The ends by which a scan becomes a page of its stack; one with another end is read again, or is none."""


class Inbox(Protocol):
    """What is known of files in the inbox."""

    @property
    def known_until(self) -> float:
        """The time until which all scans that have come are tracked (monotonic seconds)."""

    def paths(self) -> Iterator[str]:
        """Yield the paths of all scans that are not closed, complete or not."""

    def incomplete(self) -> Iterator[Unsettled]:
        """Yield the files that are not complete, or cannot be read."""


class Documents:
    """All stacks of pages of this run. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        threads: Threads,
        backoff: Backoff,
        delivery: DocumentDelivery,
    ) -> None:
        self.settings = settings
        """The current settings."""
        self.groups: Mapping[str, int] = {}
        """Ids of the groups in all settings of this run."""
        self._ledger = ledger
        self._threads = threads
        self._backoff = backoff
        self._delivery = delivery
        self.writing = DocumentWriting(ledger, threads, backoff, delivery)
        self.inbox: Inbox | None = None
        """Set when there is one: intake begins last."""
        self._grouping = Grouping()
        self._stack_of: dict[Scan, Stack] = {}
        self._apart: set[Scan] = set()
        """Files of several pages, which are documents of their own: no stack waits for one."""
        self._blocked: dict[Scan, BlockedPage] = {}
        self._changed_late: set[Scan] = set()
        """Scans that their stack waited for, and that were changed long after its other pages."""
        self._rows: dict[Stack, asyncio.Task[int]] = {}
        self._wake = asyncio.Event()
        self._is_stopping = self._is_ending = False

    # Pages.

    def join(self, scan: Scan, groups: Mapping[str, int]) -> None:
        """Take a page that is about to be read, if its profile makes documents; ``groups`` has the ids of groups."""
        if scan.file.has_pages:
            self._apart.add(scan)
            self._wake.set()
            return
        options = scan.options
        self.groups = groups
        if options.group.by and (formats := joinable(options.output.formats)):
            name = options.output.group
            facts = facts_of(scan.path, options, formats, None if name is None else groups[name])
            # If it was in the inbox before the daemon, it is not known when it came.
            came_at = scan.file.changed_at if scan.file.fresh else None
            written_at = scan.file.facts.mtime_ns / 1e9
            stack = self._grouping.join(scan.path, facts, time.monotonic(), written_at, came_at)
            self._stack_of[scan] = stack
            if stack.closed_by and scan.file.changed_at > stack.closes_at:
                self._changed_late.add(scan)
            self._wake.set()

    def rejoin(self, scan: Scan, row: int | None) -> None:
        """Take a scan whose delivery is planned, by an earlier run or attempt, as a page of the stack with this row."""
        if (joined := self._stack_of.pop(scan, None)) is not None:
            self._grouping.left(joined, scan.path)
        self._wake.set()
        if row is None:
            return
        stack = next((each for each in self._grouping if each.id == row), None)
        if stack is None:
            # Its document was written without it.
            stack = Stack(UNKNOWN, 0.0, id=row, is_written=True)
        self._grouping.rejoined(stack, scan.path)
        self._stack_of[scan] = stack

    async def page(self, scan: Scan, page: RenderedPage | None, *, deletes: bool) -> StackPage | None:
        """Return the place of a scan in its stack, which has a row in the ledger then; None if it has none.

        ``page`` is None if it could not be read. Waits while the ledger refuses, with the page.
        """
        stack = self._stack_of.get(scan)
        if stack is None:
            return None
        if stack.is_written:
            # It was waited for in vain.
            stack = self._stack_of[scan] = self._grouping.join(scan.path, stack.facts, time.monotonic())
        while not stack.id or self._grouping.unheld(stack):
            await self._backoff.clear_for(Cause.DELIVERY)
            try:
                for earlier in self._grouping.unheld(stack):
                    # A restart must not take its pages for those of the earlier pile.
                    await self._held(earlier)
                stack.id = await self._row_of(stack)
            except EnvironmentFault as error:
                # Resolved by the delivery of the page.
                self._backoff.record(Cause.DELIVERY, error, time.monotonic())
        if page is None:
            return StackPage(stack.id)
        rendered = {ending for ending, _ in page.sidecars}
        divides = stack.facts.by == "separator"
        # A reload may have given it other formats than the pages before.
        endings = tuple(ending for name in stack.facts.formats if (ending := load(name).ending) in rendered)
        return StackPage(
            stack.id,
            endings,
            is_blank=page.summary.is_blank,
            is_separator=page.summary.is_separator and divides,
            deletes=deletes,
            lacks_codes=scan.reduced and divides,
            was_late=scan in self._changed_late,
            sheet=sheet_profile(page.summary.profiles_named, self.settings, self.groups) if divides else None,
        )

    def closed(self, scan: Scan) -> None:
        """Record the end of a page."""
        stack = self._stack_of.pop(scan, None)
        self._apart.discard(scan)
        self._changed_late.discard(scan)
        if stack is None:
            return
        if scan.state in _ENDS:
            self._ended(stack, scan, delivered=scan.state is ScanState.DELIVERED)
        else:
            self._grouping.left(stack, scan.path)
        self._wake.set()

    def resumed(self, scan: Scan, *, delivered: bool) -> None:
        """Record that the plan of an earlier run for a page was carried out."""
        if (stack := self._stack_of.get(scan)) is not None:
            self._ended(stack, scan, delivered=delivered)

    def _ended(self, stack: Stack, scan: Scan, *, delivered: bool) -> None:
        self._grouping.ended(stack, scan.path, delivered=delivered)
        if stack.is_written:
            self.writing.write_with(scan.id, stack)

    async def _row_of(self, stack: Stack) -> int:
        """Record a new stack, once for all pages that ask."""
        if stack.id:
            return stack.id
        task = self._rows.get(stack)
        if task is None:
            facts = stack.facts
            feed = facts.feed if stack.is_pile else None
            call = run_in(self._threads.state, self._ledger.stacks.begin, facts.key, facts.to_json(), feed)
            task = self._rows[stack] = asyncio.get_running_loop().create_task(call)
        try:
            return await asyncio.shield(task)
        finally:
            if task.done():
                self._rows.pop(stack, None)

    async def _held(self, stack: Stack) -> None:
        """Record that a pile is closed, and which pages it has still to get. Raises :class:`EnvironmentFault`."""
        stack.id = await self._row_of(stack)
        to_come = sorted(stack.open | stack.expected)
        await run_in(self._threads.state, self._ledger.stacks.hold, stack.id, stack.closed_by, to_come)
        stack.is_held = True

    # Documents.

    async def restore(self) -> None:
        """Continue what earlier runs have begun. Raises :class:`EnvironmentFault`."""
        unfinished, incomplete = await run_in(self._threads.documents, self._unfinished)
        for entry, pages in unfinished:
            stack = _restored(entry, pages)
            if entry.state is StackState.CLOSED:
                self.writing.go_on(stack)
                continue
            for page in pages:
                if page.state in _ENDS:
                    self._grouping.ended(stack, page.path, delivered=page.state is ScanState.DELIVERED)
            stack.expected -= stack.delivered | stack.missing
            self._grouping.restore(stack)
        self.writing.write_incomplete(incomplete)

    async def run(self) -> None:
        """Write the documents of each stack when it is complete, until cancelled. Begins after the recovery."""
        while not self._is_stopping:
            self._wake.clear()
            began = time.monotonic()
            is_paused = Cause.INBOX in self._backoff or Cause.MOUNT in self._backoff
            if self._grouping.next_due() <= began and not is_paused:
                await self._look(began)
            # Not for each page, and not for most of the time: there may be thousands of stacks and files.
            await asyncio.sleep(max(_LOOK_INTERVAL, _LOOKS_SHARE * (time.monotonic() - began)))
            await wait_until(self._wake, self._grouping.next_due())

    async def _look(self, now: float) -> None:
        """Close the stacks that are due, and write the documents of those that are complete."""
        on_their_way = self._on_their_way()
        for stack in self._grouping.due(now, on_their_way):
            backs = {} if stack.backs is None else on_their_way.absent(stack.backs)
            self.writing.write(stack, on_their_way.absent(stack), backs)
        # If the ledger refuses, the next look tries again; the pages of the other piles wait for that.
        with contextlib.suppress(EnvironmentFault):
            for pile in self._grouping.unheld():
                await self._held(pile)
        for pile in self._grouping.to_check(on_their_way):
            self.writing.check(pile)

    def stop(self) -> None:
        """Close no more stacks: pages that are not read any more in this run belong to them."""
        self._is_stopping = True

    def end(self) -> None:
        """Wait for no further page: the run ends when its documents are written."""
        self._is_ending = True
        self._grouping.end(self._on_their_way())
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Whether no document is gathered or written."""
        return not (len(self._grouping) or len(self.writing))

    def __iter__(self) -> Iterator[Stack]:
        """Yield the stacks whose documents are not delivered yet, those that are being written first."""
        yield from dict.fromkeys((*self.writing, *self._grouping))

    def lasting_refusal(self, seconds: float) -> EnvironmentFault | None:
        """Return why nothing is written, if all documents that are left were refused for so many seconds."""
        since = time.monotonic() - seconds
        left = [self.writing.refusals.get(stack) for stack in self]
        faults = [each.fault for each in left if each is not None and each.since <= since]
        return faults[0] if faults and len(faults) == len(left) else None

    def _unfinished(self) -> tuple[list[tuple[StackEntry, list[Entry]]], list[int]]:
        forgotten = self._delivery.discard_forgotten()
        if forgotten:
            publish(
                DocumentForgotten(parts=forgotten, remedy="put the scans into the inbox again if they must be together")
            )
        stacks = self._ledger.stacks
        return [(entry, stacks.pages(entry.id)) for entry in stacks.unfinished()], stacks.all_incomplete()

    def _on_their_way(self) -> OnTheirWay:
        now = time.monotonic()
        blocked = [scan for scan in self._stack_of if scan.state is ScanState.BLOCKED]
        self._blocked = {scan: self._blocked.get(scan, BlockedPage(scan.reason, now)) for scan in blocked}
        in_work = {scan.path for scan in (*self._stack_of, *self._apart)}
        inbox = self.inbox
        return OnTheirWay(
            self.settings,
            self.settings.settle.give_up_after,
            {scan.path: each for scan, each in self._blocked.items()},
            () if inbox is None else [path for path in inbox.paths() if path not in in_work],
            {} if inbox is None else {file.path: file.changed_at for file in inbox.incomplete()},
            float("inf") if inbox is None else inbox.known_until,
            gives_up=self._is_ending,
        )


def _restored(entry: StackEntry, pages: Sequence[Entry]) -> Stack:
    """Return the stack of an earlier run."""
    facts, now = StackFacts.from_json(entry.facts), time.monotonic()
    # The pace of its feeder is not known any more.
    stack = Stack(facts, now, id=entry.id, longest_gap=facts.quiet, is_written=entry.state is StackState.CLOSED)
    for page in pages:
        stack.written.add(mtime_of(page.facts))
    # What comes from now on came after it.
    stack.came.add(-math.inf)
    if entry.state is StackState.WAITING:
        stack.closed_by, stack.closed_at, stack.restored_at = entry.closed_by or "", now, now
        stack.is_held, stack.expected = True, set(entry.expected)
    return stack
