"""Bar codes and QR codes:  python -m tests.bench.codes FOLDER... [--half 1] [--by-page].

Each page is searched by ocrwatch, by zxing-cpp for all kinds at full size and in all directions, and by OpenCV's
detectors. The table has the pages on which each finds a code; on which share of those where another reader finds one
ocrwatch finds the same text; the pages that ocrwatch takes for separator sheets, and on how many of them no other
reader finds such a text; and the CPU time of ocrwatch's search.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import zxingcpp
from rich.table import Table as Grid

from ocrwatch.document import Code
from ocrwatch.errors import ScanFault
from ocrwatch.recipe import EnhanceOptions
from ocrwatch.recognise.decode import Gray, decode
from ocrwatch.recognise.extract.codes import find_codes
from ocrwatch.recognise.page_view import REDUCE_FROM
from ocrwatch.recognise.separators import SEPARATOR_TEXTS, is_separator
from tests.bench.arguments import console

_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True)
class _Searched:
    """What was found on one page."""

    path: Path
    codes: tuple[Code, ...]
    zxing: frozenset[str]
    """Texts that zxing-cpp finds at full size."""
    opencv: frozenset[str]
    milliseconds: float

    @property
    def others(self) -> frozenset[str]:
        """Texts that another reader finds."""
        return self.zxing | self.opencv

    @property
    def is_found(self) -> bool:
        """Whether ocrwatch has one of these texts."""
        return not self.others.isdisjoint(code.text for code in self.codes)

    @property
    def is_separator(self) -> bool:
        """Whether ocrwatch takes the page for a separator sheet."""
        return any(map(is_separator, self.codes))


def main() -> None:
    """Print one row a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="with scans, or subfolders of them")
    parser.add_argument("--half", type=int, choices=(0, 1), help="take every second page only, from this one on")
    parser.add_argument("--by-page", action="store_true", help="print what is found on each page, too")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    grid = Grid(
        "", "pages", "zxing", "OpenCV", "either", "ocrwatch", "of these", "sheets", "false", "ms median", "mean", "max",
    )  # fmt: skip
    for folder in arguments.folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        pages = list(_searched(paths if arguments.half is None else paths[arguments.half :: 2]))
        if arguments.by_page:
            _print_each(pages)
        grid.add_row(folder.name, *_figures(pages))
    console().print(grid)


def _searched(paths: Iterable[Path]) -> Iterator[_Searched]:
    for path in paths:
        content = path.read_bytes()
        try:
            whole = decode(content, max_pixels=EnhanceOptions().max_pixels)
            decoded = decode(content, max_pixels=EnhanceOptions().max_pixels, reduce_from=REDUCE_FROM)
        except ScanFault:
            continue
        begin = time.process_time()
        codes = find_codes(decoded)
        milliseconds = 1000 * (time.process_time() - begin)
        zxing = frozenset(barcode.text for barcode in zxingcpp.read_barcodes(whole.gray))
        yield _Searched(path, codes, zxing, _by_opencv(whole.gray), milliseconds)


def _by_opencv(gray: Gray) -> frozenset[str]:
    """Return the texts that OpenCV finds: QR codes, and the bar codes of goods."""
    texts: list[str] = []
    for detector in (cv2.QRCodeDetector(), cv2.barcode.BarcodeDetector()):
        _, found, *_ = detector.detectAndDecodeMulti(gray)
        texts += found
    return frozenset(filter(None, texts))


def _figures(pages: list[_Searched]) -> Iterator[str]:
    others = [page for page in pages if page.others]
    separators = [page for page in pages if page.is_separator]
    times = [page.milliseconds for page in pages] or [0.0]
    yield str(len(pages))
    yield str(sum(bool(page.zxing) for page in pages))
    yield str(sum(bool(page.opencv) for page in pages))
    yield str(len(others))
    yield str(sum(bool(page.codes) for page in pages))
    yield f"{sum(page.is_found for page in others) / len(others):.0%}" if others else "-"
    yield str(len(separators))
    yield str(sum(page.others.isdisjoint(SEPARATOR_TEXTS) for page in separators))
    yield f"{statistics.median(times):.1f}"
    yield f"{statistics.mean(times):.1f}"
    yield f"{max(times):.1f}"


def _print_each(pages: list[_Searched]) -> None:
    for page in pages:
        if page.codes or page.others:
            codes = ", ".join(f"{code.kind} {code.text!r}" for code in page.codes) or "nothing"
            missed = sorted(page.others.difference(code.text for code in page.codes))
            print(f"{page.path.name}: {codes}" + (f"; missed {missed}" if missed else ""))


if __name__ == "__main__":
    main()
