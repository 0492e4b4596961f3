"""Which names are scans, and in what order a person counts them."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.intake.names import NameRules, natural_key

RULES = NameRules.of(["*.jpg", "*.jpeg"], [".*", "@eaDir", "*.tmp.jpg"])


def test_numbers_in_names_are_counted() -> None:
    """page2 comes before page10, and a folder's number counts as well."""
    ordered = ["a2/p1.jpg", "a10/p1.jpg", "page1.jpg", "page2.jpg", "page10.jpg", "page10b.jpg"]
    shuffled = list(ordered)
    random.Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == ordered


def test_case_does_not_change_the_order() -> None:
    """Capital letters do not put a page before its neighbours."""
    assert sorted(["b1.jpg", "A2.jpg", "a1.jpg"], key=natural_key) == ["a1.jpg", "A2.jpg", "b1.jpg"]


@given(st.lists(st.text(st.characters(blacklist_characters="\0"), max_size=12), max_size=8))
def test_any_names_can_be_ordered(names: list[str]) -> None:
    """Whatever names come, digits of any script and lone surrogates too, they have an order."""
    keys = [natural_key(name) for name in sorted(names, key=natural_key)]
    assert all(one <= following for one, following in itertools.pairwise(keys))


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_smaller_number_comes_first(one: int, other: int) -> None:
    """Of two names that differ by a number, the smaller number comes first."""
    assert (natural_key(f"p{one}.jpg") < natural_key(f"p{other}.jpg")) == (one < other)


@pytest.mark.parametrize("name", ["a.jpg", "A.JPG", "a.JpEg", "$(touch x).jpg", "-rf.jpg", "a\nb.jpg", "\udcff.jpg"])
def test_scans_are_known_by_their_ending(name: str) -> None:
    """Included names are scans in any case, and whatever else is in the name is data."""
    assert RULES.is_scan(name)
    assert RULES.takes(f"sub/{name}")


@pytest.mark.parametrize("name", ["a.png", "jpg", "a.jpg.txt", "a.jpg\n", ".a.jpg", "._a.jpg", "a.TMP.jpg", ""])
def test_other_names_are_left_alone(name: str) -> None:
    """What is not included, or is excluded, is no scan."""
    assert not RULES.is_scan(name)


def test_excluded_folders_are_not_entered() -> None:
    """A scan below an excluded folder is not taken, however deep the folder lies."""
    assert RULES.enters("invoices")
    assert not RULES.enters("@eadir")
    assert not RULES.takes("a/@eaDir/b/scan.jpg")
    assert not RULES.takes(".hidden/scan.jpg")


def test_without_patterns_nothing_is_included_or_excluded() -> None:
    """An empty list matches no name, not every name."""
    assert not NameRules.of([], []).is_scan("a.jpg")
    assert NameRules.of(["*"], []).is_scan(".a")
