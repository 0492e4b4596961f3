"""JPEGs as devices write them are read with a warning, and what is cut or corrupt is refused all the same."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from ocrwatch import jpeg_markers
from ocrwatch.errors import Damaged, ScanFault, TooLarge, Truncated
from ocrwatch.recognise.decode import Decoded, decode
from tests import odd_jpegs as odd
from tests.rendering import draw, encode

PAGE = draw("\n".join(["Invoice 2041 was paid by the harbour office"] * 8))
PIXELS = np.asarray(PAGE).astype(int)
MODES = {"grey": ("L", False), "colour": ("RGB", False), "CMYK": ("CMYK", False), "progressive": ("RGB", True)}
THUMBNAIL = encode(PAGE.resize((160, 80)))

NO_END = "no end marker"
LINES = "DNL"
SEGMENTS = "wrong length"
SURPLUS = "surplus bytes"
ZEROS = "zeros after"
ROWS = "more rows"
PROFILE = "colour profile"
SECOND = "second image"
FIELDS = "non-standard header fields"


def saved(mode: str) -> bytes:
    """Save the page in one of the modes."""
    return encode(PAGE, mode=MODES[mode][0], progressive=MODES[mode][1])


def decoded(jpeg: bytes) -> Decoded:
    """Decode with the usual limit."""
    return decode(jpeg, max_pixels=10**8)


def assert_is_page(found: Decoded, *, rows: int = PAGE.height) -> None:
    """Check that it is the page, but for what JPEG loses."""
    assert found.gray.shape == (rows, PAGE.width)
    assert np.abs(found.gray.astype(int) - PIXELS[:rows]).mean() < 1


def exif(orientation: int, *, longer: int, thumbnail: bytes = b"", before: int = 40) -> bytes:
    """Make an EXIF segment with a wrong length."""
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0])
    body = b"Exif\0\0II*\x00\x08\x00\x00\x00\x01\x00" + entry + bytes(4 + before) + thumbnail + bytes(60)
    return odd.segment(jpeg_markers.APP1, body, longer=longer)


def noise(size: int) -> bytes:
    """Make bytes without a marker among them."""
    return random.Random(size).randbytes(size).replace(b"\xff", b"\x01")


KINDS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    **{
        f"height {height} in the frame, the true one behind": (
            lambda jpeg, height=height: odd.with_lines_behind(jpeg, height),  # type: ignore[misc]
            LINES,
        )
        for height in (0, 65535, 2 * PAGE.height, PAGE.height + 1)
    },
    "height behind, no end": (lambda jpeg: odd.without_end(odd.with_lines_behind(jpeg, 0)), LINES),
    "no end": (odd.without_end, NO_END),
    "a phone's trailer": (odd.samsung, NO_END),
    "a program's trailer": (lambda jpeg: odd.without_end(jpeg, b"written by a program, version 1.0\n"), NO_END),
    "trailer with a marker": (lambda jpeg: odd.without_end(jpeg, b"\xff\x3c" + noise(500)), NO_END),
    "zeros for an end": (lambda jpeg: odd.without_end(jpeg, bytes(3000)), NO_END),
    "no end, a second image": (lambda jpeg: odd.without_end(jpeg, jpeg), SECOND),
    "zeros before the end": (lambda jpeg: odd.before_end(jpeg, bytes(16)), SURPLUS),
    "many zeros before the end": (lambda jpeg: odd.before_end(jpeg, bytes(512)), ""),
    "words before the end": (lambda jpeg: odd.before_end(jpeg, b"made by a careless program"), SURPLUS),
    "profile with a bad number": (lambda jpeg: odd.with_profile(jpeg, (0, 1)), PROFILE),
    "profile with a missing part": (lambda jpeg: odd.with_profile(jpeg, (1, 3), (3, 3)), PROFILE),
    "profile with a part twice": (lambda jpeg: odd.with_profile(jpeg, (1, 2), (1, 2)), PROFILE),
    "junk": (lambda jpeg: odd.behind_first_segment(jpeg, noise(16)), SEGMENTS),
    "much junk": (lambda jpeg: odd.behind_first_segment(jpeg, bytes(10_000)), SEGMENTS),
    "junk at the start": (lambda jpeg: odd.behind_start(jpeg, noise(7)), SEGMENTS),
    **{
        f"EXIF {longer:+} bytes": (
            lambda jpeg, longer=longer: odd.behind_start(jpeg, exif(1, longer=longer)),  # type: ignore[misc]
            SEGMENTS,
        )
        for longer in (-60, -1, 1, 17, 300, 1000, 60_000)
    },
    **{
        f"EXIF with a thumbnail {longer:+} bytes": (
            lambda jpeg, longer=longer: odd.behind_start(jpeg, exif(1, longer=longer, thumbnail=THUMBNAIL)),  # type: ignore[misc]
            SEGMENTS,
        )
        for longer in (-len(THUMBNAIL) - 80, -len(THUMBNAIL) // 2, -30, 30, 700)
    },
    "comment too long": (lambda jpeg: odd.behind_first_segment(jpeg, odd.segment(0xFE, b"words", longer=90)), SEGMENTS),
    "two wrong lengths": (
        lambda jpeg: odd.behind_start(jpeg, exif(1, longer=-9) + odd.segment(0xED, noise(90), longer=33)),
        SEGMENTS,
    ),
    "a second page": (lambda jpeg: jpeg + jpeg, SECOND),
    "a second page behind padding": (lambda jpeg: jpeg + bytes(500) + jpeg, SECOND),
    "three pages": (lambda jpeg: jpeg * 3, "2 more images"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_every_viewer_shows_is_read_with_a_warning(kind: str, mode: str) -> None:
    """All rows are there, and the page says what was odd about the file."""
    make, warning = KINDS[kind]
    found = decoded(make(saved(mode)))
    assert_is_page(found)
    assert any(warning in each for each in found.warnings)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_odd_does_not_hide_what_is_missing(kind: str, mode: str) -> None:
    """A file of the same kind without a part of its data is refused."""
    jpeg = saved(mode)
    last = jpeg_markers.walk(jpeg).segments[-1]
    middle = (last.end + last.data_end) // 2
    for part in (b"", jpeg[middle + 700 : last.data_end - 1]):
        with pytest.raises((Truncated, Damaged)):
            decoded(KINDS[kind][0](jpeg[:middle] + part + jpeg_markers.EOI))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("longer", [-20, 50])
def test_orientation_survives_a_wrong_length(orientation: int, longer: int) -> None:
    """EXIF data with a wrong length still turn the page, and JFIF's resolution behind them counts."""
    found = decoded(odd.behind_start(saved("grey"), exif(orientation, longer=longer)))
    assert (found.orientation, found.dpi) == (orientation, 300)


@pytest.mark.parametrize("transform", [2, 5])
def test_an_adobe_transform_for_four_components_with_three(transform: int) -> None:
    """YCCK is no transform for three components: every decoder takes them for YCbCr."""
    found = decoded(odd.with_adobe(saved("colour"), transform))
    assert_is_page(found)
    assert found.warnings == (FIELDS,)


@pytest.mark.parametrize("rows", [1, 8, 64, 200])
@pytest.mark.parametrize("mode", ["grey", "colour", "CMYK", "progressive"])
def test_more_rows_than_the_header_says(rows: int, mode: str) -> None:
    """Feeders that count too few lines write more: those that the header says are read."""
    found = decoded(odd.with_height(saved(mode), PAGE.height - rows))
    assert_is_page(found, rows=PAGE.height - rows)
    if rows > 8:
        assert any(ROWS in each or SURPLUS in each for each in found.warnings)


@pytest.mark.parametrize("intervals", [{"restart_marker_rows": 1}, {"restart_marker_blocks": 7}])
@pytest.mark.parametrize("rows", [33, 100])
def test_more_rows_than_the_header_says_between_restart_markers(rows: int, intervals: dict[str, int]) -> None:
    """Whole intervals too many are rows too many."""
    data = io.BytesIO()
    PAGE.convert("RGB").save(data, "JPEG", quality=90, **intervals)
    found = decoded(odd.with_height(data.getvalue(), PAGE.height - rows))
    assert_is_page(found, rows=PAGE.height - rows)
    assert ROWS in found.warnings[0]


def test_more_rows_than_the_header_says_in_a_halved_image() -> None:
    """The rows are counted in the reduced image."""
    jpeg = odd.with_height(saved("grey"), PAGE.height - 101)
    found = decode(jpeg, max_pixels=10**8, reduce_from=100)
    assert (found.height, found.reduction) == (PAGE.height - 101, 2)
    assert found.gray.shape == (-(-(PAGE.height - 101) // 2), -(-PAGE.width // 2))


@pytest.mark.parametrize("padding", [b"\0", bytes(3), b"\x80", b"\x12\x34\x56", bytes.fromhex("a2800a28a002")])
@pytest.mark.parametrize("every", [9, 200])
def test_padding_before_restart_markers(padding: bytes, every: int) -> None:
    """Webcams fill intervals up; each interval has all its blocks."""
    found = decoded(odd.with_padding(PAGE, padding, every))
    assert_is_page(found)
    assert found.warnings == ("surplus bytes before restart markers",)


def test_a_damaged_interval_between_padded_ones_is_refused() -> None:
    """An interval that lacks bytes is not hidden by others that have too many."""
    jpeg = odd.with_padding(PAGE, bytes(3))
    places = [at for at in range(len(jpeg) - 1) if jpeg[at] == 0xFF and jpeg[at + 1] in range(0xD0, 0xD8)]
    at = places[len(places) // 2 | 1]
    with pytest.raises(Damaged):
        decoded(jpeg[: at - 2] + jpeg[at:])
    with pytest.raises(Damaged):
        decoded(jpeg[:at] + jpeg[places[places.index(at) + 1] :])


def test_one_interval_with_other_bytes_left_over_is_refused() -> None:
    """What is no padding, in a single interval, shows that the decoder lost its place there."""
    with pytest.raises(Damaged):
        decoded(odd.with_padding(PAGE, noise(40), every=1000))


@pytest.mark.parametrize("size", [30, 60, 500, 5000])
@pytest.mark.parametrize("mode", MODES)
def test_other_bytes_left_over_are_damage(size: int, mode: str) -> None:
    """What is no padding and no blank block, behind the last row, shows that the decoder lost its place."""
    with pytest.raises(Damaged):
        decoded(odd.before_end(saved(mode), noise(size)))


def test_a_few_blank_blocks_past_the_last_row() -> None:
    """Some scanners write part of a row too many: blank blocks, which repeat what stands before them."""
    blank = encode(Image.new("L", (640, 160), 255))
    last = jpeg_markers.walk(blank).segments[-1]
    # A block takes six bits here, so that three bytes are four of them.
    longer = blank[: last.data_end - 6] + blank[last.data_end - 24 : last.data_end - 6] + blank[last.data_end - 6 :]
    found = decoded(longer)
    assert found.gray.shape == (160, 640)
    assert (found.gray > 250).all()
    assert SURPLUS in found.warnings[0]


FACTORS = [
    (0x44, 0x11, 0x11),
    (0x42, 0x11, 0x11),
    (0x24, 0x11, 0x11),
    (0x41, 0x11, 0x11),
    (0x14, 0x11, 0x11),
    (0x31, 0x11, 0x11),
    (0x13, 0x11, 0x11),
    (0x22, 0x22, 0x22),
    (0x22, 0x21, 0x11),
    (0x22, 0x11, 0x12),
]


@pytest.mark.parametrize("factors", FACTORS)
def test_unusual_sampling_is_sound(factors: tuple[int, ...]) -> None:
    """4:1:0, 4 x 2 and asymmetric sampling are what the standard allows: read without a warning."""
    found = decoded(odd.sampled(PAGE, *factors))
    assert_is_page(found)
    assert found.warnings == ()


@pytest.mark.parametrize("factors", [(0x11, 0x22, 0x22), (0x12, 0x21, 0x21)])
def test_less_brightness_than_colour_is_sound(factors: tuple[int, ...]) -> None:
    """If the brightness is the subsampled one, the page is blurred and not refused."""
    found = decoded(odd.sampled(PAGE, *factors))
    assert found.gray.shape == PIXELS.shape
    assert np.abs(found.gray.astype(int) - PIXELS).mean() < 20
    assert found.warnings == ()


@pytest.mark.parametrize("factors", [(0x22, 0x11, 0x11, 0x22), (0x22, 0x11, 0x11, 0x11), (0x41, 0x11, 0x11, 0x41)])
def test_subsampled_cmyk_is_sound(factors: tuple[int, ...]) -> None:
    """CMYK of any sampling has the grey of CMYK without."""
    found, usual = decoded(odd.sampled(PAGE, *factors, paper=255)), decoded(odd.sampled(PAGE, *[0x11] * 4, paper=255))
    assert np.abs(found.gray.astype(int) - usual.gray).max() <= 2
    assert found.warnings == ()


def test_a_large_image_of_unusual_sampling_is_halved() -> None:
    """Its odd last column and row count as they do in the decoder."""
    page = PAGE.crop((0, 0, PAGE.width // 2 * 2 - 1, PAGE.height // 2 * 2 - 1))
    found = decode(odd.sampled(page, 0x42, 0x11, 0x11), max_pixels=10**8, reduce_from=100)
    usual = decode(encode(page), max_pixels=10**8, reduce_from=100)
    assert (found.reduction, found.gray.shape) == (2, usual.gray.shape)
    assert np.abs(found.gray.astype(int) - usual.gray).mean() < 2


@pytest.mark.parametrize("factors", FACTORS)
def test_unusual_sampling_is_decoded_strictly(factors: tuple[int, ...]) -> None:
    """A scan that lacks a piece, be it that of a colour, is refused, and nothing is filled with grey."""
    jpeg = odd.sampled(PAGE, *factors)
    for scan in (each for each in jpeg_markers.walk(jpeg).segments if each.marker == jpeg_markers.SOS):
        middle = (scan.end + scan.data_end) // 2
        with pytest.raises(Damaged):
            decoded(jpeg[:middle] + jpeg[scan.data_end :])
        with pytest.raises(Truncated):
            decoded(jpeg[: scan.start] + jpeg_markers.EOI)


def test_what_a_decoder_says_reaches_no_log(capfd: pytest.CaptureFixture[str]) -> None:
    """OpenCV's libjpeg complains on standard error, which is heard and not shown."""
    jpeg = odd.sampled(PAGE, 0x42, 0x11, 0x11)
    with pytest.raises(ScanFault):
        decoded(jpeg[: len(jpeg) // 2] + jpeg[-3000:])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("end", [True, False])
def test_a_progressive_image_without_all_its_scans_is_truncated(mode: str, *, end: bool) -> None:
    """Viewers show a blurred page after the first scans; its text would be a guess."""
    whole = encode(PAGE, mode=mode, progressive=True)
    scans = sum(each.marker == jpeg_markers.SOS for each in jpeg_markers.walk(whole).segments)
    for count in range(1, scans):
        jpeg = odd.first_scans(whole, count)
        with pytest.raises(Truncated, match="scans"):
            decoded(jpeg if end else odd.without_end(jpeg))
    assert_is_page(decoded(odd.first_scans(whole, scans)))


def test_the_pixel_limit_holds_for_the_true_height() -> None:
    """A height that is too large in the header alone does not make an image too large."""
    jpeg = odd.with_lines_behind(saved("grey"), 65535)
    assert decode(jpeg, max_pixels=PAGE.width * PAGE.height).height == PAGE.height
    with pytest.raises(TooLarge):
        decode(jpeg, max_pixels=PAGE.width * PAGE.height - 1)


def test_a_height_that_stands_nowhere_is_damage() -> None:
    """Without a DNL marker a height of 0 says nothing."""
    with pytest.raises(Damaged, match="height"):
        decoded(odd.with_height(saved("grey"), 0))


@pytest.mark.parametrize("length", [0, 1, 2, 9, 15, 17, 40, 700, 65535])
@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_length_of_any_free_segment(length: int, mode: str) -> None:
    """JFIF's and Adobe's segments with a wrong length are told from what follows them as EXIF's are."""
    jpeg = saved(mode)
    first = jpeg_markers.walk(jpeg).segments[0]
    found = decoded(jpeg[: first.start + 2] + length.to_bytes(2) + jpeg[first.start + 4 :])
    assert_is_page(found)
    assert any(SEGMENTS in each for each in found.warnings)


@pytest.mark.parametrize("junk", [bytes(16), b"\x01\x02\x03", b"\xff\x00" * 4, b"\0"])
@pytest.mark.parametrize("mode", MODES)
def test_junk_between_any_two_segments(junk: bytes, mode: str) -> None:
    """Wherever in the header it stands."""
    jpeg = saved(mode)
    for each in jpeg_markers.walk(jpeg).segments:
        found = decoded(jpeg[: each.start] + junk + jpeg[each.start :])
        assert_is_page(found)
        assert any(SEGMENTS in said for said in found.warnings)
        if each.marker == jpeg_markers.SOS:
            break


def test_thumbnails_and_previews_are_no_second_page() -> None:
    """Small images, and smaller ones of the same shape, are a camera's previews."""
    jpeg = saved("grey")
    for preview in (THUMBNAIL, encode(PAGE.resize((PAGE.width // 2 + 10, PAGE.height // 2 + 7)))):
        assert decoded(jpeg + preview).warnings == ()
    assert decoded(odd.behind_start(jpeg, exif(1, longer=0, thumbnail=THUMBNAIL))).warnings == ()


def test_what_the_header_declares_is_no_second_page() -> None:
    """A multi-picture index, and the containers of phones, name what follows as parts of one photograph."""
    jpeg = saved("colour")
    index = odd.segment(0xE2, b"MPF\0MM\0*\0\0\0\x08" + bytes(60))
    container = odd.segment(jpeg_markers.APP1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:GContainer='x'/>")
    for declaration in (index, container):
        assert decoded(odd.behind_start(jpeg, declaration) + jpeg).warnings == ()
    assert decoded(jpeg + b"SEFH, as Samsung's trailers" + jpeg + b"SEFT").warnings == ()


def test_the_second_page_is_named() -> None:
    """Its size and its place in the file."""
    jpeg = saved("grey")
    receipt = encode(draw("A receipt", width=400, height=900))
    assert decoded(jpeg + receipt).warnings == (
        f"a second image in the file, not read: 400 x 900 pixels, from byte {len(jpeg):,} on",
    )
