"""The daemon is killed at steps of every kind and restarted; ``python -m tests.crash.sweep`` does so at every step."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.crash.preload import compiler
from tests.crash.scenario import LIST, another_file_system
from tests.crash.sweep import RESERVING, Sweep, Sweeper, mounted, representatives
from tests.crash.variants import Variant

KINDS = {"fdatasync", "fsync", "open", "pwrite64", "renameat2", "unlinkat", "write"}
"""Kinds of steps that a run is made of: Python's own and SQLite's."""

OFTEN: dict[Variant, int] = {"same": 90, "other": 18, "hardlink": 18, "reserve": 27, "fuse": 27}
"""Of each kind of step, every so manieth is tried. The other variants differ only in how files are moved."""

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler to build the library that kills")


def check(sweep: Sweep) -> None:
    """Fail with what was found."""
    assert not sweep.failures, "\n".join(map(str, sweep.failures))
    # Threads take turns otherwise in each run, and what waits together is delivered in fewer steps: some of the runs
    # end before their step comes.
    assert sweep.killed >= 0.8 * len(sweep.trials)


@needs_compiler
@pytest.mark.parametrize("variant", OFTEN)
def test_killed_at_any_step_and_restarted_it_ends_where_it_would_have(tmp_path: Path, variant: Variant) -> None:
    """No scan is lost, doubled or left half done, and no temporary file stays, wherever the daemon was killed."""
    if variant == "other" and another_file_system(tmp_path) is None:
        pytest.skip("there is no other file system here")
    with mounted(tmp_path) if variant == "fuse" else contextlib.nullcontext() as mount:
        sweeper = Sweeper(tmp_path, variant, mount=mount)
        points = representatives(sweeper.steps, OFTEN[variant])
        # SQLite makes the files of the cache as it does those of the ledger, and of the cache nothing need be left.
        left_out = " state" if variant != "same" else " state/cache.db"
        points = [point for point in points if left_out not in sweeper.steps[point - 1]]
        if variant in RESERVING:
            # They are made of the same steps: each of the two takes every other one.
            points = points[variant == "fuse" :: 2]
        check(sweeper.sweep(points, jobs=2))


@needs_compiler
def test_killed_while_it_deletes_duplicates_it_loses_no_text(tmp_path: Path) -> None:
    """Of three scans with the same bytes one is delivered, and neither its text nor its original is ever missing."""
    sweeper = Sweeper(tmp_path, "duplicates")
    moves = [number for number, step in enumerate(sweeper.steps, 1) if " inbox/" in step]
    taken = [number for number in moves if sweeper.steps[number - 1].endswith(" inbox/plain.jpg")]
    removed = [number for number in moves if sweeper.steps[number - 1].startswith("unlinkat") and number > taken[0]]
    check(sweeper.sweep(range(taken[0] - 8, removed[-1] + 12, 8), jobs=2))


@needs_compiler
def test_killed_with_all_formats_it_ends_where_it_would_have(tmp_path: Path) -> None:
    """Eight sidecars are staged, published and cleared away as one, another package's among them."""
    sweeper = Sweeper(tmp_path, "formats")
    points = [number for number, step in enumerate(sweeper.steps, 1) if " outbox" in step]
    for ending in ("marks.csv", "alto.xml", "pdf"):
        assert sum(step.startswith("renameat2") and step.endswith(f".{ending}.tmp") for step in sweeper.steps) == 6
    check(sweeper.sweep(points[:: len(points) // 6], jobs=2))


@needs_compiler
def test_killed_while_it_lists_fields_each_scan_has_one_line(tmp_path: Path) -> None:
    """None is missing or there twice, in two folders; what was staged of it is gone."""
    sweeper = Sweeper(tmp_path, "fields")
    files = sweeper.reference.files
    assert [name for name in files if name.endswith(f"/{LIST}")] == ["outbox/fields.csv", "outbox/sub/below/fields.csv"]
    points = [number for number, step in enumerate(sweeper.steps, 1) if "fields" in step]
    assert {sweeper.steps[point - 1].split()[0] for point in points} >= {"open", "write", "fsync", "unlinkat"}
    check(sweeper.sweep(points[:: len(points) // 4], jobs=2))


@needs_compiler
def test_killed_while_a_service_reads_it_ends_where_it_would_have(tmp_path: Path) -> None:
    """What the service has read, or was reading, is sent again or comes from the cache: each scan is delivered once."""
    sweeper = Sweeper(tmp_path, "remote")
    # Only reading is different: the other variants try the same steps.
    check(sweeper.sweep(representatives(sweeper.steps, 60)[::8], jobs=2))


@needs_compiler
def test_killed_again_while_it_recovers_it_ends_where_it_would_have(tmp_path: Path) -> None:
    """What a restart has begun to clear up is cleared up by the next."""
    sweeper = Sweeper(tmp_path, "same", twice=True)
    check(sweeper.sweep(range(60, len(sweeper.steps), 70), jobs=2))


@needs_compiler
def test_every_kind_of_step_is_counted(tmp_path: Path) -> None:
    """The steps that are counted are those of its files and those of its ledger, or the sweep would be blind."""
    steps = Sweeper(tmp_path, "same").steps
    assert {step.split()[0] for step in steps} >= KINDS
    assert any(step.startswith(("fdatasync", "fsync")) and "ledger.db-wal" in step for step in steps)
    assert any(step.startswith("pwrite64") and step.endswith("ledger.db-wal") for step in steps)
    renamed = [step for step in steps if step.startswith("renameat2")]
    # Two sidecars and two moves of the original for each of six scans, one and two for the bad one.
    assert len(renamed) == 6 * 4 + 3
