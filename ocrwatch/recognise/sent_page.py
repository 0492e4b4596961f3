"""Defines what is remembered of a page while a remote service reads it."""

from __future__ import annotations

from dataclasses import dataclass

from ocrwatch.document import StoredImage


@dataclass(frozen=True, slots=True)
class SentPage:
    """How the image that a service gets lies on the original, and what is known of the page without the service."""

    media_type: str
    """Of the image that is sent."""
    sent_width: int
    """Pixels of that image."""
    sent_height: int
    width: int
    """Pixels of the upright original."""
    height: int
    dpi: float | None
    orientation: int
    """EXIF orientation of the scan, 1 to 8."""
    image: StoredImage
    to_original: tuple[float, ...]
    """Maps pixels of the sent image to upright pixels of the original: 9 numbers, row by row."""
    steps: tuple[str, ...]
    """What was done to the image before it was sent."""
    warnings: tuple[str, ...]
    marks: bytes
    """Centres of letter-like marks on the upright original: x and y as 32-bit floats. They witness what a service did
    not read."""
    blank: bool
    """Whether nothing on the page looks like a letter."""
    prepare_ms: float = 0.0
