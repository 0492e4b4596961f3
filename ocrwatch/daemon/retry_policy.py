"""Decides whether a scan is read now, retried later or quarantined, and how."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from ocrwatch.backoff import Backoff
from ocrwatch.errors import EngineFailed, OutOfMemory, Rejected, ScanFault, ServiceFault, TimedOut, WorkerDied
from ocrwatch.intake.loading import Loaded
from ocrwatch.ledger import Entry
from ocrwatch.recipe import REMOTE
from ocrwatch.scan import Scan, ScanState
from ocrwatch.settings import Retry, Settings, recipe

MOST_DEATHS: Final = 3
"""How often ocrwatch may be killed with one scan alone in work before the scan is blamed."""

_OF_ENGINES: Final = frozenset({Rejected.code, EngineFailed.code})
_OF_WORKERS: Final = frozenset({OutOfMemory.code, WorkerDied.code})


class HasPlan(Exception):
    """An earlier run has planned the delivery of this very scan."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.path)
        self.entry = entry


class TooSoon(Exception):
    """The scan has to wait before its next attempt."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def check_admission(scan: Scan, loaded: Loaded, retry: Retry) -> None:
    """Compare a loaded scan with its row in the ledger; return if it may be read, or its page is known.

    Raises :class:`HasPlan`, :class:`TooSoon`, or :class:`WorkerDied` if no other attempt is to be made.
    """
    entry = loaded.entry
    went_last = scan.reduced
    # A page that is cached under the usual recipe took no longer than others; one of a reduced reading stays marked.
    scan.reduced = scan.reduced or (loaded.page is None and entry.code == TimedOut.code)
    if entry.state in {ScanState.PLANNED, ScanState.PUBLISHED}:
        # Its inbox was missing when its original was to be archived.
        raise HasPlan(entry)
    if loaded.page is not None:
        return
    if entry.code in _OF_WORKERS:
        # An earlier run found out.
        scan.code = entry.code or ""
    if entry.deaths >= MOST_DEATHS:
        why = f"ocrwatch itself was killed {entry.deaths} times while this was the only scan in work"
        raise _final(WorkerDied(why, "look at the scan, and whether memory was short; drop it in again"))
    if entry.attempts >= retry.attempts:
        # The allowed attempts were lowered meanwhile.
        why = f"{entry.attempts} attempts to read it failed ({entry.reason})"
        raise _final(WorkerDied(why, "look at the scan; drop it in again"))
    rest = min(entry.not_before - time.time(), retry.max_delay)
    if not scan.has_waited and rest > 0:
        scan.code, scan.reason = entry.code or "", entry.reason or ""
        raise TooSoon(rest)
    if scan.reduced and not went_last:
        # An earlier run found that it takes too long.
        raise TooSoon(0.0)
    scan.isolated = bool(entry.alone)


def delay_after(scan: Scan, fault: ScanFault, retry: Retry) -> float | None:
    """Return the seconds until the next attempt after a fault.

    None if there is none, and the scan is quarantined.
    """
    if not fault.retryable or scan.attempt >= retry.attempts:
        return None
    if isinstance(fault, TimedOut) and scan.reduced:
        # Without enhancement it took too long as well.
        return None
    return float(min(retry.first_delay * 2 ** (scan.attempt - 1), retry.max_delay))


def renew(scan: Scan, settings: Settings) -> None:
    """Give a scan the options that are in force; a page has those of its file, with whose others it will be joined.

    One that ended a worker, or took too long, gets less of them.
    """
    scan.options = settings.for_path(scan.path) if scan.file_page is None else scan.file_page.whole.options
    engines = scan.options.ocr.engine
    scan.recipe = recipe(scan.options, scan.engine if scan.engine in engines else engines[0])
    if scan.code in _OF_WORKERS:
        # A reduced reading is less likely to kill a worker again.
        enhance = replace(scan.recipe.enhance, perspective=False)
        scan.recipe = replace(scan.recipe, second="none", tables=False, codes=False, fields=(), enhance=enhance)
    if scan.reduced:
        enhance = replace(scan.recipe.enhance, enabled=False)
        scan.recipe = replace(scan.recipe, second="none", tables=False, codes=False, fields=(), enhance=enhance)


def record_pause(backoff: Backoff, fault: ServiceFault) -> None:
    """Record that a service is not available."""
    now = time.monotonic()
    backoff.record(f"{REMOTE}{fault.service}", fault, now, tried_at=fault.tried_at or now, at_least=fault.wait)


def other_engine(scan: Scan, fault: ScanFault) -> bool:
    """Return whether another engine of the scan may read it after a fault; if so, record that this one cannot.

    Damaged data is the same for all engines.
    """
    if fault.code not in _OF_ENGINES or not scan.other_lanes:
        return False
    scan.failed_engines |= {scan.engine}
    return True


def _final(fault: ScanFault) -> ScanFault:
    """Return a fault after which no other attempt is made."""
    fault.retryable = False
    return fault
