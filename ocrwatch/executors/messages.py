"""What a slot and its worker say to each other."""

from __future__ import annotations

from dataclasses import dataclass

from ocrwatch.document import EngineInfo, Page
from ocrwatch.errors import OcrwatchError
from ocrwatch.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a worker."""

    recipes: tuple[Recipe, ...]
    """What to be warm for; the last one most of all."""
    max_memory: int
    """Bytes of address space, 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Warm:
    """The worker's answer: ready for work."""

    engine: EngineInfo


@dataclass(frozen=True, slots=True)
class Job:
    """One scan for a worker."""

    scan: int
    """Its row in the ledger."""
    jpeg: bytes
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Taken:
    """The worker has a job's bytes: from here on its death is put down to the scan."""

    scan: int


@dataclass(frozen=True, slots=True)
class Read:
    """A scan, read."""

    scan: int
    page: Page


@dataclass(frozen=True, slots=True)
class Failed:
    """A job, or with ``scan`` None the set-up, that failed."""

    scan: int | None
    error: OcrwatchError
