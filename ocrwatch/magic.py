"""Recognises files by their first bytes: images that are read, and other kinds."""

from __future__ import annotations

import enum
import functools
import re
from importlib.util import find_spec
from typing import Final

from ocrwatch import jpeg_markers, png_chunks
from ocrwatch.errors import OtherFormat

HEAD: Final = 256
"""Number of bytes that suffice to recognise a file."""


class ImageKind(enum.Enum):
    """A kind of file that is read."""

    JPEG = "JPEG"
    PNG = "PNG"
    TIFF = "TIFF"
    PDF = "PDF"
    """Read only if :func:`reads_pdf`."""


SPLIT: Final = frozenset({ImageKind.PDF, ImageKind.TIFF})
"""Kinds of files that may have several pages."""


_PDF: Final = b"%PDF-"
"""At the very beginning: that readers find it later, too (ISO 32000-1, annex H), would make a PDF of any file."""

_READ: Final = (
    (jpeg_markers.SOI, ImageKind.JPEG),
    (png_chunks.SIGNATURE, ImageKind.PNG),
    (b"II*\x00", ImageKind.TIFF),
    (b"MM\x00*", ImageKind.TIFF),
    # BigTIFF.
    (b"II+\x00", ImageKind.TIFF),
    (b"MM\x00+", ImageKind.TIFF),
)

_CANON_RAW: Final = b"II*\x00\x10\x00\x00\x00CR"
"""CR2, whose header is that of a TIFF otherwise."""

OTHER: Final = "something else"
"""Type of a file that matches no signature."""

_PDF_DOCUMENT: Final = "a PDF document"
_AS_JPEG = "save or export it as JPEG"
_SCANNER = "set the scanner to save JPEG files"
_PHONE = "set the phone to take JPEG pictures (iPhone: Settings, Camera, Formats, Most Compatible), or save it as JPEG"
_REMEDIES: Final = {
    "a HEIC image": _PHONE,
    "a HEIC or AVIF image": _PHONE,
    "an AVIF image": _AS_JPEG,
    "a JPEG 2000 image": "save it as plain JPEG, not as JPEG 2000",
    "a JPEG XL image": "save it as plain JPEG, not as JPEG XL",
    "a JPEG XR image": "save it as plain JPEG, not as JPEG XR",
    "a damaged PNG image": "copy it again, in binary mode: its line ends were converted like those of a text",
    _PDF_DOCUMENT: (
        "install ocrwatch with its extra pdf (pip install 'ocrwatch[pdf]'), or set the scanner to save JPEG files, one "
        "file a page"
    ),
    "a camera's raw image": "set the camera to JPEG, or export it as JPEG",
    "a video": "take a photograph of the page instead",
    "a web page": "download the image itself: this is the page that shows it, or an error message",
    "a ZIP archive or an Office document": "unpack it, or save its pages as JPEG",
    **dict.fromkeys(("a WebP image", "a GIF image", "a BMP image", "an SVG drawing", "a Photoshop image"), _AS_JPEG),
}
_BEGINNINGS: Final = (
    (b"\x89PNG", "a damaged PNG image"),
    (b"%PDF", _PDF_DOCUMENT),
    (b"%!PS", "a PostScript document"),
    (b"GIF8", "a GIF image"),
    (b"II\xbc", "a JPEG XR image"),
    (_CANON_RAW, "a camera's raw image"),
    (b"BM", "a BMP image"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"8BPS", "a Photoshop image"),
    (b"AT&TFORM", "a DjVu document"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
)
_BRANDS: Final = (
    (frozenset({b"avif", b"avis"}), "an AVIF image"),
    (frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}), "a HEIC image"),
    (frozenset({b"mif1", b"msf1", b"mif2", b"miaf"}), "a HEIC or AVIF image"),
    (frozenset({b"crx "}), "a camera's raw image"),
)
"""Brands of files in ISO/IEC 14496-12's boxes; the general ones come after those that name the codec."""

_MARKUP: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->|<\?xml[^>]*>|\s)*<(!doctype )?(html|svg)", re.IGNORECASE | re.DOTALL
)


@functools.cache
def reads_pdf() -> bool:
    """Return whether PDFs are read: the extra ``pdf`` is installed. It is looked for once, and not loaded."""
    return find_spec("pypdfium2") is not None


def kind_of(head: bytes) -> str:
    """Return the type of a file from its ``head``: ``a PDF document``, :data:`OTHER`."""
    if head[4:8] == b"ftyp":
        return _boxes(head)
    if head.startswith(b"RIFF"):
        return "a WebP image" if head[8:12] == b"WEBP" else OTHER
    if markup := _MARKUP.match(head):
        return "a web page" if markup[2].lower() == b"html" else "an SVG drawing"
    return next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), OTHER)


def image_kind(head: bytes) -> ImageKind | None:
    """Return the kind of an image that is read, from the ``head`` of its file; None for all other files."""
    if head.startswith(_CANON_RAW):
        return None
    return next((kind for beginning, kind in _read() if head.startswith(beginning)), None)


def may_become_image(head: bytes) -> bool:
    """Return whether a file may be an image whose beginning is not written yet.

    Zeros at the start are space that a client reserved and has not filled yet.
    """
    return not any(head) or any(beginning.startswith(head) for beginning, _ in _read())


def other_format(head: bytes, also: str = "") -> OtherFormat:
    """Return the fault for a file that begins with ``head``.

    ``also`` ends its message.
    """
    return not_this(kind_of(head), also)


def not_this(kind: str, also: str = "") -> OtherFormat:
    """Return the fault for a type (:func:`kind_of`); ``also`` ends its message."""
    # An engine's process gets images only.
    or_pdf = " or a PDF document" if reads_pdf() and kind != _PDF_DOCUMENT else ""
    return OtherFormat(f"the file is {kind}, not a JPEG, PNG or TIFF image{or_pdf}{also}", remedy_for(kind))


def remedy_for(kind: str) -> str:
    """Return the remedy for a file of this kind (:func:`kind_of`)."""
    if kind == _PDF_DOCUMENT and reads_pdf():
        return "put it into the inbox of ocrwatch, which splits it into its pages, or save its pages as JPEG"
    return _REMEDIES.get(kind, _AS_JPEG if kind != OTHER else _SCANNER)


def read_kinds() -> str:
    """Return the kinds that are read, as in a sentence: ``JPEG, PNG and TIFF images``."""
    return "JPEG, PNG and TIFF images and PDF documents" if reads_pdf() else "JPEG, PNG and TIFF images"


def _read() -> tuple[tuple[bytes, ImageKind], ...]:
    return (*_READ, (_PDF, ImageKind.PDF)) if reads_pdf() else _READ


def _boxes(head: bytes) -> str:
    size = min(int.from_bytes(head[:4]), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}
    # Videos of phones (moving pictures) name mif1 as well; their own brand comes first.
    return next((name for known, name in _BRANDS if brands & known), "a video")
