"""Orders the delivery steps, and what the ledger must record before each.

1. The sidecars are written under temporary names and are durable. Those of a page of a document are copied to the state
   folder as well, since other programs may fetch the sidecars before the document is complete.
2. The ledger records the plan: from here on a restart carries it out instead of reading the scan again.
3. The original is claimed in its folder, if it is still the file that was read: no other program can rename or replace
   it now, so that it cannot come back as another scan when its text is there already. One that stays in the inbox is
   not touched.
4. The sidecars get their final names and are durable there, ``.txt`` last.
5. The ledger records that.
6. The original is archived, quarantined or deleted.
7. Its line is appended to the list of fields of its folder in the outbox, if its profile has fields: not before its
   files have their names for good. A missing list holds up only the end of a scan, not its text. When the list is
   durable, the staged line is removed. One that is missing before step 5 was removed by others, and is made again.
8. The ledger closes the scan, and records why its text needs review.

After a kill at any point, :meth:`Deliverer.resume` ends where an undisturbed run would have.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ocrwatch.delivery import sidecars
from ocrwatch.delivery.batch_commit import deliver_together
from ocrwatch.delivery.chosen_names import Places, Plan
from ocrwatch.delivery.steps import Steps
from ocrwatch.delivery.stored_sidecars import StoredLost
from ocrwatch.delivery.work import Delivered, Journal, Work, result
from ocrwatch.errors import Changed, EnvironmentFault
from ocrwatch.quarantine.reason_file import REASON_ENDING
from ocrwatch.scan import ScanState

__all__ = ["STORED_LOST", "Delivered", "Deliverer", "Journal", "Work"]

STORED_LOST = "what was kept of its pages in the state folder is gone or damaged; it is read again"
"""What :class:`StoredLost` means for a scan."""

_MOST_LEFT_BEHIND = 100
_MOST_RENAMES = 100
"""Names that are chosen for one scan until the outbox counts as unusable."""

_WAITING_SIDE_BY_SIDE = 8
"""Threads that wait for the disk; more gained nothing."""


class Deliverer:
    """Delivers results, one call at a time.

    All methods block on the disk and raise :class:`EnvironmentFault`.
    """

    def __init__(self, places: Places, journal: Journal, endings: tuple[str, ...]) -> None:
        self._steps = Steps(places, journal.token, endings)
        self._journal = journal
        self._left_behind: deque[tuple[int, Plan]] = deque(maxlen=_MOST_LEFT_BEHIND)
        self._threads = ThreadPoolExecutor(_WAITING_SIDE_BY_SIDE, "disk")

    def learn(self, endings: tuple[str, ...]) -> None:
        """Use these endings of sidecars from the next names on; usable from any thread."""
        self._steps.endings = endings

    def deliver(self, work: Work) -> Delivered:
        """Deliver ``work``, or continue where the environment stopped an earlier call.

        Raises :class:`Changed` if the scan is no longer the file that was read, and :class:`StoredLost` if a stored
        sidecar is no longer what was joined; nothing is published then, and the scan is to be read again.
        """
        self.clear_away()
        noted = self._journal.plan_of(work.scan)
        if noted is not None:
            plan = Plan.from_json(noted)
            if not self._is_lost(work.scan, plan):
                if not self._journal.is_published(work.scan):
                    # Later, a missing line is one that was listed.
                    self._steps.stage_line(work, plan)
                return self._carry_out(work.scan, plan, work.code, work.reason)
            self._steps.unclaim(plan)
            self._unstage(work.scan, plan)
        while True:
            with contextlib.suppress(sidecars.StagedLost):
                return self._carry_out(work.scan, self._prepare(work), work.code, work.reason, just_staged=True)

    def deliver_together(self, works: Sequence[Work]) -> list[Delivered | None]:
        """Deliver several results with one group commit, in the same order of steps.

        None stands for a result that :meth:`deliver` must deliver alone: it is not an ordinary case.
        """
        self.clear_away()
        return deliver_together(self._steps, self._journal, works, self._threads)

    def resume(self, scan: int, plan: str, code: str | None = None, reason: str | None = None) -> Delivered:
        """Carry out the plan of an earlier run.

        Raises :class:`Changed` if all that it had staged is gone, or the line for the list of fields before anything
        was published: then the scan must be read again.
        """
        noted = Plan.from_json(plan)
        if self._is_lost(scan, noted) or (not self._journal.is_published(scan) and self._steps.lacks_line(noted)):
            self._steps.unclaim(noted)
            # Before anything is removed: a plan with a part of its staged files would be carried out.
            self._journal.forget_plan(scan)
            self._unstage(scan, noted)
            raise Changed(noted.path)
        return self._carry_out(scan, noted, code, reason)

    def discard(self, scan: int, path: str) -> None:
        """Remove files that a killed run may have staged for a scan without recording a plan."""
        self._steps.discard(scan, path, (*self._steps.endings, REASON_ENDING))

    def _is_lost(self, scan: int, plan: Plan) -> bool:
        """Return whether a text that is not recorded as published exists nowhere any more.

        It may have been fetched just before it was recorded; but a second text is better than none.
        """
        return not self._journal.is_published(scan) and self._steps.is_nowhere(plan)

    def _unstage(self, scan: int, plan: Plan) -> None:
        """Remove what is staged, now or when its folder is back."""
        if not self._steps.unstage(plan):
            self._left_behind.append((scan, plan))

    @property
    def has_left_behind(self) -> bool:
        """Whether :meth:`clear_away` has something to do."""
        return bool(self._left_behind)

    def clear_away(self) -> None:
        """Remove staged files from folders that were missing, such as one that was swapped for a link."""
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
            # An earlier attempt may have staged something and failed to remove it.
            self.discard(work.scan, work.path)
            self._close_as_gone(work.scan)
            raise Changed(work.path)
        plan = self._steps.plan(work)
        try:
            self._steps.stage(work, plan)
        except StoredLost:
            self.discard(work.scan, work.path)
            self._journal.close_scan(work.scan, ScanState.CHANGED, code=None, reason=STORED_LOST)
            raise
        self._journal.planned(work.scan, plan.to_json(), code=work.code, reason=work.reason, stack=plan.stack)
        return plan

    def _close_as_gone(self, scan: int) -> None:
        self._journal.close_scan(scan, ScanState.CHANGED, code=None, reason="it changed or went while it was read")

    def _carry_out(
        self, scan: int, plan: Plan, code: str | None, reason: str | None, *, just_staged: bool = False
    ) -> Delivered:
        for _ in range(_MOST_RENAMES):
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
                self._journal.planned(scan, plan.to_json(), code=code, reason=reason, stack=plan.stack)
                just_staged = False
        else:
            raise EnvironmentFault(
                f"each name that is chosen for the text of {plan.path} is taken at once",
                "see what writes to the outbox",
            )
        if plan.fate == "quarantine" and original is None:
            self._steps.unpublish(plan)
            self._journal.close_scan(scan, ScanState.CHANGED, code=code, reason=reason)
            raise Changed(plan.path)
        self._steps.list_fields([plan], again=not just_staged)
        self._steps.drop_line(plan)
        end = ScanState.QUARANTINED if plan.fate == "quarantine" else ScanState.DELIVERED
        self._journal.close_scan(scan, end, code=code, reason=reason, review=plan.review)
        return result(scan, plan, original)

    def _take(self, scan: int, plan: Plan, *, first: bool) -> bool:
        """Claim the original; return whether it is claimed now.

        Raises :class:`Changed` if it is not the file that was read and nothing was published yet, and :class:`Blocked`
        if only this scan cannot be moved: nothing of it is published then.
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
