"""Remembers which folders lie on a disk or share of their own, so that its absence is noticed at the start too.

A mount point is a folder like any other while nothing is mounted there: texts would be written into it, out of sight
as soon as the share is back. That it should be another file system, only an earlier start can know.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ocrwatch.daemon.startup import folders
from ocrwatch.errors import EnvironmentFault
from ocrwatch.files import folder, remove, rename_over, write_durable
from ocrwatch.mounts import mount_point_of, nearest_existing
from ocrwatch.settings import Settings

NAME = "mounts.json"
"""In the state folder: where each folder's file system was mounted at the last start."""

_TEMPORARY = f".{NAME}.tmp"


def check_mounts(settings: Settings) -> None:
    """Check that nothing is missing that was mounted at the last start; raises :class:`EnvironmentFault`.

    A folder that lies elsewhere now, or on another mount below the same place, was moved on purpose.
    """
    for name, place in folders(settings).items():
        before = _remembered(settings).get(str(place))
        now = mount_point_of(nearest_existing(place))
        if before is not None and now is not None and Path(before) != now and Path(before).is_relative_to(now):
            raise EnvironmentFault(
                f"nothing is mounted on {before}, where the {name} {place} was at the last start",
                f"mount it, or remove {settings.state / NAME} if the {name} is to be an ordinary folder from now on",
            )


def remember_mounts(settings: Settings) -> None:
    """Note where the file system of each folder is mounted. A disk that refuses is reported by what matters more."""
    points = {str(place): str(point) for place in folders(settings).values() if (point := mount_point_of(place))}
    if points == _remembered(settings):
        return
    with contextlib.suppress(OSError), folder(settings.state) as state:
        remove(state, _TEMPORARY)
        write_durable(state, _TEMPORARY, json.dumps(points, indent=1).encode("utf-8"), mode=0o640)
        rename_over(state, _TEMPORARY, NAME)


def _remembered(settings: Settings) -> dict[str, str]:
    """Return mount points by folder; nothing where nothing (readable) was noted."""
    try:
        points = json.loads((settings.state / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(points, dict):
        return {}
    return {place: point for place, point in points.items() if isinstance(point, str)}
