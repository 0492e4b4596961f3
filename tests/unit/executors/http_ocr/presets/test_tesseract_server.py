"""The preset ``tesseract-server``. Its answers have what Tesseract 5.3 itself writes."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from ocrwatch.document import Box
from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.base import Image, open_preset
from tests.ocr_answers import image_in
from tests.rendering import render
from tests.unit.executors.http_ocr.presets.services import SENT, answer_of, lines_of, service, texts_of, words_of

HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
PAGE = "1\t1\t0\t0\t0\t0\t0\t0\t1000\t800\t-1\t\n"
NO_DATA = """Error opening data file /usr/share/tessdata/xyz.traineddata
Please make sure the TESSDATA_PREFIX environment variable is set to your "tessdata" directory.
Failed loading language 'xyz'
"""
UNREADABLE = """Premature end of JPEG file
Error in pixReadStreamJpeg: read error at scanline 80; nwarn = 2
Error in pixReadMem: jpeg: no pix returned
Error during processing.
"""


def output(stdout: str = "", code: int | None = 0, signal: str | None = None, stderr: str = "") -> dict[str, Any]:
    """Return an answer."""
    return {"data": {"exit": {"code": code, "signal": signal}, "stderr": stderr, "stdout": stdout}}


def row(number: int, text: str, left: int, confidence: str = "96.063751") -> str:
    """Return the row of a word on the first line."""
    return f"5\t1\t1\t1\t1\t{number}\t{left}\t10\t50\t20\t{confidence}\t{text}\n"


def options_of(**options: str) -> dict[str, Any]:
    """Return the options that are sent."""
    request = open_preset("tesseract-server").request(SENT, service("tesseract-server", **options), ("deu", "eng"))
    assert request.path == "/tesseract"
    assert image_in(request.content_type, request.body) == SENT.content
    found = re.search(rb'name="options"\r\n\r\n(.*?)\r\n--', request.body)
    assert found is not None
    sent: dict[str, Any] = json.loads(found[1])
    return sent


def test_an_image_is_sent_with_options() -> None:
    """Languages are Tesseract's own names; TSV is asked for; numbers are numbers, and values of variables texts."""
    assert options_of() == {"languages": ["deu", "eng"], "configParams": {"tessedit_create_tsv": "1"}}
    more = options_of(psm="6", oem="1", dpi="300")
    assert (more["pageSegmentationMethod"], more["ocrEngineMode"], more["dpi"]) == (6, 1, 300)


def test_tsv_has_words_places_and_confidences() -> None:
    """In Tesseract's order, with line ends of any system."""
    content = output((HEADER + PAGE + row(1, "Hello", 10) + row(2, "you", 70, "-1")).replace("\n", "\r\n"))
    answer = answer_of("tesseract-server", content)
    assert texts_of(answer) == ["Hello you"]
    assert answer.in_order
    assert [(word.box, word.confidence) for word in words_of(answer)] == [
        (Box(10, 10, 60, 30), 96.063751),
        (Box(70, 10, 120, 30), 0.0),
    ]


def test_boxes_are_clipped_to_the_image() -> None:
    """Whatever the server says."""
    answer = answer_of("tesseract-server", output(HEADER + row(1, "a", 980) + row(2, "b", 9000)))
    assert [word.box for word in words_of(answer)] == [Box(980, 10, 1000, 30), Box(0, 0, 0, 0)]


def test_plain_text_has_no_places() -> None:
    """If the server does not know TSV, its text is kept."""
    answer = answer_of("tesseract-server", output("The Life\nand Work\n\nby\n\x0c"))
    assert texts_of(answer) == ["The Life", "and Work", "by"]
    assert len(answer.blocks) == 2


def test_a_blank_page_has_no_words() -> None:
    """In TSV and as text."""
    for stdout in (HEADER + PAGE, "", " \n\x0c"):
        assert answer_of("tesseract-server", output(stdout)).blocks == ()


def test_the_real_program_is_understood(tmp_path: Any) -> None:
    """What Tesseract of this machine answers to these options: a page, and a cut one."""
    scan = render("The amber harbour\nstands here", size=40)
    command = ["tesseract", "-", "-", "-l", "eng", "-c", "tessedit_create_tsv=1"]

    def run(content: bytes) -> dict[str, Any]:
        ended = subprocess.run(command, input=content, capture_output=True, check=False, cwd=tmp_path)
        return output(ended.stdout.decode(), ended.returncode, stderr=ended.stderr.decode())

    answer = answer_of("tesseract-server", run(scan), Image(b"", "image/jpeg", 467, 240))
    assert texts_of(answer) == ["The amber harbour", "stands here"]
    assert all((word.confidence or 0) > 80 for word in words_of(answer))
    assert len(lines_of(answer)) == 2
    with pytest.raises(Rejected, match=r"does not read this scan: .*JPEG"):
        answer_of("tesseract-server", run(scan[:3000]))


def test_a_missing_language_is_no_fault_of_the_image() -> None:
    """Without any language nothing is read; without one of several, the user is warned."""
    nothing = f"{NO_DATA}Tesseract couldn't load any languages!\nCould not initialize tesseract.\n"
    with pytest.raises(ServiceFault, match=r"refuses: Error opening data file.*; install the language data"):
        answer_of("tesseract-server", output(code=1, stderr=nothing))
    answer = answer_of("tesseract-server", output(HEADER + row(1, "a", 10), stderr=NO_DATA * 2))
    assert answer.warnings == ("the service office has no data of the language xyz",)


def test_a_failure_blames_the_image() -> None:
    """Tesseract cannot read it, or was ended while it did."""
    with pytest.raises(Rejected, match="Premature end of JPEG file"):
        answer_of("tesseract-server", output(HEADER, code=1, stderr=UNREADABLE))
    with pytest.raises(Rejected, match="Tesseract was ended by SIGSEGV"):
        answer_of("tesseract-server", output(code=None, signal="SIGSEGV"))


@pytest.mark.parametrize(
    "content",
    [
        b'{"data": {"exit": {"code": 0',
        b"<html></html>",
        {"error": "error processing input", "reason": "x"},
        {"data": {}},
        {"data": {"exit": {}, "stdout": ""}},
        {"data": {"exit": {"code": 0}}},
        {"data": {"exit": {"code": 0}, "stdout": None}},
        {"data": {"processor": {"pools": []}}},
        output(HEADER + "5\t1\tx\t1\t1\t1\t0\t0\t5\t5\t90\ta\n"),
        output(HEADER + row(1, "a", 1, "high")),
    ],
)
def test_anything_else_is_the_services_fault(content: Any) -> None:
    """Above all, an answer without output is no page without text."""
    with pytest.raises(ServiceFault, match="no result of tesseract-server"):
        answer_of("tesseract-server", content)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("lang", "deu", "set one of: dpi, oem, psm"),
        ("psm", "2", "set it to a number from 1 to 13, but not 2"),
        ("psm", "0", "set it to a number from 1 to 13, but not 2"),
        ("oem", "x", "set it to a number from 0 to 3"),
        ("dpi", "10", "set it to a number from 70 to 2400"),
        ("dpi", "٣٠٠", "set it to a number from 70 to 2400"),
    ],
)
def test_options_are_checked(name: str, value: str, remedy: str) -> None:
    """The remedy says what they may be."""
    with pytest.raises(UsageError, match=remedy):
        open_preset("tesseract-server").check(service("tesseract-server", **{name: value}))
    open_preset("tesseract-server").check(service("tesseract-server", psm="11", oem="1", dpi="300"))
