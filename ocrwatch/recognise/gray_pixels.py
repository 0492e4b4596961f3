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
from ocrwatch.pillow_images import SIXTEEN_BITS, TRANSPARENT
from ocrwatch.recognise.strict_decoder import Gray

_LIGHTNESS: Final = {"YCbCr": "Y", "LAB": "L"}
"""The channel that is the grey image."""

_LIGHT: Final = 128.0
"""Mean grey value above which what is opaque is lighter than not."""

_MOSTLY: Final = 0.5
"""Share of the image, 0 to 1."""

_OPAQUE: Final = 255
_STRIP: Final = 1 << 20
"""Pixels of a strip."""


def gray_pixels(image: Image.Image, *, bits: int = 16, is_inverted: bool = False) -> Gray:
    """Return the grey pixels of a loaded image, as stored.

    Colours are weighted as JPEG's luma (ITU-R BT.601). ``bits`` are those of samples that Pillow has as 16 bits, and
    ``is_inverted`` says that 0 is their white. Raises Unsupported for samples of 32 bits.
    """
    if image.mode in {"I", "F"}:
        raise Unsupported("the image has 32 bits a channel", "save it with 8 or 16 bits a channel")
    if image.mode in TRANSPARENT or "transparency" in image.info:
        return _on_paper(image)
    gray = _empty(image)
    is_deep = image.mode in SIXTEEN_BITS
    for rows in _strips(gray):
        part = _part(image, rows)
        gray[rows] = _of_sixteen_bits(part, bits) if is_deep else _gray(part)
    return 255 - gray if is_deep and is_inverted else gray


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


def _of_sixteen_bits(image: Image.Image, bits: int) -> Gray:
    return (np.asarray(image).astype(np.uint16) >> (bits - 8)).astype(np.uint8)


def _with_opacity(image: Image.Image) -> tuple[Gray, Gray]:
    """Return grey values and opacity."""
    if image.mode in SIXTEEN_BITS:
        # Pillow's conversion would cut values off at 255.
        is_opaque = np.asarray(image).astype(np.uint16) != image.info["transparency"]
        return _of_sixteen_bits(image, 16), np.where(is_opaque, _OPAQUE, 0).astype(np.uint8)
    rgba = np.asarray(image.convert("RGBA"))
    return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY), np.uint8), rgba[..., 3]


def _gray(image: Image.Image) -> Gray:
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
        gray[rows], opacity[rows] = _with_opacity(_part(image, rows))
        covered += int(opacity[rows].sum(dtype=np.int64))
        brightness += int((gray[rows].astype(np.int64) * opacity[rows]).sum())
    is_light_print = 0 < covered < _MOSTLY * _OPAQUE * gray.size and brightness / covered > _LIGHT
    paper = 0 if is_light_print else 255
    for rows in _strips(gray):
        share = opacity[rows].astype(np.float32) / _OPAQUE
        gray[rows] = np.rint(gray[rows] * share + paper * (1 - share)).astype(np.uint8)
    return gray
