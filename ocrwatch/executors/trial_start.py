"""Tests whether a worker could start with other options, before a working one is given up for them."""

from __future__ import annotations

import os
import time

import msgspec

from ocrwatch.errors import EnvironmentFault
from ocrwatch.executors.base import WorkerOptions
from ocrwatch.executors.ipc import BadMessage, ChannelClosed, Failed, Warm
from ocrwatch.executors.worker_process import WorkerProcess, cannot_spawn
from ocrwatch.executors.worker_slot import START_TIMEOUT, setup_of

_REMEDY = "run ocrwatch doctor, and see whether workers.max_memory is too low"


def try_start(options: WorkerOptions) -> None:
    """Start a worker with ``options`` and end it again.

    Raises :class:`OcrwatchError` if it cannot get ready.
    """
    deadline = time.monotonic() + START_TIMEOUT
    try:
        worker = WorkerProcess.spawn(options.scratch)
    except (OSError, MemoryError) as error:
        raise cannot_spawn(error) from error
    try:
        setup = msgspec.structs.replace(setup_of(options), scratch=os.fsencode(worker.scratch))
        worker.channel.send(setup, deadline)
        answer = worker.channel.receive(deadline)
    except TimeoutError:
        raise EnvironmentFault(f"a worker did not get ready within {START_TIMEOUT:g} s", _REMEDY) from None
    except ChannelClosed:
        words = worker.last_words()
        worker.signal_group()
        raise EnvironmentFault(
            f"no worker can start: it was {worker.how_it_ended()} ({words or 'without a word'})", _REMEDY
        ) from None
    except BadMessage as error:
        raise EnvironmentFault(f"no worker can start: it sent invalid data ({error})", _REMEDY) from error
    finally:
        worker.kill()
    if isinstance(answer, Failed):
        raise answer.error
    if not isinstance(answer, Warm):
        raise EnvironmentFault("no worker can start: it sent the answer to a scan", _REMEDY)
