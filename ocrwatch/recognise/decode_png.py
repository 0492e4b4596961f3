"""Decodes PNG bytes to upright grey pixels."""

from __future__ import annotations

import io
import warnings
import zlib
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from ocrwatch import png_chunks
from ocrwatch.document import StoredImage
from ocrwatch.errors import Damaged, ScanFault, Truncated
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
from ocrwatch.recognise.gray_pixels import gray_pixels

_FIRST: Final = len(png_chunks.SIGNATURE) + 25
"""Bytes up to the end of the image header."""

_NO_END: Final = "the PNG has no end marker (IEND)"
_TOO_FEW_ROWS: Final = "the image data has fewer rows than the header says"


def decode_png(png: bytes, *, max_pixels: int) -> Decoded:
    """Decode a PNG file, of an animation its first image; see :func:`ocrwatch.recognise.decode.decode`.

    Raises Truncated, Damaged, Unsupported or TooLarge, and besides them only MemoryError.
    """
    header = png_chunks.header(png)
    if header is None:
        raise _fault("its header is damaged", whole=len(png) >= _FIRST)
    check_pixels(header.width, header.height, max_pixels)
    found = list(png_chunks.chunks(png))
    whole = found[-1].kind == png_chunks.END
    if any(not chunk.is_sound(png) for chunk in found if chunk.is_needed):
        # Pillow does not check that of the pixels.
        raise Damaged("the image data is damaged (a wrong checksum)", RESCAN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Image.open has a lower pixel limit than ours.
            with PngImageFile(io.BytesIO(png_chunks.plain(png))) as image:
                image.load()
                # Decompressing the data once more takes a sixth of the time of a page in colour at 600 dpi.
                if (header.interlaced or _ends_in_zeros(image)) and not png_chunks.has_all_pixels(png):
                    raise _fault(_TOO_FEW_ROWS, whole=whole)
                pixels = gray_pixels(image)
        except (MemoryError, ScanFault):
            raise
        except Exception as error:  # noqa: BLE001 - Pillow lets many kinds of error out
            raise _fault(_damage(png, error), whole=whole) from None
    dpi, orientation = credible_dpi(png_chunks.resolution(png)), _orientation(png)
    size = upright_size(header.width, header.height, orientation)
    stored = StoredImage(
        "png",
        header.width,
        header.height,
        png_chunks.COMPONENTS.get(header.colour, 1),
        header.depth,
        progressive=header.interlaced,
    )
    return Decoded(turn(pixels, orientation), *size, 1, dpi, orientation, () if whole else (_NO_END,), stored)


def _ends_in_zeros(image: Image.Image) -> bool:
    """Return whether the last row has zeros alone, as rows have that are missing and that Pillow fills.

    Rows come in their order, and Pillow takes none of which a part is missing.
    """
    width, height = image.size
    return not any(image.crop((0, height - 1, width, height)).tobytes())


def _damage(png: bytes, error: Exception) -> str:
    """Return what is wrong with a PNG whose pixels Pillow cannot load, for which it gave this ``error``."""
    try:
        if not png_chunks.has_all_pixels(png):
            return _TOO_FEW_ROWS
    except zlib.error as found:
        error = found
    return f"the image data is damaged ({error})"


def _orientation(png: bytes) -> int:
    """Return the EXIF orientation; 1 if there is none that can be read: metadata is never worth a scan."""
    metadata = Image.Exif()
    try:
        metadata.load(png_chunks.exif(png))
        return orientation_of(metadata.get(ORIENTATION))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - Pillow lets many kinds of error out
        return 1


def _fault(what: str, *, whole: bool) -> ScanFault:
    return Damaged(what, RESCAN) if whole else Truncated("the PNG ends early: a part of the image is missing", RESCAN)
