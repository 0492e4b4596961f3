"""The process that joins: sidecars in, the files of a document out.

It opens nothing for writing: the daemon passes it files that are open.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import math
import os
import select
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Final

from ocrwatch.errors import EnvironmentFault, is_memory_error, memory_short, system_reason
from ocrwatch.log import encodable
from ocrwatch.render.joining.base import DamagedPart, Document
from ocrwatch.render.joining.job import EXIT_CODES, Fault, FaultKind, Joined, JoinJob, decode_job, encode_answer
from ocrwatch.render.joining.registry import JOINED
from ocrwatch.rlimits import die_with_parent, limit_memory, limit_processor_time, no_core_dump
from ocrwatch.storage.files import sync_content

if TYPE_CHECKING:
    from typing_extensions import Buffer

_STDOUT: Final = 1
_BUFFER: Final = 1 << 20

_CPU_SECONDS: Final = 60.0
_CPU_SECONDS_A_PAGE: Final = 0.1
"""Processor time for a document with pages that are taken from a PDF; 500 pages take 0.4 s."""


def main() -> int:
    """Do the job on standard input, answer on standard output, and return the exit code."""
    _end_with_parent()
    answer = _answered()
    # If the daemon has ended, nothing reads the answer.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(encode_answer(answer))
        sys.stdout.buffer.flush()
    return 0 if answer.fault is None else EXIT_CODES[answer.fault.kind]


def join(job: JoinJob) -> Joined:
    """Write each file, and wait until it is on the disk.

    Raises what :meth:`ocrwatch.render.joining.base.JoinedFormat.join` raises.
    """
    if not job.document.pages:
        raise ValueError("a document without pages")
    return Joined(tuple((name, *_written(job.document, name, descriptor)) for name, descriptor in job.targets))


def _end_with_parent() -> None:
    """Let this process die with the thread that started it, and by SIGTERM, also in the middle of native code."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    # Signals of a terminal and to reload are for the daemon, which ends this process if it should end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    no_core_dump()
    die_with_parent(at_once=True)
    # It may have died before: then nothing reads the answer.
    poller = select.poll()
    poller.register(_STDOUT, 0)
    if any(events & (select.POLLERR | select.POLLHUP) for _, events in poller.poll(0)):
        sys.exit(EXIT_CODES[FaultKind.ENVIRONMENT])


def _answered() -> Joined:
    try:
        job = decode_job(sys.stdin.buffer.read())
        if job.document.source is not None and job.document.source.copy:
            # Pages are taken from a PDF that may be made to use up memory and time.
            limit_memory(job.document.source.max_memory)
            limit_processor_time(math.ceil(_CPU_SECONDS + len(job.document.pages) * _CPU_SECONDS_A_PAGE))
        return join(job)
    except DamagedPart as damaged:
        return _failed(FaultKind.PART, damaged.reason, page=damaged.number)
    except EnvironmentFault as fault:
        return _failed(FaultKind.ENVIRONMENT, str(fault))
    except OSError as error:
        return _failed(FaultKind.ENVIRONMENT, system_reason(error), number=error.errno)
    except Exception as error:  # noqa: BLE001 - the daemon reports it
        if is_memory_error(error):
            return _failed(FaultKind.ENVIRONMENT, str(memory_short()), number=errno.ENOMEM)
        return _failed(FaultKind.BUG, "".join(traceback.format_exception(error)))


def _failed(kind: FaultKind, message: str, *, number: int | None = None, page: int | None = None) -> Joined:
    return Joined(fault=Fault(kind, number, encodable(message), page))


def _written(document: Document, name: str, descriptor: int) -> tuple[int, str]:
    """Write one file, and return its size and SHA-256."""
    target = _Target(descriptor)
    with target, io.BufferedWriter(target, _BUFFER) as file:
        JOINED[name].join(document, file)
        file.flush()
        sync_content(descriptor)
    return target.size, target.digest.hexdigest()


class _Target(io.RawIOBase):
    """A file of the daemon, and what is known of its content."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        view = memoryview(data)
        count = os.write(self._descriptor, view)
        self.digest.update(view[:count])
        self.size += count
        return count
