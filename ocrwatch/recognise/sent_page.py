"""Defines what is remembered of a page while a remote service reads it."""

from __future__ import annotations

from dataclasses import dataclass

from ocrwatch.document import StoredImage


@dataclass(frozen=True, slots=True)
class SentPage:
    """How the image that a service gets lies on the original, and what is known of the page without the service.

    There are two maps, as for a page that is read here: the image was made from the page to read, which is a part of
    the original, or was rectified.
    """

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
    page_width: int
    """Pixels of the page to read."""
    page_height: int
    to_page: tuple[float, ...]
    """Maps the sent image to the page to read: 6 numbers, two rows of an affine map."""
    page_to_original: tuple[float, ...]
    """Maps the page to read to the original's upright pixels: 6 numbers, or 9 if it was rectified."""
    skew: float
    """Degrees by which lines of text fall to the right in the sent image, or rise if it is negative; 0 if they are
    level, or it was not measured."""
    steps: tuple[str, ...]
    """What was done to the image before it was sent."""
    warnings: tuple[str, ...]
    marks: bytes
    """Centres of letter-like marks on the upright original: x and y as 32-bit floats. They witness what a service did
    not read."""
    blank: bool
    """Whether nothing on the page looks like a letter."""
    prepare_ms: float = 0.0
    """Milliseconds that it took to make the image."""
