"""What is logged of a scan that was read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocrwatch.delivery.step_order import Delivered
from ocrwatch.document import EngineInfo, FieldSummary, PageSummary, Second, Standing
from ocrwatch.events import ScanDelivered, subscribe
from ocrwatch.observe.scan_events import publish_delivered
from ocrwatch.recipe import Recipe
from ocrwatch.render.base import RenderedPage
from ocrwatch.scan import Batch, Scan, SettledFile
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts

PAGE = PageSummary(EngineInfo("tesserocr", "5.5.0", ("eng",)), 0, None)
DELIVERED = Delivered(1, "a.jpg", ("a.txt",), "a.jpg", "archive")


def told(page: PageSummary, *, preview_chars: int = 0, fields: tuple[FieldSummary, ...] | None = None) -> ScanDelivered:
    """Publish that a page was delivered; return the event."""
    file = SettledFile("a.jpg", FileFacts(1, 1, 10, 0, 0), fresh=True, ready_at=0.0)
    scan = Scan(file, Batch(1, 1), Settings().for_path("a.jpg"), Recipe())
    heard: list[ScanDelivered] = []
    unsubscribe = subscribe(heard.append, ScanDelivered)
    publish_delivered(scan, RenderedPage((), page, fields=fields), DELIVERED, preview_chars=preview_chars)
    unsubscribe()
    (event,) = heard
    return event


def test_a_page_that_was_not_read_again_has_no_fields_for_it() -> None:
    """A page of one reader is told as ever."""
    assert not {"second", "second_lines", "warnings"} & set(told(PAGE).fields())


@pytest.mark.parametrize("lines", [0, 7])
def test_a_page_that_was_read_again_says_by_whom_and_how_much(lines: int) -> None:
    """The second reader has its name and version beside the first one's, and its lines are counted, also none."""
    event = told(replace(PAGE, second=Second("rapidocr", "3.10.0", lines)))
    assert (event.engine, event.second, event.second_lines) == ("tesserocr 5.5.0", "rapidocr 3.10.0", lines)


def test_a_second_reader_that_failed_is_told_with_the_reason() -> None:
    """The page's warnings say why."""
    failed = replace(PAGE, second=Second("rapidocr", "3.10.0", 0, "it failed"), warnings=("it could not: it failed",))
    event = told(failed)
    assert (event.second, event.second_lines) == ("rapidocr 3.10.0", 0)
    assert event.warnings == ("it could not: it failed",)


@pytest.mark.parametrize(("chars", "preview"), [(0, None), (4, "some"), (100, "some text")])
def test_the_beginning_of_the_text_is_as_long_as_the_log_wants(chars: int, preview: str | None) -> None:
    """The summary may have more of it, for a terminal."""
    event = told(replace(PAGE, preview="some text"), preview_chars=chars)
    assert event.preview == preview
    assert event.beginning == "some text"


def test_words_and_confidence_are_those_of_the_summary() -> None:
    """The confidence has one decimal, or is missing if the engine gave no number."""
    event = told(replace(PAGE, words=7, confidence=96.3345))
    assert (event.words, event.confidence) == (7, 96.3)
    assert told(PAGE).confidence is None


def test_fields_are_logged_as_counts() -> None:
    """The log has neither their names nor their values; hooks and listeners get the fields."""
    fields = (
        FieldSummary("date", Standing.VERIFIED, required=True, value="2026-11-27"),
        FieldSummary("total", Standing.MISSING, required=True, value=""),
        FieldSummary("shop", Standing.VERIFIED, required=False, value="Confidential & Sons"),
    )
    event = told(PAGE, fields=fields)
    assert event.fields()["field_standings"] == "2 verified, 1 missing"
    assert event.found_fields == fields
    assert "found_fields" not in event.fields()
    assert "Confidential" not in repr(event)


@pytest.mark.parametrize("fields", [None, ()])
def test_a_page_without_fields_has_no_counts(fields: tuple[FieldSummary, ...] | None) -> None:
    """Its line in the log is as short as ever."""
    assert "field_standings" not in told(PAGE, fields=fields).fields()
