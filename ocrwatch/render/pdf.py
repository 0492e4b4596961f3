"""The format ``pdf``: the scan with invisible text over it, upright and straight.

The image is placed under the inverse of its turn and skew, so that lines of text are horizontal: programs that extract
text find the words of tilted lines in the wrong order. A JPEG is embedded byte for byte. pikepdf writes the file.
"""

from __future__ import annotations

import io
from typing import ClassVar, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from ocrwatch import __version__, jpeg_markers
from ocrwatch.document import Page
from ocrwatch.render.base import Original
from ocrwatch.render.invisible_font import ASCENT, DESCENT, UNITS, WIDTH, glyph_map, to_unicode, truetype
from ocrwatch.render.pdf_page import Glyphs, PdfPage, TextLine, lay_out
from ocrwatch.render.planar import Matrix
from ocrwatch.render.xml import allowed

_FONT: Final = Name("/Invisible")
_COLOURS: Final = {1: Name.DeviceGray, 3: Name.DeviceRGB, 4: Name.DeviceCMYK}
"""Colour spaces by the number of components of an image."""

_INVERTED: Final = [1, 0] * 4
"""Decode array of CMYK: all software writes it inverted, as Adobe's does."""

_SYMBOLIC: Final = 4
"""Flag of fonts with other characters than Latin ones (ISO 32000-1, table 123)."""

_STEM: Final = 80
"""Width of the font's stems, which must be given; it has none."""


class PdfFormat:
    """One page. Its text is invisible, and as long and as tall as the print under it."""

    name: ClassVar[str] = "pdf"
    ending: ClassVar[str] = "pdf"
    needs_original: ClassVar[bool] = True

    def render(self, page: Page, original: Original) -> bytes:
        """Render the page. The original must be there, and have been read."""
        structure = jpeg_markers.walk(original.content)
        frame, height = structure.sure_frame, structure.height
        # Viewers are stricter than our decoder with what stands before the image data.
        is_plain = structure.end is not None and not structure.odd and not structure.lines
        jpeg = original.content if is_plain else jpeg_markers.rebuilt(original.content, structure)
        laid_out = lay_out(page, frame.width, height, straighten=original.straighten)
        with Pdf.new() as pdf:
            sheet = pdf.add_blank_page(page_size=(laid_out.width, laid_out.height))
            codes: dict[str, int] = {}
            sheet.obj.Contents = pdf.make_stream(_content(laid_out, codes))
            image = _image(pdf, jpeg, frame.width, height, frame.components)
            font = _font(pdf, list(codes))
            sheet.obj.Resources = Dictionary(XObject=Dictionary(Scan=image), Font=Dictionary(F=font))
            pdf.docinfo["/Producer"] = f"ocrwatch {__version__}"
            file = io.BytesIO()
            # The identifier is made of the content: the same scan gives the same bytes.
            pdf.save(file, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return file.getvalue()


def _image(pdf: Pdf, jpeg: bytes, width: int, height: int, components: int) -> Stream:
    image = pdf.make_stream(
        jpeg,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=width,
        Height=height,
        ColorSpace=_COLOURS[components],
        BitsPerComponent=8,
        Filter=Name.DCTDecode,
    )
    if _COLOURS[components] == Name.DeviceCMYK:
        image.Decode = Array(_INVERTED)
    return image


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


def _content(page: PdfPage, codes: dict[str, int]) -> bytes:
    """Return the content stream; ``codes`` gets the code of each character."""
    parts = [f"q {_numbers(page.image)} cm /Scan Do Q"]
    if page.lines:
        # Text rendering mode 3: neither fill nor stroke.
        parts += ["BT 3 Tr", *(row for line in page.lines for row in _line(line, codes)), "ET"]
    return "\n".join(parts).encode("ascii")


def _line(line: TextLine, codes: dict[str, int]) -> list[str]:
    return [f"/F {line.size:.2f} Tf", *(_glyphs(each, line, codes) for each in line.glyphs)]


def _glyphs(each: Glyphs, line: TextLine, codes: dict[str, int]) -> str:
    place = Matrix(line.cosine, line.sine, -line.sine, line.cosine, each.x, each.y)
    natural = len(each.text) * WIDTH / UNITS * line.size
    shown = "".join(f"{codes.setdefault(char, len(codes) + 1):04x}" for char in allowed(each.text))
    return f"{_numbers(place)} Tm {max(100 * each.length / natural, 0.1):.1f} Tz <{shown}> Tj"


def _numbers(matrix: Matrix) -> str:
    """Write a matrix: turns to a ten-thousandth, so that a page is off by less than a pixel at its far end."""
    *linear, x, y = matrix
    return " ".join([*(f"{value:.4f}".rstrip("0").rstrip(".") for value in linear), f"{x:.2f}", f"{y:.2f}"])
