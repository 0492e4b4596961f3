"""Tries out what can be wrong with settings although they can be read."""

from __future__ import annotations

from dataclasses import dataclass

from ocrwatch.checks import startup
from ocrwatch.hooks.hooks import HookOptions
from ocrwatch.hooks.payload import hook_options
from ocrwatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found out about settings that are right."""

    groups: dict[str, int]
    """The numbers of all groups that sidecars may be given to."""
    hooks: HookOptions


def prove(settings: Settings) -> Proof:
    """Check that languages, formats, groups and hooks exist.

    Raises :class:`OcrwatchError` for the first that does not.

    What only a worker can tell, such as whether an engine exists, :func:`ocrwatch.executors.trial.try_start` finds out.
    """
    startup.check_languages(settings)
    startup.check_formats(settings)
    return Proof(startup.group_ids(settings), hook_options(settings))
