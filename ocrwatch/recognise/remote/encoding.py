"""Writes an image for a service, and makes it smaller until the service takes it."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from PIL import Image

from ocrwatch.errors import Rejected
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.remote.scan_image import Rgb

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"

_QUALITY: Final = 92
_LOWER_QUALITY: Final = 80
_LOWEST_QUALITY: Final = 60
"""JPEG's quality as it is written, for an image that would be too large, and for one that may not be scaled further."""

_LEVEL: Final = 3
"""zlib's level of a PNG. 6 takes twice the time and saves some hundredths."""

_LONGEST_SIDE: Final = 65_000
"""Pixels that a side of a JPEG can have."""

_LEAST_FINE: Final = 90.0
"""Resolution in dpi, for type of 10 points, below which no image is scaled: small letters have 6 pixels then."""

_SLIGHTLY_SCALED: Final = 0.9
"""Scale down to which no image is refused, however fine it is: its letters stay nearly as they came."""

_FINE: Final = 150.0
"""Resolution in dpi, for type of 10 points, from which engines read well."""

_AIM: Final = 0.95
"""What is aimed at, as a share of the most bytes: the size of an image does not shrink quite as its pixels do."""

_MOST_TRIES: Final = 8

_ROUNDING: Final = 1e-6
"""Error of a computed side in pixels."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as a file."""

    content: bytes
    media_type: str
    width: int
    height: int
    warnings: tuple[str, ...] = ()


def scale_within(width: int, height: int, max_side: int, max_pixels: int) -> float:
    """Return by what an image is scaled, 0 to 1, to have no more pixels than a service takes.

    A limit is 0 if there is none.
    """
    by_area = (max_pixels / (width * height)) ** 0.5 if max_pixels else 1.0
    return min(1.0, (max_side or _LONGEST_SIDE) / max(width, height), by_area)


def encoded(
    pixels: Gray | Rgb, media_types: frozenset[str], dpi: float | None, max_side: int = 0, max_pixels: int = 0
) -> EncodedImage:
    """Write an image as JPEG, or as PNG if it has two levels, or if the service takes no JPEG.

    ``dpi`` is its resolution, None if it is unknown.
    """
    scale = scale_within(pixels.shape[1], pixels.shape[0], max_side, max_pixels)
    return _Writer(media_types, dpi).write(_scaled(pixels, scale), scale, _QUALITY)


def legible(image: EncodedImage, scale: float, fineness: float, taken: str = "") -> EncodedImage:
    """Return an image with a warning if its text has become small; raises :class:`Rejected` if it is too small to read.

    ``scale`` is by what it was scaled, 0 to 1; ``fineness`` is the resolution in dpi at which its text would have been
    10-point type before. ``taken`` is what the service takes: as many pixels as the image has, if not said.
    """
    taken = taken or f"{image.width} x {image.height} pixels"
    if scale < _least_scale(fineness):
        raise Rejected(
            f"the image would be only as fine as {scale * fineness:.0f} dpi, too small to be read: the service takes"
            f" {taken}",
            "read only a region (ocr.region), or read the scan with another engine",
        )
    if scale * fineness >= _FINE:
        return image
    warning = f"the image that was sent is only as fine as {scale * fineness:.0f} dpi: the service takes {taken}"
    return replace(image, warnings=(warning,))


def shrunk(
    pixels: Gray | Rgb,
    media_types: frozenset[str],
    dpi: float | None,
    max_bytes: int,
    fineness: float,
    *,
    max_side: int = 0,
    max_pixels: int = 0,
) -> EncodedImage:
    """Write an image with less quality, and scale it until it has at most ``max_bytes``.

    ``fineness`` is the resolution in dpi at which its text would be 10-point type. Raises :class:`Rejected` if its text
    would not be legible any more.
    """
    writer = _Writer(media_types, dpi)
    least = _least_scale(fineness)
    scale = scale_within(pixels.shape[1], pixels.shape[0], max_side, max_pixels)
    image = writer.write(_scaled(pixels, scale), scale, _LOWER_QUALITY)
    for _ in range(_MOST_TRIES):
        if len(image.content) <= max_bytes:
            return legible(image, scale, fineness, f"{max_bytes} bytes")
        if scale <= least:
            break
        scale = max(least, scale * _AIM * (max_bytes / len(image.content)) ** 0.5)
        image = writer.write(_scaled(pixels, scale), scale, _LOWER_QUALITY)
    image = writer.write(_scaled(_gray(pixels), scale), scale, _LOWEST_QUALITY)
    if len(image.content) <= max_bytes:
        return legible(image, scale, fineness, f"{max_bytes} bytes")
    raise Rejected(
        f"the image has {len(image.content)} bytes when it is as small as it can be read, more than the limit of"
        f" {max_bytes}",
        "raise max_bytes of the service if it takes larger images, read only a region (ocr.region), or scan in black"
        " and white",
    )


def _is_bilevel(pixels: Gray | Rgb) -> bool:
    """Return whether all pixels are black or white."""
    if pixels.ndim != 2:  # noqa: PLR2004 - grey
        return False
    # The first rows tell for nearly all images.
    return all(bool(np.isin(part, (0, 255)).all()) for part in (pixels[:8], pixels[::16], pixels))


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes images that differ in size and quality."""

    media_types: frozenset[str]
    dpi: float | None

    def write(self, pixels: Gray | Rgb, scale: float, quality: int) -> EncodedImage:
        """Write an image; ``scale`` is by what it was scaled."""
        media_type = self._media_type(pixels)
        options: dict[str, object] = {"dpi": (self.dpi * scale,) * 2} if self.dpi else {}
        image = Image.fromarray(pixels)
        file = io.BytesIO()
        if media_type == JPEG:
            image.save(file, "JPEG", quality=quality, **options)
        else:
            if _is_bilevel(pixels):
                image = image.convert("1", dither=Image.Dither.NONE)
            image.save(file, "PNG", compress_level=_LEVEL, **options)
        return EncodedImage(file.getvalue(), media_type, image.width, image.height)

    def _media_type(self, pixels: Gray | Rgb) -> str:
        if PNG in self.media_types and (JPEG not in self.media_types or _is_bilevel(pixels)):
            return PNG
        return JPEG


def _least_scale(fineness: float) -> float:
    """Return the smallest scale, 0 to 1, at which text is legible."""
    return min(_SLIGHTLY_SCALED, _LEAST_FINE / fineness)


def _gray(pixels: Gray | Rgb) -> Gray:
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)  # noqa: PLR2004


def _scaled(pixels: Gray | Rgb, scale: float) -> Gray | Rgb:
    if scale >= 1:
        return pixels
    height, width = pixels.shape[:2]
    # Rounded up, both sides together could exceed a number of pixels.
    size = (max(1, int(width * scale + _ROUNDING)), max(1, int(height * scale + _ROUNDING)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
