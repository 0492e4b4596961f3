"""Separator sheets that name a profile: what the documents behind them have of it. A printed name can do no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocrwatch.delivery.chosen_names import Plan, SheetProfile, StackPage
from ocrwatch.documents.plan import DocumentPlan
from ocrwatch.documents.sheets import common_profile, sheet_profile
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts
from tests.unit.documents.pile import Make, Pile

INVOICES = SheetProfile("invoices", formats=("json",), blank="drop", mode=0o600)
UNKNOWN = SheetProfile("", 'names a profile that does not exist: "else"')


def settings(*profiles: dict[str, Any]) -> Settings:
    """Make settings with profiles."""
    return Settings.model_validate({"profiles": profiles})


def scanned(pile: Pile, *marks: SheetProfile | str) -> list[DocumentPlan]:
    """Scan a pile, in which a profile or an empty text is a separator sheet; return the plans of its documents."""
    stack = pile.begin(by="separator", stem="", profile="post")
    for number, mark in enumerate(marks, 1):
        sheet = mark if isinstance(mark, SheetProfile) else None
        is_separator = sheet is not None or mark == ""
        pile.page(stack, f"a_{number}.jpg", is_separator=is_separator, is_blank=mark == "blank", sheet=sheet)
    return [document.plan for document in pile.write(stack)]


def content(pile: Pile, plan: DocumentPlan) -> dict[str, Any]:
    """Return the JSON of a document."""
    found: dict[str, Any] = json.loads((pile.places.outbox / f"{plan.stem}.json").read_text())
    return found


def test_the_documents_behind_a_sheet_are_made_as_its_profile_says(piles: Make) -> None:
    """Its formats, what blank pages do, and the permissions; the event and the JSON have its name."""
    pile = piles()
    before, behind = scanned(pile, "text", "blank", INVOICES, "text", "blank", "text")
    assert (before.profile, before.formats, before.mode, len(before.pages)) == ("post", ("json", "txt"), None, 2)
    assert (behind.profile, behind.formats, behind.mode, len(behind.pages)) == ("invoices", ("json",), 0o600, 2)
    assert (before.review, behind.review) == ((), ())
    assert (content(pile, before)["profile"], content(pile, behind)["profile"]) == ("post", "invoices")
    assert (pile.places.outbox / f"{behind.stem}.json").stat().st_mode & 0o777 == 0o600
    assert not (pile.places.outbox / f"{behind.stem}.txt").exists()


def test_the_next_sheet_ends_what_the_one_before_says(piles: Make) -> None:
    """Whether it names another profile or none; of several in a row the last one counts."""
    other = SheetProfile("letters", formats=("txt",))
    plans = scanned(piles(), other, INVOICES, "text", "", "text", other, "text")
    assert [plan.profile for plan in plans] == ["invoices", "post", "letters"]


def test_a_blank_page_that_divides_keeps_the_profile(piles: Make) -> None:
    """There is no sheet between the two documents."""
    split = SheetProfile("letters", formats=("txt",), blank="split")
    assert [plan.profile for plan in scanned(piles(), split, "text", "blank", "text")] == ["letters", "letters"]


def test_a_name_without_a_profile_is_marked_and_does_nothing_else(piles: Make) -> None:
    """The sheet is still a separator."""
    pile = piles()
    first, second = scanned(pile, "text", UNKNOWN, "text")
    assert first.review == ()
    assert second.review == ('the separator sheet a_2.jpg names a profile that does not exist: "else"',)
    assert (second.profile, second.formats, second.mode) == ("post", ("json", "txt"), None)
    assert content(pile, second)["review_reasons"] == list(second.review)


def test_a_profile_with_other_formats_is_marked(piles: Make) -> None:
    """The pages were read with those of their folder: the document has these."""
    (plan,) = scanned(piles(), SheetProfile("archive", formats=("pdf",)), "text")
    assert (plan.profile, plan.formats) == ("archive", ("json", "txt"))
    assert plan.review == ("the separator sheet a_1.jpg names a profile with none of the formats that its pages have",)


def test_the_options_of_a_profile_are_those_of_the_settings() -> None:
    """Its formats that can have several pages; what it says of blank pages, if it makes documents."""
    found = settings(
        {"match": "a/**", "name": "invoices", "output": {"formats": ["explain", "txt", "pdf"], "mode": "0640"}},
        {"match": "b/**", "group": {"by": "name", "blank": "split"}, "output": {"group": "staff"}},
    )
    assert sheet_profile(("invoices",), found, {}) == SheetProfile("invoices", "", ("pdf", "txt"), "", 0o640, None)
    assert sheet_profile(("b/**",), found, {"staff": 50}) == SheetProfile("b/**", "", ("txt",), "split", None, 50)
    assert sheet_profile((), found, {}) is None


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("invoice",), 'names a profile that does not exist: "invoice"'),
        (("a\n\x1b[2J",), 'names a profile that does not exist: "a\\n\\x1b[2J"'),
        (("x" * 201,), f'names a profile that does not exist: "{"x" * 60}…"'),
        (("../invoices", "invoices"), 'names several profiles, such as "../invoices" and "invoices"'),
    ],
)
def test_a_printed_name_is_data(names: tuple[str, ...], problem: str) -> None:
    """Only a profile's whole name is one; what is said of others is one line without control characters."""
    assert sheet_profile(names, settings({"match": "invoices/**", "name": "invoices"}), {}) == SheetProfile("", problem)


def test_the_sides_of_a_sheet_may_not_name_two_profiles() -> None:
    """One that names none counts for nothing."""
    assert common_profile([None, INVOICES, INVOICES]) == INVOICES
    assert common_profile([None, None]) is None
    assert common_profile([INVOICES, UNKNOWN]).problem == "names another profile on its other side"  # type: ignore[union-attr]


def test_a_place_in_a_stack_is_the_same_after_a_restart() -> None:
    """One that an older ocrwatch has recorded names no profile."""
    for sheet in (None, INVOICES):
        place = StackPage(1, ("txt",), is_separator=True, sheet=sheet)
        plan = Plan("a.jpg", FileFacts(1, 2, 3, 4), None, "", "a", "archive", "a.jpg", page=place)
        assert Plan.from_json(plan.to_json()) == plan
    older = json.loads(plan.to_json())
    del older["page"]["sheet"]
    found = Plan.from_json(json.dumps(older)).page
    assert found is not None
    assert (found.is_separator, found.sheet) == (True, None)
    document = json.loads(DocumentPlan("a", "", "name", "quiet", ("txt",), ()).to_json())
    del document["profile"]
    assert DocumentPlan.from_json(json.dumps(document)).profile == ""
