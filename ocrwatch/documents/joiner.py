"""Runs the process that joins the sidecars of pages: a large document takes neither memory nor time of the daemon."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

from ocrwatch.errors import EnvironmentFault, InternalFault, environment_fault, memory_short
from ocrwatch.render.joining.base import Document
from ocrwatch.render.joining.job import MODULE, FaultKind, JoinJob, decode_answer, encode_job
from ocrwatch.storage.files import create, remove, sync

_SECONDS: Final = 60.0
_SECONDS_A_PAGE: Final = 2.0
"""Limits of the time of the process; it takes some 10 ms a page."""


class PartLost(Exception):
    """The copy of a page's sidecar is missing or damaged."""

    def __init__(self, page: int, reason: str) -> None:
        super().__init__(reason)
        self.page = page
        """Its number in the document, from 1."""
        self.reason = reason


class Joiner:
    """Joins one document at a time; blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def write(
        self,
        document: Document,
        directory: int,
        files: Sequence[tuple[str, str]],
        *,
        mode: int | None = None,
        group: int | None = None,
    ) -> dict[str, tuple[int, str]]:
        """Write the files of a document, durably; return size and SHA-256 of each by its format.

        ``files`` are the format and the name of each, below an open ``directory``; those that are there are replaced.
        On any failure none is left behind. Raises like :meth:`join`.
        """
        descriptors: list[int] = []
        try:
            for _, name in files:
                remove(directory, name)
                descriptors.append(create(directory, name, mode=mode, group=group))
            targets = tuple((wanted, descriptor) for (wanted, _), descriptor in zip(files, descriptors, strict=True))
            written = self.join(JoinJob(document, targets), tuple(descriptors))
            sync(directory)
        except BaseException:
            # What is half written would fill a full disk.
            for _, name in files:
                remove(directory, name)
            raise
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return written

    def join(self, job: JoinJob, descriptors: tuple[int, ...]) -> dict[str, tuple[int, str]]:
        """Write the files of a document; return size and SHA-256 of each by its format.

        Raises ``OSError`` if a disk refuses, :class:`PartLost`, :class:`EnvironmentFault`, or :class:`InternalFault`.
        """
        try:
            process = self._start(descriptors)
        except OSError as error:
            what = "cannot start the process that writes documents"
            raise environment_fault(error, what, closed="run ocrwatch doctor") from error
        except MemoryError as error:
            raise memory_short() from error
        with process:
            try:
                output, errors = process.communicate(
                    encode_job(job), _SECONDS + len(job.document.pages) * _SECONDS_A_PAGE
                )
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise EnvironmentFault(
                    "the process that writes documents did not end in time",
                    "see whether the disks of the outbox and the state folder answer",
                ) from None
            finally:
                self._process = None
        return _files_of(output, process.returncode, errors)

    def close(self) -> None:
        """End the process that runs, and start no other; usable from any thread."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)

    def _start(self, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise EnvironmentFault("ocrwatch is being stopped", "start it again: the document is written then")
            self._process = subprocess.Popen(
                # -P: nothing in the working directory is ever imported.
                [sys.executable, "-P", "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=descriptors,
                start_new_session=True,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
            return self._process


def _files_of(output: bytes, code: int, errors: bytes) -> dict[str, tuple[int, str]]:
    """Return the files of an answer; raises as :meth:`Joiner.join`."""
    trace = errors.decode("utf-8", "replace").strip()
    try:
        answer = decode_answer(output)
    except ValueError as error:
        if code == -signal.SIGKILL:
            # By the kernel, since memory was short, or by an admin.
            raise memory_short() from error
        raise _bug(f"the process that writes documents ended with {code}", trace) from error
    if answer.fault is None:
        return {name: (size, sha256) for name, size, sha256 in answer.files}
    fault = answer.fault
    if fault.kind is FaultKind.PART and fault.page is not None:
        raise PartLost(fault.page, fault.message)
    if fault.kind is FaultKind.ENVIRONMENT and fault.errno is not None:
        raise OSError(fault.errno, os.strerror(fault.errno))
    if fault.kind is FaultKind.ENVIRONMENT:
        raise EnvironmentFault(fault.message, "run ocrwatch doctor")
    raise _bug("a document could not be written", fault.message)


def _bug(what: str, trace: str) -> InternalFault:
    return InternalFault(f"a bug in ocrwatch: {what}", "please report it", trace)
