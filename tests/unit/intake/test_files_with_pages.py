"""A PDF is whole when it ends as one; files with pages are told from others before they are read."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest

from ocrwatch.intake.completeness import Completeness, completeness
from ocrwatch.intake.opener import probe
from ocrwatch.intake.readiness import ReadinessTracker, Ready
from ocrwatch.scan import Arrival
from tests.images import ALL, pages
from tests.pdf_files import Sheet, made

PDF = made([Sheet("0 0 9 9 re f")], object_stream_mode=pikepdf.ObjectStreamMode.disable)
LINEARIZED = made([Sheet("0 0 9 9 re f") for _ in range(3)], linearize=True)


def judge(tmp_path: Path, data: bytes) -> Completeness:
    """Look at a file with this content."""
    file = tmp_path / "a.pdf"
    file.write_bytes(data)
    with file.open("rb") as opened:
        return completeness(opened.fileno(), len(data))


@pytest.mark.parametrize("data", [PDF, LINEARIZED], ids=["plain", "linearized"])
def test_a_whole_pdf_is_told_from_each_beginning_of_it(tmp_path: Path, data: bytes) -> None:
    """Also from the first part of one for the web, which has an end of its own."""
    assert judge(tmp_path, data) is Completeness.WHOLE
    assert judge(tmp_path, data + b"\0" * 900) is Completeness.WHOLE
    ends = [at + 5 for at in range(len(data)) if data.startswith(b"%%EOF", at)]
    for length in (*range(1, len(data) - 6, 7), *ends[:-1]):
        assert judge(tmp_path, data[:length]) is Completeness.PARTIAL, length


@pytest.mark.parametrize(
    "tail", [b"", b"%%EOF", b"startxref\n%%EOF", b"startxref\n0\n%%EOF", b"startxref\n999999999\n%%EOF"]
)
def test_an_end_without_its_table_is_none(tmp_path: Path, tail: bytes) -> None:
    """The offset must be one within the file."""
    assert judge(tmp_path, b"%PDF-1.7\n" + bytes(2000) + tail) is Completeness.PARTIAL


FOOTER = b"\r\n--\r\nThis e-mail was checked for viruses. See our trailer!\r\n" * 99
"""What a mail gateway appends."""


@pytest.mark.parametrize("data", [PDF, LINEARIZED], ids=["plain", "linearized"])
def test_bytes_behind_the_end_change_nothing(tmp_path: Path, data: bytes) -> None:
    """If the end is one, however many they are, up to 256 kB."""
    for length in (1000, 1100, len(FOOTER), 250_000):
        assert judge(tmp_path, data + (FOOTER * 100)[:length]) is Completeness.WHOLE, length
    assert judge(tmp_path, data + (FOOTER * 100)[:300_000]) is Completeness.PARTIAL


def test_bytes_behind_the_end_may_be_a_revision(tmp_path: Path) -> None:
    """Of a PDF that was changed each beginning is incomplete, and so is room for what is not there yet."""
    table = PDF.rindex(b"xref", 0, PDF.rindex(b"startxref"))
    old = PDF[PDF.rindex(b"startxref") : PDF.rindex(b"%%EOF") + 5]
    stream = b"\n% changed\n9 0 obj\n<</Length 3000>>stream\n" + b"x" * 3000 + b"\nendstream endobj\n"
    added = stream + b"xref\n0 0\ntrailer\n<</Size 9>>\n"
    whole = PDF + added + b"startxref\n%d\n%%%%EOF\n" % (len(PDF) + added.rindex(b"xref"))
    assert table > 0
    assert judge(tmp_path, whole) is Completeness.WHOLE
    assert judge(tmp_path, whole + FOOTER) is Completeness.WHOLE
    for length in range(len(PDF) + len("\n% changed\n9 0 obj "), len(whole) - 6, 97):
        assert judge(tmp_path, whole[:length]) is Completeness.PARTIAL, length
        assert judge(tmp_path, whole[:length] + bytes(2000)) is Completeness.PARTIAL, length
    # The end of another PDF in it, whose table is elsewhere, or follows.
    assert judge(tmp_path, PDF[:table] + old + b"\nendstream\nendobj\n") is Completeness.PARTIAL
    assert judge(tmp_path, PDF[:table] + old + FOOTER) is Completeness.PARTIAL


@pytest.mark.parametrize(
    ("data", "has_pages"),
    [
        (PDF, True),
        (PDF[:-9], True),
        (pages(2), True),
        (pages(2, big_tiff=True), True),
        (pages(1), False),
        (ALL["tiff group 4"](), False),
        (ALL["png grey"](), False),
        (b"II*\0\x08\0\0\0", False),
        (b"GIF89a", False),
    ],
)
def test_files_with_pages(tmp_path: Path, data: bytes, *, has_pages: bool) -> None:
    """A PDF, and a TIFF with two pages: the probe says so, and the file that is ready."""
    (tmp_path / "a").write_bytes(data)
    found = probe(tmp_path, "a")
    assert found is not None
    assert found.has_pages is has_pages
    tracker = ReadinessTracker(stable_for=0.0, stable_for_closed=0.0, give_up_after=0.0)
    tracker.track(Arrival("a"), 0.0)
    tracker.update("a", found, 1.0)
    verdict = tracker.update("a", found, 2.0)
    if isinstance(verdict, Ready):
        assert verdict.scan.has_pages is has_pages
    else:
        assert data == b"GIF89a"


def test_a_damaged_list_of_pages_counts(tmp_path: Path) -> None:
    """What may be missing must be told: the splitter does."""
    data = pages(2)
    at = int.from_bytes(data[4:8], "little")
    following = at + 2 + 12 * int.from_bytes(data[at : at + 2], "little")
    (tmp_path / "a").write_bytes(data[:following] + b"\xff\xff\xff\x0f" + data[following + 4 :])
    found = probe(tmp_path, "a")
    assert found is not None
    assert (found.state, found.has_pages) == (Completeness.PARTIAL, True)
