"""Pages in other languages than English are read, and what is done to them before makes none worse."""

# ruff: noqa: RUF001 - letters of other scripts look like Latin ones

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from ocrwatch.errors import EnvironmentFault
from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.page import recognise, warm

DEJAVU = "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf"
MICROHEI = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"
HAN = re.compile("[\u4e00-\u9fff]")
POINTS = 11
MARGIN = 0.6
"""Inches."""


@dataclass(frozen=True)
class Sample:
    """A paragraph in some languages, the file of a font that has its letters, and the package with that."""

    languages: tuple[str, ...]
    lines: tuple[str, ...]
    font: str = DEJAVU
    package: str = "fonts-dejavu-core"


SAMPLES = {
    "french": Sample(
        ("fra",),
        (
            "Le bureau du port a été ouvert à neuf heures précises,",
            "où l'élève naïf reçut sa première leçon de français.",
            "Ça coûte près de vingt-cinq euros, même pour les âgés;",
            "Noël approchait, et les façades étaient déjà décorées.",
        ),
    ),
    "spanish": Sample(
        ("spa",),
        (
            "El señor Núñez llegó mañana por la mañana; dijo el niño:",
            "¿cuándo saldrá el tren de Málaga? ¡Qué corazón pequeño!",
            "La cigüeña anidó sobre el balcón del antiguo almacén.",
        ),
    ),
    "greek": Sample(
        ("ell",),
        (
            "Το γραφείο του λιμανιού άνοιξε τη Δευτέρα στις εννέα.",
            "Ο καπετάνιος πλήρωσε όλα τα τιμολόγια και έφυγε αμέσως.",
            "Ήταν μια όμορφη ημέρα, με ήλιο και λίγο αέρα, και οι",
            "άνθρωποι περπατούσαν στην παραλία ως αργά.",
        ),
    ),
    "german": Sample(
        ("deu",),
        (
            "Das Hafenbüro öffnete am Montag um neun Uhr für alle.",
            "Die Straße war naß, und der Bürgermeister grüßte fröhlich.",
            "Größere Beträge müssen übermorgen bezahlt werden.",
        ),
    ),
    "english and french": Sample(
        ("eng", "fra"),
        (
            "The harbour office opened on Monday at nine o'clock,",
            "where the captain paid for all of the invoices.",
            "Le bureau du port a été ouvert à neuf heures précises,",
            "où l'élève reçut sa première leçon de français.",
        ),
    ),
    "chinese": Sample(
        ("chi_sim",),
        (
            "港口办公室星期一上午九点开门，比尔先生在那里付清了",
            "所有的发票。今天天气很好，人们在海边散步，孩子们在",
            "沙滩上玩耍。下午三点以后，船长带着货物离开了上海，",
            "前往北京参加会议。",
        ),
        MICROHEI,
        "fonts-wqy-microhei",
    ),
    "chinese and english": Sample(
        ("chi_sim", "eng"),
        (
            "发票已经付清，请联系 Harbour Office 办公室。",
            "电话号码 555-0147 星期一到星期五可用。",
            "谢谢您的合作 Thank you very much，祝您生活愉快。",
        ),
        MICROHEI,
        "fonts-wqy-microhei",
    ),
}


def drawn(sample: Sample, dpi: int) -> Gray:
    """Draw the paragraph three times."""
    size = POINTS * dpi / 72
    font = ImageFont.truetype(sample.font, size)
    lines = sample.lines * 3
    edge = MARGIN * dpi
    width = max(font.getlength(line) for line in lines) + 2 * edge
    page = Image.new("L", (round(width), round(len(lines) * size * 1.55 + 2 * edge)), 255)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((edge, edge + number * size * 1.55), line, fill=0, font=font)
    return np.asarray(page)


def worn(page: Gray) -> Gray:
    """Make it a grey, grainy and slightly crooked page."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 1.5, 1.0)
    crooked = cv2.warpAffine(page, turn, (width, height), borderValue=255)
    grain = np.random.default_rng(1).normal(0, 10, page.shape)
    return np.clip(60 + 0.6 * crooked + grain, 0, 255).astype(np.uint8)


def jpeg(page: Gray, dpi: int) -> bytes:
    """Save it as a scanner does."""
    file = io.BytesIO()
    Image.fromarray(page).save(file, "JPEG", quality=85, dpi=(dpi, dpi))
    return file.getvalue()


def errors(sample: Sample, text: str) -> float:
    """Character error rate over the lines as they are; blank lines do not count."""
    truth = "\n".join(sample.lines * 3)
    found = "\n".join(line for line in text.split("\n") if line)
    return Levenshtein.distance(truth, found) / len(truth)


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Sample:
    """Each paragraph in turn; skipped where its font or its language is not installed."""
    sample = SAMPLES[request.param]
    if not Path(sample.font).exists():
        pytest.skip(f"the font {sample.font} is missing; run: apt-get install {sample.package}")
    try:
        warm(Recipe(languages=sample.languages))
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    return sample


@pytest.mark.parametrize("dpi", [150, 300])
@pytest.mark.parametrize("wear", [False, True], ids=["clean", "worn"])
def test_other_languages_are_read(sample: Sample, dpi: int, *, wear: bool) -> None:
    """Accents, lines and the spacing of each script come out right, and no worse than without any enhancement."""
    page = drawn(sample, dpi)
    scan = jpeg(worn(page) if wear else page, dpi)
    found = errors(sample, recognise(scan, Recipe(languages=sample.languages)).text)
    assert found <= 0.04
    bare = Recipe(languages=sample.languages, enhance=EnhanceOptions(enabled=False), min_confidence=0)
    assert found <= errors(sample, recognise(scan, bare).text) + 0.015


def test_chinese_has_no_spaces() -> None:
    """Chinese characters are put together without spaces, as people write them."""
    sample = SAMPLES["chinese"]
    if not Path(sample.font).exists():
        pytest.skip(f"the font {sample.font} is missing; run: apt-get install {sample.package}")
    try:
        text = recognise(jpeg(drawn(sample, 300), 300), Recipe(languages=sample.languages)).text
    except EnvironmentFault as fault:
        pytest.skip(str(fault))
    assert len(HAN.findall(text)) > 200
    assert text.count(" ") <= 2
