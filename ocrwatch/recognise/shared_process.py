"""Whether other code runs in this process, as with :func:`ocrwatch.read`.

A worker process is ocrwatch's own. If ocrwatch is embedded in another program, standard error is neither written to nor
redirected, since other threads may use it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_embedded: ContextVar[bool] = ContextVar("ocrwatch_embedded", default=False)


@contextlib.contextmanager
def embedded_process() -> Iterator[None]:
    """Treat ocrwatch as embedded within the block, for the current thread."""
    token = _embedded.set(True)
    try:
        yield
    finally:
        _embedded.reset(token)


def is_embedded() -> bool:
    """Return whether other code may use this process's standard error."""
    return _embedded.get()
