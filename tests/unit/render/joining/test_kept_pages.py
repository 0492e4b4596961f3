"""A page of a PDF with text of its own is in the searchable PDF as it is, without what it does not show."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from ocrwatch.cache.codec import unpack
from ocrwatch.document import Baseline, Block, Box, Line, Word
from ocrwatch.documents.joiner import Joiner
from ocrwatch.executors.rendering import render_page
from ocrwatch.render.base import RenderRequest
from ocrwatch.render.joining.base import Document, DocumentPage, SourceFile
from ocrwatch.render.joining.job import JoinJob
from tests.pdf_files import Sheet, made, text
from tests.unit.render.joining.made_documents import joined
from tests.unit.splitting.splitting import opened

SIZE: Final = (300.0, 200.0)
TEXT: Final = "Dear Ms Roe the bill is paid"
SHEET: Final = Sheet(text([(40, 150, TEXT)]), SIZE)
STAMP: Final = "RECEIVED"

Change = Callable[[Pdf, Any], None]


def changed(change: Change, sheets: Iterable[Sheet] = (SHEET,), **saving: Any) -> bytes:
    """Return a PDF whose first page was changed."""
    file = io.BytesIO()
    with Pdf.open(io.BytesIO(made(sheets))) as pdf:
        change(pdf, pdf.pages[0].obj)
        pdf.save(file, **saving)
    return file.getvalue()


def stamp_at(left: int, top: int, right: int, bottom: int) -> Block:
    """Return a word that was read at a place of the page's image."""
    box = Box(left, top, right, bottom)
    word = Word(STAMP, box, 80.0, float(right - left), float(bottom - top))
    return Block((Line((word,), box, baseline=Baseline(left, bottom, right, bottom)),), box)


def searchable(folder: Path, data: bytes, *stamps: Block, copy: bytes | None = None) -> bytes:
    """Split a PDF whose pages have their own text, and join it."""
    return joined(split_file(folder, data, *stamps, copy=copy), "pdf")


def split_file(folder: Path, data: bytes, *stamps: Block, copy: bytes | None = None, max_memory: int = 0) -> Document:
    """Split a PDF whose pages have their own text, and render them; ``stamps`` were read on each page besides.

    The pages are taken from ``copy``, if it is given.
    """
    source, digest, pages = folder / "source", hashlib.sha256(data).hexdigest(), []
    source.write_bytes(data if copy is None else copy)
    with opened(data) as split:
        for number in range(1, split.count + 1):
            said, image = split.page(number)
            own = unpack(said.packed)
            request = RenderRequest(("pdf",), b"a.pdf", len(data), digest, page=number)
            page = replace(own, blocks=(*own.blocks, *stamps))
            ((_, content),) = render_page(page, request, image, len(own.blocks)).sidecars
            assert isinstance(content, bytes)
            part = folder / f"{number}.pdf"
            part.write_bytes(content)
            pages.append(DocumentPage("a.pdf", digest, {"pdf": str(part)}))
    of_file = SourceFile("a.pdf", len(data), digest, str(source), max_memory)
    return Document("a", "", "file", (), tuple(pages), (), of_file)


def is_image(data: bytes, number: int = 0) -> bool:
    """Return whether a page is an image with text over it."""
    with Pdf.open(io.BytesIO(data)) as pdf:
        return "/Scan" in pdf.pages[number].obj.Resources.get("/XObject", Dictionary())


def texts(data: bytes) -> list[str]:
    """Return the text of each page in PDFium, as one line."""
    with pypdfium2.PdfDocument(data) as pdf:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in pdf]


def looks(data: bytes, number: int = 0) -> Any:
    """Return the pixels that PDFium paints, two to a point."""
    with pypdfium2.PdfDocument(data) as pdf:
        return np.asarray(pdf[number].render(scale=2).to_pil().convert("L"), int)


def place_of(word: str, data: bytes) -> tuple[int, int]:
    """Return the middle of a word on the page as it is shown, in pixels of 200 to an inch."""
    with pypdfium2.PdfDocument(data) as pdf:
        page = pdf[0]
        text_page = page.get_textpage()
        first, count = text_page.search(word).get_next()
        boxes = [text_page.get_charbox(index) for index in range(first, first + count)]
        middle = [(min(box[side] for box in boxes) + max(box[side + 2] for box in boxes)) / 2 for side in (0, 1)]
        x, y = pdfium.c_int(), pdfium.c_int()
        size = [round(side * 200 / 72) for side in page.get_size()]
        assert pdfium.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, *middle, x, y)
        return x.value, y.value


def check(tmp_path: Path, data: bytes) -> None:
    """Have qpdf look for mistakes."""
    with pikepdf.open(io.BytesIO(data), attempt_recovery=False) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert pdf.get_warnings() == []
    file = tmp_path / "checked.pdf"
    file.write_bytes(data)
    try:
        done = subprocess.run(["qpdf", "--check", str(file)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return
    assert done.returncode == 0, done.stderr


def cropped(_: Pdf, page: Any) -> None:
    """Show only a part of a page, that is not at its corner."""
    page.CropBox = Array([20, 30, 280, 190])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("change", [lambda *_: None, cropped], ids=["whole", "cropped"])
def test_a_page_looks_the_same_and_has_its_text_once(tmp_path: Path, turns: int, change: Change) -> None:
    """However it is turned and cropped: not a pixel differs, and what was read besides lies where it was read."""

    def turned(pdf: Pdf, page: Any) -> None:
        change(pdf, page)
        # Its own text must be upright, or the page would be read.
        width, height = SIZE
        right = [(1, 0, 0, 1, 0, 0), (0, 1, -1, 0, height, 0), (-1, 0, 0, -1, width, height), (0, -1, 1, 0, 0, width)]
        if turns % 2:
            page.MediaBox = Array([0, 0, height, width])
            if "/CropBox" in page:
                page.CropBox = Array([10, 20, 190, 280])
        page.Rotate = 90 * turns
        begin = f"q {' '.join(map(str, right[turns]))} cm ".encode()
        page.Contents = Stream(pdf, begin + page.Contents.read_bytes() + b" Q")

    data = changed(turned)
    plain = searchable(tmp_path, data)
    check(tmp_path, plain)
    assert not is_image(plain)
    assert (looks(plain) == looks(data)).all()
    assert texts(plain) == [TEXT]
    stamped = searchable(tmp_path, data, stamp_at(300, 300, 500, 340))
    check(tmp_path, stamped)
    assert not is_image(stamped)
    assert (looks(stamped) == looks(data)).all()
    assert sorted(texts(stamped)[0].split()) == sorted([*TEXT.split(), STAMP])
    assert place_of(STAMP, stamped) == pytest.approx((400, 320), abs=12)


def test_what_a_page_does_not_show_is_left_out(tmp_path: Path) -> None:
    """No action, script, link, attachment, note or private data of the sender comes into the outbox."""
    script = Dictionary(S=Name.JavaScript, JS="app.alert(1)")

    def armed(pdf: Pdf, page: Any) -> None:
        pdf.Root.OpenAction = script
        pdf.Root.AA = Dictionary(WC=script)
        pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array(["x", script])))
        page.AA = Dictionary(O=Dictionary(S=Name.Launch, F="calc.exe"))
        page.Metadata = Stream(pdf, b"<secret/>")
        page.PieceInfo = Dictionary(Secret=Dictionary(Private="secret"))
        page.StructParents = 0
        link = Dictionary(
            Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 300, 200]), A=Dictionary(S=Name.URI, URI="file:///x")
        )
        page.Annots = Array([pdf.make_indirect(link)])
        font = page.Resources.Font.F
        font.AA = Dictionary(O=script)
        font.Secret = Dictionary(JS="app.alert(2)")
        page.Resources.Private = script
        page.Resources.Properties = Dictionary(
            P=Dictionary(MCID=0, Metadata=page.Metadata, AF=Array([Dictionary(Type=Name.Filespec, F="calc.exe")]))
        )
        page.Contents.AA = script

    data = searchable(tmp_path, changed(armed))
    assert not is_image(data)
    check(tmp_path, data)
    assert texts(data) == [TEXT]
    with Pdf.open(io.BytesIO(data)) as pdf:
        assert set(pdf.Root.keys()) == {"/Type", "/Pages"}
        page = pdf.pages[0].obj
        assert set(page.keys()) == {"/Type", "/Parent", "/MediaBox", "/Rotate", "/Resources", "/Contents"}
        assert set(page.Resources.keys()) == {"/Font", "/Properties"}
        assert set(page.Resources.Font.F.keys()) == {"/Type", "/Subtype", "/BaseFont", "/Encoding"}
        assert dict(page.Resources.Properties.P) == {"/MCID": 0}
    assert not any(each in data for each in (b"JavaScript", b"alert", b"Launch", b"calc.exe", b"secret", b"file:"))


def with_form(**entries: Any) -> Change:
    """Return a change that shows a form with these entries."""

    def change(pdf: Pdf, page: Any) -> None:
        form = Stream(pdf, b"0 0 10 10 re f", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 10, 10]))
        for key, value in entries.items():
            form[f"/{key}"] = value
        page.Resources.XObject = Dictionary(X=pdf.make_indirect(form))
        page.Contents = Array([page.Contents, Stream(pdf, b"/X Do")])

    return change


def large_units(_: Pdf, page: Any) -> None:
    """Make a unit of the page larger than a point."""
    page.UserUnit = 2


def other_size(_: Pdf, page: Any) -> None:
    """Make the page smaller than it was when it was rendered."""
    page.MediaBox = Array([0, 0, 200, 200])


@pytest.mark.parametrize(
    "change",
    [
        with_form(OC=Dictionary(Type=Name.OCG, Name="hidden")),
        with_form(Ref=Dictionary(F="other.pdf", Page=0)),
        with_form(F="data.bin"),
        with_form(Subtype=Name("/PS")),
        with_form(Filter=Name("/Secret")),
        large_units,
        other_size,
    ],
    ids=["layer", "other-file", "outside", "postscript", "unknown-filter", "units", "size"],
)
def test_a_page_that_cannot_be_kept_is_an_image(tmp_path: Path, change: Change) -> None:
    """Only this one: what was begun of it leaves nothing behind, and the next page is kept."""
    sound = made([SHEET, SHEET])
    data = searchable(tmp_path, sound, copy=changed(change, [SHEET, SHEET]))
    check(tmp_path, data)
    assert [is_image(data, number) for number in (0, 1)] == [True, False]
    assert texts(data) == [TEXT, TEXT]
    assert np.abs(looks(data)[:400] - looks(sound)).mean() < 3


def test_after_damaged_data_all_pages_are_images(tmp_path: Path) -> None:
    """What is damaged may be what the next page needs, too; the page before it is kept."""
    sheets = [SHEET, SHEET, SHEET]

    def damaged(pdf: Pdf, _: Any) -> None:
        page = pdf.pages[1].obj
        page.Contents = Array([page.Contents, pdf.make_stream(b"x\x9c\x4b", Filter=Name.FlateDecode)])

    data = searchable(tmp_path, made(sheets), copy=changed(damaged, sheets))
    check(tmp_path, data)
    assert [is_image(data, number) for number in range(3)] == [False, True, True]
    assert texts(data) == [TEXT] * 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: data.rindex(b"startxref")],
        lambda _: made([SHEET, SHEET]),
        lambda _: b"no PDF",
        lambda data: data.replace(b"/Font", b"/Fon#"),
    ],
    ids=["without-table", "more-pages", "other-file", "bad-name"],
)
def test_pages_of_a_file_that_qpdf_reads_differently_are_images(
    tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    """A damaged file may be read in several ways, and the text must be that of the page."""
    sound = made([SHEET], object_stream_mode=pikepdf.ObjectStreamMode.disable)
    data = searchable(tmp_path, sound, copy=spoil(sound))
    check(tmp_path, data)
    assert is_image(data)
    assert texts(data) == [TEXT]


def test_resources_may_be_part_of_themselves(tmp_path: Path) -> None:
    """Some programs give a form the resources of its page, which have the form."""

    def change(pdf: Pdf, page: Any) -> None:
        page.Resources = pdf.make_indirect(page.Resources)
        with_form(Resources=page.Resources)(pdf, page)

    data = searchable(tmp_path, changed(change))
    check(tmp_path, data)
    assert not is_image(data)


def test_what_pages_share_is_in_the_file_once(tmp_path: Path) -> None:
    """The size of a long file stays that of the original, also if all pages inherit their resources."""
    font = bytes(range(256)) * 200

    def change(pdf: Pdf, page: Any) -> None:
        shared = pdf.make_indirect(page.Resources)
        shared.Font.F.ToUnicode = Stream(pdf, font)
        pdf.Root.Pages.Resources, pdf.Root.Pages.Rotate = shared, 0
        for each in pdf.pages:
            del each.obj.Resources
            del each.obj.Rotate

    original = changed(change, [SHEET] * 6, compress_streams=False)
    data = searchable(tmp_path, original)
    check(tmp_path, data)
    assert searchable(tmp_path, original) == data
    assert data.count(font) == 1
    assert len(data) < len(original) + 1000
    assert not any(is_image(data, number) for number in range(6))


def test_a_file_that_may_not_be_changed_is_kept_without_its_encryption(tmp_path: Path) -> None:
    """It opens without a password, like the images of its pages."""
    data = searchable(tmp_path, changed(lambda *_: None, encryption=pikepdf.Encryption(owner="owner", user="")))
    check(tmp_path, data)
    assert not is_image(data)
    assert texts(data) == [TEXT]


@pytest.mark.slow
def test_a_page_that_needs_too_much_memory_is_an_image(tmp_path: Path) -> None:
    """The process that joins has the limit of those that split; the other formats lose nothing by it."""
    megabytes = 600
    deflate = zlib.compressobj()
    head, block = (deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    checksum = (((megabytes << 20) % 65521) << 16) + 1
    zeros = head + (megabytes - 1) * block + deflate.flush()[:-4] + checksum.to_bytes(4, "big")

    def change(pdf: Pdf, page: Any) -> None:
        page.Resources.Font.F.ToUnicode = Stream(pdf, zeros, Filter=Name.FlateDecode)

    copy = changed(change, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    given = split_file(tmp_path, made([SHEET]), copy=copy, max_memory=1 << 29)
    target = os.open(tmp_path / "joined.pdf", os.O_RDWR | os.O_CREAT)
    try:
        written = Joiner().join(JoinJob(given, (("pdf", target),)), (target,))
    finally:
        os.close(target)
    data = (tmp_path / "joined.pdf").read_bytes()
    assert written["pdf"][0] == len(data)
    check(tmp_path, data)
    assert is_image(data)
    assert texts(data) == [TEXT]
