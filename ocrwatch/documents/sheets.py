"""Finds the profile that a separator sheet names. What is printed is data: it chooses a profile, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ocrwatch.delivery.chosen_names import SheetProfile
from ocrwatch.log import printable
from ocrwatch.render.joining.job import joinable
from ocrwatch.settings import Settings

_SHOWN: Final = 60
"""Characters of a name that are shown."""


def sheet_profile(names: Sequence[str], settings: Settings, groups: Mapping[str, int]) -> SheetProfile | None:
    """Return the profile that a sheet with these names has; None if it names none.

    ``groups`` has the ids of groups.
    """
    if not names:
        return None
    if len(names) > 1:
        return SheetProfile("", f"names several profiles, such as {_shown(names[0])} and {_shown(names[1])}")
    profile = settings.profile_named(names[0])
    if profile is None:
        return SheetProfile("", f"names a profile that does not exist: {_shown(names[0])}")
    output = settings.with_profile(profile).output
    return SheetProfile(
        profile.label,
        formats=joinable(output.formats),
        blank=profile.group.blank if profile.group.by else "",
        mode=output.mode,
        group=None if output.group is None else groups[output.group],
    )


def common_profile(sides: Sequence[SheetProfile | None]) -> SheetProfile | None:
    """Return the profile that the sides of one sheet name."""
    named = list(dict.fromkeys(side for side in sides if side is not None))
    if len(named) > 1:
        return SheetProfile("", "names another profile on its other side")
    return named[0] if named else None


def _shown(name: str) -> str:
    """Return a name in quotes, on one line, without characters that could hide or forge output."""
    short = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    return f'"{printable(short)}"'
