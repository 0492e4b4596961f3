"""What ledger, log and hooks are told of a file with several pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ocrwatch.document import EngineInfo, FieldSummary, PageSummary, Second, Standing
from ocrwatch.documents.file_summary import ReadPage, file_fields, file_summary

TESSERACT = EngineInfo("tesserocr", "5.5.0", ("eng",))
PDFIUM = EngineInfo("pdfium", "1", ())


def page(number: int, words: int = 0, confidence: float | None = None, **summary: Any) -> ReadPage:
    """Return a page that was read."""
    engine = summary.pop("engine", TESSERACT)
    return ReadPage(number, PageSummary(engine, words, confidence, **summary))


def missing(number: int, reason: str = "torn") -> ReadPage:
    """Return one that was not."""
    return ReadPage(number, code="damaged", reason=reason)


def doubtful(*numbers: int) -> list[ReadPage]:
    """Return pages to review."""
    return [page(number, review_reasons=("confidence 54", "50 % of the marks unread")) for number in numbers]


def found(name: str, standing: Standing, value: str = "", *, required: bool = False) -> FieldSummary:
    """Return a field."""
    return FieldSummary(name, standing, required, value)


def reasons(pages: Sequence[ReadPage]) -> tuple[str, ...]:
    """Return why the file should be reviewed."""
    return file_summary(pages, 10).review_reasons


def test_words_are_counted_and_weigh_the_confidence() -> None:
    """Pages without text, or whose engine gives no number, do not count for it."""
    pages = [page(1, 30, 90.0), page(2, 10, 50.0), page(3), page(4, 100, None), missing(5)]
    summary = file_summary(pages, 10)
    assert (summary.words, summary.confidence) == (140, 80.0)
    assert file_summary([page(1), page(2, 5)], 10).confidence is None


def test_the_engine_is_that_of_most_pages() -> None:
    """Of as many pages, the first one's."""
    assert file_summary([page(1, engine=PDFIUM), page(2), page(3)], 10).engine == TESSERACT
    assert file_summary([page(1, engine=PDFIUM), page(2), missing(3)], 10).engine == PDFIUM


def test_the_second_engine_is_one_that_could_read() -> None:
    """Its lines on all pages are counted; a failure is told only if no page was read again."""
    failed = Second("rapidocr", "3", 0, "it is not available")
    pages = [page(1, second=failed), page(2, second=Second("rapidocr", "3", 4)), page(3)]
    assert file_summary([*pages, page(4, second=Second("rapidocr", "3", 2))], 10).second == Second("rapidocr", "3", 6)
    assert file_summary([pages[0], page(2)], 10).second == failed
    assert file_summary([page(1)], 10).second is None


def test_the_beginning_is_of_as_many_pages_as_it_takes() -> None:
    """A cover sheet has few words; there is one line between two pages."""
    pages = [page(1, preview="FAX\n"), page(2), missing(3), page(4, preview="Dear Sir")]
    assert file_summary(pages, 100).preview == "FAX\nDear Sir"
    assert file_summary(pages, 6).preview == "FAX\nDe"


@pytest.mark.parametrize(
    ("pages", "is_blank"),
    [
        ([page(1, is_blank=True), page(2, is_blank=True)], True),
        ([page(1, is_blank=True), page(2, 1)], False),
        ([page(1, is_blank=True), missing(2)], False),
    ],
)
def test_a_file_is_blank_if_all_its_pages_are(pages: list[ReadPage], *, is_blank: bool) -> None:
    """A missing page may have print on it."""
    assert file_summary(pages, 10).is_blank is is_blank


def test_a_file_is_neither_doubtful_nor_a_separator() -> None:
    """Its pages have been read again already, and it is a document of its own."""
    summary = file_summary([page(1, is_doubtful=True, is_separator=True)], 10)
    assert (summary.is_doubtful, summary.is_separator) == (False, False)


def test_reasons_for_a_review_name_their_pages() -> None:
    """Missing pages come first; the only page of a file needs no number."""
    assert reasons([page(1), *doubtful(2), missing(3, "torn")]) == (
        "page 3 of 3 is missing: torn",
        "page 2 of 3: confidence 54, 50 % of the marks unread",
    )
    assert reasons([page(1), page(2)]) == ()
    assert reasons(doubtful(1)) == ("confidence 54, 50 % of the marks unread",)


def test_reasons_of_many_pages_stay_readable() -> None:
    """The first few are named, the others counted, and a long one is cut: they are one line of the log."""
    unsure = [page(number, review_reasons=(f"{number} % of the marks unread",)) for number in range(1, 493)]
    pages = [*unsure, *map(missing, range(493, 499)), page(499), missing(500, "x" * 9999)]
    told = reasons(pages)
    assert told[4:7] == ("page 497 of 500 is missing: torn", "and 2 more pages are missing", told[6])
    assert told[-2:] == ("page 5 of 500: 5 % of the marks unread", "and 487 more pages")
    assert len(told) == 12
    assert reasons([*map(missing, range(1, 7)), page(7)])[-1] == "and 1 more page is missing"
    (long, *_) = reasons([missing(1, "x" * 9999), page(2)])
    assert (len(long), long[-2:]) == (300, "x…")


def test_the_same_reasons_of_several_pages_are_told_once() -> None:
    """With the first page that has them, and how many others have; all pages are counted."""
    assert reasons([*doubtful(1, 2, 3), page(4, review_reasons=("confidence 54",))]) == (
        "page 1 of 4: confidence 54, 50 % of the marks unread (and 2 more pages)",
        "page 4 of 4: confidence 54",
    )
    unsure = [page(number, review_reasons=(f"confidence {number}",)) for number in range(4, 11)]
    assert reasons([*doubtful(1, 2, 3), *unsure])[-1] == "and 3 more pages"


def test_warnings_are_told_once() -> None:
    """With the first page that has one, and how many others have; only some if there are very many."""
    pages = [page(1), page(2, warnings=("odd",)), page(3, warnings=("odd", "old")), page(4, warnings=("odd",))]
    assert file_summary(pages, 10).warnings == ("page 2 of 4: odd (and 2 more pages)", "page 3 of 4: old")
    many = file_summary([page(1, warnings=tuple(f"odd {number}" for number in range(7)))], 10).warnings
    assert many == (*(f"odd {number}" for number in range(5)), "and 2 more warnings")


def test_a_field_has_the_surest_value_of_all_pages() -> None:
    """The first of those that are as sure, since a total that is carried over is less sure than the last one."""
    read, verified, none = Standing.READ, Standing.VERIFIED, Standing.MISSING
    pages = [
        missing(1),
        ReadPage(2, fields=(found("date", none), found("total", Standing.DOUBTFUL, "1"), found("name", read, "A"))),
        ReadPage(3, fields=(found("date", read, "today"), found("total", verified, "2"), found("name", read, "B"))),
        ReadPage(4, fields=(found("date", none), found("total", verified, "3"), found("name", none))),
    ]
    assert file_fields(pages) == (
        found("date", read, "today"), found("total", verified, "2"), found("name", read, "A"),
    )  # fmt: skip


def test_fields_that_were_looked_for_on_no_page() -> None:
    """Are unknown, and not missing."""
    assert file_fields([page(1), missing(2)]) is None
    assert file_fields([page(1), ReadPage(2, fields=())]) == ()


def test_a_required_field_must_be_on_one_page_only() -> None:
    """The reason is there once, and only if all pages lack it."""
    lacking = (found("total", Standing.MISSING, required=True),)
    having = (found("total", Standing.READ, "1", required=True),)
    summary = PageSummary(TESSERACT, 1, 90.0)
    pages = [ReadPage(number, summary, lacking) for number in (1, 2)]
    assert reasons(pages) == ("required field total is missing",)
    assert reasons([*pages, ReadPage(3, summary, having)]) == ()
