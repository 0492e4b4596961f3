"""What files of many pages take:  python -m tests.bench.several_pages [--pages 50 500] [--speed N].

A TIFF and a PDF of as many pages are read with ``ocrwatch once``, by an engine that takes no time. The largest memory
of each process is printed: it must not grow with the number of pages. ``--speed`` compares how long Tesseract takes
with a file of N pages and with its pages as single scans.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import psutil
from PIL import Image
from rich.table import Table

from tests.bench.arguments import console, positive
from tests.daemon_process import PROGRAM, clean_environment, run_ocrwatch, write_config
from tests.feeder import CountsMarks, install
from tests.rendering import draw, encode
from tests.several_pages import Stored, pdf_of_images

_PAPER: Final = (1654, 2339)
"""A4 at 200 dpi."""

_DPI: Final = 200
_INTERVAL: Final = 0.05
_MB: Final = 1 << 20
_ROLES: Final = {
    "ocrwatch.splitting": "splitter",
    "ocrwatch.render.joining": "joiner",
    "ocrwatch.executors.worker_main": "worker",
    "ocrwatch.cli": "daemon",
}
_CONFIG: Final = f"""
ocr.engine = "{CountsMarks.name}"
output.formats = ["txt", "json", "pdf"]
enhance.enabled = false
settle.max_bytes = "10GB"
"""
_WORDS: Final = ("harbour", "lantern", "meadow", "orchard", "pencil", "river", "summer", "teapot", "village", "window")


def page_of(number: int) -> Image.Image:
    """Return a page of text that no other number has."""
    choose = random.Random(number)
    lines = [f"Page {number}", *(" ".join(choose.choices(_WORDS, k=9)) for _ in range(40))]
    return draw("\n".join(lines), size=30, width=_PAPER[0], height=_PAPER[1])


def tiff_of(count: int) -> bytes:
    """Return a fax of as many pages."""
    pages = (page_of(number).convert("1") for number in range(count))
    file = io.BytesIO()
    next(pages).save(file, "TIFF", save_all=True, append_images=pages, compression="group4", dpi=(_DPI, _DPI))
    return file.getvalue()


def pdf_of(count: int) -> bytes:
    """Return a scanned PDF of as many pages."""
    return pdf_of_images([Stored(encode(page_of(number), dpi=_DPI), *_PAPER) for number in range(count)], _DPI)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=positive, nargs="+", default=[50, 500])
    parser.add_argument("--speed", type=positive, help="pages of the file that is compared with single scans")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    arguments = parser.parse_args()
    figures: dict[str, object] = {"memory": memory(arguments.pages)}
    if arguments.speed:
        figures["speed"] = speed(arguments.speed)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def memory(counts: Sequence[int]) -> list[dict[str, object]]:
    """Measure the largest memory of each process."""
    table = Table("file", "pages", "MB", "seconds", *(f"{role}, MB" for role in _ROLES.values()), title="memory")
    found: list[dict[str, object]] = []
    for ending, make in (("tif", tiff_of), ("pdf", pdf_of)):
        for count in counts:
            with tempfile.TemporaryDirectory() as folder:
                content = make(count)
                largest, seconds = _read(Path(folder), f"file.{ending}", content, count)
            row = {"kind": ending, "pages": count, "bytes": len(content), "seconds": seconds, "memory": largest}
            found.append(row)
            shown = [f"{largest.get(role, 0) / _MB:.1f}" for role in _ROLES.values()]
            table.add_row(ending, str(count), f"{len(content) / 1e6:.1f}", f"{seconds:.1f}", *shown)
    console().print(table)
    return found


def _read(folder: Path, name: str, content: bytes, count: int) -> tuple[dict[str, int], float]:
    """Read one file; return the largest resident memory of each role in bytes, and the seconds."""
    environment = install(folder / "engine")
    write_config(folder, _CONFIG)
    (folder / "inbox").mkdir()
    (folder / "inbox" / name).write_bytes(content)
    begun = time.monotonic()
    process = subprocess.Popen(
        [*PROGRAM, "once"],
        cwd=folder,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    largest: dict[str, int] = {}
    while process.poll() is None:
        _look(process.pid, largest)
        time.sleep(_INTERVAL)
    errors = process.stderr.read().decode() if process.stderr is not None else ""
    document = json.loads((folder / "outbox/file.json").read_text()) if not process.returncode else {}
    if document.get("page_count") != count or document["review"]:
        raise SystemExit(f"{name} was not read as it should be:\n{errors}")
    return largest, time.monotonic() - begun


def _look(pid: int, largest: dict[str, int]) -> None:
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        try:
            command, resident = " ".join(process.cmdline()), process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        role = next((role for module, role in _ROLES.items() if module in command), None)
        if role is not None:
            largest[role] = max(largest.get(role, 0), resident)


def speed(count: int) -> dict[str, float]:
    """Compare a file with its pages as single scans, by the seconds of ``ocrwatch once``."""
    makers: dict[str, Callable[[], list[tuple[str, bytes]]]] = {
        "single": lambda: [(f"{number:04}.tif", _single(number)) for number in range(count)],
        "tif": lambda: [("file.tif", tiff_of(count))],
        "pdf": lambda: [("file.pdf", pdf_of(count))],
    }
    found = {}
    for name, make in makers.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "inbox").mkdir()
            for path, content in make():
                (folder / "inbox" / path).write_bytes(content)
            begun = time.monotonic()
            answer = run_ocrwatch(folder, "once", config="[cache]\nenabled = false\n", timeout=3600)
            found[name] = time.monotonic() - begun
            if answer.returncode:
                raise SystemExit(answer.stderr)
    table = Table("read as", "seconds", "pages/s", "of single scans", title=f"{count} pages, Tesseract")
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.1f}", f"{count / seconds:.2f}", f"{found['single'] / seconds:.2f}")
    console().print(table)
    return found


def _single(number: int) -> bytes:
    file = io.BytesIO()
    page_of(number).convert("1").save(file, "TIFF", compression="group4", dpi=(_DPI, _DPI))
    return file.getvalue()


if __name__ == "__main__":
    main()
