"""Defines the states of a scan."""

from __future__ import annotations

import enum
from typing import Final


class ScanState(enum.StrEnum):
    """State of a scan: one vocabulary for ledger, pipeline, log, metrics and status."""

    QUEUED = "queued"
    """Complete, waits for its turn."""
    LOADING = "loading"
    """Its bytes are loaded, and looked up in the ledger and the cache."""
    READING = "reading"
    """With the executor."""
    RETRYING = "retrying"
    """An attempt failed; another is made later."""
    BLOCKED = "blocked"
    """The environment refuses this scan while it serves others; it is tried again later."""
    DELIVERING = "delivering"
    """Its result becomes files."""
    SENT = "sent"
    """In the ledger: with a remote service. If ocrwatch is killed meanwhile, the scan is not suspected."""
    PLANNED = "planned"
    """In the ledger: its plan is recorded, and a restart carries it out."""
    PUBLISHED = "published"
    """In the ledger: its sidecars are durable under their final names."""
    DELIVERED = "delivered"
    QUARANTINED = "quarantined"
    CHANGED = "changed"
    """The file changed or disappeared meanwhile; the file there now is another scan."""
    DUPLICATE = "duplicate"
    """Its text was delivered before."""
    CANCELLED = "cancelled"
    """ocrwatch was stopped before it was read; the next start reads it."""
    INCOMPLETE = "incomplete"
    """It was found damaged shortly after its last change, and returns to intake: its writer may still be writing."""


CLOSED: Final = (
    ScanState.DELIVERED,
    ScanState.QUARANTINED,
    ScanState.CHANGED,
    ScanState.DUPLICATE,
    ScanState.CANCELLED,
    ScanState.INCOMPLETE,
)
"""The states in which a scan leaves the pipeline."""
