"""The order of pages, what is left out, and where a document ends."""

from __future__ import annotations

import random
from dataclasses import replace

from ocrwatch.documents.arrangement import StackedPage, arranged
from ocrwatch.documents.stack import StackFacts

FACTS = StackFacts("**", "in", "name", "scan", 60.0, "keep", ("txt",))


def pages(*marks: str) -> list[StackedPage]:
    """Return pages: ``t`` has text, ``b`` is blank, ``s`` a separator, ``m`` missing."""
    return [
        StackedPage(
            row,
            f"in/scan_{row}.jpg",
            f"{row:064}",
            code="damaged" if mark == "m" else "",
            is_blank=mark == "b",
            is_separator=mark == "s",
        )
        for row, mark in enumerate(marks, 1)
    ]


def numbers(stacked: list[StackedPage], facts: StackFacts = FACTS) -> list[list[int]]:
    """Return the rows of the pages of each document."""
    return [[page.scan for page in document.pages] for document in arranged(stacked, facts)]


def test_pages_are_in_the_order_in_which_a_person_counts() -> None:
    """Page 2 is before page 10, in whatever order they came."""
    stacked = pages(*"t" * 12)
    random.Random(1).shuffle(stacked)
    assert numbers(stacked) == [list(range(1, 13))]


def test_blank_pages_are_kept_dropped_or_split() -> None:
    """Blank pages that are left out are named; several in a row end one document only."""
    stacked = pages(*"btbbtb")
    assert numbers(stacked) == [[1, 2, 3, 4, 5, 6]]
    (dropped,) = arranged(stacked, replace(FACTS, blank="drop"))
    assert [page.scan for page in dropped.pages] == [2, 5]
    assert [(page.scan, why) for page, why in dropped.dropped] == [
        (1, "blank"), (3, "blank"), (4, "blank"), (6, "blank"),
    ]  # fmt: skip
    assert numbers(stacked, replace(FACTS, blank="split")) == [[2], [5]]


def test_separators_end_documents_and_are_no_pages() -> None:
    """There is no document without pages before the first or between two."""
    assert numbers(pages(*"sttssts")) == [[2, 3], [6]]


def test_only_separators_make_no_document() -> None:
    """Nor do blank pages that are left out."""
    assert numbers(pages(*"ssb"), replace(FACTS, blank="drop")) == []


def test_a_missing_page_keeps_its_place_until_it_is_read() -> None:
    """It is replaced by the scan of its name, or with its bytes."""
    stacked = pages(*"tmt")
    assert numbers(stacked) == [[1, 2, 3]]
    mended = StackedPage(7, "in/scan_2.jpg", "other")
    assert numbers([*stacked, mended]) == [[1, 7, 3]]
    renamed = replace(stacked[1], scan=8, path="in/scan_2-2.jpg", code="")
    assert numbers([*stacked, renamed]) == [[1, 8, 3]]


def test_a_page_that_fails_again_is_missing_once() -> None:
    """The latest attempt counts."""
    stacked = pages(*"tmt")
    assert numbers([*stacked, replace(stacked[1], scan=9)]) == [[1, 9, 3]]


def test_files_that_are_damaged_alike_are_each_missing() -> None:
    """Only a page that was read later can be the same: all empty files have the same bytes."""
    one, two, three = pages(*"tmm")
    assert numbers([one, two, replace(three, sha256=two.sha256)]) == [[1, 2, 3]]
    assert numbers([replace(one, sha256=two.sha256), two]) == [[1, 2]]


def test_the_first_name_may_have_no_number() -> None:
    """Windows numbers the second file and those after it."""
    names = ["Scan (10).jpg", "Scan (2).jpg", "Scan.jpg", "Scan (3).jpg"]
    stacked = [StackedPage(row, name, None) for row, name in enumerate(names)]
    assert numbers(stacked) == [[2, 1, 3, 0]]


def test_two_pages_with_the_same_bytes_are_two_pages() -> None:
    """Forms are printed alike."""
    one, two = pages(*"tt")
    assert numbers([one, replace(two, sha256=one.sha256)]) == [[1, 2]]


def test_documents_are_named_by_their_stem_folder_or_first_page() -> None:
    """A name that a page's own sidecars have is not taken."""
    stacked = pages("t", "t")
    assert [each.name for each in arranged(stacked, FACTS)] == ["scan"]
    assert [each.name for each in arranged(stacked, replace(FACTS, by="folder"))] == ["in"]
    assert [each.name for each in arranged(stacked, replace(FACTS, by="time"))] == ["scan_1-document"]
    assert [each.name for each in arranged(stacked, replace(FACTS, by="name", stem="", folder=""))] == ["document"]
