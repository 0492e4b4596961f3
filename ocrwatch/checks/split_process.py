"""Checks whether the process starts that splits files into pages. Without it, only files of several pages wait."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from ocrwatch.checks.finding import Finding
from ocrwatch.errors import EnvironmentFault, OcrwatchError, environment_fault
from ocrwatch.magic import reads_pdf
from ocrwatch.splitting.process import NO_KNOWN_REMEDY, SplitProcess

_SUBJECT: Final = "pages"

_TIMEOUT: Final = 60.0
"""Seconds for the start, which takes 0.3 s if the machine is idle."""

_HEADS: Final = {"TIFF": b"II*\0", "PDF": b"%PDF-1.7"}
"""How a file of each kind begins: the process reads no more of it before it is ready."""


def split_process() -> Finding:
    """Start the process for each kind of file that is read, and end it; blocks."""
    kinds = [kind for kind in _HEADS if kind != "PDF" or reads_pdf()]
    try:
        for kind in kinds:
            asyncio.run(_start(_HEADS[kind]))
    except OcrwatchError as error:
        remedy = error.remedy
        if remedy == NO_KNOWN_REMEDY:
            remedy = "install ocrwatch again with its extras; if that does not help, report it"
        return Finding(_SUBJECT, "warning", error.message, remedy)
    return Finding(_SUBJECT, "fine", f"{' and '.join(kinds)} files with several pages can be split")


async def _start(head: bytes) -> None:
    """Start it with a file that begins in this way, and end it.

    Raises :class:`EnvironmentFault` if it cannot start.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "file"
            source.write_bytes(head)
            async with asyncio.timeout(_TIMEOUT):
                process = await SplitProcess.start(source, Path(folder))
            await process.end()
    except TimeoutError as error:
        raise EnvironmentFault(
            "the process that splits files into pages did not start in time", "see whether the machine is overloaded"
        ) from error
    except OSError as error:
        raise environment_fault(error, "cannot write a temporary file") from error
