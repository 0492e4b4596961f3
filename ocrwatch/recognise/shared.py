"""Whether this process is shared with a program that calls :func:`ocrwatch.read`. A worker's is ocrwatch's alone.

In a shared process, standard error is neither written to nor redirected: other threads use it meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_shared: ContextVar[bool] = ContextVar("ocrwatch_shared_process", default=False)


@contextlib.contextmanager
def shared_process() -> Iterator[None]:
    """Treat this process as shared while this thread is in the block."""
    token = _shared.set(True)
    try:
        yield
    finally:
        _shared.reset(token)


def is_shared() -> bool:
    """Tell whether standard error is not of this process alone."""
    return _shared.get()
