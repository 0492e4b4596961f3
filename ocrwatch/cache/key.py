"""Computes the cache key: SHA-256 of the scan and of all that affects its text.

The key is the same on all machines with the same versions and language data: it has no path, time or number of a file.
Those only show, while the daemon runs, that a file has changed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, NamedTuple

import ocrwatch
from ocrwatch.cache.base import CacheCounts, TextCache
from ocrwatch.cache.codec import Malformed, engine_of
from ocrwatch.document import EngineInfo, PageSummary
from ocrwatch.errors import EnvironmentFault
from ocrwatch.events import CacheFailed, publish
from ocrwatch.plugins import find
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.engine_choice import AUTO, NONE, TESSERACT, has_second_reader, is_read_by_ppocr
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.tessdata import languages_loaded, tessdata_folder
from ocrwatch.render.base import RenderedPage

_IN_PROCESS, _PROGRAM = "tesserocr", "pytesseract"
_IMAGES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")
_FIELDS = ("babel", "rapidfuzz")
_CODES = ("zxing-cpp",)
_PPOCR = ("onnxruntime", "rapidocr")
_ENGINES, _PRESETS = "ocrwatch.engines", "ocrwatch.presets"
_VERSION_SECONDS = 10
_OF_THE_MACHINE: Final = "Found "
"""How lines of ``tesseract --version`` begin that name the processor, and libraries that do not read."""


class _Stamp(NamedTuple):
    """Facts of a file that change with it; all but the path are 0 if there is none."""

    path: Path
    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class _Identity:
    """What decides the text of scans of one recipe besides their bytes."""

    digest: bytes
    stamps: tuple[_Stamp, ...]
    """Stamps of the language data, which may be changed while workers have it loaded."""


class PageCache:
    """Pages by the SHA-256 of their scan and the recipe; without a cache it is always empty."""

    def __init__(self, cache: TextCache | None, recipes: Iterable[Recipe], *, executor: str = "") -> None:
        """``executor`` is what distinguishes an executor's texts from those of this machine's workers."""
        self._cache = cache
        self._executor = executor
        self._identities: dict[Recipe, _Identity] = {}
        self._outdated: set[Recipe] = set()
        """Recipes with language data that has changed since it was hashed."""
        self._digests: dict[_Stamp, bytes] = {}
        self._versions: dict[str, str] = {}
        self._complained = False
        self.learn(recipes)

    def __bool__(self) -> bool:
        """Whether there is a cache."""
        return self._cache is not None

    def learn(self, recipes: Iterable[Recipe]) -> None:
        """Add recipes; usable from any thread, and blocks while it reads programs and files."""
        if self._cache is None:
            return
        for recipe in recipes:
            if recipe in self._identities:
                continue
            try:
                identity = _identity(recipe, self._digest, self._executor)
            except (OSError, ValueError) as error:
                self._complain(f"what decides a text cannot be read ({error})", "let ocrwatch's user read it")
            else:
                self._identities = {**self._identities, recipe: identity}

    @property
    def counts(self) -> CacheCounts:
        """How much the cache was used since the start."""
        return CacheCounts() if self._cache is None else self._cache.counts

    def page(self, sha256: str, recipe: Recipe) -> bytes | None:
        """Return the packed page of these bytes, None if they must be read; waits like :meth:`pages`."""
        return self.pages([(sha256, recipe)])[0]

    def pages(self, scans: Sequence[tuple[str, Recipe]]) -> list[bytes | None]:
        """Return for each scan, by its SHA-256 and recipe, its packed page; None if it must be read.

        May wait for a disk, and once for a server.
        """
        if self._cache is None:
            return [None] * len(scans)
        current = {recipe: self._is_current(recipe) for recipe in {recipe for _, recipe in scans}}
        keys = [self._key(sha256, recipe) if current[recipe] else None for sha256, recipe in scans]
        found = self._cache.get_many([key for key in keys if key is not None])
        return [None if key is None else self._checked(found.get(key)) for key in keys]

    def recent(self, sha256: str, recipe: Recipe) -> bytes | None:
        """Return the packed page if it was read or requested recently; never waits, and reads no file."""
        key = self._key(sha256, recipe)
        return None if self._cache is None or key is None else self._if_current(self._cache.recent(key))

    def remember(self, sha256: str, recipe: Recipe, rendered: RenderedPage) -> Callable[[], None]:
        """Keep a packed page in memory, which never waits; return the function that keeps it on the disk, which may."""
        key = self._key(sha256, recipe)
        cache, page = self._cache, rendered.packed
        if cache is None or key is None or not page or not _is_expected(rendered.summary, recipe):
            return _nothing
        cache.put(key, page)

        def save() -> None:
            if self._is_current(recipe):
                cache.save(key, page)

        return save

    def loaded(self, engine: EngineInfo) -> None:
        """Record the engine that a worker has loaded: its version overrides its package's."""
        self._versions[engine.name] = engine.version

    def prune(self) -> None:
        """Drop what is too old."""
        if self._cache is not None:
            self._cache.prune()

    def close(self) -> None:
        """Close the cache."""
        if self._cache is not None:
            self._cache.close()

    def _key(self, sha256: str, recipe: Recipe) -> bytes | None:
        """Return the key, None if the recipe has none (any more); reads no file."""
        identity = self._identities.get(recipe)
        if identity is None or recipe in self._outdated:
            return None
        return hashlib.sha256(identity.digest + bytes.fromhex(sha256)).digest()

    def _checked(self, page: bytes | None) -> bytes | None:
        """Return the page if it can be used; a damaged one is logged."""
        if page is None:
            return None
        try:
            engine_of(page)
        except Malformed as error:
            # A good one takes its place when the scan was read. Only logged here: `recent` looks for it once more.
            publish(CacheFailed(reason=f"a cached page is damaged ({error})", remedy="nothing: its scan is read"))
        return self._if_current(page)

    def _if_current(self, page: bytes | None) -> bytes | None:
        """Return the page unless it is damaged, or of another version of its engine."""
        if page is None:
            return None
        try:
            name, version_then = engine_of(page)
        except Malformed:
            return None
        return page if self._versions.get(name, version_then) == version_then else None

    def _is_current(self, recipe: Recipe) -> bool:
        """Return whether the language data is unchanged.

        A change is permanent, so that ``recent`` need not check.
        """
        identity = self._identities.get(recipe)
        if identity is None or recipe in self._outdated:
            return False
        try:
            same = all(_stamp(stamp.path) == stamp for stamp in identity.stamps)
        except OSError:
            # A share may refuse for a moment.
            return False
        if not same:
            # It is unknown which worker reads with the old data and which with the new.
            self._outdated.add(recipe)
            self._complain("the language data has changed since the start", "restart ocrwatch to use the new data")
        return same

    def _digest(self, stamp: _Stamp) -> bytes:
        """Return the SHA-256 of a file, which is read only once."""
        if stamp not in self._digests:
            with stamp.path.open("rb") as file:
                self._digests[stamp] = hashlib.file_digest(file, "sha256").digest()
        return self._digests[stamp]

    def _complain(self, reason: str, remedy: str) -> None:
        if not self._complained:
            self._complained = True
            publish(CacheFailed(reason=reason, remedy=remedy))


def _identity(recipe: Recipe, digest: Callable[[_Stamp], bytes], executor: str) -> _Identity:
    """Collect everything for a recipe.

    Raises ``OSError`` or ``ValueError`` for files that cannot be read.
    """
    folder = _tessdata(recipe)
    # Stamped before they are listed and read: a change meanwhile is detected.
    of_folder = () if folder is None else (_stamp(folder),)
    data = () if folder is None else tuple(map(_stamp, _language_files(folder, recipe)))
    # Word lists and other files that variables name.
    named = {name: _stamp(Path(value)) for name, value in recipe.variables if Path(value).is_absolute()}
    contents = {name: digest(stamp).hex() for name, stamp in named.items() if stamp.path.is_file()}
    options = replace(
        recipe,
        tessdata=recipe.tessdata if folder is None and not recipe.is_remote else "",
        variables=tuple((name, f"sha256 {contents[name]}" if name in contents else v) for name, v in recipe.variables),
    )
    parts = (
        ocrwatch.__version__,
        executor,
        _code(),
        *([] if recipe.remote is None else [_code_of_services()]),
        *_packages(recipe),
        _program(recipe),
        options,
        [(stamp.path.name, digest(stamp).hex()) for stamp in data if stamp.path.is_file()],
    )
    stamps = (*of_folder, *data, *named.values())
    if recipe.is_remote and (recipe.tables or recipe.fields):
        # Cells and fields are read once more by an engine of this machine.
        here = _identity(replace(recipe, engine=AUTO, second=NONE, remote=None), digest, executor)
        parts, stamps = (*parts, here.digest), (*stamps, *here.stamps)
    all_of_them = hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).digest()
    return _Identity(all_of_them, stamps)


@functools.cache
def _code() -> str:
    """Return a hash of the code that reads, and that defines a page: developers change it without a new version."""
    return _hash_of("document.py", "jpeg_markers.py", "recognise/**/*.py")


@functools.cache
def _code_of_services() -> str:
    """Return a hash of the code that makes requests to remote services, and pages of their answers."""
    return _hash_of("executors/http_ocr/worker_steps.py", "executors/http_ocr/presets/*.py")


def _hash_of(*patterns: str) -> str:
    package = Path(ocrwatch.__file__).parent
    contents = hashlib.sha256()
    for path in (path for pattern in patterns for path in sorted(package.glob(pattern))):
        code = path.read_bytes()
        contents.update(f"{path.relative_to(package).as_posix()} {len(code)}\n".encode())
        contents.update(code)
    return contents.hexdigest()


def _packages(recipe: Recipe) -> Iterator[object]:
    ppocr = _PPOCR if is_read_by_ppocr(recipe) or has_second_reader(recipe) else ()
    tesseract = () if recipe.is_remote else (_IN_PROCESS, _PROGRAM)
    fields, codes = _FIELDS if recipe.fields else (), _CODES if recipe.codes else ()
    for name in (*_IMAGES, *tesseract, *ppocr, *fields, *codes):
        yield name, _version(name)
    if recipe.engine not in {AUTO, *TESSERACT}:
        yield from _entry_point(_ENGINES, recipe.engine)
    if recipe.remote is not None:
        yield from _entry_point(_PRESETS, recipe.remote.preset)


def _entry_point(group: str, name: str) -> Iterator[object]:
    """Yield what another package adds under this name, and the package's version."""
    found = find(group, {}, name)
    # Our own are not known as such if ocrwatch runs from its sources; their code is hashed.
    if found is not None and (found.dist is None or found.dist.name != ocrwatch.__name__):
        yield found.value, found.dist and found.dist.version


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _program(recipe: Recipe) -> str | None:
    """Return the version of the system's Tesseract, except for engines that do not use it."""
    program = shutil.which("tesseract")
    if program is None or recipe.is_remote or _expected(recipe) in {_IN_PROCESS, weights.NAME}:
        return None
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return "\n".join(line for line in said.splitlines() if not line.lstrip().startswith(_OF_THE_MACHINE))


def _expected(recipe: Recipe) -> str:
    if is_read_by_ppocr(recipe):
        return weights.NAME
    if recipe.engine != "auto":
        return recipe.engine
    return _PROGRAM if _version(_IN_PROCESS) is None else _IN_PROCESS


def _is_expected(page: PageSummary, recipe: Recipe) -> bool:
    """Return whether a page was read by the expected version of the recipe's engine, and of its second one.

    If the best engine is installed and cannot be loaded, another one is used.
    """
    if page.second is not None and page.second.failure:
        # Memory may have been short: later there may be more.
        return False
    return recipe.engine != "auto" or page.engine.name == _expected(recipe)


def _tessdata(recipe: Recipe) -> Path | None:
    """Return the folder with the language data; its time shows new files.

    None if there is none, or if a remote service reads.
    """
    if recipe.is_remote:
        return None
    try:
        return tessdata_folder(recipe)
    except EnvironmentFault:
        return None


def _language_files(folder: Path, recipe: Recipe) -> Iterator[Path]:
    """Yield the files of the recipe's languages, and of those that they load, in the folder."""
    for language in (*languages_loaded(folder, recipe.all_languages), "osd"):
        # A share may refuse at any moment; the worker that reads the data reports it.
        with contextlib.suppress(OSError):
            yield from sorted(folder.glob(f"{language}.*"))


def _stamp(path: Path) -> _Stamp:
    """Return a file's stamp, also if there is no file.

    Raises ``OSError`` if the disk refuses.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _Stamp(path, 0, 0, 0)
    return _Stamp(path, status.st_size, status.st_mtime_ns, status.st_ino)


def _nothing() -> None:
    """Keep nothing."""
