"""What several rounds of several ways say."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.scoring import Score, score, total, truth_of
from tests.bench.ways import Run

BASE = "xargs"
"""The way that all others are measured against."""

READING = "ocrwatch, once a worker is ready"
"""How the time without start and end of ocrwatch is labelled."""

Rounds = Mapping[str, Sequence[Run]]
"""By way; the runs of all ways at one place in the sequences were made one after the other."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure's median over the rounds, and its extremes."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Result:
    """One way's figures; None where there is nothing to tell."""

    scans: int
    rate: Spread
    """Scans a second."""
    ratio: Spread
    """The rate divided by that of BASE in the same round."""
    quality: Score | None = None
    """Of the scans with a known truth, in the first round."""
    unread: int = 0
    """Scans without a text, in the worst round."""
    peak_mb: float | None = None
    """Of all processes together, in the worst round."""
    worker_mb: float | None = None
    cpu: float | None = None
    """Processor seconds a scan."""


def spread(figures: Sequence[float]) -> Spread:
    """Sum up one figure a round."""
    return Spread(statistics.median(figures), min(figures), max(figures))


def summed_up(rounds: Rounds, scans: Sequence[Path], labels: Mapping[str, str]) -> dict[str, Result]:
    """Return every way's figures by its label; ``labels`` has those in the order wanted."""
    truths = {f"{scan.stem}.jpg": truth for scan in scans if (truth := truth_of(scan)) is not None}
    base = [_rate(run) for run in rounds[BASE]]
    results = {}
    for way, label in labels.items():
        runs = rounds[way]
        results[label] = _result(runs, [_rate(run) for run in runs], base, quality(runs[0], truths))
        if all(run.reading for run in runs):
            reading = [run.scans / run.reading for run in runs if run.reading]
            results[READING] = Result(runs[0].scans, spread(reading), spread(_ratios(reading, base)))
    return results


def quality(run: Run, truths: Mapping[str, str]) -> Score | None:
    """Score a run that got all scans; None where no truth is known. What was not read counts as empty."""
    if not truths or run.scans < len(truths):
        return None
    return total(score(truth, run.texts.get(name, "")) for name, truth in truths.items())


def as_dict(results: Mapping[str, Result]) -> dict[str, object]:
    """Turn results into what JSON can hold, with the error rates written out."""
    found: dict[str, object] = {}
    for label, result in results.items():
        figures = asdict(result)
        if result.quality is not None:
            figures["quality"] |= {"cer": result.quality.cer, "word_f1": result.quality.word_f1}
        found[label] = figures
    return found


def _result(runs: Sequence[Run], rates: Sequence[float], base: Sequence[float], found: Score | None) -> Result:
    return Result(
        scans=runs[0].scans,
        rate=spread(rates),
        ratio=spread(_ratios(rates, base)),
        quality=found,
        unread=max(run.scans - len(run.texts) for run in runs),
        peak_mb=max(run.cost.peak_mb for run in runs),
        worker_mb=max((run.worker_mb for run in runs if run.worker_mb is not None), default=None),
        cpu=statistics.median(run.cost.cpu / run.scans for run in runs),
    )


def _rate(run: Run) -> float:
    return run.scans / run.cost.seconds


def _ratios(rates: Sequence[float], base: Sequence[float]) -> list[float]:
    return [rate / other for rate, other in zip(rates, base, strict=True)]
