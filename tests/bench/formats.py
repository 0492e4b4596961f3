"""The formats of sidecars:  python -m tests.bench.formats [SCANS_FOLDER] [--schema alto.xsd] [--pages N].

First, rendered pages, turned and skewed as scanners do, become PDFs: how many words each reader of PDFs finds in order,
and how far each word is from its print. Then, if there is a folder with scans (or subfolders of them): whether each
format is valid, what they cost, and how many words are found in the PDF. At last one process makes ``--pages`` PDFs, to
see whether its memory grows.

If they are given or installed, ALTO is checked with ``--schema``, hOCR with the package hocr-spec, PDF with qpdf, and
words are also looked for by pdftotext.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lxml import etree
from PIL import Image
from pytesseract.pytesseract import file_to_dict
from rapidfuzz.distance import LCSseq
from rich.console import Console

from ocrwatch.document import Box, Page
from ocrwatch.errors import ScanFault
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.page import recognise
from ocrwatch.render.base import Original
from ocrwatch.render.registry import render
from tests.bench.arguments import console, positive
from tests.bench.pdf_text import POINTS, in_order, millimetres, off_by, readers, word_boxes
from tests.bench.tables import plain
from tests.rendering import draw, drawn_words, encode

FORMATS: Final = ("txt", "json", "hocr", "alto", "tsv", "md", "pdf")

_DPI: Final = 300
_TYPE: Final = 42
"""Size of the type in pixels: 10 points."""

_SKEWS: Final = (-7.0, -5.0, -3.0, -1.0, 0.0, 1.0, 3.0, 5.0, 7.0)
_PAGE: Final = (2480, 1700)
_LINES: Final = (
    "The harbour office opened on Monday at half past eight, and the",
    "clerk, a man of few words, counted 2,041 invoices before noon.",
    "Nobody had told him that the gulls would take his lunch; I have",
    "seen it, he wrote, and a page was blown out of the window by the",
    "wind from the sea. Captain Brown signed for 17 barrels of oil,",
    "3 chests of tea and a parcel addressed to Mrs. Quigley-Young.",
    "When the bell rang at six, every ship that waited outside until",
    "its papers were ready had gone, and so had the evening tide.",
)
_TEXT: Final = "\n".join(_LINES * 3)


@dataclass(slots=True)
class Found:
    """Of one group of scans."""

    words: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Share of the text's words that are in order in the PDF, by reader."""
    cpu: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds by format."""
    added: list[int] = field(default_factory=list)
    """Bytes of the PDF besides the scan."""
    faults: list[str] = field(default_factory=list)
    scans: int = 0
    unread: int = 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--schema", type=Path, help="the XML Schema of ALTO 4.4")
    parser.add_argument("--pages", type=positive, default=500, help="PDFs that one process makes (500)")
    parser.add_argument("--limit", type=positive, help="take only so many scans of each folder")
    parser.add_argument("--languages", default="eng", help="by Tesseract's names (eng)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    arguments = parser.parse_args()
    output = console()
    figures: dict[str, object] = {"rendered": rendered_pages(output)}
    faults = 0
    if arguments.folder is not None:
        checks = Checks(arguments.schema)
        recipe = Recipe(languages=tuple(arguments.languages.split("+")), second="none")
        found = {name: read_all(scans, recipe, checks) for name, scans in groups(arguments.folder, arguments.limit)}
        figures["scans"] = show(found, output)
        faults = sum(len(each.faults) for each in found.values())
    figures["memory"] = memory(arguments.pages, output)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(1 if faults else 0)


def rendered_pages(output: Console) -> dict[str, object]:
    """Measure pages whose words are known, with their places."""
    found: dict[str, list[float]] = defaultdict(list)
    distances: list[float] = []
    drawn = draw(_TEXT, size=_TYPE, width=_PAGE[0], height=_PAGE[1])
    printed = drawn_words(_TEXT, size=_TYPE)
    for jpeg in _scanned(drawn):
        page = recognise(jpeg, Recipe(second="none"))
        pdf = render_all(page, jpeg, ("pdf",))["pdf"]
        for name, reader in readers().items():
            found[name].append(in_order(page.text.split(), reader(pdf)))
        distances += _distances(word_boxes(pdf), printed)
    rows = [[name, f"{min(shares):.3f}", f"{statistics.mean(shares):.3f}"] for name, shares in found.items()]
    _print(output, f"{len(found['PDFium'])} rendered pages: words in order", ("reader", "least", "mean"), rows)
    distances.sort()
    spread = {
        f"p{share}": distances[min(len(distances) * share // 100, len(distances) - 1)] for share in (50, 95, 99, 100)
    }
    row = [str(len(distances)), *(f"{value:.2f}" for value in spread.values())]
    _print(output, "distance of words from their print, mm", ("words", "median", "95 %", "99 %", "largest"), [row])
    return {"words": found, "distances": spread}


def _distances(placed: Sequence[tuple[str, Sequence[float]]], printed: Sequence[tuple[str, Box]]) -> Iterator[float]:
    """Yield how far words of a PDF are from their print, in mm. Words that were misread are left out."""
    scale = POINTS / _DPI
    texts, expected = [word for word, _ in placed], [word for word, _ in printed]
    for found, number, length in LCSseq.opcodes(texts, expected).as_matching_blocks():
        for at in range(length):
            box = printed[number + at][1]
            ink = [value * scale for value in (box.left, box.top, box.right, box.bottom)]
            yield millimetres(off_by(placed[found + at][1], ink))


def _scanned(drawn: Image.Image) -> Iterator[bytes]:
    """Yield scans of a page: skewed, turned by quarters, and with each EXIF orientation."""
    for skew in _SKEWS:
        yield _encode(_skewed(drawn, skew))
    for quarters in (1, 2, 3):
        for skew in (0.0, 3.0):
            yield _encode(_skewed(drawn, skew).rotate(-90 * quarters, expand=True))
    for orientation in range(2, 9):
        yield encode(drawn, dpi=_DPI, quality=85, exif_orientation=orientation)


def _skewed(page: Image.Image, degrees: float) -> Image.Image:
    return page.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=255)


def _encode(page: Image.Image) -> bytes:
    return encode(page, dpi=_DPI, quality=85)


def render_all(page: Page, jpeg: bytes, formats: tuple[str, ...] = FORMATS) -> dict[str, bytes]:
    """Render sidecars; by their endings."""
    return dict(render(page, Original("scan.jpg", len(jpeg), "ab" * 32, content=jpeg), formats))


def groups(folder: Path, limit: int | None) -> Iterator[tuple[str, list[Path]]]:
    """Yield the JPEGs of a folder, or those of each of its subfolders."""
    for each in (folder, *sorted(path for path in folder.rglob("*") if path.is_dir())):
        scans = sorted(path for path in each.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})
        if scans:
            yield str(each.relative_to(folder)) if each != folder else folder.name, scans[:limit]


def read_all(scans: Sequence[Path], recipe: Recipe, checks: Checks) -> Found:
    """Render each scan in all formats, and check all of them."""
    found = Found()
    for scan in scans:
        jpeg = scan.read_bytes()
        found.scans += 1
        try:
            page = recognise(jpeg, recipe)
        except ScanFault:
            found.unread += 1
            continue
        made: dict[str, bytes] = {}
        for name in FORMATS:
            begun = time.process_time()
            made |= render_all(page, jpeg, (name,))
            found.cpu[name].append((time.process_time() - begun) * 1000)
        if render_all(page, jpeg) != made:
            found.faults.append(f"{scan.name}: other bytes the second time")
        found.faults += [f"{scan.name}: {fault}" for fault in checks.of(page, made)]
        if jpeg not in made["pdf"]:
            found.faults.append(f"{scan.name}: the PDF has not the JPEG as it came")
        found.added.append(len(made["pdf"]) - len(jpeg))
        words = page.text.split()
        for name, reader in readers().items():
            found.words[name].append(in_order(words, reader(made["pdf"])))
    return found


class Checks:
    """What is valid, by others' programs."""

    def __init__(self, schema: Path | None) -> None:
        self._alto = None if schema is None else etree.XMLSchema(etree.parse(schema))
        self._hocr: Any = None
        if find_spec("hocr_spec"):
            self._hocr = import_module("hocr_spec.validate").HocrValidator("standard")

    def of(self, page: Page, made: dict[str, bytes]) -> Iterator[str]:
        """Yield what is wrong with the sidecars of a page."""
        words = [word.text for word in page.words]
        alto = etree.fromstring(made["alto.xml"])
        if self._alto is not None and not self._alto.validate(alto):
            yield f"ALTO: {self._alto.error_log.last_error}"
        if len(list(alto.iter("{*}String"))) != len(words):
            yield "ALTO: other words"
        if self._hocr is not None:
            yield from self._hocr_faults(made["hocr"])
        if len(etree.fromstring(made["hocr"]).xpath("//*[@class='ocrx_word']")) != len(words):
            yield "hOCR: other words"
        table = file_to_dict(made["tsv"].decode(), "\t", -1)
        if sum(level == 5 for level in table["level"]) != len(words):
            yield "TSV: other words"
        if shutil.which("qpdf"):
            yield from _qpdf_faults(made["pdf"])

    def _hocr_faults(self, hocr: bytes) -> Iterator[str]:
        with tempfile.NamedTemporaryFile(suffix=".hocr") as file, contextlib.redirect_stdout(io.StringIO()):
            Path(file.name).write_bytes(hocr)
            report = self._hocr.validate(file.name)
        if not report.is_valid():
            yield f"hOCR: {report.format('text')[:300]}"


def _qpdf_faults(pdf: bytes) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        Path(file.name).write_bytes(pdf)
        done = subprocess.run(["qpdf", "--check", file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"PDF: {done.stderr.strip()[:300]}"


def show(found: dict[str, Found], output: Console) -> dict[str, object]:
    """Print the figures of scans, and return them."""
    names = list(readers())
    rows = []
    for group, each in found.items():
        least = [f"{statistics.mean(each.words[name]):.3f} ({min(each.words[name]):.2f})" for name in names]
        added = f"{statistics.median(each.added) / 1000:.1f} ({max(each.added) / 1000:.1f})"
        total = statistics.mean(sum(times) for times in zip(*each.cpu.values(), strict=True))
        rows.append(
            [group, f"{each.scans - each.unread} of {each.scans}", *least, added, f"{total:.0f}", str(len(each.faults))]
        )
    columns = (
        "scans",
        "read",
        *(f"{name}: mean (least)" for name in names),
        "kB more: median (most)",
        "CPU ms",
        "faults",
    )
    _print(output, "words in order in the PDF, what it adds to the scan, cost of all formats", columns, rows)
    cost = {name: statistics.mean([ms for each in found.values() for ms in each.cpu[name]]) for name in FORMATS}
    _print(output, "CPU a page, ms", tuple(cost), [[f"{value:.1f}" for value in cost.values()]])
    for group, each in found.items():
        for fault in each.faults[:10]:
            print(f"{group}: {fault}")
    return {
        group: {"words": each.words, "cpu": each.cpu, "added": each.added, "faults": each.faults}
        for group, each in found.items()
    }


def memory(pages: int, output: Console) -> dict[str, float]:
    """Render PDFs one after the other, and print the most memory after a tenth of them, and at the end."""
    drawn = draw(_TEXT, size=_TYPE, width=_PAGE[0], height=_PAGE[1])
    jpeg = _encode(drawn)
    page = recognise(jpeg, Recipe(second="none"))
    peaks = []
    for number in range(pages):
        render_all(page, jpeg, ("pdf",))
        if number == pages // 10:
            gc.collect()
            peaks.append(_peak_mb())
    peaks.append(_peak_mb())
    _print(
        output,
        f"most memory of one process, MB, {pages} PDFs",
        ("after a tenth", "at the end"),
        [[f"{mb:.1f}" for mb in peaks]],
    )
    return {"tenth": peaks[0], "end": peaks[-1]}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _print(output: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    output.print(plain(title, columns, rows))


if __name__ == "__main__":
    main()
