"""The library that reads and draws bar codes and QR codes: zxing-cpp, of the extra codes.

Cheap to import: the parent process uses it at start and in ``doctor``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

from ocrwatch.errors import EnvironmentFault

PACKAGE: Final = "zxing-cpp"
"""Name of the package, as pip has it."""

_MODULE: Final = "zxingcpp"
_INSTALL: Final = "install the extra: pip install 'ocrwatch[codes]' (install.sh: --with-codes)"


def check_installed(what: str, alternative: str = "") -> None:
    """Raise EnvironmentFault if the library is not installed, without loading it.

    ``what`` needs it; ``alternative`` is what can be done instead.
    """
    if find_spec(_MODULE) is None:
        other = f", or {alternative}" if alternative else ""
        raise EnvironmentFault(
            f"{what} needs the Python package {PACKAGE}, which is not installed", f"{_INSTALL}{other}"
        )


@contextmanager
def loading() -> Iterator[None]:
    """Raise EnvironmentFault if the library, which is imported meanwhile, cannot be loaded."""
    try:
        yield
    except ImportError as error:
        raise EnvironmentFault(f"the Python package {PACKAGE} cannot be loaded ({error})", _INSTALL) from error
