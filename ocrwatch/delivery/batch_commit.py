"""Group commit: each step runs for all scans before one fsync.

What a step depends on is durable before it for every scan, as in :mod:`ocrwatch.delivery.step_order`; but each step
waits only once for the disk and for the ledger. Only ordinary deliveries run here. A scan that meets anything else
stays at its step, and its own delivery continues there: each step is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.delivery.durability import Disk, GroupSync
from ocrwatch.delivery.sidecars import StagedLost
from ocrwatch.delivery.steps import Steps
from ocrwatch.delivery.stored_sidecars import StoredLost
from ocrwatch.delivery.work import Delivered, Journal, Work, result
from ocrwatch.errors import OcrwatchError
from ocrwatch.scan import ScanState

_UNUSUAL = (OSError, OcrwatchError, StagedLost, StoredLost)

Step = Callable[[int, Plan, Disk], bool]
"""Does something for the scan with this row and plan; returns whether it went as usual."""


def deliver_together(
    steps: Steps, journal: Journal, works: Sequence[Work], threads: Executor
) -> list[Delivered | None]:
    """Deliver ``works``; return None for those that must be delivered alone."""
    delivered: dict[int, Delivered] = {}

    def publish(_scan: int, plan: Plan, disk: Disk) -> bool:
        steps.publish(plan, just_staged=True, disk=disk)
        return True

    def take(_scan: int, plan: Plan, _disk: Disk) -> bool:
        return plan.fate == "keep" or steps.claim(plan, first=True)

    def put_away(scan: int, plan: Plan, disk: Disk) -> bool:
        original = steps.put_away(plan, taken=plan.fate != "keep", disk=disk)
        delivered[scan] = result(scan, plan, original)
        # A missing original is handled by the scan's own delivery.
        return original is not None or plan.fate != "archive"

    def drop_line(_scan: int, plan: Plan, disk: Disk) -> bool:
        steps.drop_line(plan, disk)
        return True

    try:
        plans = _staged(steps, journal, works, threads)
        with journal.transaction():
            for scan, plan in plans.items():
                journal.planned(scan, plan.to_json(), code=None, reason=None, stack=plan.stack)
        plans = _each(plans, threads, take)
        plans = _each(plans, threads, publish)
        with journal.transaction():
            for scan in plans:
                journal.published(scan)
        plans = _each(plans, threads, put_away)
        plans = _listed(steps, plans, threads)
        plans = _each(plans, threads, drop_line)
        with journal.transaction():
            for scan, plan in plans.items():
                journal.close_scan(scan, ScanState.DELIVERED, code=None, reason=None, review=plan.review)
    except _UNUSUAL:
        # The disk or the ledger refused: the error is raised again when each is delivered alone.
        return [None] * len(works)
    return [delivered[work.scan] if work.scan in plans else None for work in works]


def _staged(steps: Steps, journal: Journal, works: Sequence[Work], threads: Executor) -> dict[int, Plan]:
    """Plan and stage; scans with the same name get different stems."""
    plans: dict[int, Plan] = {}
    taken: set[tuple[str, str]] = set()
    with GroupSync(threads) as disk:
        for work in works:
            try:
                if work.fate == "quarantine" or journal.plan_of(work.scan) is not None or not steps.is_unchanged(work):
                    continue
                plan = steps.plan(work, taken)
                steps.stage(work, plan, disk)
            except _UNUSUAL:
                continue
            taken.add((plan.folder, plan.stem))
            plans[work.scan] = plan
        disk.wait()
    return plans


def _listed(steps: Steps, plans: dict[int, Plan], threads: Executor) -> dict[int, Plan]:
    """List the fields of all scans, those of one folder in one call, and return those for which it went as usual."""
    by_folder: dict[str, list[int]] = {}
    for scan, plan in plans.items():
        by_folder.setdefault(plan.folder, []).append(scan)
    done: set[int] = set()
    with GroupSync(threads) as disk:
        for scans in by_folder.values():
            try:
                steps.list_fields([plans[scan] for scan in scans], again=False, disk=disk)
            except _UNUSUAL:
                continue
            done.update(scans)
        disk.wait()
    return {scan: plan for scan, plan in plans.items() if scan in done}


def _each(plans: dict[int, Plan], threads: Executor, step: Step) -> dict[int, Plan]:
    """Run a step for each, wait for the disk, and return those for which it went as usual."""
    done: dict[int, Plan] = {}
    with GroupSync(threads) as disk:
        for scan, plan in plans.items():
            try:
                if step(scan, plan, disk):
                    done[scan] = plan
            except _UNUSUAL:
                continue
        disk.wait()
    return done
