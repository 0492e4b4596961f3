"""Decodes JPEG bytes to upright grey pixels.

Damaged data raises an error; it never becomes a half-grey page that is read as text.
"""

from __future__ import annotations

import io
import warnings

from PIL.JpegImagePlugin import JpegImageFile

from ocrwatch import jpeg_markers
from ocrwatch.document import StoredImage
from ocrwatch.errors import Damaged, ScanFault, Truncated, Unsupported
from ocrwatch.recognise.decoded import (
    ORIENTATION,
    RESCAN,
    Decoded,
    check_pixels,
    credible_dpi,
    orientation_of,
    turn,
    upright_size,
)
from ocrwatch.recognise.extra_images import extra_pages_warning
from ocrwatch.recognise.jpeg_scans import is_complete
from ocrwatch.recognise.lenient_decoder import decode_leniently, is_plain
from ocrwatch.recognise.strict_decoder import DecoderError

_CONVERT = "save the image as a baseline JPEG with 8 bits a channel"

_DECODABLE = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""SOF markers of baseline, extended and progressive images, with Huffman or arithmetic coding. Lossless, hierarchical
and JPEG-LS images are not supported."""

_BITS = 8
_CHANNELS = (1, 3, 4)
"""Grey, YCbCr or RGB, YCCK or CMYK."""


def decode_jpeg(jpeg: bytes, *, max_pixels: int, reduce_from: int | None = None) -> Decoded:
    """Decode the first image of a JPEG file; see :func:`ocrwatch.recognise.decode.decode`.

    An image that must be turned is not reduced: its odd last column would shift the pixels by half a pixel. CMYK and
    YCCK are treated as inverted, which is how all software writes them.

    Raises Truncated, Damaged, Unsupported or TooLarge, and besides them only MemoryError.
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
    width, height = upright_size(width, height, orientation)
    return Decoded(
        turn(pixels, orientation), width, height, reduction, dpi, orientation, noticed, _stored(structure, jpeg)
    )


def _stored(structure: jpeg_markers.Structure, jpeg: bytes) -> StoredImage:
    frame = structure.sure_frame
    return StoredImage(
        "jpeg",
        frame.width,
        structure.height,
        frame.components,
        frame.precision,
        progressive=frame.process in jpeg_markers.PROGRESSIVE,
        adobe_transform=jpeg_markers.adobe_transform(jpeg, structure),
    )


def _check(jpeg: bytes, structure: jpeg_markers.Structure, max_pixels: int) -> None:
    """Raise errors that the structure alone shows.

    These are: no image, an unsupported kind of JPEG, too many pixels, or missing scans.
    """
    frame = structure.frame
    if frame is not None and (kind := _unsupported(frame)):
        raise Unsupported(f"the image is {kind}, which cannot be decoded", _CONVERT)
    if frame is None or structure.scan is None:
        if structure.cut or frame is None:
            raise Truncated("the JPEG ends early, before its image begins", RESCAN)
        raise Damaged("the image's header is damaged", RESCAN)
    if structure.height == 0 or frame.width == 0:
        raise Damaged("the image's header gives no height or width, nor does a marker after the image", RESCAN)
    check_pixels(frame.width, structure.height, max_pixels)
    if not is_complete(jpeg, structure):
        raise Truncated("the JPEG ends early: some scans of the image are missing", RESCAN)


def _metadata(jpeg: bytes) -> tuple[float | None, int]:
    """Return resolution and orientation; None and 1 if the metadata is unreadable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Image.open has a lower pixel limit than ours.
            with JpegImageFile(io.BytesIO(jpeg)) as image:
                return credible_dpi(image.info.get("dpi")), orientation_of(image.getexif().get(ORIENTATION))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - Pillow lets many kinds of error out, and metadata is never worth a scan
            return None, 1


def _diagnose(structure: jpeg_markers.Structure, error: DecoderError) -> ScanFault:
    """Return the error for a failed decoding. ``error`` has the decoder's message."""
    if structure.end is None and error.is_premature_end:
        return Truncated("the JPEG ends early: a part of the image is missing", RESCAN)
    return Damaged(f"the image data is damaged ({error})", RESCAN)


def _unsupported(frame: jpeg_markers.Frame) -> str:
    if frame.process not in _DECODABLE:
        return "a lossless or hierarchical JPEG"
    if frame.precision != _BITS:
        return f"a JPEG with {frame.precision} bits a channel"
    if frame.components not in _CHANNELS:
        return f"a JPEG with {frame.components} channels"
    return ""
