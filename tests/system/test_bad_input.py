"""What people and programs put into an inbox that is no plain scan: read, quarantined with a reason, or left alone."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import odd_jpegs as odd
from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.images import saved
from tests.rendering import draw, render
from tests.system.dropping import delivered, files, phrase, put, scan, temporary_files
from tests.waiting import until


def _gif() -> bytes:
    file = io.BytesIO()
    draw(phrase(0)).save(file, "GIF")
    return file.getvalue()


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _frame(data: bytes) -> int:
    """Return the offset of the frame header's marker (SOF0)."""
    return data.index(b"\xff\xc0")


def _with_size(data: bytes, side: int) -> bytes:
    start = _frame(data) + 5
    return data[:start] + struct.pack(">HH", side, side) + data[start + 4 :]


def _with_12_bits(data: bytes) -> bytes:
    start = _frame(data)
    return data[:start] + b"\xff\xc1" + data[start + 2 : start + 4] + b"\x0c" + data[start + 5 :]


def _lossless(data: bytes) -> bytes:
    return data.replace(b"\xff\xc0", b"\xff\xc3", 1)


def _with_hole(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(2000) + data[middle + 2000 :]


def _reason(impatient: DaemonProcess, name: str) -> dict[str, Any]:
    reason: dict[str, Any] = json.loads((impatient.quarantine / f"{name}.reason.json").read_bytes())
    return reason


BAD: dict[str, tuple[Callable[[], bytes], set[str], str]] = {
    "empty": (lambda: b"", {"truncated"}, "empty"),
    "one-byte": (lambda: b"\xff", {"truncated"}, "ends early"),
    "text": (lambda: b"Dear Sir or Madam, this is no picture.\n" * 20, {"other-format"}, "JPEG"),
    "gif": (_gif, {"other-format"}, "GIF"),
    "half-png": (lambda: _half(saved(draw(phrase(0)), "PNG")), {"truncated"}, "ends early"),
    "half-tiff": (lambda: _half(saved(draw(phrase(0)), "TIFF")), {"damaged"}, "damaged"),
    "heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), {"other-format"}, "HEIC"),
    "jpeg-2000": (lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(500), {"other-format"}, "JPEG 2000"),
    "first-scan-only": (lambda: odd.first_scans(render(phrase(0), progressive=True), 1), {"truncated"}, "scans"),
    "half-with-trailer": (lambda: _half(scan(0)) + b"made by a careless program", {"truncated"}, "early"),
    "half": (lambda: _half(scan(0)), {"truncated"}, "early"),
    "half-with-end": (lambda: _half(scan(0)) + b"\xff\xd9", {"truncated", "damaged"}, ""),
    "hole": (lambda: _with_hole(scan(0, lines=8)), {"damaged"}, ""),
    "header-only": (lambda: b"\xff\xd8\xff\xd9", {"truncated", "damaged", "other-format"}, ""),
    "zeros": (lambda: bytes(5000), {"truncated", "other-format"}, ""),
    "bomb": (lambda: _with_size(scan(0), 65500), {"too-large"}, "65500 x 65500"),
    "no-size": (lambda: _with_size(scan(0), 0), {"damaged", "unsupported"}, ""),
    "12-bit": (lambda: _with_12_bits(scan(0)), {"unsupported"}, "12"),
    "lossless": (lambda: _lossless(scan(0)), {"unsupported"}, "lossless"),
    "many-bytes": (lambda: scan(0) + bytes(1_000_000), {"too-large"}, "1,0"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_read_is_quarantined_with_the_reason(impatient: DaemonProcess, kind: str) -> None:
    """Such a file lies whole in the quarantine, beside it what was wrong and what to do; its neighbour is read."""
    make, codes, words = BAD[kind]
    name, good = f"{kind}.jpg", f"beside-{kind}.jpg"
    (impatient.inbox / name).write_bytes(make())
    put(impatient.inbox, good, scan(1))
    delivered(impatient, good, 1)
    event = impatient.wait_for("scan.quarantined", path=name)
    assert (impatient.quarantine / name).read_bytes() == make()
    assert not (impatient.inbox / name).exists()
    assert not (impatient.outbox / f"{kind}.txt").exists()
    reason = _reason(impatient, name)
    assert reason["schema"] == "ocrwatch.reason/1"
    assert reason["path"] == name
    assert reason["code"] in codes
    assert words in reason["reason"]
    assert "bug" not in reason["reason"]
    assert reason["remedy"]
    assert reason["to_retry"]
    assert reason["bytes"] == len(make())
    assert reason["modified_at"] <= reason["quarantined_at"]
    assert (event["code"], event["reason"], event["remedy"]) == (reason["code"], reason["reason"], reason["remedy"])
    assert event["quarantined"] == name
    assert not impatient.events("worker.died")
    assert not temporary_files(impatient)


def test_reason_names_what_the_file_is_instead(impatient: DaemonProcess) -> None:
    """A picture of another kind under a JPEG's name is told by its kind, so that people know what to change."""
    put(impatient.inbox, "really-gif.jpg", _gif())
    event = impatient.wait_for("scan.quarantined", path="really-gif.jpg")
    assert "GIF" in event["reason"]


def _mpo() -> bytes:
    file = io.BytesIO()
    first, second = (draw(phrase(number), size=40).convert("RGB") for number in (2, 3))
    first.save(file, "MPO", save_all=True, append_images=[second], quality=90, dpi=(300, 300))
    return file.getvalue()


def _with_thumbnail() -> bytes:
    small = io.BytesIO()
    Image.new("L", (80, 60), 200).save(small, "JPEG")
    comment = small.getvalue()
    file = scan(2)
    return file[:2] + b"\xff\xe2" + struct.pack(">H", len(comment) + 2) + comment + file[2:]


UNUSUAL: dict[str, Callable[[], bytes]] = {
    "cmyk": lambda: render(phrase(2), size=40, mode="CMYK"),
    "colour": lambda: render(phrase(2), size=40, mode="RGB"),
    "progressive": lambda: render(phrase(2), size=40, progressive=True),
    "upside-down": lambda: render(phrase(2), size=40, exif_orientation=3),
    "on-its-side": lambda: render(phrase(2), size=40, exif_orientation=6),
    "mpo": _mpo,
    "two-appended": lambda: scan(2) + scan(3),
    "trailer": lambda: scan(2) + b"made by a careless program",
    "thumbnail": _with_thumbnail,
    "sampling": lambda: odd.sampled(draw(phrase(2), size=40), 0x42, 0x11, 0x11),
}

ODD: dict[str, tuple[Callable[[], bytes], str]] = {
    "no-end": (lambda: odd.without_end(scan(2)), "no end marker"),
    "phones-trailer": (lambda: odd.samsung(scan(2)), "no end marker"),
    "height-behind": (lambda: odd.with_lines_behind(scan(2), 65535), "DNL"),
    "padded": (lambda: odd.with_padding(draw(phrase(2), size=40), bytes(3)), "restart"),
    "surplus": (lambda: odd.before_end(scan(2), bytes(600)), "zeros"),
    "profile": (lambda: odd.with_profile(scan(2), (5, 1)), "profile"),
    "junk": (lambda: odd.behind_first_segment(scan(2), bytes(16)), "wrong length"),
    "second-page": (lambda: scan(2) + scan(3), "second image"),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_jpegs_are_read(impatient: DaemonProcess, kind: str) -> None:
    """JPEGs of less usual kinds are read like any other; of several pictures in one file, the first."""
    put(impatient.inbox, f"{kind}.jpg", UNUSUAL[kind]())
    delivered(impatient, f"{kind}.jpg", 2)


@pytest.mark.parametrize("kind", ODD)
def test_odd_jpegs_are_read_with_a_warning(impatient: DaemonProcess, kind: str) -> None:
    """What devices write and every viewer shows is read; the event says what was odd."""
    make, warning = ODD[kind]
    put(impatient.inbox, f"odd-{kind}.jpg", make())
    delivered(impatient, f"odd-{kind}.jpg", 2)
    event = impatient.wait_for("scan.delivered", path=f"odd-{kind}.jpg")
    assert any(warning in said for said in event["warnings"])


def test_what_is_known_to_be_no_jpeg_is_quarantined_within_seconds(daemon: DaemonProcess) -> None:
    """A phone's HEIC picture does not wait for the patience of ten minutes, and its owner is told what to do.

    The log says how long it waits.
    """
    put(daemon.inbox, "phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))
    waiting = daemon.wait_for("scan.waiting", path="phone.jpg")
    assert waiting["next_step"] == "read when it is complete, quarantined after 1 s without any change"
    event = daemon.wait_for("scan.quarantined", path="phone.jpg", code="other-format")
    assert "Most Compatible" in event["remedy"]


def test_once_tells_what_is_no_jpeg(tmp_path: Path) -> None:
    """A run over a folder leaves no picture of another kind behind as incomplete."""
    put(tmp_path / "inbox", "phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))
    assert run_ocrwatch(tmp_path, "once").returncode == 1
    assert files(tmp_path / "quarantine") == {"phone.jpg", "phone.jpg.reason.json"}


def test_half_a_scan_behind_a_whole_thumbnail_is_not_whole(impatient: DaemonProcess) -> None:
    """The end of the thumbnail in a scan's header is not taken for the scan's."""
    data = _with_thumbnail()
    put(impatient.inbox, "half-thumbnail.jpg", data[: data.rindex(b"\xff\xda") + 2000])
    impatient.wait_for("scan.quarantined", path="half-thumbnail.jpg", code="truncated")


def test_blank_page_gives_an_empty_text(impatient: DaemonProcess) -> None:
    """A page without any text is delivered with an empty text."""
    blank = io.BytesIO()
    Image.new("L", (800, 600), 255).save(blank, "JPEG")
    put(impatient.inbox, "blank.jpg", blank.getvalue())
    event = impatient.wait_for("scan.delivered", path="blank.jpg")
    assert (event["words"], event["confidence"]) == (0, None)
    assert (impatient.outbox / "blank.txt").read_bytes() == b""


def test_tiny_picture_is_no_bug(impatient: DaemonProcess) -> None:
    """A picture of one pixel is delivered without text, or quarantined for what it is."""
    tiny = io.BytesIO()
    Image.new("L", (1, 1), 255).save(tiny, "JPEG")
    put(impatient.inbox, "tiny.jpg", tiny.getvalue())
    ends = ("scan.delivered", "scan.quarantined", "scan.failed")
    until(lambda: any(impatient.events(end, path="tiny.jpg") for end in ends), what="it is dealt with")
    assert not impatient.events("scan.failed")
    assert not impatient.events("scan.quarantined", path="tiny.jpg", code="internal-error")


def test_same_bad_name_again_overwrites_nothing(impatient: DaemonProcess) -> None:
    """Two bad files of one name both lie in the quarantine, each with its own reason."""
    contents = (_with_12_bits(scan(9)), _with_size(scan(9), 65500))
    for count, data in enumerate(contents, start=1):
        put(impatient.inbox, "sub/bad.jpg", data)
        impatient.wait_for("scan.quarantined", path="sub/bad.jpg", count=count)
    assert (impatient.quarantine / "sub" / "bad.jpg").read_bytes() == contents[0]
    assert (impatient.quarantine / "sub" / "bad-2.jpg").read_bytes() == contents[1]
    assert _reason(impatient, "sub/bad.jpg")["code"] == "unsupported"
    assert _reason(impatient, "sub/bad-2.jpg")["code"] == "too-large"


@pytest.mark.parametrize("name", ["q" * 251 + ".jpg", os.fsdecode(b"\xe9\xff.jpg"), "bad\nname.jpg"])
def test_bad_files_of_any_name_are_quarantined(impatient: DaemonProcess, name: str) -> None:
    """Long names, and names that are not text, get a reason beside them too."""
    put(impatient.inbox, name, _with_12_bits(scan(10)))
    event = impatient.wait_for("scan.quarantined", path=name)
    assert (impatient.quarantine / event["quarantined"]).read_bytes() == _with_12_bits(scan(10))
    assert _reason(impatient, event["quarantined"])["code"] == "unsupported"


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("unsupported", lambda: _with_12_bits(scan(13))),
        ("truncated", lambda: _half(scan(13))),
    ],
)
def test_quarantined_scan_that_is_put_back_keeps_its_history(
    impatient: DaemonProcess, code: str, make: Callable[[], bytes]
) -> None:
    """A quarantined file that is dropped into the inbox again is tried again; its new reason tells of the first."""
    name = f"history-{code}.jpg"
    put(impatient.inbox, name, make())
    impatient.wait_for("scan.quarantined", path=name, code=code)
    assert _reason(impatient, name)["earlier"] == []
    (impatient.quarantine / name).rename(impatient.inbox / name)
    again = impatient.wait_for("scan.quarantined", path=name, count=2)
    earlier = _reason(impatient, again["quarantined"])["earlier"]
    assert [entry["code"] for entry in earlier] == [code]
