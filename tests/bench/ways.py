"""The ways of reading a folder of scans that a user has: ocrwatch, and what would be run instead of it.

Each runs as a command of its own on copies of the scans. Peers are run as well as they can be run: with one OpenMP
thread a process where several processes are busy, which is what makes Tesseract fastest, and without a shell per scan.
"""

from __future__ import annotations

import compileall
import functools
import importlib.metadata
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

import ocrwatch
from tests.bench.languages import ENGLISH, Languages, joined
from tests.bench.measure import Cost, measured
from tests.daemon_process import PROGRAM, clean_environment, write_config

CORES = len(os.sched_getaffinity(0))

_TIMEOUT = 3600.0
_POOL = Path(__file__).with_name("pytesseract_pool.py")
_RAPIDOCR = Path(__file__).with_name("rapidocr_pool.py")
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1"}
_LEAST_DPI = 97
"""OCRmyPDF refuses images that declare less, or nothing, unless it is told a resolution."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one way made of some scans."""

    scans: int
    cost: Cost
    texts: Mapping[str, str]
    """By the scan's file name; what could not be read is missing."""
    reading: float | None = None
    """Seconds from the first worker's readiness, when reading begins, to the last text; None where nothing tells."""
    worker_mb: float | None = None
    """Peak of the resident memory of the largest worker."""
    sidecars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Contents of ocrwatch's JSON sidecars, if it wrote any, by the scan's file name."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of reading a folder of scans."""

    label: str
    run: Callable[[Sequence[Path], Path, Languages], Run]
    """Reads scans, of different names, in an empty folder, with these languages."""
    missing: Callable[[], str | None] = lambda: None
    """Says why it cannot be run here; None where it can."""
    few: bool = False
    """Whether it is so slow that it gets only a few of the scans."""


def once(
    scans: Sequence[Path],
    home: Path,
    languages: Languages = ENGLISH,
    *,
    workers: int = CORES,
    settings: Sequence[str] = (),
) -> Run:
    """Run ``ocrwatch once`` as a user would.

    Besides the languages and ``settings``, each as ``key=value``, all settings are the defaults.
    """
    _compile()
    _copied(scans, home / "inbox")
    write_config(home, "")
    options = [f"--set={each}" for each in (f"ocr.languages={json.dumps(languages)}", *settings)]
    command = [*PROGRAM, "once", "--workers", str(workers), *options]
    cost = measured(command, home, clean_environment(), _TIMEOUT)
    events = [json.loads(line) for line in cost.output.splitlines() if line.startswith("{")]
    pids = {event["pid"] for event in events if event["event"] == "worker.started"}
    if not pids:
        sys.exit(f"ocrwatch did not start:\n{cost.output}")
    ready = min(_time(event) for event in events if event["event"] == "worker.started")
    delivered = [event for event in events if event["event"] == "scan.delivered"]
    texts, details = _sidecars(delivered, home, ".txt"), _sidecars(delivered, home, ".json")
    reading = max(map(_time, delivered), default=ready) - ready
    largest = max((peak for pid, peak in cost.process_mb.items() if pid in pids), default=None)
    return Run(
        len(scans), cost, texts, reading, largest, {name: json.loads(content) for name, content in details.items()}
    )


def _sidecars(delivered: Sequence[Mapping[str, Any]], home: Path, ending: str) -> dict[str, str]:
    """Return what was written with this ending, by the scan's path."""
    return {
        event["path"]: (home / "outbox" / sidecar).read_text("utf-8")
        for event in delivered
        for sidecar in event["sidecars"]
        if sidecar.endswith(ending)
    }


@functools.cache
def _compile() -> None:
    """Have the program compiled, as it is where pip has installed it: a checkout may be forbidden to keep that."""
    compileall.compile_dir(Path(ocrwatch.__file__).parent, quiet=1)


def xargs(scans: Sequence[Path], home: Path, languages: Languages) -> Run:
    """Run one tesseract a scan, as many at a time as there are cores."""
    _copied(scans, home)
    return _run(scans, home, _each_by_xargs("jpg", languages), _ONE_THREAD)


def upright(scans: Sequence[Path], home: Path, languages: Languages) -> Run:
    """Run tesseract on PNGs with upright pixels.

    For comparing texts, because tesseract ignores the EXIF orientation of a JPEG. The time that it takes to turn and
    save the pixels does not count.
    """
    for scan in scans:
        _turn_upright(scan, home / f"{scan.stem}.png")
    return _run(scans, home, _each_by_xargs("png", languages), _ONE_THREAD, "png")


def loop(scans: Sequence[Path], home: Path, languages: Languages) -> Run:
    """Run one tesseract after the other, as most scripts do, with the threads that it takes by itself."""
    _copied(scans, home)
    script = f'for f in *.jpg; do tesseract "$f" "$f" -l {shlex.quote(joined(languages))}; done'
    return _run(scans, home, ["sh", "-c", script], {})


def pool(scans: Sequence[Path], home: Path, languages: Languages) -> Run:
    """Run pytesseract in a pool of processes."""
    _copied(scans, home)
    command = [sys.executable, "-P", str(_POOL), str(home), str(CORES), joined(languages)]
    return _run(scans, home, command, _ONE_THREAD)


def rapidocr(scans: Sequence[Path], home: Path, languages: Languages) -> Run:
    """Run the package rapidocr in a pool of processes, with its own settings."""
    _copied(scans, home)
    command = [sys.executable, "-P", str(_RAPIDOCR), str(home), str(CORES), joined(languages)]
    return _run(scans, home, command, _ONE_THREAD)


def ocrmypdf(scans: Sequence[Path], home: Path, languages: Languages) -> Run:
    """Run OCRmyPDF on one scan after the other, as its own folder watcher does."""
    _copied(scans, home)
    program = f"{shlex.quote(str(_ocrmypdf()))} -q -l {shlex.quote(joined(languages))} --rotate-pages --deskew"
    lines = []
    for scan in scans:
        name = shlex.quote(f"./{scan.stem}.jpg")
        dpi = "" if _declares_dpi(scan) else " --image-dpi 300"
        lines.append(f"{program}{dpi} --sidecar {name}.txt {name} {name}.pdf")
    return _run(scans, home, ["sh", "-c", "\n".join(lines)], _ONE_THREAD)


WAYS: Mapping[str, Way] = {
    "ocrwatch": Way("ocrwatch once", once),
    "xargs": Way(f"xargs -P {CORES} tesseract", xargs),
    "pool": Way(f"pytesseract, {CORES} processes", pool, lambda: _not_importable("pytesseract")),
    "rapidocr": Way(f"rapidocr, {CORES} processes", rapidocr, lambda: _not_importable("rapidocr"), few=True),
    "loop": Way("tesseract in a loop", loop, few=True),
    "ocrmypdf": Way(
        "OCRmyPDF, one by one",
        ocrmypdf,
        lambda: None if _ocrmypdf() else "ocrmypdf is not installed (pip install ocrmypdf; it needs ghostscript)",
    ),
}
"""By their names on the command line."""


def check_tesseract() -> None:
    """End with a sentence where there is no tesseract: there is nothing to compare then."""
    if shutil.which("tesseract") is None:
        sys.exit("tesseract is not installed: apt-get install tesseract-ocr tesseract-ocr-eng")


def versions() -> dict[str, str]:
    """Return what was compared."""
    first = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=True)
    found = {"tesseract": (first.stdout or first.stderr).split()[1]}
    for package in ("ocrwatch", "tesserocr", "pytesseract", "rapidocr", "onnxruntime"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if program := _ocrmypdf():
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        found["ocrmypdf"] = done.stdout.strip()
    return found


def _run(
    scans: Sequence[Path], home: Path, command: Sequence[str], environment: Mapping[str, str], ending: str = "jpg"
) -> Run:
    """Run a command that writes ``NAME.ending.txt`` beside each ``NAME.ending``."""
    cost = measured(command, home, {**clean_environment(), **environment}, _TIMEOUT)
    texts = {
        f"{scan.stem}.jpg": text.read_text("utf-8", "replace")
        for scan in scans
        if (text := home / f"{scan.stem}.{ending}.txt").is_file()
    }
    if not texts:
        sys.exit(f"nothing was read by {shlex.join(command)[:200]}:\n{cost.output[-2000:]}")
    return Run(len(scans), cost, texts)


def _each_by_xargs(ending: str, languages: Languages) -> list[str]:
    tesseract = f"tesseract @ @ -l {shlex.quote(joined(languages))} --psm 3"
    return ["sh", "-c", f"find . -name '*.{ending}' -print0 | xargs -0 -P {CORES} -I@ {tesseract}"]


def _turn_upright(scan: Path, png: Path) -> None:
    """Save a scan's upright pixels, with the resolution that it declares.

    A scan that cannot be decoded is copied as it is.
    """
    try:
        with Image.open(scan) as image:
            dpi = image.info.get("dpi")
            turned = ImageOps.exif_transpose(image)
            plain = turned if turned.mode in {"L", "RGB"} else turned.convert("RGB")
            plain.save(png, compress_level=1, exif=b"", icc_profile=None, **({"dpi": dpi} if dpi else {}))
    except OSError:
        # Tesseract goes by the content rather than by the name.
        shutil.copyfile(scan, png)


def _copied(scans: Sequence[Path], folder: Path) -> None:
    """Copy scans under their own names, all ending in .jpg."""
    folder.mkdir(exist_ok=True)
    for scan in scans:
        shutil.copyfile(scan, folder / f"{scan.stem}.jpg")


def _declares_dpi(scan: Path) -> bool:
    with Image.open(scan) as image:
        return bool(min(image.info.get("dpi", (0, 0))) >= _LEAST_DPI)


def _ocrmypdf() -> Path | None:
    beside = Path(sys.executable).with_name("ocrmypdf")
    found = str(beside) if beside.exists() else shutil.which("ocrmypdf")
    return Path(found) if found else None


def _not_importable(package: str) -> str | None:
    return None if importlib.util.find_spec(package) else f"the Python package {package} is not installed"


def _time(event: Mapping[str, str]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()
