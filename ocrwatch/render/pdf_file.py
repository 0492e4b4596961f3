"""Writes a PDF file with one page: an image, and invisible text. pikepdf does the writing."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

from ocrwatch import __version__
from ocrwatch.render.invisible_font import ASCENT, DESCENT, UNITS, WIDTH, glyph_map, to_unicode, truetype
from ocrwatch.render.pdf_image import PdfImage
from ocrwatch.render.pdf_page import PdfPage, TextLine
from ocrwatch.render.planar import Matrix
from ocrwatch.render.xml import allowed

PARTS: Final = 3
"""Streams of the content of a page that has text of its own."""

_FONT: Final = Name("/Invisible")
_COLOURS: Final = {1: Name.DeviceGray, 3: Name.DeviceRGB, 4: Name.DeviceCMYK}
"""Colour spaces by the number of components of an image."""

_SYMBOLIC: Final = 4
"""Flag of fonts with other characters than Latin ones (ISO 32000-1, table 123)."""

_STEM: Final = 80
"""Width of the font's stems, which must be given; it has none."""


_SAME: Final = 0.005
"""Distance in points that the decimals of a position do not show."""


def pdf_file(page: PdfPage, image: PdfImage, own_lines: int = 0) -> bytes:
    """Return a file with one page; the same bytes each time.

    If the first ``own_lines`` have the own text of a page, its content has :data:`PARTS` streams: the image, these
    lines, and all others. The first two can be replaced by the page itself.
    """
    with Pdf.new() as pdf:
        sheet = pdf.add_blank_page(page_size=(page.width, page.height))
        codes: dict[str, int] = {}
        picture = f"q {_numbers(page.image)} cm /Scan Do Q"
        if own_lines:
            own, others = _text(page.lines[:own_lines], codes), _text(page.lines[own_lines:], codes)
            sheet.obj.Contents = Array([_content(pdf, rows) for rows in ([picture], own, others)])
        else:
            sheet.obj.Contents = _content(pdf, [picture, *_text(page.lines, codes)])
        sheet.obj.Resources = Dictionary(
            XObject=Dictionary(Scan=image_stream(pdf, image)), Font=Dictionary(F=_font(pdf, list(codes)))
        )
        pdf.docinfo["/Producer"] = f"ocrwatch {__version__}"
        file = io.BytesIO()
        # The identifier is made of the content.
        pdf.save(file, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return file.getvalue()


def image_stream(pdf: Pdf, image: PdfImage) -> Stream:
    """Make the object of an image in a file."""
    stream = pdf.make_stream(
        image.data,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=image.width,
        Height=image.height,
        ColorSpace=_colour_space(image),
        BitsPerComponent=image.bits,
        Filter=Name(f"/{image.encoding}"),
    )
    if (parameters := _parameters(image)) is not None:
        stream.DecodeParms = parameters
    if image.is_inverted and image.encoding == "DCTDecode":
        stream.Decode = Array([1, 0] * image.components)
    if image.keyed:
        # Ranges of the samples that are not painted (ISO 32000-1, 8.9.6.4).
        stream.Mask = Array([value for sample in image.keyed for value in (sample, sample)])
    if image.mask is not None:
        stream.SMask = image_stream(pdf, image.mask)
    return stream


def _colour_space(image: PdfImage) -> Object:
    if not image.palette:
        return _COLOURS[image.components]
    highest = len(image.palette) // 3 - 1
    return Array([Name.Indexed, Name.DeviceRGB, highest, String(image.palette)])


def _parameters(image: PdfImage) -> Dictionary | None:
    """Return the parameters of the decoder (ISO 32000-1, tables 8 and 11); None if it needs none."""
    if image.encoding == "CCITTFaxDecode":
        return Dictionary(K=-1, Columns=image.width, Rows=image.height, BlackIs1=image.is_inverted)
    if image.encoding == "FlateDecode" and image.predictor > 1:
        return Dictionary(
            Predictor=image.predictor, Colors=image.components, BitsPerComponent=image.bits, Columns=image.width
        )
    return None


def _font(pdf: Pdf, characters: list[str]) -> Object:
    """Return the font of the text (ISO 32000-1, 9.7). Character codes count from 1 in the order of ``characters``."""
    file = truetype()
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=_FONT,
        Flags=_SYMBOLIC,
        FontBBox=Array([0, DESCENT, WIDTH, ASCENT]),
        ItalicAngle=0,
        Ascent=ASCENT,
        Descent=DESCENT,
        CapHeight=ASCENT,
        StemV=_STEM,
        FontFile2=pdf.make_stream(file, Length1=len(file)),
    )
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=_FONT,
        CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
        DW=WIDTH,
        CIDToGIDMap=pdf.make_stream(glyph_map(characters)),
        FontDescriptor=pdf.make_indirect(descriptor),
    )
    return pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=_FONT,
            Encoding=Name("/Identity-H"),
            ToUnicode=pdf.make_stream(to_unicode(characters)),
            DescendantFonts=Array([pdf.make_indirect(descendant)]),
        )
    )


def _content(pdf: Pdf, rows: list[str]) -> Stream:
    return pdf.make_stream("\n".join(rows).encode("ascii"))


def _text(lines: Sequence[TextLine], codes: dict[str, int]) -> list[str]:
    """Return the rows of a content stream; ``codes`` gets the code of each character."""
    if not lines:
        return []
    # Text rendering mode 3: neither fill nor stroke.
    return ["BT 3 Tr", *(row for line in lines for row in _line(line, codes)), "ET"]


def _line(line: TextLine, codes: dict[str, int]) -> list[str]:
    turn = _turn(Matrix(line.cosine, line.sine, -line.sine, line.cosine, 0, 0))
    parts, end = [f"/F {line.size:.2f} Tf"], math.nan
    for each in line.glyphs:
        # A space begins where the word before it ends.
        place = "" if abs(each.x - end) < _SAME else f"{turn} {each.x:.2f} {each.y:.2f} Tm "
        end = each.x + each.length
        natural = len(each.text) * WIDTH / UNITS * line.size
        shown = "".join([f"{codes.setdefault(char, len(codes) + 1):04x}" for char in allowed(each.text)])
        parts.append(f"{place}{max(100 * each.length / natural, 0.1):.1f} Tz <{shown}> Tj")
    return parts


def _numbers(matrix: Matrix) -> str:
    return f"{_turn(matrix)} {matrix.e:.2f} {matrix.f:.2f}"


def _turn(matrix: Matrix) -> str:
    """Write a matrix but its shift: to a ten-thousandth, so that a page is off by less than a pixel at its far end."""
    return " ".join([f"{value:.4f}".rstrip("0").rstrip(".") for value in matrix[:4]])
