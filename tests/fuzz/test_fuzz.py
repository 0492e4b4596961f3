"""No bytes, however broken, harm more than themselves."""

from __future__ import annotations

import os

from tests.fuzz.corpus import mutant, originals
from tests.fuzz.feeding import feed

COUNT = 300


def test_every_mutant_ends_as_a_page_or_a_fault_of_its_own() -> None:
    """None hangs over its limit, is taken for a bug or the environment's fault, or spoils a whole scan beside it."""
    found = feed(range(COUNT), workers=min(2, len(os.sched_getaffinity(0))))
    print(found)  # noqa: T201 - pytest shows it for a test that fails
    assert found.wrong == []
    assert found.mutants == COUNT
    assert found.neighbours >= COUNT // 20
    # Broken enough to be refused, whole enough to get to the engine: both roads were taken.
    assert found.ends["page"] > COUNT // 10
    assert found.ends["damaged"] > COUNT // 10


def test_the_same_seed_gives_the_same_mutant() -> None:
    """What was found can be found again."""
    assert [mutant(seed) for seed in range(50)] == [mutant(seed) for seed in range(50)]
    assert sum(mutant(seed).data not in originals() for seed in range(50)) > 40
