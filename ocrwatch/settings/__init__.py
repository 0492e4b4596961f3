"""All options: ``schema`` defines them, ``load`` merges their sources, ``errors`` says what is wrong with one.

``types`` are the kinds of values (durations, sizes), ``render`` writes the example file, the settings in force and the
JSON schema, ``keys`` finds options by key, ``changes`` tells which of them a running daemon can take.
"""

from ocrwatch.settings.reading import Enhance, Ocr, recipe
from ocrwatch.settings.schema import (
    Batch,
    Cache,
    Effective,
    Events,
    Hooks,
    Intake,
    Log,
    Output,
    Profile,
    Retry,
    Settings,
    Settle,
    Status,
    Watch,
    Workers,
)
from ocrwatch.settings.section import Section

__all__ = [
    "Batch", "Cache", "Effective", "Enhance", "Events", "Hooks", "Intake", "Log", "Ocr", "Output", "Profile", "Retry",
    "Section", "Settings", "Settle", "Status", "Watch", "Workers", "recipe",
]  # fmt: skip
