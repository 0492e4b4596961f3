"""Classifies a failed reading by its cause, if the worker could not report it."""

from __future__ import annotations

import signal
import traceback

from ocrwatch.errors import Blocked, InternalFault, OcrwatchError, WorkerDied, environment_fault, memory_short

_DIED_REMEDY = "look at the scan; the log's worker.died event has the worker's last words"


def classify_exit(how: str, phase: str = "reading", *, starved: bool) -> OcrwatchError:
    """Classify a worker's end during a reading by its exit status; ``starved`` if the kernel freed memory just then."""
    if starved and how == f"killed by {signal.SIGKILL.name}":
        # It did not take more than workers.max_memory; so the machine had less than it should have.
        short = memory_short()
        return Blocked(f"{short.message}: the kernel ended the worker that read it", short.remedy)
    return WorkerDied(f"its worker was {how} while {phase} it", _DIED_REMEDY)


def as_expected(error: Exception) -> OcrwatchError:
    """Convert an exception in the parent's handling of a worker to an expected error."""
    if isinstance(error, OcrwatchError):
        return error
    if isinstance(error, MemoryError):
        return memory_short()
    if isinstance(error, OSError):
        return environment_fault(error, "cannot look after a worker process")
    trace = "".join(traceback.format_exception(error))
    return InternalFault(f"a bug in ocrwatch: {error!r}", "please report it with the log's traceback", trace)
