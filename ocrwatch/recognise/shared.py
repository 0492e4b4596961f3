"""Whether other code runs in this process, as with :func:`ocrwatch.read`.

A worker process is ocrwatch's own. In a shared process, standard error is neither written to nor redirected, since
other threads may use it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_shared: ContextVar[bool] = ContextVar("ocrwatch_shared_process", default=False)


@contextlib.contextmanager
def shared_process() -> Iterator[None]:
    """Treat this process as shared within the block, for the current thread."""
    token = _shared.set(True)
    try:
        yield
    finally:
        _shared.reset(token)


def is_shared() -> bool:
    """Return whether other code may use this process's standard error."""
    return _shared.get()
