"""Formats are found by name, built in or brought along by another package; none of them can do more than fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.delivery.field_lists import STAGED_ENDING
from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Word
from ocrwatch.errors import EnvironmentFault, InternalFault, UsageError
from ocrwatch.render import registry
from ocrwatch.render.base import Format, Original
from tests.documentation import blocks
from tests.other_formats import PACKAGE, installed

BUILT_IN, ENDINGS = registry.names(), registry.endings()
BOX = Box(0, 0, 1, 1)
PAGE = Page(1, 1, None, 1, (Block((Line((Word("word", BOX, 90.0),), BOX),), BOX),), EngineInfo("e", "1", ()))
GOOD, BAD = Original("good.jpg", 1, ""), Original("bad.jpg", 1, "")


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[None]:
    """Have one more format installed, which works."""
    with installed(tmp_path, "marks"):
        yield


def test_the_built_in_formats_are_there() -> None:
    """Both are known by name and ending; an unknown one is an error that lists them."""
    assert BUILT_IN[:2] == ("txt", "json")
    assert {"txt", "json"} <= set(ENDINGS)
    with pytest.raises(UsageError, match=r"no format named 'docx'; set output.formats to some of: txt, json"):
        registry.load("docx")


@pytest.mark.usefixtures("marks")
def test_another_packages_format_is_found() -> None:
    """A format needs a class and an entry point, and no change here."""
    assert registry.names() == (*BUILT_IN, "marks")
    assert registry.is_installed("marks")
    assert set(registry.endings()) == {*ENDINGS, "marks.csv"}
    assert registry.load("marks") is registry.load("marks")
    rendered = registry.render(PAGE, GOOD, ("txt", "marks", "json"))
    assert [ending for ending, _ in rendered] == ["json", "marks.csv", "txt"]
    assert dict(rendered)["marks.csv"] == b"good.jpg: 1 words\n"


@pytest.mark.usefixtures("marks")
def test_the_text_is_the_commit_mark_if_there_is_one() -> None:
    """What is published last tells that all is there: .txt, or the last of the others."""
    assert registry.commit_mark(("txt", "marks", "json")) == "txt"
    assert registry.commit_mark(("marks", "json")) == "marks.csv"
    assert registry.commit_mark(("json",)) == "json"


def test_names_are_known_without_importing(tmp_path: Path) -> None:
    """A package whose module is not there shows its formats all the same; used, it is an error with a remedy."""
    with installed(tmp_path, "marks", broken="there_is_no_such_module:Format"):
        assert registry.is_installed("broken")
        assert registry.names() == (*BUILT_IN, "broken", "marks")
        assert set(registry.endings()) == {*ENDINGS, "marks.csv"}
        with pytest.raises(EnvironmentFault, match="there_is_no_such_module") as caught:
            registry.load("broken")
    assert caught.value.message.startswith(f"the format broken of the package {PACKAGE} cannot be used")
    assert "take broken out of output.formats" in caught.value.remedy


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("x = 1", "AttributeError"),
        ("import sys; sys.exit(1)", "SystemExit: 1"),
        ("1/0", "ZeroDivisionError"),
        ("class Format:\n    def __init__(self, page): ...", "TypeError"),
        ("class Format:\n    name, ending = 'broken', 'broken'", "it has no method render"),
        ("class Format:\n    name = 'broken'", "its ending None cannot be that of a file"),
    ],
)
def test_a_package_that_is_broken_in_any_way_is_an_error_with_a_remedy(tmp_path: Path, module: str, said: str) -> None:
    """Whatever happens when it is loaded, the message names format and package."""
    (tmp_path / "broken_format.py").write_text(module)
    with installed(tmp_path, broken="broken_format:Format"), pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "broken_format", raising=False)
        with pytest.raises(EnvironmentFault) as caught:
            registry.load("broken")
    assert f"the format broken of the package {PACKAGE} cannot be used (" in caught.value.message
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other-name", "its name is 'marks', that of its entry point 'other-name'"),
        ("escapes", "its ending '../x' cannot be that of a file"),
        ("like-scans", "its ending 'JPG' is that of scans, or of a format that is built in"),
        ("like-texts", "its ending 'words.txt' is that of scans, or of a format that is built in"),
        ("like-tables", "its ending 'csv' is that of scans, or of a format that is built in"),
        ("like-alto", "its ending 'XML' is that of scans, or of a format that is built in"),
    ],
)
def test_an_ending_that_would_do_harm_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """A sidecar lies beside the others, under a name of its own."""
    with installed(tmp_path, name):
        with pytest.raises(EnvironmentFault) as caught:
            registry.load(name)
        assert registry.endings() == ENDINGS
    assert said in caught.value.message


def test_the_endings_of_built_in_formats_are_reserved() -> None:
    """And those of scans, and of lines for the list of fields."""
    assert set(registry._RESERVED) == {*ENDINGS, "jpg", "jpeg", "png", "tif", "tiff", STAGED_ENDING}


@pytest.mark.parametrize(("name", "package"), [("pdf", "pikepdf"), ("xlsx", "XlsxWriter")])
def test_a_format_whose_library_is_missing_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    """PDF and workbook need extras; without them all other formats work, and the start says what to do."""
    registry.load.cache_clear()
    try:
        with monkeypatch.context() as patch:
            find_spec = "ocrwatch.render.extra_package.find_spec"
            patch.setattr(find_spec, lambda module: None if module == package.lower() else module)
            with pytest.raises(EnvironmentFault) as caught:
                registry.load(name)
            assert registry.load("alto").ending == "alto.xml"
    finally:
        registry.load.cache_clear()
    assert caught.value.message == f"the format {name} needs the package {package}"
    assert f"pip install 'ocrwatch[{name}]'" in caught.value.remedy
    assert f"take {name} out of output.formats" in caught.value.remedy


@pytest.mark.parametrize(("name", "package"), [("pdf", "pikepdf"), ("xlsx", "XlsxWriter")])
def test_a_library_that_cannot_be_loaded_is_no_scans_fault(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    """Scans wait until it can be."""
    assert registry.load(name).name == name
    monkeypatch.delitem(sys.modules, f"ocrwatch.render.{name}_file", raising=False)
    monkeypatch.setitem(sys.modules, package.lower(), None)
    with pytest.raises(EnvironmentFault, match=f"the package {package} cannot be loaded"):
        registry.render(PAGE, GOOD, (name,))


def test_formats_that_show_the_original_say_so(tmp_path: Path) -> None:
    """Of others none is sent the scan."""
    assert [name for name in BUILT_IN if registry.needs_original((name,))] == ["pdf", "explain"]
    with installed(tmp_path, "shows", "marks"):
        assert registry.needs_original(("txt", "shows"))
        assert not registry.needs_original(("txt", "marks"))


def test_formats_that_write_tables_say_so() -> None:
    """They are useless unless tables are looked for."""
    assert registry.table_formats(BUILT_IN) == ("csv", "xlsx")
    assert registry.table_formats(("txt", "json")) == ()


def test_two_formats_with_one_ending_are_refused_together(tmp_path: Path) -> None:
    """One of them can be used, in upper case or lower; both would take each other's names again and again."""
    with installed(tmp_path, "marks", "twin"):
        assert [each.name for each in registry.choose(("twin", "txt"))] == ["twin", "txt"]
        with pytest.raises(UsageError, match=r"the formats marks and twin both write files that end in \.Marks\.CSV"):
            registry.choose(("txt", "twin", "marks"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", "failed (ValueError('no such glyph'))"),
        ("exits", "failed (SystemExit(3))"),
        ("returns-text", "returned str and no bytes"),
    ],
)
def test_a_format_that_fails_says_so_of_this_scan_only(tmp_path: Path, name: str, said: str) -> None:
    """Its bug is named with its package and what to do; the next scan is rendered."""
    with installed(tmp_path, name):
        with pytest.raises(InternalFault) as caught:
            registry.render(PAGE, BAD, ("txt", name))
        assert [ending for ending, _ in registry.render(PAGE, GOOD, ("txt", name))][-1] == "txt"
    assert caught.value.message == f"a bug in another package: the format {name} of the package {PACKAGE} {said}"
    assert f"take {name} out of output.formats" in caught.value.remedy
    assert ("in render" in caught.value.trace) == ("failed" in said)


def test_a_format_without_memory_is_not_at_fault(tmp_path: Path) -> None:
    """The scan is to be delivered when there is memory."""
    with installed(tmp_path, "starved"), pytest.raises(MemoryError):
        registry.render(PAGE, GOOD, ("starved",))


def test_the_built_in_formats_cannot_be_replaced(tmp_path: Path) -> None:
    """A rebuilt ledger knows scans by what their JSON says."""
    with installed(tmp_path, txt="tests.other_formats:Marks"):
        assert registry.render(PAGE, GOOD, ("txt",)) == (("txt", b"word\n"),)


def test_the_format_in_the_documentation_renders_a_page() -> None:
    """It is a format, and gives what the page on it says."""
    (example,) = (block for block in blocks("python") if "class Words" in block)
    scope: dict[str, Any] = {}
    exec(example, scope)  # noqa: S102 - our own documentation
    words = tuple(Word(text, Box(0, 0, 9, 9), 90.0) for text in ("two", "words"))
    page = Page(9, 9, None, 1, (Block((Line(words, Box(0, 0, 9, 9)),), Box(0, 0, 9, 9)),), EngineInfo("any", "1", ()))
    found: Format = scope["Words"]()
    assert (found.name, found.ending) == ("words", "words.lst")
    assert found.render(page, Original("a.jpg", 1, "0" * 64)) == b"two\nwords\n"
