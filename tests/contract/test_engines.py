"""What every engine promises, whichever reads the page."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from ocrwatch.document import Block, Page, Word
from ocrwatch.errors import EnvironmentFault, UsageError
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise import engines
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.page import recognise, warm
from ocrwatch.recognise.tessdata import installed_languages, tessdata_folder
from tests.rendering import draw, drawn_words, render

TEXT = "Invoice 2041 was paid\nby the harbour office\non Monday morning"
AS_IT_IS = EnhanceOptions(enabled=False)


def recipe_of(engine: str) -> Recipe:
    """Return a recipe for an engine alone, with the page as it is; the test is skipped if that is not installed."""
    recipe = Recipe(engine=engine, second="none", enhance=AS_IT_IS)
    try:
        warm(recipe)
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    return recipe


@pytest.fixture(params=["tesserocr", "pytesseract", "rapidocr"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    """Each engine in turn."""
    return recipe_of(request.param)


@pytest.fixture(params=["tesserocr", "pytesseract"])
def tesseract(request: pytest.FixtureRequest) -> Recipe:
    """Each of Tesseract's engines in turn: only these have variables and data for each language."""
    return recipe_of(request.param)


def pixels(text: str) -> Gray:
    """Draw the text as an engine gets it."""
    return np.asarray(draw(text))


def words(blocks: tuple[Block, ...]) -> list[Word]:
    """All words of some blocks."""
    return [word for block in blocks for line in block.lines for word in line.words]


def read(text: str, recipe: Recipe, dpi: int = 300) -> str:
    """Let the engine read a rendered text, and join its words."""
    return " ".join(word.text for word in words(engines.load(recipe).read(pixels(text), dpi, recipe)))


def test_reads_a_clean_page(recipe: Recipe) -> None:
    """A clean page is read without an error, line for line."""
    assert recognise(render(TEXT), recipe).text == TEXT + "\n"


def test_boxes_are_where_the_words_are(recipe: Recipe) -> None:
    """A word's box is within three pixels of its ink."""
    found = words(engines.load(recipe).read(pixels(TEXT), 300, recipe))
    assert [word.text for word in found] == TEXT.split()
    for word, (_, box) in zip(found, drawn_words(TEXT), strict=True):
        for side in ("left", "top", "right", "bottom"):
            assert abs(getattr(word.box, side) - getattr(box, side)) <= 3, (word, box)


def test_confidences_are_percentages_with_fractions(recipe: Recipe) -> None:
    """Confidences lie in 0 to 100 and are not cut down to whole numbers."""
    confidences = [word.confidence for word in words(engines.load(recipe).read(pixels(TEXT), 300, recipe))]
    assert all(confidence is not None and 0 <= confidence <= 100 for confidence in confidences)
    assert any(confidence % 1 for confidence in confidences if confidence is not None)


@pytest.mark.parametrize("text", ["", "   "])
def test_a_blank_page_has_no_words(recipe: Recipe, text: str) -> None:
    """A page without text is no failure: no blocks, empty text, and no confidence rather than a high one."""
    page = recognise(render(text, width=800, height=600), recipe)
    assert (page.blocks, page.text, page.confidence) == ((), "", None)


def test_whitelist_is_honoured_and_forgotten(recipe: Recipe) -> None:
    """A whitelist holds for its own recipe, and the next recipe reads all characters again."""
    digits = read("Invoice 2041", replace(recipe, whitelist="0123456789"))
    assert digits
    assert set(digits) <= set("0123456789 ")
    assert read("Invoice 2041", recipe) == "Invoice 2041"


def test_blacklist_is_honoured_and_forgotten(recipe: Recipe) -> None:
    """A blacklisted character is never read, until the next recipe allows it again."""
    assert "v" not in read("Invoice 2041", replace(recipe, blacklist="v"))
    assert read("Invoice 2041", recipe) == "Invoice 2041"


@pytest.mark.parametrize("characters", ["\"'0123456789", "$(echo) 0123456789", "\\0123456789"])
def test_settings_are_never_parsed_by_a_shell(recipe: Recipe, characters: str) -> None:
    """Quotes, blanks and backslashes in a whitelist are characters like others."""
    assert "2041" in read("Invoice 2041", replace(recipe, whitelist=characters))


def test_variables_are_set_and_forgotten(tesseract: Recipe) -> None:
    """A Tesseract variable holds for its own recipe and leaves nothing behind."""
    variables = (("tessedit_char_whitelist", "0123456789"),)
    assert set(read("Invoice 2041", replace(tesseract, variables=variables))) <= set("0123456789 ")
    assert read("Invoice 2041", tesseract) == "Invoice 2041"


def test_a_variable_that_counts_for_all_of_tesseract_is_put_back(tesseract: Recipe) -> None:
    """Variables that Tesseract keeps for the whole process do not reach the next scan either."""
    small = (("textord_min_linesize", "99"),)
    first = read(TEXT, tesseract)
    read(TEXT, replace(tesseract, variables=small))
    assert read(TEXT, tesseract) == first


def test_an_unknown_variable_is_a_usage_error(recipe: Recipe) -> None:
    """A variable that Tesseract does not have is named in the error, and the engine works on."""
    with pytest.raises(UsageError, match="no_such_variable"):
        warm(replace(recipe, variables=(("no_such_variable", "1"),)))
    assert read("Invoice 2041", recipe) == "Invoice 2041"


def test_page_segmentation_is_honoured(recipe: Recipe) -> None:
    """As a single line, a page of three lines is read as one at the most."""
    page = recognise(render(TEXT), replace(recipe, page_segmentation=7))
    assert len(page.lines) <= 1


@pytest.mark.parametrize("mode", [0, 2])
def test_modes_that_read_no_text_are_refused(recipe: Recipe, mode: int) -> None:
    """Segmentation modes that only analyse the page are a usage error, not an empty text."""
    with pytest.raises(UsageError, match="page_segmentation"):
        warm(replace(recipe, page_segmentation=mode))


@pytest.mark.parametrize("dpi", [0, 70, 300, 2400])
def test_any_resolution_will_do(recipe: Recipe, dpi: int) -> None:
    """An unknown, a low and a high resolution leave clean text readable."""
    assert read("Invoice 2041", recipe, dpi) == "Invoice 2041"


def test_two_languages_at_once(recipe: Recipe) -> None:
    """Languages can be combined, and the page says which were used."""
    others = [name for name in installed_languages(tessdata_folder(recipe)) if name not in ("eng", "osd")]
    if not others:
        pytest.skip("only English is installed")
    languages = ("eng", others[0])
    page = recognise(render(TEXT), replace(recipe, languages=languages))
    assert page.engine.languages == languages
    assert "harbour" in page.text


def test_a_missing_language_is_the_environments_fault(tesseract: Recipe) -> None:
    """A language that is not installed is named with what is there and what to do, and the engine works on."""
    with pytest.raises(EnvironmentFault, match=r"xyz.*installed:.*eng.*put xyz\.traineddata"):
        warm(replace(tesseract, languages=("eng", "xyz")))
    assert read("Invoice 2041", tesseract) == "Invoice 2041"


def test_the_engine_says_what_it_is(recipe: Recipe) -> None:
    """Name, Tesseract's version and the languages are on the page."""
    info = recognise(render("Invoice"), recipe).engine
    assert (info.name, info.languages) == (recipe.engine, ("eng",))
    assert info.version.split(".")[0].isdigit()


def test_the_same_page_gives_the_same_result(recipe: Recipe) -> None:
    """What was read before changes nothing: text, boxes and confidences depend on the page alone."""
    first = recognise(render(TEXT), recipe)
    recognise(render("Something else altogether"), recipe)
    again = recognise(render(TEXT), recipe)
    assert replace(again, timings=()) == replace(first, timings=())


def test_pixels_are_left_alone(recipe: Recipe) -> None:
    """An engine does not write into the pixels that it reads."""
    page = pixels(TEXT).copy()
    before = page.copy()
    engines.load(recipe).read(page, 300, recipe)
    assert np.array_equal(page, before)


def test_reading_starts_no_threads(recipe: Recipe) -> None:
    """Tesseract's own threads are switched off for child processes: they slow each other down."""
    if engines.load(recipe).spawns:
        assert os.environ["OMP_THREAD_LIMIT"] == "1"


def test_both_engines_agree_on_a_clean_page() -> None:
    """The text's form, line breaks and paragraphs alike, does not depend on the engine."""
    jpeg = render("First paragraph of the page\nthat has two lines\n\n\n\nSecond paragraph here\nwith two more lines")
    texts: dict[str, Page] = {}
    for name in ("tesserocr", "pytesseract"):
        try:
            texts[name] = recognise(jpeg, Recipe(engine=name, second="none"))
        except EnvironmentFault as fault:
            pytest.skip(str(fault))
    assert texts["tesserocr"].text == texts["pytesseract"].text
    assert "\n\n" in texts["tesserocr"].text


def test_a_language_that_the_engine_does_not_read_is_a_usage_error() -> None:
    """Greek and Fraktur would be read as Latin letters, with confidence: refused, with the languages that it reads."""
    recipe = recipe_of("rapidocr")
    for languages in (("ell",), ("eng", "grc"), ("frk",), ("rus",), ("vie",)):
        with pytest.raises(UsageError, match=rf"does not support {languages[-1]}; it supports .*chi_sim.*eng.*jpn"):
            warm(replace(recipe, languages=languages))


@pytest.mark.parametrize("mode", [5, 9])
def test_layouts_that_the_engine_does_not_know_are_a_usage_error(mode: int) -> None:
    """Vertical writing and words in a circle are refused."""
    with pytest.raises(UsageError, match=f"page_segmentation {mode}"):
        warm(replace(recipe_of("rapidocr"), page_segmentation=mode))
