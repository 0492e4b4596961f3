"""The image in a scan's file, for a service: whether the file can be sent as it is, and its colours."""

from __future__ import annotations

import io
import warnings
from typing import Final

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from ocrwatch import jpeg_markers, png_chunks
from ocrwatch.pillow_images import StoredTiff
from ocrwatch.recognise.decode import Decoded, turn

Rgb = npt.NDArray[np.uint8]
"""H x W x 3 array of red, green and blue."""

_BASELINE_OR_PROGRESSIVE: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Processes of JPEG that all decoders have; few have arithmetic coding."""

_COMPONENTS: Final = frozenset({1, 3})
"""Grey or colour. Decoders do not agree on which of CMYK's ends is white, nor on what is behind transparent pixels."""

_BITS: Final = 8
"""More are cut off at white by common decoders."""

_LARGEST: Final = 40_000_000
"""Pixels from which a scan is sent in grey: A4 at 600 dpi has 35 million, which take 100 MB in colour."""

_COLOURED: Final = frozenset({"RGB", "P", "YCbCr"})
"""Pillow's modes whose colours are kept."""

_STEP: Final = 8
"""Every so many pixels are looked at, along each axis."""

_COLOURFUL: Final = 40
"""Difference of the strongest and the weakest of red, green and blue in a pixel that is not grey. Paper that has
yellowed has 10 to 30."""

_FEWEST: Final = 0.0005
"""Share of pixels in colour from which an image has colour: a stamp or a signature on A4 has .001 and more."""


def is_read_alike(content: bytes, decoded: Decoded) -> bool:
    """Return whether any decoder reads from the file what ours has read.

    It has one image, which is upright, and nothing about it is unusual.
    """
    image = decoded.image
    if decoded.orientation != 1 or decoded.warnings or decoded.images != 1:
        return False
    if image.bits > _BITS or image.components not in _COMPONENTS:
        return False
    if image.kind == "jpeg":
        return jpeg_markers.walk(content).sure_frame.process in _BASELINE_OR_PROGRESSIVE
    return image.kind != "png" or not _is_transparent(content)


def colours(content: bytes, decoded: Decoded) -> Rgb | None:
    """Return the upright pixels in colour; None if the scan is grey, or is sent in grey.

    The file was decoded without errors, but what its colours are may be unknown to other decoders: then it is sent in
    grey, too.
    """
    if decoded.width * decoded.height > _LARGEST:
        return None
    try:
        pixels = _jpeg(content, decoded) if decoded.image.kind == "jpeg" else _pillow(content, decoded)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - decoders let many kinds of error out, and the grey pixels are known
        return None
    if pixels is None or not _has_colour(pixels):
        return None
    upright = turn(pixels, decoded.orientation)
    return upright if upright.shape[:2] == (decoded.height, decoded.width) else None


def _is_transparent(png: bytes) -> bool:
    return any(chunk.kind == png_chunks.TRANSPARENCY for chunk in png_chunks.chunks(png))


def _jpeg(jpeg: bytes, decoded: Decoded) -> Rgb | None:
    if decoded.image.components != 3:  # noqa: PLR2004 - colours
        return None
    if decoded.warnings:
        jpeg = jpeg_markers.rebuilt(jpeg, jpeg_markers.walk(jpeg))
    pixels: Rgb = simplejpeg.decode_jpeg(jpeg, "RGB")  # type: ignore[attr-defined]
    return pixels


def _pillow(content: bytes, decoded: Decoded) -> Rgb | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image: Image.Image
        if decoded.image.kind == "png":
            image = PngImageFile(io.BytesIO(png_chunks.plain(content)))
        else:
            image = StoredTiff(io.BytesIO(content))
            image.seek(decoded.image.page)
        with image:
            if image.mode not in _COLOURED or "transparency" in image.info:
                return None
            image.load()
            # Pillow's size of a TIFF is that of the upright image; that of its copy is that of the stored pixels.
            return np.asarray(image.copy().convert("RGB"))


def _has_colour(pixels: Rgb) -> bool:
    some = pixels[::_STEP, ::_STEP].astype(np.int16)
    spread = some.max(axis=2) - some.min(axis=2)
    return bool(np.count_nonzero(spread > _COLOURFUL) >= _FEWEST * spread.size)
