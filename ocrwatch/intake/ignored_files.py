"""Files in the inbox that are not read: PDFs, names without an ending, links, closed folders.

Each file is logged once; status and ``STATUS.txt`` name those that are there now. A rescan reports them by name; their
content is checked on an I/O thread afterwards, so that no scan waits for it.
"""

from __future__ import annotations

import contextlib
import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ocrwatch.errors import OcrwatchError
from ocrwatch.events import InboxCrowded, ScanIgnored, publish
from ocrwatch.intake.arrivals import Arrivals
from ocrwatch.intake.ignore_rules import AT_REST, NameCheck
from ocrwatch.intake.names import natural_key
from ocrwatch.intake.rescan import MOST_IGNORED, Ignored, Rescan
from ocrwatch.storage.files import display_path
from ocrwatch.storage.threads import Tasks, Threads, run_in

MOST_NAMED: Final = 100
"""Files that the status names."""

_JUDGED_TOGETHER: Final = 32
_SHORTEST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 60.0


class IgnoredFiles:
    """The unread files of the last rescan.

    Lives on the event loop; remembers at most :data:`MOST_IGNORED`.
    """

    def __init__(self, threads: Threads, tasks: Tasks, check: NameCheck, arrivals: Arrivals) -> None:
        self._threads = threads
        self._tasks = tasks
        self._check = check
        self._arrivals = arrivals
        self._known: dict[str, Ignored] = {}
        self._told: dict[str, str] = {}
        """Reasons by path, as in the status: includes those that an earlier run logged."""
        self._to_judge: deque[str] = deque()
        self._is_judging = False
        self._total = 0
        self._closed: frozenset[str] = frozenset()
        self._crowded = False
        self._young = False
        self._wait = AT_REST
        self._named: list[Ignored] | None = []
        self._has_news = False
        self.at_rest = AT_REST
        """Seconds since the last change after which a file is reported."""

    def told_before(self, reasons: Mapping[str, str]) -> None:
        """Record what an earlier run logged, by displayed path: it is not logged again."""
        self._told |= reasons

    @property
    def is_steady(self) -> bool:
        """Whether all files of the last rescan are judged."""
        return not (self._is_judging or self._to_judge)

    @property
    def count(self) -> int:
        """How many files and folders are not read."""
        return self._total if self._crowded else sum(1 for item in self._known.values() if item.remedy)

    @property
    def named(self) -> list[Ignored]:
        """The first of them, at most :data:`MOST_NAMED`, in natural order."""
        if self._named is None:
            items = (item for item in self._known.values() if item.remedy)
            # Alphabetically first, which costs the loop less.
            first = heapq.nsmallest(MOST_NAMED, items, key=lambda item: item.path.casefold())
            first.sort(key=lambda item: natural_key(item.path))
            self._named = first
        return self._named

    def take_news(self) -> bool:
        """Return whether anything changed since the last call."""
        had, self._has_news = self._has_news, False
        return had

    def _changed(self) -> None:
        self._named, self._has_news = None, True

    def update(self, found: Rescan) -> bool:
        """Take the result of a rescan; return whether a closed folder may be entered now."""
        there = {item.path: item for item in found.ignored}
        before, total = self._known, self._total
        self._total = found.ignored_total
        self._known = {path: item for path, item in self._known.items() if path in there and not there[path].reason}
        self._known |= {path: item for path, item in there.items() if item.reason}
        if self._known != before or self._total != total:
            self._changed()
        self._to_judge = deque(path for path in there if path not in self._known or self._known[path].may_change)
        self._tell_of_crowd(self._total > MOST_IGNORED)
        self._tell(self._known.values())
        if not self._crowded:
            shown = set(map(display_path, there))
            self._told = {path: reason for path, reason in self._told.items() if path in shown}
        self._wait = min(self._wait * 2, _LONGEST_WAIT) if self._young else self.at_rest
        self._young = False
        self._judge()
        closed = frozenset(item.path for item in there.values() if item.is_closed)
        opened = self._closed - closed
        self._closed = closed
        return bool(opened)

    def _judge(self) -> None:
        """Judge the next files on an I/O thread."""
        if self._is_judging or not self._to_judge:
            return
        self._is_judging = True
        self._tasks.start(self._judge_all())

    async def _judge_all(self) -> None:
        try:
            while self._to_judge:
                paths = [self._to_judge.popleft() for _ in range(min(_JUDGED_TOGETHER, len(self._to_judge)))]
                # The next rescan reports an inbox that refuses.
                with contextlib.suppress(OcrwatchError):
                    self._judged(await run_in(self._threads.io, self._look_into, paths))
        finally:
            self._is_judging = False

    def _look_into(self, paths: Sequence[str]) -> list[tuple[str, Ignored | None]]:
        return [(path, self._check.ignored(path, at_rest=self.at_rest)) for path in paths]

    def _judged(self, judged: Iterable[tuple[str, Ignored | None]]) -> None:
        for path, item in judged:
            if item is None:
                # Gone, or still being written: the next rescan decides. A file that changes all the time is checked
                # less often.
                self._young = True
                self._arrivals.look_within(max(self._wait, _SHORTEST_WAIT))
            else:
                self._known[path] = item
                self._changed()
                self._tell([item])

    def _tell(self, items: Iterable[Ignored]) -> None:
        for item in items:
            shown = display_path(item.path)
            if self._told.get(shown) == item.reason or (self._crowded and len(self._told) >= MOST_IGNORED):
                continue
            self._told[shown] = item.reason
            publish(ScanIgnored(path=item.path, reason=item.reason, remedy=item.remedy))

    def _tell_of_crowd(self, crowded: bool) -> None:  # noqa: FBT001 - the new state
        if crowded and not self._crowded:
            publish(
                InboxCrowded(
                    count=self._total,
                    named=MOST_IGNORED,
                    remedy="put files that are no scans elsewhere: each look at the inbox takes them in",
                )
            )
        self._crowded = crowded
