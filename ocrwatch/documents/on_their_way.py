"""Pages that are on their way to their stacks: not complete, waiting for their turn, or read."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ocrwatch.documents.stack import Stack, StackFacts, stem_of
from ocrwatch.settings import Settings
from ocrwatch.storage.files import split

_INCOMPLETE: Final = "its file was not complete in time, or cannot be read"


@dataclass(frozen=True, slots=True)
class BlockedPage:
    """Why a page cannot be delivered now."""

    reason: str
    since: float
    """Monotonic seconds."""


class OnTheirWay:
    """The pages that are on their way at one time; implements :class:`ocrwatch.documents.grouping.PagesToCome`."""

    def __init__(
        self,
        settings: Settings,
        patience: float,
        blocked: Mapping[str, BlockedPage],
        arriving: Iterable[str],
        incomplete: Mapping[str, float],
        known_until: float,
        *,
        gives_up: bool,
    ) -> None:
        """``arriving`` are paths in the inbox that no worker has got yet.

        ``incomplete`` has those of them that remain so, with the time of their last change, and ``known_until`` is the
        time until which all that have come are known (monotonic seconds). ``gives_up`` says that the run ends, so that
        nothing is waited for that is not on its way.
        """
        self._settings = settings
        self._now = time.monotonic()
        self._patience = patience
        self._blocked = blocked
        self._incomplete = incomplete
        self._gives_up = gives_up
        self._known_until = known_until
        self._arriving: defaultdict[tuple[str, str | None], list[str]] = defaultdict(list)
        """By folder and stem, and by folder alone."""
        for path in arriving:
            folder = split(path)[0]
            self._arriving[folder, stem_of(path)].append(path)
            self._arriving[folder, None].append(path)

    def all_known(self, at: float) -> bool:
        """Return whether all files are known that came to the inbox before a time (monotonic seconds)."""
        return self._known_until >= at

    def arriving(self, stack: Stack) -> set[str]:
        """Return the paths of files in the inbox that are not read yet, and would be pages of a stack."""
        facts = stack.facts
        return self._of_profile(facts, facts.stem if facts.by == "name" else None)

    def may_begin(self, stack: Stack, stems: Collection[str]) -> bool:
        """Return whether a file in the inbox may begin another pile in the folder of a stack.

        ``stems`` are the common names of the piles that have begun.
        """
        paths = self._of_profile(stack.facts, None)
        return any(stem_of(path) not in stems and not self._is_stuck(path, stack) for path in paths)

    def _of_profile(self, facts: StackFacts, stem: str | None) -> set[str]:
        paths = self._arriving.get((facts.folder, stem), ())
        return {path for path in paths if (self._settings.for_path(path).profile_name or "") == facts.profile}

    def must_wait(self, stack: Stack) -> bool:
        """Return whether a closed stack must wait for its pages."""
        return any(not self._is_stuck(path, stack) for path in (*stack.open, *stack.expected))

    def absent(self, stack: Stack) -> dict[str, str]:
        """Return the pages of a stack that was not waited for any longer, with the reason."""
        blocked = {path: self._blocked[path].reason for path in stack.open if path in self._blocked}
        return dict.fromkeys(stack.expected, _INCOMPLETE) | blocked

    def _is_stuck(self, path: str, stack: Stack) -> bool:
        """Return whether a page is waited for no longer.

        One page that cannot be moved, or is never complete, holds up no document for good; a pause of all does.
        """
        blocked, changed_at = self._blocked.get(path), self._incomplete.get(path)
        if blocked is None and changed_at is None:
            return False
        since = max(stack.closes_at, blocked.since if blocked is not None else changed_at or 0.0)
        return self._gives_up or self._now >= since + self._patience
