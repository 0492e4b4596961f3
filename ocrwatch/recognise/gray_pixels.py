"""Turns an image that Pillow has decoded into grey pixels: 1 to 16 bits, palettes, transparency, four inks.

It does so in strips: of a page of 200 megapixels, copies with four bytes a pixel would take a gigabyte each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from PIL import Image

from ocrwatch.errors import Unsupported
from ocrwatch.recognise.strict_decoder import Gray

_SIXTEEN_BITS: Final = frozenset({"I;16", "I;16L", "I;16B"})
_LIGHTNESS: Final = {"YCbCr": "Y", "LAB": "L"}
"""The channel that is the grey image."""

_TRANSPARENT: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_LIGHT: Final = 128.0
"""Mean grey value above which what is opaque is lighter than not."""

_MOSTLY: Final = 0.5
"""Share of the image, 0 to 1."""

_OPAQUE: Final = 255
_STRIP: Final = 1 << 20
"""Pixels of a strip."""


def gray_pixels(image: Image.Image) -> Gray:
    """Return the grey pixels of a loaded image, as stored.

    Colours are weighted as JPEG's luma (ITU-R BT.601). Raises Unsupported for samples of 32 bits.
    """
    if image.mode in {"I", "F"}:
        raise Unsupported("the image has 32 bits a channel", "save it with 8 or 16 bits a channel")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        return _on_paper(image)
    gray = _empty(image)
    for rows in _strips(gray):
        gray[rows] = _gray(_part(image, rows))
    return gray


def _empty(image: Image.Image) -> Gray:
    # Of a TIFF, Pillow's size is that of the upright image.
    width, height = image.im.size
    return np.empty((height, width), np.uint8)


def _strips(gray: Gray) -> Iterator[slice]:
    """Yield the rows of each strip."""
    height, width = gray.shape
    step = max(1, _STRIP // width)
    yield from (slice(top, min(top + step, height)) for top in range(0, height, step))


def _part(image: Image.Image, rows: slice) -> Image.Image:
    return image.crop((0, rows.start, image.im.size[0], rows.stop))


def _gray(image: Image.Image) -> Gray:
    if image.mode in _SIXTEEN_BITS:
        return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
    if image.mode in _LIGHTNESS:
        return np.asarray(image.getchannel(_LIGHTNESS[image.mode]))
    if image.mode in {"1", "L"}:
        return np.asarray(image.convert("L"))
    return np.asarray(cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2GRAY), np.uint8)


def _on_paper(image: Image.Image) -> Gray:
    """Put an image with transparency on white; on black if it is light print that would vanish there."""
    gray = _empty(image)
    opacity = np.empty_like(gray)
    covered = brightness = 0
    for rows in _strips(gray):
        rgba = np.asarray(_part(image, rows).convert("RGBA"))
        gray[rows], opacity[rows] = cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY), rgba[..., 3]
        covered += int(opacity[rows].sum(dtype=np.int64))
        brightness += int((gray[rows].astype(np.int64) * opacity[rows]).sum())
    is_light_print = 0 < covered < _MOSTLY * _OPAQUE * gray.size and brightness / covered > _LIGHT
    paper = 0 if is_light_print else 255
    for rows in _strips(gray):
        share = opacity[rows].astype(np.float32) / _OPAQUE
        gray[rows] = np.rint(gray[rows] * share + paper * (1 - share)).astype(np.uint8)
    return gray
