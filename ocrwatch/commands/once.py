"""``ocrwatch once``: reads what is in the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ocrwatch.checks.startup import worker_count
from ocrwatch.commands.configuration import settings_for_work
from ocrwatch.commands.once_run import read_inbox, scans_in_inbox
from ocrwatch.errors import EnvironmentFault, ExitCode
from ocrwatch.settings import Settings


def once(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], *, preview: bool) -> ExitCode:
    """Read what is in the inbox, with a progress bar on a terminal, and print a summary."""
    settings = _with_workers_for(settings_for_work(config, overrides, sets))
    return read_inbox(settings, preview=preview)


def _with_workers_for(settings: Settings) -> Settings:
    """Return the settings with no more workers than there are scans.

    A worker takes half a second of CPU to start.
    """
    try:
        waiting = scans_in_inbox(settings)
    except EnvironmentFault:
        # The daemon makes the inbox, or reports why it cannot be read.
        return settings
    count = max(1, min(worker_count(settings), waiting))
    return settings.model_copy(update={"workers": settings.workers.model_copy(update={"count": count})})
