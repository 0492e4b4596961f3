"""What all sections of the settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """Options that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def wrong_option(at: tuple[str | int, ...], value: str, remedy: str) -> PydanticCustomError:
    """Return the error of a check of several sections; ``at`` is the option to blame."""
    return PydanticCustomError("wrong_option", "wrong option", {"at": at, "value": value, "error": remedy})
