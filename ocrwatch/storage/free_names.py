"""Chooses free names, so that no file is ever overwritten."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ocrwatch.storage.files import NAME_MAX, folder, rename_noreplace, shortened, status_of, sync

COUNTER_ROOM: Final = 12
"""Bytes kept free in a shortened name for ``-2`` and its successors, and for endings that come later."""


def first_free(stem: str, base: str, taken: Callable[[str], bool]) -> str:
    """Return ``stem``, or ``base-N`` with an N that is not ``taken``.

    Few names are checked, even if many are taken.
    """
    if not taken(stem):
        return stem
    low, high = 1, 2
    while taken(f"{base}-{high}"):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if taken(f"{base}-{middle}"):
            low = middle
        else:
            high = middle
    return f"{base}-{high}"


def free_name(directory: int, stem: str, suffix: str) -> str:
    """Return ``stem + suffix``, with a number if an open folder has that name already."""
    return first_free(stem, stem, lambda free: status_of(directory, free + suffix) is not None) + suffix


def rename_to_free(source: int, name: str, target: int, stem: str, suffix: str) -> str:
    """Rename to a :func:`free_name` in ``target`` and return that name, durable.

    No other file is replaced.
    """
    while True:
        new_name = free_name(target, stem, suffix)
        # Another program may take the name meanwhile.
        with contextlib.suppress(FileExistsError):
            rename_noreplace(source, name, target, new_name)
            sync(target)
            return new_name


def mirrored(roots: tuple[Path, ...], subfolder: str) -> str:
    """Return the subfolder in which a scan's files can lie below all ``roots``.

    The inbox's own, unless a file or a link has the name of a folder: after a scan ``a.jpg`` has become ``a.txt``, the
    folder ``a.txt`` is mirrored as ``a.txt-2``.
    """
    made = ""
    for part in filter(None, subfolder.split("/")):

        def blocked(name: str, above: str = made) -> bool:
            return any(_is_in_the_way(root, above, name) for root in roots)

        made = "/".join(filter(None, (made, first_free(part, shortened(part, NAME_MAX - COUNTER_ROOM), blocked))))
    return made


def look(root: Path, subfolder: str, name: str) -> os.stat_result | None:
    """Return the status of a name, None if it is free.

    An ``OSError`` names the folder that refuses.
    """
    try:
        with folder(root, subfolder) as descriptor:
            return status_of(descriptor, name)
    except FileNotFoundError:
        # A missing subfolder is made later; a missing root is found when a file is written there.
        return None
    except OSError as error:
        error.filename = str(root / subfolder)
        raise


def _is_in_the_way(root: Path, subfolder: str, name: str) -> bool:
    """Return whether something other than a folder has a folder's name."""
    status = look(root, subfolder, name)
    return status is not None and not stat.S_ISDIR(status.st_mode)
