"""Checks whether the data of a PDF's image are whole: pdfium decodes what it can, and leaves the rest blank."""

from __future__ import annotations

import ctypes
import zlib
from typing import Any, Final

import numpy as np
import pypdfium2.raw as pdfium

from ocrwatch.deflate_streams import inflate
from ocrwatch.errors import Damaged, OtherFormat, ScanFault, Truncated
from ocrwatch.recognise.decode import decode
from ocrwatch.splitting import fax_codes, jbig2_segments
from ocrwatch.splitting.pdf_document import PdfPage, Pixels
from ocrwatch.splitting.pdf_objects import ShownImage

JPEG: Final = frozenset({b"DCTDecode", b"DCT"})
_DEFLATE: Final = frozenset({b"FlateDecode", b"Fl"})
_FAX: Final = frozenset({b"CCITTFaxDecode", b"CCF"})
_BYTES: Final = frozenset({
    b"LZWDecode", b"LZW", b"RunLengthDecode", b"RL", b"ASCII85Decode", b"A85", b"ASCIIHexDecode", b"AHx", b"Crypt",
}) | _DEFLATE  # fmt: skip
"""Filters whose output is the samples of an image."""

_COMPONENTS: Final = {
    pdfium.FPDF_COLORSPACE_DEVICERGB: 3, pdfium.FPDF_COLORSPACE_CALRGB: 3, pdfium.FPDF_COLORSPACE_LAB: 3,
    pdfium.FPDF_COLORSPACE_DEVICECMYK: 4,
}  # fmt: skip
"""Of a pixel, if not 1, or unknown."""

_LONGEST_PIXEL: Final = 32
"""Bytes of a pixel beyond which data are not inflated: 16 components of 16 bits."""
_LONGEST_NAME: Final = 32

_MOST_OF_BLANK: Final = 1024
"""Compressed bytes of the data of an image of one colour: A4 at 300 dpi has 151 as Group 4, 271 as Group 3 and 302 as
JPEG 2000. Those of print cannot be compressed any further."""

_JBIG2: Final = b"JBIG2Decode"

_HOLE: Final = bytes(256)
_HOLE_IN_JBIG2: Final = bytes(32)
"""Zeros that no compressed data have: a part of a file that was not copied, or not read from a disk. JPEG 2000 has one
for each blank part of a page."""
_CODESTREAM_END: Final = b"\xff\xd9"
"""Of JPEG 2000; zeros may follow."""

NOTE: Final = "an image of the page is damaged: a part of its text may be missing"
UNKNOWN_NOTE: Final = "an image of the page is of a kind that cannot be decoded: its text is missing"


def filters_of(image: ShownImage) -> tuple[bytes, ...]:
    """Return the names of the filters of an image's data, in the order of decoding."""
    found = []
    for index in range(pdfium.FPDFImageObj_GetImageFilterCount(image.handle)):
        name = ctypes.create_string_buffer(_LONGEST_NAME)
        pdfium.FPDFImageObj_GetImageFilter(image.handle, index, name, len(name))
        found.append(name.value)
    return tuple(found)


def raw_data(image: ShownImage) -> bytes:
    """Return the data of an image as they are in the file, but decrypted."""
    size = pdfium.FPDFImageObj_GetImageDataRaw(image.handle, None, 0)
    data = ctypes.create_string_buffer(size)
    pdfium.FPDFImageObj_GetImageDataRaw(image.handle, data, size)
    return data.raw


def doubt_of(page: PdfPage, image: ShownImage, max_pixels: int) -> str:
    """Return a note if an image is damaged or cannot be decoded; an empty text if it seems to be whole."""
    filters = filters_of(image)
    if _BYTES.issuperset(filters):
        is_whole = _has_all_samples(page, image, filters)
    elif len(filters) == 1 and filters[0] in JPEG:
        return "" if _is_whole_jpeg(raw_data(image), max_pixels) else NOTE
    else:
        is_whole = True
    pixels = _bitmap(image)
    if pixels is None:
        return UNKNOWN_NOTE
    if is_whole and not _BYTES.issuperset(filters):
        is_whole = _shows_all_data(raw_data(image), pixels, filters)
    return "" if is_whole else NOTE


def _has_all_samples(page: PdfPage, image: ShownImage, filters: tuple[bytes, ...]) -> bool:
    """Return whether data without a format of their own are enough for the pixels, and end where they should."""
    facts = pdfium.FPDF_IMAGEOBJ_METADATA()
    pdfium.FPDFImageObj_GetImageMetadata(image.handle, page.handle, facts)
    if len(filters) == 1 and filters[0] in _DEFLATE:
        found = inflate(raw_data(image), (_LONGEST_PIXEL * image.width + 1) * image.height)
        if not found.is_ended:
            return False
        size = found.size
    else:
        size = pdfium.FPDFImageObj_GetImageDataDecoded(image.handle, None, 0)
    # pdfium does not tell the bits of a sample if there are more than 1; a predictor adds a byte to each row.
    bits = (1,) if facts.bits_per_pixel == 1 else (8, 4, 2, 1)
    components = _COMPONENTS.get(facts.colorspace, 1)
    needed = [image.height * -(-image.width * components * each // 8) for each in bits]
    return size >= needed[0] or any(each <= size <= each + 2 * image.height for each in needed)


def _is_whole_jpeg(jpeg: bytes, max_pixels: int) -> bool:
    """Return whether the decoder of scans finds no damage; it may refuse a JPEG for other reasons."""
    try:
        decode(jpeg, max_pixels=max_pixels)
    except (Damaged, OtherFormat, Truncated):
        return False
    except ScanFault:
        return True
    return True


def _bitmap(image: ShownImage) -> Pixels | None:
    """Return the pixels of an image, height x width x bytes; None if pdfium cannot decode it."""
    bitmap = pdfium.FPDFImageObj_GetBitmap(image.handle)
    if not bitmap:
        return None
    try:
        height, stride = pdfium.FPDFBitmap_GetHeight(bitmap), pdfium.FPDFBitmap_GetStride(bitmap)
        width, depth = pdfium.FPDFBitmap_GetWidth(bitmap), _depth(bitmap)
        buffer = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    rows = np.frombuffer(buffer, np.uint8).reshape(height, stride)
    return rows[:, : width * depth].reshape(height, width, depth)


def _depth(bitmap: Any) -> int:
    """Return the bytes of a pixel."""
    return {pdfium.FPDFBitmap_Gray: 1, pdfium.FPDFBitmap_BGR: 3}.get(pdfium.FPDFBitmap_GetFormat(bitmap), 4)


def _shows_all_data(data: bytes, pixels: Pixels, filters: tuple[bytes, ...]) -> bool:
    """Return whether the pixels are all that can be in the data, as far as can be told.

    Of formats but those of faxes, only what was left out, or an image of one colour whose data are those of print.
    """
    is_blank = bool(pixels.min() == pixels.max())
    if is_blank:
        return len(zlib.compress(data, 1)) <= _MOST_OF_BLANK
    if filters[-1] in _FAX:
        return fax_codes.shows_all(data, pixels)
    if filters == (_JBIG2,):
        return jbig2_segments.is_whole(data) and _HOLE_IN_JBIG2 not in data
    used = data.rstrip(b"\0")
    return _HOLE not in (used if used.endswith(_CODESTREAM_END) else data)
