"""Compares ocrwatch and Tesseract page by page: ``peers`` with ``--by-page``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from tests.bench import ablation, page_tables, tables
from tests.bench.corpora import Corpora, Corpus
from tests.bench.page_scores import PageScore, scored, summarise
from tests.bench.scoring import truth_of
from tests.bench.steps import workers
from tests.bench.ways import once, upright

Ablate = Literal["worse", "all"]
"""Which pages are read again with each switch off."""

_BOTH_FORMATS = 'output.formats=["txt","json"]'

Scores = dict[str, list[PageScore]]
"""By the name of the corpus."""


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What the comparison page by page is asked for."""

    ablate: Ablate | None = None
    settings: Sequence[str] = ()
    """For ocrwatch, as ``--set`` takes them."""


def compare_pages(corpora: Corpora, options: PageOptions, scratch: Path, output: Console) -> dict[str, object]:
    """Read each corpus with both, print the tables, and return all that is in them."""
    scores = _all_scored(corpora, options.settings, scratch, output)
    everything = [page for pages in scores.values() for page in pages]
    if not everything:
        return {"corpora": {}}
    if any(page.clearly_worse for page in everything):
        output.print(page_tables.clearly_worse(scores))
    ablations = _ablated(corpora, scores, options.ablate, output) if options.ablate else {}
    summaries = {name: summarise(pages) for name, pages in scores.items()}
    total = summarise(everything)
    output.print(page_tables.summaries(summaries, total))
    found = {
        name: {
            "summary": asdict(summaries[name]),
            "pages": [_as_dict(page) for page in pages],
            "ablation": [ablation.as_dict(page) for page in ablations.get(name, [])],
        }
        for name, pages in scores.items()
    }
    return {"corpora": found, "all": asdict(total)}


def _all_scored(corpora: Corpora, settings: Sequence[str], scratch: Path, output: Console) -> Scores:
    """Read all corpora that have truth, and print the pages of each."""
    scores: Scores = {}
    for name, corpus in corpora.items():
        if pages := _scored(corpus, settings, scratch, output):
            scores[name] = pages
            output.print(page_tables.every_page(f"{corpus.title}: {tables.scans(len(pages))}", pages))
    return scores


def _scored(corpus: Corpus, settings: Sequence[str], scratch: Path, output: Console) -> list[PageScore]:
    """Read the scans that have a truth with both, and compare the texts."""
    truths = {scan: truth for scan in corpus.scans if (truth := truth_of(scan)) is not None}
    if not truths:
        output.print(f"{corpus.title}: no NAME.gt.txt lies beside the scans, so no page is compared", highlight=False)
        return []
    scans = list(truths)
    with output.status(f"{corpus.title}: ocrwatch once"), tempfile.TemporaryDirectory(dir=scratch) as home:
        ocrwatch = once(scans, Path(home), corpus.languages, settings=(*settings, _BOTH_FORMATS))
    with output.status(f"{corpus.title}: tesseract"), tempfile.TemporaryDirectory(dir=scratch) as home:
        tesseract = upright(scans, Path(home), corpus.languages)
    names = {f"{scan.stem}.jpg": truth for scan, truth in truths.items()}
    return [
        scored(name, truth, ocrwatch.texts.get(name), tesseract.texts.get(name, ""), ocrwatch.sidecars.get(name, {}))
        for name, truth in names.items()
    ]


def _ablated(corpora: Corpora, scores: Scores, which: Ablate, output: Console) -> dict[str, list[ablation.Ablation]]:
    """Read pages again with each switch off, and print what that changes."""
    chosen = {name: ablation.chosen(corpora[name], pages, every=which == "all") for name, pages in scores.items()}
    if not any(chosen.values()):
        output.print("no page is clearly worse, so none is read with switches off", highlight=False)
        return {}
    found = {}
    with workers() as pool:
        for name, scans in chosen.items():
            if scans:
                found[name] = ablation.ablate(corpora[name], scans, scores[name], pool)
                output.print(ablation.by_page(corpora[name].title, found[name]))
    output.print(ablation.by_switch("all corpora", [page for pages in found.values() for page in pages]))
    return found


def _as_dict(score: PageScore) -> dict[str, object]:
    return asdict(score) | {"verdict": score.verdict, "clearly_worse": score.clearly_worse}
