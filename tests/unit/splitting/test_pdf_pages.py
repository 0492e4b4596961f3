"""Each page of a PDF becomes an image that shows what a reader shows, and keeps the text that it has of its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image, ImageChops, ImageOps

from ocrwatch.cache.codec import unpack
from ocrwatch.document import Page
from ocrwatch.errors import Damaged, Encrypted, TooLarge, Truncated
from ocrwatch.executors.rendering import render_packed
from ocrwatch.recognise.decode import decode
from ocrwatch.render.base import RenderRequest
from tests.pdf_files import A4, Sheet, jpeg_image, made, scanned, text
from tests.rendering import draw
from tests.unit.splitting.splitting import opened

LETTER = draw("Dear Sir or Madam\nplease find enclosed\ninvoice 2041", size=28)
WIDTH, HEIGHT = LETTER.size
SIZE = (WIDTH * 72 / 200, HEIGHT * 72 / 200)
WHOLE = f"q {SIZE[0]} 0 0 {SIZE[1]} 0 0 cm /Im Do Q"


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """Save as JPEG, with the resolution of a screen."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, dpi=(96, 96), **options)
    return file.getvalue()


GRAY = jpeg(LETTER)
IMAGE = jpeg_image(GRAY, WIDTH, HEIGHT, gray=True)


def only_page(*sheets: Sheet, **options: Any) -> tuple[Any, Image.Image]:
    """Return what is said of the first page, and its image."""
    with opened(made(sheets), **options) as split:
        said, data = split.page()
        image = Image.open(io.BytesIO(data))
        image.load()
        return said, image


def unlike(image: Image.Image, other: Image.Image) -> float:
    """Return how different the darkest parts of two images are, of 255."""
    assert image.size == other.size
    return float(np.asarray(ImageChops.difference(image.convert("L"), other.convert("L"))).mean())


@pytest.mark.parametrize("gray", [True, False])
def test_the_jpeg_of_a_scanner_stays_as_it_is(*, gray: bool) -> None:
    """Only its resolution is that on the page."""
    picture = LETTER if gray else Image.merge("RGB", (LETTER, LETTER, ImageOps.invert(LETTER)))
    stored = jpeg(picture)
    with opened(made([scanned(stored, WIDTH, HEIGHT, 200, gray=gray)])) as split:
        said, data = split.page()
    assert (said.ending, said.packed, said.notes) == ("jpg", b"", ())
    assert len(data) == len(stored)
    assert (data[:13], data[18:]) == (stored[:13], stored[18:])
    assert decode(data, max_pixels=10**8).dpi == 200


def test_a_jpeg_without_its_own_header_gets_one() -> None:
    """Without a JFIF header it says nothing of its resolution."""
    stored = GRAY[:2] + GRAY[20:]
    said, image = only_page(scanned(stored, WIDTH, HEIGHT, 200, gray=True))
    assert said.ending == "jpg"
    assert image.info["dpi"] == (200, 200)
    assert unlike(image, Image.open(io.BytesIO(GRAY))) == 0


def test_margins_and_invisible_text_change_nothing() -> None:
    """The scan is all that the page shows."""
    size = (SIZE[0] + 30, SIZE[1] + 20)
    content = WHOLE.replace(" 0 0 cm", " 20 10 cm") + text([(20, 20, "read by another program")], mode=3)
    said, image = only_page(Sheet(content, size, image=IMAGE))
    assert (said.ending, image.size, said.packed) == ("jpg", LETTER.size, b"")


ON_ITS_SIDE = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
"""EXIF data with an orientation, of which a PDF knows nothing."""

SHOWN: dict[str, tuple[Sheet, Callable[[Image.Image], Image.Image]]] = {
    "inverted samples": (Sheet(WHOLE, SIZE, image={**IMAGE, "Decode": Array([1, 0])}), ImageOps.invert),
    "upside down": (Sheet(f"q {SIZE[0]} 0 0 {-SIZE[1]} 0 {SIZE[1]} cm /Im Do Q", SIZE, image=IMAGE), ImageOps.flip),
    "a turned page": (Sheet(WHOLE, SIZE, rotate=90, image=IMAGE), lambda image: image.rotate(-90, expand=True)),
    "an EXIF orientation": (
        Sheet(WHOLE, SIZE, image=jpeg_image(jpeg(LETTER, exif=ON_ITS_SIDE), WIDTH, HEIGHT, gray=True)),
        lambda image: image,
    ),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_what_is_not_shown_as_it_is_stored_is_rendered(kind: str) -> None:
    """The image is what a reader of the PDF shows, pixel for pixel but for the JPEG's rounding."""
    sheet, shown = SHOWN[kind]
    said, image = only_page(sheet)
    assert (said.ending, image.mode) == ("png", "L")
    assert image.info["dpi"][0] == pytest.approx(200, abs=0.1)
    assert unlike(image, shown(LETTER)) < 3


def test_a_mask_is_noticed() -> None:
    """What a mask hides is not in the image: a colour key makes the dark letters invisible."""
    _, image = only_page(Sheet(WHOLE, SIZE, image={**IMAGE, "Mask": Array([0, 200])}))
    assert np.asarray(image.convert("L")).min() > 150


def test_a_stamp_on_a_scan_is_in_the_image_and_is_not_all_the_text() -> None:
    """The text of a fax's header is not taken for that of the page."""
    said, image = only_page(Sheet(WHOLE + text([(5, 3, "FAX 12")], size=9), SIZE, image=IMAGE))
    assert (said.ending, said.packed) == ("png", b"")
    bottom = np.asarray(image.convert("L"))[-40:, :120]
    assert bottom.min() < 100


def test_black_and_white_stays_black_and_white() -> None:
    """A scan of one bit a pixel has the same pixels, although its page was rounded to points."""
    bits = LETTER.convert("1", dither=Image.Dither.NONE)
    data = bits.tobytes()
    image = {"Width": WIDTH, "Height": HEIGHT, "BitsPerComponent": 1, "ColorSpace": Name.DeviceGray, "data": data}
    size = (round(SIZE[0]), round(SIZE[1]))
    _, shown = only_page(Sheet(f"q {size[0]} 0 0 {size[1]} 0 0 cm /Im Do Q", size, image=image))
    assert shown.mode == "1"
    assert shown.tobytes() == bits.tobytes()


def test_a_scan_in_colours_keeps_them() -> None:
    """Rendered, it is a JPEG with its resolution."""
    red = Image.merge("RGB", (Image.new("L", LETTER.size, 255), LETTER, LETTER))
    said, image = only_page(Sheet(WHOLE, SIZE, rotate=180, image=jpeg_image(jpeg(red), WIDTH, HEIGHT)))
    assert (said.ending, image.info["dpi"]) == ("jpg", (200, 200))
    darkest = np.asarray(image)[..., 1].argmin()
    assert np.asarray(image).reshape(-1, 3)[darkest][0] > 200


def test_a_very_large_page_is_rendered_at_fewer_dpi() -> None:
    """It keeps the limit of pixels, and says so."""
    said, image = only_page(Sheet("0 0 9000 9000 re f", (20000, 20000)), max_pixels=1_000_000)
    assert image.width * image.height <= 1_000_000
    assert said.notes == ("the page was rendered at 4 dpi instead of 300, since it is very large",)


def page_of(*sheets: Sheet, **options: Any) -> Page:
    """Return the text of the first page."""
    said, _ = only_page(*sheets, **options)
    assert said.packed
    return unpack(said.packed)


LEFT = [(72, 770, "The quick (brown) fox"), (72, 756, "jumps over the lazy"), (72, 742, "dog.")]
RIGHT = [(320, 770, "A second column begins"), (320, 756, "here, and ends")]


def test_text_of_its_own_comes_out_word_for_word() -> None:
    """In the order of the content: heading, first column, second column."""
    page = page_of(Sheet(text([(72, 805, "Annual Report 2026")], 24) + text(LEFT) + text(RIGHT)))
    assert page.text == (
        "Annual Report 2026\n\nThe quick (brown) fox\njumps over the lazy\ndog.\n\n"
        "A second column begins\nhere, and ends\n"
    )
    assert page.confidence == 100
    assert page.engine.name == "pdfium"
    assert page.upright is not None
    assert (page.upright.turns, page.upright.straight(7, 9)) == (0, (7, 9))
    assert (page.width, page.height, page.dpi) == (round(A4[0] / 0.36), round(A4[1] / 0.36), 200)


@pytest.mark.parametrize("turns", [0, 90, 180, 270])
def test_boxes_are_where_the_words_are(turns: int) -> None:
    """In the pixels of the image, also if the page is shown turned: each box ends where its ink does."""
    x, y = {0: (72, 700), 90: (200, 72), 180: (500, 200), 270: (200, 700)}[turns]
    matrix = {0: "1 0 0 1", 90: "0 1 -1 0", 180: "-1 0 0 -1", 270: "0 -1 1 0"}[turns]
    content = f"BT /F 20 Tf {matrix} {x} {y} Tm (Hand in hand) Tj ET"
    said, image = only_page(Sheet(content, rotate=turns))
    page = unpack(said.packed)
    assert page.text == "Hand in hand\n"
    ink = np.asarray(image.convert("L")) < 128
    assert (page.width, page.height) == image.size
    for word in page.words:
        box = word.box
        inside = ink[box.top : box.bottom, box.left : box.right]
        for side in (inside[:3], inside[-3:], inside[:, :3], inside[:, -3:]):
            assert side.any(), (word, turns)
    # Nothing is outside of all boxes.
    left = ink.copy()
    for box in (word.box for word in page.words):
        left[box.top - 1 : box.bottom + 1, box.left - 1 : box.right + 1] = False
    assert not left.any()


def test_text_on_its_side_is_read() -> None:
    """A page whose lines are not horizontal is an image to read; a note on the margin is taken along."""
    said, _ = only_page(Sheet(text(LEFT), rotate=90))
    assert said.packed == b""
    page = page_of(Sheet(text(LEFT) + "\nBT /F 8 Tf 0 1 -1 0 30 200 Tm (Form 12b) Tj ET"))
    assert page.text.endswith("dog.\n\nForm 12b\n")
    assert page.words[-1].box.bottom - page.words[-1].box.top > page.words[-1].box.right - page.words[-1].box.left


def test_invisible_text_is_none() -> None:
    """Neither that of a page without anything else, nor that beside visible text."""
    said, _ = only_page(Sheet(text(LEFT, mode=3)))
    assert said.packed == b""
    assert page_of(Sheet(text(LEFT, mode=3) + text(RIGHT))).text == "A second column begins\nhere, and ends\n"


def test_words_are_divided_where_the_page_shows_it() -> None:
    """By spaces of the text, and by those that are only gaps; kerning divides nothing."""
    content = "BT /F 12 Tf 72 700 Td [(Hel) 30 (lo) -500 (wide) -20 (r) ( world)] TJ ET"
    assert page_of(Sheet(content)).text == "Hello wider world\n"


def encoded(*names: str) -> dict[str, Any]:
    """Return a font whose codes from 65 on mean these glyphs."""
    glyphs = Array([65, *(Name(f"/{name}") for name in names)])
    encoding = Dictionary(Type=Name.Encoding, BaseEncoding=Name.WinAnsiEncoding, Differences=glyphs)
    return {"Type": Name.Font, "Subtype": Name.Type1, "BaseFont": Name.Helvetica, "Encoding": encoding}


def test_ligatures_are_letters() -> None:
    """They can be searched for."""
    assert page_of(Sheet(text([(72, 700, "di Bcult, A nd")]), font=encoded("fi", "ffi"))).text == "di fficult, fi nd\n"


CHINESE = {
    "Type": Name.Font, "Subtype": Name.Type0, "BaseFont": Name("/STSong-Light"), "Encoding": Name("/UniGB-UCS2-H"),
    "DescendantFonts": Array([Dictionary(
        Type=Name.Font, Subtype=Name.CIDFontType0, BaseFont=Name("/STSong-Light"),
        CIDSystemInfo=Dictionary(Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("GB1"), Supplement=2),
    )]),
}  # fmt: skip


def test_chinese_has_no_spaces() -> None:
    """Its characters follow one another, whatever is between them."""
    shown = "".join(f"{ord(letter):04X}" for letter in "中文文字")
    assert page_of(Sheet(f"BT /F 16 Tf 72 700 Td <{shown}> Tj ET", font=CHINESE)).text == "中文文字\n"


def test_letters_beyond_the_first_plane_are_one_character_each() -> None:
    """Such as those of formulas, which pdfium returns as two halves."""
    meaning = b"begincmap 2 beginbfchar <41> <D835DC65> <42> <D83DDE00> endbfchar endcmap"
    with Pdf.open(io.BytesIO(made([Sheet(text([(72, 700, "A AB is a formula")]))]))) as pdf:
        pdf.pages[0].Resources.Font.F.ToUnicode = Stream(pdf, meaning)
        file = io.BytesIO()
        pdf.save(file)
    with opened(file.getvalue()) as split:
        said, _ = split.page()
    assert unpack(said.packed).text == "\U0001d465 \U0001d465\U0001f600 is a formula\n"
    assert said.notes == ()


def test_a_font_whose_glyphs_mean_nothing_is_read() -> None:
    """The page is an image to read; a few such signs among others are marked."""
    nameless = encoded(*(f"g{number}" for number in range(20)))
    said, _ = only_page(Sheet(text([(72, 700, "ABCDEFGHABCDEFGH")]), font=nameless))
    assert said.packed == b""
    said, _ = only_page(Sheet(text([(72, 700, "A lot of text, and a sign before it")]), font=nameless))
    assert unpack(said.packed).text == "\ufffd lot of text, and a sign before it\n"
    assert said.notes == ("the PDF does not tell what 1 of its characters mean",)


def test_an_empty_page_is_an_image() -> None:
    """Which the reader finds blank."""
    said, image = only_page(Sheet(""))
    assert (said.ending, said.packed, image.mode) == ("png", b"", "1")
    assert np.asarray(image).all()


def annotated(kind: Name) -> bytes:
    """Return a page of text with an annotation."""
    with Pdf.open(io.BytesIO(made([Sheet(text(LEFT))]))) as pdf:
        note = Dictionary(
            Type=Name.Annot, Subtype=kind, Rect=Array([20, 20, 120, 40]), Contents="Ask Ms Roe", DA="/F 12 Tf 0 g"
        )
        pdf.pages[0].Annots = Array([pdf.make_indirect(note)])
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "has_text"), [(Name.Text, True), (Name.FileAttachment, True), (Name.FreeText, False)])
def test_only_annotations_that_show_text_are_read(kind: Name, *, has_text: bool) -> None:
    """The sign of a note is none, so the page keeps its own text."""
    with opened(annotated(kind)) as split:
        said, _ = split.page()
    assert bool(said.packed) == has_text


@pytest.mark.parametrize(("kind", "keeps_page"), [(Name.Link, True), (Name.Highlight, False), (Name.Text, False)])
def test_a_page_without_marks_of_readers_can_be_kept(kind: Name, *, keeps_page: bool) -> None:
    """Annotations are not copied: a link is not seen, but a note or a coloured line would be missing."""
    with opened(annotated(kind)) as split:
        said, _ = split.page()
    assert (bool(said.packed), said.keeps_page) == (True, keeps_page)


def test_a_page_with_hidden_text_is_not_kept() -> None:
    """Hidden text of another program is not used, and would be found in the searchable PDF."""
    hidden, _ = only_page(Sheet(text(LEFT) + text([(100, 50, "HIDDEN")], mode=3)))
    shown, _ = only_page(Sheet(text(LEFT)))
    scan, _ = only_page(scanned(GRAY, WIDTH, HEIGHT, 200, gray=True))
    assert [bool(said.packed) for said in (hidden, shown, scan)] == [True, True, False]
    assert [said.keeps_page for said in (hidden, shown, scan)] == [False, True, False]


@pytest.mark.parametrize("place", ["1 0 0 1 0 -900", "1 0 0 1 900 0", "0 1 -1 0 0 0"])
def test_a_page_with_text_beside_it_is_not_kept(place: str) -> None:
    """What lies outside of the page is not in its text, and would be found in the searchable PDF."""
    said, _ = only_page(Sheet(text(LEFT) + f" q {place} cm" + text([(100, 50, "OUTSIDE")]) + " Q"))
    assert (bool(said.packed), said.keeps_page) == (True, False)


def form() -> bytes:
    """Return a PDF with a field that is filled in."""
    with Pdf.open(io.BytesIO(made([Sheet(text(LEFT))]))) as pdf:
        font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
        look = Stream(
            pdf, b"BT /F 20 Tf 4 8 Td (FILLED IN) Tj ET", Type=Name.XObject, Subtype=Name.Form,
            BBox=Array([0, 0, 200, 30]), Resources=Dictionary(Font=Dictionary(F=font)),
        )  # fmt: skip
        widget = pdf.make_indirect(Dictionary(
            Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T=pikepdf.String("name"), V=pikepdf.String("FILLED IN"),
            Rect=Array([100, 400, 300, 430]), F=4, AP=Dictionary(N=pdf.make_indirect(look)), P=pdf.pages[0].obj,
        ))  # fmt: skip
        pdf.pages[0].obj.Annots = Array([widget])
        pdf.Root.AcroForm = Dictionary(Fields=Array([widget]))
        target = io.BytesIO()
        pdf.save(target)
    return target.getvalue()


def test_a_filled_in_form_shows_its_fields() -> None:
    """It is read as an image: the text of the page does not have what is filled in."""
    with opened(form()) as split:
        said, data = split.page()
    assert said.packed == b""
    image = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    scale = image.shape[0] / A4[1]
    field = image[int((842 - 430) * scale) : int((842 - 400) * scale), int(100 * scale) : int(300 * scale)]
    assert field.min() < 100


LOCKED = pikepdf.Encryption(user="secret", owner="owner")
READABLE = pikepdf.Encryption(user="", owner="owner")


def test_a_password_is_needed_or_not() -> None:
    """A PDF that anyone can open is read; the remedy for any other is to save it without a password."""
    with opened(made([Sheet(text(LEFT))], encryption=READABLE)) as split:
        assert unpack(split.page()[0].packed).text.startswith("The quick (brown) fox\n")
    with pytest.raises(Encrypted, match="password") as refused, opened(made([Sheet("")], encryption=LOCKED)):
        pass
    assert "qpdf" in refused.value.remedy


def test_a_damaged_image_is_no_blank_page() -> None:
    """Pdfium draws nothing for an image that it cannot decode, and a part of one that ends early."""
    for data in (bytes(5000), GRAY[: len(GRAY) // 2]):
        sheet = Sheet(WHOLE + text([(5, 3, "FAX 12")], size=9), SIZE, image=jpeg_image(data, WIDTH, HEIGHT, gray=True))
        with opened(made([sheet])) as split, pytest.raises(Damaged, match="an image of the page"):
            split.page()
    zeros = {"Width": 99, "Height": 99, "BitsPerComponent": 8, "ColorSpace": Name.DeviceGray, "data": bytes(3000)}
    sheet = Sheet(WHOLE, SIZE, image={**zeros, "Filter": Name.JPXDecode})
    with opened(made([sheet])) as split, pytest.raises(Damaged, match="an image of the page"):
        split.page()


def test_a_jpeg_that_ends_early_is_left_to_the_decoder() -> None:
    """It reads one of which only the end marker is missing, and no other."""
    with opened(made([Sheet(WHOLE, SIZE, image=jpeg_image(GRAY[:-2], WIDTH, HEIGHT, gray=True))])) as split:
        said, data = split.page()
    assert said.ending == "jpg"
    assert "end marker" in decode(data, max_pixels=10**8).warnings[0]
    cut = Sheet(WHOLE, SIZE, image=jpeg_image(GRAY[:-900], WIDTH, HEIGHT, gray=True))
    with opened(made([cut])) as split:
        said, data = split.page()
    assert said.ending == "jpg"
    with pytest.raises(Truncated):
        decode(data, max_pixels=10**8)


def test_a_repaired_pdf_is_marked() -> None:
    """Its pages are read, and each says that something may be missing."""
    at = GOOD.rindex(b"startxref")
    with opened(GOOD[:at]) as split:
        said, _ = split.page(2)
    assert unpack(said.packed).text == "A second column begins\nhere, and ends\n"
    assert said.notes == ("the PDF is damaged and was repaired: something may be missing",)
    with opened(GOOD) as split:
        assert split.page()[0].notes == ()


def test_bytes_behind_the_end_of_a_pdf_are_no_damage() -> None:
    """Such as those that a mail gateway appends."""
    with opened(GOOD + b"This e-mail was checked for viruses.\r\n" * 200) as split:
        assert split.page()[0].notes == ()


GOOD = made([Sheet(text(LEFT)), Sheet(text(RIGHT))], object_stream_mode=pikepdf.ObjectStreamMode.disable)


@pytest.mark.parametrize(
    "data", [GOOD[: len(GOOD) // 2], b"%PDF-1.7\n", b"%PDF-1.4\n" + b"x" * 2000 + b"\nstartxref\n9\n%%EOF", made([])]
)
def test_a_damaged_pdf_is_refused(data: bytes) -> None:
    """And so is one without pages."""
    with pytest.raises(Damaged), opened(data):
        pass


def test_a_page_tree_that_lies() -> None:
    """A million pages are too many; a page that is not there is missing, and the others are not."""
    assert b"/Count 2" in GOOD
    with pytest.raises(TooLarge), opened(GOOD.replace(b"/Count 2", b"/Count 1000000")):
        pass
    with opened(GOOD.replace(b"/Count 2", b"/Count 3")) as split:
        assert split.count == 3
        with pytest.raises(Damaged, match="damaged or missing"):
            split.page(3)
        assert unpack(split.page(2)[0].packed).text == "A second column begins\nhere, and ends\n"


def test_a_form_in_itself_ends() -> None:
    """Parts of a page may be drawn by one another without end."""
    with Pdf.open(io.BytesIO(made([Sheet("/X Do")]))) as pdf:
        form = pdf.make_indirect(Stream(pdf, b"/X Do", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 9, 9])))
        form.Resources = Dictionary(XObject=Dictionary(X=form))
        pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(X=form))
        target = io.BytesIO()
        pdf.save(target)
    with opened(target.getvalue()) as split:
        assert split.page()[0].ending == "png"


def test_the_same_page_has_the_same_image_each_time() -> None:
    """In any order, also after the document was opened anew."""
    sheets = [Sheet(text([(9, 50, f"page {number}")]), (100, 100)) for number in range(30)]
    with opened(made(sheets)) as split:
        first = [split.page(number)[0].sha256 for number in range(1, 31)]
        assert len(set(first)) == 30
        assert [split.page(number)[0].sha256 for number in (30, 1, 15)] == [first[29], first[0], first[14]]


def test_formats_show_the_text_of_a_page() -> None:
    """Each is rendered from it as from a page that was read, and the searchable PDF has its image."""
    said, image = only_page(Sheet(text(LEFT)))
    content = io.BytesIO()
    image.save(content, "PNG")
    request = RenderRequest(("txt", "json", "hocr", "alto", "tsv", "md", "pdf"), b"a.pdf", 9, said.sha256, 60.0)
    rendered = render_packed(said.packed, request, content.getvalue())
    assert rendered.summary.review_reasons == ()
    sidecars = {ending: bytes(found) for ending, found in rendered.sidecars if isinstance(found, bytes)}
    assert sidecars["txt"] == b"The quick (brown) fox\njumps over the lazy\ndog.\n"
    with opened(sidecars["pdf"]) as split:
        again, data = split.page()
    # Its text is invisible, so that the page is read; but the image is the same.
    assert again.packed == b""
    assert Image.open(io.BytesIO(data)).tobytes() == image.tobytes()
