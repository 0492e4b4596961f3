"""PNG and TIFF files of all kinds give the same pixels as the picture that was saved."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from PIL import Image, ImageChops
from PIL.TiffImagePlugin import TiffImageFile

from ocrwatch import png_chunks
from ocrwatch.errors import Damaged, ScanFault, TooLarge, Truncated, Unsupported
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.shared_process import embedded_process
from tests.images import (
    ALL,
    PICTURE,
    PNGS,
    TIFFS,
    damaged_images,
    interlaced,
    on_glass,
    pages,
    png_chunk,
    saved,
    sixteen_bits,
    tiff,
)
from tests.rendering import _TO_STORED, draw, encode

MOST = 10_000_000


def off(found: object, expected: Image.Image = PICTURE) -> float:
    """Return the mean difference of two pictures in grey values."""
    return float(np.abs(np.asarray(found, int) - np.asarray(expected, int)).mean())


@pytest.mark.parametrize("kind", ALL)
def test_pixels_of_all_kinds(kind: str) -> None:
    """Black on white, whatever its bits, palette, compression and transparency; light print gets a dark paper."""
    decoded = decode(ALL[kind](), max_pixels=MOST)
    expected = PICTURE.point(lambda value: 255 - value) if "light" in kind else PICTURE
    assert (decoded.width, decoded.height, decoded.reduction) == (*PICTURE.size, 1)
    assert off(decoded.gray, expected) < (3 if "bit" in kind or "group" in kind else 1.5)
    assert decoded.gray.dtype == np.uint8
    assert decoded.gray.flags["C_CONTIGUOUS"]
    assert decoded.image.kind == kind.split(maxsplit=1)[0]
    assert (decoded.image.width, decoded.image.height) == PICTURE.size


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_resolution(kind: str) -> None:
    """It is that of the file, if it is credible."""
    assert decode(saved(PICTURE, kind), max_pixels=MOST).dpi == pytest.approx(300, abs=0.1)
    assert decode(saved(PICTURE, kind, dpi=(72, 72)), max_pixels=MOST).dpi is None
    assert decode(saved(PICTURE, kind, dpi=(204, 98)), max_pixels=MOST).dpi is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int) -> None:
    """A TIFF's orientation, and the EXIF data of a PNG, are applied once."""
    stored = PICTURE.transpose(_TO_STORED[orientation]) if orientation in _TO_STORED else PICTURE
    exif = Image.Exif()
    exif[0x0112] = orientation
    for data in (
        saved(stored, "PNG", exif=exif),
        saved(stored, "TIFF", tiffinfo={274: orientation}),
        saved(stored, "TIFF", tiffinfo={274: orientation}, compression="tiff_lzw"),
    ):
        decoded = decode(data, max_pixels=MOST)
        assert decoded.orientation == orientation
        assert (decoded.width, decoded.height) == PICTURE.size
        assert off(decoded.gray) < 0.01
        assert (decoded.image.width, decoded.image.height) == stored.size


def test_a_picture_with_a_transparent_edge_stays_on_white() -> None:
    """Only print without paper is put on black."""
    photograph = Image.merge("LA", (PICTURE, Image.new("L", PICTURE.size, 255)))
    photograph.putpixel((0, 0), (0, 0))
    assert decode(saved(photograph, "PNG"), max_pixels=MOST).gray[0, 0] == 255
    assert off(decode(saved(on_glass(), "PNG"), max_pixels=MOST).gray) < 1.5


def test_of_several_pages_the_first_is_read() -> None:
    """A warning says so, and how many there are; smaller copies do not count."""
    decoded = decode(pages(3), max_pixels=MOST)
    assert off(decoded.gray) == 0
    assert decoded.images == 3
    assert decoded.warnings == (
        "the file has 3 pages, and only the first was read: save each page as a file of its own",
    )
    small = PICTURE.resize((40, 20))
    file = io.BytesIO()
    small.save(file, "TIFF", save_all=True, append_images=[PICTURE], tiffinfo={254: 1})
    data = bytearray(file.getvalue())
    # Pillow gives both pages the same tags: the second one is no copy.
    last = data.rindex(struct.pack("<HHII", 254, 4, 1, 1))
    data[last + 8 : last + 12] = bytes(4)
    decoded = decode(bytes(data), max_pixels=MOST)
    assert (decoded.width, decoded.height, decoded.warnings) == (*PICTURE.size, ())
    assert (decoded.image.page, decoded.images) == (1, 2)


def test_pages_that_are_flagged_as_copies_are_counted() -> None:
    """Pages of the same size are no smaller copies, whatever their writer says."""
    decoded = decode(pages(2, tiffinfo={254: 1}), max_pixels=MOST)
    assert off(decoded.gray) == 0
    assert "the file has 2 pages" in decoded.warnings[0]


def test_a_png_without_its_end() -> None:
    """If all pixels are there it is read with a warning; if some are missing it is not."""
    data = saved(PICTURE, "PNG")
    decoded = decode(data[:-12], max_pixels=MOST)
    assert off(decoded.gray) == 0
    assert decoded.warnings == ("the PNG has no end marker (IEND)",)
    for length in (20, 40, len(data) // 2, len(data) - 20):
        with pytest.raises(Truncated):
            decode(data[:length], max_pixels=MOST)


def test_half_a_tiff_is_damaged() -> None:
    """Half a page is never read as one."""
    for made in (TIFFS["grey"], TIFFS["lzw"], TIFFS["jpeg"], TIFFS["tiled"]):
        data = made()
        with pytest.raises(Damaged):
            decode(data[: len(data) // 2], max_pixels=MOST)


def test_a_wrong_checksum_is_found() -> None:
    """Of the pixels; that of a comment matters to nobody."""
    data = bytearray(saved(PICTURE, "PNG"))
    data[data.index(b"IDAT") + 40] ^= 1
    with pytest.raises(Damaged, match="checksum"):
        decode(bytes(data), max_pixels=MOST)
    sound = saved(PICTURE, "PNG")
    comment = bytearray(png_chunk(b"tEXt", b"Comment\0some text"))
    comment[-1] ^= 1
    assert off(decode(sound[:33] + bytes(comment) + sound[33:], max_pixels=MOST).gray) == 0


def test_gigabytes_of_text_are_not_unpacked() -> None:
    """A compressed comment is no reason to refuse the pixels."""
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 26)))
    sound = saved(PICTURE, "PNG")
    assert off(decode(sound[:33] + bomb + sound[33:], max_pixels=MOST).gray) == 0


@pytest.mark.parametrize("kind", ["png grey", "tiff grey", "tiff big"])
def test_too_many_pixels(kind: str) -> None:
    """They are counted before one is decoded."""
    with pytest.raises(TooLarge, match=f"{PICTURE.width} x {PICTURE.height} pixels"):
        decode(ALL[kind](), max_pixels=1000)


def test_compressions_that_cannot_be_decoded() -> None:
    """The message gives the number, and the remedy says how to save it."""
    data = bytearray(TIFFS["grey"]())
    entry = data.index(struct.pack("<HHI", 259, 3, 1))
    for code in (6, 34_712):
        data[entry + 8 : entry + 10] = struct.pack("<H", code)
        with pytest.raises(Unsupported, match=f"number {code}") as caught:
            decode(bytes(data), max_pixels=MOST)
        assert "Group 4" in caught.value.remedy


def test_thirty_two_bits_are_refused() -> None:
    """Their range is unknown."""
    with pytest.raises(Unsupported, match="32 bits"):
        decode(saved(PICTURE.convert("F"), "TIFF"), max_pixels=MOST)


@given(data=damaged_images())
def test_damage_ends_in_a_page_or_a_fault(data: bytes) -> None:
    """Never in another error."""
    with contextlib.suppress(ScanFault):
        decode(data, max_pixels=MOST)


@pytest.mark.parametrize("kind", ["group 4", "group 4 in strips", "group 3", "jpeg"])
def test_damage_that_libtiff_does_not_report(kind: str) -> None:
    """It goes on after it, with white rows or with none that are right: that is no page."""
    data = bytearray(TIFFS[kind]())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    with pytest.raises(Damaged):
        decode(bytes(data), max_pixels=MOST)


@pytest.mark.parametrize("number", [8, 32946])
def test_deflate_data_have_an_end(number: int) -> None:
    """Zeros among them look like blank paper to libtiff; what follows the pixels, and a checksum, may be missing."""
    pixels = np.asarray(PICTURE).tobytes()
    stream = zlib.compress(pixels)
    tags = {258: 8, 259: number, 262: 1}
    for sound in (stream, stream[:-4], zlib.compress(pixels + bytes(500))):
        decoded = decode(tiff(*PICTURE.size, tags, sound), max_pixels=MOST)
        assert off(decoded.gray) == 0
        assert decoded.warnings == ()
    page = draw("\n".join(f"Line {line} of the page" for line in range(12)), size=28)
    stream = zlib.compress(np.asarray(page).tobytes())
    third = len(stream) // 3
    with pytest.raises(Damaged, match="without an end"):
        decode(tiff(*page.size, tags, stream[:third] + bytes(len(stream) - third)), max_pixels=MOST)


@pytest.mark.parametrize("options", [{"tiled": True}, {"strip_size": 2000}, {"tiffinfo": {317: 2}}])
def test_sound_deflate_data_are_not_doubted(options: dict[str, object]) -> None:
    """In tiles, strips and with a predictor."""
    for image in (PICTURE, PICTURE.convert("RGB"), sixteen_bits()):
        data = saved(image, "TIFF", compression="tiff_adobe_deflate", **options)
        assert decode(data, max_pixels=MOST).warnings == ()


def test_a_scratch_on_a_fax_is_a_warning() -> None:
    """A line that was sent wrong does not cost the page: Group 3 goes on with the next one."""
    fax = draw("A fax with one\nline that is wrong", size=60).convert("1")
    sound = saved(fax, "TIFF", compression="group3")
    warned: list[str] = []
    for place in range(len(sound) // 4, len(sound) // 2, 37):
        data = bytearray(sound)
        data[place : place + 2] = bytes(2)
        decoded = decode(bytes(data), max_pixels=MOST)
        assert off(decoded.gray, fax.convert("L")) < 6
        warned += decoded.warnings
    assert "damaged lines of the fax: 1" in warned


@pytest.mark.parametrize("is_interlaced", [False, True])
def test_a_png_with_too_few_rows_is_damaged(*, is_interlaced: bool) -> None:
    """Decoders fill the rest with black; checksums are right."""
    data = interlaced() if is_interlaced else saved(PICTURE, "PNG")
    with pytest.raises(Damaged, match="fewer rows"):
        decode(shortened(data, 20 * (PICTURE.width + 1)), max_pixels=MOST)


def shortened(png: bytes, missing: int) -> bytes:
    """Return a PNG without the last bytes of its pixels."""
    chunks = [(chunk.kind, chunk.of(png)) for chunk in png_chunks.chunks(png)]
    pixels = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    made = [(kind, content) for kind, content in chunks if kind != b"IDAT"]
    made.insert(-1, (b"IDAT", zlib.compress(pixels[:-missing])))
    return png_chunks.SIGNATURE + b"".join(png_chunk(*each) for each in made)


@pytest.mark.parametrize("kind", PNGS)
@pytest.mark.parametrize("missing", [1, 40])
def test_a_part_of_the_last_row_is_missed(kind: str, missing: int) -> None:
    """Be it a byte, in all kinds of PNG."""
    with pytest.raises(Damaged, match="fewer rows"):
        decode(shortened(PNGS[kind](), missing), max_pixels=MOST)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_a_black_last_row_is_no_missing_one(mode: str) -> None:
    """It looks like one that Pillow fills; only the data show that it is there."""
    page = PICTURE.copy()
    page.paste(0, (0, page.height - 1, page.width, page.height))
    decoded = decode(saved(page.convert(mode), "PNG"), max_pixels=MOST)
    assert not decoded.gray[-1].any()
    assert decoded.gray[-2].any()


def group_4(image: Image.Image) -> bytes:
    """Return the codes of an image of one bit a pixel, in which black is the second colour as on faxes."""
    data = saved(ImageChops.invert(image), "TIFF", compression="group4")
    with TiffImageFile(io.BytesIO(data)) as file:
        (start,), (length,) = file.tag_v2[273], file.tag_v2[279]
    return data[start : start + length]


def fax(codes: bytes, width: int, height: int) -> bytes:
    """Return a TIFF of Group 4 codes in which white is zero, as faxes and scanners write it."""
    return tiff(width, height, {258: 1, 259: 4, 262: 0}, codes)


def test_a_fax_with_white_as_zero() -> None:
    """It is read like others, also with a black border at its left; one whose codes end early is no page."""
    page = PICTURE.convert("1")
    bordered = page.copy()
    bordered.paste(0, (0, 0, 40, page.height))
    for image in (page, bordered):
        decoded = decode(fax(group_4(image), *image.size), max_pixels=MOST)
        assert off(decoded.gray, image.convert("L")) == 0
        upper = group_4(image.crop((0, 0, image.width, image.height // 2)))
        with pytest.raises(Damaged, match="rows is missing"):
            decode(fax(upper, *image.size), max_pixels=MOST)


def test_damaged_lines_are_counted_in_each_strip() -> None:
    """A fax in small strips, most of whose lines are ruined, is no page."""
    page = draw("A fax in\nmany strips\nof a few rows", size=60).convert("1")
    data = saved(page, "TIFF", compression="group3", strip_size=4 * -(-page.width // 8))
    with TiffImageFile(io.BytesIO(data)) as file:
        places = list(zip(file.tag_v2[273], file.tag_v2[279], strict=True))
    assert len(places) > 20
    ruined = bytearray(data)
    for start, length in places:
        ruined[start + length // 4 : start + length] = b"\x55\x01" * (length * 3 // 8)
    with pytest.raises(Damaged):
        decode(bytes(ruined[: len(data)]), max_pixels=MOST)


def test_fax_data_that_cannot_be_checked_is_refused() -> None:
    """In another program's process libtiff's messages cannot be read; Group 4 is checked by its codes."""
    with embedded_process():
        with pytest.raises(Unsupported, match="Group 3"):
            decode(TIFFS["group 3"](), max_pixels=MOST)
        assert off(decode(TIFFS["group 4"](), max_pixels=MOST).gray) < 2


@pytest.mark.parametrize(("bits", "is_inverted"), [(12, False), (16, False), (16, True)])
def test_deep_tiffs(bits: int, *, is_inverted: bool) -> None:
    """Samples of 12 bits are packed; in some files 0 is white."""
    gray = np.asarray(PICTURE).astype(np.uint32) * (16 if bits == 12 else 256)
    values = ((1 << bits) - 1 - gray) if is_inverted else gray
    if bits == 12:
        padded = np.pad(values, ((0, 0), (0, values.shape[1] % 2)))
        first, second = padded[:, ::2], padded[:, 1::2]
        triples = np.stack([first >> 4, ((first & 15) << 4) | (second >> 8), second & 255], -1).astype(np.uint8)
        packed = triples.reshape(len(values), -1)[:, : -(-values.shape[1] * 12 // 8)]
    else:
        packed = values.astype("<u2")
    data = tiff(*PICTURE.size, {258: bits, 259: 1, 262: 0 if is_inverted else 1}, packed.tobytes())
    assert off(decode(data, max_pixels=MOST).gray) < 1.1


def test_sixteen_bits_with_a_transparent_value() -> None:
    """Values are not cut off: print stays print."""
    deep = Image.fromarray((np.asarray(PICTURE).astype(np.uint16) << 7) + 5000)
    data = saved(deep, "PNG", transparency=1)
    decoded = decode(data, max_pixels=MOST).gray.astype(int)
    assert decoded.max() - decoded.min() > 100


def test_damaged_metadata_cost_no_page() -> None:
    """Of a PNG: resolution and orientation are left out then."""
    sound = saved(PICTURE, "PNG")
    for kind, content in ((b"eXIf", b"no TIFF"), (b"pHYs", b"\0\0"), (b"eXIf", b"MM\0*\xff\xff\xff\xff")):
        decoded = decode(sound[:33] + png_chunk(kind, content) + sound[33:], max_pixels=MOST)
        assert off(decoded.gray) == 0
        assert decoded.orientation == 1
    spoilt = bytearray(sound)
    spoilt[sound.index(b"pHYs") + 4] ^= 1
    assert decode(bytes(spoilt), max_pixels=MOST).dpi is None


def test_a_damaged_later_page_costs_a_warning() -> None:
    """The first page is read all the same."""
    good = np.asarray(PICTURE).tobytes()
    data = tiff(*PICTURE.size, {258: 8, 259: 1, 262: 1}, good, follows=20)
    decoded = decode(data, max_pixels=MOST)
    assert off(decoded.gray) == 0
    assert "later page" in decoded.warnings[0]
    assert decoded.images == 0


def test_a_large_jpeg_in_a_small_tiff() -> None:
    """The limit of pixels holds for what is decoded."""
    jpeg = encode(Image.new("L", (3000, 3000), 255))
    data = tiff(100, 100, {258: 8, 259: 7, 262: 1}, jpeg)
    with pytest.raises(TooLarge):
        decode(data, max_pixels=20_000)


def test_a_million_empty_chunks() -> None:
    """They are not all looked at."""
    png = png_chunks.SIGNATURE + png_chunk(b"IHDR", bytes(13)) + png_chunk(b"teSt", b"") * 300_000
    assert sum(1 for _ in png_chunks.chunks(png)) == 100_000
