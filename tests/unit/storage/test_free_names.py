"""A free name fits into a folder: whatever the length of the name, a number has room in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.errors import NoFreeName
from ocrwatch.storage.files import folder
from ocrwatch.storage.free_names import first_free, free_name, numbered_stem, rename_to_free


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    """Open the temporary folder."""
    with folder(tmp_path) as descriptor:
        yield descriptor


@pytest.mark.parametrize(
    "name",
    [
        "x" * 251 + ".jpg",
        "x" * 250 + ".jpg",
        "x" * 239 + ".jpg",
        "é" * 125 + ".jpg",
        "漢" * 83 + "xy.jpg",
        "\udcff" * 251 + ".jpg",
        "a." + "é" * 126,
        "a." + "x" * 238,
        "." + "x" * 254,
    ],
)
def test_the_longest_names_are_shortened_for_a_number(tmp_path: Path, here: int, name: str) -> None:
    """Between characters, and each of many files of one name gets a name."""
    names: list[str] = []
    for number in range(12):
        (tmp_path / "new").write_text(str(number))
        names.append(rename_to_free(here, "new", here, *os.path.splitext(name)))
    assert names[0] == name
    assert len(set(names)) == 12
    assert [(tmp_path / each).read_text() for each in names] == [str(number) for number in range(12)]
    for each in names[1:]:
        assert os.fsencode(name).startswith(os.fsencode(each)[:200].partition(b"-")[0])
        assert ("�" in os.fsencode(each).decode("utf-8", "replace")) == ("\udcff" in name)
        assert each.endswith(".jpg") == name.endswith(".jpg")


def test_a_name_with_room_for_a_number_is_not_shortened(tmp_path: Path, here: int) -> None:
    """The number follows the whole stem."""
    (tmp_path / "scan1.jpg").touch()
    assert free_name(here, "scan1", ".jpg") == "scan1-2.jpg"
    (tmp_path / ("x" * 239 + ".jpg")).touch()
    assert free_name(here, "x" * 239, ".jpg") == "x" * 239 + "-2.jpg"


@given(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1), st.text(max_size=8))
def test_a_numbered_stem_has_room_for_its_endings(stem: str, ending: str) -> None:
    """A beginning of the stem, which is never empty, and its endings are counted in bytes."""
    ending = ending.encode("utf-8", "replace").decode()
    found = numbered_stem(stem, ending, ".jpg")
    assert found
    assert stem.startswith(found)
    assert len(os.fsencode(found + ending)) + 12 <= 255


def test_names_that_are_all_taken_end_in_a_fault_of_the_scan() -> None:
    """As those that are too long are: few names are checked, and the search ends."""
    asked: list[str] = []

    def taken(name: str) -> bool:
        asked.append(name)
        return True

    with pytest.raises(NoFreeName) as caught:
        first_free("a", "a", taken)
    assert caught.value.remedy
    assert len(asked) < 50
    assert max(map(len, asked)) <= len("a") + 12
