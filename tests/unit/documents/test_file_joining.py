"""The pages of one file become one set of sidecars, whose files stay in the state folder until they are delivered."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.commands.file_reading import content_of
from ocrwatch.documents.file_joining import FileJoining
from ocrwatch.documents.file_summary import ReadPage, file_fields, file_summary
from ocrwatch.documents.joiner import Joiner
from ocrwatch.errors import EnvironmentFault, InternalFault
from ocrwatch.executors.rendering import render_page
from ocrwatch.render.base import RenderedPage, RenderRequest, StoredSidecar
from ocrwatch.render.joining.base import SourceFile
from ocrwatch.render.joining.job import JoinJob
from tests.fake_executor import page_of
from tests.scripted import refuse
from tests.unit.delivery.interruption import content
from tests.unit.documents.pile import Here

NAME = "0123abcd-1"
PATH = "faxes/fax.tif"
SHA256 = "ab" * 32
SOURCE = SourceFile(PATH, 1234, SHA256)
FORMATS = ("json", "md", "tsv", "txt")
MISSING = ReadPage(2, code="damaged", reason="the strip ends early")


def rendered(number: int, *formats: str) -> RenderedPage:
    """Render a page as a worker does."""
    request = RenderRequest(formats or (*FORMATS, "hocr"), PATH.encode(), 3, SHA256, preview_chars=100, page=number)
    return render_page(page_of(f"word{number}"), request)


class Fax:
    """A file with three pages, the second of which cannot be read."""

    def __init__(self, root: Path, joiner: Joiner | None = None) -> None:
        self.folder = root / "state" / "pages"
        self.folder.parent.mkdir()
        self.joining = FileJoining(self.folder, joiner or Here())

    def keep(self, *numbers: int) -> list[ReadPage]:
        """Keep pages."""
        return [self.joining.keep(NAME, number, rendered(number), FORMATS) for number in numbers]

    def join(self, pages: Sequence[ReadPage], formats: tuple[str, ...] = FORMATS) -> dict[str, StoredSidecar]:
        """Join pages."""
        return dict(self.joining.join(NAME, SOURCE, ("page 2 of 3 is missing: torn",), pages, formats))


@pytest.fixture
def fax(tmp_path: Path) -> Fax:
    """Make one whose pages are joined in this process."""
    return Fax(tmp_path)


def test_pages_of_a_file_are_joined_and_a_missing_one_names_the_file(fax: Fax) -> None:
    """Each page has the path and the hash of the file, and its number; the document has the name of the file."""
    first, third = fax.keep(1, 3)
    made = fax.join([first, MISSING, third])
    assert tuple(made) == FORMATS
    text = {ending: Path(each.path).read_text() for ending, each in made.items()}
    gap = "[page 2 of 3 (fax.tif) is missing: the strip ends early]"
    assert text["txt"] == f"word1\n\f{gap}\n\fword3\n"
    assert text["md"] == f"word1\n\n---\n\n\\{gap[:-1]}\\]\n\n---\n\nword3\n"
    assert [row.split("\t")[1] for row in text["tsv"].splitlines()[1:]] == [*"11111", "2", *"33333"]
    found: dict[str, Any] = json.loads(text["json"])
    pages = found.pop("pages")
    assert found == {
        "schema": "ocrwatch.document/1",
        "source": {"path": PATH, "bytes": 1234, "sha256": SHA256},
        "name": "fax",
        "folder": "faxes",
        "profile": None,
        "grouped_by": "file",
        "page_count": 3,
        "review": True,
        "review_reasons": ["page 2 of 3 is missing: torn"],
        "dropped": [],
    }
    about = [(page["number"], page["path"], page["sha256"], page["missing"]) for page in pages]
    gap_in_json = {"code": "damaged", "reason": "the strip ends early"}
    assert about == [(1, PATH, SHA256, None), (2, PATH, SHA256, gap_in_json), (3, PATH, SHA256, None)]
    assert [page["page"] and page["page"]["text"] for page in pages] == ["word1\n", None, "word3\n"]


def test_joined_files_are_described_as_they_are(fax: Fax) -> None:
    """By absolute path, size and hash; commands can print them; like all of the state folder they are private."""
    pages = fax.keep(1)
    made = fax.join(pages)
    for stored in made.values():
        data = Path(stored.path).read_bytes()
        assert (stored.size, stored.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert Path(stored.path).is_absolute()
    assert {place.stat().st_mode & 0o777 for place in fax.folder.iterdir()} == {0o600}
    summary = file_summary(pages, 100)
    assert content_of(RenderedPage(tuple(made.items()), summary), "txt") == b"word1\n"
    assert (summary.words, summary.preview, file_fields(pages)) == (1, "word1", None)


def test_the_process_joins_all_formats(tmp_path: Path) -> None:
    """With the real process, which writes into files that the daemon has opened."""
    fax = Fax(tmp_path, Joiner())
    made = fax.join(fax.keep(1, 2), ("txt",))
    assert Path(made["txt"].path).read_text() == "word1\n\fword2\n"


def test_only_what_is_joined_is_kept_and_a_further_reading_replaces_it(fax: Fax) -> None:
    """A page may be read twice, such as after a restart."""
    fax.joining.keep(NAME, 1, rendered(7), FORMATS)
    page = fax.joining.keep(NAME, 1, rendered(1), ("txt", "json"))
    assert page.parts == ("json", "txt")
    assert (page.number, page.is_missing, page.summary) == (1, False, rendered(1).summary)
    kept = content(fax.folder)
    assert kept.keys() == {f"{NAME}-1.{ending}" for ending in ("json", "md", "tsv", "txt")}
    assert kept[f"{NAME}-1.txt"] == b"word1\n"


def test_what_is_discarded_is_that_of_one_file_or_of_all(fax: Fax) -> None:
    """Names that only begin alike are of other files. Nothing to discard is no error."""
    fax.joining.discard(NAME)
    fax.join(fax.keep(1, 2))
    fax.joining.keep(f"{NAME}2", 1, rendered(1), ("txt",))
    fax.joining.discard(NAME)
    assert content(fax.folder).keys() == {f"{NAME}2-1.txt"}
    fax.joining.discard_all()
    assert content(fax.folder) == {}


def test_a_part_that_was_removed_is_the_environments_fault(fax: Fax) -> None:
    """The file is read again; nothing is joined without the page."""
    pages = fax.keep(1, 2)
    (fax.folder / f"{NAME}-2.md").unlink()
    with pytest.raises(EnvironmentFault, match=r"the text of page 2 of fax\.tif is missing in .*/state/pages"):
        fax.join(pages)
    assert f"{NAME}.txt" not in content(fax.folder)


def test_a_page_without_a_wanted_format_is_read_again(fax: Fax) -> None:
    """It was read before a reload of the settings."""
    page = fax.joining.keep(NAME, 1, rendered(1, "txt"), FORMATS)
    with pytest.raises(EnvironmentFault, match="it has no json"):
        fax.join([page])


def test_a_part_that_cannot_be_joined_is_a_bug(fax: Fax) -> None:
    """It would be the same each time: the file goes to the quarantine, and is not read for ever."""
    pages = fax.keep(1, 2)
    (fax.folder / f"{NAME}-2.json").write_bytes(b"{}")
    with pytest.raises(InternalFault, match=r"page 2 of fax\.tif cannot be joined: its json has another schema"):
        fax.join(pages)


def test_a_full_disk_keeps_nothing_half_written(fax: Fax, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of a page nor of the joined files; it is the environment's fault, and names the state folder."""
    pages = fax.keep(1)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as context:
        context.setattr(Here, "join", refuse(full))
        with pytest.raises(EnvironmentFault, match=r"state/pages .*no space left"):
            fax.join(pages)
    before = content(fax.folder)
    assert before.keys() == {f"{NAME}-1.{ending}" for ending in FORMATS}
    with monkeypatch.context() as context:
        context.setattr(os, "fchmod", refuse(full))
        with pytest.raises(EnvironmentFault, match="no space left"):
            fax.keep(2)
    assert content(fax.folder) == before


def test_a_missing_state_folder_is_the_environments_fault(tmp_path: Path) -> None:
    """It is not made anew, as its disk may be away."""
    joining = FileJoining(tmp_path / "away" / "pages", Here())
    for act in (lambda: joining.keep(NAME, 1, rendered(1), FORMATS), lambda: joining.discard(NAME)):
        with pytest.raises(EnvironmentFault, match="cannot work in the folder"):
            act()


class _Dies(Here):
    """A joiner whose process dies of pages that it takes from the file."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.copies: list[str] = []

    def join(self, job: JoinJob, descriptors: tuple[int, ...]) -> dict[str, tuple[int, str]]:
        """Join, or die with half of a file written."""
        assert job.document.source is not None
        self.copies.append(job.document.source.copy)
        if job.document.source.copy:
            os.write(descriptors[0], b"half")
            raise self.error
        return super().join(job, descriptors)


@pytest.mark.parametrize(
    "error",
    [InternalFault("killed by SIGSEGV", ""), EnvironmentFault("no memory", ""), OSError(errno.ENOMEM, "no memory")],
)
def test_a_file_whose_pages_end_the_process_is_joined_without_them(tmp_path: Path, error: Exception) -> None:
    """A hostile PDF costs its own pages: the text is delivered, and images of the pages."""
    joiner = _Dies(error)
    fax = Fax(tmp_path, joiner)
    pages = fax.keep(1)
    source = SourceFile(PATH, 1234, SHA256, "/copy", 1 << 30)
    made = dict(fax.joining.join(NAME, source, (), pages, ("txt",)))
    assert Path(made["txt"].path).read_text() == "word1\n"
    assert joiner.copies == ["/copy", ""]
