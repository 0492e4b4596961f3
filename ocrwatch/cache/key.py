"""What was read before, found again by the scan's bytes and everything else that decides what its text will be."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

import ocrwatch
from ocrwatch.cache.sqlite import TextCache
from ocrwatch.document import EngineInfo, Page
from ocrwatch.errors import EnvironmentFault
from ocrwatch.log import get_logger
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.readers import has_second_reader, is_read_by_ppocr
from ocrwatch.recognise.tessdata import tessdata_folder

_IN_PROCESS, _PROGRAM = "tesserocr", "pytesseract"
_IMAGES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg", _IN_PROCESS, _PROGRAM)
_PPOCR = ("onnxruntime", "rapidocr")
_ENGINES = "ocrwatch.engines"
_VERSION_SECONDS = 10

_log = get_logger()

_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Identity:
    """What besides the bytes decides the text of scans that are read by one recipe."""

    digest: bytes
    files: tuple[Path, ...]
    """The language data, which may be changed while workers have it loaded."""
    stamp: _Stamp


class PageCache:
    """Pages by the SHA-256 of their scan and the recipe; without a cache nothing is known, and nothing remembered."""

    def __init__(self, cache: TextCache | None, recipes: Iterable[Recipe]) -> None:
        self._cache = cache
        self._identities: dict[Recipe, _Identity] = {}
        self.learn(recipes)
        self._versions: dict[str, str] = {}
        self._complained = False

    def __bool__(self) -> bool:
        """Whether anything can be known at all."""
        return self._cache is not None

    def learn(self, recipes: Iterable[Recipe]) -> None:
        """Take note of more recipes; usable from any thread, and blocks while it looks at programs and files."""
        if self._cache is not None:
            new = {recipe: _identity(recipe) for recipe in recipes if recipe not in self._identities}
            self._identities = {**self._identities, **new}

    def page(self, sha256: str, recipe: Recipe) -> Page | None:
        """Return the page that these bytes gave before, None where it would have to be read."""
        return self._look_up(sha256, recipe, TextCache.get)

    def recent(self, sha256: str, recipe: Recipe) -> Page | None:
        """Return the page if it was read or asked for not long ago; waits for no disk."""
        return self._look_up(sha256, recipe, TextCache.recent)

    def _look_up(self, sha256: str, recipe: Recipe, ask: Callable[[TextCache, bytes], Page | None]) -> Page | None:
        key = self._key(sha256, recipe)
        page = ask(self._cache, key) if self._cache is not None and key is not None else None
        if page is None or self._versions.get(page.engine.name, page.engine.version) != page.engine.version:
            return None
        return page

    def remember(self, sha256: str, recipe: Recipe, page: Page) -> Callable[[], None]:
        """Keep a page that was read in mind; return what keeps it on the disk."""
        key = self._key(sha256, recipe)
        cache = self._cache
        if cache is None or key is None or not _is_expected(page, recipe):
            return lambda: None
        cache.put(key, page)
        return lambda: cache.save(key, page)

    def loaded(self, engine: EngineInfo) -> None:
        """Take note of the engine that a worker has loaded: nobody knows its version better."""
        self._versions[engine.name] = engine.version

    def prune(self) -> None:
        """Drop what is too old."""
        if self._cache is not None:
            self._cache.prune()

    def close(self) -> None:
        """Let go of the cache."""
        if self._cache is not None:
            self._cache.close()

    def _key(self, sha256: str, recipe: Recipe) -> bytes | None:
        identity = self._identities.get(recipe)
        if identity is None:
            return None
        if _stamp(identity.files) != identity.stamp:
            # Which worker reads with the old and which with the new data cannot be told.
            self._complain("the language data has changed since the start", "restart ocrwatch to use the new data")
            return None
        return hashlib.sha256(identity.digest + bytes.fromhex(sha256)).digest()

    def _complain(self, reason: str, remedy: str) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("cache.failed", reason=reason, remedy=remedy)


def _identity(recipe: Recipe) -> _Identity:
    files = tuple(_data_files(recipe))
    data = _stamp(path for path in files if not os.path.isdir(path))  # noqa: PTH112 - no error
    parts = (ocrwatch.__version__, *_code(), *_packages(recipe), _program(recipe), asdict(recipe), data)
    digest = hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).digest()
    return _Identity(digest, files, _stamp(files))


def _code() -> Iterator[object]:
    """Yield what tells this ocrwatch's way of reading from another's of the same version: developers change it."""
    package = Path(ocrwatch.__file__).parent
    for path in (package / "markers.py", *sorted(package.joinpath("recognise").rglob("*.py"))):
        status = path.stat()
        yield path.name, status.st_size, status.st_mtime_ns


def _packages(recipe: Recipe) -> Iterator[object]:
    ppocr = _PPOCR if is_read_by_ppocr(recipe) or has_second_reader(recipe) else ()
    for name in (*_IMAGES, *ppocr):
        yield name, _version(name)
    for found in sorted(entry_points(group=_ENGINES), key=lambda entry: entry.name):
        yield found.name, found.value, found.dist and found.dist.version


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _program(recipe: Recipe) -> str | None:
    """Return the version of the system's Tesseract, for all engines but those that do not use it."""
    program = shutil.which("tesseract")
    if program is None or _expected(recipe) in {_IN_PROCESS, weights.NAME}:
        return None
    try:
        return subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None


def _expected(recipe: Recipe) -> str:
    if is_read_by_ppocr(recipe):
        return weights.NAME
    if recipe.engine != "auto":
        return recipe.engine
    return _PROGRAM if _version(_IN_PROCESS) is None else _IN_PROCESS


def _is_expected(page: Page, recipe: Recipe) -> bool:
    """Tell whether a page was read by the engine whose version was taken for the recipe's, and by the second one.

    Where the best engine is installed and cannot be loaded, another one steps in.
    """
    if page.second is not None and page.second.failure:
        # Memory may have been short: another time there may be more.
        return False
    return recipe.engine != "auto" or page.engine.name == _expected(recipe)


def _data_files(recipe: Recipe) -> Iterator[Path]:
    """Yield the folder with the language data, whose time tells of new files, and what is in it of the languages."""
    try:
        data = tessdata_folder(recipe)
    except EnvironmentFault:
        return
    yield data
    for language in (*recipe.languages, "osd"):
        # A share may refuse from one moment to the next; whoever reads with the data says so.
        with contextlib.suppress(OSError):
            yield from sorted(data.glob(f"{language}.*"))
    # Lists of words and the like, which variables name.
    yield from (path for _, value in recipe.variables if (path := Path(value)).is_absolute())


def _stamp(files: Iterable[Path]) -> _Stamp:
    return tuple(_stamp_of(path) for path in files)


def _stamp_of(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns
