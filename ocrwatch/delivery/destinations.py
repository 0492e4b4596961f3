"""The folders that deliveries use: detects which one was replaced or refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ocrwatch.delivery.chosen_names import Places
from ocrwatch.errors import environment_fault
from ocrwatch.storage.mounts import MountGuard, is_missing


class Roots:
    """The daemon's folders as they were at its start.

    Raises :class:`EnvironmentFault` if one of them refuses.
    """

    def __init__(self, places: Places) -> None:
        self._names = {
            places.inbox: "inbox",
            places.outbox: "outbox",
            places.archive: "archive",
            places.quarantine: "quarantine",
        }
        if places.parts is not None:
            # Its folder: it is made with the first page.
            self._names[places.parts.parent] = "state folder"
        self._anchors = {root: MountGuard(root, name) for root, name in self._names.items() if not is_missing(root)}

    @contextlib.contextmanager
    def guard(self, root: Path, subfolder: str = "") -> Iterator[None]:
        """Turn an ``OSError`` within into :class:`EnvironmentFault`, except ``FileExistsError``.

        The work is in ``subfolder`` of ``root``, unless the error names a path in another of the folders.
        """
        try:
            if root in self._anchors:
                self._anchors[root].check()
            yield
        except FileExistsError:
            raise
        except OSError as error:
            place = self._named_by(error) or root / subfolder
            name = next(name for each, name in self._names.items() if place.is_relative_to(each))
            raise environment_fault(error, f"cannot work in the {name} {place}") from error

    def _named_by(self, error: OSError) -> Path | None:
        """Return the folder in another root that an error names in full; opening the root itself names the root."""
        place = Path(error.filename) if isinstance(error.filename, str) else None
        return place if place and any(place.is_relative_to(each) for each in self._names) else None
