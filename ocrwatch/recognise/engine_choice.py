"""Selects the first reader, and whether PP-OCR is the second one.

Cheap to import: the parent process uses it for the cache key, the check of language data and ``doctor``.
"""

from __future__ import annotations

from ocrwatch.recipe import Recipe
from ocrwatch.recognise.ppocr import weights

AUTO, NONE = "auto", "none"

TESSERACT = ("tesserocr", "pytesseract")
"""Names of the Tesseract engines, the better one first."""


_CHARACTERS = "tessedit_char_"
"""Prefix of Tesseract's variables that allow or forbid characters."""


def is_read_by_ppocr(recipe: Recipe) -> bool:
    """Return whether PP-OCR is the first reader.

    It is if the recipe names it, or if it is installed and reads the first language better than Tesseract.
    """
    if recipe.engine != AUTO:
        return recipe.engine == weights.NAME
    suits = recipe.languages[0] in weights.BETTER and not recipe.variables and _suits(recipe)
    return suits and weights.is_installed()


def has_second_reader(recipe: Recipe) -> bool:
    """Return whether PP-OCR rereads text that Tesseract reads with low confidence.

    It does not if a remote service is to do that, or if it cannot obey the recipe: it has no whitelist or blacklist,
    and reads only some languages. If the recipe names it, a missing installation is reported when it is loaded.
    """
    if recipe.second == NONE or recipe.has_remote_second:
        return False
    if recipe.engine not in {AUTO, *TESSERACT} or is_read_by_ppocr(recipe):
        return False
    return _suits(recipe) and (recipe.second != AUTO or weights.is_installed())


def _suits(recipe: Recipe) -> bool:
    """Return whether PP-OCR supports the languages and options of a recipe."""
    return (
        not weights.unknown_languages(recipe.languages)
        and not recipe.whitelist
        and not recipe.blacklist
        and not any(name.startswith(_CHARACTERS) for name, _ in recipe.variables)
        and recipe.page_segmentation in weights.ANY_LAYOUT
    )
