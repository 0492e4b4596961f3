"""Events that a slot reports of its worker and its jobs."""

from __future__ import annotations

from dataclasses import dataclass

from ocrwatch.document import EngineInfo
from ocrwatch.errors import OcrwatchError
from ocrwatch.executors.ipc import Prepared
from ocrwatch.render.base import RenderedPage


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker has loaded its engine."""

    pid: int
    engine: EngineInfo | None
    """None if it has none: it works for remote services only."""
    start_ms: float


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker ended unexpectedly."""

    pid: int
    how: str
    """Exit status, such as ``killed by SIGSEGV``."""
    phase: str
    """``starting``, ``idle``, ``reading`` or ``rendering``."""
    scan: int | None
    stderr: str


@dataclass(frozen=True, slots=True)
class WorkerUnfit:
    """A worker could not start for a reason that affects every other one."""

    error: OcrwatchError
    retry_in: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one job: a page, or a request to a remote service, or the error."""

    scan: int
    page: RenderedPage | None
    error: OcrwatchError | None
    read_ms: float
    attempt: int
    prepared: Prepared | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A worker is given a scan."""

    pid: int
    scan: int
    attempt: int


SlotEvent = WorkerReady | WorkerLost | WorkerUnfit | Begun | Outcome
