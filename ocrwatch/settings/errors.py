"""Describes what is wrong with a setting: source, key, value and remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from ocrwatch.errors import UsageError
from ocrwatch.settings import Settings
from ocrwatch.settings.key_lookup import Parts, entries_at, section_at, write_key

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LONGEST_VALUE = 60
_MAY_BE_SECRET = frozenset({"hooks", "remote"})
"""Sections whose values are not quoted: addresses and arguments of programs may hold a secret, or a key may be where
the name of its file belongs; and errors are in the status, which everybody may read."""
_OPTION_MAY_BE_SECRET = ("cache", "redis")
"""The same for one option: an address with a password in it is refused."""
_REMEDIES = {
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "dict_type": 'write a table, such as {{ name = "value" }}',
    "float_type": "write a number",
    "float_parsing": "write a number",
    "finite_number": "write a number",
    "greater_than": "choose a value above {gt}",
    "greater_than_equal": "choose a value of at least {ge}",
    "int_from_float": "write a whole number",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "less_than_equal": "choose a value of at most {le}",
    "literal_error": "write {expected}",
    "not_installed": "write {expected}, or install the package that has it and restart ocrwatch",
    "path_type": "write a path in quotes",
    "string_too_short": "write at least one character",
    "string_type": "write text in quotes",
    "string_unicode": "write text in UTF-8",
    "too_short": "name at least one",
    "tuple_type": 'write a list, such as ["first", "second"]',
    "value_error": "{error}",
    "wrong_option": "{error}",
}


_RENAMED = {
    "settle.quiet": "settle.stable_for",
    "settle.closed_quiet": "settle.stable_for_closed",
    "settle.patience": "settle.give_up_after",
    "enhance.on": "enhance.enabled",
    "cache.on": "cache.enabled",
    "workers.grace": "workers.shutdown_timeout",
    "workers.recycle_after": "workers.max_scans",
    "hooks.queue": "hooks.queue_size",
    "history.keep": "history.max_age",
}
"""Options of older versions, with their current names."""


def renamed(key: str) -> str:
    """Return the remedy for an option that was renamed, empty for others.

    ``key`` may be in a profile, such as ``profiles[0].enhance.on``.
    """
    within, _, own = key.rpartition("].")
    new = _RENAMED.get(own)
    return f"it is now called {within and f'{within}].'}{new}" if new else ""


def did_you_mean(name: str, known: Iterable[str], within: str = "") -> str:
    """Return a remedy with the known name closest to ``name``, empty if none is close.

    ``within`` is the name's prefix, such as ``ocr.``.
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {within}{close[0]}?" if close else ""


def unknown_option(parts: Parts, source: str) -> UsageError:
    """Return the error for a key that does not exist."""
    *sections, name = parts
    section = section_at(sections)
    known = list(section.model_fields) if section else []
    within = f"{write_key(tuple(sections))}." if sections else ""
    remedy = (
        renamed(write_key(parts))
        or did_you_mean(str(name), known, within)
        or _home_of(str(name), sections)
        or f"the options here are {', '.join(known)}"
    )
    return UsageError(f"{source}: there is no option {write_key(parts)}", remedy)


def wrong_value(error: ValidationError, provenance: Mapping[str, str]) -> UsageError:
    """Return the error for the first invalid setting; ``provenance`` is by key."""
    details = error.errors(include_url=False)[0]
    # A check of all settings together says which option is wrong.
    found = details.get("ctx", {})
    parts, value = (found["at"], found["value"]) if "at" in found else (details["loc"], details["input"])
    source = _source(parts, provenance)
    if details["type"] == "extra_forbidden":
        return unknown_option(parts, source)
    key = write_key(parts)
    if details["type"] == "missing":
        return UsageError(f"{source}: {key} is missing", "add it")
    if section_at(parts) and isinstance(value, (dict, BaseModel)):
        return UsageError(f"{source}: the options in {key} contradict each other", _remedy(details))
    is_secret = bool(_MAY_BE_SECRET.intersection(parts[:1])) or parts == _OPTION_MAY_BE_SECRET
    shown = key if is_secret else f"{key} = {_shown(value)}"
    return UsageError(f"{source}: {shown} is not valid", _remedy(details))


def _remedy(details: ErrorDetails) -> str:
    if details["type"] == "model_type":
        return f"write a section [{write_key(details['loc'])}] with its options"
    if details["type"] == "tuple_type" and entries_at(details["loc"]):
        return f"write a list of sections, each under its own [[{_heading(details['loc'])}]]"
    template = _REMEDIES.get(details["type"])
    remedy = template.format_map(details.get("ctx", {})) if template else details["msg"]
    if details["type"] in {"literal_error", "not_installed"}:
        known = [part.strip("'") for part in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        suggestion = did_you_mean(str(details["input"]), known)
        return f"{remedy}; {suggestion}" if suggestion else remedy
    return remedy


def _source(parts: Parts, provenance: Mapping[str, str]) -> str:
    """Return the source of the value at ``parts``, of its list, or of its entries."""
    names = [str(part) for part in parts]
    for length in range(len(names), 0, -1):
        key = ".".join(names[:length])
        within = [source for name, source in provenance.items() if name == key or name.startswith(f"{key}.")]
        if within:
            return next((source for source in reversed(within) if source != "default"), "default")
    return "default"


def _home_of(name: str, sections: Parts) -> str:
    """Return a remedy for an option that is in none of its sections but in ``sections``, empty for an unknown name."""
    here = section_at(sections)
    for key in here.model_fields if here else ():
        if (model := section_at([*sections, key])) and name in model.model_fields:
            return f"{name} belongs in section [{_heading([*sections, key])}]"
    for key in Settings.model_fields:
        if (model := section_at([key])) and name in model.model_fields:
            return f"{name} belongs in section [{key}]"
    for key in Settings.model_fields:
        if (model := entries_at([key])) and name in model.model_fields:
            return f"{name} belongs in a section [[{key}]]"
        for inner in model.model_fields if model else ():
            if (own := section_at([key, 0, inner])) and name in own.model_fields:
                return f"{name} belongs in section [{key}.{inner}]"
    return ""


def _heading(parts: Parts) -> str:
    """Write the key of a section as its heading has it, without the numbers of lists."""
    return ".".join(part for part in parts if isinstance(part, str))


def _shown(value: object) -> str:
    """Write ``value`` on one line, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        # Integers of thousands of digits, lists nested thousands of levels deep.
        return "..."
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
