"""Defines, loads and checks all options.

``schema`` defines the options, ``load`` merges their sources, and ``errors`` describes what is wrong with a value.

``types`` has the kinds of values (durations, sizes), ``render`` writes the example file, the effective settings and the
JSON Schema, ``key_lookup`` finds options by key, and ``reloadable`` decides which of them a reload can change.
"""

from ocrwatch.settings.reading import Codes, Enhance, Ocr, Tables, recipe
from ocrwatch.settings.remote import Remote
from ocrwatch.settings.reporting import Events, Hooks, Status
from ocrwatch.settings.schema import (
    Batch,
    Cache,
    Effective,
    Group,
    Intake,
    Log,
    Output,
    Profile,
    Retry,
    Settings,
    Settle,
    Watch,
    Workers,
)
from ocrwatch.settings.section_base import Section

__all__ = [
    "Batch", "Cache", "Codes", "Effective", "Enhance", "Events", "Group", "Hooks", "Intake", "Log", "Ocr", "Output",
    "Profile", "Remote", "Retry", "Section", "Settings", "Settle", "Status", "Tables", "Watch", "Workers",
    "recipe",
]  # fmt: skip
