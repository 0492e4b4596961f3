"""Converts scans that are dropped into a folder to text in another folder.

From Python, ``ocrwatch.read("page.jpg").text`` is the text of one scan; see :func:`ocrwatch.api.read`.

The stages of the daemon, in the order in which a scan passes them:

1. ``intake``      watch the inbox, wait until each file is complete, batch it, read its bytes once and safely
2. ``executors``   pass the bytes to a worker process over its private channel
3. ``recognise``   decode, enhance, read: an image's bytes in, :class:`~ocrwatch.document.Page` out, no file system
4. ``render``      the page to the bytes of its sidecars
5. ``delivery``    publish the sidecars and archive the original, or move it to the ``quarantine``

``daemon`` has the life of a scan, ``ledger`` the state of every scan, ``cache`` the pages that were read before.
``events`` has everything that is logged, and passes it on: ``observe`` publishes status and metrics, ``hooks`` notifies
other programs, ``housekeeping`` checks files after they were archived or quarantined. ``checks`` finds what is wrong
before anything starts, and ``storage`` has files, mounts, locks and threads. ``scan``, ``document``, ``recipe`` and
``errors`` define what the stages share.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocrwatch.api import page_count, read
    from ocrwatch.document import (
        Baseline,
        Block,
        Box,
        EngineInfo,
        Field,
        Line,
        Page,
        Standing,
        StoredImage,
        Upright,
        Word,
    )
    from ocrwatch.errors import (
        Damaged,
        Encrypted,
        EngineFailed,
        EnvironmentFault,
        InternalFault,
        OcrwatchError,
        OtherFormat,
        OutOfMemory,
        ScanFault,
        TooLarge,
        Truncated,
        Unsupported,
        UsageError,
    )

__version__ = "0.1.0"

__all__ = [
    "Baseline", "Block", "Box", "Damaged", "Encrypted", "EngineFailed", "EngineInfo", "EnvironmentFault", "Field",
    "InternalFault", "Line", "OcrwatchError", "OtherFormat", "OutOfMemory", "Page", "ScanFault", "Standing",
    "StoredImage", "TooLarge", "Truncated", "Unsupported", "Upright", "UsageError", "Word", "__version__",
    "page_count", "read",
]  # fmt: skip

_API = frozenset({"page_count", "read"})
_DOCUMENT = frozenset(
    {"Baseline", "Block", "Box", "EngineInfo", "Field", "Line", "Page", "Standing", "StoredImage", "Upright", "Word"}
)


if not TYPE_CHECKING:  # else type checkers would take any name for known

    def __getattr__(name: str) -> object:
        """Import a name at its first use.

        ``import ocrwatch`` alone loads no engine and no image library.
        """
        if name not in __all__:
            raise AttributeError(f"module 'ocrwatch' has no attribute {name!r}")
        home = "api" if name in _API else "document" if name in _DOCUMENT else "errors"
        value: object = getattr(importlib.import_module(f"ocrwatch.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
