"""JPEG bytes to grey pixels the right way up. Damage is an error here, never a half-grey page that is read as text."""

from __future__ import annotations

import io
import math
import re
import warnings
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from ocrwatch.errors import Damaged, NotAJpeg, ScanFault, TooLarge, Truncated, Unsupported
from ocrwatch.magic import HEAD, kind_of
from ocrwatch.recognise import markers
from ocrwatch.recognise.holes import find_hole

Gray = npt.NDArray[np.uint8]
"""Pixels as rows of brightness, H x W, 0 is black."""

CREDIBLE_DPI = (70.0, 2400.0)
"""Resolutions outside are what software writes that does not know; the bounds are Tesseract's own."""

_SCREEN_DPI = (72.0, 96.0)
"""What programs write that have no idea, Pillow among them; no scanner offers either."""

_EXIF_ORIENTATION = 0x0112
_ORIENTATIONS = range(1, 9)
_ON_ITS_SIDE = (5, 6, 7, 8)
_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MAX_SURPLUS = 64
_HOLE = bytes(64)
_LONGEST_BLANK_PATTERN = 16

_RESCAN = "scan the page again, or copy the file again from where it came from"
_CONVERT = "save the image as a baseline JPEG with 8 bits a channel"

_DECODABLE = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Baseline, extended and progressive, Huffman or arithmetic: not lossless, hierarchical or JPEG-LS."""

_BITS = 8
_CHANNELS = (1, 3, 4)
"""Grey, YCbCr or RGB, YCCK or CMYK."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A scan's pixels, upright."""

    gray: Gray
    width: int
    """Pixels of the original, upright, however much smaller ``gray`` is."""
    height: int
    reduction: int
    """Original pixels to one of ``gray``, along each axis: 1 or 2."""
    dpi: float | None
    """As the scan declares them, for the original's pixels; None where it does not, or not credibly."""
    orientation: int
    """EXIF orientation, 1 to 8, already applied to the pixels."""
    warnings: tuple[str, ...]


def decode(jpeg: bytes, *, max_pixels: int, reduce_from: int | None = None) -> Decoded:
    """Decode the first image of a JPEG file.

    ``max_pixels`` limits width x height and is checked before any pixel is decoded. Where the long side has at least
    ``reduce_from`` pixels, the decoder halves the image on the way, in half the time; None never does. An image that
    has to be turned is not reduced, as its odd last column would then shift the pixels by half of one.

    CMYK and YCCK are taken as inverted, which is how every program writes them.

    Raises NotAJpeg, Truncated, Damaged, Unsupported or TooLarge, and besides them only MemoryError.
    """
    try:
        return _decode(jpeg, max_pixels=max_pixels, reduce_from=reduce_from)
    except Damaged:
        # Strict decoding takes libjpeg's every warning for damage, also of header fields that it can do without.
        tidy = markers.tidied(jpeg)
        if tidy == jpeg:
            raise
    decoded = _decode(tidy, max_pixels=max_pixels, reduce_from=reduce_from)
    return replace(decoded, warnings=("header fields that no standard knows", *decoded.warnings))


def turn(pixels: Gray, orientation: int) -> Gray:
    """Apply an EXIF orientation (CIPA DC-008, tag 274), 1 to 8; the result is contiguous."""
    if orientation in _ON_ITS_SIDE:
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _decode(jpeg: bytes, *, max_pixels: int, reduce_from: int | None) -> Decoded:
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)  # type: ignore[attr-defined]
    except ValueError as error:
        raise _diagnose(jpeg, str(error)) from None
    except KeyError:
        # It has no name for every colour subsampling that libjpeg-turbo knows, such as 4:4:1.
        frame = markers.walk(jpeg).frame
        if frame is None:
            raise _diagnose(jpeg, "no frame header") from None
        height, width = frame.height, frame.width
    width, height = int(width), int(height)
    if width * height > max_pixels:
        raise TooLarge(
            f"the image has {width} x {height} pixels, more than the limit of {max_pixels}",
            "scan at a lower resolution, or raise enhance.max_pixels if there is memory for it",
        )
    if (hole := find_hole(jpeg, markers.walk(jpeg))) is not None:
        raise Damaged(f"a part of the image data is missing: there are only zeros from byte {hole:,} on", _RESCAN)
    dpi, orientation = _metadata(jpeg)
    halve = reduce_from is not None and max(width, height) >= reduce_from and orientation == 1
    reduction = 2 if halve else 1
    pixels, noticed = _pixels(jpeg, min_width=math.ceil(width / reduction), min_height=math.ceil(height / reduction))
    if orientation in _ON_ITS_SIDE:
        width, height = height, width
    return Decoded(turn(pixels, orientation), width, height, reduction, dpi, orientation, noticed)


def _pixels(jpeg: bytes, *, min_width: int, min_height: int) -> tuple[Gray, tuple[str, ...]]:
    """Decode strictly; the pixels and what is worth a warning."""

    def decoded(*, strict: bool) -> Gray:
        pixels: Gray = simplejpeg.decode_jpeg(  # type: ignore[attr-defined]
            jpeg, "GRAY", min_width=min_width, min_height=min_height, strict=strict
        )
        return pixels[:, :, 0]

    try:
        return decoded(strict=True), ()
    except KeyError:
        raise Unsupported("the image's colours are subsampled in a way that cannot be decoded", _CONVERT) from None
    except ValueError as error:
        surplus = _SURPLUS.search(str(error))
        if surplus is None or not _harmless(jpeg, int(surplus[1])):
            raise _diagnose(jpeg, str(error)) from None
    # Strict decoding stops at the first complaint, and this one comes at the very end: nothing else is hidden.
    return decoded(strict=False), (f"{surplus[1]} surplus bytes after the last row of the image",)


def _harmless(jpeg: bytes, surplus: int) -> bool:
    """Whether bytes left over between the picture's last row and the end marker are only the encoder's.

    Some scanners write a few blank blocks too many. But damage leaves bytes over as well: the decoder finds its way
    back into step after losing some blocks. It is taken for the encoder's where there are few bytes, where they only
    repeat one blank block, and where no zero-filled hole lies in the data. Of scans damaged on purpose, this accepts
    none with a hole of 200 bytes or more and none cut in half; of single flipped bits, most of which leave no trace
    that any decoder sees, it accepts one in thirty.
    """
    structure = markers.walk(jpeg)
    if structure.scan is None or structure.end is None or surplus > _MAX_SURPLUS:
        return False
    if jpeg.find(_HOLE, structure.scan, structure.end) >= 0:
        return False
    # The last byte is filled up with ones, so that it need not match.
    tail = jpeg[max(structure.scan, structure.end - surplus - _MAX_SURPLUS) : structure.end - 1]
    return any(tail[period:] == tail[:-period] for period in range(1, _LONGEST_BLANK_PATTERN + 1))


def _metadata(jpeg: bytes) -> tuple[float | None, int]:
    """Resolution and orientation; unknown and upright where the metadata is unreadable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Not Image.open: its own pixel limit is lower than ours.
            with JpegImageFile(io.BytesIO(jpeg)) as image:
                return _credible(image.info.get("dpi")), _orientation(image.getexif().get(_EXIF_ORIENTATION))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - Pillow lets many kinds of error out, and metadata is never worth a scan
            return None, 1


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and value in _ORIENTATIONS else 1


def _credible(dpi: object) -> float | None:
    """One figure for both axes, or None where it is missing, incredible, or not the same for both."""
    if not isinstance(dpi, tuple):
        return None
    across, down = map(float, dpi)
    lowest, highest = CREDIBLE_DPI
    square = math.isclose(across, down, rel_tol=0.05)
    return across if square and lowest <= across <= highest and across not in _SCREEN_DPI else None


def _diagnose(jpeg: bytes, reason: str) -> ScanFault:
    """Why this could not be decoded, by its structure; ``reason`` is the decoder's own word."""
    if not jpeg:
        return Truncated("the file is empty", _RESCAN)
    if not jpeg.startswith(markers.SOI):
        return NotAJpeg(f"the file is {kind_of(jpeg[:HEAD])}, not a JPEG", "set the scanner to save JPEG files")
    structure = markers.walk(jpeg)
    if structure.frame is not None and (kind := _unsupported(structure.frame)):
        return Unsupported(f"the image is {kind}, which cannot be decoded", _CONVERT)
    if structure.intact and structure.end is None:
        return Truncated("the file ends before the image does", _RESCAN)
    if structure.scan is not None and "subsampling" in reason:  # all that libjpeg-turbo says of headers it rejects
        return Damaged("the image's header is damaged, or its colour subsampling is unusual", _RESCAN)
    return Damaged(f"the image data is damaged ({reason})", _RESCAN)


def _unsupported(frame: markers.Frame) -> str:
    if frame.process not in _DECODABLE:
        return "a lossless or hierarchical JPEG"
    if frame.precision != _BITS:
        return f"a JPEG with {frame.precision} bits a channel"
    if frame.components not in _CHANNELS:
        return f"a JPEG with {frame.components} channels"
    if frame.height == 0:
        return "a JPEG that gives its height only at its end"
    return ""
