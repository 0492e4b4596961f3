"""Decides which new settings a reload applies, and which need a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ocrwatch.settings import Settings
from ocrwatch.settings.key_lookup import option_keys
from ocrwatch.settings.remote import missing_services

_SECTIONS = frozenset(
    {"settle", "batch", "workers", "ocr", "enhance", "output", "pdf", "tables", "codes", "retry", "history", "hooks"}
)
_OPTIONS = frozenset({
    "watch.rescan", "watch.poll_interval", "log.level", "log.preview_chars", "status.heartbeat", "profiles",
})  # fmt: skip
"""Any option that is not listed needs a restart: a reload must not report an option as applied that it ignores."""

_ENGINES = frozenset({"ocr.engine", "ocr.second", "profiles"})
"""Options that may name services (``remote``), which only a start opens."""

_NOT_OF_SECTIONS = frozenset({"workers.executor"})
"""Options of these sections that need a restart."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between the effective settings and those that were loaded again."""

    settings: Settings
    """The new effective settings: new values of options that can change, old values of all others."""
    taken: tuple[str, ...]
    """Keys with a new value."""
    kept: tuple[str, ...]
    """Keys that differ and need a restart."""


def can_change(key: str) -> bool:
    """Return whether a reload can change the option ``key``."""
    return key in _OPTIONS or (key.partition(".")[0] in _SECTIONS and key not in _NOT_OF_SECTIONS)


def changes(running: Settings, wanted: Settings) -> Changes:
    """Compare the effective settings with the wanted ones."""
    different = [key for key in option_keys() if _value(running, key) != _value(wanted, key)]
    taken = tuple(key for key in different if can_change(key))
    if _needs_new_services(running, wanted):
        taken = tuple(key for key in taken if key not in _ENGINES)
    settings = running
    for key in taken:
        settings = _with_value(settings, key, _value(wanted, key))
    return Changes(settings, taken, tuple(key for key in different if key not in taken))


def _needs_new_services(running: Settings, wanted: Settings) -> bool:
    """Return whether an engine is a service that does not exist yet. One that was changed is used as it was."""
    names = [service.name for service in running.remote]
    return any(True for ocr in wanted.all_ocr for _ in missing_services(names, ocr))


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
