"""The worker process: bytes in, sidecars out.

``spawning`` starts it as ``python -m ocrwatch.executors.worker_main DESCRIPTOR reads|renders``. It gets no path of the
daemon's folders: a hostile scan that takes over a decoder learns only its own name in the inbox.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import traceback

from ocrwatch.document import EngineInfo
from ocrwatch.errors import EnvironmentFault, InternalFault, OcrwatchError, OutOfMemory, is_memory_error
from ocrwatch.executors.ipc import (
    Answer,
    AnyJob,
    AssembleJob,
    Channel,
    ChannelClosed,
    Failed,
    Job,
    Prepared,
    PrepareJob,
    Read,
    RenderJob,
    Request,
    Setup,
    Taken,
    Warm,
    channel_to_parent,
)
from ocrwatch.executors.rendering import plain, render_packed, render_page
from ocrwatch.executors.spawning import READS
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage
from ocrwatch.render.registry import is_installed, load
from ocrwatch.rlimits import (
    die_before_parent,
    die_with_parent,
    limit_memory,
    no_core_dump,
    watch_lifeline,
)


def main() -> None:
    """Serve jobs until the parent closes the channel."""
    # A terminal's Ctrl-C and a service manager's SIGTERM are left to the parent: it drains.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A reload signal to the whole service reaches the workers too.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    watch_lifeline(connection.fileno())
    die_before_parent()
    no_core_dump()
    channel = channel_to_parent(connection)
    # Loaded modules stay: a garbage collection of them, now or with each scan, finds nothing.
    gc.disable()
    if sys.argv[2] == READS:
        # While the daemon may still be starting. What cannot be loaded is reported once it asks.
        with contextlib.suppress(Exception):
            import ocrwatch.recognise.page  # noqa: F401, PLC0415 - not in a worker that renders
    with contextlib.suppress(ChannelClosed):
        if _set_up(channel):
            _serve(channel)


def _set_up(channel: Channel[Answer, Request]) -> bool:
    setup = channel.receive()
    if not isinstance(setup, Setup):
        return False
    if setup.scratch:
        os.environ["TMPDIR"] = os.fsdecode(setup.scratch)
    try:
        _find_packages(setup)
        limit_memory(setup.max_memory)
        channel.send(Warm(_warm(setup)))
    except ChannelClosed:
        raise
    except Exception as error:  # noqa: BLE001 - whatever stops a worker from starting must be reported to the parent
        channel.send(Failed(None, _as_expected(error)))
        return False
    gc.freeze()
    gc.enable()
    return True


def _serve(channel: Channel[Answer, Request]) -> None:
    while isinstance(job := channel.receive(), AnyJob):
        channel.send(Taken(job.scan))
        # Messages of Tesseract and libjpeg on one scan are kept for the report of a death, not longer.
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
        try:
            # Sending is included: formats of other packages may return values that cannot be encoded.
            channel.send(_done(job))
        except ChannelClosed:
            raise
        except Exception as error:  # noqa: BLE001 - a scan must not stop the worker, whatever it causes
            channel.send(Failed(job.scan, _as_expected(error)))


def _find_packages(setup: Setup) -> None:
    """Search for the parts of other packages while nothing limits the memory.

    Without memory, importlib.metadata finds nothing and raises nothing: the user would be told to install what is
    there. What was found, or not, is kept by ``plugins``; it is loaded under the limit.
    """
    for name in setup.formats:
        is_installed(name)
    if setup.recipes:
        from ocrwatch.recognise import engines  # noqa: PLC0415 - not in a worker that renders

        for recipe in setup.recipes:
            engines.is_installed(recipe.engine)


def _warm(setup: Setup) -> EngineInfo | None:
    for name in setup.formats:
        load(name)
    if not setup.recipes:
        die_with_parent(at_once=True)
        return None
    from ocrwatch.recognise.page import warm  # noqa: PLC0415 - loads much, under the limits set above

    # All of them, so that a wrong setting is found now and not at its first scan.
    *_, info = [warm(recipe) for recipe in setup.recipes]
    _choose_parent_death(setup.recipes[-1])
    return info


def _done(job: AnyJob) -> Read | Prepared:
    match job:
        case Job():
            return Read(job.scan, _read(job))
        case RenderJob():
            return Read(job.scan, render_packed(job.packed, job.request, job.content, job.find))
        case PrepareJob():
            return _prepare(job)
        case AssembleJob():
            return Read(job.scan, _assemble(job))


def _read(job: Job) -> RenderedPage:
    from ocrwatch.recognise.page import recognise  # noqa: PLC0415

    _choose_parent_death(job.recipe)
    page = plain(recognise(job.content, job.recipe))
    return render_page(page, job.request, job.content)


def _prepare(job: PrepareJob) -> Prepared:
    from ocrwatch.executors.http_ocr.worker_steps import prepare_scan  # noqa: PLC0415 - only with remote services

    prepared = prepare_scan(job.content, job.recipe)
    return Prepared(job.scan, prepared.request, prepared.sent)


def _assemble(job: AssembleJob) -> RenderedPage:
    from ocrwatch.executors.http_ocr.worker_steps import assembled  # noqa: PLC0415 - as above

    return assembled(job.content, job.recipe, job.sent, job.answer, job.first, job.failure, job.request)


def _choose_parent_death(recipe: Recipe) -> None:
    from ocrwatch.recognise import engines  # noqa: PLC0415

    die_with_parent(at_once=not engines.load(recipe).spawns)


def _as_expected(error: Exception) -> OcrwatchError:
    if isinstance(error, OcrwatchError):
        return error
    if is_memory_error(error):
        return OutOfMemory(
            "reading the scan needs more memory than a worker may use", "raise workers.max_memory, or scan at fewer dpi"
        )
    if isinstance(error, ImportError | OSError):
        return EnvironmentFault(
            f"a worker cannot do its work ({error})",
            "see whether workers.max_memory is too low, and run ocrwatch doctor",
        )
    return InternalFault(
        f"a bug in ocrwatch: {type(error).__name__}: {error}",
        "please report it with the log's traceback",
        "".join(traceback.format_exception(error)),
    )


if __name__ == "__main__":
    main()
