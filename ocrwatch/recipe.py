"""Defines the recipe: everything but its bytes that affects a scan's page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Threshold = Literal["none", "fixed", "otsu", "adaptive", "sauvola"]
"""Method of binarisation."""


@dataclass(frozen=True, slots=True)
class EnhanceOptions:
    """Which enhancement steps may be used.

    Each is applied only if a measurement of the page requires it.
    """

    enabled: bool = True
    perspective: bool = True
    invert: bool = True
    sharpen: bool = True
    noise: bool = True
    border: bool = True
    light: bool = True
    margins: bool = True
    skew: bool = True
    turn: bool = True
    mend: bool = True
    scale: bool = True
    narrow: bool = True
    broaden: bool = True
    rules: bool = True
    blank: bool = True
    text_height: float = 0.0
    """Target height in pixels; 0 takes the measured default of :mod:`ocrwatch.recognise.enhance`."""
    fixed_size: int = 0
    """Pixels of the long side to scale every page to; 0 for no scaling."""
    fixed_dpi: int = 0
    """Resolution to scale every page with a known one to; 0 for no scaling."""
    blur: float = 0.0
    """Deviation of a Gaussian blur in pixels of the scaled page; 0 for none."""
    threshold: Threshold = "none"
    threshold_value: int = 128
    """Brightness from which a pixel is white, if ``threshold`` is ``fixed``."""
    max_pixels: int = 200_000_000

    @property
    def fixed(self) -> bool:
        """Whether a step is applied to every page, whatever its measurements."""
        return bool(self.fixed_size or self.fixed_dpi or self.blur) or self.threshold != "none"


FieldType = Literal["text", "date", "amount", "integer", "iban", "vat", "luhn", "ean", "code"]
"""What the value of a field is."""

Pick = Literal["first", "last", "largest"]
"""Which of several values is the field's, if their labels are equally good."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field of a document is found.

    :class:`ocrwatch.settings.field_options.FieldOptions` describes the options.
    """

    name: str
    type: FieldType = "text"
    near: tuple[str, ...] = ()
    not_near: tuple[str, ...] = ()
    pattern: str = ""
    zone: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom as shares of the upright page; with ``anchor`` relative to its top left corner."""
    anchor: str = ""
    page_segmentation: int = 7
    whitelist: str = ""
    languages: tuple[str, ...] = ()
    """Empty takes the recipe's."""
    pick: Pick = "first"
    equals: tuple[str, ...] = ()
    """Sums and differences of other fields, such as ``net + tax``."""
    required: bool = False
    locale: str = ""
    day_first: bool | None = None
    """None takes the locale's order."""
    second_look: bool = True


WHOLE_PAGE = (0.0, 0.0, 1.0, 1.0)
"""Left, top, right and bottom as shares."""

REMOTE: Final = "remote:"
"""How the name of an engine begins that is a remote OCR service; the name of the service follows."""

Preparation = Literal["none", "straighten", "clean"]
"""What is done to a scan before it is sent to a service."""


@dataclass(frozen=True, slots=True)
class RemoteService:
    """A remote OCR service, as far as it affects the text of a scan.

    :class:`ocrwatch.settings.remote.Remote` describes the options. The key is not among them: workers never get it.
    """

    name: str
    preset: str
    url: str
    prepare: Preparation = "none"
    max_bytes: int = 0
    """Bytes of the largest image to send; 0 takes the preset's limit."""
    options: tuple[tuple[str, str], ...] = ()
    """Options of the preset, sorted by name."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything but the bytes that affects a scan's Page."""

    engine: str = "auto"
    languages: tuple[str, ...] = ("eng",)
    page_segmentation: int = 3
    """Tesseract's page segmentation mode, 0 to 13."""
    dpi: int = 0
    """Dots per inch to assume; 0 takes the scan's own, or an estimate."""
    whitelist: str = ""
    blacklist: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    """Tesseract variables, sorted by name."""
    tessdata: str = ""
    """Folder with ``*.traineddata``; empty finds it."""
    min_confidence: float = 30.0
    """Lines with a lower confidence, 0 to 100, are left out."""
    region: tuple[float, float, float, float] = WHOLE_PAGE
    """Left, top, right and bottom of the part that is read, as shares of the upright page."""
    second: str = "auto"
    """Engine that rereads what the first one is unsure of: rapidocr, none, or auto: rapidocr if it is installed; or a
    remote service, as ``remote:NAME``."""
    remote: RemoteService | None = None
    """The service that ``engine`` or ``second`` names; None if neither does."""
    enhance: EnhanceOptions = field(default_factory=EnhanceOptions)
    tables: bool = False
    """Whether tables are looked for."""
    codes: bool = False
    """Whether bar codes and QR codes are looked for."""
    fields: tuple[FieldRule, ...] = ()
    """The fields to find; empty looks for none."""

    @property
    def is_remote(self) -> bool:
        """Whether a remote service is the first reader."""
        return self.engine.startswith(REMOTE)

    @property
    def has_remote_second(self) -> bool:
        """Whether a remote service rereads pages that the first reader is unsure of."""
        return self.second.startswith(REMOTE) and not self.is_remote

    @property
    def all_languages(self) -> tuple[str, ...]:
        """The languages of the page and of the zones of its fields, each once."""
        zones = (language for rule in self.fields for language in rule.languages)
        return tuple(dict.fromkeys((*self.languages, *zones)))
