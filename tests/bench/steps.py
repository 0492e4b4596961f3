"""What each enhancement costs and what it is good for:  python -m tests.bench.steps [FOLDER] [--degrade] [--limit N].

Reads each corpus (as in tests.bench.peers) with all enhancements, and again with each switch of [enhance] off and with
all off, in worker processes, one a core. Prints for each corpus the processor time of every stage, and how right the
texts are and what a page costs without each switch.

What several stages measure on a page is measured once and counted for the first of them that asks, so
that the stages' times say where the time goes, and only the second table what a switch saves. With --degrade the scans
are spoilt in many ways first; some steps do nothing on good scans.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from multiprocessing.pool import Pool
from pathlib import Path

from rich.console import Console
from rich.progress import track

from ocrwatch.recipe import EnhanceOptions, Recipe
from tests.bench import tables
from tests.bench.arguments import console, parser_for
from tests.bench.corpora import corpora_from, evenly
from tests.bench.degrade import degrade_all
from tests.bench.languages import Languages
from tests.bench.scoring import Score, score, total, truth_of
from tests.bench.stages import Meter, Timed
from tests.bench.ways import CORES

ALL_ON = "all on"
WITHOUT = "without "
"""What a variant's name begins with that has something switched off, before the switch's name."""
WITHOUT_ANY = f"{WITHOUT}any"

Readings = Mapping[str, Sequence[Timed]]
"""By variant; each in the order of the scans."""

_meter = Meter()


def main() -> None:
    """Read in all ways and print."""
    arguments = parser_for(__doc__).parse_args()
    output = console()
    found: dict[str, object] = {}
    with (
        tempfile.TemporaryDirectory(prefix="ocrwatch-bench-") as scratch,
        workers() as pool,
    ):
        for name, corpus in corpora_from(arguments.folder, Path(scratch, "rendered"), arguments.limit).items():
            suffix, chosen = "", corpus.scans
            if arguments.degrade:
                spoilt = degrade_all(evenly(corpus.scans, arguments.pages), Path(scratch, "degraded", name))
                suffix, chosen = ", spoilt", [scan for _, made in spoilt for scan in made]
            title = f"{corpus.title}{suffix}"
            readings = by_variant(progress(pool, read, chosen, corpus.languages, title))
            found[f"{name}{suffix}"] = report(title, chosen, readings, output)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def workers() -> Pool:
    """Return processes that read scans, one a core.

    They are spawned, so that nothing is forked with OpenCV's threads and the bench's own process stays unwrapped.
    """
    return multiprocessing.get_context("spawn").Pool(CORES, initializer=install)


def progress(
    pool: Pool,
    function: Callable[[Languages, Path], dict[str, Timed]],
    scans: Sequence[Path],
    languages: Languages,
    title: str,
) -> Iterable[dict[str, Timed]]:
    """Yield what ``function`` returns for each scan, and show a progress bar."""
    done = pool.imap(functools.partial(function, languages), scans)
    return track(done, title, len(scans), console=Console(stderr=True), transient=True)


def install() -> None:
    """Wrap the stages in this process."""
    _meter.install()


def variants() -> dict[str, EnhanceOptions]:
    """Return the defaults, those with each switch that is on turned off, and no enhancement at all."""
    default = EnhanceOptions()
    switches = [field.name for field in fields(default) if getattr(default, field.name) is True and field.name != "on"]
    without = {f"{WITHOUT}{name}": replace(default, **{name: False}) for name in switches}  # type: ignore[arg-type]
    return {ALL_ON: default, **without, WITHOUT_ANY: replace(default, enabled=False)}


def read(languages: Languages, scan: Path) -> dict[str, Timed]:
    """Read a scan in all variants, one after the other, so that they have the machine's state in common.

    What is read first finds cold caches, and is not counted.
    """
    _meter.read(scan, Recipe(languages=languages))
    return read_cold(languages, scan)


def read_cold(languages: Languages, scan: Path) -> dict[str, Timed]:
    """Read a scan in all variants, for their texts.

    The times are of no use, because the first reading finds cold caches.
    """
    return {
        name: _meter.read(scan, Recipe(languages=languages, enhance=options)) for name, options in variants().items()
    }


def by_variant(pages: Iterable[Mapping[str, Timed]]) -> Readings:
    """Turn the readings of each page into the pages of each way to read."""
    readings: dict[str, list[Timed]] = {name: [] for name in variants()}
    for page in pages:
        for name, timed in page.items():
            readings[name].append(timed)
    return readings


def report(title: str, scans: Sequence[Path], readings: Readings, output: Console) -> dict[str, object]:
    """Print the two tables of a corpus, and return what is in them."""
    usual = readings[ALL_ON]
    qualities = {name: quality(scans, pages) for name, pages in readings.items()}
    seconds = stage_seconds(usual)
    output.print(
        tables.plain(
            f"{title}: {tables.scans(len(scans))}, where the time goes",
            ("", "CPU ms a page", "share", "pages that asked for it"),
            cost_rows(usual, seconds),
        )
    )
    output.print(
        tables.plain(
            f"{title}: what each switch does",
            ("", "CPU ms a page", "to all on", "CER", "more by", "word F1", "more by", "other texts"),
            benefit_rows(readings, qualities),
        )
    )
    return {
        "scans": len(scans),
        "cpu_seconds_by_stage": seconds,
        "variants": {
            name: {
                "cpu_seconds": sum(page.cpu for page in pages),
                "cer": None if (found := qualities[name]) is None else found.cer,
                "word_f1": None if found is None else found.word_f1,
            }
            for name, pages in readings.items()
        },
    }


def stage_seconds(pages: Sequence[Timed]) -> dict[str, float]:
    """Add up the processor time of each stage."""
    seconds: dict[str, float] = {}
    for page in pages:
        for stage, spent in page.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    return seconds


def cost_rows(pages: Sequence[Timed], seconds: Mapping[str, float]) -> list[list[str]]:
    """One row a stage, the dearest first."""
    everything = sum(seconds.values())
    acted = Counter(stage for page in pages for stage in page.acted)
    return [
        [stage, f"{1000 * spent / len(pages):.1f}", f"{spent / everything:.1%}", f"{acted[stage]}"]
        for stage, spent in sorted(seconds.items(), key=lambda item: -item[1])
    ]


def benefit_rows(readings: Readings, qualities: Mapping[str, Score | None]) -> list[list[str]]:
    """One row a variant; what is more or less than with all switches on."""
    usual, usual_quality = readings[ALL_ON], qualities[ALL_ON]
    cpu = sum(page.cpu for page in usual)
    rows = []
    for name, pages in readings.items():
        own = sum(page.cpu for page in pages)
        row = [name, f"{1000 * own / len(pages):.0f}", f"{own / cpu:.2f}", "", "", "", ""]
        found = qualities[name]
        if found is not None and usual_quality is not None:
            row[3:] = (
                f"{found.cer:.4f}",
                f"{found.cer - usual_quality.cer:+.4f}",
                f"{found.word_f1:.3f}",
                f"{found.word_f1 - usual_quality.word_f1:+.3f}",
            )
        other = sum(page.text != before.text for page, before in zip(pages, usual, strict=True))
        rows.append([*row, str(other)])
    return rows


def quality(scans: Sequence[Path], pages: Sequence[Timed]) -> Score | None:
    """Score the pages whose truth is known; None where no one's is."""
    truths = [truth_of(scan) for scan in scans]
    scores = [score(truth, page.text) for truth, page in zip(truths, pages, strict=True) if truth is not None]
    return total(scores) if scores else None


if __name__ == "__main__":
    main()
