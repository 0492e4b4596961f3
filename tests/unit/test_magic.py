"""Files of other kinds are told by their first bytes, and each says what to do."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocrwatch.magic import HEAD, OTHER, ImageKind, image_kind, kind_of, may_become_image, other_format


def boxes(brand: bytes, *compatible: bytes) -> bytes:
    """Make the first box of an ISO media file (ISO/IEC 14496-12)."""
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (4 + len(body)).to_bytes(4) + body + b"\0\0\0\x08mdat"


KINDS = {
    "heic": (boxes(b"heic", b"mif1", b"heic"), "a HEIC image", "Most Compatible"),
    "heic of a burst": (boxes(b"hevc", b"msf1"), "a HEIC image", "Most Compatible"),
    "heic by its second brand": (boxes(b"mif1", b"mif1", b"heic"), "a HEIC image", "Most Compatible"),
    "heif": (boxes(b"mif1", b"miaf"), "a HEIC or AVIF image", "Most Compatible"),
    "avif": (boxes(b"avif", b"avif", b"mif1", b"miaf"), "an AVIF image", "JPEG"),
    "avif by its second brand": (boxes(b"mif1", b"miaf", b"avif"), "an AVIF image", "JPEG"),
    "raw": (boxes(b"crx ", b"crx ", b"isom"), "a camera's raw image", "JPEG"),
    "video": (boxes(b"isom", b"isom", b"mp42"), "a video", "photograph"),
    "quicktime": (boxes(b"qt  ", b"qt  "), "a video", "photograph"),
    "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + boxes(b"jp2 "), "a JPEG 2000 image", "plain JPEG"),
    "jp2 codestream": (b"\xff\x4f\xff\x51\0\x2f", "a JPEG 2000 image", "plain JPEG"),
    "jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + boxes(b"jxl "), "a JPEG XL image", "plain JPEG"),
    "jxl codestream": (b"\xff\x0a\xfa\x1f", "a JPEG XL image", "plain JPEG"),
    "jxr": (b"II\xbc\x01\x08", "a JPEG XR image", "plain JPEG"),
    "png sent as text": (b"\x89PNG\n\x1a\n", "a damaged PNG image", "binary mode"),
    "cr2": (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw image", "JPEG"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "a PDF document", "put it into the inbox"),
    "postscript": (b"%!PS-Adobe-3.0", "a PostScript document", "JPEG"),
    "webp": (b"RIFF\x24\0\0\0WEBPVP8 ", "a WebP image", "JPEG"),
    "sound": (b"RIFF\x24\0\0\0WAVEfmt ", OTHER, "JPEG"),
    "zip": (b"PK\x03\x04\x14\0", "a ZIP archive or an Office document", "JPEG"),
    "web page": (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>", "a web page", "download"),
    "svg": (b"<?xml version='1.0'?>\n<!-- by hand -->\n<svg xmlns=", "an SVG drawing", "JPEG"),
    "words": (b"Dear Sir or Madam", OTHER, "JPEG"),
    "nothing": (b"", OTHER, "JPEG"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_named_with_its_remedy(kind: str) -> None:
    """The message names the kind, and the remedy says what a person can do about it."""
    head, name, remedy = KINDS[kind]
    assert kind_of(head) == name
    fault = other_format(head)
    or_pdf = "" if kind == "pdf" else " or a PDF document"
    assert fault.message == f"the file is {name}, not a JPEG, PNG or TIFF image{or_pdf}"
    assert remedy in fault.remedy


@pytest.mark.parametrize(("saved_as", "name"), [("GIF", "a GIF"), ("BMP", "a BMP"), ("WEBP", "a WebP")])
def test_what_programs_save_is_named(saved_as: str, name: str) -> None:
    """Images of other kinds as Pillow saves them."""
    file = io.BytesIO()
    Image.new("L", (20, 20), 200).save(file, saved_as)
    assert kind_of(file.getvalue()[:HEAD]) == f"{name} image"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", ImageKind.JPEG),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ImageKind.PNG),
        (b"II*\0\x08\0\0\0", ImageKind.TIFF),
        (b"MM\0*\0\0\0\x08", ImageKind.TIFF),
        (b"II+\0\x08\0\0\0", ImageKind.TIFF),
        (b"%PDF-1.7\n", ImageKind.PDF),
        (b"\n%PDF-1.7\n", None),
        (b"GIF89a", None),
    ],
)
def test_images_that_are_read(head: bytes, kind: ImageKind | None) -> None:
    """Each beginning of such a file may become one; what begins otherwise may not."""
    assert image_kind(head) is kind
    if kind is not None:
        assert all(may_become_image(head[:length]) for length in range(1, 3))
    else:
        assert not may_become_image(head)


def test_without_its_extra_a_pdf_is_no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy names the extra, and what to do without."""
    monkeypatch.setattr("ocrwatch.magic.reads_pdf", lambda: False)
    assert image_kind(b"%PDF-1.7") is None
    assert not may_become_image(b"%PD")
    fault = other_format(b"%PDF-1.7")
    assert "a PDF document" in fault.message
    assert "ocrwatch[pdf]" in fault.remedy
    assert "one file a page" in fault.remedy


@given(st.binary(max_size=HEAD))
def test_any_bytes_have_a_kind(head: bytes) -> None:
    """Whatever a file begins with, there is a sentence and a remedy."""
    for begun in (head, b"\0\0\0\xff" + b"ftyp" + head, b"<" + head):
        fault = other_format(begun)
        assert fault.message
        assert fault.remedy
