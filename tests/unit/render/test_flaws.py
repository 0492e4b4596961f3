"""What comes back from a worker, or from another package's executor, must be what was requested."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ocrwatch.document import LONGEST_VALUE, EngineInfo, FieldSummary, PageSummary, Standing
from ocrwatch.recipe import FieldRule
from ocrwatch.render.base import RenderedPage, RenderRequest, StoredSidecar
from ocrwatch.render.registry import flaw_of

SUMMARY = PageSummary(EngineInfo("fake", "1", ()), 1, 90.0)
REQUEST = RenderRequest(("txt",), b"a.jpg", 1, "aa" * 32, preview_chars=5)


def rendered(*endings: str, **summary: Any) -> RenderedPage:
    """Return a page with empty sidecars."""
    return RenderedPage(tuple((ending, b"") for ending in endings), replace(SUMMARY, **summary))


@pytest.mark.parametrize(
    ("formats", "sidecars", "fits"),
    [
        (("txt", "json"), ("json", "txt"), True),
        (("json", "txt"), ("json", "txt"), True),
        (("txt",), ("txt",), True),
        (("txt", "json"), ("txt", "json"), False),
        (("txt", "json"), ("txt",), False),
        (("txt",), ("json", "txt"), False),
        (("txt",), ("txt", "txt"), False),
        (("txt",), ("../txt",), False),
        (("txt",), (), False),
    ],
)
def test_an_answer_has_the_sidecars_that_were_requested(
    formats: tuple[str, ...], sidecars: tuple[str, ...], *, fits: bool
) -> None:
    """All of them, no others, in the order of publishing."""
    flaw = flaw_of(rendered(*sidecars), replace(REQUEST, formats=formats))
    assert flaw == ("" if fits else "other sidecars than were requested")


@pytest.mark.parametrize(
    ("page", "flaw"),
    [
        (None, "a NoneType"),
        (RenderedPage((("txt", b""),), None), "a RenderedPage"),  # type: ignore[arg-type]
        (RenderedPage((("txt", "text"),), SUMMARY), "a sidecar that is not bytes"),  # type: ignore[arg-type]
        (RenderedPage((("txt", StoredSidecar("/etc/passwd", 1, "ab")),), SUMMARY), "a sidecar that is not bytes"),
        (rendered("txt", confidence=float("inf")), "a confidence that is not finite"),
        (rendered("txt", confidence=float("nan")), "a confidence that is not finite"),
        (rendered("txt", review_reasons=("x" * 100_001,)), "remarks that are too long"),
        (rendered("txt", preview="longer"), "remarks that are too long"),
        (rendered("txt", preview="short", confidence=None), ""),
    ],
)
def test_values_that_ledger_and_log_cannot_take_are_refused(page: Any, flaw: str) -> None:
    """SQLite cannot read infinity again, and a review reason of megabytes would go to each log line."""
    assert flaw_of(page, REQUEST) == flaw


@pytest.mark.parametrize(
    ("names", "flaw"),
    [
        (None, ""),
        (("date", "total"), ""),
        (("total", "date"), "other fields than were requested"),
        (("date",), "other fields than were requested"),
        ((), "other fields than were requested"),
    ],
)
def test_an_answer_has_the_fields_that_were_requested(names: tuple[str, ...] | None, flaw: str) -> None:
    """In their order, or none at all if the scan was read without them."""
    fields = (
        None if names is None else tuple(FieldSummary(name, Standing.READ, required=False, value="1") for name in names)
    )
    request = replace(REQUEST, fields=(FieldRule("date"), FieldRule("total")))
    assert flaw_of(replace(rendered("txt"), fields=fields), request) == flaw


def test_values_of_fields_have_a_limit() -> None:
    """Each of them, however many fields there are: they go to hooks and to a list in the outbox."""
    names = [f"field{number}" for number in range(60)]
    request = replace(REQUEST, fields=tuple(map(FieldRule, names)))
    for length, flaw in ((LONGEST_VALUE, ""), (LONGEST_VALUE + 1, "a value of a field that is too long")):
        fields = tuple(FieldSummary(name, Standing.READ, required=False, value="x" * length) for name in names)
        assert flaw_of(replace(rendered("txt"), fields=fields), request) == flaw
