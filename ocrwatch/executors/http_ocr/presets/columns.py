"""Lines that run down, as Chinese and Japanese ones may."""

from __future__ import annotations

from typing import Final

from ocrwatch.executors.http_ocr.presets.places import Place

FEW: Final = 2
"""Characters that may be higher than wide together, although their line runs across."""


def along_text(place: Place | None, text: str) -> Place | None:
    """Return the place so that its line runs along the text.

    For services that begin with the top left corner of a place even if its line runs down: a place that is tall for
    several characters is turned. Text on a page that lies on its side has the corner of its beginning first, and its
    place is not tall.
    """
    return place.turned() if place is not None and place.is_tall and len(text) > FEW else place
