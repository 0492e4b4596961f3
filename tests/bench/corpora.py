"""The scans of a bench by corpus: a folder's, each subfolder's, or rendered ones with known truth."""

from __future__ import annotations

import random
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.degrade import grainy, softened, turned
from tests.bench.languages import ENGLISH, Languages, declared, joined, languages_of
from tests.bench.scoring import TRUTH
from tests.rendering import draw, encode


@dataclass(frozen=True, slots=True)
class Corpus:
    """Scans that are read with the same languages."""

    name: str
    scans: list[Path]
    """In the order of their names; the truth is beside them, if anywhere."""
    languages: Languages = ENGLISH

    @property
    def title(self) -> str:
        """The name, with the languages unless they are English alone."""
        return self.name if self.languages == ENGLISH else f"{self.name} ({joined(self.languages)})"


Corpora = Mapping[str, Corpus]
"""Corpora by their names."""

_SUFFIXES = {".jpg", ".jpeg"}
_SEED = 1

SENTENCES = (
    "The scanner on the second floor saves each page as one file, and somebody fetches the stack before lunch.",
    "Whatever the machine has written by then must be whole, named as the office expects, and found again in spring.",
    "Nobody reads the log until a page is missing, and then everybody wants to know where it went, and when.",
    "In March 1894 the harbour froze for the last time; ships waited outside for eleven days.",
    "She asked whether the parcel had been weighed, and he answered that it had not.",
    "A quarter of the fields lay fallow that year, for want of seed rather than of hands.",
    "The committee met on the 14th, heard both sides, and put the question off until October.",
    "Bread was dear, coal was dearer, and the winter had hardly begun.",
    "From the tower one sees four villages, two rivers, and on clear days the sea.",
    "Please return the signed form by Friday, together with a copy of your licence.",
    '"It is not the rain," said the gardener, "it is the wind that breaks them."',
    "The price includes delivery (up to 30 km), assembly, and the removal of the old machine.",
    "Every exhibit has a number; the numbers are painted on the reverse, usually in red.",
    "Measure twice, and write down what you measured, for you will be asked.",
    "Of the 2,460 letters he left, fewer than a hundred have been published.",
    "The bridge was closed to carts in 1931 and to everybody else three years later.",
)
_ITEMS = (
    "FLOUR TYPE 550", "OLIVE OIL 0.5L", "BATTERIES AA", "NOTEBOOK A5", "GREEN TEA", "PRINTER PAPER", "SCREWS 4X40",
    "LIGHT BULB E27", "WASHING POWDER", "APPLES LOOSE", "RYE BREAD", "ENVELOPES C6", "GARDEN HOSE 20M", "SPONGES",
)  # fmt: skip


def corpora_from(folder: Path | None, scratch: Path, limit: int | None = None) -> Corpora:
    """Return the corpora of ``folder``, or rendered ones written to ``scratch``; at most ``limit`` scans of each."""
    found = _rendered_corpora(scratch) if folder is None else _corpora_in(folder)
    return {corpus.name: replace(corpus, scans=corpus.scans[:limit]) for corpus in found}


def half_of(corpora: Corpora, half: str | None) -> Corpora:
    """Take every second scan of each corpus, beginning with the first (even) or the second (odd); None takes all."""
    if half is None:
        return corpora
    return {name: replace(each, scans=each.scans[half == "odd" :: 2]) for name, each in corpora.items()}


def evenly(scans: Sequence[Path], count: int) -> list[Path]:
    """Take ``count`` scans from all over a corpus, all where there are not so many."""
    count = min(count, len(scans))
    return [scans[number * len(scans) // count] for number in range(count)]


def _rendered_corpora(scratch: Path) -> list[Corpus]:
    return [Corpus(name, _rendered(scratch / name, make, count)) for name, (make, count) in _RENDERED.items()]


def _corpora_in(folder: Path) -> list[Corpus]:
    """Return the corpora of a folder's own JPEGs and of each subfolder's."""
    if not folder.is_dir():
        sys.exit(f"there is no folder {folder}")
    above = declared(folder)
    found = []
    for home in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        name = home.resolve().name
        if scans := _scans_in(home):
            found.append(Corpus(name, scans, languages_of(home, name, above)))
    if not found:
        sys.exit(f"no JPEGs in {folder} or its subfolders")
    return found


def _scans_in(folder: Path) -> list[Path]:
    """Return a folder's scans; of several that differ only in their ending, one: copies would overwrite each other."""
    scans = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    return list({scan.stem: scan for scan in scans}.values())


def _rendered(folder: Path, make: Callable[[random.Random], tuple[str, bytes]], count: int) -> list[Path]:
    folder.mkdir(parents=True)
    scans = []
    for number in range(count):
        text, jpeg = make(random.Random(_SEED + number))
        path = folder / f"{number:02}.jpg"
        path.write_bytes(jpeg)
        path.with_name(path.stem + TRUTH).write_text(text + "\n", encoding="utf-8")
        scans.append(path)
    return scans


def _book(chance: random.Random) -> tuple[str, bytes]:
    """Draw running text in ten points, a full page at 300 dpi."""
    sentences = [chance.choice(SENTENCES) for _ in range(36)]
    paragraphs = [" ".join(sentences[begin : begin + 6]) for begin in range(0, len(sentences), 6)]
    text = "\n\n".join(textwrap.fill(paragraph, 84) for paragraph in paragraphs)
    return text, _scanned(draw(text, size=42, width=2000, height=3000), chance)


def _receipt(chance: random.Random) -> tuple[str, bytes]:
    """Draw a narrow strip with prices at the right, in capitals and figures, larger than Tesseract likes."""
    lines = ["CORNER STORE", f"12/{chance.randint(10, 28)}/2024 {chance.randint(10, 20)}:{chance.randint(10, 59)}", ""]
    cents = 0
    for item in chance.sample(_ITEMS, 10):
        price = chance.randint(90, 4900)
        cents += price
        lines.append(f"{chance.randint(1, 9)} {item:<12} {price / 100:.2f}")
    lines += ["", f"TOTAL {cents / 100:.2f}", f"RECEIPT NO {chance.randint(10000, 99999)}", "THANK YOU"]
    text = "\n".join(lines)
    # Tills print every character in the same width, which makes their spaces wider than this font's.
    return text, _scanned(draw(text.replace(" ", "  "), size=54, width=1100, ink=40), chance)


def _large(chance: random.Random) -> tuple[str, bytes]:
    """Draw a letter on A4 at 600 dpi, in colour."""
    text = "\n\n".join(textwrap.fill(chance.choice(SENTENCES), 76) for _ in range(14))
    page = draw(text, size=90, width=4961, height=7016, paper=240)
    return text, _scanned(page, chance, dpi=600, colour=True)


def _scanned(page: Image.Image, chance: random.Random, *, dpi: int = 300, colour: bool = False) -> bytes:
    """Save a drawn page as an ordinary scanner would: a little crooked, soft and grainy."""
    pixels = np.asarray(page, np.uint8)
    crooked = softened(turned(pixels, chance.uniform(-1.0, 1.0)), 0.7 * dpi / 300)
    grain = grainy(crooked, 5, np.random.default_rng(chance.randrange(1 << 32)))
    return encode(Image.fromarray(grain), dpi=dpi, quality=80, mode="RGB" if colour else "L")


_RENDERED: dict[str, tuple[Callable[[random.Random], tuple[str, bytes]], int]] = {
    "book pages (rendered)": (_book, 12),
    "receipts (rendered)": (_receipt, 12),
    "A4 600 dpi colour (rendered)": (_large, 4),
}
"""How a scan of each corpus is made, and how many there are."""
