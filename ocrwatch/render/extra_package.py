"""A package that a format needs, and that only one of ocrwatch's extras installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from ocrwatch.errors import EnvironmentFault


@dataclass(frozen=True, slots=True)
class ExtraPackage:
    """The package of a format that is named like its extra."""

    format: str
    """Name of the format, and of the extra."""
    module: str
    """What is imported."""
    name: str
    """Name of the package, as pip has it."""

    def require(self) -> None:
        """Raise EnvironmentFault if the package is not installed.

        It is not imported: the daemon's own process needs only the endings of formats.
        """
        if find_spec(self.module) is None:
            raise EnvironmentFault(f"the format {self.format} needs the package {self.name}", self._remedy)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Raise EnvironmentFault if what is imported meanwhile cannot be loaded."""
        try:
            yield
        except ImportError as error:
            raise EnvironmentFault(f"the package {self.name} cannot be loaded ({error})", self._remedy) from error

    @property
    def _remedy(self) -> str:
        extra = self.format
        return (
            f"install ocrwatch with its extra {extra} (pip install 'ocrwatch[{extra}]'), or take {extra} out of "
            "output.formats"
        )
