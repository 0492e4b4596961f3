"""Compares Tesseract, PP-OCR and both together on mixed corpora, page by page.

    python -m tests.bench.readers FOLDER [--half even|odd] [--peers] [--limit N] [--json FILE]

Reads the scans of each corpus (see ``peers`` for folders and languages) with ``ocrwatch once`` in three ways: by
Tesseract alone, by PP-OCR alone and by both, as it does by default if the extra rapidocr is installed. --peers adds
what a user would run instead: tesseract on upright pixels, the package rapidocr as it comes, and OCRmyPDF.

Prints for each corpus the mean word F1 of the pages (case-folded, without punctuation) and the character error rate of
the corpus, which means something if there is one order to read in; the CPU seconds a scan, start included, and as a
multiple of Tesseract alone; and how many pages both read clearly worse (by more than .05) than either alone.

--half takes every second scan, so that what is chosen on one half can be reported on the other. Languages that PP-OCR
does not read are read by Tesseract alone in all ways.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ocrwatch.recognise.ppocr.weights import unknown_languages
from tests.bench import tables
from tests.bench.arguments import console, parser_for
from tests.bench.corpora import Corpus, corpora_from, half_of
from tests.bench.languages import Languages
from tests.bench.page_scores import CLEARLY, DIGITS
from tests.bench.scoring import bag_f1, score, total, truth_of
from tests.bench.ways import WAYS, Run, check_tesseract, ocrmypdf, once, rapidocr, upright, versions

_OCRMYPDF = "OCRmyPDF"
_FIRST, _SECOND, _BOTH = "ocrwatch, Tesseract alone", "ocrwatch, PP-OCR alone", "ocrwatch, both"

_Read = Callable[[Sequence[Path], Path, Languages], Run]

_WAYS: dict[str, _Read] = {
    _FIRST: partial(once, settings=("ocr.engine=tesserocr", "ocr.second=none")),
    _SECOND: partial(once, settings=("ocr.engine=rapidocr",)),
    _BOTH: once,
}
_PEERS = {"tesseract, upright": upright, "rapidocr as it comes": rapidocr, _OCRMYPDF: ocrmypdf}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way made of the pages of a corpus that have a truth."""

    f1: Sequence[float]
    """Of each page, in the order of the scans."""
    cer: float
    cpu: float
    """Seconds a scan."""

    @property
    def mean_f1(self) -> float:
        """Each page weighs the same."""
        return statistics.fmean(self.f1)


Outcomes = Mapping[str, Outcome]
"""By way."""


def main() -> None:
    """Read, compare and print."""
    arguments = _arguments()
    check_tesseract()
    output = console()
    found: dict[str, Outcomes] = {}
    with tempfile.TemporaryDirectory(prefix="ocrwatch-bench-") as scratch:
        corpora = half_of(corpora_from(arguments.folder, Path(scratch, "rendered"), arguments.limit), arguments.half)
        ways: dict[str, _Read] = {**_WAYS, **(_PEERS if arguments.peers else {})}
        if missing := arguments.peers and WAYS["ocrmypdf"].missing():
            output.print(f"without {_OCRMYPDF}: {missing}", highlight=False)
            del ways[_OCRMYPDF]
        for corpus in corpora.values():
            if outcomes := _read(corpus, ways, Path(scratch), output):
                found[corpus.name] = outcomes
                output.print(table(f"{corpus.title}: {tables.scans(len(outcomes[_BOTH].f1))}", outcomes))
    if not found:
        output.print("no NAME.gt.txt lies beside the scans, so that nothing can be said")
        return
    everything = {way: together([each[way] for each in found.values()]) for way in ways}
    output.print(table(f"all: {tables.scans(len(everything[_BOTH].f1))}", everything))
    output.print(", ".join(f"{what} {version}" for what, version in versions().items()), highlight=False)
    if arguments.json:
        content = {name: as_dict(outcomes) for name, outcomes in {**found, "all": everything}.items()}
        arguments.json.write_text(json.dumps({"versions": versions(), **content}, indent=1) + "\n", encoding="utf-8")


def clearly_worse(outcomes: Outcomes, way: str) -> int:
    """Count the pages that a way reads clearly worse than Tesseract or PP-OCR alone."""
    alone = zip(outcomes[_FIRST].f1, outcomes[_SECOND].f1, outcomes[way].f1, strict=True)
    return sum(round(own - max(first, second), DIGITS) < -CLEARLY for first, second, own in alone)


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Sum up several corpora; each page weighs the same."""
    pages = [len(each.f1) for each in outcomes]
    return Outcome(
        [f1 for each in outcomes for f1 in each.f1],
        sum(each.cer * count for each, count in zip(outcomes, pages, strict=True)) / sum(pages),
        sum(each.cpu * count for each, count in zip(outcomes, pages, strict=True)) / sum(pages),
    )


def table(title: str, outcomes: Outcomes) -> Table:
    """Lay out one row a way."""
    base = outcomes[_FIRST].cpu
    rows = [
        [
            way,
            f"{outcome.mean_f1:.3f}",
            f"{outcome.cer:.4f}",
            f"{outcome.cpu:.2f}",
            f"{outcome.cpu / base:.2f}",
            str(clearly_worse(outcomes, way)),
        ]
        for way, outcome in outcomes.items()
    ]
    columns = ("", "word F1", "CER", "CPU s/scan", "of Tesseract's", "clearly worse\nthan either")
    return tables.plain(title, columns, rows)


def as_dict(outcomes: Outcomes) -> dict[str, object]:
    """Return what JSON can hold."""
    return {
        way: {
            "word_f1": outcome.mean_f1,
            "cer": outcome.cer,
            "cpu": outcome.cpu,
            "clearly_worse": clearly_worse(outcomes, way),
            "pages": list(outcome.f1),
        }
        for way, outcome in outcomes.items()
    }


def _arguments() -> argparse.Namespace:
    parser = parser_for(__doc__, degrades=False)
    parser.add_argument("--half", choices=("even", "odd"), help="take only every second scan")
    parser.add_argument("--peers", action="store_true", help="also run what a user would run instead")
    return parser.parse_args()


def _read(corpus: Corpus, ways: Mapping[str, _Read], scratch: Path, output: Console) -> Outcomes:
    """Read the scans of a corpus that have a truth in all ways; nothing if there are none."""
    truths = {f"{scan.stem}.jpg": truth for scan in corpus.scans if (truth := truth_of(scan)) is not None}
    scans = [scan for scan in corpus.scans if f"{scan.stem}.jpg" in truths]
    outcomes = {}
    for way in ways if scans else ():
        # PP-OCR refuses other languages.
        run = ways[_FIRST if way == _SECOND and unknown_languages(corpus.languages) else way]
        with output.status(f"{corpus.title}: {way}"), tempfile.TemporaryDirectory(dir=scratch) as home:
            outcomes[way] = _outcome(run(scans, Path(home), corpus.languages), truths)
    return outcomes


def _outcome(run: Run, truths: Mapping[str, str]) -> Outcome:
    texts = {name: run.texts.get(name, "") for name in truths}
    return Outcome(
        [bag_f1(truth, texts[name]) for name, truth in truths.items()],
        total(score(truth, texts[name]) for name, truth in truths.items()).cer,
        run.cost.cpu / run.scans,
    )


if __name__ == "__main__":
    main()
