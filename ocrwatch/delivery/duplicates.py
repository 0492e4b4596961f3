"""Finds scans with bytes that were delivered before, in order of delivery, so that none overtakes.

A scan is a duplicate if an earlier one has the same SHA-256, was read by the same recipe into the same formats, and
still has all of its sidecars in the outbox. If a text was fetched from there, or other options are in force, the scan
is delivered like any other: a second text is better than none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocrwatch.delivery.chosen_names import Fate, Plan
from ocrwatch.delivery.step_order import Work
from ocrwatch.errors import environment_fault
from ocrwatch.ledger import Ledger
from ocrwatch.render.registry import needs_original
from ocrwatch.scan import Scan
from ocrwatch.storage.files import display_path, folder_if_there, has_content

FATES: Final[dict[str, Fate]] = {"skip": "keep", "archive": "archive", "delete": "delete"}
"""What becomes of a duplicate's original, by ``intake.duplicates``; its other value delivers duplicates."""

CODE = "duplicate"
"""Code in the ledger of a scan that was not delivered again."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The delivery that a duplicate repeats."""

    path: str
    """Of the earlier scan, in the inbox."""
    sidecars: tuple[str, ...]
    """Its sidecars, relative to the outbox."""

    @property
    def reason(self) -> str:
        """Return the reason, for the ledger and for people."""
        return f"it has the same bytes as {display_path(self.path)}, whose text is {display_path(self.sidecars[-1])}"


def made_by(scan: Scan) -> str:
    """Return what distinguishes a text from that of the same bytes under other options."""
    formats = scan.options.output.formats
    # Only if it matters: texts that were made before the option existed stay known.
    shown = (scan.options.pdf,) if needs_original(formats) else ()
    made = repr((scan.recipe, formats, *shown))
    return hashlib.sha256(made.encode("utf-8", "backslashreplace")).hexdigest()[:16]


class Duplicates:
    """Finds earlier deliveries; blocks on ledger and outbox, for the delivery thread only."""

    def __init__(self, ledger: Ledger, outbox: Path, archive: Path, fate: Fate) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._archive = archive
        self.fate: Fate = fate
        """What becomes of a duplicate's original."""

    def earlier(self, scan: Scan) -> Earlier | None:
        """Return the delivery that this scan repeats; None if it must be delivered.

        Raises :class:`EnvironmentFault` if ledger or outbox refuse.
        """
        noted = self._ledger.plan_of(scan.id)
        if scan.sha256 is None or (noted is not None and Plan.from_json(noted).sidecars):
            # Its own text is already being delivered.
            return None
        made = made_by(scan)
        for entry in self._ledger.delivered_before(scan.sha256):
            plan = None if entry.plan is None else Plan.from_json(entry.plan)
            # The published file of a quarantined scan is its reason.
            if plan is None or entry.id == scan.id or plan.fate == "quarantine" or plan.made_by != made:
                continue
            if self._is_there(plan) and self._may_go(plan):
                return Earlier(entry.path, tuple(plan.below(sidecar.final) for sidecar in plan.sidecars))
        return None

    def among(self, works: Sequence[Work]) -> set[int]:
        """Return the rows of possible duplicates, of an earlier scan or of one before it in ``works``."""
        seen: set[str | None] = set()
        found: set[int] = set()
        for work in works:
            if work.sha256 in seen or (work.sha256 and self._ledger.delivered_before(work.sha256)):
                found.add(work.scan)
            seen.add(work.sha256)
        return found

    def _is_there(self, plan: Plan) -> bool:
        try:
            with folder_if_there(self._outbox, plan.folder) as directory:
                if directory is None or not plan.sidecars:
                    return False
                # Compared by bytes: names are reused, and another scan's text may be there now.
                return all(
                    sidecar.size is not None
                    and sidecar.sha256 is not None
                    and has_content(directory, sidecar.final, sidecar.size, sidecar.sha256)
                    for sidecar in plan.sidecars
                )
        except OSError as error:
            raise environment_fault(error, f"cannot look into the outbox {self._outbox}") from error

    def _may_go(self, plan: Plan) -> bool:
        """Return whether a duplicate's original may be deleted: the last copy never is."""
        if self.fate != "delete" or plan.fate == "delete":
            return True
        if plan.fate != "archive" or plan.sha256 is None:
            return False
        try:
            with folder_if_there(self._archive, plan.folder) as directory:
                return directory is not None and has_content(directory, plan.original, plan.facts.size, plan.sha256)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise environment_fault(error, f"cannot look into the archive {self._archive}") from error
