"""Finds the step that hurt a page by reading it again with each switch off."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.pool import Pool
from pathlib import Path

from rich.table import Table

from tests.bench import tables
from tests.bench.corpora import Corpus
from tests.bench.page_scores import DIGITS, SAME, PageScore
from tests.bench.scoring import bag_f1, truth_of
from tests.bench.stages import Timed
from tests.bench.steps import ALL_ON, WITHOUT, WITHOUT_ANY, progress, read_cold

_LEAST_CHANGE = 0.0005
"""Change of word F1 that is shown: less is .000."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """One page's word F1 in all variants of :func:`tests.bench.steps.variants`."""

    page: str
    """File name of the scan."""
    tesseract_f1: float
    variant_f1: Mapping[str, float]

    @property
    def changes(self) -> dict[str, float]:
        """How much F1 changes, by the variant that has something switched off."""
        return {name: f1 - self.variant_f1[ALL_ON] for name, f1 in self.variant_f1.items() if name != ALL_ON}

    @property
    def is_below(self) -> bool:
        """Whether the page with all switches on is below Tesseract's level."""
        return not self._at_level(ALL_ON)

    @property
    def restoring(self) -> list[str]:
        """Variants that bring the page back to Tesseract's level, the best first.

        There are none if the page is not below. Reading without any enhancement is one of them only if no single
        switch is.
        """
        back = [name for name in self.changes if self.restores(name)]
        single = [name for name in back if name != WITHOUT_ANY]
        return sorted(single, key=lambda name: -self.variant_f1[name]) or back

    def restores(self, variant: str) -> bool:
        """Whether this variant brings a page that is below Tesseract's level back to it."""
        return self.is_below and self._at_level(variant)

    def _at_level(self, variant: str) -> bool:
        return round(self.tesseract_f1 - self.variant_f1[variant], DIGITS) <= SAME


def chosen(corpus: Corpus, scores: Sequence[PageScore], *, every: bool) -> list[Path]:
    """Return the scans to read again: the clearly worse ones, or ``every`` one.

    What ocrwatch could not read at all is not among them.
    """
    wanted = {score.page for score in scores if score.was_read and (every or score.clearly_worse)}
    return [scan for scan in corpus.scans if f"{scan.stem}.jpg" in wanted]


def ablate(corpus: Corpus, scans: Sequence[Path], scores: Sequence[PageScore], pool: Pool) -> list[Ablation]:
    """Read scans of a corpus in all variants."""
    tesseract = {score.page: score.tesseract_f1 for score in scores}
    pages = progress(pool, read_cold, scans, corpus.languages, f"{corpus.title}: each switch off")
    return [
        ablation(f"{scan.stem}.jpg", truth_of(scan) or "", tesseract[f"{scan.stem}.jpg"], page)
        for scan, page in zip(scans, pages, strict=True)
    ]


def ablation(page: str, truth: str, tesseract_f1: float, readings: Mapping[str, Timed]) -> Ablation:
    """Score what a page was read as in all variants."""
    return Ablation(page, tesseract_f1, {name: bag_f1(truth, timed.text) for name, timed in readings.items()})


def by_page(title: str, pages: Sequence[Ablation]) -> Table:
    """One row a page: what each switch changes, and which ones hurt."""
    rows = [
        [page.page, f"{page.variant_f1[ALL_ON]:.2f}", f"{page.tesseract_f1:.2f}", cause(page), _changes(page)]
        for page in pages
    ]
    columns = ("", "all on", "Tesseract", "at its level without", "change of F1 without (others: none)")
    return tables.plain(f"{title}: each switch off", columns, rows)


def by_switch(title: str, pages: Sequence[Ablation]) -> Table:
    """One row a switch: what the pages gain and lose without it."""
    rows = []
    for name in pages[0].changes:
        changes = [page.changes[name] for page in pages]
        better = sum(change > SAME for change in changes)
        worse = sum(change < -SAME for change in changes)
        back = sum(page.restores(name) for page in pages)
        rows.append([name, f"{statistics.fmean(changes):+.3f}", str(better), str(worse), str(back)])
    columns = ("", "mean change of F1", "pages better", "pages worse", "back at Tesseract's level")
    return tables.plain(f"{title}: {tables.scans(len(pages))}, by switch", columns, rows)


def cause(page: Ablation) -> str:
    """Name the switches that bring a page back to Tesseract's level when off."""
    if not page.is_below:
        return "(is not below it)"
    return ", ".join(map(_switch, page.restoring)) or "none"


def as_dict(page: Ablation) -> dict[str, object]:
    """Return what JSON has of a page."""
    return {**asdict(page), "changes": page.changes, "restoring": page.restoring}


def _changes(page: Ablation) -> str:
    """Write the changes that are not nothing, the largest gain first."""
    changed = sorted(page.changes.items(), key=lambda item: -item[1])
    shown = (f"{_switch(name)} {change:+.3f}" for name, change in changed if abs(change) >= _LEAST_CHANGE)
    return ", ".join(shown) or "none"


def _switch(variant: str) -> str:
    return "all of them" if variant == WITHOUT_ANY else variant.removeprefix(WITHOUT)
