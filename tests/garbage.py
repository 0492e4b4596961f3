"""What only the garbage collector can free."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def frames_left() -> Iterator[list[str]]:
    """Collect in the list the functions of ocrwatch whose frames the block has left in reference cycles."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        frames = [each for each in gc.garbage if isinstance(each, FrameType)]
        found += [frame.f_code.co_qualname for frame in frames if "/ocrwatch/" in frame.f_code.co_filename]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
