"""Finds options by key, such as ``settle.stable_for`` or ``profiles[0].name``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard, get_args, get_origin

from pydantic import BaseModel

from ocrwatch.settings import Settings

Parts = Sequence[str | int]
"""The parts of a key; numbers are list indexes."""


def section_at(parts: Parts) -> type[BaseModel] | None:
    """Return the model of the section at ``parts``, None if no section is there.

    Without parts it is the model of all settings.
    """
    kind = _type_at(parts)
    return kind if _is_section(kind) else None


def entries_at(parts: Parts) -> type[BaseModel] | None:
    """Return the model of each section in the list at ``parts``, such as ``profiles``; None if there is no such list.

    A settings file has each of them as ``[[profiles]]``.
    """
    return section_at((*parts, 0))


def is_option(parts: Parts) -> bool:
    """Return whether ``parts`` name an option, or an entry of a table option."""
    return (_type_at(parts) is not None and section_at(parts) is None) or get_origin(_type_at(parts[:-1])) is dict


def option_keys() -> Iterator[str]:
    """Yield the keys of all options, sections in the order of the settings."""
    for name in Settings.model_fields:
        section = section_at([name])
        if section is None:
            yield name
        else:
            yield from (f"{name}.{option}" for option in section.model_fields)


def write_key(parts: Parts) -> str:
    """Write a key as in a settings file, such as ``profiles[0].name``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _type_at(parts: Parts) -> Any:
    kind: Any = Settings
    for part in parts:
        if isinstance(part, int):
            kind = get_args(kind)[0] if get_origin(kind) is tuple else None
        else:
            option = kind.model_fields.get(part) if _is_section(kind) else None
            kind = option.annotation if option else None
    return kind


def _is_section(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
