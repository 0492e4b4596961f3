"""Decodes JPEG bytes to upright grey pixels.

Damaged data raises an error; it never becomes a half-grey page that is read as text.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from ocrwatch import jpeg_markers
from ocrwatch.errors import Damaged, ScanFault, TooLarge, Truncated, Unsupported
from ocrwatch.magic import HEAD, not_a_jpeg
from ocrwatch.recognise.extra_images import extra_pages_warning
from ocrwatch.recognise.jpeg_scans import is_complete
from ocrwatch.recognise.lenient_decoder import decode_leniently, is_plain
from ocrwatch.recognise.strict_decoder import DecoderError, Gray

__all__ = ["CREDIBLE_DPI", "Decoded", "Gray", "decode", "turn"]

CREDIBLE_DPI = (70.0, 2400.0)
"""Lowest and highest plausible resolution in dpi, as in Tesseract. Software that does not know it writes other
values."""

_SCREEN_DPI = (72.0, 96.0)
"""Resolutions that software writes by default, among it Pillow. No scanner offers either."""

_EXIF_ORIENTATION = 0x0112
_ORIENTATIONS = range(1, 9)
_ON_ITS_SIDE = (5, 6, 7, 8)
_RESCAN = "scan the page again, or copy the file again from where it came from"
_CONVERT = "save the image as a baseline JPEG with 8 bits a channel"

_DECODABLE = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""SOF markers of baseline, extended and progressive images, with Huffman or arithmetic coding. Lossless, hierarchical
and JPEG-LS images are not supported."""

_BITS = 8
_CHANNELS = (1, 3, 4)
"""Grey, YCbCr or RGB, YCCK or CMYK."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A scan's pixels, upright."""

    gray: Gray
    width: int
    """Width of the upright original in pixels, however much smaller ``gray`` is."""
    height: int
    reduction: int
    """Pixels of the original to one of ``gray``, along each axis: 1 or 2."""
    dpi: float | None
    """Resolution of the original as declared by the file; None if it is missing or implausible."""
    orientation: int
    """EXIF orientation, 1 to 8, already applied to the pixels."""
    warnings: tuple[str, ...]


def decode(jpeg: bytes, *, max_pixels: int, reduce_from: int | None = None) -> Decoded:
    """Decode the first image of a JPEG file.

    ``max_pixels`` limits width x height and is checked before any pixel is decoded. If the long side has at least
    ``reduce_from`` pixels, the decoder halves the image, which takes half the time; with None it never does. An image
    that must be turned is not reduced: its odd last column would shift the pixels by half a pixel.

    CMYK and YCCK are treated as inverted, which is how all software writes them.

    Raises NotAJpeg, Truncated, Damaged, Unsupported or TooLarge, and besides them only MemoryError.
    """
    structure = jpeg_markers.walk(jpeg)
    _check(jpeg, structure, max_pixels)
    width, height = structure.sure_frame.width, structure.height
    plain = is_plain(structure)
    dpi, orientation = _metadata(jpeg if plain else jpeg_markers.rebuilt(jpeg, structure))
    halve = reduce_from is not None and max(width, height) >= reduce_from and orientation == 1
    reduction = 2 if halve else 1
    try:
        pixels, noticed = decode_leniently(jpeg, structure, reduction=reduction, max_pixels=max_pixels)
    except DecoderError as error:
        raise _diagnose(structure, error) from None
    if warning := extra_pages_warning(jpeg, structure):
        noticed = (*noticed, warning)
    if orientation in _ON_ITS_SIDE:
        width, height = height, width
    return Decoded(turn(pixels, orientation), width, height, reduction, dpi, orientation, noticed)


def turn(pixels: Gray, orientation: int) -> Gray:
    """Apply an EXIF orientation, 1 to 8. The result is contiguous.

    CIPA DC-008, tag 274.
    """
    if orientation in _ON_ITS_SIDE:
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _check(jpeg: bytes, structure: jpeg_markers.Structure, max_pixels: int) -> None:
    """Raise errors that the structure alone shows.

    These are: no JPEG, no image, an unsupported kind of JPEG, too many pixels, or missing scans.
    """
    if not any(jpeg[:HEAD]) or jpeg == jpeg_markers.SOI[:1]:
        raise Truncated("the JPEG ends early: none of its data is there" if jpeg else "the file is empty", _RESCAN)
    if not jpeg.startswith(jpeg_markers.SOI):
        raise not_a_jpeg(jpeg[:HEAD])
    frame = structure.frame
    if frame is not None and (kind := _unsupported(frame)):
        raise Unsupported(f"the image is {kind}, which cannot be decoded", _CONVERT)
    if frame is None or structure.scan is None:
        if structure.cut or frame is None:
            raise Truncated("the JPEG ends early, before its image begins", _RESCAN)
        raise Damaged("the image's header is damaged", _RESCAN)
    if structure.height == 0 or frame.width == 0:
        raise Damaged("the image's header gives no height or width, nor does a marker after the image", _RESCAN)
    if frame.width * structure.height > max_pixels:
        raise TooLarge(
            f"the image has {frame.width} x {structure.height} pixels, more than the limit of {max_pixels}",
            "scan at a lower resolution, or raise enhance.max_pixels if there is memory for it",
        )
    if not is_complete(jpeg, structure):
        raise Truncated("the JPEG ends early: some scans of the image are missing", _RESCAN)


def _metadata(jpeg: bytes) -> tuple[float | None, int]:
    """Return resolution and orientation; None and 1 if the metadata is unreadable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Image.open has a lower pixel limit than ours.
            with JpegImageFile(io.BytesIO(jpeg)) as image:
                return _credible(image.info.get("dpi")), _orientation(image.getexif().get(_EXIF_ORIENTATION))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - Pillow lets many kinds of error out, and metadata is never worth a scan
            return None, 1


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and value in _ORIENTATIONS else 1


def _credible(dpi: object) -> float | None:
    """Return the resolution for both axes.

    None if it is missing, implausible, or different for the two axes.
    """
    if not isinstance(dpi, tuple):
        return None
    across, down = map(float, dpi)
    lowest, highest = CREDIBLE_DPI
    square = math.isclose(across, down, rel_tol=0.05)
    return across if square and lowest <= across <= highest and across not in _SCREEN_DPI else None


def _diagnose(structure: jpeg_markers.Structure, error: DecoderError) -> ScanFault:
    """Return the error for a failed decoding. ``error`` has the decoder's message."""
    if structure.end is None and error.is_premature_end:
        return Truncated("the JPEG ends early: a part of the image is missing", _RESCAN)
    return Damaged(f"the image data is damaged ({error})", _RESCAN)


def _unsupported(frame: jpeg_markers.Frame) -> str:
    if frame.process not in _DECODABLE:
        return "a lossless or hierarchical JPEG"
    if frame.precision != _BITS:
        return f"a JPEG with {frame.precision} bits a channel"
    if frame.components not in _CHANNELS:
        return f"a JPEG with {frame.components} channels"
    return ""
