"""What of new settings a running daemon can take, and what has to wait for a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ocrwatch.settings import Settings
from ocrwatch.settings.keys import option_keys

_SECTIONS = frozenset({"settle", "batch", "workers", "ocr", "enhance", "output", "retry", "history", "hooks"})
_OPTIONS = frozenset({
    "watch.rescan", "watch.poll_interval", "log.level", "log.preview_chars", "status.heartbeat", "profiles",
})  # fmt: skip
"""Anything that is not listed takes a restart: an option nobody thought of must not seem to have been taken."""

_NOT_OF_SECTIONS = frozenset({"workers.executor"})
"""Options of these sections that take a restart."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between the settings in force and those that were read anew."""

    settings: Settings
    """What is to be in force: the new values of what can change, the old ones of the rest."""
    taken: tuple[str, ...]
    """Keys whose values are new."""
    kept: tuple[str, ...]
    """Keys that differ as well and take a restart."""


def can_change(key: str) -> bool:
    """Tell whether a running daemon can take a new value of the option ``key``, such as ``settle.stable_for``."""
    return key in _OPTIONS or (key.partition(".")[0] in _SECTIONS and key not in _NOT_OF_SECTIONS)


def changes(running: Settings, wanted: Settings) -> Changes:
    """Compare the settings in force with those that are wanted."""
    different = [key for key in option_keys() if _value(running, key) != _value(wanted, key)]
    taken = tuple(key for key in different if can_change(key))
    settings = running
    for key in taken:
        settings = _with_value(settings, key, _value(wanted, key))
    return Changes(settings, taken, tuple(key for key in different if not can_change(key)))


def _value(settings: Settings, key: str) -> Any:
    value: Any = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _with_value(settings: Settings, key: str, value: object) -> Settings:
    section, _, option = key.partition(".")
    if option:
        value = getattr(settings, section).model_copy(update={option: value})
    return settings.model_copy(update={section: value})
