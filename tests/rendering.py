"""Scans for the tests: text rendered to JPEG with Pillow's own font, so that no system font is needed."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from ocrwatch.document import Box

MARGIN = 60
"""White pixels round the text."""

_LINE_HEIGHT = 1.5
_TO_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What turns upright pixels into those that a camera stores with this EXIF orientation."""


def draw(
    text: str,
    *,
    size: float = 32,
    width: int | None = None,
    height: int | None = None,
    ink: int = 0,
    paper: int = 255,
) -> Image.Image:
    """Draw grey text, upright. ``size`` is the font's, in pixels; the page fits the text unless told otherwise."""
    font = ImageFont.load_default(size)
    lines = text.split("\n")
    longest = max(font.getlength(line) for line in lines)
    page = Image.new(
        "L",
        (width or round(longest) + 2 * MARGIN, height or round(len(lines) * size * _LINE_HEIGHT) + 2 * MARGIN),
        paper,
    )
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + number * size * _LINE_HEIGHT), line, fill=ink, font=font)
    return page


def render(
    text: str,
    *,
    size: float = 32,
    width: int | None = None,
    height: int | None = None,
    ink: int = 0,
    paper: int = 255,
    dpi: int | None = 300,
    quality: int = 90,
    mode: str = "L",
    exif_orientation: int | None = None,
    progressive: bool = False,
) -> bytes:
    """Render a JPEG scan of ``text``. ``mode`` is L, RGB or CMYK; the stored pixels are turned as the EXIF says."""
    page = draw(text, size=size, width=width, height=height, ink=ink, paper=paper)
    return encode(page, dpi=dpi, quality=quality, mode=mode, exif_orientation=exif_orientation, progressive=progressive)


def encode(
    page: Image.Image,
    *,
    dpi: int | None = 300,
    quality: int = 90,
    mode: str = "L",
    exif_orientation: int | None = None,
    progressive: bool = False,
) -> bytes:
    """Save an upright image as a scanner or a camera would."""
    metadata: dict[str, object] = {} if dpi is None else {"dpi": (dpi, dpi)}
    if exif_orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = exif_orientation
        metadata["exif"] = exif
        if exif_orientation in _TO_STORED:
            page = page.transpose(_TO_STORED[exif_orientation])
    if mode == "CMYK":  # Pillow knows no way from grey to CMYK
        page = page.convert("RGB")
    file = io.BytesIO()
    page.convert(mode).save(file, "JPEG", quality=quality, progressive=progressive, **metadata)
    return file.getvalue()


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """Return other bytes of the same pixels: the JPEG with a comment of its own."""
    text = comment.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def drawn_words(text: str, *, size: float = 32) -> list[tuple[str, Box]]:
    """Each word with the box of its ink, as :func:`draw` places it; words are separated by single spaces."""
    font = ImageFont.load_default(size)
    page = draw(text, size=size)
    words = []
    for number, line in enumerate(text.split("\n")):
        before = ""
        for word in line.split(" "):
            alone = Image.new("L", page.size, 0)
            corner = (MARGIN + font.getlength(before), MARGIN + number * size * _LINE_HEIGHT)
            ImageDraw.Draw(alone).text(corner, word, fill=255, font=font)
            ink = alone.getbbox()
            if ink is not None:
                words.append((word, Box(*ink)))
            before += f"{word} "
    return words
