"""Which engine reads first, and whether PP-OCR reads again what that is unsure of.

Cheap to import: the parent process asks it for the cache's key, the check of language data and ``doctor``.
"""

from __future__ import annotations

from ocrwatch.recipe import Recipe
from ocrwatch.recognise.ppocr import weights

AUTO, NONE = "auto", "none"

TESSERACT = ("tesserocr", "pytesseract")
"""Tesseract's engines, the better one first."""


_CHARACTERS = "tessedit_char_"
"""How Tesseract's variables begin that allow or forbid characters."""


def is_read_by_ppocr(recipe: Recipe) -> bool:
    """Tell whether PP-OCR is the first reader: by name, or in languages that it reads better, if it is installed."""
    if recipe.engine != AUTO:
        return recipe.engine == weights.NAME
    suits = recipe.languages[0] in weights.BETTER and not recipe.variables and _suits(recipe)
    return suits and weights.is_installed()


def has_second_reader(recipe: Recipe) -> bool:
    """Tell whether PP-OCR reads again what Tesseract is unsure of.

    Not where it could not obey: it has no whitelist or blacklist, and reads only some languages. If it is asked for by
    name, whether it is installed shows when it is loaded.
    """
    if recipe.second == NONE or recipe.engine not in {AUTO, *TESSERACT} or is_read_by_ppocr(recipe):
        return False
    return _suits(recipe) and (recipe.second != AUTO or weights.is_installed())


def _suits(recipe: Recipe) -> bool:
    """Tell whether PP-OCR knows the languages and has the options that a recipe asks for."""
    return (
        not weights.unknown_languages(recipe.languages)
        and not recipe.whitelist
        and not recipe.blacklist
        and not any(name.startswith(_CHARACTERS) for name, _ in recipe.variables)
        and recipe.page_segmentation in weights.ANY_LAYOUT
    )
