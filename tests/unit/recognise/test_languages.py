"""Whoever names a language in another way than Tesseract is told how Tesseract names it."""

from __future__ import annotations

import collections
import shutil
import subprocess

import pytest

from ocrwatch.recognise import languages
from ocrwatch.recognise.languages import debian_package, list_meant_by, meant_by


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("de", "deu"),
        ("ger", "deu"),
        ("german", "deu"),
        ("Deutsch", "deu"),
        ("English", "eng"),
        ("en-US", "eng"),
        ("de_AT.UTF-8", "deu"),
        ("pt-BR", "por"),
        ("chi-sim", "chi_sim"),
        ("zh-CN", "chi_sim"),
        ("zh-Hant", "chi_tra"),
        ("Chinese (Simplified)", "chi_sim"),
        ("sr-Latn", "srp_latn"),
        ("français", "fra"),
        ("francais", "fra"),
        ("ελληνικά", "ell"),
        ("Ancient Greek", "grc"),
        ("Frensh", "fra"),
        ("latin", "lat"),
        ("Cyrillic", "script/Cyrillic"),
        ("script/latin", "script/Latin"),
    ],
)
def test_other_names_of_languages(written: str, meant: str) -> None:
    """Codes of ISO 639, locales, English and native names, other spellings, and small errors."""
    assert meant_by(written) == (meant,)


def test_a_name_may_mean_several_languages() -> None:
    """Nobody but the user knows which Chinese it is."""
    for written in ("zh", "chi", "Chinese", "zho"):
        assert meant_by(written) == ("chi_sim", "chi_tra")


@pytest.mark.parametrize("written", ["tlh", "xx", "snum", "", "-", "../../etc", "x" * 300, "eng+xyz"])
def test_what_is_no_name_of_a_language(written: str) -> None:
    """Nothing is guessed."""
    assert meant_by(written) == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("eng+deu", ("eng", "deu")),
        ("en+de", ("eng", "deu")),
        ("en+chi_sim", ("eng", "chi_sim")),
        ("eng deu", ("eng", "deu")),
        ("eng;fra", ("eng", "fra")),
        ("de/en", ("deu", "eng")),
        ("eng+tlh", ("eng", "tlh")),
        ("eng+zh", ("eng", "zh")),
        ("German, English", ("deu", "eng")),
        ("script/Latin", ()),
        ("Ancient Greek", ()),
        ("not a language", ()),
        ("eng", ()),
        ("", ()),
    ],
)
def test_lists_in_one_text(written: str, meant: tuple[str, ...]) -> None:
    """Tesseract's own notation with plus signs, and others, are taken apart."""
    assert list_meant_by(written) == meant


def test_no_name_means_two_languages() -> None:
    """A table with the same alias twice would depend on its order."""
    aliases = [each for name, others in languages._languages() for each in {name, *map(str.casefold, others)}]
    doubled = {alias for alias, count in collections.Counter(aliases).items() if count > 1}
    assert doubled == set()


def test_every_language_means_itself() -> None:
    """Tesseract's own names are never taken for others."""
    for name, _ in languages._languages():
        assert meant_by(name) == (name,)
    for script in languages.SCRIPTS:
        assert meant_by(f"script/{script}") == (f"script/{script}",)


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="not a Debian")
def test_every_package_that_is_named_exists() -> None:
    """The table is Debian's own list; it is compared where the machine has one."""
    listed = subprocess.run(
        ["apt-cache", "search", "--names-only", "^tesseract-ocr-"], capture_output=True, text=True, check=True
    )
    packages = {line.split()[0] for line in listed.stdout.splitlines()}
    if "tesseract-ocr-yor" not in packages:
        pytest.skip("apt knows no packages here")
    named = {debian_package(name) for name, _ in languages._languages()}
    named |= {debian_package(f"script/{name}") for name in languages.SCRIPTS}
    assert named <= packages
