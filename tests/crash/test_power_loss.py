"""A power cut at any moment loses nothing: what a step depends on is on the disk before the step is made."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.crash.scenario import LIST, Places, another_file_system
from tests.crash.tracing import COMMIT, UNCOMMITTED, Call, Steps, delivery, trace_once, why_not
from tests.crash.variants import prepare

DELIVERED = ("plain", "plain-again", "sub/below/deep", "undoubtedly-plain")
"""Scans whose sidecars and originals have the names that they came with."""

FORMATS = ("json", "txt")

_SCANS = 7

TEMPORARY = r"\.ocrwatch-[0-9a-f]+-\d+\."

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace works")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """Return what a run over all cases asked of the kernel."""
    folder = tmp_path_factory.mktemp("trace")
    return trace_once(prepare(folder / "run", "same"), folder)


@pytest.fixture(scope="module")
def steps(calls: list[Call]) -> Steps:
    """Return what its delivery thread did."""
    return delivery(calls)


@pytest.fixture(scope="module")
def steps_across(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steps]:
    """Return the same of a run whose archive and quarantine are on another file system."""
    folder = tmp_path_factory.mktemp("trace-across")
    if another_file_system(folder) is None:
        pytest.skip("there is no other file system here")
    places: Places = prepare(folder / "run", "other")
    yield delivery(trace_once(places, folder))
    shutil.rmtree(places.away)


def parent(path: str) -> str:
    """Return the folder of a path."""
    return path.rpartition("/")[0]


class Published(NamedTuple):
    """Numbers of steps."""

    planned: int
    first: int
    noted: int


def published(steps: Steps, finals: list[str]) -> Published:
    """Check the order up to the ledger's knowing that ``finals`` are published.

    Return where the plan was committed, the first of them renamed, and the commit after the last.
    """
    folder = re.escape(parent(finals[0]))
    renames = [steps.renamed(rf"{folder}/{TEMPORARY}\S+", re.escape(final)) for final in finals]
    assert renames == sorted(renames)
    first, last = renames[0], renames[-1]
    temporaries = [steps[rename].split()[1] for rename in renames]
    created = steps.at(f"create {temporaries[0]}")
    written = max(steps.at(f"fsync {temporary}") for temporary in temporaries)
    for temporary in temporaries:
        assert steps.at(f"create {temporary}") < steps.at(f"fsync {temporary}")
    named = steps.next(f"fsync {parent(finals[0])}", written)
    planned = steps.next(COMMIT, named)
    assert planned < first, "a sidecar was published before the ledger knew the plan"
    assert not steps.has_between(COMMIT, created, named), "the ledger knew a plan before what it plans was durable"
    durable = steps.next(f"fsync {parent(finals[0])}", last)
    noted = steps.next(COMMIT, last)
    assert durable < noted, "the ledger knew of sidecars before they were durable"
    return Published(planned, first, noted)


def set_aside(steps: Steps, path: str, known: Published) -> int:
    """Return where the original was set aside: after a restart would know of it, and before its text shows."""
    aside = steps.renamed(re.escape(path), rf"{re.escape(parent(path))}/\.ocrwatch-\S+\.read\.tmp")
    assert known.planned < aside < known.first
    return aside


def moved(steps: Steps, path: str, target: str, known: Published) -> None:
    """Check the order from the ledger's knowing of the sidecars to its closing the scan."""
    aside = set_aside(steps, path, known)
    away = steps.renamed(re.escape(steps[aside].split()[2]), re.escape(target))
    assert known.noted < away, "the original was moved before the ledger knew that its sidecars are durable"
    durable = max(steps.next(f"fsync {parent(place)}", away) for place in (path, target))
    assert steps.next(COMMIT, away) > durable, "the ledger closed the scan before the move was durable"


def copied(steps: Steps, path: str, target: str, known: Published) -> None:
    """Check the same where the original must be copied."""
    aside = set_aside(steps, path, known)
    there = steps.renamed(rf"{re.escape(parent(target))}/\.ocrwatch-\S+\.copy\.tmp", re.escape(target))
    copy = steps[there].split()[1]
    # One inode has one name of a copy, and its number may be used again for the next scan's.
    made = max(n for n, step in enumerate(steps[:there]) if step == f"create {copy}")
    assert steps.has_between(f"fsync {copy}", made, there), "the copy got its name before its bytes were durable"
    removed = steps.next(f"unlink {steps[aside].split()[2]}", there)
    assert steps.next(f"fsync {parent(target)}", there) < removed, "the original went before its copy was durable"
    assert steps.next(f"fsync {parent(path)}", removed) < steps.next(COMMIT, there)


@pytest.mark.parametrize("stem", DELIVERED)
def test_a_scan_is_durable_before_each_step_that_depends_on_it(steps: Steps, stem: str) -> None:
    """Sidecars, their names, the plan; final names; a note of them; the original's move; the end, in this order."""
    known = published(steps, [f"outbox/{stem}.{ending}" for ending in FORMATS])
    moved(steps, f"inbox/{stem}.jpg", f"archive/{stem}.jpg", known)


def test_a_scan_whose_names_are_taken_is_as_durable(steps: Steps) -> None:
    """Another name changes nothing in the order."""
    for stem in ("taken", "filed"):
        known = published(steps, [f"outbox/{stem}-2.{ending}" for ending in FORMATS])
        moved(steps, f"inbox/{stem}.jpg", f"archive/{stem}-2.jpg", known)


def test_a_quarantined_scan_is_durable_in_the_same_order(steps: Steps) -> None:
    """The reason is durable and published before the scan moves beside it, and that is before the ledger closes it."""
    known = published(steps, ["quarantine/bad-2.jpg.reason.json"])
    moved(steps, "inbox/bad.jpg", "quarantine/bad-2.jpg", known)


@pytest.mark.parametrize("stem", DELIVERED)
def test_across_file_systems_the_copy_is_durable_before_the_original_goes(steps_across: Steps, stem: str) -> None:
    """The copy's bytes and its name are on the disk before the only other instance is removed."""
    known = published(steps_across, [f"outbox/{stem}.{ending}" for ending in FORMATS])
    copied(steps_across, f"inbox/{stem}.jpg", f"archive/{stem}.jpg", known)


def test_across_file_systems_the_quarantine_is_as_durable(steps_across: Steps) -> None:
    """The same holds for a scan that cannot be read."""
    known = published(steps_across, ["quarantine/bad-2.jpg.reason.json"])
    copied(steps_across, "inbox/bad.jpg", "quarantine/bad-2.jpg", known)


def test_new_folders_are_durable_before_anything_is_planned_in_them(steps: Steps) -> None:
    """A mirrored folder has its name on the disk before the ledger counts on what lies in it."""
    for root in ("outbox", "archive"):
        for above, name in ((root, "sub"), (f"{root}/sub", "below")):
            made = steps.at(f"mkdir {above}/{name}")
            assert steps.next(f"fsync {above}", made) < steps.next(COMMIT, made)


def test_whoever_moves_files_waits_for_the_ledger(steps: Steps) -> None:
    """Each of the ledger's transactions is on the disk before the next step: plan, sidecars and end of some scans."""
    assert UNCOMMITTED not in steps
    commits = steps.count(COMMIT)
    # Scans whose results wait at the same time are delivered together.
    assert commits % 3 == 0
    assert 3 < commits <= 3 * _SCANS


def test_the_folders_that_are_made_at_the_start_are_durable(calls: list[Call]) -> None:
    """The name of a folder made at the start is on the disk before its first scan is planned."""
    names = [str(call) for call in calls]
    first_plan = next(n for n, call in enumerate(calls) if call.name == "renameat2")
    assert "mkdir state" in names[:first_plan]
    made = names.index("mkdir state")
    assert any(call.name == "fsync" and call.paths == (".",) for call in calls[made:first_plan])


def test_a_list_of_fields_is_durable_before_what_was_staged_of_it_goes(tmp_path: Path) -> None:
    """The staged lines before the plan, the list before the lines are removed, and that before the end of a scan."""
    steps = delivery(trace_once(prepare(tmp_path / "run", "fields"), tmp_path))
    for folder in ("outbox", "outbox/sub/below"):
        pattern = re.compile(rf"create {folder}/\.ocrwatch-\S+\.fields-line\.tmp")
        staged = [number for number, step in enumerate(steps) if pattern.fullmatch(step)]
        written = [number for number, step in enumerate(steps) if step == f"write {folder}/{LIST}"]
        assert staged
        assert written
        for created in staged:
            name = steps[created].split()[1]
            durable = steps.next(f"fsync {name}", created)
            planned = steps.next(COMMIT, created)
            removed = steps.next(f"unlink {name}", planned)
            assert durable < planned
            appended = max(number for number in written if number < removed)
            assert planned < appended
            assert steps.has_between(COMMIT, planned, appended), "the list was written before the text was published"
            assert steps.has_between(f"fsync {folder}/{LIST}", appended, removed), "the only copy of a line was removed"
            assert not steps.has_between(COMMIT, appended, removed), "a scan was closed before its line was durable"
            assert steps.next(f"fsync {folder}", removed) < steps.next(COMMIT, removed)
