"""JPEG bytes become upright grey pixels, or an error that says what is wrong with the file."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ocrwatch import jpeg_markers
from ocrwatch.errors import Damaged, OtherFormat, ScanFault, TooLarge, Truncated, Unsupported
from ocrwatch.recognise.decode import Decoded, Gray, decode, turn
from tests.rendering import encode, render

LIMIT = 200_000_000
TEXT = "Invoice 2041 was paid\nby the harbour office"
SCAN = render(TEXT)


def decoded(jpeg: bytes) -> Decoded:
    """Decode with the usual limit."""
    return decode(jpeg, max_pixels=LIMIT)


def start_of_frame(jpeg: bytes) -> int:
    """Offset of the baseline frame marker."""
    return jpeg.index(b"\xff\xc0")


def patched(jpeg: bytes, at: int, replacement: bytes) -> bytes:
    """Replace some bytes."""
    return jpeg[:at] + replacement + jpeg[at + len(replacement) :]


def quarters() -> Image.Image:
    """Draw a picture whose four quarters differ, so that every turn and flip of it does."""
    picture = np.zeros((64, 96), np.uint8)
    picture[:32, :48], picture[:32, 48:], picture[32:, :48], picture[32:, 48:] = 20, 90, 160, 230
    return Image.fromarray(picture)


def assert_alike(left: Gray, right: Gray) -> None:
    """Check that it is the same picture, but for what JPEG loses."""
    assert left.shape == right.shape
    assert np.abs(left.astype(int) - right.astype(int)).mean() < 3


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_colour_space_becomes_the_same_grey(mode: str, *, progressive: bool) -> None:
    """Grey, colour and CMYK, baseline and progressive, give the picture and not its negative."""
    page = decoded(encode(quarters(), mode=mode, progressive=progressive, quality=95))
    assert_alike(page.gray, np.asarray(quarters()))
    assert (page.width, page.height, page.reduction, page.warnings) == (96, 64, 1, ())


def test_inverted_ycck_is_not_a_negative() -> None:
    """Photoshop's YCCK, stored inverted, gives the picture and not its negative."""
    inverted = np.full((64, 64, 4), 255, np.uint8)
    inverted[:, 32:, 3] = 40
    jpeg = simplejpeg.encode_jpeg(inverted, 95, "CMYK")  # type: ignore[attr-defined]
    gray = decoded(jpeg).gray
    assert gray[10, 10] > 245
    assert 30 < gray[10, 50] < 50


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """However the camera was held, pixels, width and height are upright."""
    page = decoded(encode(quarters(), exif_orientation=orientation, quality=95))
    assert_alike(page.gray, np.asarray(quarters()))
    assert (page.width, page.height, page.orientation) == (96, 64, orientation)
    assert page.gray.flags.c_contiguous


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_impossible_orientation_is_ignored(orientation: int) -> None:
    """Values that EXIF does not know leave the pixels as they are stored."""
    assert decoded(encode(quarters(), exif_orientation=orientation)).orientation == 1


def test_turning_back_gives_the_original() -> None:
    """Each orientation is undone by itself, but for the quarter turns, which undo each other."""
    picture = np.asarray(quarters())
    for there, back in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)):
        assert np.array_equal(turn(turn(picture, there), back), picture)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [(None, None), (1, None), (69, None), (72, None), (96, None), (75, 75.0), (300, 300.0), (600, 600.0), (9000, None)],
)
def test_only_credible_resolutions_count(declared: int | None, expected: float | None) -> None:
    """A resolution that is missing, or that no scanner has, is unknown."""
    assert decoded(render(TEXT, dpi=declared)).dpi == expected


def test_resolution_that_differs_between_the_axes_is_unknown() -> None:
    """Pixels that are not square have no one resolution."""
    file = io.BytesIO()
    quarters().save(file, "JPEG", dpi=(204, 98))
    assert decoded(file.getvalue()).dpi is None


def test_broken_metadata_costs_no_scan() -> None:
    """EXIF data that makes no sense is ignored; the scan is read."""
    file = io.BytesIO()
    quarters().save(file, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    page = decoded(file.getvalue())
    assert (page.orientation, page.dpi) == (1, None)


def test_the_first_image_of_several_is_decoded() -> None:
    """Of a camera's multi-picture file, the first image counts."""
    file = io.BytesIO()
    quarters().save(file, "MPO", save_all=True, append_images=[Image.new("L", (10, 10))])
    assert decoded(file.getvalue()).width == 96


def test_bytes_after_the_image_are_ignored() -> None:
    """What follows the end marker is not the image's."""
    assert_alike(decoded(SCAN + b"appended" * 100).gray, decoded(SCAN).gray)


def test_the_pixel_limit_holds_before_anything_is_decoded() -> None:
    """A small file that claims a huge image is refused by its header, naming size, limit and setting."""
    bomb = patched(SCAN, start_of_frame(SCAN) + 5, b"\xff\xdc\xff\xdc")
    with pytest.raises(TooLarge, match=r"65500 x 65500.*200000000.*enhance\.max_pixels"):
        decoded(bomb)


def test_the_pixel_limit_is_inclusive() -> None:
    """An image of exactly the limit is decoded, one pixel less is too few."""
    jpeg = encode(quarters())
    assert decode(jpeg, max_pixels=96 * 64).width == 96
    with pytest.raises(TooLarge):
        decode(jpeg, max_pixels=96 * 64 - 1)


@pytest.mark.parametrize("size", [(97, 65), (96, 64), (101, 64)])
def test_a_large_image_is_halved_in_the_decoder(size: tuple[int, int]) -> None:
    """From the given long side on, pixels are halved, while width and height stay the original's."""
    page = decode(encode(quarters().resize(size)), max_pixels=LIMIT, reduce_from=size[0])
    assert (page.width, page.height, page.reduction) == (*size, 2)
    assert page.gray.shape == (-(-size[1] // 2), -(-size[0] // 2))
    assert decode(encode(quarters()), max_pixels=LIMIT, reduce_from=97).reduction == 1


def test_what_has_to_be_turned_is_not_halved() -> None:
    """Turning and halving together would shift the boxes, so that the image keeps its size."""
    page = decode(encode(quarters(), exif_orientation=3), max_pixels=LIMIT, reduce_from=1)
    assert page.reduction == 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"GIF89a" + bytes(50), "GIF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x00\x00\x00\x18ftypheic", "HEIC"),
        (b"plain text", "something else"),
    ],
)
def test_other_files_are_named(content: bytes, name: str) -> None:
    """A file of another kind is called by its name if that is known."""
    with pytest.raises(OtherFormat, match=name):
        decoded(content)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.99])
def test_the_beginning_of_a_file_is_truncated(share: float, *, progressive: bool) -> None:
    """A file cut off anywhere, in its header or its data, is known as truncated."""
    jpeg = render(TEXT, progressive=progressive)
    with pytest.raises(Truncated):
        decoded(jpeg[: int(len(jpeg) * share)])


def test_zeros_alone_are_truncated() -> None:
    """Space that was reserved for a file of which nothing came."""
    with pytest.raises(Truncated):
        decoded(bytes(5000))


def test_a_zero_filled_tail_is_truncated() -> None:
    """Space that was reserved for the file but never written ends the image early."""
    middle = len(SCAN) // 2
    with pytest.raises(Truncated):
        decoded(SCAN[:middle] + bytes(len(SCAN) - middle))


@pytest.mark.parametrize("progressive", [False, True])
def test_half_an_image_with_an_end_marker_is_damaged(*, progressive: bool) -> None:
    """An end marker does not make half an image whole."""
    jpeg = render(TEXT, progressive=progressive)
    with pytest.raises(Truncated if progressive else Damaged):
        decoded(jpeg[: len(jpeg) // 2] + b"\xff\xd9")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_hole_in_the_data_is_damage(share: float, mode: str) -> None:
    """A block of zeros in the middle, as a lost disk block leaves it, is noticed."""
    jpeg = render("\n".join([TEXT] * 8), mode=mode)
    with pytest.raises(Damaged):
        decoded(patched(jpeg, int(len(jpeg) * share), bytes(512)))


@pytest.mark.parametrize(
    ("offset", "value", "kind"),
    [
        (1, b"\xc3", "lossless"),
        (1, b"\xc7", "lossless"),
        (1, b"\xf7", "lossless"),
        (4, b"\x0c", "12 bits"),
    ],
)
def test_rare_kinds_of_jpeg_are_unsupported(offset: int, value: bytes, kind: str) -> None:
    """Lossless, 12 bits a sample: whole files, but not ours to decode, and told what to do."""
    with pytest.raises(Unsupported, match=kind) as caught:
        decoded(patched(SCAN, start_of_frame(SCAN) + offset, value))
    assert "baseline JPEG" in caught.value.remedy


def test_every_fault_has_a_remedy() -> None:
    """Messages are for people: one sentence for what is wrong, one for what to do."""
    for content in (b"", b"x", SCAN[:200], SCAN[:-20], SCAN[: len(SCAN) // 2] + b"\xff\xd9"):
        with pytest.raises(ScanFault) as caught:
            decoded(content)
        assert caught.value.message
        assert caught.value.remedy


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_else(content: bytes) -> None:
    """Whatever the bytes, and with a JPEG's beginning, only a scan's fault comes out."""
    for jpeg in (content, b"\xff\xd8" + content, SCAN[:160] + content):
        try:
            decode(jpeg, max_pixels=1_000_000)
        except ScanFault:
            continue


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(SCAN) - 1), st.integers(0, 255)), max_size=4), st.sampled_from([0, 1, 6]))
def test_changed_bytes_raise_nothing_else(changes: list[tuple[int, int]], orientation: int) -> None:
    """A scan with bytes changed anywhere is decoded or raises a scan's fault."""
    jpeg = bytearray(SCAN if not orientation else render(TEXT, exif_orientation=orientation))
    for at, value in changes:
        jpeg[at] = value
    try:
        page = decode(bytes(jpeg), max_pixels=1_000_000, reduce_from=100)
    except ScanFault:
        return
    assert page.gray.dtype == np.uint8


def _with_jfif_revision(jpeg: bytes) -> bytes:
    changed = bytearray(jpeg)
    changed[jpeg.index(b"JFIF\0") + 5] = 7
    return bytes(changed)


def _with_odd_spectral_bounds(jpeg: bytes) -> bytes:
    scan = jpeg_markers.walk(jpeg).scan
    assert scan is not None
    return jpeg[: scan - 3] + b"\0\0\0" + jpeg[scan:]


def _with_adobe_transform(jpeg: bytes) -> bytes:
    changed = bytearray(jpeg)
    changed[jpeg.index(b"Adobe") + 11] = 9
    return bytes(changed)


@pytest.mark.parametrize(
    ("oddity", "mode"),
    [(_with_jfif_revision, "L"), (_with_odd_spectral_bounds, "L"), (_with_adobe_transform, "CMYK")],
)
def test_odd_header_fields_are_a_warning(oddity: Callable[[bytes], bytes], mode: str) -> None:
    """Header fields that no standard knows, and every decoder does without, do not make a scan unreadable."""
    jpeg = render("An old scanner wrote this", mode=mode)
    decoded = decode(oddity(jpeg), max_pixels=10**8)
    assert decoded.warnings == ("non-standard header fields",)
    assert decoded.gray.shape == decode(jpeg, max_pixels=10**8).gray.shape


def test_odd_header_does_not_hide_damage() -> None:
    """A scan with an odd header that was cut in half is still known to be damaged."""
    odd = _with_jfif_revision(render("Half of this is missing"))
    with pytest.raises(Damaged):
        decode(odd[: len(odd) * 2 // 3] + b"\xff\xd9", max_pixels=10**8)
