"""Checks the values of valid settings against the machine."""

from __future__ import annotations

from dataclasses import dataclass

from ocrwatch.checks import startup
from ocrwatch.executors.base import find_executor
from ocrwatch.hooks.targets import HookOptions, hook_options
from ocrwatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Proof:
    """Results of the checks of valid settings."""

    groups: dict[str, int]
    """The numbers of all groups that sidecars may be given to."""
    hooks: HookOptions


def prove(settings: Settings) -> Proof:
    """Check that languages, formats, groups and hooks exist, and all parts of other packages (:func:`check_parts`).

    Raises :class:`OcrwatchError` for the first that does not.

    :func:`ocrwatch.executors.trial_start.try_start` checks what only a worker knows, such as whether an engine exists.
    """
    startup.check_languages(settings)
    startup.check_formats(settings)
    startup.check_codes(settings)
    check_parts(settings)
    return Proof(startup.group_ids(settings), hook_options(settings))


def check_parts(settings: Settings) -> None:
    """Check that the cache's levels, the listeners, the executor and the presets of remote services are installed.

    A reload does not change them, but is refused if the next start would be. Raises :class:`UsageError`, or
    :class:`EnvironmentFault` for a key that cannot be read.
    """
    startup.check_cache(settings)
    startup.check_listeners(settings)
    startup.check_remote(settings)
    find_executor(settings.workers.executor)
