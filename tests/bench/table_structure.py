"""Tables with cells:  python -m tests.bench.table_structure [FOLDER] [--skew 3] [--grain 12].

Without a folder, tables are rendered. A folder has JPEGs ``NAME.jpg`` with the truth ``NAME.tables.json``: of each
table its cells with rows, columns, text and box. Pages without a truth have no table: each that is found is false.

Each page is read with its tables, spoiled first if that is wanted. The tables are scored, and the CPU time of finding
them is measured once more: without the cells that are read again, which the last column has.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
from PIL import Image
from rich.table import Table as Grid

from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import decode
from ocrwatch.recognise.extract.tables import with_tables
from ocrwatch.recognise.page import recognise, warm
from tests.bench.arguments import console, positive
from tests.bench.rendered_tables import rendered_tables
from tests.bench.table_scoring import TableScore, TrueCell, found_cells, read_truth, score
from tests.table_images import DrawnTable, skewed


class _Scan(NamedTuple):
    kind: str
    name: str
    image: Image.Image
    truth: list[list[TrueCell]]


def main() -> None:
    """Print one row a kind of page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="with NAME.jpg and NAME.tables.json")
    parser.add_argument("--count", type=positive, default=50, help="tables to render without a folder (50)")
    parser.add_argument("--seed", type=int, default=1, help="other tables for another number")
    parser.add_argument("--half", type=int, choices=(0, 1), help="take every second page only, from this one on")
    parser.add_argument("--skew", type=float, default=0.0, help="degrees by which pages are turned")
    parser.add_argument("--grain", type=float, default=0.0, help="standard deviation of noise in grey levels")
    parser.add_argument("--by-page", action="store_true", help="print each page, too")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    recipe = Recipe(tables=True)
    warm(recipe)
    scores: dict[str, TableScore] = defaultdict(TableScore)
    milliseconds: dict[str, list[float]] = defaultdict(list)
    whole: dict[str, list[float]] = defaultdict(list)
    false: dict[str, int] = defaultdict(int)
    scans = list(_scans(arguments))[arguments.half :: 2] if arguments.half is not None else _scans(arguments)
    for number, scan in enumerate(scans):
        degrees = arguments.skew if number % 2 else -arguments.skew
        image = skewed(DrawnTable(scan.image, ()), degrees, arguments.grain, number).image
        content = io.BytesIO()
        image.save(content, "JPEG", quality=90, dpi=(200, 200))
        page = recognise(content.getvalue(), recipe)
        decoded = decode(content.getvalue(), max_pixels=recipe.enhance.max_pixels)
        tables = page.tables or ()
        begin = time.process_time()
        with_tables(decoded.gray, decoded.reduction, page)
        milliseconds[scan.kind].append(1000 * (time.process_time() - begin))
        whole[scan.kind].append(dict(page.timings)["tables"])
        result = score(scan.truth, [found_cells(table) for table in tables])
        if arguments.by_page:
            found = ", ".join(f"{each.kind} {each.rows}x{each.columns} {each.confidence:.0f}" for each in tables)
            print(f"{scan.name}: {found}; F1 {result.f1:.3f}, cells {result.cells:.3f}, placed {result.placed:.3f}")
        scores[scan.kind] += result
        false[scan.kind] += 0 if scan.truth else len(tables)
    _print(scores, milliseconds, whole, false)


def _scans(arguments: argparse.Namespace) -> Iterator[_Scan]:
    if arguments.folder is None:
        for number, table in enumerate(rendered_tables(arguments.count, arguments.seed)):
            yield _Scan(table.kind, f"{number} {table.kind}", table.drawn.image, [table.truth])
        return
    for path in sorted(arguments.folder.glob("*.jpg")):
        truth = path.with_name(f"{path.stem}.tables.json")
        tables = read_truth(truth) if truth.exists() else []
        yield _Scan("scans" if tables else "without tables", path.stem, Image.open(path).convert("L"), tables)


def _print(
    scores: dict[str, TableScore],
    milliseconds: dict[str, list[float]],
    whole: dict[str, list[float]],
    false: dict[str, int],
) -> None:
    grid = Grid(
        "", "pages", "relations F1", "cells right", "cells placed", "false tables", "ms mean", "ms most", "with cells"
    )
    rows = dict(scores)
    if len(rows) > 1:
        rows["all"] = sum(scores.values(), TableScore())
        for measured in (milliseconds, whole):
            measured["all"] = [each for its in measured.values() for each in its]
        false["all"] = sum(false.values())
    for kind, result in rows.items():
        times = milliseconds[kind]
        grid.add_row(
            kind,
            str(len(times)),
            f"{result.f1:.3f}",
            f"{result.cells:.3f}",
            f"{result.placed:.3f}",
            str(false[kind]),
            f"{statistics.mean(times):.0f}",
            f"{max(times):.0f}",
            f"{statistics.mean(whole[kind]):.0f}",
        )
    console().print(grid)


if __name__ == "__main__":
    main()
