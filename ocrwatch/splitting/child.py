"""The process that splits: a file's descriptor in, images of its pages out.

A hostile file may take it over: it has limits, ends with its parent, and is given no path.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import traceback
from io import BufferedRWPair
from typing import Final, Protocol

from ocrwatch.errors import EnvironmentFault, InternalFault, OutOfMemory, ScanFault, is_memory_error, system_reason
from ocrwatch.log import encodable
from ocrwatch.magic import ImageKind
from ocrwatch.rlimits import (
    die_before_parent,
    die_with_parent,
    limit_memory,
    no_core_dump,
    watch_lifeline,
)
from ocrwatch.splitting.image_file import ImageFolder, NotWritten
from ocrwatch.splitting.messages import (
    Answer,
    Ask,
    Faulty,
    Opened,
    Ready,
    Refused,
    Setup,
    Written,
    decode_request,
    encode,
)

_BYTES_A_PIXEL: Final = 4
"""Of the largest image: no encoder makes more of 3 channels with 8 bits."""

_SLACK: Final = 1 << 20


class Pages(Protocol):
    """The pages of one file."""

    @property
    def count(self) -> int:
        """Number of pages, at least 1."""

    def write(self, number: int, folder: ImageFolder) -> Written:
        """Write the image of a page, from 1. Raises a ScanFault, NotWritten or OSError."""

    def close(self) -> None:
        """Free what is kept of the file; a process that ends need not."""


def main() -> int:
    """Answer the daemon's requests until it closes the channel; return the exit code."""
    channel, source, folder = map(int, sys.argv[1:4])
    kind = ImageKind[sys.argv[4]]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Those to the whole service are for the daemon, which ends this process if it should end.
        signal.signal(number, signal.SIG_IGN)
    watch_lifeline(channel)
    die_with_parent(at_once=True)
    die_before_parent()
    no_core_dump()
    with socket.socket(fileno=channel) as connection, connection.makefile("rwb") as stream:
        # Nothing is found or loaded for the first time when memory is limited.
        _load(kind)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _send(stream, Ready())
            _serve(stream, kind, source, folder)
    return 0


def _load(kind: ImageKind) -> None:
    if kind is ImageKind.PDF:
        # What cannot be loaded is reported when the file is opened.
        with contextlib.suppress(ImportError):
            import ocrwatch.splitting.pdf_pages  # noqa: PLC0415
    else:
        import ocrwatch.splitting.tiff_pages  # noqa: F401, PLC0415


def _serve(stream: BufferedRWPair, kind: ImageKind, source: int, folder: int) -> None:
    setup = decode_request(stream.readline())
    assert isinstance(setup, Setup)  # noqa: S101 - for the type checker; the daemon sends it first
    size = os.fstat(source).st_size
    limit_memory(setup.max_memory)
    longest = max(size, _BYTES_A_PIXEL * setup.max_pixels) + _SLACK
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
    target = ImageFolder(folder, setup.name)
    try:
        pages = open_pages(kind, source, size, setup.max_pages, setup.max_pixels)
        _send(stream, Opened(pages.count))
    except Exception as error:  # noqa: BLE001 - the daemon reports it
        _send(stream, _answer_to(error))
        return
    while line := stream.readline():
        ask = decode_request(line)
        if not isinstance(ask, Ask) or not 0 < ask.number <= pages.count:
            raise ValueError(f"not a page: {ask}")
        try:
            answer: Answer = pages.write(ask.number, target)
        except Exception as error:  # noqa: BLE001 - as above
            answer = _answer_to(error)
        _send(stream, answer)


def _send(stream: BufferedRWPair, answer: Answer) -> None:
    stream.write(encode(answer))
    stream.flush()


def open_pages(kind: ImageKind, source: int, size: int, max_pages: int, max_pixels: int) -> Pages:
    """Open a file of ``size`` bytes by its descriptor, which must stay open. Raises a ScanFault or OSError."""
    if kind is ImageKind.PDF:
        from ocrwatch.splitting.pdf_pages import PdfPages  # noqa: PLC0415 - loads pdfium, only for PDFs

        return PdfPages(source, size, max_pages, max_pixels)
    from ocrwatch.splitting.tiff_pages import TiffPages  # noqa: PLC0415

    return TiffPages(source, size, max_pages)


def _answer_to(error: Exception) -> Answer:
    if isinstance(error, ScanFault):
        trace = error.trace if isinstance(error, InternalFault) else ""
        return Faulty(error.code, encodable(error.message), encodable(error.remedy), trace)
    if is_memory_error(error):
        return Faulty(
            OutOfMemory.code,
            "taking the page out of its file needs more memory than a worker may use",
            "raise workers.max_memory, or scan at fewer dpi",
        )
    if isinstance(error, NotWritten):
        return Refused(error.error.errno or 0, encodable(system_reason(error.error)), is_writing=True)
    if isinstance(error, OSError):
        return Refused(error.errno or 0, encodable(system_reason(error)))
    if isinstance(error, ImportError | EnvironmentFault):
        return Refused(0, encodable(str(error)))
    trace = encodable("".join(traceback.format_exception(error)))
    message = encodable(f"a bug in ocrwatch: {type(error).__name__}: {error}")
    return Faulty(InternalFault.code, message, "please report it with the log's traceback", trace)
