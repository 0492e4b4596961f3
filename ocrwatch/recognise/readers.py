"""Which engine reads first, and whether PP-OCR reads again what that is in doubt of.

Cheap to import: the parent process asks it for the cache's key, the check of language data and ``doctor``.
"""

from __future__ import annotations

from ocrwatch.recognise.ppocr import weights
from ocrwatch.values import Recipe

AUTO, NONE = "auto", "none"

TESSERACT = ("tesserocr", "pytesseract")
"""Tesseract's engines, the better one first."""


def is_read_by_ppocr(recipe: Recipe) -> bool:
    """Tell whether PP-OCR is the first reader: by name, or in languages that it reads better, if it is installed."""
    if recipe.engine != AUTO:
        return recipe.engine == weights.NAME
    return recipe.languages[0] in weights.BETTER and _suits(recipe) and weights.is_installed()


def has_second_reader(recipe: Recipe) -> bool:
    """Tell whether PP-OCR reads again what Tesseract is in doubt of.

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
        and recipe.page_segmentation in weights.ANY_LAYOUT
    )
