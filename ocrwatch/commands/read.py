"""``ocrwatch read``: writes text to standard output, and perhaps a picture; changes no folder of the daemon."""

from __future__ import annotations

import hashlib
import os
import queue
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ocrwatch import log
from ocrwatch.checks.startup import check_languages, usable_cores
from ocrwatch.commands.picture_file import check_target, write_picture
from ocrwatch.commands.preview import preview_of
from ocrwatch.document import BEGINNING
from ocrwatch.errors import ExitCode, InternalFault, OcrwatchError, TooLarge, UsageError, environment_fault
from ocrwatch.executors.base import Uncounted, WorkerOptions
from ocrwatch.executors.events import Outcome, SlotEvent
from ocrwatch.executors.ipc import Job
from ocrwatch.executors.process_pool import Pool
from ocrwatch.executors.startup_guard import StartupGuard
from ocrwatch.render import registry
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.settings import Settings, recipe
from ocrwatch.settings.load import load, parse_overrides

_AHEAD_PER_WORKER = 2
_STANDARD_INPUT = Path("-")
_EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of the files."""

    as_json: bool = False
    as_csv: bool = False
    preview: bool = False
    tables: bool = False
    """Whether tables are looked for, whatever the settings say."""
    picture: Path | None = None
    """File for the picture of the one scan; None for no picture."""

    @property
    def printed(self) -> str:
        """The format that is printed."""
        if self.as_csv:
            return "csv"
        return "json" if self.as_json else "txt"

    @property
    def formats(self) -> tuple[str, ...]:
        """All formats that are rendered."""
        return (self.printed,) if self.picture is None else (self.printed, _EXPLAIN)

    @property
    def overrides(self) -> dict[str, object]:
        """Settings, by key, that follow from it."""
        return {"tables.enabled": True} if self.tables or self.as_csv or self.picture is not None else {}


def read(
    files: Sequence[Path], config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], wanted: Wanted
) -> ExitCode:
    """Print the text of ``files`` in order, or JSON lines, or tables; errors to standard error.

    The file ``-`` is standard input.
    """
    _check(files, wanted)
    settings = load(config, {**parse_overrides(sets), **overrides, **wanted.overrides}, os.environ).settings
    log.configure("error", settings.log.format)
    check_languages(settings)
    worst = ExitCode.FINE
    for path, result in _results(files, settings, wanted.formats):
        if isinstance(result, OcrwatchError):
            _complain(path, str(result))
            worst = max(worst, ExitCode(result.exit_code))
            continue
        if wanted.picture is not None:
            write_picture(wanted.picture, _sidecar(result, _EXPLAIN))
        _print(path, result, wanted)
    return worst


def _check(files: Sequence[Path], wanted: Wanted) -> None:
    """Check the arguments, apart from the files to read; raises :class:`UsageError`."""
    if sys.stdout is None:
        raise UsageError("standard output is closed", "send it to a program or a file")
    if files.count(_STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) is given more than once", "give it once")
    if wanted.as_csv and (wanted.as_json or wanted.preview):
        raise UsageError("--csv cannot be combined with --json or --preview", "give one of them")
    if wanted.picture is not None:
        if len(files) > 1:
            raise UsageError(
                f"--explain makes one picture, and {len(files)} files are given", "run ocrwatch read once for each file"
            )
        check_target(wanted.picture, files[0])


def _print(path: Path, result: RenderedPage, wanted: Wanted) -> None:
    content = _sidecar(result, wanted.printed)
    if wanted.as_csv:
        if not content:
            _complain(path, "no table was found")
        # As programs on a command line expect it: without the byte order mark and the line ends that Excel wants.
        sys.stdout.write(content.decode("utf-8-sig").replace("\r\n", "\n"))
    elif wanted.as_json:
        # On one line.
        print(msgspec.json.format(content, indent=0).decode())  # noqa: T201
    elif wanted.preview:
        print(f"{_name(path)}: {preview_of(result.summary.preview)}")  # noqa: T201
    else:
        sys.stdout.write(content.decode())


def _sidecar(result: RenderedPage, name: str) -> bytes:
    """Return what a format made of the page."""
    return dict(result.sidecars)[registry.load(name).ending]


def _complain(path: Path, sentence: str) -> None:
    print(f"ocrwatch: {_name(path)}: {sentence}", file=sys.stderr)  # noqa: T201


def _name(path: Path) -> str:
    return "standard input" if path == _STANDARD_INPUT else log.printable(str(path))


Result = RenderedPage | OcrwatchError


def _results(files: Sequence[Path], settings: Settings, formats: tuple[str, ...]) -> Iterator[tuple[Path, Result]]:
    """Read files in worker processes; yield the results in order.

    Limits of time and memory apply as in the daemon.
    """
    events: queue.SimpleQueue[SlotEvent] = queue.SimpleQueue()
    workers = settings.workers
    pool = Pool(
        WorkerOptions(
            min(workers.count or usable_cores(), len(files)),
            (recipe(settings),),
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
                finished |= _begin(begun, files[begun], settings, pool, formats)
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


def _begin(number: int, path: Path, settings: Settings, pool: Pool, formats: tuple[str, ...]) -> dict[int, Result]:
    """Load a file and submit it to the pool; return a result if that fails."""
    try:
        content = _content(path, settings.settle.max_bytes)
    except OcrwatchError as error:
        return {number: error}
    except OSError as error:
        return {number: environment_fault(error, "cannot read it")}
    request = RenderRequest(
        formats,
        os.fsencode(path),
        len(content),
        hashlib.sha256(content).hexdigest(),
        settings.output.review_below,
        preview_chars=BEGINNING,
        straighten=settings.pdf.straighten,
    )
    pool.submit(Job(number, content, recipe(settings), request))
    return {}


def _content(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a file, or of standard input.

    Raises UsageError, TooLarge or OSError.
    """
    if path == _STANDARD_INPUT:
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
