"""Compares Tesseract, PP-OCR and what ocrwatch takes by default on rendered pages in many languages.

    python -m tests.bench.rendered [LANGUAGE …]

Each language's text (see ``rendered_texts``) is rendered in two fonts at 200 dots per inch, and read as it is, blurred,
crooked and with grain. Prints the character error rate over all pages of a language, lines joined, for each reader, and
by what default, and CPU seconds a page. White space is folded for languages with spaces and left out for Chinese and
Japanese, where spaces mean nothing. A language is left out if its data for Tesseract or a font is not installed (Debian
packages fonts-dejavu-core, fonts-wqy-microhei, fonts-wqy-zenhei, fonts-ipafont-gothic, fonts-ipafont-mincho).
"""

from __future__ import annotations

import argparse
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from ocrwatch.errors import OcrwatchError
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.page import recognise, warm
from ocrwatch.recognise.ppocr.weights import CHINESE
from tests.bench import tables
from tests.bench.arguments import console
from tests.bench.degrade import Gray, grainy, softened, turned
from tests.bench.rendered_texts import TEXTS
from tests.rendering import encode

_FONTS = Path("/usr/share/fonts/truetype")
_WESTERN = (_FONTS / "dejavu/DejaVuSerif.ttf", _FONTS / "dejavu/DejaVuSans.ttf")
_CHINESE = (_FONTS / "wqy/wqy-microhei.ttc", _FONTS / "wqy/wqy-zenhei.ttc")
_JAPANESE = (
    Path("/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf"),
    Path("/usr/share/fonts/opentype/ipafont-mincho/ipam.ttf"),
)

_DPI = 200
_SIZE = round(11 * _DPI / 72)
"""Pixels of eleven points."""

_Spoil = Callable[[Gray], Gray]

_KINDS: Mapping[str, _Spoil] = {
    "as it is": lambda page: page,
    "blur": lambda page: softened(page, 1.3),
    "skew": lambda page: turned(page, 2),
    "grain": lambda page: grainy(page, 20, np.random.default_rng(1)),
}

_READERS = {
    "Tesseract": {"engine": "tesserocr", "second": "none"},
    "PP-OCR": {"engine": "rapidocr"},
    "default": {},
}


@dataclass(frozen=True, slots=True)
class Found:
    """What one reader made of the pages of one language."""

    cer: float
    cpu: float
    """Seconds a page."""


def main() -> None:
    """Render, read and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languages", nargs="*", choices=[*TEXTS, []], metavar="LANGUAGE")
    languages = parser.parse_args().languages or list(TEXTS)
    rows = []
    for language in languages:
        fonts = fonts_for(language)
        if missing := [font for font in fonts if not font.exists()]:
            console().print(f"without {language}: there is no {missing[0]}", highlight=False)
            continue
        rows.append([language, *(_figure(_read(language, reader)) for reader in _READERS)])
    title = f"character error rate (CPU s/page), {len(_KINDS)} kinds of pages in two fonts"
    console().print(tables.plain(title, ("", *_READERS), rows))


def fonts_for(language: str) -> tuple[Path, Path]:
    """Return two fonts that have the letters of a language."""
    return _JAPANESE if language == "jpn" else _CHINESE if language in CHINESE else _WESTERN


def drawn(text: str, font: Path, width: int) -> tuple[str, Gray]:
    """Draw a text three times in lines of ``width`` characters; return it as it stands there, and the page."""
    lines = textwrap.wrap(text, width) * 3
    type_face = ImageFont.truetype(font, _SIZE)
    across = max(type_face.getlength(line) for line in lines)
    page = Image.new("L", (round(across) + 4 * _SIZE, round(len(lines) * 1.5 * _SIZE) + 4 * _SIZE), 255)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((2 * _SIZE, 2 * _SIZE + number * 1.5 * _SIZE), line, fill=20, font=type_face)
    return "\n".join(lines), np.asarray(page)


def errors(truth: str, text: str, language: str) -> tuple[int, int]:
    """Return edits and characters."""
    space = "" if language in CHINESE else " "
    truth, text = space.join(truth.split()), space.join(text.split())
    return min(Levenshtein.distance(truth, text), len(truth)), len(truth)


def _read(language: str, reader: str) -> Found | None:
    """Read all pages; None if the reader does not read the language, or its data is not installed."""
    recipe = Recipe(languages=(language,), **_READERS[reader])  # type: ignore[arg-type]
    try:
        warm(recipe)
    except OcrwatchError:
        return None
    edits = characters = pages = 0
    begun = time.process_time()
    for font in fonts_for(language):
        truth, page = drawn(TEXTS[language], font, 30 if language in CHINESE else 60)
        for spoil in _KINDS.values():
            jpeg = encode(Image.fromarray(spoil(page)), quality=85, dpi=_DPI)
            wrong, all_of_them = errors(truth, recognise(jpeg, recipe).text, language)
            edits, characters, pages = edits + wrong, characters + all_of_them, pages + 1
    return Found(edits / characters, (time.process_time() - begun) / pages)


def _figure(found: Found | None) -> str:
    return "-" if found is None else f"{found.cer:.4f} ({found.cpu:.2f})"


if __name__ == "__main__":
    main()
