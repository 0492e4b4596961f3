"""Compares ocrwatch with what a user would run instead.

    python -m tests.bench.peers [FOLDER] [--rounds N] [--peers NAME …] [--degrade] [--json FILE]
    python -m tests.bench.peers [FOLDER] --by-page [--set KEY=VALUE …] [--ablate [all]] [--json FILE]

Reads the same scans with ``ocrwatch once`` and with what a user would run instead, in turn, round by round, each round
beginning with another, and prints a table for each corpus: FOLDER's own JPEGs, and those of each of its subfolders.
Where ``NAME.gt.txt`` lies beside ``NAME.jpg`` it also says how right the texts are. Without a folder it renders scans.

Each corpus has its languages, which all ways are given. ``corpus.toml`` beside the JPEGs names them: language = "fra",
or a list. In FOLDER it may also have a table [languages] with names of subfolders, or patterns such as "fraktur-*".
Without it, the last part of the folder's name between hyphens that is an installed language counts (greek-grc), else
eng.

With --degrade it spoils some scans of each corpus in many ways, reads them once, and says how right the texts are.

With --by-page it reads the scans that have a truth once with ocrwatch and once with tesseract, which gets the pixels
upright (it ignores EXIF). It compares the word F1 of each page (case-folded, without punctuation): a page is the
same within .02 and clearly worse by more than .05. It lists the pages that are clearly worse, with what ocrwatch's
JSON says of them, and counts for each corpus and over all: silent empties (ocrwatch writes no text, tesseract reads
ten words), and marks for review among pages with F1 below .5 and above .8. --set KEY=VALUE gives ocrwatch a setting.

With --ablate (after FOLDER) it does the same, and then reads the clearly worse pages (--ablate all: every page) again
with each switch of [enhance] off and default settings otherwise. It says how much the F1 of each page changes, and
without which switches a page is back at tesseract's level, which is at most .02 below its F1.

Ratios are between runs of one round, which have the machine's other work in common; their spread says how far to trust
them. "all MB" is the peak of all processes together, in proportional set sizes, "each MB" the largest worker's resident
set. CPU seconds hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tests.bench import tables
from tests.bench.arguments import console, parser_for, positive
from tests.bench.corpora import Corpora, Corpus, corpora_from, evenly
from tests.bench.degrade import degrade_all
from tests.bench.pages import PageOptions, compare_pages
from tests.bench.results import BASE, as_dict, quality, summed_up
from tests.bench.scoring import Score, truth_of
from tests.bench.ways import CORES, WAYS, Run, check_tesseract, versions

_OURS = "ocrwatch"
_PEERS = tuple(name for name in WAYS if name not in {_OURS, BASE})


def main() -> None:
    """Run in turn and print."""
    arguments = _arguments()
    check_tesseract()
    output = console()
    ways = _installed(arguments, output)
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="ocrwatch-bench-") as scratch:
        corpora = corpora_from(arguments.folder, Path(scratch, "rendered"), arguments.limit)
        found = _figures(corpora, ways, arguments, Path(scratch), output)
    conditions = {
        "cores": CORES,
        "load_average": [before, os.getloadavg()[0]],
        "rounds": 1 if arguments.degrade or arguments.by_page else arguments.rounds,
        "versions": versions(),
        "languages": {name: corpus.languages for name, corpus in corpora.items()},
    }
    output.print(
        f"{CORES} cores; load average {before:.1f} before, {os.getloadavg()[0]:.1f} after; "
        + ", ".join(f"{what} {version}" for what, version in versions().items()),
        highlight=False,
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(conditions | found, indent=1) + "\n", encoding="utf-8")


def rotated(ways: Sequence[str], number: int) -> list[str]:
    """Order of a round: nobody always goes first, into what the one before left of the machine's caches and heat."""
    begin = number % len(ways)
    return [*ways[begin:], *ways[:begin]]


def _arguments() -> argparse.Namespace:
    parser = parser_for(__doc__)
    parser.add_argument("--rounds", type=positive, default=3, help="how often each way runs (3)")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=_PEERS,
        metavar="NAME",
        help=f"besides xargs: {', '.join(_PEERS)}; without it all, with --degrade or --by-page none",
    )
    parser.add_argument("--few", type=positive, default=3, help="scans for a peer that needs seconds a page (3)")
    parser.add_argument("--by-page", action="store_true", help="compare the texts of each page with tesseract's")
    parser.add_argument(
        "--ablate",
        nargs="?",
        const="worse",
        choices=("worse", "all"),
        help="--by-page, and say which enhancement made the pages worse that are clearly worse (or all)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="with --by-page: a setting for ocrwatch"
    )
    arguments = parser.parse_args()
    arguments.by_page = arguments.by_page or arguments.ablate is not None
    if arguments.by_page and (arguments.degrade or arguments.peers):
        parser.error("--by-page and --ablate compare with tesseract alone, without --degrade and --peers")
    if arguments.set and not arguments.by_page:
        parser.error("--set needs --by-page: the other comparisons are made with default settings")
    if arguments.peers is None:
        arguments.peers = () if arguments.degrade or arguments.by_page else _PEERS
    return arguments


def _installed(arguments: argparse.Namespace, output: Console) -> list[str]:
    """Return the ways that can be run here; say why the others cannot."""
    ways = [_OURS, BASE]
    for name in arguments.peers:
        reason = WAYS[name].missing()
        if reason is None:
            ways.append(name)
        else:
            output.print(f"without {WAYS[name].label}: {reason}", highlight=False)
    return ways


def _figures(
    corpora: Corpora, ways: list[str], arguments: argparse.Namespace, scratch: Path, output: Console
) -> dict[str, object]:
    """Compare as asked for, and return what JSON has besides the conditions."""
    if arguments.by_page:
        return compare_pages(corpora, PageOptions(arguments.ablate, arguments.set), scratch, output)
    if arguments.degrade:
        chosen = {name: replace(each, scans=evenly(each.scans, arguments.pages)) for name, each in corpora.items()}
        return {"corpora": {name: _degraded(each, ways, scratch, output) for name, each in chosen.items()}}
    return {"corpora": {name: _compared(each, ways, arguments, scratch, output) for name, each in corpora.items()}}


def _compared(
    corpus: Corpus, ways: list[str], arguments: argparse.Namespace, scratch: Path, output: Console
) -> dict[str, object]:
    scans = corpus.scans
    for scan in scans:
        scan.read_bytes()  # so that the first one to run does not wait for the disk alone
    few = replace(corpus, scans=evenly(scans, arguments.few))
    rounds: dict[str, list[Run]] = {way: [] for way in ways}
    for number in range(arguments.rounds):
        for way in rotated(ways, number):
            with output.status(f"{corpus.title}: round {number + 1} of {arguments.rounds}, {WAYS[way].label}"):
                rounds[way].append(_run(way, few if WAYS[way].few else corpus, scratch))
    results = summed_up(rounds, scans, {way: WAYS[way].label for way in ways})
    title = f"{corpus.title}: {tables.scans(len(scans))}; medians of {arguments.rounds} rounds"
    output.print(tables.comparison(title, results))
    return as_dict(results)


def _degraded(corpus: Corpus, ways: list[str], scratch: Path, output: Console) -> dict[str, object]:
    title, count = corpus.title, len(corpus.scans)
    qualities: dict[str, dict[str, Score | None]] = {}
    for kind, spoilt in degrade_all(corpus.scans, scratch / "degraded" / corpus.name):
        truths = {scan.name: truth for scan in spoilt if (truth := truth_of(scan)) is not None}
        if not truths:
            output.print(f"{title}: no NAME.gt.txt lies beside the scans, so that nothing can be said", highlight=False)
            return {}
        qualities[kind] = {}
        for way in ways:
            with output.status(f"{title}, {kind}: {WAYS[way].label}"):
                run = _run(way, replace(corpus, scans=spoilt), scratch)
            qualities[kind][WAYS[way].label] = quality(run, truths)
    output.print(tables.degradations(f"{title}: {tables.scans(count)}, spoilt in {len(qualities)} ways", qualities))
    return {
        kind: {label: {"cer": score.cer, "word_f1": score.word_f1} for label, score in scores.items() if score}
        for kind, scores in qualities.items()
    }


def _run(way: str, corpus: Corpus, scratch: Path) -> Run:
    with tempfile.TemporaryDirectory(dir=scratch) as home:
        return WAYS[way].run(corpus.scans, Path(home), corpus.languages)


if __name__ == "__main__":
    main()
