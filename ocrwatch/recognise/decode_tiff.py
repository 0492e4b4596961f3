"""Decodes TIFF bytes to upright grey pixels: the first page, with Pillow and the libtiff in it."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import Final

from PIL import ImageChops, TiffTags
from PIL.TiffImagePlugin import (
    COMPRESSION,
    COMPRESSION_INFO,
    IMAGELENGTH,
    IMAGEWIDTH,
    JPEGTABLES,
    ROWSPERSTRIP,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    TiffImageFile,
)

from ocrwatch import jpeg_markers
from ocrwatch.deflate_streams import inflate
from ocrwatch.document import StoredImage
from ocrwatch.errors import Damaged, ScanFault, Unsupported
from ocrwatch.pillow_images import StoredTiff, group_4_strips
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
from ocrwatch.recognise.shared_process import is_embedded
from ocrwatch.recognise.strict_decoder import DecoderError, decode_strictly, listening
from ocrwatch.tiff_subfiles import NEW_SUBFILE, OLD_SUBFILE, Subfile, pages_of

_NONE: Final = 1
_OLD_JPEG: Final = 6
"""JPEG as TIFF 6.0 had it, which libtiff reads only in part; technical note 2 replaced it."""

_JPEG: Final = 7
_PLACES: Final = ((STRIPOFFSETS, TILEOFFSETS), (STRIPBYTECOUNTS, TILEBYTECOUNTS))
_DEFLATE: Final = frozenset({8, 32946})
"""Adobe's number, and an older one of libtiff."""
_MOST_TOO_LONG: Final = 2
"""Times as many bytes as needed that are inflated: some writers fill up the last strip."""
_GROUP_4: Final = 4
_AT_LEAST: Final = 0.98
_SLACK: Final = 8
"""Bytes that a strip may end with besides its codes: an end marker, and up to a multiple of 4."""

_LINE_BY_LINE: Final = frozenset({2, 3})
"""Compressions of faxes by ITU-T T.4, in which the next line, or a later one, is decoded rightly again."""

_DAMAGED_LINE: Final = re.compile(r"at line (\d+ of \w+ \d+)")
_MOST_DAMAGED: Final = 0.02
"""Share of the lines of a fax that may be damaged; on paper they look like scratches."""

_MOST_PAGES: Final = 1000
"""Pages that are counted."""

_UNKNOWN_MODE: Final = "unknown pixel mode"
_READ_OUTSIDE: Final = "use the command ocrwatch read, or save it as TIFF with Group 4 compression"
_CONVERT: Final = "save it as TIFF with LZW or Group 4 compression, or as PNG or JPEG"


def decode_tiff(tiff: bytes, *, max_pixels: int) -> Decoded:
    """Decode the first page of a TIFF file; see :func:`ocrwatch.recognise.decode.decode`.

    Raises Damaged, Unsupported or TooLarge, and besides them only MemoryError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Image.open has a lower pixel limit than ours.
            with StoredTiff(io.BytesIO(tiff)) as image:
                found = _choose_page(image)
                _check_compression(image.tag_v2.get(COMPRESSION, _NONE))
                # Pillow's size is that of the upright image.
                width, height = int(image.tag_v2[IMAGEWIDTH]), int(image.tag_v2[IMAGELENGTH])
                check_pixels(width, height, max_pixels)
                orientation = orientation_of(image.tag_v2.get(ORIENTATION))
                dpi = credible_dpi(image.info.get("dpi"))
                noticed = (*_load(image, max_pixels), *_pages_warning(found))
                pixels = gray_pixels(image, bits=image.used_bits, is_inverted=image.is_white_zero)
                stored = StoredImage("tiff", width, height, len(image.getbands()), image.bits, image.tell())
        except (MemoryError, ScanFault):
            raise
        except Exception as error:  # noqa: BLE001 - Pillow lets many kinds of error out
            raise _fault(error) from None
    size = upright_size(width, height, orientation)
    images = found.images if found.is_sure else 0
    return Decoded(turn(pixels, orientation), *size, 1, dpi, orientation, noticed, stored, images)


def _fault(error: Exception) -> ScanFault:
    cause = error.__cause__ if isinstance(error, SyntaxError) else error
    if isinstance(cause, KeyError):
        # A number that Pillow did not find: of a tag, or else of a compression.
        number = cause.args[0] if cause.args else None
        if isinstance(number, int) and TiffTags.lookup(number).name == "unknown":
            return _unknown_compression(number)
    if _UNKNOWN_MODE in str(error):
        return Unsupported("the TIFF has samples of a kind that cannot be decoded", _CONVERT)
    return Damaged(f"the image data is damaged ({error})", RESCAN)


@dataclass(frozen=True, slots=True)
class _Directories:
    """What a file has."""

    images: int
    pages: int
    """Images that are no smaller copies of another, and no masks, at least 1."""
    is_sure: bool
    """Whether there are no more: a page behind a damaged one is not seen."""


def _choose_page(image: TiffImageFile) -> _Directories:
    """Go to the first page, which is no smaller copy of another, and no mask; return what else there is."""
    images: list[Subfile] = []
    is_sure = True
    for number in range(_MOST_PAGES):
        try:
            image.seek(number)
            tags = image.tag_v2
            sizes = int(tags.get(IMAGEWIDTH, 0)), int(tags.get(IMAGELENGTH, 0))
            found = Subfile(*sizes, int(tags.get(NEW_SUBFILE, 0)), int(tags.get(OLD_SUBFILE, 0)))
        except EOFError:
            break
        except MemoryError:
            raise
        except Exception:
            if all(each.is_flagged for each in images):
                raise
            is_sure = False
            break
        images.append(found)
    pages = pages_of(images)
    image.seek(pages[0] if pages else 0)
    return _Directories(len(images), max(len(pages), 1), is_sure)


def _check_compression(code: object) -> None:
    if code == _OLD_JPEG or code not in COMPRESSION_INFO:
        raise _unknown_compression(code)


def _unknown_compression(code: object) -> Unsupported:
    return Unsupported(f"the TIFF has a compression that cannot be decoded (number {code})", _CONVERT)


def _load(image: StoredTiff, max_pixels: int) -> tuple[str, ...]:
    """Decode the pixels; return a warning if some lines of a fax are damaged.

    libtiff goes on after an error in fax data, and writes a message for each line. Raises Damaged if these are too
    many, or for other damage that libtiff does not report. Raises Unsupported for a fax by ITU-T T.4 if the messages
    cannot be read, since the process is not ours.
    """
    compression = image.tag_v2.get(COMPRESSION, _NONE)
    if compression == _JPEG:
        _check_jpegs(image, max_pixels)
    if compression in _LINE_BY_LINE and is_embedded():
        raise Unsupported("a TIFF with fax data (Group 3) is not checked for damage here", _READ_OUTSIDE)
    if is_embedded():
        image.load()
        said: list[str] = []
    else:
        with listening() as said:
            image.load()
    if compression == _GROUP_4 and image.mode == "1":
        _check_group_4(image)
    damaged = len(set(_DAMAGED_LINE.findall(said[0]))) if said else 0
    noticed = _check_deflate(image) if compression in _DEFLATE else ()
    if damaged > (_MOST_DAMAGED * image.im.size[1] if compression in _LINE_BY_LINE else 0):
        raise Damaged("the fax data is damaged", RESCAN)
    return (f"damaged lines of the fax: {damaged}",) if damaged else noticed


def _check_deflate(image: StoredTiff) -> tuple[str, ...]:
    """Raise Damaged if a strip or tile of a loaded image has no end; return a warning if a checksum is wrong.

    libtiff stops at the last byte that it needs, and takes data from before it as they are.
    """
    tags, file = image.tag_v2, image.fp
    if file is None:
        raise Damaged("the image data is damaged", RESCAN)
    width, height = image.im.size
    rows = min(int(tags.get(ROWSPERSTRIP, height)), height)
    across, down = int(tags.get(TILEWIDTH, width)), int(tags.get(TILELENGTH, rows))
    samples = int(tags.get(SAMPLESPERPIXEL, 1))
    most = _MOST_TOO_LONG * down * -(-across * samples * image.bits // 8)
    offsets, lengths = (tags.get(strips) or tags.get(tiles, ()) for strips, tiles in _PLACES)
    # A hostile file may list more than the image has.
    pieces = -(-width // across) * -(-height // down) * samples
    is_doubtful = False
    for offset, length in list(zip(offsets, lengths, strict=False))[:pieces]:
        file.seek(offset)
        found = inflate(file.read(length), most)
        if not found.is_ended:
            raise Damaged("the image data is damaged (deflate data without an end)", RESCAN)
        is_doubtful = is_doubtful or found.has_wrong_checksum
    return ("a checksum of the image data is wrong: a part of the page may be damaged",) if is_doubtful else ()


def _check_group_4(image: StoredTiff) -> None:
    """Raise Damaged if the pixels of a loaded image have more or fewer codes than the file: some rows were invented.

    libtiff takes rows for white from where it finds no code. Group 4 is a bijection of pixels and codes (ITU-T T.6), so
    encoding them again gives as many bytes. Tiles, which faxes do not have, are not compared.
    """
    lengths, height = image.tag_v2.get(STRIPBYTECOUNTS, ()), image.im.size[1]
    # Codes of white and of black differ, and each row begins with white.
    pixels = ImageChops.invert(image.copy()) if image.is_white_zero else image.copy()
    codes = sum(map(len, group_4_strips(pixels, min(int(image.tag_v2.get(ROWSPERSTRIP, height)), height))))
    slack = _SLACK * len(lengths)
    if lengths and not _AT_LEAST * sum(lengths) - slack <= codes <= sum(lengths) + slack:
        raise Damaged("the fax data is damaged: a part of the rows is missing", RESCAN)


def _check_jpegs(image: TiffImageFile, max_pixels: int) -> None:
    """Raise Damaged unless the JPEG of each strip or tile can be decoded strictly (TIFF technical note 2).

    Raises TooLarge if they have many more pixels than the image.
    """
    total = 0
    tags, file = image.tag_v2, image.fp
    if file is None:
        raise Damaged("the image data is damaged", RESCAN)
    tables = bytes(tags.get(JPEGTABLES, b""))[:-2]
    offsets, lengths = (tags.get(strips) or tags.get(tiles, ()) for strips, tiles in _PLACES)
    for offset, length in zip(offsets, lengths, strict=False):
        file.seek(offset)
        data = file.read(length)
        jpeg = tables + data[2:] if tables else data
        frame = jpeg_markers.walk(jpeg).frame
        if frame is None:
            raise Damaged("the image data is damaged (a JPEG without its header)", RESCAN)
        total += frame.width * frame.height
        # Tiles may reach over the edge of the image.
        check_pixels(total, 1, 2 * max_pixels)
        try:
            decode_strictly(jpeg, frame.width, frame.height)
        except DecoderError as error:
            raise Damaged(f"the image data is damaged ({error})", RESCAN) from None


def _pages_warning(found: _Directories) -> tuple[str, ...]:
    if not found.is_sure:
        return ("a later page of the file is damaged, or of a kind that cannot be decoded; only the first was read",)
    if found.pages == 1:
        return ()
    counted = f"{found.pages} pages" if found.pages < _MOST_PAGES else f"{_MOST_PAGES} pages or more"
    return (f"the file has {counted}, and only the first was read: save each page as a file of its own",)
