"""Finds what other packages add to ocrwatch, by the entry points of a group."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points


def installed(group: str, built_in: Mapping[str, str]) -> dict[str, EntryPoint]:
    """Return the entry points of ``group`` by name, with the built-in ones: name and ``module:object``.

    The built-in ones are found even if ocrwatch runs from its source tree, without being installed. No other package
    can replace them.
    """
    ours = {name: EntryPoint(name, value, group) for name, value in built_in.items()}
    return {found.name: found for found in entry_points(group=group)} | ours


def origin(found: EntryPoint) -> str:
    """Return which package an entry point comes from, as part of a sentence; empty for built-in ones."""
    return f" of the package {found.dist.name}" if found.dist is not None else ""
