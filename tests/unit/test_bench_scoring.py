"""What the benches say is so: scores, degradations, sums and tables."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from ocrwatch.recipe import Recipe
from ocrwatch.recognise.page import recognise
from tests.bench import tables
from tests.bench.corpora import corpora_from, evenly
from tests.bench.degrade import KINDS, Gray, degrade, degrade_all, paper_of, turned
from tests.bench.measure import Cost, measured
from tests.bench.peers import rotated
from tests.bench.results import READING, as_dict, summed_up
from tests.bench.scoring import Score, score, total, truth_of
from tests.bench.stages import Timed
from tests.bench.steps import ALL_ON, benefit_rows, quality, variants
from tests.bench.ways import Run
from tests.daemon_process import clean_environment, is_alive
from tests.rendering import render
from tests.waiting import until

ROOT = Path(__file__).parents[2]
LABELS = {"ocrwatch": "ocrwatch once", "xargs": "xargs tesseract"}


def run_of(scans: int, seconds: float, texts: Mapping[str, str], reading: float | None = None) -> Run:
    """Return a run that took so long."""
    return Run(scans, Cost(seconds, 2.0 * scans, 100.0, {}, 0, ""), texts, reading)


def shown(table: Table) -> str:
    """Return what a wide terminal shows."""
    file = io.StringIO()
    Console(file=file, width=160).print(table)
    return file.getvalue()


def decoded(jpeg: bytes) -> Gray:
    """Return a JPEG's grey pixels."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return pixels.astype(np.uint8)


def test_white_space_is_no_error() -> None:
    """Lines and paragraphs may be broken anywhere."""
    found = score("one two\n\nthree", " one\ttwo three\n")
    assert (found.cer, found.word_f1) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("truth", "text", "cer"),
    [("abcd", "abxd", 0.25), ("abcd", "abd", 0.25), ("abcd", "abcde", 0.25), ("abcd", "", 1.0), ("ab", "xyzuvw", 1.0)],
)
def test_an_edit_counts_one(truth: str, text: str, cer: float) -> None:
    """Wrong, missing and surplus letters weigh alike; no page has more errors than letters."""
    assert score(truth, text).cer == cer


def test_capitals_are_errors_of_letters_but_not_of_words() -> None:
    """Receipts are judged by their words, whatever their case."""
    found = score("Total", "TOTAL")
    assert (found.cer, found.word_f1) == (0.8, 1.0)


def test_words_count_as_often_as_in_both() -> None:
    """Reading a word twice that stands there once is one hit and one miss."""
    found = score("tea tea milk", "tea milk milk milk")
    assert (found.common, found.true_words, found.read_words) == (2, 3, 4)
    assert found.word_f1 == pytest.approx(4 / 7)


def test_the_order_of_words_does_not_matter() -> None:
    """Columns may be read in any order."""
    assert score("a b c", "c a b").word_f1 == 1.0


def test_long_pages_weigh_more() -> None:
    """Rates are of the sums, not means of rates."""
    both = total([score("a" * 90, "a" * 90), score("b" * 10, "")])
    assert both.cer == 0.1


def test_nothing_read_of_nothing_is_no_error() -> None:
    """An empty page does not divide by zero."""
    assert (Score().cer, score("", "rubbish").cer) == (0.0, 0.0)


@given(st.text(), st.text())
def test_rates_are_shares(truth: str, text: str) -> None:
    """Whatever the texts, rates are between 0 and 1, and a text is right about itself."""
    found = score(truth, text)
    assert 0.0 <= found.cer <= 1.0
    assert 0.0 <= found.word_f1 <= 1.0
    assert score(truth, truth).edits == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_degradation_changes_the_page_and_is_repeatable(kind: str) -> None:
    """The same scan spoilt in the same way gives the same bytes; only one kind leaves it as it is."""
    scan = render("One line of text\nand another", size=40, paper=235)
    spoilt = degrade(scan, kind, "page")
    assert spoilt == degrade(scan, kind, "page")
    before, after = decoded(scan), decoded(spoilt)
    same = before.shape == after.shape and np.abs(before.astype(int) - after).mean() < 0.5
    assert same == (kind == "as it is")


def test_two_pages_get_different_noise() -> None:
    """The noise depends on the name."""
    scan = render("text")
    assert degrade(scan, "noise", "a") != degrade(scan, "noise", "b")


def test_turning_is_anticlockwise_and_loses_nothing() -> None:
    """A mark at the right goes up, all ink stays on the sheet, and the corners are paper."""
    page = np.full((200, 400), 230, np.uint8)
    page[95:105, 350:390] = 0
    crooked = turned(page, 15)
    rows = np.flatnonzero((crooked < 100).any(axis=1))
    assert rows.mean() < crooked.shape[0] / 2 - 30
    assert int((crooked < 100).sum()) == pytest.approx(400, rel=0.1)
    assert (paper_of(page), crooked[0, 0], crooked[-1, -1]) == (230, 230, 230)


def test_spoilt_scans_keep_their_truth(tmp_path: Path) -> None:
    """Each kind has a folder of its own in which the truth lies beside the scan."""
    scan = tmp_path / "page.jpg"
    scan.write_bytes(render("text"))
    scan.with_name("page.gt.txt").write_text("text")
    made = dict(degrade_all([scan], tmp_path / "spoilt"))
    assert list(made) == list(KINDS)
    assert {truth_of(path) for scans in made.values() for path in scans} == {"text"}
    assert len({path.parent for scans in made.values() for path in scans}) == len(KINDS)


def test_corpora_are_a_folder_and_its_subfolders(tmp_path: Path) -> None:
    """Whatever holds JPEGs is a corpus; the limit is each one's."""
    for name in ("b.jpg", "a.JPEG", "b.jpeg", "notes.txt", "inner/c.jpg", "inner/d.jpg", "inner/e.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    found = corpora_from(tmp_path, tmp_path, limit=2)
    names = {name: [scan.name for scan in corpus.scans] for name, corpus in found.items()}
    assert names == {tmp_path.name: ["a.JPEG", "b.jpg"], "inner": ["c.jpg", "d.jpg"]}


def test_a_folder_without_scans_is_said_so(tmp_path: Path) -> None:
    """No table of nothing."""
    with pytest.raises(SystemExit, match="no JPEGs"):
        corpora_from(tmp_path, tmp_path)


def test_samples_come_from_all_over() -> None:
    """Not only from the beginning, and never more than there are."""
    scans = [Path(str(number)) for number in range(10)]
    assert evenly(scans, 3) == [scans[0], scans[3], scans[6]]
    assert evenly(scans, 20) == scans


def test_everybody_goes_first_in_turn() -> None:
    """As many rounds as ways, and each has begun once."""
    ways = ["a", "b", "c"]
    assert [rotated(ways, number)[0] for number in range(3)] == ways
    assert all(sorted(rotated(ways, number)) == ways for number in range(3))


def test_ratios_are_within_rounds(tmp_path: Path) -> None:
    """A round in which the whole machine was slow does not change the ratio."""
    scans = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    (tmp_path / "a.gt.txt").write_text("tea")
    (tmp_path / "b.gt.txt").write_text("milk")
    ours = [run_of(2, 1.0, {"a.jpg": "tea", "b.jpg": "milk"}, 0.5), run_of(2, 10.0, {"a.jpg": "tea"}, 5.0)]
    theirs = [run_of(2, 2.0, {"a.jpg": "tea", "b.jpg": "xxxx"}), run_of(2, 20.0, {"a.jpg": "tea", "b.jpg": ""})]
    results = summed_up({"ocrwatch": ours, "xargs": theirs}, scans, LABELS)
    assert list(results) == ["ocrwatch once", READING, "xargs tesseract"]
    once, reading, xargs = results.values()
    assert (once.ratio.least, once.ratio.median, once.ratio.most) == (2.0, 2.0, 2.0)
    assert reading.ratio.median == 4.0
    assert (once.unread, xargs.unread, once.cpu) == (1, 0, 2.0)
    assert xargs.quality is not None
    assert xargs.quality.cer == 4 / 7
    document = as_dict(results)["xargs tesseract"]
    assert isinstance(document, dict)
    assert document["quality"]["cer"] == 4 / 7


def test_a_table_has_what_is_known_and_no_more(tmp_path: Path) -> None:
    """Without truth there are no error rates; a peer that got a few scans is marked."""
    scans = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    rounds = {"ocrwatch": [run_of(2, 1.0, {"a.jpg": "tea"})], "xargs": [run_of(1, 1.0, {"a.jpg": "tea"})]}
    page = shown(tables.comparison("books", summed_up(rounds, scans, LABELS)))
    ours = next(line for line in page.splitlines() if "ocrwatch once" in line)
    assert "(1 not read)" in ours
    assert [cell.strip() for cell in ours.split("│")[2:6]] == ["2.00", "2.00 (2.00-2.00)", "", ""]
    assert "xargs tesseract (1 of 2 scans)" in page


def test_degradations_end_with_the_whole() -> None:
    """The last row is of all kinds together; a way that did not run has no figures."""
    right, wrong = score("abcd", "abcd"), score("abcd", "")
    page = shown(tables.degradations("books", {"skew": {"a": right, "b": None}, "blur": {"a": wrong, "b": None}}))
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:6]]
        for line in page.splitlines()
        if (cells := line.split("│"))[2:]
    }
    assert rows["skew"] == ["0.0000", "", "1.000", ""]
    assert rows["all"] == ["0.5000", "", "0.667", ""]


def test_a_command_costs_what_its_descendants_cost(tmp_path: Path) -> None:
    """Processor time and memory of children of children count."""
    # It rests so that it is looked at also where this test itself is blocked for a moment.
    burn = "import time; hoard = b'x' * 60_000_000\nwhile time.process_time() < 0.5: pass\ntime.sleep(1)"
    environment = clean_environment({"CODE": burn, "PYTHON": sys.executable})
    inner = 'sh -c "$PYTHON -c \\"$CODE\\"; true"'
    cost = measured(["sh", "-c", f"{inner}; echo done"], tmp_path, environment, 60)
    assert cost.code == 0
    assert cost.output == "done\n"
    assert cost.cpu >= 0.5
    assert cost.seconds >= 0.5
    assert cost.peak_mb >= 55
    assert max(cost.process_mb.values()) >= 55


def test_a_command_that_hangs_is_killed(tmp_path: Path) -> None:
    """With all that it started."""
    with pytest.raises(TimeoutError):
        measured(["sh", "-c", "setsid sleep 600 & echo $! > pid; wait"], tmp_path, clean_environment(), 1.0)
    left = int((tmp_path / "pid").read_text())
    until(lambda: not is_alive(left), what="the end of what it started")


@pytest.mark.slow
def test_stages_are_timed_from_outside(tmp_path: Path) -> None:
    """The real command, in its worker processes: every stage that ran has its time, and texts are ocrwatch's own."""
    text = "White print on black\nthat has to be turned"
    (tmp_path / "a.jpg").write_bytes(render("\n".join([text] * 2), size=48, ink=255, paper=0))
    (tmp_path / "a.gt.txt").write_text(recognise((tmp_path / "a.jpg").read_bytes(), Recipe()).text)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.steps", tmp_path, "--json", tmp_path / "figures.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "figures.json").read_text())[tmp_path.name]
    seconds = found["cpu_seconds_by_stage"]
    assert {"decode", "invert page", "deskew page", "scale text", "engine"} <= set(seconds)
    assert max(seconds, key=seconds.__getitem__) == "engine"
    assert list(found["variants"]) == list(variants())
    assert found["variants"][ALL_ON]["cer"] == 0.0
    asked = next(line for line in done.stdout.splitlines() if "invert page" in line)
    assert asked.split("│")[4].strip() == "1"


def test_a_switch_is_judged_by_what_is_missing_without_it(tmp_path: Path) -> None:
    """Its row says by how much the pages are worse without it, and how many texts differ."""
    scan = tmp_path / "a.jpg"
    (tmp_path / "a.gt.txt").write_text("abcd")
    usual = [Timed("abcd", {"engine": 1.0}, frozenset())]
    without = [Timed("ab", {"engine": 0.5}, frozenset())]
    readings = {ALL_ON: usual, "without skew": without}
    qualities = {name: quality([scan], pages) for name, pages in readings.items()}
    assert benefit_rows(readings, qualities) == [
        [ALL_ON, "1000", "1.00", "0.0000", "+0.0000", "1.000", "+0.000", "0"],
        ["without skew", "500", "0.50", "0.5000", "+0.5000", "0.000", "-1.000", "1"],
    ]
