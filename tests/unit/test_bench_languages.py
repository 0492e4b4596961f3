"""Which languages the benches read a corpus with."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.recognise.tessdata import SUFFIX
from tests.bench.corpora import Corpus, corpora_from
from tests.bench.languages import FILE, declared, from_name, installed, joined

KNOWN = frozenset({"eng", "fra", "grc", "chi_sim"})


@pytest.fixture(autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a few languages installed, whatever the machine has."""
    folder = tmp_path_factory.mktemp("tessdata")
    for name in (*KNOWN, "osd"):
        (folder / f"{name}{SUFFIX}").touch()
    monkeypatch.setenv("TESSDATA_PREFIX", str(folder))
    installed.cache_clear()


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """Return a folder with corpora of one scan each."""
    for name in ("letters", "greek-grc", "phone-fra", "fraktur-a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").touch()
    return tmp_path


def languages(folder: Path) -> dict[str, str]:
    """Return the languages of each corpus in a folder."""
    return {name: joined(corpus.languages) for name, corpus in corpora_from(folder, folder).items()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("greek-grc", "grc"),
        ("phone-fra", "fra"),
        ("fra-18c", "fra"),
        ("fra", "fra"),
        ("fra-and-grc", "grc"),
        ("scans-chi_sim", "chi_sim"),
        ("books-deu", "eng"),
        ("francais", "eng"),
        ("FRA", "eng"),
        ("", "eng"),
    ],
)
def test_a_name_tells_a_language(name: str, expected: str) -> None:
    """The last part that is an installed language counts; the rest is English."""
    assert from_name(name, KNOWN) == (expected,)


def test_what_is_installed_are_languages() -> None:
    """The data for page orientation is no language."""
    assert installed() == KNOWN


def test_without_a_file_the_names_decide(corpora: Path) -> None:
    """Corpora in several languages lie side by side."""
    assert languages(corpora) == {"letters": "eng", "greek-grc": "grc", "phone-fra": "fra", "fraktur-a": "eng"}


def test_the_folder_above_may_name_languages(corpora: Path) -> None:
    """A name goes before a pattern, and both before what the folder's own name tells."""
    (corpora / FILE).write_text('[languages]\n"*-fra" = "eng"\n"phone-fra" = ["fra", "eng"]\n"fraktur-*" = "fra"\n')
    assert languages(corpora) == {"letters": "eng", "greek-grc": "grc", "phone-fra": "fra+eng", "fraktur-a": "fra"}


def test_a_corpus_knows_best(corpora: Path) -> None:
    """Its own file goes before the one above, whose ``language`` is not inherited."""
    (corpora / "b.jpg").touch()
    (corpora / FILE).write_text('language = "grc"\n[languages]\n"*" = "eng"\n')
    (corpora / "letters" / FILE).write_text('language = ["fra", "grc"]\n')
    found = languages(corpora)
    assert (found[corpora.name], found["letters"], found["phone-fra"]) == ("grc", "fra+grc", "eng")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("language = fra", "is not readable as TOML"),
        ("language = 3", "language = 3 names no language; write"),
        ("language = []", "names no language; write"),
        ('language = ["fra", ""]', "names no language; write"),
        ('language = "fra+eng"', 'joins languages by [+]; write a list, such as "fra" or'),
        ('language = "deu"', "language: Tesseract has no data for the language deu in .*; run: apt-get install"),
        ('lang = "fra"', "lang is unknown; write language"),
        ('languages = "fra"', r"languages is no table; write \[languages\]"),
        ('[languages]\n"a-*" = 1', 'languages."a-[*]" = 1 names no language'),
    ],
)
def test_a_wrong_file_is_said_so(tmp_path: Path, content: str, sentence: str) -> None:
    """The sentence names the file and what to write."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(SystemExit, match=sentence) as ended:
        declared(tmp_path)
    assert str(tmp_path / FILE) in str(ended.value)


def test_titles_name_languages_that_are_not_english() -> None:
    """A table says what its corpus was read with."""
    assert (Corpus("a", []).title, Corpus("b", [], ("fra", "eng")).title) == ("a", "b (fra+eng)")
