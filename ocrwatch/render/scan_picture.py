"""The scan as a grey picture of limited size, upright, for formats that draw on it."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageChops, ImageStat
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from ocrwatch import jpeg_markers, png_chunks
from ocrwatch.document import Page
from ocrwatch.magic import HEAD, ImageKind, image_kind
from ocrwatch.pillow_images import SIXTEEN_BITS, TRANSPARENT, of_sixteen_bits, tiff_page

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation."""

_FIRST_SIDEWAYS: Final = 5
"""The EXIF orientations from this one on exchange width and height."""

_OPAQUE: Final = 255
_LIGHT: Final = 128.0
_MOSTLY: Final = 0.5


def scan_picture(page: Page, content: bytes, width: int, height: int) -> Image.Image | None:
    """Return a scan that has been read, in grey and scaled to a size; None if Pillow cannot show it.

    The decoders of recognition are more lenient than Pillow with files that break their standard.
    """
    size = (height, width) if page.orientation >= _FIRST_SIDEWAYS else (width, height)
    try:
        stored = _stored(content, 0 if page.image is None else page.image.page, size)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever Pillow raises
        return None
    turn = _TURNS.get(page.orientation)
    return stored if turn is None else stored.transpose(turn)


def _stored(content: bytes, number: int, size: tuple[int, int]) -> Image.Image:
    """Return the stored image in grey, scaled to ``size``."""
    kind = image_kind(content[:HEAD])
    if kind is ImageKind.JPEG:
        return _scaled(_jpeg(content, size), size)
    if kind is ImageKind.PNG:
        png = PngImageFile(io.BytesIO(png_chunks.plain(content)))
        png.load()
        return _scaled(png, size)
    tiff, stored = tiff_page(content, number)
    if stored.mode in SIXTEEN_BITS:
        stored = of_sixteen_bits(stored, tiff.used_bits, is_inverted=tiff.is_white_zero)
    return _scaled(stored, size)


def _jpeg(jpeg: bytes, size: tuple[int, int]) -> Image.Image:
    structure = jpeg_markers.walk(jpeg)
    if structure.odd or structure.lines:
        jpeg = jpeg_markers.rebuilt(jpeg, structure)
    # With an end marker after it, what is missing is grey instead of an error.
    image = JpegImageFile(io.BytesIO(jpeg + jpeg_markers.EOI))
    # Decoded in grey, and at a half, a quarter or an eighth of its size if that is enough.
    image.draft("L", size)
    image.load()
    return image


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an image in grey and scaled, on paper if it is transparent."""
    is_keyed = "transparency" in image.info and image.mode not in SIXTEEN_BITS
    if image.mode in TRANSPARENT or is_keyed:
        return _on_paper(image.convert("RGBA").resize(size, Image.Resampling.BOX))
    if image.mode in {*SIXTEEN_BITS, "I"}:
        image = image.convert("I").point(lambda value: value * (1 / 256))
    grey = image.getchannel("L") if image.mode == "LAB" else image.convert("L")
    return grey.resize(size, Image.Resampling.BOX)


def _on_paper(image: Image.Image) -> Image.Image:
    """Put an image with transparency on white; on black if it is light print, as recognition does."""
    grey, opacity = image.convert("RGB").convert("L"), image.getchannel("A")
    (covered,) = ImageStat.Stat(opacity).mean
    (brightness,) = ImageStat.Stat(ImageChops.multiply(grey, opacity)).mean
    is_light_print = 0 < covered < _MOSTLY * _OPAQUE and brightness / covered * _OPAQUE > _LIGHT
    paper = Image.new("L", image.size, 0 if is_light_print else _OPAQUE)
    return Image.composite(grey, paper, opacity)
