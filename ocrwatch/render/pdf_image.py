"""The image of a PDF page, without loss: a JPEG or a plain PNG as it is stored, any other image encoded anew."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, replace
from typing import Final, Literal

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from ocrwatch import jpeg_markers, png_chunks
from ocrwatch.magic import HEAD, ImageKind, image_kind
from ocrwatch.pillow_images import SIXTEEN_BITS, TRANSPARENT, group_4_strips, of_sixteen_bits, tiff_page

_ARITHMETIC: Final = frozenset({0xC9, 0xCA})
"""Processes that PDF does not have (ISO 32000-1, 7.4.8)."""

_PNG_PREDICTOR: Final = 15
_PNG_COLOURS: Final = {png_chunks.GREY: 1, png_chunks.RGB: 3, png_chunks.INDEXED: 1}
_STORABLE: Final = frozenset({"L", "P", "RGB", "I;16"})
"""Modes that PNG has."""

_LEVEL: Final = 3
"""zlib's level. 6 takes twice the time and saves some hundredths."""


@dataclass(frozen=True, slots=True)
class PdfImage:
    """An image in one of PDF's encodings (ISO 32000-1, 7.4 and 8.9.5)."""

    data: bytes
    width: int
    """Stored pixels."""
    height: int
    encoding: Literal["DCTDecode", "FlateDecode", "CCITTFaxDecode"]
    components: int
    """1 grey or an index, 3 colour, 4 CMYK."""
    bits: int = 8
    palette: bytes = b""
    """RGB values of the indices; empty without a palette."""
    predictor: int = 1
    """Of FlateDecode; 1 for none."""
    is_inverted: bool = False
    """Whether 0 is the most ink."""
    mask: PdfImage | None = None
    """Opacity."""
    keyed: tuple[int, ...] = ()
    """The samples of the one colour that is transparent; empty if there is none."""


def pdf_image(content: bytes, page: int) -> PdfImage:
    """Return the image of a scan that has been read; ``page`` is its number in a TIFF.

    An image that is no JPEG is encoded losslessly. Raises what Pillow raises for files that cannot be read.
    """
    kind = image_kind(content[:HEAD])
    if kind is ImageKind.JPEG:
        return _jpeg(content)
    if kind is ImageKind.PNG:
        return _png(content) or _recoded(PngImageFile(io.BytesIO(png_chunks.plain(content))))
    return _tiff(content, page)


def _jpeg(jpeg: bytes) -> PdfImage:
    structure = jpeg_markers.walk(jpeg)
    frame, height = structure.sure_frame, structure.height
    # Viewers are stricter than our decoder with what stands before the image data.
    is_plain = structure.end is not None and not structure.odd and not structure.lines
    mended = jpeg if is_plain else jpeg_markers.rebuilt(jpeg, structure)
    if frame.process in _ARITHMETIC:
        return _recoded(JpegImageFile(io.BytesIO(mended)))
    # All software writes CMYK inverted, as Adobe's does.
    is_cmyk = frame.components == 4  # noqa: PLR2004
    return PdfImage(mended, frame.width, height, "DCTDecode", frame.components, is_inverted=is_cmyk)


def _png(png: bytes) -> PdfImage | None:
    """Return a PNG whose data PDF can hold as it is; None for others (interlaced, transparent)."""
    header = png_chunks.header(png)
    found = list(png_chunks.chunks(png))
    if header is None or header.interlaced or header.colour not in _PNG_COLOURS:
        return None
    transparent = next((chunk.of(png) for chunk in found if chunk.kind == png_chunks.TRANSPARENCY), b"")
    if transparent and header.colour == png_chunks.INDEXED:
        return None
    keyed = struct.unpack(f"!{len(transparent) // 2}H", transparent[: len(transparent) // 2 * 2])
    data = b"".join(chunk.of(png) for chunk in found if chunk.kind == png_chunks.DATA)
    is_indexed = header.colour == png_chunks.INDEXED
    palette = next((chunk.of(png) for chunk in found if is_indexed and chunk.kind == png_chunks.PALETTE), b"")
    if is_indexed and not palette:
        return None
    components = _PNG_COLOURS[header.colour]
    return PdfImage(
        data,
        header.width,
        header.height,
        "FlateDecode",
        components,
        header.depth,
        palette,
        _PNG_PREDICTOR,
        keyed=keyed if len(keyed) == components else (),
    )


def _tiff(content: bytes, page: int) -> PdfImage:
    tiff, stored = tiff_page(content, page)
    if stored.mode in SIXTEEN_BITS:
        return _as_png(of_sixteen_bits(stored, tiff.used_bits, is_inverted=tiff.is_white_zero).convert("I;16"))
    return _recoded(stored)


def _recoded(image: Image.Image) -> PdfImage:
    image.load()
    is_keyed = "transparency" in image.info and image.mode not in SIXTEEN_BITS
    if image.mode in TRANSPARENT or is_keyed:
        whole = image.convert("RGBA")
        colour = _recoded(whole.convert("RGB"))
        mask = _recoded(whole.getchannel("A"))
        return replace(colour, mask=mask)
    if image.mode == "1":
        return _fax(image)
    if image.mode == "CMYK":
        return PdfImage(zlib.compress(image.tobytes(), _LEVEL), image.width, image.height, "FlateDecode", 4)
    if image.mode not in _STORABLE or (image.mode == "P" and not image.getpalette()):
        image = image.convert("RGB")
    return _as_png(image)


def _as_png(image: Image.Image) -> PdfImage:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_LEVEL)
    made = _png(file.getvalue())
    if made is None:
        raise ValueError(f"Pillow saves {image.mode} as a PNG that is not plain")
    return made


def _fax(image: Image.Image) -> PdfImage:
    """Encode black and white by ITU-T T.6 (Group 4)."""
    (codes,) = group_4_strips(image, image.height)
    return PdfImage(codes, image.width, image.height, "CCITTFaxDecode", 1, 1, is_inverted=True)
