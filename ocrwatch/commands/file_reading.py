"""Reads files for commands that print what was read, in worker processes; no folder of the daemon is changed."""

from __future__ import annotations

import hashlib
import os
import queue
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ocrwatch import log
from ocrwatch.checks.startup import usable_cores
from ocrwatch.document import BEGINNING
from ocrwatch.errors import InternalFault, OcrwatchError, TooLarge, UsageError, environment_fault
from ocrwatch.executors.base import Uncounted, WorkerOptions
from ocrwatch.executors.events import Outcome, SlotEvent
from ocrwatch.executors.ipc import Job
from ocrwatch.executors.process_pool import Pool
from ocrwatch.executors.startup_guard import StartupGuard
from ocrwatch.render import registry
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.settings import Effective, Settings, recipe

STANDARD_INPUT: Final = Path("-")
"""The argument that means standard input."""

_AHEAD_PER_WORKER: Final = 2

Result = RenderedPage | OcrwatchError
"""What becomes of a file: its page, or why it could not be read."""


def check_streams(files: Sequence[Path]) -> None:
    """Check that the files can be read and the results printed; raises :class:`UsageError`."""
    if sys.stdout is None:
        raise UsageError("standard output is closed", "send it to a program or a file")
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) is given more than once", "give it once")


def content_of(result: RenderedPage, name: str) -> bytes:
    """Return what a format made of the page."""
    return dict(result.sidecars)[registry.load(name).ending]


def complain(path: Path, sentence: str) -> None:
    """Print a sentence about a file to standard error."""
    print(f"ocrwatch: {name_of(path)}: {sentence}", file=sys.stderr)  # noqa: T201


def name_of(path: Path) -> str:
    """Return the name of a file for a line on a terminal."""
    return "standard input" if path == STANDARD_INPUT else log.printable(str(path))


def read_files(
    files: Sequence[Path], settings: Settings, options: Settings | Effective, formats: tuple[str, ...]
) -> Iterator[tuple[Path, Result]]:
    """Read files in worker processes; yield the results in order.

    ``options`` are those of the scans, which a profile may have changed. Limits of time and memory apply as in the
    daemon.
    """
    events: queue.SimpleQueue[SlotEvent] = queue.SimpleQueue()
    workers = settings.workers
    pool = Pool(
        WorkerOptions(
            min(workers.count or usable_cores(), len(files)),
            (recipe(options),),
            formats,
            workers.timeout,
            workers.max_memory,
            workers.max_scans,
        ),
        Uncounted(),
        events.put,
    )
    starts = StartupGuard(len(pool))
    pool.start()
    finished: dict[int, Result] = {}
    begun = 0
    try:
        for number, path in enumerate(files):
            while begun < min(len(files), number + _AHEAD_PER_WORKER * len(pool)):
                finished |= _begin(begun, files[begun], settings.settle.max_bytes, options, pool, formats)
                begun += 1
            while number not in finished:
                event = events.get()
                starts.heard(event)
                if starts.failure is not None:
                    raise starts.failure
                finished |= _result_of(event)
            yield path, finished.pop(number)
    finally:
        pool.kill()


def _begin(
    number: int, path: Path, max_bytes: int, options: Settings | Effective, pool: Pool, formats: tuple[str, ...]
) -> dict[int, Result]:
    """Load a file and submit it to the pool; return a result if that fails."""
    try:
        content = _content(path, max_bytes)
    except OcrwatchError as error:
        return {number: error}
    except OSError as error:
        return {number: environment_fault(error, "cannot read it")}
    request = RenderRequest(
        formats,
        os.fsencode(path),
        len(content),
        hashlib.sha256(content).hexdigest(),
        options.output.review_below,
        preview_chars=BEGINNING,
        straighten=options.pdf.straighten,
    )
    pool.submit(Job(number, content, recipe(options), request))
    return {}


def _content(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a file, or of standard input.

    Raises UsageError, TooLarge or OSError.
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("nothing is sent to standard input", "send an image: ocrwatch read - < page.jpg")
        content = sys.stdin.buffer.read(max_bytes + 1)
        size = len(content)
    else:
        if not path.is_file():
            what = "it is not a regular file" if path.exists() else "there is no such file"
            raise UsageError(what, "name JPEG, PNG or TIFF files")
        size = path.stat().st_size
        content = b"" if size > max_bytes else path.read_bytes()
    if size > max_bytes:
        raise TooLarge("the file is larger than allowed", "raise settle.max_bytes")
    return content


def _result_of(event: SlotEvent) -> dict[int, Result]:
    if not isinstance(event, Outcome):
        return {}
    if event.page is not None:
        return {event.scan: event.page}
    return {event.scan: event.error or InternalFault("a bug in ocrwatch: a result without a page")}
