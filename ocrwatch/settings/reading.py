"""Options that affect the text of a scan."""

from __future__ import annotations

from typing import Annotated, Final, Protocol

from pydantic import Field

from ocrwatch.recipe import REMOTE, WHOLE_PAGE, EnhanceOptions, FieldRule, Recipe, RemoteService, Threshold
from ocrwatch.settings.section_base import Section
from ocrwatch.settings.types import (
    Engines,
    Languages,
    OptionalFolder,
    Region,
    SecondEngine,
    SegmentationMode,
    Variables,
    between,
)


class Ocr(Section):
    """How text is recognised."""

    engine: Engines = ("auto",)
    """OCR engine: tesserocr or pytesseract (both are Tesseract), rapidocr (PP-OCR), auto (Tesseract, or rapidocr if it
    is installed and the first language is Chinese, Japanese or Latin), or a service of [[remote]] by its name, such as
    "remote:cloud". A list, such as ["remote:cloud", "tesserocr"], names further engines for scans that those before
    cannot read, or while their service is not available."""
    second: SecondEngine = "auto"
    """Engine that rereads text with low confidence from Tesseract: rapidocr, none, auto (rapidocr if it is installed),
    or a service of [[remote]], such as "remote:cloud", which gets doubtful pages only. It improves receipts, forms and
    photos, at more CPU time. rapidocr is not used with a whitelist, a blacklist, or languages that it does not
    support."""
    languages: Languages = ("eng",)
    """Languages of the scans, the most frequent first, by Tesseract's names: "eng", "chi_sim", "script/Latin". Name
    only those that occur: each further one takes more time."""
    page_segmentation: SegmentationMode = 3
    """Tesseract's page segmentation mode, 1 or 3 to 13: 3 any page, 4 one column, 6 one block, 7 one line, 11 sparse
    text. Change it only if all scans have such a layout."""
    dpi: Annotated[int, between(70, 2400, or_zero=True)] = 0
    """Resolution of the scans, 70 to 2400 dpi; 0 uses the value in each file, or an estimate. Set it if a scanner
    writes wrong values."""
    whitelist: str = ""
    """Only these characters are recognised, such as "0123456789"; empty allows all."""
    blacklist: str = ""
    """These characters are never recognised; empty forbids none."""
    variables: Variables = Field(default={})
    """Further Tesseract variables, such as { load_system_dawg = false }. tesseract --print-parameters lists them."""
    tessdata: OptionalFolder = None
    """Folder with Tesseract's language data (*.traineddata); empty searches the usual places."""
    region: Region = WHOLE_PAGE
    """Region of the upright page that is read: left, top, right and bottom as shares of its width and height, 0 to
    1."""
    min_confidence: float = Field(default=30.0, ge=0, le=100)
    """Lines with a lower confidence, 0 to 100, are dropped; 0 keeps all. Pictures and stains have less than 30.
    Decrease it if lines of faint text are missing."""


class Enhance(Section):
    """How images are preprocessed before OCR."""

    enabled: bool = True
    """Whether images are preprocessed at all. Each step runs only if a measurement of the page requires it."""
    perspective: bool = True
    """Whether photographs taken at an angle are rectified. The page needs four visible edges, or text lines that
    converge."""
    invert: bool = True
    """Whether white text on black is inverted, on a whole page or in bars, and shaded boxes such as cells of tables
    are made as bright as the paper."""
    sharpen: bool = True
    """Whether blurred text is sharpened."""
    noise: bool = True
    """Whether noise is smoothed and single-pixel specks are removed."""
    border: bool = True
    """Whether the dark area around the paper becomes white."""
    light: bool = True
    """Whether shadows and uneven light are removed, and pale text becomes black."""
    margins: bool = True
    """Whether wide blank margins are cropped."""
    skew: bool = True
    """Whether skewed pages are straightened, up to 20 degrees."""
    turn: bool = True
    """Whether pages on their side or upside down are turned. Only pages that read badly are tried upside down."""
    mend: bool = True
    """Whether the dots of dot matrix print are joined to strokes."""
    scale: bool = True
    """Whether pages are scaled to the text height at which recognition is best."""
    narrow: bool = True
    """Whether wide running text is narrowed, which is faster to read."""
    broaden: bool = True
    """Whether narrow capitals and digits are widened."""
    rules: bool = True
    """Whether dashed rules are removed from pages of capitals and digits, such as receipts."""
    blank: bool = True
    """Whether pages without letters give no text. Otherwise stains and noise may be read as text."""
    text_height: float = Field(default=0.0, ge=0, le=200)
    """Height of capital letters in pixels to which pages are scaled, up to 200; 0 uses the height that was measured to
    be best."""
    fixed_size: Annotated[int, between(100, 20_000, or_zero=True)] = 0
    """Length of the long side in pixels to which every page is scaled instead, 100 to 20000; 0 for none."""
    fixed_dpi: Annotated[int, between(70, 2400, or_zero=True)] = 0
    """Resolution in dpi to which every page with a known one is scaled instead, 70 to 2400; 0 for none."""
    blur: float = Field(default=0.0, ge=0, le=20)
    """Gaussian blur for every page: its standard deviation in pixels after scaling, up to 20; 0 for none."""
    threshold: Threshold = "none"
    """Binarisation of every page: fixed, otsu, adaptive, sauvola, or none (the engine does it itself)."""
    threshold_value: int = Field(default=128, ge=1, le=255)
    """Lowest brightness of a white pixel, 1 to 255, if threshold is fixed."""
    max_pixels: int = Field(default=200_000_000, ge=10_000, le=2_000_000_000)
    """Images with more pixels are quarantined without being decoded, 10000 to 2000000000. Increase it for large formats
    at high resolution, if there is enough memory."""


class Tables(Section):
    """Tables with the positions of their cells."""

    enabled: bool = False
    """Whether tables are looked for. json, md, alto and explain show them; csv and xlsx write them and nothing else.
    Also the text may differ: words across a rule are divided, and cells without text are read once more."""


class Codes(Section):
    """Bar codes and QR codes, and the separator sheets that have one."""

    enabled: bool = False
    """Whether codes are looked for: Code 128, Code 39 and QR. json shows them, and a page with PATCHT or the code of
    ocrwatch separator is a separator sheet. It needs the extra codes."""


NO_SECOND: Final = "none"


class ReadingOptions(Protocol):
    """All options that affect the text of a scan."""

    @property
    def services(self) -> tuple[RemoteService, ...]:
        """The remote services."""

    @property
    def ocr(self) -> Ocr:
        """``[ocr]``."""

    @property
    def enhance(self) -> Enhance:
        """``[enhance]``."""

    @property
    def tables(self) -> Tables:
        """``[tables]``."""

    @property
    def codes(self) -> Codes:
        """``[codes]``."""

    @property
    def fields(self) -> tuple[FieldRule, ...]:
        """The fields of the profile."""


def recipe(options: ReadingOptions, engine: str = "") -> Recipe:
    """Return the recipe for reading with ``engine``, one of ``ocr.engine``; the first of them by default."""
    ocr = options.ocr
    engine = engine or ocr.engine[0]
    # Nothing rereads what a service has read.
    second = NO_SECOND if engine.startswith(REMOTE) else ocr.second
    services = {f"{REMOTE}{service.name}": service for service in options.services}
    return Recipe(
        engine=engine,
        second=second,
        remote=services.get(engine) or services.get(second),
        languages=ocr.languages,
        page_segmentation=ocr.page_segmentation,
        dpi=ocr.dpi,
        whitelist=ocr.whitelist,
        blacklist=ocr.blacklist,
        variables=tuple(sorted(ocr.variables.items())),
        tessdata="" if ocr.tessdata is None else str(ocr.tessdata),
        region=ocr.region,
        min_confidence=ocr.min_confidence,
        enhance=EnhanceOptions(**options.enhance.model_dump()),
        tables=options.tables.enabled,
        codes=options.codes.enabled,
        fields=options.fields,
    )
