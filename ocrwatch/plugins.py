"""Finds plugins, which are entry points of other packages."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import EntryPoint, MetadataPathFinder, entry_points


def installed(group: str, built_in: Mapping[str, str]) -> dict[str, EntryPoint]:
    """Return the entry points of ``group`` by name, including the built-in ones.

    ``built_in`` has names and ``module:object``. These are found even if ocrwatch runs from its source tree without
    being installed, and no other package can replace them. A package that is installed later is found after a restart.
    """
    ours = {name: EntryPoint(name, value, group) for name, value in built_in.items()}
    return {found.name: found for found in _in_group(group)} | ours


def find(group: str, built_in: Mapping[str, str], name: str) -> EntryPoint | None:
    """Return the entry point of this name, None if there is none.

    importlib.metadata takes a folder that it cannot list for an empty one, whatever the error. A process that limits
    its memory therefore searches before it does so.
    """
    if name in built_in:
        # Without a search of all packages, which takes some 20 ms of each process's start.
        return EntryPoint(name, built_in[name], group)
    return installed(group, built_in).get(name)


def origin(found: EntryPoint | None) -> str:
    """Return the package of an entry point as part of a sentence; empty if built in."""
    return f" of the package {found.dist.name}" if found is not None and found.dist is not None else ""


def forget() -> None:
    """Clear the cache, for tests that install packages."""
    _in_group.cache_clear()
    # What importlib.metadata has listed; importlib.invalidate_caches() leaves that alone in Python 3.11.
    MetadataPathFinder().invalidate_caches()


@functools.cache
def _in_group(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))
