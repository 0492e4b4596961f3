"""Which names in the inbox are scans."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = re.compile(r"(\d+)")


def natural_key(path: str) -> tuple[tuple[int, int, str], ...]:
    """Order names as a person counts: ``page2`` before ``page10``."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in _DIGITS.split(path) if part
    )


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(p) for p in patterns) or r"(?!)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NameRules:
    """The ``watch.include`` and ``watch.exclude`` patterns, compiled. Case does not matter."""

    include: re.Pattern[str]
    exclude: re.Pattern[str]

    @classmethod
    def of(cls, include: Iterable[str], exclude: Iterable[str]) -> NameRules:
        """Compile shell patterns (``*``, ``?``, ``[…]``) for single names."""
        return cls(_any_of(include), _any_of(exclude))

    def enters(self, folder_name: str) -> bool:
        """Tell whether a folder of this name is looked into."""
        return self.exclude.match(folder_name) is None

    def is_scan(self, name: str) -> bool:
        """Tell whether a file of this name is a scan."""
        return self.include.match(name) is not None and self.exclude.match(name) is None

    def takes(self, path: str) -> bool:
        """Tell whether a path relative to the inbox names a scan in a folder that is looked into."""
        *folders, name = path.split("/")
        return self.is_scan(name) and all(self.enters(folder) for folder in folders)
