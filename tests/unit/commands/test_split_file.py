"""What commands read of the pages of a file is joined as the daemon joins it."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pikepdf import AttachedFileSpec, Pdf

from ocrwatch.commands.fields import _fields_of
from ocrwatch.commands.file_reading import RenderedFile, notes_of
from ocrwatch.commands.split_file import SplitFiles
from ocrwatch.errors import Damaged, EnvironmentFault, OcrwatchError, UsageError
from ocrwatch.executors.rendering import render_page
from ocrwatch.render.base import RenderedPage, RenderRequest
from ocrwatch.settings import Settings
from tests.fake_executor import page_of
from tests.pdf_files import Sheet, made, text
from tests.several_pages import tiff_of
from tests.unit.render.made_tables import table_of

PATH = Path("faxes/fax.tif")
THREE = tiff_of([1, 2, 3])


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give temporary files a folder of their own, which is empty in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(tmp_path.iterdir())


def result(
    *formats: str, page: int = 0, content: bytes = THREE, faults: dict[int, OcrwatchError] | None = None
) -> RenderedPage | None:
    """Return what becomes of a file whose pages have one word each, but for those with a fault."""

    async def scenario() -> RenderedPage | None:
        files = SplitFiles(Settings(), Settings(), formats, page)
        try:
            async with files.opened(PATH, content) as file:
                if file is None:
                    return None
                for number in file.numbers:
                    if faults is not None and number in faults:
                        file.ended(number, faults[number])
                    else:
                        assert await file.split(number) is not None
                        await file.keep(number, rendered(number, formats))
                return await file.joined()
        finally:
            files.close()

    return asyncio.run(scenario())


def rendered(number: int, formats: tuple[str, ...]) -> RenderedPage:
    """Render a page as a worker does."""
    request = RenderRequest(formats, b"faxes/fax.tif", 3, "ab" * 32, preview_chars=100, page=number)
    return render_page(replace(page_of(f"word{number}"), tables=(table_of(["a", str(number)]),)), request)


def test_pages_are_joined_and_those_that_are_missing_are_named() -> None:
    """With the number of the page, the reason and the remedy."""
    found = result("txt", faults={2: Damaged("it is torn", "scan it again")})
    assert isinstance(found, RenderedFile)
    assert dict(found.sidecars)["txt"] == b"word1\n\f[page 2 of 3 (fax.tif) is missing: it is torn]\n\fword3\n"
    assert found.missing == ("page 2 of 3 is missing: it is torn; scan it again",)
    assert found.summary.words == 2


def test_what_the_text_of_a_file_lacks_besides_pages_is_said() -> None:
    """Each once, with the first page that has it; no page has to be missing."""
    pdf = Pdf.open(io.BytesIO(made([Sheet(text([(50, 50, "see the attached file")]))] * 2)))
    pdf.attachments["a.docx"] = AttachedFileSpec(pdf, b"PK", filename="a.docx")
    pdf.save(portfolio := io.BytesIO())
    for page in (0, 1):
        found = result("txt", page=page, content=portfolio.getvalue())
        assert isinstance(found, RenderedFile)
        assert (found.missing, found.notes) == ((), ("page 1 of 2: 1 attached file is not read: a.docx",))
    assert notes_of(rendered(1, ("txt",))) == ()


def test_a_note_of_several_pages_is_said_once() -> None:
    """If the list of objects is damaged, all pages have the note."""
    damaged = made([Sheet(text([(50, 50, "some words")]))] * 3).replace(b"startxref", b"startxxxx")
    found = result("txt", content=damaged)
    assert isinstance(found, RenderedFile)
    (note,) = found.notes
    assert note.startswith("page 1 of 3: the PDF is damaged")
    assert note.endswith(" (and 2 more pages)")


def test_one_page_of_a_file_is_like_an_image() -> None:
    """Formats that show one page have it; a page that the file has not is refused."""
    found = result("txt", page=3)
    assert found == rendered(3, ("txt",))
    with pytest.raises(UsageError, match="it has 3 pages, and no page 4"):
        result("txt", page=4)
    with pytest.raises(UsageError, match="it has 3 pages, and a picture shows one"):
        result("txt", "explain")


def test_an_image_has_no_pages() -> None:
    """A TIFF with one page is read like any image."""
    assert result("txt", content=tiff_of([1])) is None


def test_a_file_of_which_nothing_can_be_read_is_no_text() -> None:
    """The reason is that of its first page, or what keeps all files from being read."""
    torn = {number: Damaged(f"torn {number}") for number in (1, 2, 3)}
    with pytest.raises(Damaged, match="none of its 3 pages can be read; the first: torn 1"):
        result("txt", faults={**torn})
    with pytest.raises(EnvironmentFault, match="no engine"):
        result("txt", faults={1: EnvironmentFault("no engine")})


def test_tables_of_all_pages_follow_each_other() -> None:
    """With an empty line between two of them; a page that is missing has a row that says so."""
    found = result("csv", faults={2: Damaged("it is torn")})
    assert found is not None
    assert dict(found.sidecars)["tables.csv"] == (
        b"\xef\xbb\xbfa,1\r\n\r\n[page 2 of 3 (fax.tif) is missing: it is torn]\r\n\r\na,3\r\n"
    )


def test_a_field_of_a_file_has_the_best_value_of_its_pages() -> None:
    """Of two that are equally sure the first; a missing page has none."""
    pages = [
        {"page": {"fields": {"date": {"standing": "missing"}, "total": {"standing": "read", "value": "1"}}}},
        {"page": None},
        {"page": {"fields": {"date": {"standing": "verified"}, "total": {"standing": "read", "value": "2"}}}},
    ]
    assert _fields_of({"pages": pages}) == {
        "date": {"standing": "verified"},
        "total": {"standing": "read", "value": "1"},
    }
    assert _fields_of({"fields": {"date": {"standing": "read"}}}) == {"date": {"standing": "read"}}
