"""The options of reading: what decides, besides its bytes, what a scan's text will be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ocrwatch.recipe import WHOLE_PAGE, EnhanceOptions, Recipe, Threshold
from ocrwatch.settings.section import Section
from ocrwatch.settings.types import Languages, OptionalFolder, Region, SegmentationMode, Variables, between


class Ocr(Section):
    """How text is read."""

    engine: str = Field(default="auto", min_length=1)
    """Name of the engine: tesserocr, pytesseract (both are Tesseract) or rapidocr. auto takes Tesseract, but rapidocr
    if that is installed and the first language is Chinese, Japanese or Latin."""
    second: Literal["auto", "rapidocr", "none"] = "auto"
    """Engine that reads again what Tesseract reads with low confidence: rapidocr, none, or auto (rapidocr, if it is
    installed). It knows languages in Latin letters, Chinese and Japanese, and no whitelist; Tesseract alone reads other
    scans."""
    languages: Languages = ("eng",)
    """Languages on the scans, the most frequent first, as Tesseract names them: "eng", "chi_sim", "script/Latin"."""
    page_segmentation: SegmentationMode = 3
    """Tesseract's page segmentation mode, 1 or 3 to 13: 3 any page, 4 one column, 6 one block, 7 one line,
    11 sparse text."""
    dpi: Annotated[int, between(70, 2400, or_zero=True)] = 0
    """Resolution to assume, 70 to 2400 dots per inch; 0 takes the scan's own, or an estimate."""
    whitelist: str = ""
    """The only characters that may be read; empty allows all."""
    blacklist: str = ""
    """Characters that are never read."""
    variables: Variables = Field(default={})
    """Further variables of Tesseract (tesseract --print-parameters lists them)."""
    tessdata: OptionalFolder = None
    """Folder with the language data (*.traineddata); empty finds it."""
    region: Region = WHOLE_PAGE
    """The part of the upright page that is read: left, top, right and bottom as shares of it, 0 to 1."""
    min_confidence: float = Field(default=30.0, ge=0, le=100)
    """Lines read with less confidence are left out, 0 to 100: pictures and stains have less than 30. 0 keeps all."""


class Enhance(Section):
    """How images are prepared before they are read."""

    enabled: bool = True
    """Whether images are enhanced at all. Each step is applied only where a measurement asks for it."""
    perspective: bool = True
    """Whether pages that were photographed at an angle are straightened: four visible edges, or lines that converge."""
    invert: bool = True
    """Whether white print on black is made black on white, a whole page or bars on it."""
    sharpen: bool = True
    """Whether blurred print is sharpened."""
    noise: bool = True
    """Whether grain is smoothed, and specks of single pixels are taken out."""
    border: bool = True
    """Whether the dark surroundings of the paper are made white."""
    light: bool = True
    """Whether shadows and uneven light are taken away, and pale print made black."""
    margins: bool = True
    """Whether wide blank margins are left out."""
    skew: bool = True
    """Whether crooked pages are turned straight, up to 20 degrees."""
    turn: bool = True
    """Whether pages on their side or upside down are turned upright. Only pages that read badly are tried upside
    down."""
    mend: bool = True
    """Whether print made of dots is joined to strokes."""
    scale: bool = True
    """Whether pages are scaled to the text height that is read best."""
    narrow: bool = True
    """Whether broad running text is made narrower, which is read faster."""
    broaden: bool = True
    """Whether narrow capitals and figures are made broader."""
    rules: bool = True
    """Whether rules made of dashes are left out where print is capitals and figures, as on receipts."""
    blank: bool = True
    """Whether pages without print give no text, rather than what stains and grain are read as."""
    text_height: float = Field(default=0.0, ge=0, le=200)
    """Height of capitals in pixels to which pages are scaled, up to 200; 0 takes what was measured to be read best."""
    fixed_size: Annotated[int, between(100, 20_000, or_zero=True)] = 0
    """Pixels of the long side to which every page is scaled instead, 100 to 20000; 0 does not."""
    fixed_dpi: Annotated[int, between(70, 2400, or_zero=True)] = 0
    """Dots per inch to which every page is scaled instead whose own are known, 70 to 2400; 0 does not."""
    blur: float = Field(default=0.0, ge=0, le=20)
    """Gaussian blur for every page, as its deviation in pixels after scaling, up to 20; 0 does not."""
    threshold: Threshold = "none"
    """How every page is made black and white: none (the engine does), fixed, otsu, adaptive or sauvola."""
    threshold_value: int = Field(default=128, ge=1, le=255)
    """Brightness from which a pixel is white, 1 to 255, where threshold is fixed."""
    max_pixels: int = Field(default=200_000_000, ge=10_000, le=2_000_000_000)
    """Larger images are quarantined without being decoded, 10000 to 2000000000 pixels."""


def recipe(ocr: Ocr, enhance: Enhance) -> Recipe:
    """Return what a worker has to know."""
    return Recipe(
        engine=ocr.engine,
        second=ocr.second,
        languages=ocr.languages,
        page_segmentation=ocr.page_segmentation,
        dpi=ocr.dpi,
        whitelist=ocr.whitelist,
        blacklist=ocr.blacklist,
        variables=tuple(sorted(ocr.variables.items())),
        tessdata="" if ocr.tessdata is None else str(ocr.tessdata),
        region=ocr.region,
        min_confidence=ocr.min_confidence,
        enhance=EnhanceOptions(**enhance.model_dump()),
    )
