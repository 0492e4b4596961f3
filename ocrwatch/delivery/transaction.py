"""The order in which a scan's result becomes files, and what the ledger must know before each step.

1. The sidecars are written under temporary names and are durable.
2. The ledger knows the plan: from here on a restart carries it out instead of reading the scan again.
3. The original is set aside in its folder, if it is still what was read: nobody can rename or replace it any more, so
   that it cannot come back as another scan whose text is there already. One that stays in the inbox is left alone.
4. The sidecars get their final names and are durable there, ``.txt`` last.
5. The ledger knows that.
6. The original is put away.
7. The ledger closes the scan, and notes with it why its text is to be reviewed.

Killed anywhere, :meth:`Deliverer.resume` ends where an undisturbed run would have.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ocrwatch.delivery import sidecars
from ocrwatch.delivery.batch_commit import deliver_together
from ocrwatch.delivery.plan import Places, Plan
from ocrwatch.delivery.steps import Delivered, Journal, Steps, Work, result
from ocrwatch.errors import Changed, EnvironmentFault
from ocrwatch.quarantine.reason_file import REASON_ENDING
from ocrwatch.scan import ScanState

__all__ = ["Delivered", "Deliverer", "Journal", "Work"]

_MOST_LEFT_BEHIND = 100

_WAITING_SIDE_BY_SIDE = 8
"""Threads that wait for the disk; more gained nothing."""


class Deliverer:
    """Delivers results, one call at a time; all methods block on the disk and raise :class:`EnvironmentFault`."""

    def __init__(self, places: Places, journal: Journal, endings: tuple[str, ...]) -> None:
        self._steps = Steps(places, journal.token, endings)
        self._journal = journal
        self._endings = endings
        self._left_behind: deque[tuple[int, Plan]] = deque(maxlen=_MOST_LEFT_BEHIND)
        self._threads = ThreadPoolExecutor(_WAITING_SIDE_BY_SIDE, "disk")

    def deliver(self, work: Work) -> Delivered:
        """Deliver ``work``, or go on with it where an earlier call was stopped by the environment.

        Raises :class:`Changed` where the scan is no longer the file that was read; nothing is published then.
        """
        self.clear_away()
        noted = self._journal.plan_of(work.scan)
        if noted is not None:
            plan = Plan.from_json(noted)
            if not self._is_lost(work.scan, plan):
                return self._carry_out(work.scan, plan, work.code, work.reason)
            self._steps.unclaim(plan)
            self._unstage(work.scan, plan)
        while True:
            with contextlib.suppress(sidecars.StagedLost):
                return self._carry_out(work.scan, self._prepare(work), work.code, work.reason, just_staged=True)

    def deliver_together(self, works: Sequence[Work]) -> list[Delivered | None]:
        """Deliver several results in the time of one, each with the same order of steps.

        None stands for one that is to be delivered on its own, by :meth:`deliver`: something about it is not as usual.
        """
        self.clear_away()
        return deliver_together(self._steps, self._journal, works, self._threads)

    def resume(self, scan: int, plan: str, code: str | None = None, reason: str | None = None) -> Delivered:
        """Carry out a plan that an earlier run has left.

        Raises :class:`Changed` where all that it had staged is gone: then the scan is to be read once more.
        """
        noted = Plan.from_json(plan)
        if self._is_lost(scan, noted):
            self._steps.unclaim(noted)
            self._journal.forget_plan(scan)
            raise Changed(noted.path)
        return self._carry_out(scan, noted, code, reason)

    def discard(self, scan: int, path: str) -> None:
        """Remove what a killed run may have staged for a scan without noting a plan."""
        self._steps.discard(scan, path, (*self._endings, REASON_ENDING))

    def _is_lost(self, scan: int, plan: Plan) -> bool:
        """Tell whether a text that was not published yet, as far as is known, is nowhere any more.

        Somebody may have fetched it in the moment before it became known; but a second text is better than none.
        """
        return not self._journal.is_published(scan) and self._steps.is_nowhere(plan)

    def _unstage(self, scan: int, plan: Plan) -> None:
        """Remove what is staged, now or when its folder is there."""
        if not self._steps.unstage(plan):
            self._left_behind.append((scan, plan))

    @property
    def has_left_behind(self) -> bool:
        """Whether :meth:`clear_away` has something to do."""
        return bool(self._left_behind)

    def clear_away(self) -> None:
        """Remove what was staged in folders that were not there any more, such as one that was swapped for a link."""
        for _ in range(len(self._left_behind)):
            scan, plan = self._left_behind.popleft()
            noted = self._journal.plan_of(scan)
            if noted is not None and Plan.from_json(noted).folder == plan.folder:
                continue
            with contextlib.suppress(EnvironmentFault):
                if self._steps.unstage(plan):
                    continue
            self._left_behind.append((scan, plan))

    def _prepare(self, work: Work) -> Plan:
        if not self._steps.is_unchanged(work):
            # An earlier try may have staged something and have been refused the clearing away.
            self.discard(work.scan, work.path)
            self._close_as_gone(work.scan)
            raise Changed(work.path)
        plan = self._steps.plan(work)
        self._steps.stage(work, plan)
        self._journal.planned(work.scan, plan.to_json(), code=work.code, reason=work.reason)
        return plan

    def _close_as_gone(self, scan: int) -> None:
        self._journal.close_scan(scan, ScanState.CHANGED, code=None, reason="it changed or went while it was read")

    def _carry_out(
        self, scan: int, plan: Plan, code: str | None, reason: str | None, *, just_staged: bool = False
    ) -> Delivered:
        while True:
            taken = self._take(scan, plan, first=just_staged)
            try:
                self._steps.publish(plan, just_staged=just_staged)
                self._journal.published(scan)
                original = self._steps.put_away(plan, taken=taken, again=not just_staged)
                break
            except sidecars.StagedLost:
                self._steps.unclaim(plan)
                raise
            except FileExistsError:
                plan = self._steps.replanned(plan)
                self._journal.planned(scan, plan.to_json(), code=code, reason=reason)
                just_staged = False
        if plan.fate == "quarantine" and original is None:
            self._steps.unpublish(plan)
            self._journal.close_scan(scan, ScanState.CHANGED, code=code, reason=reason)
            raise Changed(plan.path)
        end = ScanState.QUARANTINED if plan.fate == "quarantine" else ScanState.DELIVERED
        self._journal.close_scan(scan, end, code=code, reason=reason, review=plan.review)
        return result(scan, plan, original)

    def _take(self, scan: int, plan: Plan, *, first: bool) -> bool:
        """Set the original aside; say whether it is now.

        Raises :class:`Changed` where it is not what was read any more and nothing was published yet, and
        :class:`Blocked` where only this scan may not be moved: nothing is published of it then.
        """
        if plan.fate == "keep" or plan.stays:
            return False
        if self._steps.claim(plan, first=first):
            return True
        if self._journal.is_published(scan):
            return False
        self._steps.check_same_inbox(plan)
        if not first:
            self._steps.check_folder(plan, gone_is_gone=True)
        self._unstage(scan, plan)
        self._close_as_gone(scan)
        raise Changed(plan.path)
