"""What a service gets of a scan: its own bytes if it will read them as they are meant, otherwise an upright image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ocrwatch.document import Box
from ocrwatch.errors import Damaged, OtherFormat, Rejected, ScanFault, TooLarge, Truncated
from ocrwatch.recipe import EnhanceOptions, Preparation
from ocrwatch.recognise.remote.encoding import encoded
from ocrwatch.recognise.remote.marks import packed_marks
from ocrwatch.recognise.remote.prepare import prepare
from tests.images import ALL, keyed, on_glass, pages, saved, sixteen_bits
from tests.rendering import draw, drawn_words, encode
from tests.unit.recognise.remote.service import ANY, JPEG, TEXT, image_of, page_of, recipe

pytestmark = pytest.mark.slow

MODES: tuple[Preparation, ...] = ("none", "straighten", "clean")
PAGE = draw(TEXT, size=32)
SCAN = encode(PAGE)
PNG = frozenset({"image/png"})
OFF = EnhanceOptions(enabled=False)


def boxes_off(found: Box, expected: Box) -> int:
    """Return by how many pixels the worst edge of a box is off."""
    return max(
        abs(found.left - expected.left),
        abs(found.top - expected.top),
        abs(found.right - expected.right),
        abs(found.bottom - expected.bottom),
    )


def darkness(image: Image.Image) -> float:
    """Return how much ink an image has, 0 to 1, as if its letters were on white paper."""
    return 1 - float(np.asarray(image.convert("L")).mean()) / 255


def test_a_usual_scan_is_sent_as_it_is() -> None:
    """Not a byte is changed, and nothing is done to it."""
    content, sent = prepare(SCAN, recipe(), JPEG, 0)
    assert content == SCAN
    assert (sent.media_type, sent.sent_width, sent.sent_height) == ("image/jpeg", *PAGE.size)
    assert (sent.width, sent.height, sent.dpi, sent.orientation) == (*PAGE.size, 300.0, 1)
    assert sent.steps == sent.warnings == ()
    assert sent.prepare_ms > 0


@pytest.mark.parametrize(
    "name",
    [
        *("png 1 bit", "png grey", "png palette", "png colour", "png interlaced"),
        *("tiff group 4", "tiff lzw", "tiff jpeg", "tiff white is zero"),
    ],
)
def test_other_formats_are_sent_as_they_are_to_services_that_take_them(name: str) -> None:
    """PNG and TIFF need no other encoding."""
    scan = ALL[name]()
    content, sent = prepare(scan, recipe(), ANY, 0)
    assert content == scan
    assert sent.media_type == f"image/{name.split(maxsplit=1)[0]}"


@pytest.mark.parametrize(
    "scan",
    [
        pytest.param(saved(sixteen_bits(), "PNG"), id="16 bits"),
        pytest.param(saved(sixteen_bits(), "TIFF"), id="16 bits in TIFF"),
        pytest.param(saved(on_glass(), "PNG"), id="transparent"),
        pytest.param(saved(on_glass(ink=255), "PNG"), id="light on transparent"),
        pytest.param(keyed(), id="transparent white"),
        pytest.param(ALL["tiff four inks"](), id="four inks"),
        pytest.param(encode(PAGE, mode="CMYK"), id="CMYK in JPEG"),
        pytest.param(pages(3), id="three pages"),
        pytest.param(encode(PAGE)[:-2], id="no end marker"),
    ],
)
def test_what_decoders_read_in_different_ways_is_encoded_anew(scan: bytes) -> None:
    """Many cut 16 bits off at white, put transparent print on black, or read the last page of several."""
    content, sent = prepare(scan, recipe(), ANY, 0)
    assert content != scan
    assert sent.media_type in {"image/jpeg", "image/png"}
    # Most of it is paper, and the print is dark, or was light on a dark page.
    ink = darkness(image_of(content))
    assert 0.02 < min(ink, 1 - ink) < 0.25


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_kind_of_image_becomes_one_that_the_service_takes(name: str) -> None:
    """The image that is sent can be opened, and has the size that is said."""
    for media_types in (JPEG, PNG):
        content, sent = prepare(ALL[name](), recipe(), media_types, 0)
        assert {sent.media_type} == media_types
        assert image_of(content).size == (sent.sent_width, sent.sent_height)


def test_black_and_white_stays_so() -> None:
    """A fax becomes a PNG with one bit a pixel, unless the service takes JPEG only."""
    fax = ALL["tiff group 4"]()
    content, sent = prepare(fax, recipe(), JPEG | PNG, 0)
    assert (sent.media_type, image_of(content).mode) == ("image/png", "1")
    assert prepare(fax, recipe(), JPEG, 0)[1].media_type == "image/jpeg"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", MODES)
def test_however_a_camera_was_held_words_are_found_on_the_upright_original(mode: Preparation, orientation: int) -> None:
    """The service sees an upright image, and its boxes land on the drawn words within two pixels."""
    # Not scaled, so that the engine's boxes are exact.
    page = page_of(
        encode(PAGE, quality=95, exif_orientation=orientation), recipe(mode, enhance=EnhanceOptions(scale=False))
    )
    expected = drawn_words(TEXT)
    assert (page.width, page.height) == PAGE.size
    assert page.orientation == orientation
    assert [word.text for word in page.words] == [text for text, _ in expected]
    assert max(boxes_off(word.box, box) for word, (_, box) in zip(page.words, expected, strict=True)) <= 2
    assert page.unread == pytest.approx(0.0, abs=0.02)


def test_an_image_that_had_to_be_turned_keeps_its_colours() -> None:
    """Services and vision models read coloured stamps better in colour; grey scans are not made larger by it."""
    red = Image.new("RGB", PAGE.size, "white")
    red.paste((200, 0, 0), mask=PAGE.point(lambda value: 255 - value))
    content, _ = prepare(encode(red, mode="RGB", exif_orientation=6), recipe(), ANY, 0)
    image = image_of(content)
    assert (image.mode, image.size) == ("RGB", PAGE.size)
    pixels = np.asarray(image).astype(int)
    ink = pixels[pixels[..., 1] < 80]
    assert ink[:, 0].mean() - ink[:, 1].mean() > 100
    content, _ = prepare(encode(PAGE, mode="RGB", exif_orientation=6), recipe(), ANY, 0)
    assert image_of(content).mode == "L"
    content, _ = prepare(saved(red, "TIFF", compression="tiff_lzw"), recipe(), JPEG, 0)
    assert image_of(content).mode == "RGB"


@pytest.mark.parametrize("mode", MODES)
def test_only_the_region_is_sent(mode: Preparation) -> None:
    """The rest of the page never leaves the machine, has no marks, and its words' places are those on the scan."""
    wanted = recipe(mode, region=(0.0, 0.0, 1.0, 0.5), enhance=EnhanceOptions(scale=False, margins=False))
    content, sent = prepare(SCAN, wanted, ANY, 0)
    height = round(PAGE.height * 0.5)
    assert abs(image_of(content).height - height) <= 1
    marks = np.frombuffer(sent.marks, "<f4").reshape(-1, 2)
    assert len(marks) > 40
    assert marks[:, 1].max() <= height
    page = page_of(SCAN, wanted)
    known = dict(drawn_words(TEXT))
    words = [word for word in page.words if word.text in known]
    assert len(words) >= 13
    assert max(boxes_off(word.box, known[word.text]) for word in words if word.text != "ships") <= 2


def test_a_region_in_colour_is_cut_from_the_same_place() -> None:
    """Colours are cropped as the grey pixels are."""
    page = Image.new("RGB", (400, 300), "white")
    page.paste((0, 0, 200), (200, 150, 400, 300))
    content, _ = prepare(encode(page, mode="RGB"), recipe(region=(0.5, 0.5, 1.0, 1.0)), ANY, 0)
    image = image_of(content)
    assert image.size == (200, 150)
    assert np.asarray(image)[5:, 5:].mean(axis=(0, 1)) == pytest.approx((0, 0, 200), abs=5)


def test_an_image_that_is_too_large_is_made_smaller() -> None:
    """It has as few bytes as the service takes, and the words that are read on it are where they were."""
    large = encode(draw(TEXT, size=96), quality=97)
    content, sent = prepare(large, recipe(), ANY, 70_000)
    assert len(content) <= 70_000 < len(large)
    assert sent.warnings == ()
    assert sent.steps
    assert sent.steps[-1].startswith("scale 0.")
    page = page_of(large, recipe(), max_bytes=70_000)
    known = dict(drawn_words(TEXT, size=96))
    assert len(page.words) == len(known)
    # A pixel of what was sent is several of the original.
    factor = sent.width / sent.sent_width
    assert max(boxes_off(word.box, known[word.text]) for word in page.words) <= 2 * factor


def test_less_quality_comes_before_fewer_pixels() -> None:
    """A scan that is only a little too large keeps all of its pixels."""
    scan = encode(PAGE, quality=95)
    content, sent = prepare(scan, recipe(), ANY, len(scan) - 1000)
    assert len(content) < len(scan)
    assert (sent.sent_width, sent.steps) == (PAGE.width, ())


def test_text_that_becomes_small_is_told() -> None:
    """Below what engines read well, the page has a warning."""
    content, sent = prepare(SCAN, recipe(), ANY, 16_000)
    assert len(content) <= 16_000
    (warning,) = sent.warnings
    assert warning.startswith("the image that was sent is only as fine as ")
    assert warning.endswith(" dpi: the service takes 16000 bytes")


def test_text_that_would_not_be_legible_is_not_sent() -> None:
    """The image is refused here, as the service would do."""
    with pytest.raises(Rejected, match=r"more than the limit of 5000; raise max_bytes"):
        prepare(SCAN, recipe(), ANY, 5_000)


@pytest.mark.parametrize("mode", MODES)
def test_fewer_pixels_have_the_limits_of_fewer_bytes(mode: Preparation) -> None:
    """An image that the service takes only with fewer pixels has the same warning, and is refused alike."""
    wanted = recipe(mode, enhance=EnhanceOptions(scale=False, margins=False))
    assert prepare(SCAN, wanted, ANY, 0, max_side=PAGE.width * 3 // 4)[1].warnings == ()
    for limits in ({"max_side": PAGE.width // 2}, {"max_pixels": PAGE.width * PAGE.height // 4}):
        content, sent = prepare(SCAN, wanted, ANY, 0, **limits)
        (warning,) = sent.warnings
        assert warning.startswith("the image that was sent is only as fine as ")
        assert warning.endswith(f" dpi: the service takes {sent.sent_width} x {sent.sent_height} pixels")
        assert image_of(content).size == (sent.sent_width, sent.sent_height)
    # The bytes would be few enough.
    for max_bytes in (0, 5_000):
        with pytest.raises(Rejected, match="would be only as fine as"):
            prepare(SCAN, wanted, ANY, max_bytes, max_side=PAGE.width // 5)


def test_a_long_receipt_is_not_sent_too_small() -> None:
    """A till receipt of 1.5 m at 300 dpi would have 70 dpi at a service that takes 4096 pixels a side."""
    receipt = encode(
        draw("\n".join(["Bread 2.50", "Milk 1.20", "Total 3.70"] * 120), size=42, width=900, height=17_700)
    )
    with pytest.raises(Rejected, match=r"would be only as fine as [67]\d dpi"):
        prepare(receipt, recipe(), JPEG, 0, max_side=4096)


def test_small_print_is_sent_if_it_is_hardly_scaled() -> None:
    """It has nearly all of its pixels; how fine it is is said."""
    page = encode(draw("\n".join(["small print of a large sheet " * 4] * 30), size=11, width=1000, height=600))
    _, sent = prepare(page, recipe(), JPEG, 0, max_side=990)
    (warning,) = sent.warnings
    assert warning.startswith("the image that was sent is only as fine as ")
    with pytest.raises(Rejected, match="would be only as fine as"):
        prepare(page, recipe(), JPEG, 0, max_side=800)


@pytest.mark.parametrize("size", [(400, 300), (333, 217), (1000, 3)])
def test_no_limit_of_pixels_is_exceeded_by_rounding(size: tuple[int, int]) -> None:
    """Services refuse an image with one pixel too many."""
    pixels = np.full(size[::-1], 255, np.uint8)
    for max_pixels in range(size[0] * size[1] // 2, size[0] * size[1], 97):
        image = encoded(pixels, JPEG, None, 0, max_pixels)
        assert image.width * image.height <= max_pixels
        assert image.width * image.height > 0.9 * max_pixels or size[1] < 10
    smaller = encoded(pixels, JPEG, None, 77)
    assert max(smaller.width, smaller.height) == 77


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("scan", "fault"),
    [
        (SCAN[: len(SCAN) // 2], Truncated),
        (SCAN[:1000] + bytes(2000) + SCAN[3000:], Damaged),
        (b"no image at all, but long enough to be looked at", OtherFormat),
        (ALL["tiff group 4"]()[:400], Damaged),
    ],
)
def test_a_damaged_scan_is_never_sent(mode: Preparation, scan: bytes, fault: type[ScanFault]) -> None:
    """It raises the error that reading it here would raise."""
    with pytest.raises(fault):
        prepare(scan, recipe(mode), ANY, 0)


@pytest.mark.parametrize("mode", MODES)
def test_too_many_pixels_are_refused_before_they_are_decoded(mode: Preparation) -> None:
    """The same limit as for reading here."""
    with pytest.raises(TooLarge):
        prepare(SCAN, recipe(mode, enhance=EnhanceOptions(max_pixels=1000)), ANY, 0)


def skewed(degrees: float, quarters: int = 0) -> Image.Image:
    """Return the page, its lines falling by ``degrees``, then turned clockwise."""
    page = draw(TEXT, size=32, width=900, height=700)
    return page.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=255).rotate(-90 * quarters, expand=True)


@pytest.mark.parametrize("mode", ["straighten", "clean"])
def test_a_skewed_page_is_straightened(mode: Preparation) -> None:
    """What is sent has no skew; the steps say so."""
    content, sent = prepare(encode(skewed(5.0)), recipe(mode), ANY, 0)
    assert any(step.startswith("skew 5.") for step in sent.steps)
    assert sent.skew == 0.0
    _, again = prepare(content, recipe(), ANY, 0)
    assert again.skew == 0.0


def test_a_page_that_is_only_straightened_keeps_its_shades() -> None:
    """Cleaning makes paper white and text as large as Tesseract likes it; straightening does not."""
    pale = draw(TEXT, size=32, width=900, height=700, ink=120, paper=200).rotate(-3, fillcolor=200)
    straight, sent = prepare(encode(pale), recipe("straighten"), ANY, 0)
    assert sent.steps == ("skew 3.0",)
    assert np.median(np.asarray(image_of(straight))) == pytest.approx(200, abs=3)
    cleaned, sent = prepare(encode(pale), recipe("clean"), ANY, 0)
    assert np.median(np.asarray(image_of(cleaned))) > 240
    assert any(step.startswith("light") for step in sent.steps)


def test_the_skew_of_a_page_that_is_sent_as_it_is_is_measured() -> None:
    """Boxes of words do not show it."""
    assert prepare(encode(skewed(-4.0)), recipe(), ANY, 0)[1].skew == pytest.approx(-4.0, abs=0.2)
    assert prepare(encode(skewed(-4.0, 1)), recipe(), ANY, 0)[1].skew == pytest.approx(-4.0, abs=0.2)
    unmeasured = recipe(enhance=EnhanceOptions(skew=False))
    assert prepare(encode(skewed(-4.0)), unmeasured, ANY, 0)[1].skew == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_a_reduced_reading_sends_the_page_as_it_is(mode: Preparation) -> None:
    """After a timeout nothing is enhanced, whatever the service is to get, and the text is still found."""
    scan = encode(skewed(0.0))
    content, sent = prepare(scan, recipe(mode, enhance=OFF), ANY, 0)
    assert image_of(content).size == (900, 700)
    assert (sent.steps, sent.skew, sent.blank) == ((), 0.0, False)
    assert page_of(scan, recipe(mode, enhance=OFF)).lines[0].text == TEXT.split("\n", maxsplit=1)[0]


def test_a_large_page_is_decoded_at_half_its_size_and_sent_whole() -> None:
    """Only measurements are made on the half; marks are where they are on the original."""
    page = draw(TEXT, size=64, width=2400, height=3601)
    content, sent = prepare(encode(page), recipe(), ANY, 0)
    assert (sent.sent_width, sent.sent_height) == image_of(content).size == (2400, 3601)
    assert (sent.page_width, sent.page_height) == (1200, 1801)
    marks = np.frombuffer(sent.marks, "<f4").reshape(-1, 2)
    boxes = [box for _, box in drawn_words(TEXT, size=64)]
    inside = [
        any(box.left <= x <= box.right and box.top <= y <= box.bottom for box in boxes) for x, y in marks.tolist()
    ]
    assert len(marks) > 100
    assert sum(inside) >= 0.98 * len(marks)


@pytest.mark.parametrize("mode", MODES)
def test_a_page_without_marks_is_blank(mode: Preparation) -> None:
    """Unless blank pages are not looked for."""
    paper = encode(Image.new("L", (800, 1000), 250))
    _, sent = prepare(paper, recipe(mode), ANY, 0)
    assert (sent.blank, sent.marks) == (True, packed_marks(np.empty((0, 2))))
    for options in (OFF, EnhanceOptions(blank=False)):
        assert not prepare(paper, recipe(mode, enhance=options), ANY, 0)[1].blank


def test_the_resolution_goes_with_an_image_that_is_encoded_anew() -> None:
    """Services with Tesseract need it."""
    content, _ = prepare(encode(PAGE, exif_orientation=3), recipe(), ANY, 0)
    assert image_of(content).info["dpi"] == pytest.approx((300, 300), abs=1)
    content, _ = prepare(encode(PAGE, exif_orientation=3, dpi=None), recipe(), ANY, 0)
    assert image_of(content).info.get("dpi") is None
