"""Records the mounts of the folders, so that a start detects a missing mount.

A mount point is an ordinary folder while nothing is mounted there: texts would be written into it, and hidden as soon
as the share is back. Only an earlier start can know that it should be another file system.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrwatch.checks.startup import folders
from ocrwatch.errors import EnvironmentFault
from ocrwatch.settings import Settings
from ocrwatch.storage.files import folder, remove, rename_over, write_durable
from ocrwatch.storage.mounts import Location, location_of, nearest_existing

NAME = "mounts.json"
"""File in the state folder: the location of each folder at the last start."""

_TEMPORARY = f".{NAME}.tmp"
_VERSION = 2


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Record of a folder at the last start."""

    point: Path
    identity: tuple[str, str, str] | None = None
    """Its :attr:`Location.identity`; None in the records of an older version."""


def check_mounts(settings: Settings) -> None:
    """Raise :class:`EnvironmentFault` if a file system of the last start is missing.

    It compares which file system a folder is on, and where in it, not how it is mounted: systemd mounts the folders of
    ``ReadWritePaths=`` on themselves, for the service alone. A folder that is elsewhere now, or on another file system
    below the same place, was moved on purpose.
    """
    before = _remembered(settings)
    for name, place in folders(settings).items():
        then, now = before.get(str(place)), location_of(nearest_existing(place))
        if then is not None and now is not None and _is_missing(then, now):
            raise EnvironmentFault(
                f"nothing is mounted on {then.point}, where the {name} {place} was at the last start",
                f"mount it, or remove {settings.state / NAME} if the {name} is to be an ordinary folder from now on",
            )


def _is_missing(then: _Remembered, now: Location) -> bool:
    """Return whether the file system is missing, so that its mount point is visible."""
    is_elsewhere = then.point != now.point and then.point.is_relative_to(now.point)
    return is_elsewhere and now.identity != then.identity


def remember_mounts(settings: Settings) -> None:
    """Record the location of each folder, if it has changed.

    An error is ignored here; more important writes report it.
    """
    locations = {str(place): at for place in folders(settings).values() if (at := location_of(place))}
    notes = {place: {"identity": at.identity, "point": str(at.point)} for place, at in locations.items()}
    data = json.dumps({"version": _VERSION, "folders": notes}, indent=1).encode("utf-8")
    with contextlib.suppress(OSError), folder(settings.state) as state:
        # Left by a start that failed to write it.
        remove(state, _TEMPORARY)
        if {place: _Remembered(at.point, at.identity) for place, at in locations.items()} == _remembered(settings):
            return
        write_durable(state, _TEMPORARY, data, mode=0o640)
        rename_over(state, _TEMPORARY, NAME)


def _remembered(settings: Settings) -> dict[str, _Remembered]:
    """Return the records of the folders; empty if there is no (readable) one."""
    try:
        notes = json.loads((settings.state / NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(notes, dict):
        return {}
    if "version" not in notes:
        return _of_older_version(settings, notes)
    places = notes.get("folders")
    found = {place: _of_note(note) for place, note in places.items()} if isinstance(places, dict) else {}
    return {place: remembered for place, remembered in found.items() if remembered is not None}


def _of_note(note: object) -> _Remembered | None:
    match note:
        case {"point": str(point), "identity": [str(kind), str(source), str(inner)]}:
            return _Remembered(Path(point), (kind, source, inner))
    return None


def _of_older_version(settings: Settings, notes: Mapping[str, Any]) -> dict[str, _Remembered]:
    """Return the mount points that an older version recorded.

    Those that a service recorded in its sandbox are not used. The state folder contains this file, so it has not moved:
    a record with another mount point of the state folder is from a sandbox.
    """
    points = {place: _Remembered(Path(point)) for place, point in notes.items() if isinstance(point, str)}
    state, now = points.get(str(settings.state)), location_of(settings.state)
    if state is not None and now is not None and state.point != now.point:
        return {}
    return points
