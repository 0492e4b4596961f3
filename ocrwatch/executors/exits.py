"""Whose fault it is that a scan could not be read, where the worker itself cannot tell."""

from __future__ import annotations

import signal
import traceback

from ocrwatch.errors import Blocked, InternalFault, OcrwatchError, WorkerDied, environment_fault, memory_short

_DIED_REMEDY = "look at the scan; the log's worker.died event has the worker's last words"


def classify_exit(how: str, *, starved: bool) -> OcrwatchError:
    """Say what it means that a worker ended ``how`` while it read, ``starved`` if the kernel made room just then."""
    if starved and how == f"killed by {signal.SIGKILL.name}":
        # More than workers.max_memory it did not take; so it was the machine that had less than it was to have.
        short = memory_short()
        return Blocked(f"{short.message}: the kernel ended the worker that read it", short.remedy)
    return WorkerDied(f"its worker was {how} while reading it", _DIED_REMEDY)


def as_expected(error: Exception) -> OcrwatchError:
    """Turn what the parent met while it looked after a worker into an error that says whose fault it is."""
    if isinstance(error, OcrwatchError):
        return error
    if isinstance(error, MemoryError):
        return memory_short()
    if isinstance(error, OSError):
        return environment_fault(error, "cannot look after a worker process")
    trace = "".join(traceback.format_exception(error))
    return InternalFault(f"a bug in ocrwatch: {error!r}", "please report it with the log's traceback", trace)
