"""Free names: nothing is ever overwritten, and all of one scan's files share a stem."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.delivery.chosen_names import (
    Places,
    Plan,
    Sidecar,
    free_quarantine_name,
    free_stem,
    temporary_name,
)
from ocrwatch.errors import NoFreeName
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import split
from ocrwatch.storage.free_names import first_free


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Make the four folders."""
    places = Places(*(tmp_path / name for name in ("inbox", "outbox", "archive", "quarantine")))
    for folder in (places.inbox, places.outbox, places.archive, places.quarantine):
        folder.mkdir()
    return places


def put(*paths: Path) -> None:
    """Make files, with their folders."""
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()


def stem(places: Places, path: str, *, archived: bool = True) -> str:
    """Ask for a stem for the two usual sidecars."""
    return free_stem(places, *split(path), ("json", "txt"), archived=archived)


def test_a_free_stem_is_the_scans_own(places: Places) -> None:
    """Where nothing is in the way the name stays, in a subfolder that is not there yet too."""
    assert stem(places, "scan1.jpg") == "scan1"
    assert stem(places, "deep/sub/scan 1.v2.jpg") == "scan 1.v2"


@pytest.mark.parametrize("taken", ["outbox/scan1.txt", "outbox/scan1.json", "archive/scan1.jpg"])
def test_any_file_of_the_stem_makes_it_taken(places: Places, taken: str) -> None:
    """One file in the way moves all to the next number."""
    put(places.inbox.parent / taken)
    assert stem(places, "scan1.jpg") == "scan1-2"


def test_the_archive_does_not_matter_to_what_is_not_archived(places: Places) -> None:
    """An original that stays or is deleted needs no name in the archive."""
    put(places.archive / "scan1.jpg")
    assert stem(places, "scan1.jpg", archived=False) == "scan1"


def test_a_dangling_link_is_in_the_way(places: Places) -> None:
    """A name is taken also by a link that leads nowhere, and by a folder."""
    (places.outbox / "a.txt").symlink_to("nowhere")
    (places.outbox / "b.json").mkdir()
    assert stem(places, "a.jpg") == "a-2"
    assert stem(places, "b.jpg") == "b-2"


def test_two_endings_of_one_stem_get_two_stems(places: Places) -> None:
    """scan1.jpeg's text does not meet that of scan1.jpg."""
    put(places.outbox / "scan1.txt", places.archive / "scan1.jpg")
    assert stem(places, "scan1.jpeg") == "scan1-2"


def test_each_subfolder_has_names_of_its_own(places: Places) -> None:
    """A name taken in one folder is free in another."""
    put(places.outbox / "one/scan1.txt")
    assert stem(places, "one/scan1.jpg") == "scan1-2"
    assert stem(places, "two/scan1.jpg") == "scan1"


def test_the_longest_names_still_get_sidecars(places: Places) -> None:
    """A name of 255 bytes is shortened for its sidecars, between characters, and counted on where it is taken."""
    for name in ("x" * 251, "é" * 125 + "x", "\udcff" * 251, "漢" * 83 + "xy"):
        found: list[str] = []
        for _ in range(3):
            found.append(stem(places, f"{name}.jpg"))
            put(places.outbox / f"{found[-1]}.txt", places.archive / f"{found[-1]}.jpg")
            assert os.fsencode(name)[:200].startswith(os.fsencode(found[-1])[:200])
        assert len(set(found)) == 3


def test_the_longest_names_still_get_quarantined(places: Places) -> None:
    """Original and reason both fit."""
    found: list[str] = []
    for _ in range(3):
        found.append(free_quarantine_name(places, "", "x" * 251 + ".jpg"))
        put(places.quarantine / found[-1], places.quarantine / f"{found[-1]}.reason.json")
    assert len(set(found)) == 3
    assert all(name.endswith(".jpg") for name in found)


@pytest.mark.parametrize("name", ["a." + "x" * 245, "a." + "x" * 253, "a." + "é" * 122, "é." + "漢" * 80])
def test_scans_with_the_longest_endings_still_get_quarantined(places: Places, name: str) -> None:
    """Original and reason both fit, if need be without the end of the ending."""
    found: list[str] = []
    for _ in range(12):
        found.append(free_quarantine_name(places, "", name))
        put(places.quarantine / found[-1], places.quarantine / f"{found[-1]}.reason.json")
    assert len(set(found)) == 12
    assert all(os.fsencode(name)[:200].startswith(os.fsencode(each)[:200]) for each in found)


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("a." + "x" * 245, "a-2"),
        ("x" * 110 + "." + "é" * 72, "x" * 98 + "-2"),
        ("é" * 55 + "." + "é" * 72, "é" * 49 + "-2"),
    ],
)
def test_endings_are_counted_in_bytes(places: Places, name: str, second: str) -> None:
    """A stem is shortened so that the original's whole ending fits behind a number."""
    first = os.path.splitext(name)[0]
    assert stem(places, name) == first
    put(places.archive / name)
    assert stem(places, name) == second
    put(places.archive / f"{second}{os.path.splitext(name)[1]}")
    assert stem(places, name) == second.replace("-2", "-3")


@pytest.mark.parametrize("name", ["a." + "x" * 253, "é." + "é" * 126])
def test_a_name_with_no_room_for_a_number_is_the_scans_fault(places: Places, name: str) -> None:
    """If the only name that fits is taken, the search ends."""
    assert stem(places, name) == os.path.splitext(name)[0]
    put(places.archive / name)
    with pytest.raises(NoFreeName):
        stem(places, name)
    with pytest.raises(NoFreeName):
        free_stem(places, "", "a.jpg", ("x" * 254, "txt"), archived=True)


@pytest.mark.parametrize("taken", ["scan1.jpg", "scan1.jpg.reason.json"])
def test_a_reason_left_behind_is_in_the_way_in_the_quarantine(places: Places, taken: str) -> None:
    """Original and reason get a name that is free for both."""
    put(places.quarantine / taken)
    assert free_quarantine_name(places, "", "scan1.jpg") == "scan1-2.jpg"


def test_among_many_names_few_are_looked_at() -> None:
    """A scanner that always begins with scan1 does not make the millionth delivery slow."""
    asked: list[str] = []

    def taken(name: str) -> bool:
        asked.append(name)
        return name == "scan1" or int(name.rpartition("-")[2]) <= 1_000_000

    assert first_free("scan1", "scan1", taken) == "scan1-1000001"
    assert len(asked) < 50


@given(st.sets(st.integers(1, 60)))
def test_a_free_name_is_never_one_that_is_taken(numbers: set[int]) -> None:
    """Whatever gaps there are among the numbers, the name is free."""
    taken = {"s" if number == 1 else f"s-{number}" for number in numbers}
    found = first_free("s", "s", taken.__contains__)
    assert found not in taken
    if 1 not in numbers:
        assert found == "s"
    if numbers == set(range(1, len(numbers) + 1)) and numbers:
        assert found == f"s-{len(numbers) + 1}"


@given(
    st.lists(st.binary(max_size=8).map(os.fsdecode), min_size=4, max_size=4),
    st.none() | st.text("0123456789abcdef"),
    st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=3),
)
def test_a_plan_survives_the_ledger(names: list[str], sha256: str | None, sidecars: list[tuple[str, str]]) -> None:
    """What is read back equals what was noted, names that are not UTF-8 too, and is plain ASCII between."""
    path, folder, name, original = names
    plan = Plan(
        path,
        FileFacts(1, 2, 3, 4),
        sha256,
        folder,
        name,
        "archive",
        original,
        tuple(Sidecar(temporary, final) for temporary, final in sidecars),
    )
    assert plan.to_json().isascii()
    assert Plan.from_json(plan.to_json()) == plan


def test_temporary_names_are_hidden_and_tell_ledgers_and_scans_apart() -> None:
    """Two daemons on one outbox, or two scans, never share an unfinished file."""
    names = {temporary_name(token, scan, ending) for token in "ab" for scan in (1, 12) for ending in ("txt", "json")}
    assert len(names) == 8
    assert all(name.startswith(".ocrwatch-") and name.endswith(".tmp") for name in names)


@pytest.mark.parametrize("name", ["STATUS.jpg", "status.JPG", "Status.jpeg"])
def test_a_reserved_stem_is_no_scans(places: Places, name: str) -> None:
    """At the top of the outbox, in upper case or lower; below it the name is free."""
    reserved = replace(places, reserved="STATUS")
    assert stem(reserved, name) == f"{os.path.splitext(name)[0]}-2"
    assert stem(reserved, f"sub/{name}") == os.path.splitext(name)[0]
    assert stem(places, name) == os.path.splitext(name)[0]
