"""Where the daemon's status goes besides its own file."""

from __future__ import annotations

from collections.abc import Callable

from ocrwatch.daemon import startup
from ocrwatch.deliver.plan import temporary_name
from ocrwatch.mounts import Anchor
from ocrwatch.service import note
from ocrwatch.service.poster import Poster
from ocrwatch.service.status import Status
from ocrwatch.settings import Settings

_NO_SCAN = 0
"""In the name of the unfinished note where others have their scan's row: rows are counted from 1."""


class Outlets:
    """Tells the share, as the settings say."""

    def __init__(self, settings: Settings, token: str, *, once: bool) -> None:
        # Who runs `once` looks at its summary; nothing would keep the note up to date afterwards.
        self._poster = Poster(_share_file(settings, token)) if settings.status.share_file and not once else None

    def tell(self, status: Status) -> None:
        """Pass on what the daemon does."""
        if self._poster is not None:
            self._poster.offer(note.text_of(status))

    def close(self) -> None:
        """Have what was told last brought out, and end."""
        if self._poster is not None:
            self._poster.close()


def _share_file(settings: Settings, token: str) -> Callable[[str], None]:
    output = settings.output
    group = None if output.group is None else startup.group_ids(settings)[output.group]
    temporary = temporary_name(token, _NO_SCAN, note.NOTE_STEM.lower())
    anchor = Anchor(settings.outbox)

    def post(text: str) -> None:
        # Where the share is not mounted, its mount point is a folder like any other.
        anchor.check("outbox")
        note.post(settings.outbox, settings.inbox, text, temporary, mode=output.mode, group=group)

    return post
