"""Chooses free names, so that no file is ever overwritten."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ocrwatch.errors import NoFreeName
from ocrwatch.log import printable
from ocrwatch.storage.files import NAME_MAX, folder, rename_noreplace, shortened, status_of, sync

COUNTER_ROOM: Final = 12
"""Bytes kept free in a shortened name for ``-2`` and its successors, and for endings that come later."""


_LARGEST: Final = 10 ** (COUNTER_ROOM - 1) - 1
"""Largest number that fits there behind its ``-``."""


def first_free(stem: str, base: str, taken: Callable[[str], bool]) -> str:
    """Return ``stem``, or ``base-N`` with an N that is not ``taken``.

    Few names are checked, even if many are taken. Raises :class:`NoFreeName` if none is free.
    """
    if not taken(stem):
        return stem
    low, high = 1, 2
    while taken(f"{base}-{high}"):
        low, high = high, high * 2
        if high > _LARGEST:
            raise NoFreeName(
                f"each name from {printable(base)}-2 on is taken or too long",
                "give it a shorter name, and put it into the inbox again",
            )
    while high - low > 1:
        middle = (low + high) // 2
        if taken(f"{base}-{middle}"):
            low = middle
        else:
            high = middle
    return f"{base}-{high}"


def room_for_stem(*endings: str) -> int:
    """Return the bytes that a stem may have with a number and any of the endings behind it; negative if none."""
    return NAME_MAX - COUNTER_ROOM - max(len(os.fsencode(ending)) for ending in endings)


def numbered_stem(stem: str, *endings: str) -> str:
    """Return a beginning of ``stem``, never empty, that has room for a number and any of the endings behind it.

    If there is no room at all, it is short, and some of the names are too long.
    """
    return shortened(stem, max(room_for_stem(*endings), 1)) or stem


def is_too_long(name: str) -> bool:
    """Return whether no usual file system has such a name."""
    return len(os.fsencode(name)) > NAME_MAX


def free_name(directory: int, stem: str, suffix: str) -> str:
    """Return ``stem + suffix``, with a number if an open folder has that name already.

    A long stem is shortened for the number; so is a suffix that leaves no room for a stem.
    """
    if room_for_stem(suffix) < 1:
        stem, suffix = stem + suffix, ""

    def taken(candidate: str) -> bool:
        return is_too_long(candidate + suffix) or status_of(directory, candidate + suffix) is not None

    return first_free(stem, numbered_stem(stem, suffix), taken) + suffix


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

        made = "/".join(filter(None, (made, first_free(part, numbered_stem(part, ""), blocked))))
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
