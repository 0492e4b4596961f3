"""Decides which pages belong together, and when no further one is waited for. The clock is passed in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from ocrwatch.documents.pairing import ComingPiles, next_pair, note_page, piles_due
from ocrwatch.documents.stack import Check, Feed, Stack, StackFacts

QUIET: Final = "quiet"
"""Closed because no further page came."""

NEXT: Final = "next"
"""Closed because no further page came, and the next document has begun."""

COUNTER: Final = "counter"
"""Closed because a page came with a name that it has already: the scanner restarted its counter."""

RESTART: Final = "restart"
"""Closed since ocrwatch was restarted while it, and another of the same name, had pages to come."""

END: Final = "end"
"""Closed because the run ends (``once``)."""


class PagesToCome(ComingPiles, Protocol):
    """What is known of pages that have not ended."""

    def arriving(self, stack: Stack) -> set[str]:
        """Return the paths of files in the inbox that are not read yet, and would be pages of a stack."""


class Grouping:
    """All stacks that are not closed, or whose pages are on their way."""

    def __init__(self) -> None:
        self._gathering: dict[str, Stack] = {}
        self._closing: list[Stack] = []
        self._expecting: dict[str, Stack] = {}
        """Closed stacks by the paths of files that were in the inbox then, and were not read yet."""
        self._feeds: defaultdict[tuple[str, str], Feed] = defaultdict(Feed)
        """By profile and folder."""
        self._is_ending = False

    def __iter__(self) -> Iterator[Stack]:
        yield from self._closing
        yield from self._gathering.values()

    def __len__(self) -> int:
        return len(self._closing) + len(self._gathering)

    def join(
        self, path: str, facts: StackFacts, now: float, written_at: float = 0.0, came_at: float | None = None
    ) -> Stack:
        """Return the stack that a new page belongs to, perhaps a new one.

        ``written_at`` is the time of its file, in seconds since 1970, and ``came_at`` when it came (None if that is not
        known). They are used for piles of fronts and backs.
        """
        if (closed := self._expecting.pop(path, None)) is not None and closed.facts.key == facts.key:
            closed.expected.discard(path)
            closed.open.add(path)
            return closed
        stack = self._gathering.get(facts.key)
        if stack is not None and (path in stack.delivered or path in stack.missing):
            # One that was missing and is mended finds its document when that is written (planning).
            self._close(stack, COUNTER, now)
            stack = None
        if stack is None:
            stack = self._gathering[facts.key] = Stack(facts, now, feed=self._feeds[facts.profile, facts.folder])
            if stack.is_pile:
                stack.feed.piles.append(stack)
        if stack.is_pile:
            note_page(stack, written_at, came_at)
        stack.longest_gap = max(stack.longest_gap, now - stack.changed_at)
        stack.open.add(path)
        stack.changed_at = now
        stack.feed.latest = stack
        return stack

    def restore(self, stack: Stack) -> None:
        """Take a stack that an earlier run has begun, and perhaps closed."""
        stack.feed = self._feeds[stack.facts.profile, stack.facts.folder]
        if stack.is_pile:
            stack.feed.piles.append(stack)
        if stack.closed_by:
            self._closing.append(stack)
            self._expect(stack, stack.expected)
            return
        earlier = self._gathering.get(stack.facts.key)
        if earlier is not None:
            # It was closed before the restart, and may have waited for pages, which may belong to either of the two.
            self._close(earlier, RESTART, stack.changed_at)
        self._gathering[stack.facts.key] = stack

    def rejoined(self, stack: Stack, path: str) -> None:
        """Record that a page is on its way whose delivery an earlier run or attempt has planned."""
        stack.open.add(path)
        self._expect(stack, stack.expected - {path})

    @staticmethod
    def ended(stack: Stack, path: str, *, delivered: bool) -> None:
        """Record that a page was delivered, or is in the quarantine."""
        stack.open.discard(path)
        (stack.delivered if delivered else stack.missing).add(path)
        if delivered:
            stack.missing.discard(path)

    def left(self, stack: Stack, path: str) -> None:
        """Record that a page is none yet: its file changed, or returned to intake, from where it comes again."""
        stack.open.discard(path)
        if stack.closed_by and not stack.is_written:
            self._expect(stack, stack.expected | {path})

    def due(self, now: float, pages: PagesToCome) -> list[Stack]:
        """Return the stacks whose documents can be made now; they are no longer tracked.

        A stack that is closed takes no newcomers, which are another pile, but waits for what it has begun.
        """
        for stack in list(self._gathering.values()):
            if now >= stack.closes_at and pages.all_known(stack.closes_at):
                self._close(stack, QUIET if now >= stack.changed_at + stack.facts.quiet else NEXT, now)
                self._expect(stack, pages.arriving(stack) - stack.delivered)
        ready = []
        for stack in list(self._closing):
            if not stack.restored_at or pages.all_known(stack.restored_at):
                self._expect(stack, stack.expected & pages.arriving(stack))
            if not stack.is_pile and not pages.must_wait(stack):
                ready.append(stack)
        for feed in {stack.feed for stack in self._closing if stack.is_pile}:
            ready += piles_due(feed, now, pages, is_ending=self._is_ending)
        for stack in ready:
            stack.is_written = True
            if stack.backs is not None:
                stack.backs.is_written = True
        self._closing = [stack for stack in self._closing if not stack.is_written]
        self._forget_feeds()
        return ready

    def unheld(self, before: Stack | None = None) -> list[Stack]:
        """Return the piles of which the ledger does not have yet that they are closed.

        With ``before`` only those that this one follows.
        """
        piles = [stack for stack in self._closing if stack.is_pile and not stack.is_held]
        return [stack for stack in piles if before is None or (stack is not before and stack.feed is before.feed)]

    def to_check(self, pages: PagesToCome) -> list[Stack]:
        """Return the piles that are complete, and were not searched yet for pages that earlier documents lack."""
        return [
            stack
            for stack in self._closing
            if stack.is_pile and stack.is_held and stack.check is Check.DUE and not pages.must_wait(stack)
        ]

    def _expect(self, stack: Stack, paths: set[str]) -> None:
        """Set which files that are not read yet will be pages of a closed stack."""
        for path in stack.expected - paths:
            self._expecting.pop(path, None)
        stack.expected = paths
        self._expecting |= dict.fromkeys(paths, stack)

    def end(self, pages: PagesToCome) -> None:
        """Close all stacks: no further page comes."""
        self._is_ending = True
        for stack in list(self._gathering.values()):
            self._close(stack, END, stack.changed_at)
            self._expect(stack, pages.arriving(stack) - stack.delivered)

    def next_due(self) -> float:
        """Return when the next stack may be due (monotonic seconds); infinity if there is none."""
        feeds = {stack.feed for stack in self._closing if stack.is_pile}
        return _earliest((*map(self._next_look, self), *map(next_pair, feeds)))

    def _next_look(self, stack: Stack) -> float:
        if not stack.closed_by:
            return stack.closes_at
        is_settled = stack.check is Check.DONE and not (stack.open or stack.expected or self._is_ending)
        return float("inf") if is_settled else 0.0

    def _forget_feeds(self) -> None:
        """Forget the folders without stacks: there may be one for each day."""
        if len(self._feeds) > 2 * len(self):
            used = {(stack.facts.profile, stack.facts.folder) for stack in self}
            for place in self._feeds.keys() - used:
                del self._feeds[place]

    def _close(self, stack: Stack, why: str, now: float) -> None:
        stack.closed_by, stack.closed_at = why, now
        del self._gathering[stack.facts.key]
        self._closing.append(stack)


def _earliest(times: Iterable[float]) -> float:
    return min(times, default=float("inf"))
