"""Sidecar formats of another package, as somebody would bring them along; most of them are at fault."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from ocrwatch import plugins
from ocrwatch.document import Page
from ocrwatch.render import registry
from ocrwatch.render.base import Format, Original

ROOT = Path(__file__).parents[1]
PACKAGE = "other-formats"


class Marks:
    """A format that works: how many words there are."""

    name: ClassVar[str] = "marks"
    ending: ClassVar[str] = "marks.csv"

    def render(self, page: Page, original: Original) -> bytes:
        """Render one line."""
        return f"{original.path}: {len(page.words)} words\n".encode("utf-8", "backslashreplace")


class Twin(Marks):
    """Would write to the same files, on shares that ignore case."""

    name: ClassVar[str] = "twin"
    ending: ClassVar[str] = "Marks.CSV"


class Raises(Marks):
    """Fails on scans called bad, and works on others."""

    name: ClassVar[str] = "raises"
    ending: ClassVar[str] = "raises"

    def render(self, page: Page, original: Original) -> bytes:
        """Fail."""
        if "bad" in original.path:
            raise ValueError("no such glyph")
        return super().render(page, original)


class Exits(Raises):
    """Tries to end the process."""

    name: ClassVar[str] = "exits"
    ending: ClassVar[str] = "exits"

    def render(self, page: Page, original: Original) -> bytes:
        """Exit."""
        if "bad" in original.path:
            sys.exit(3)
        return super().render(page, original)


class ReturnsText(Raises):
    """Returns text, which has no bytes yet."""

    name: ClassVar[str] = "returns-text"
    ending: ClassVar[str] = "returns"

    def render(self, page: Page, original: Original) -> Any:
        """Return what nobody can write."""
        return page.text if "bad" in original.path else super().render(page, original)


class Crashes(Raises):
    """Ends the process as native code might."""

    name: ClassVar[str] = "crashes"
    ending: ClassVar[str] = "crashes"

    def render(self, page: Page, original: Original) -> bytes:
        """Leave."""
        if "bad" in original.path:
            os._exit(9)
        return super().render(page, original)


class Hangs(Raises):
    """Never comes back."""

    name: ClassVar[str] = "hangs"
    ending: ClassVar[str] = "hangs"

    def render(self, page: Page, original: Original) -> bytes:
        """Sleep for ever."""
        if "bad" in original.path:
            time.sleep(1000)
        return super().render(page, original)


class Starved(Marks):
    """Needs memory that is not there."""

    name: ClassVar[str] = "starved"
    ending: ClassVar[str] = "starved"

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Find none."""
        raise MemoryError


class OtherName(Marks):
    """Has not the name of its entry point."""

    ending: ClassVar[str] = "other-name"


class Escapes(Marks):
    """Would write elsewhere."""

    name: ClassVar[str] = "escapes"
    ending: ClassVar[str] = "../x"


class LikeScans(Marks):
    """Would write over originals, if the archive is the outbox."""

    name: ClassVar[str] = "like-scans"
    ending: ClassVar[str] = "JPG"


class LikeTexts(Marks):
    """Would be taken for the text of another scan."""

    name: ClassVar[str] = "like-texts"
    ending: ClassVar[str] = "words.txt"


class LikeAlto(Marks):
    """Would be taken for the ALTO of another scan."""

    name: ClassVar[str] = "like-alto"
    ending: ClassVar[str] = "XML"


class LikeTables(Marks):
    """Would be taken for the tables of another scan."""

    name: ClassVar[str] = "like-tables"
    ending: ClassVar[str] = "csv"


class Shows(Marks):
    """Is the original, as it came."""

    name: ClassVar[str] = "shows"
    ending: ClassVar[str] = "copy"
    shows_original: ClassVar[bool] = True

    def render(self, page: Page, original: Original) -> bytes:  # noqa: ARG002 - the protocol's
        """Return the scan's bytes, and whether they were to be straightened."""
        return original.content + str(original.straighten).encode()


FORMATS: dict[str, type[Format]] = {
    **{each.name: each for each in (Marks, Twin, Raises, Exits, ReturnsText, Crashes, Hangs, Starved)},
    **{each.name: each for each in (Escapes, LikeScans, LikeTexts, LikeTables, LikeAlto, Shows)},
    "other-name": OtherName,
}


def install(folder: Path, *names: str, **others: str) -> str:
    """Have formats found from ``folder``; return the PYTHONPATH with which a process finds them.

    ``others`` are entry points of another kind by their names, such as one whose module is not there.
    """
    metadata = folder / "other_formats-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    points = {name: f"{__name__}:{FORMATS[name].__name__}" for name in names} | others
    lines = [f"{name} = {value}\n" for name, value in points.items()]
    (metadata / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{''.join(lines)}")
    return f"{folder}{os.pathsep}{ROOT}"


@contextmanager
def installed(folder: Path, *names: str, **others: str) -> Iterator[None]:
    """Have this process find formats in a ``with`` block."""
    install(folder, *names, **others)
    sys.path.insert(0, str(folder))
    _forget()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _forget()


def _forget() -> None:
    """Have the registry look for formats anew when it needs some next."""
    importlib.invalidate_caches()
    registry.load.cache_clear()
    registry.choose.cache_clear()
    registry.needs_original.cache_clear()
    registry.endings.cache_clear()
    plugins.forget()
