"""What was read before is found again only where reading again would give the same."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import ocrwatch
from ocrwatch.cache import key as known_module
from ocrwatch.cache.key import PageCache
from ocrwatch.cache.sqlite import TextCache
from ocrwatch.document import EngineInfo, Page, Second
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.ppocr import weights

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
def cache(tmp_path: Path) -> Iterator[TextCache]:
    """Make a cache."""
    cache = TextCache(tmp_path, max_age=1000, max_bytes=10_000_000)
    yield cache
    cache.close()


def remembered(cache: TextCache, recipe: Recipe, page: Page = PAGE) -> PageCache:
    """Remember a page."""
    known = PageCache(cache, [recipe])
    known.remember(BYTES, recipe, page)()
    return known


def test_the_same_bytes_by_the_same_recipe_are_known(cache: TextCache, recipe: Recipe) -> None:
    """To this daemon and to the next."""
    known = remembered(cache, recipe)
    assert known.page(BYTES, recipe) == known.recent(BYTES, recipe) == PAGE
    assert known.page(OTHER_BYTES, recipe) is None
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == PAGE


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
    ],
)
def test_another_recipe_is_another_reading(cache: TextCache, recipe: Recipe, change: dict[str, object]) -> None:
    """Whichever of its options differs."""
    remembered(cache, recipe)
    other = replace(recipe, **change)  # type: ignore[arg-type]
    assert PageCache(cache, [recipe, other]).page(BYTES, other) is None


def test_so_are_other_steps_of_enhancement(cache: TextCache, recipe: Recipe) -> None:
    """Each of their switches is part of the recipe."""
    remembered(cache, recipe)
    other = replace(recipe, enhance=replace(recipe.enhance, skew=False))
    assert PageCache(cache, [other]).page(BYTES, other) is None


def test_other_versions_are_another_reading(cache: TextCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ocrwatch, or of any package that has a part in reading."""
    remembered(cache, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(ocrwatch, "__version__", "99")
        assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    real = importlib.metadata.version
    for package in ("simplejpeg", "opencv-python-headless", "tesserocr"):
        with monkeypatch.context() as patch:
            patch.setattr(known_module, "version", lambda name, p=package: "99" if name == p else real(name))
            assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == PAGE


def test_other_language_data_is_another_reading(cache: TextCache, recipe: Recipe) -> None:
    """Of its languages, and words of the user's for them; other languages' do not matter."""
    remembered(cache, recipe)
    data = Path(recipe.tessdata)
    (data / "fra.traineddata").write_bytes(b"how to read French")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == PAGE
    (data / "eng.user-words").write_bytes(b"ocrwatch\n")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None


def test_data_that_changes_under_a_running_daemon_ends_what_it_knows(cache: TextCache, recipe: Recipe) -> None:
    """Whether a worker has loaded the old or the new cannot be told."""
    known = remembered(cache, recipe)
    os.utime(Path(recipe.tessdata) / "eng.traineddata", ns=(0, 0))
    assert known.page(BYTES, recipe) is None
    known.remember(OTHER_BYTES, recipe, PAGE)()
    assert PageCache(cache, [recipe]).page(OTHER_BYTES, recipe) is None


def test_files_that_variables_name_are_part_of_it(cache: TextCache, recipe: Recipe, tmp_path: Path) -> None:
    """A list of words, say."""
    words = tmp_path / "words"
    words.write_text("one\n")
    recipe = replace(recipe, variables=(("user_words_file", str(words)),))
    remembered(cache, recipe)
    words.write_text("one\ntwo\n")
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None


def test_a_version_that_a_worker_has_loaded_counts_more_than_a_packages(cache: TextCache, recipe: Recipe) -> None:
    """A package may have been built with another Tesseract than before."""
    known = remembered(cache, recipe)
    known.loaded(PAGE.engine)
    assert known.page(BYTES, recipe) == PAGE
    known.loaded(EngineInfo("tesserocr", "5.6.0", ()))
    assert known.page(BYTES, recipe) is None


def test_what_a_stand_in_has_read_is_not_remembered(cache: TextCache, recipe: Recipe) -> None:
    """Where the best engine cannot be loaded, another reads; when it can be again, its own text is wanted."""
    recipe = replace(recipe, engine="auto")
    stand_in = replace(PAGE, engine=EngineInfo("pytesseract", "5.3.0", ("eng",)))
    assert remembered(cache, recipe, stand_in).page(BYTES, recipe) is None
    assert remembered(cache, recipe).page(BYTES, recipe) == PAGE


def test_a_page_that_was_read_again_is_remembered(cache: TextCache, recipe: Recipe) -> None:
    """A page comes back with the second reader and the number of its lines, to the next daemon, too."""
    again = replace(PAGE, second=Second("rapidocr", "3.10.0", 7))
    assert remembered(cache, recipe, again).page(BYTES, recipe) == again
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == again


def test_a_page_that_could_not_be_read_again_is_not_remembered(cache: TextCache, recipe: Recipe) -> None:
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
    package: str, cache: TextCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The versions of the second reader's packages count for recipes that have one, and for no other."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    alone, real = replace(recipe, second="none"), importlib.metadata.version
    remembered(cache, recipe)
    remembered(cache, alone)
    monkeypatch.setattr(known_module, "version", lambda name: "99" if name == package else real(name))
    assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    assert PageCache(cache, [alone]).page(BYTES, alone) == PAGE


def test_a_second_reader_that_is_installed_later_is_another_reading(
    cache: TextCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was read without a second reader is read anew when there is one, and the other way round."""
    monkeypatch.setattr(weights, "is_installed", lambda: False)
    remembered(cache, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(weights, "is_installed", lambda: True)
        assert PageCache(cache, [recipe]).page(BYTES, recipe) is None
    assert PageCache(cache, [recipe]).page(BYTES, recipe) == PAGE


def test_chinese_that_tesseract_stood_in_for_is_not_remembered(
    cache: TextCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that PP-OCR was to read first is remembered only if it did."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    wanted = replace(recipe, engine="auto", languages=("chi_sim",))
    own = replace(PAGE, engine=EngineInfo("rapidocr", "3.10.0", ("chi_sim",)))
    assert remembered(cache, wanted).page(BYTES, wanted) is None
    assert remembered(cache, wanted, own).page(BYTES, wanted) == own


def test_without_a_cache_nothing_is_known(recipe: Recipe) -> None:
    """And nothing goes wrong."""
    known = PageCache(None, [recipe])
    known.remember(BYTES, recipe, PAGE)()
    assert known.page(BYTES, recipe) is None
    assert not known
    known.prune()
    known.close()
