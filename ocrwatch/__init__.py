"""A scan dropped into a folder becomes text beside it, without anybody doing anything.

From Python, ``ocrwatch.read("page.jpg").text`` is the text of one scan; :func:`ocrwatch.api.read` says more.

The stages of the daemon, in the order in which a JPEG passes them:

1. ``intake``     watch the inbox, settle what is complete, batch it, read its bytes once and safely
2. ``dispatch``   hand the bytes to a worker process, one private channel per slot
3. ``recognise``  decode, enhance, read: JPEG bytes in, :class:`~ocrwatch.values.Page` out, no file system
4. ``deliver``    render the sidecars, publish them, put the original away

``daemon`` drives them in one loop, ``ledger`` remembers what happened to every scan, ``service`` tells
the outside world. ``values`` and ``errors`` are what the stages have in common.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocrwatch.api import read
    from ocrwatch.errors import (
        Damaged,
        EngineFailed,
        EnvironmentFault,
        InternalFault,
        NotAJpeg,
        OcrwatchError,
        OutOfMemory,
        ScanFault,
        TooLarge,
        Truncated,
        Unsupported,
        UsageError,
    )
    from ocrwatch.values import Block, Box, EngineInfo, Line, Page, Word

__version__ = "0.1.0"

__all__ = [
    "Block", "Box", "Damaged", "EngineFailed", "EngineInfo", "EnvironmentFault", "InternalFault", "Line", "NotAJpeg",
    "OcrwatchError", "OutOfMemory", "Page", "ScanFault", "TooLarge", "Truncated", "Unsupported", "UsageError", "Word",
    "__version__", "read",
]  # fmt: skip

_VALUES = frozenset({"Block", "Box", "EngineInfo", "Line", "Page", "Word"})


if not TYPE_CHECKING:  # else type checkers would take any name for known

    def __getattr__(name: str) -> object:
        """Import what is used when it is used: ``import ocrwatch`` alone loads no engine and no image library."""
        if name not in __all__:
            raise AttributeError(f"module 'ocrwatch' has no attribute {name!r}")
        home = "api" if name == "read" else "values" if name in _VALUES else "errors"
        value: object = getattr(importlib.import_module(f"ocrwatch.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
