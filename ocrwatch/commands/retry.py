"""``ocrwatch retry``: moves quarantined scans back to the inbox."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from ocrwatch.commands.configuration import settings_for_work
from ocrwatch.commands.output import Output
from ocrwatch.errors import EnvironmentFault, ExitCode
from ocrwatch.log import printable
from ocrwatch.quarantine.listing import paths_meant
from ocrwatch.quarantine.restore import LeftAlone, restore
from ocrwatch.settings import Settings
from ocrwatch.storage.lock import inbox_holder


def retry(files: Sequence[Path], config: Path | None, overrides: Mapping[str, object], sets: Sequence[str]) -> ExitCode:
    """Restore named scans, or the whole quarantine; code 1 if one was left in it."""
    settings = settings_for_work(config, overrides, sets)
    output = Output()
    # All are found before the first is moved: a mistyped name changes nothing.
    wanted = paths_meant(settings.quarantine, files)
    left = 0
    for path in wanted:
        try:
            new_path = restore(settings.quarantine, settings.inbox, path)
        except LeftAlone as why:
            left += 1
            output.print(f"Left in place: {_shown(path)} ({_shown(str(why))})")
        else:
            name = "" if new_path == path else f" as {_shown(new_path)}"
            output.print(f"Back in the inbox: {_shown(path)}{name}")
    _print_summary(output, settings, len(wanted) - left)
    return ExitCode.QUARANTINED if left else ExitCode.FINE


def _print_summary(output: Output, settings: Settings, moved: int) -> None:
    if not moved:
        output.print(f"Nothing to put back in {escape(str(settings.quarantine))}.")
        return
    scans = "1 scan is" if moved == 1 else f"{moved} scans are"
    when = "; no ocrwatch runs here now, start it to have them read" if _is_free(settings.inbox) else ""
    output.print(f"{scans} back in the inbox {escape(str(settings.inbox))}{when}.")


def _is_free(inbox: Path) -> bool:
    """Return whether no ocrwatch uses an inbox; False if that is unknown."""
    with contextlib.suppress(EnvironmentFault):
        return inbox_holder(inbox) is None
    return False


def _shown(path: str) -> str:
    return escape(printable(path))
