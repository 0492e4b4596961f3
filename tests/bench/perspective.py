"""How well photographed pages are read.

    python -m tests.bench.perspective [FOLDER] [--limit N] [--half 1|2] [--json FILE]

Takes pictures of pages as a phone would, from four directions, 15 to 30 degrees aside, flat and bent like an open book,
on a dark and on a light desk and so near that no edge is seen, always in uneven light. Reads them with ocrwatch as it
is, with ``enhance.perspective`` off, and with plain Tesseract, and prints the F1 of the words (in capitals, with
punctuation), over all pages, for each direction and each desk.

The pages are FOLDER's JPEGs that have a NAME.gt.txt beside them; without a folder they are rendered in several fonts.
--half takes every other page, so that what is chosen by one half can be measured on the other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.bench import tables
from tests.bench.arguments import console, positive
from tests.bench.corpora import SENTENCES
from tests.bench.languages import ENGLISH
from tests.bench.scoring import Score, score, total, truth_of
from tests.bench.ways import Run, check_tesseract, once, upright
from tests.photographs import Camera, Desk, Gray, View
from tests.rendering import encode

_SIZE = (2400, 3200)
"""Width and height of the pictures: 8 megapixels."""

_DIRECTIONS = {
    "from below": View(pitch=25),
    "from one side": View(yaw=25, roll=2),
    "from a lower corner": View(pitch=18, yaw=18, roll=5),
    "from an upper corner": View(pitch=-15, yaw=28, roll=-8),
}
_BENDS = {"flat": 0.0, "bent": 0.06}

_PLACES = {
    "dark desk": (Desk(45.0, 0.55), 0.88),
    "light desk": (Desk(170.0, 0.55), 0.88),
    "edges outside": (Desk(170.0, 0.55), 1.1),
}
"""What the page lies on, and the share of the picture that it takes."""

_FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "")
"""Those that are not installed are replaced by Pillow's own, as is the last."""

_A4 = (1654, 2339)
_MARGIN = 170
_TYPE = 32
"""Pixels of an A4 page at 200 dots per inch, of its margins and of its type, which has 11.5 points."""

_PAGES = 8

_Scores = dict[str, list[Score]]
"""By the label of the way."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A page that is photographed."""

    name: str
    gray: Gray
    truth: str


def main() -> None:
    """Take pictures, read them and print."""
    arguments = _arguments()
    check_tesseract()
    every = slice(arguments.half - 1, None, 2) if arguments.half else slice(None)
    sheets = list(_sheets(arguments.folder))[every][: arguments.limit]
    if not sheets:
        sys.exit("there is no JPEG with a .gt.txt beside it")
    found: dict[str, dict[str, float]] = {}
    for bend in _BENDS:
        scores = {
            f"{direction}, {place}": _read(sheets, direction, bend, place)
            for direction in _DIRECTIONS
            for place in _PLACES
        }
        scores |= _summed(scores)
        found |= {
            f"{bend}: {kind}": {way: round(total(each).word_f1, 4) for way, each in by_way.items()}
            for kind, by_way in scores.items()
        }
        rows = [[kind, *(f"{total(each).word_f1:.3f}" for each in by_way.values())] for kind, by_way in scores.items()]
        title = f"Photographs of {len(sheets)} {bend} pages, F1 of the words"
        console().print(tables.plain(title, ["", *next(iter(scores.values()))], rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="with JPEGs and NAME.gt.txt beside them")
    parser.add_argument("--limit", type=positive, help="take only so many pages")
    parser.add_argument("--half", type=int, choices=(1, 2), help="take the first, third, ... page, or the others")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args()


def _read(sheets: Sequence[_Sheet], direction: str, bend: str, place: str) -> _Scores:
    """Photograph all sheets in one way, and read them in all ways."""
    with tempfile.TemporaryDirectory(prefix="ocrwatch-bench-") as scratch:
        pictures = [_photographed(sheet, direction, bend, place, Path(scratch)) for sheet in sheets]
        runs = {
            "straightened": once(pictures, _made(scratch, "on"), ENGLISH, workers=1),
            "as it came": once(
                pictures, _made(scratch, "off"), ENGLISH, workers=1, settings=("enhance.perspective=false",)
            ),
            "Tesseract": upright(pictures, _made(scratch, "tesseract"), ENGLISH),
        }
        return {label: _scores(sheets, run) for label, run in runs.items()}


def _scores(sheets: Sequence[_Sheet], run: Run) -> list[Score]:
    return [score(sheet.truth, run.texts.get(f"{sheet.name}.jpg", "")) for sheet in sheets]


def _summed(scores: Mapping[str, _Scores]) -> dict[str, _Scores]:
    """Put together what has a direction or a place in common, and all."""
    sums = {}
    for part in (*_DIRECTIONS, *_PLACES, "all"):
        chosen = [by_way for kind, by_way in scores.items() if part == "all" or part in kind]
        sums[f"= {part}"] = {way: [one for each in chosen for one in each[way]] for way in chosen[0]}
    return sums


def _made(scratch: str, name: str) -> Path:
    folder = Path(scratch, name)
    folder.mkdir()
    return folder


def _photographed(sheet: _Sheet, direction: str, bend: str, place: str, folder: Path) -> Path:
    desk, filled = _PLACES[place]
    view = replace(_DIRECTIONS[direction], bend=_BENDS[bend], filled=filled)
    camera = Camera((sheet.gray.shape[1], sheet.gray.shape[0]), view, _SIZE)
    picture = camera.picture(sheet.gray, desk, seed=len(sheet.name))
    path = folder / f"{sheet.name}.jpg"
    path.write_bytes(encode(Image.fromarray(picture), dpi=72, quality=88))
    return path


def _sheets(folder: Path | None) -> Iterator[_Sheet]:
    """Return the pages of a folder, or render some."""
    if folder is None:
        yield from map(_rendered, range(_PAGES))
        return
    for path in sorted(folder.glob("*.jpg")):
        truth, gray = truth_of(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if truth is not None and gray is not None:
            yield _Sheet(path.stem, np.asarray(gray, np.uint8), truth)


def _rendered(number: int) -> _Sheet:
    """Draw running text in one of the fonts on A4; some pages end after a half."""
    random = np.random.default_rng(number)
    font = _font(_FONTS[number % len(_FONTS)])
    width = int((_A4[0] - 2 * _MARGIN) / font.getlength("an average line") * len("an average line"))
    lines: list[str] = []
    most = int((_A4[1] - 2 * _MARGIN) / (1.5 * _TYPE)) // (1 + number % 3 // 2)
    while len(lines) < most:
        paragraph = " ".join(SENTENCES[int(each)] for each in random.integers(0, len(SENTENCES), 4))
        lines += [*textwrap.wrap(paragraph, width), ""]
    page = Image.new("L", _A4, 255)
    pen = ImageDraw.Draw(page)
    for place, line in enumerate(lines[:most]):
        pen.text((_MARGIN, _MARGIN + place * 1.5 * _TYPE), line, fill=20, font=font)
    return _Sheet(f"page{number}", np.asarray(page, np.uint8), "\n".join(lines[:most]))


def _font(name: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype(name, _TYPE)
    except OSError:
        return ImageFont.load_default(_TYPE)


if __name__ == "__main__":
    main()
