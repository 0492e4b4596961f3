"""Finds which of Tesseract's confidences a score of PP-OCR stands for.

    python -m tests.bench.calibrate FOLDER [--half even|odd] [--limit N]

Reads the scans that have a truth (see ``peers`` for folders and languages) with Tesseract and with PP-OCR. A word is
right if the truth has it, each as often as it is there. For each reader, words are put into groups by score; the share
of right ones grows with the score (groups that do not obey are joined: the pool-adjacent-violators algorithm, Ayer et
al. 1955). A score then stands for the confidence at which Tesseract is right as often.

Prints the groups of both, and the table for ``ocrwatch/recognise/ppocr/calibration.py``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.page import recognise
from ocrwatch.recognise.ppocr.lines import detected, read_line
from ocrwatch.recognise.ppocr.weights import unknown_languages
from tests.bench import tables
from tests.bench.arguments import console, parser_for
from tests.bench.corpora import Corpus, corpora_from, half_of
from tests.bench.scoring import truth_of

_TESSERACT_EDGES = (0, 30, 50, 60, 70, 80, 85, 90, 93, 95, 96, 97, 100)
_PPOCR_EDGES = (0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99, 0.995, 0.998, 0.9995, 1.0)

_WORD = re.compile(r"\w+")


class Judged(NamedTuple):
    """A word's score, and whether the truth has the word."""

    score: float
    right: bool


class Group(NamedTuple):
    """Words of about the same score."""

    score: float
    """Their mean."""
    words: int
    right: float
    """Share of them, 0 to 1."""


def main() -> None:
    """Read, judge and print."""
    parser = parser_for(__doc__, degrades=False)
    parser.add_argument("--half", choices=("even", "odd"), help="take only every second scan")
    arguments = parser.parse_args()
    output = console()
    tesseract: list[Judged] = []
    ppocr: list[Judged] = []
    corpora = half_of(corpora_from(arguments.folder, Path("rendered"), arguments.limit), arguments.half)
    for corpus in corpora.values():
        if not unknown_languages(corpus.languages):
            with output.status(corpus.title):
                _judge(corpus, tesseract, ppocr)
    theirs, ours = monotone(grouped(tesseract, _TESSERACT_EDGES)), monotone(grouped(ppocr, _PPOCR_EDGES))
    for title, groups in (("Tesseract", theirs), ("PP-OCR", ours)):
        rows = [[f"{group.score:.4g}", str(group.words), f"{group.right:.3f}"] for group in groups]
        output.print(tables.plain(title, ("mean score", "words", "right"), rows))
    for score, confidence in table(ours, theirs):
        output.print(f"    ({score:.4g}, {confidence:.3g}),", highlight=False)


def judged(words: Iterable[tuple[str, float]], truth: str) -> Iterator[Judged]:
    """Tell of each word with letters or figures whether the truth has it; each of the truth's words counts once."""
    left = Counter(_WORD.findall(truth.casefold()))
    for text, score in words:
        if parts := _WORD.findall(text.casefold()):
            yield Judged(score, all(left[part] > 0 for part in parts))
            left.subtract(parts)


def grouped(words: Sequence[Judged], edges: Sequence[float]) -> list[Group]:
    """Put words into groups between edges; groups without words are left out."""
    groups = []
    places = np.searchsorted(edges, [word.score for word in words], side="right")
    for place in range(1, len(edges) + 1):
        inside = [word for word, its in zip(words, places.tolist(), strict=True) if its == place]
        if inside:
            mean = sum(word.score for word in inside) / len(inside)
            groups.append(Group(mean, len(inside), sum(word.right for word in inside) / len(inside)))
    return groups


def monotone(groups: Sequence[Group]) -> list[Group]:
    """Join neighbours until the share of right words grows with the score."""
    joined: list[Group] = []
    for group in groups:
        joined.append(group)
        while len(joined) > 1 and joined[-2].right >= joined[-1].right:
            last, before = joined.pop(), joined.pop()
            words = before.words + last.words
            joined.append(
                Group(
                    (before.score * before.words + last.score * last.words) / words,
                    words,
                    (before.right * before.words + last.right * last.words) / words,
                )
            )
    return joined


def table(ours: Sequence[Group], theirs: Sequence[Group]) -> list[tuple[float, float]]:
    """Return scores, each with the confidence of the other reader that is right as often."""
    shares, confidences = [group.right for group in theirs], [group.score for group in theirs]
    found = [(group.score, float(np.interp(group.right, [0.0, *shares], [0.0, *confidences]))) for group in ours]
    return [(0.0, 0.0), *found, (1.0, max(found[-1][1], confidences[-1]))]


def _judge(corpus: Corpus, tesseract: list[Judged], ppocr: list[Judged]) -> None:
    recipe = Recipe(engine="tesserocr", second="none", languages=corpus.languages)
    for scan in corpus.scans:
        if (truth := truth_of(scan)) is None:
            continue
        jpeg = scan.read_bytes()
        page = recognise(jpeg, recipe)
        tesseract += judged(((word.text, word.confidence or 0.0) for word in page.words), truth)
        gray = decode(jpeg, max_pixels=recipe.enhance.max_pixels).gray
        seen = (word for strip in detected(gray) for word in read_line(gray, strip, recipe).words)
        ppocr += judged(((word.text, word.score) for word in seen), truth)


if __name__ == "__main__":
    main()
