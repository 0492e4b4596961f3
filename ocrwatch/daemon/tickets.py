"""One scan on its way from a batch to its end, and the batch that it came in."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from ocrwatch.log import get_logger
from ocrwatch.observe.status import BLOCKED
from ocrwatch.recipe import Recipe
from ocrwatch.scan import SettledFile
from ocrwatch.settings import Effective

_log = get_logger()

End = Literal["delivered", "quarantined", "changed", "known", "duplicate", "stopped", "unfinished"]
"""``changed``: the file changed or went while it was handled. ``known``: it was delivered before and kept.
``duplicate``: another with the same bytes was delivered before (``intake.duplicates``).
``unfinished``: it was found damaged, and is waited for since its writer may be at work."""


@dataclass(slots=True)
class Batch:
    """Scans that were gathered together."""

    id: int
    """0 for scans that are given up before they come into one."""
    size: int
    started: float = field(default_factory=time.monotonic)
    ends: Counter[str] = field(default_factory=Counter)

    def ended(self, end: End) -> dict[str, object] | None:
        """Count one of its scans; when that was the last, say so and return the fields of what was said."""
        self.ends[end] += 1
        if not self.id or self.ends.total() != self.size:
            return None
        seconds = round(time.monotonic() - self.started, 3)
        fields: dict[str, object] = {"batch": self.id, "scans": self.size, "seconds": seconds, **self.ends}
        _log.info("batch.finished", **fields)
        return fields


@dataclass(slots=True)
class Ticket:
    """What is known of one scan; filled in as it goes."""

    scan: SettledFile
    batch: Batch
    options: Effective
    recipe: Recipe
    id: int = 0
    """The scan's row in the ledger, once there is one."""
    sha256: str | None = None
    attempt: int = 0
    queued_ms: float = 0.0
    read_ms: float = 0.0
    worker: int = 0
    """Process id of the worker that has it in hand, 0 while none has."""
    begun_at: float = 0.0
    """When that worker was given it (monotonic seconds)."""
    code: str = ""
    """Why its last attempt failed, with ``reason``."""
    reason: str = ""
    remedy: str = ""
    """What ends its waiting, if something keeps it from being read or put away."""
    rested: bool = False
    """Whether it had to rest before another attempt. The rest that an earlier run ordered is taken once only."""
    jpeg: bytes = b""
    """Held from its loading until a worker gets it."""
    alone: bool = False
    """Whether no other may be in work beside it: it was when ocrwatch was killed."""
    plain: bool = False
    """Whether it is read without enhancement, and after all others, since reading it took too long."""
    cached: bool = False
    """Whether its page was known before."""
    stays: bool = False
    """Whether it was copied to the quarantine and stays in the inbox."""

    def is_free_again(self) -> None:
        """Forget what held it up."""
        if self.code == BLOCKED:
            self.code = self.reason = self.remedy = ""

    @property
    def path(self) -> str:
        """The scan's path relative to the inbox."""
        return self.scan.path
