"""What was read before is found again only where reading again would give the same."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

import ocrwatch
from ocrwatch.cache import key as key_module
from ocrwatch.cache.base import CacheCounts, LevelOptions
from ocrwatch.cache.codec import pack
from ocrwatch.cache.key import PageCache
from ocrwatch.cache.tiers import TieredCache, open_cache
from ocrwatch.document import EngineInfo, Page, Second
from ocrwatch.executors.rendering import render_page
from ocrwatch.recipe import Recipe, RemoteService
from ocrwatch.recognise.ppocr import weights
from ocrwatch.render.base import RenderedPage, RenderRequest
from tests.pages import zlib_bomb

BYTES, OTHER_BYTES = "aa" * 32, "bb" * 32
PAGE = Page(100, 100, None, 1, (), EngineInfo("tesserocr", "5.5.0", ("eng",)))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Make a recipe with language data of its own."""
    data = tmp_path / "tessdata"
    data.mkdir()
    (data / "eng.traineddata").write_bytes(b"how to read English")
    return Recipe(engine="tesserocr", tessdata=str(data))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TieredCache]:
    """Make a cache."""
    cache = open_cache(tmp_path, ("memory", "disk"), LevelOptions(1000, 10_000_000))
    yield cache
    cache.close()


def rendered(page: Page) -> RenderedPage:
    """Render a page as a worker does."""
    return render_page(page, RenderRequest(("txt",), b"a.jpg", 1, BYTES, packs=True))


def remembered(cache: TieredCache, recipe: Recipe, page: Page = PAGE) -> PageCache:
    """Remember a page."""
    known = PageCache(cache, [recipe])
    known.remember(BYTES, recipe, rendered(page))()
    return known


def test_the_same_bytes_by_the_same_recipe_are_known(cache: TieredCache, recipe: Recipe) -> None:
    """To this daemon and to the next."""
    known = remembered(cache, recipe)
    assert known.page(BYTES, recipe) == known.recent(BYTES, recipe) == pack(PAGE)
    assert known.page(OTHER_BYTES, recipe) is None
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(PAGE)


@pytest.mark.parametrize(
    "change",
    [
        {"languages": ("eng", "fra")},
        {"page_segmentation": 6},
        {"dpi": 200},
        {"whitelist": "0123"},
        {"variables": (("load_system_dawg", "0"),)},
        {"min_confidence": 0.0},
        {"region": (0.0, 0.0, 1.0, 0.5)},
        {"engine": "pytesseract"},
        {"second": "none"},
        {"second": "rapidocr"},
        {"tables": True},
    ],
)
def test_another_recipe_is_another_reading(cache: TieredCache, recipe: Recipe, change: dict[str, object]) -> None:
    """Whichever of its options differs."""
    remembered(cache, recipe)
    other = replace(recipe, **change)  # type: ignore[arg-type]
    assert PageCache(cache, [recipe, other]).page(BYTES, other) is None


def test_so_are_other_steps_of_enhancement(cache: TieredCache, recipe: Recipe) -> None:
    """Each of their switches is part of the recipe."""
    remembered(cache, recipe)
    other = replace(recipe, enhance=replace(recipe.enhance, skew=False))
    assert PageCache(cache, [other]).page(BYTES, other) is None


def test_other_versions_are_another_reading(
    cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ocrwatch, or of any package that has a part in reading."""
    remembered(cache, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(ocrwatch, "__version__", "99")
        assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    real = importlib.metadata.version
    for package in ("simplejpeg", "opencv-python-headless", "tesserocr"):
        with monkeypatch.context() as patch:
            patch.setattr(key_module, "version", lambda name, p=package: "99" if name == p else real(name))
            assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(PAGE)


def test_other_language_data_is_another_reading(cache: TieredCache, recipe: Recipe) -> None:
    """Of its languages, and words of the user's for them; other languages' do not matter."""
    remembered(cache, recipe)
    data = Path(recipe.tessdata)
    (data / "fra.traineddata").write_bytes(b"how to read French")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(PAGE)
    (data / "eng.user-words").write_bytes(b"ocrwatch\n")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None


def test_other_data_of_a_language_that_another_one_loads_is_another_reading(cache: TieredCache, recipe: Recipe) -> None:
    """Tesseract loads the languages that the configuration in a language's data names, and those that they name."""
    folder = Path(recipe.tessdata)
    (folder / "jpn.traineddata").write_bytes(traineddata("tessedit_load_sublangs jpn_vert+~eng\n"))
    (folder / "jpn_vert.traineddata").write_bytes(traineddata("chop_enable 0\ntessedit_load_sublangs ell\n"))
    wanted = replace(recipe, languages=("jpn",))
    known = remembered(cache, wanted)
    assert known.page(BYTES, wanted) == pack(PAGE)
    (folder / "ell.traineddata").write_bytes(traineddata("tessedit_load_sublangs jpn"))
    known = remembered(cache, wanted)
    (folder / "ell.traineddata").write_bytes(b"other data")
    assert PageCache(cache, [wanted]).page(BYTES, wanted) is None
    assert known.page(BYTES, wanted) is None


def traineddata(config: str) -> bytes:
    """Return data of a language: the number of components, where each begins, and the first of them."""
    header = struct.pack("<i3q", 3, 28, -1, 28 + len(config))
    return header + config.encode() + b"more of it"


def test_data_that_changes_under_a_running_daemon_ends_what_it_knows(cache: TieredCache, recipe: Recipe) -> None:
    """Whether a worker has loaded the old or the new cannot be told."""
    known = remembered(cache, recipe)
    os.utime(Path(recipe.tessdata) / "eng.traineddata", ns=(0, 0))
    assert known.page(BYTES, recipe) is None
    known.remember(OTHER_BYTES, recipe, rendered(PAGE))()
    assert PageCache(cache, [recipe]).page(OTHER_BYTES, recipe) is None


def test_the_same_contents_are_the_same_reading_wherever_they_are(
    cache: TieredCache, recipe: Recipe, tmp_path: Path
) -> None:
    """Another machine has its language data and lists of words at other paths, and copied them at other times."""
    words = tmp_path / "words"
    words.write_text("one\n")
    recipe = replace(recipe, variables=(("load_system_dawg", "0"), ("user_words_file", str(words))))
    remembered(cache, recipe)
    other = tmp_path / "other"
    shutil.copytree(recipe.tessdata, other / "share/tessdata")
    shutil.copy(words, other / "list")
    os.utime(other / "share/tessdata/eng.traineddata", ns=(0, 0))
    there = replace(
        recipe,
        tessdata=str(other / "share"),
        variables=(("load_system_dawg", "0"), ("user_words_file", str(other / "list"))),
    )
    assert PageCache(cache, [there]).page(BYTES, there) == pack(PAGE)
    (other / "share/tessdata/eng.traineddata").write_bytes(b"how to read English better")
    assert PageCache(cache, [there]).page(BYTES, there) is None


def test_what_the_processor_can_do_is_no_part_of_the_key(
    cache: TieredCache, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's version is, without what it says of the machine."""
    program = tmp_path / "tesseract"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def install(version: str, *found: str) -> None:
        lines = "".join(f"echo '{line}'\n" for line in (f"tesseract {version}", " leptonica-1.82.0", *found))
        program.write_text(f"#!/bin/sh\n{lines}")
        program.chmod(0o755)

    recipe = replace(recipe, engine="pytesseract")
    page = replace(PAGE, engine=EngineInfo("pytesseract", "5.3.0", ("eng",)))
    install("5.3.0", " Found AVX512BW", " Found OpenMP 201511")
    remembered(cache, recipe, page)
    install("5.3.0", " Found AVX2", " Found libcurl/7.88.1")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(page)
    install("5.4.0", " Found AVX2")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None


def test_other_code_is_another_reading(cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Developers change what reads without a new version; where the package lies does not matter."""
    remembered(cache, recipe)
    key_module._code.cache_clear()
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(PAGE)
    monkeypatch.setattr(key_module, "_code", lambda: "other")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None


def test_the_code_is_hashed_by_its_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the package is the same code until a byte of it differs."""
    installed, copy = Path(ocrwatch.__file__).parent, tmp_path / "ocrwatch"
    shutil.copytree(installed, copy)
    hashed = key_module._code.__wrapped__
    here = hashed()
    monkeypatch.setattr(ocrwatch, "__file__", str(copy / "__init__.py"))
    assert hashed() == here
    (copy / "render/txt.py").write_text("# does not read")
    assert hashed() == here
    with (copy / "recognise/enhance/__init__.py").open("a") as file:
        file.write("#")
    assert hashed() != here


CLOUD = RemoteService("cloud", "generic", "https://ocr.example.org/v1")
REMOTE = Recipe(engine="remote:cloud", remote=CLOUD, second="none")
REMOTE_PAGE = Page(100, 100, None, 1, (), EngineInfo("remote:cloud", "", ()))


def test_the_text_of_a_service_is_known_wherever_it_was_read(
    cache: TieredCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither language data nor Tesseract of this machine affects it; what makes the image and the page does."""
    remembered(cache, REMOTE, REMOTE_PAGE)
    there = replace(REMOTE, tessdata=str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    real = importlib.metadata.version
    with monkeypatch.context() as patch:
        patch.setattr(key_module, "version", lambda name: "99" if "tesser" in name else real(name))
        assert PageCache(cache, [there]).page(BYTES, there) == pack(REMOTE_PAGE)
    with monkeypatch.context() as patch:
        patch.setattr(key_module, "version", lambda name: "99" if name == "simplejpeg" else real(name))
        assert PageCache(cache, [REMOTE]).page(BYTES, REMOTE) is None


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://ocr.example.org/v2"},
        {"preset": "openai"},
        {"options": (("model", "x"),)},
        {"prepare": "clean"},
        {"max_bytes": 10**6},
    ],
)
def test_other_options_of_a_service_are_another_reading(cache: TieredCache, change: dict[str, object]) -> None:
    """Each of them may change its text."""
    remembered(cache, REMOTE, REMOTE_PAGE)
    other = replace(REMOTE, remote=replace(CLOUD, **change))  # type: ignore[arg-type]
    assert PageCache(cache, [REMOTE, other]).page(BYTES, other) is None


def test_other_code_of_presets_is_another_reading_of_services(
    cache: TieredCache, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that this machine reads alone are not affected; those that a service rereads are."""
    reread = replace(recipe, second="remote:cloud", remote=CLOUD)
    for each, page in ((recipe, PAGE), (REMOTE, REMOTE_PAGE), (reread, PAGE)):
        remembered(cache, each, page)
    copy = tmp_path / "ocrwatch"
    shutil.copytree(Path(ocrwatch.__file__).parent, copy)
    (copy / "executors/http_ocr/presets/base.py").write_text("# another protocol")
    monkeypatch.setattr(ocrwatch, "__file__", str(copy / "__init__.py"))
    key_module._code_of_services.cache_clear()
    try:
        known = PageCache(cache, [recipe, REMOTE, reread])
    finally:
        key_module._code_of_services.cache_clear()
    assert known.page(BYTES, recipe) == pack(PAGE)
    assert known.page(BYTES, REMOTE) is None
    assert known.page(BYTES, reread) is None


def test_recent_and_remember_look_at_no_file(
    cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are called on the event loop, which no disk may hold."""
    known = remembered(cache, recipe)

    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise AssertionError("waits for a disk")

    for function in ("stat", "open", "scandir", "listdir"):
        monkeypatch.setattr(os, function, refuse)
    assert known.recent(BYTES, recipe) == pack(PAGE)
    known.remember(OTHER_BYTES, recipe, rendered(PAGE))
    assert known.recent(OTHER_BYTES, recipe) == pack(PAGE)


def test_what_was_found_to_have_changed_is_not_recent_either(cache: TieredCache, recipe: Recipe) -> None:
    """A look at the files by any other thread counts, and one line says so."""
    known = remembered(cache, recipe)
    save = known.remember(OTHER_BYTES, recipe, rendered(PAGE))
    assert known.recent(OTHER_BYTES, recipe) == pack(PAGE)
    os.utime(Path(recipe.tessdata) / "eng.traineddata", ns=(0, 0))
    with structlog.testing.capture_logs() as logs:
        save()
        assert known.recent(BYTES, recipe) is None
        assert known.page(BYTES, recipe) is None
    assert [event["event"] for event in logs] == ["cache.failed"]
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(PAGE)


def test_language_data_is_hashed_once(cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes that share their files do not hash them again."""
    hashed: list[Path] = []
    real = hashlib.file_digest

    def counted(file: Any, name: str) -> Any:
        hashed.append(Path(file.name))
        return real(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    recipes = [replace(recipe, page_segmentation=mode) for mode in (3, 4, 6)]
    PageCache(cache, recipes).learn([replace(recipe, dpi=200)])
    assert hashed.count(Path(recipe.tessdata) / "eng.traineddata") == 1


def test_data_that_cannot_be_read_is_no_error(cache: TieredCache, recipe: Recipe) -> None:
    """Without its contents there is no key: nothing is known, one line says so, and scans are read."""
    data = Path(recipe.tessdata) / "eng.traineddata"
    data.unlink()
    data.symlink_to(data)
    (data.parent / "osd.traineddata").write_bytes(b"which way up")
    with structlog.testing.capture_logs() as logs:
        known = remembered(cache, recipe)
    assert known.page(BYTES, recipe) is None
    assert [event["event"] for event in logs] == ["cache.failed"]


def test_files_that_variables_name_are_part_of_it(cache: TieredCache, recipe: Recipe, tmp_path: Path) -> None:
    """A list of words, say."""
    words = tmp_path / "words"
    words.write_text("one\n")
    recipe = replace(recipe, variables=(("user_words_file", str(words)),))
    remembered(cache, recipe)
    words.write_text("one\ntwo\n")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None


def test_a_version_that_a_worker_has_loaded_counts_more_than_a_packages(cache: TieredCache, recipe: Recipe) -> None:
    """A package may have been built with another Tesseract than before."""
    known = remembered(cache, recipe)
    known.loaded(PAGE.engine)
    assert known.page(BYTES, recipe) == pack(PAGE)
    known.loaded(EngineInfo("tesserocr", "5.6.0", ()))
    assert known.page(BYTES, recipe) is None


def test_what_a_stand_in_has_read_is_not_remembered(cache: TieredCache, recipe: Recipe) -> None:
    """Where the best engine cannot be loaded, another reads; when it can be again, its own text is wanted."""
    recipe = replace(recipe, engine="auto")
    stand_in = replace(PAGE, engine=EngineInfo("pytesseract", "5.3.0", ("eng",)))
    assert remembered(cache, recipe, stand_in).page(BYTES, recipe) is None
    assert remembered(cache, recipe).page(BYTES, recipe) == pack(PAGE)


def test_a_page_that_was_read_again_is_remembered(cache: TieredCache, recipe: Recipe) -> None:
    """A page comes back with the second reader and the number of its lines, to the next daemon, too."""
    again = replace(PAGE, second=Second("rapidocr", "3.10.0", 7))
    assert remembered(cache, recipe, again).page(BYTES, recipe) == pack(again)
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(again)


def test_a_page_that_could_not_be_read_again_is_not_remembered(cache: TieredCache, recipe: Recipe) -> None:
    """A page on which the second reader has failed is read anew the next time: there may be more memory then."""
    failed = replace(PAGE, second=Second("rapidocr", "3.10.0", 0, "it needs more memory than a worker may use"))
    for engine in ("tesserocr", "auto"):
        wanted = replace(recipe, engine=engine)
        known = remembered(cache, wanted, failed)
        assert known.page(BYTES, wanted) is None
        assert known.recent(BYTES, wanted) is None
        assert PageCache(cache, [wanted]).page(BYTES, wanted) is None


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_other_networks_are_another_reading_if_they_have_a_part_in_it(
    package: str, cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The versions of the second reader's packages count for recipes that have one, and for no other."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    alone, real = replace(recipe, second="none"), importlib.metadata.version
    remembered(cache, recipe)
    remembered(cache, alone)
    monkeypatch.setattr(key_module, "version", lambda name: "99" if name == package else real(name))
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    assert PageCache(cache, [alone]).page(BYTES, alone) == pack(PAGE)


def test_the_library_for_codes_has_a_part_if_they_are_looked_for(
    cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version counts for recipes with codes, and for no other; with codes it is another reading."""
    with_codes, real = replace(recipe, codes=True), importlib.metadata.version
    remembered(cache, recipe)
    assert PageCache(cache, [with_codes]).page(BYTES, with_codes) is None
    remembered(cache, with_codes)
    monkeypatch.setattr(key_module, "version", lambda name: "99" if name == "zxing-cpp" else real(name))
    assert PageCache(cache, [with_codes]).page(BYTES, with_codes) is None
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is not None


def test_a_second_reader_that_is_installed_later_is_another_reading(
    cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was read without a second reader is read anew when there is one, and the other way round."""
    monkeypatch.setattr(weights, "is_installed", lambda: False)
    remembered(cache, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(weights, "is_installed", lambda: True)
        assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == pack(PAGE)


def test_chinese_that_tesseract_stood_in_for_is_not_remembered(
    cache: TieredCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that PP-OCR was to read first is remembered only if it did."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    wanted = replace(recipe, engine="auto", languages=("chi_sim",))
    own = replace(PAGE, engine=EngineInfo("rapidocr", "3.10.0", ("chi_sim",)))
    assert remembered(cache, wanted).page(BYTES, wanted) is None
    assert remembered(cache, wanted, own).page(BYTES, wanted) == pack(own)


def test_without_a_cache_nothing_is_known(recipe: Recipe) -> None:
    """And nothing goes wrong."""
    known = PageCache(None, [recipe])
    known.remember(BYTES, recipe, rendered(PAGE))()
    assert known.page(BYTES, recipe) is None
    assert not known
    known.prune()
    known.close()


class Fixed:
    """A cache in which all keys have the same bytes."""

    def __init__(self, page: bytes) -> None:
        self.bytes = page

    counts = CacheCounts()

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return them."""
        return dict.fromkeys(keys, self.bytes)

    def recent(self, _key: bytes) -> bytes | None:
        """Return them."""
        return self.bytes

    def put(self, _key: bytes, page: bytes) -> None:
        """Take others."""
        self.bytes = page

    save = put

    def prune(self) -> None:
        """Drop nothing."""

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("poison", [b"", b"rubbish", pack(PAGE)[:8], b"\0\0" + pack(PAGE)[2:], zlib_bomb()])
def test_what_does_not_name_its_engine_costs_one_line(recipe: Recipe, poison: bytes) -> None:
    """It is not known, and when its scan was read, a good page takes its place."""
    known = PageCache(Fixed(poison), [recipe])
    with structlog.testing.capture_logs() as logs:
        assert known.page(BYTES, recipe) is None
        assert known.recent(BYTES, recipe) is None
    assert [event["event"] for event in logs] == ["cache.failed"]
    assert "a cached page is damaged" in logs[0]["reason"]
    known.remember(BYTES, recipe, rendered(PAGE))()
    assert known.page(BYTES, recipe) == known.recent(BYTES, recipe) == pack(PAGE)


def test_what_was_not_packed_is_not_remembered(cache: TieredCache, recipe: Recipe) -> None:
    """A page that is too large for the cache comes without its packed form."""
    known = PageCache(cache, [recipe])
    known.remember(BYTES, recipe, replace(rendered(PAGE), packed=b""))()
    assert known.recent(BYTES, recipe) is None
    assert known.page(BYTES, recipe) is None


def test_another_executor_has_texts_of_its_own(cache: TieredCache, recipe: Recipe) -> None:
    """A service elsewhere reads with its own engine, whatever its name."""
    remembered(cache, recipe)
    assert PageCache(cache, [recipe], executor="elsewhere 1.0").page(BYTES, recipe) is None
