"""The bench's comparison page by page: verdicts, counts, and which step hurt."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.bench import page_tables
from tests.bench.ablation import Ablation, ablation, as_dict, by_switch, cause, chosen
from tests.bench.corpora import Corpus
from tests.bench.page_scores import PageScore, scored, summarise
from tests.bench.scoring import bag_f1
from tests.bench.stages import Timed
from tests.bench.steps import ALL_ON, WITHOUT_ANY, variants
from tests.rendering import render

ROOT = Path(__file__).parents[2]
TEN = "one two three four five six seven eight nine ten"


def page(ocrwatch: float, tesseract: float, **fields: Any) -> PageScore:
    """Return a page that was read."""
    return PageScore("a.jpg", ocrwatch, tesseract, **{"was_read": True, "is_silent_empty": False, **fields})


def ablated(tesseract: float, all_on: float, **without: float) -> Ablation:
    """Return a page with its F1 without each switch."""
    return Ablation("a.jpg", tesseract, {ALL_ON: all_on, **{f"without {name}": f1 for name, f1 in without.items()}})


@pytest.mark.parametrize(
    ("truth", "text", "expected"),
    [
        ("Straße, 12!", "STRASSE 12", 1.0),
        ("tea tea milk", "tea milk milk milk", 4 / 7),
        ("a b c", "c-a (b)", 1.0),
        ("ἄειδε θεά", "ΘΕΆ", 2 / 3),
        ("tea", "", 0.0),
        ("", "tea", 0.0),
        ("", " \f", 1.0),
    ],
)
def test_words_are_compared_without_case_and_punctuation(truth: str, text: str, expected: float) -> None:
    """Each word counts as often as in both; nothing read of nothing is right."""
    assert bag_f1(truth, text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ocrwatch", "tesseract", "verdict", "clearly"),
    [
        (0.52, 0.50, "same", False),
        (0.50, 0.52, "same", False),
        (0.53, 0.50, "win", False),
        (0.47, 0.50, "loss", False),
        (0.75, 0.80, "loss", False),
        (0.74, 0.80, "loss", True),
        (1.00, 0.00, "win", False),
    ],
)
def test_a_page_is_won_the_same_or_lost(ocrwatch: float, tesseract: float, verdict: str, *, clearly: bool) -> None:
    """Within .02 it is the same; clearly worse is more than .05 below."""
    score = page(ocrwatch, tesseract)
    assert (score.verdict, score.clearly_worse) == (verdict, clearly)


@pytest.mark.parametrize(
    ("truth", "ours", "theirs", "silent"),
    [
        (TEN, "\n", TEN, True),
        (TEN, "", "one two three", False),
        (TEN, "one", TEN, False),
        (TEN, None, TEN, False),
        ("", "", TEN, False),
    ],
)
def test_an_empty_text_is_silent_if_there_was_something_to_read(
    truth: str, ours: str | None, theirs: str, *, silent: bool
) -> None:
    """Tesseract reads ten words; a scan that was not delivered is not silent."""
    score = scored("a.jpg", truth, ours, theirs, {})
    assert (score.is_silent_empty, score.was_read) == (silent, ours is not None)


def test_what_the_sidecar_does_not_say_is_unknown() -> None:
    """Fields that an ocrwatch does not write yet are None, and shown as unknown."""
    bare = scored("a.jpg", "tea", "", "tea", {"steps": [], "confidence": None, "review": False})
    assert (bare.steps, bare.confidence, bare.review) == ((), None, False)
    assert (bare.review_reasons, bare.unread) == (None, None)
    full = {"steps": ["turn 90"], "confidence": 61.2, "review": True, "review_reasons": ["unread"], "unread": 0.4}
    table = page_tables.clearly_worse({"x": [bare, scored("b.jpg", "tea", "", "tea", full)]})
    file = io.StringIO()
    Console(file=file, width=160).print(table)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in file.getvalue().splitlines()]
    assert ["x/a.jpg", "0.00 < 1.00", "?", "no", "?", "none"] in rows
    assert ["x/b.jpg", "0.00 < 1.00", "61", "yes: unread", "40%", "turn 90"] in rows


def test_a_summary_counts_pages() -> None:
    """Review marks are counted among bad and good pages; unknown is no mark."""
    pages = [
        page(0.2, 0.9, review=True),
        page(0.4, 0.4, review=False),
        page(0.0, 0.0, was_read=False),
        page(0.9, 0.5, review=True),
        page(1.0, 1.0, review=None),
        page(0.8, 0.83, review=True, is_silent_empty=True),
    ]
    found = summarise(pages)
    assert found.ocrwatch_f1 == pytest.approx(3.3 / 6)
    assert found.tesseract_f1 == pytest.approx(3.63 / 6)
    assert (found.pages, found.wins, found.same, found.losses, found.clearly_worse) == (6, 1, 3, 2, 1)
    assert (found.not_read, found.silent_empties) == (1, 1)
    assert (found.bad, found.bad_in_review, found.good, found.good_in_review) == (3, 1, 2, 1)


def test_the_step_that_hurt_is_the_one_without_which_the_page_is_back() -> None:
    """All switches that bring it back are named; a smaller gain is no cause."""
    hurt = ablated(0.9, 0.2, sharpen=0.89, light=0.95, skew=0.7, any=1.0)
    assert hurt.restoring == ["without light", "without sharpen"]
    assert cause(hurt) == "light, sharpen"
    assert hurt.changes["without skew"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ablated(0.9, 0.2, light=0.5, any=0.9), "all of them"),
        (ablated(0.9, 0.2, light=0.5, any=0.5), "none"),
        (ablated(0.9, 0.88, light=0.9, any=0.9), "(is not below it)"),
    ],
)
def test_a_page_may_be_back_by_no_single_switch(found: Ablation, expected: str) -> None:
    """Several steps may hurt together, or none; a good page has no cause."""
    assert cause(found) == expected


def test_every_variant_is_scored() -> None:
    """A page's readings become one F1 each."""
    readings = {name: Timed("tea" if name == WITHOUT_ANY else "", {}, frozenset()) for name in variants()}
    found = ablation("a.jpg", "tea", 1.0, readings)
    assert as_dict(found)["restoring"] == [WITHOUT_ANY]
    assert set(found.changes) == set(variants()) - {ALL_ON}


def test_switches_are_summed_up_over_pages() -> None:
    """A switch has its mean change, and counts of pages better, worse and back."""
    pages = [ablated(0.9, 0.5, light=0.9, any=0.9), ablated(0.9, 0.9, light=0.7, any=0.9)]
    columns = [list(column.cells) for column in by_switch("x", pages).columns]
    assert list(zip(*columns, strict=True)) == [
        ("without light", "+0.100", "1", "1", "1"),
        ("without any", "+0.200", "1", "0", "1"),
    ]


def test_pages_that_are_read_again_are_clearly_worse_unless_all_are_wanted() -> None:
    """What ocrwatch could not read at all is not tried again."""
    corpus = Corpus("x", [Path("a.jpg"), Path("b.jpeg"), Path("c.jpg")])
    scores = [
        PageScore("a.jpg", 0.5, 0.9, was_read=True, is_silent_empty=False),
        PageScore("b.jpg", 0.9, 0.9, was_read=True, is_silent_empty=False),
        PageScore("c.jpg", 0.0, 0.9, was_read=False, is_silent_empty=False),
    ]
    assert chosen(corpus, scores, every=False) == [Path("a.jpg")]
    assert chosen(corpus, scores, every=True) == [Path("a.jpg"), Path("b.jpeg")]


@pytest.mark.slow
def test_pages_are_compared_upright_and_ablated(tmp_path: Path) -> None:
    """Tesseract gets a photograph upright, and the JSON has all figures."""
    text = "The harbour froze in March\nand ships waited outside\nfor eleven whole days"
    (tmp_path / "letters-eng").mkdir()
    (tmp_path / "letters-eng" / "a.jpg").write_bytes(render(text, size=40, exif_orientation=6))
    (tmp_path / "letters-eng" / "a.gt.txt").write_text(text)
    (tmp_path / "b.jpg").write_bytes(render("no truth"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.peers", tmp_path, "--ablate", "all", "--json", tmp_path / "found"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found").read_text())
    assert found["languages"] == {tmp_path.name: ["eng"], "letters-eng": ["eng"]}
    assert list(found["corpora"]) == ["letters-eng"]
    (read,) = found["corpora"]["letters-eng"]["pages"]
    assert (read["page"], read["ocrwatch_f1"], read["tesseract_f1"], read["verdict"]) == ("a.jpg", 1.0, 1.0, "same")
    assert isinstance(read["steps"], list)
    (again,) = found["corpora"]["letters-eng"]["ablation"]
    assert again["variant_f1"][ALL_ON] == 1.0
    assert found["all"] == found["corpora"]["letters-eng"]["summary"]
    assert "no NAME.gt.txt lies beside the scans" in done.stdout
    assert "each switch off" in done.stdout
