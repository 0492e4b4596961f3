"""Decodes a scan's bytes to upright grey pixels.

Damaged data raises an error; it never becomes a half-grey page that is read as text.
"""

from __future__ import annotations

from ocrwatch.errors import Truncated
from ocrwatch.magic import HEAD, ImageKind, image_kind, may_become_image, other_format
from ocrwatch.recognise.decode_jpeg import decode_jpeg
from ocrwatch.recognise.decode_png import decode_png
from ocrwatch.recognise.decode_tiff import decode_tiff
from ocrwatch.recognise.decoded import CREDIBLE_DPI, RESCAN, Decoded, turn
from ocrwatch.recognise.strict_decoder import Gray

__all__ = ["CREDIBLE_DPI", "Decoded", "Gray", "decode", "turn"]


def decode(data: bytes, *, max_pixels: int, reduce_from: int | None = None) -> Decoded:
    """Decode the first image of a JPEG, PNG or TIFF file.

    ``max_pixels`` limits width x height and is checked before any pixel is decoded. If the long side has at least
    ``reduce_from`` pixels, a decoder may halve the image if that takes less time; with None it never does.

    Raises OtherFormat, Truncated, Damaged, Unsupported or TooLarge, and besides them only MemoryError.
    """
    match image_kind(data[:HEAD]):
        case ImageKind.JPEG:
            return decode_jpeg(data, max_pixels=max_pixels, reduce_from=reduce_from)
        case ImageKind.PNG:
            return decode_png(data, max_pixels=max_pixels)
        case ImageKind.TIFF:
            return decode_tiff(data, max_pixels=max_pixels)
        case ImageKind.PDF:
            raise other_format(data[:HEAD])
    if may_become_image(data[:HEAD]):
        raise Truncated("the file ends early: none of its data is there" if data else "the file is empty", RESCAN)
    raise other_format(data[:HEAD])
