"""No bytes, however broken, harm more than themselves."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.fuzz.corpus import Mutant, mutant, originals
from tests.fuzz.feeding import feed
from tests.fuzz.other_images import png_mutant, tiff_mutant

COUNT = 300
OTHERS = 100


def test_every_mutant_ends_as_a_page_or_a_fault_of_its_own() -> None:
    """None hangs over its limit, is taken for a bug or the environment's fault, or spoils a whole scan beside it."""
    found = feed(map(mutant, range(COUNT)), workers=min(2, len(os.sched_getaffinity(0))))
    print(found)  # noqa: T201 - pytest shows it for a test that fails
    assert found.wrong == []
    assert found.mutants == COUNT
    assert found.neighbours >= COUNT // 20
    # Broken enough to be refused, whole enough to get to the engine: both roads were taken.
    assert found.ends["page"] > COUNT // 10
    assert found.ends["damaged"] > COUNT // 10


@pytest.mark.parametrize("make", [png_mutant, tiff_mutant])
def test_images_of_other_kinds(make: Callable[[int], Mutant]) -> None:
    """The same for them."""
    found = feed(map(make, range(OTHERS)), workers=min(2, len(os.sched_getaffinity(0))))
    print(found)  # noqa: T201
    assert found.wrong == []
    assert found.mutants == OTHERS
    assert found.ends["page"] > OTHERS // 20
    assert found.ends["damaged"] + found.ends["truncated"] > OTHERS // 5


def test_the_same_seed_gives_the_same_mutant() -> None:
    """What was found can be found again."""
    for make in (png_mutant, tiff_mutant):
        assert [make(seed) for seed in range(20)] == [make(seed) for seed in range(20)]
    assert [mutant(seed) for seed in range(50)] == [mutant(seed) for seed in range(50)]
    assert sum(mutant(seed).data not in originals() for seed in range(50)) > 40
