"""Base class of events: name, level, typed fields and a docstring."""

from __future__ import annotations

import functools
from typing import ClassVar, Final, Literal

import msgspec

Level = Literal["debug", "info", "warning", "error", "critical"]

EXCEPTION: Final = "exception"
"""The field that the log shows as a traceback."""

_NOTHING: Final = (None, "", ())
"""Values that say nothing."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened: a line of the log, and a message to listeners.

    A field with the default None is left out of the log if it is None or empty; a field without a default is always
    there.
    """

    name: ClassVar[str]
    """Its name in the log, such as ``scan.delivered``."""
    level: ClassVar[Level]
    """The level at which it is logged; :attr:`log_level` is that of one event."""
    unlogged: ClassVar[frozenset[str]] = frozenset()
    """Fields for listeners only."""

    @property
    def log_level(self) -> Level:
        """The level at which this event is logged."""
        return self.level

    def fields(self) -> dict[str, object]:
        """Return the fields that are logged, in their order, without the exception."""
        found = ((each, getattr(self, each), optional) for each, optional in _logged(type(self)))
        return {each: value for each, value, optional in found if not (optional and value in _NOTHING)}


def field_names(kind: type[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the fields that an event of this kind always has in the log, and those that it may have."""
    has_exception = (EXCEPTION,) if EXCEPTION in kind.__struct_fields__ else ()
    always = tuple(each for each, optional in _logged(kind) if not optional)
    return always, tuple(each for each, optional in _logged(kind) if optional) + has_exception


@functools.cache
def _logged(kind: type[Event]) -> tuple[tuple[str, bool], ...]:
    """Return the names of an event's logged fields, each with whether it is left out if it has no value."""
    return tuple(
        (field.name, field.default is None)
        for field in msgspec.structs.fields(kind)
        if field.name != EXCEPTION and field.name not in kind.unlogged
    )
