"""Options: what they accept, and which apply to a scan."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ocrwatch.recipe import EnhanceOptions, Recipe
from ocrwatch.settings import Codes, Enhance, Ocr, Profile, Settings, Tables, recipe
from ocrwatch.settings.types import (
    format_duration,
    format_mode,
    format_size,
    parse_duration,
    parse_mode,
    parse_size,
)


@given(st.floats(min_value=0, max_value=1e9))
def test_durations_survive_writing_and_reading(seconds: float) -> None:
    """Every duration that is written reads back as exactly the same number."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=10**18))
def test_sizes_survive_writing_and_reading(size: int) -> None:
    """Every size that is written reads back as the same number."""
    assert parse_size(format_size(size)) == size


@given(st.integers(min_value=0, max_value=0o777))
def test_modes_survive_writing_and_reading(mode: int) -> None:
    """Every permission mode that is written reads back as the same bits."""
    assert parse_mode(format_mode(mode)) == mode


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [
        ("300ms", 0.3, "300ms"),
        ("2s", 2.0, "2s"),
        ("60s", 60.0, "1m"),
        ("1.5h", 5400.0, "90m"),
        ("1d", 86400.0, "1d"),
        ("0.5", 0.5, "500ms"),
        (90, 90.0, "90s"),
        (0, 0.0, "0s"),
    ],
)
def test_durations(text: object, seconds: float, written: str) -> None:
    """Durations have a unit or are seconds, and are written in their largest whole unit."""
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == written


@pytest.mark.parametrize(
    ("text", "size", "written"),
    [
        ("50MB", 50_000_000, "50MB"),
        ("2gb", 2_000_000_000, "2GB"),
        ("512KiB", 524_288, "512KiB"),
        ("1.5 GB", 1_500_000_000, "1500MB"),
        (1001, 1001, "1001B"),
        ("0", 0, "0B"),
    ],
)
def test_sizes(text: object, size: int, written: str) -> None:
    """MB means powers of 1000 and MiB powers of 1024, in upper or lower case."""
    assert parse_size(text) == size
    assert format_size(size) == written


@pytest.mark.parametrize("wrong", ["", "s", "-1s", "1 sec", "1m30s", "1e3", -1, math.nan, math.inf, True, None, []])
def test_wrong_durations_say_what_would_be_right(wrong: object) -> None:
    """What is no duration is refused with an example of one."""
    with pytest.raises(ValueError, match="300ms"):
        parse_duration(wrong)


@pytest.mark.parametrize("wrong", ["", "MB", "-1MB", "1.5B", "5 MBit", -1, 0.5, math.nan, True, None, []])
def test_wrong_sizes_say_what_would_be_right(wrong: object) -> None:
    """What is no size in whole bytes is refused with an example of one."""
    with pytest.raises(ValueError, match="50MB"):
        parse_size(wrong)


@pytest.mark.parametrize("wrong", [640, "999", "4755", "rw-r-----", "64"])
def test_wrong_modes_say_what_would_be_right(wrong: object) -> None:
    """Permissions are octal digits in quotes: a bare 640 would be decimal, and set-user-id is never meant."""
    with pytest.raises(ValueError, match="0640"):
        parse_mode(wrong)


@pytest.mark.parametrize(
    "ocr",
    [
        {"languages": []},
        {"languages": ["../../etc/passwd"]},
        {"languages": ["eng/../fra"]},
        {"languages": ["-l"]},
        {"languages": ["eng", "eng"]},
        {"page_segmentation": 0},
        {"page_segmentation": 2},
        {"page_segmentation": 14},
        {"dpi": 69},
        {"dpi": 2401},
        {"engine": ""},
        {"variables": {"a b": 1}},
        {"variables": {"a": [1]}},
        {"unknown": 1},
    ],
)
def test_wrong_ocr_options_are_refused(ocr: dict[str, Any]) -> None:
    """Languages that would leave the tessdata folder and modes that read no text are refused, as is the unknown."""
    with pytest.raises(ValidationError):
        Ocr.model_validate(ocr)


@pytest.mark.parametrize("languages", [["eng"], ["chi_sim", "script/Latin"], "fra,eng", ["eng-fast"]])
def test_languages(languages: object) -> None:
    """Languages have Tesseract's names; one text can name several."""
    assert Ocr.model_validate({"languages": languages}).languages


def test_zero_means_automatic_where_a_range_starts_higher() -> None:
    """The options whose 0 has a meaning of its own accept it."""
    settings = Settings.model_validate({"ocr": {"dpi": 0}, "workers": {"max_memory": 0}})
    assert (settings.ocr.dpi, settings.workers.max_memory) == (0, 0)


def test_settings_cannot_be_changed() -> None:
    """Settings are the same as long as the daemon runs."""
    with pytest.raises(ValidationError):
        Settings().inbox = Path("elsewhere")  # type: ignore[misc]


def test_environment_is_not_read_behind_the_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings made in code depend on nothing but their arguments."""
    monkeypatch.setenv("INBOX", "elsewhere")
    assert Settings().inbox == Path("inbox")


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("invoices/fr/**", "invoices/fr/a.jpg", True),
        ("invoices/fr/**", "invoices/fr/2024/05/a.jpg", True),
        ("invoices/fr/**", "invoices/french/a.jpg", False),
        ("**/fr/*.jpg", "fr/a.jpg", True),
        ("**/fr/*.jpg", "a/b/fr/a.jpg", True),
        ("**/fr/*.jpg", "a/fr/b/a.jpg", False),
        ("*.jpg", "a.jpg", True),
        ("*.jpg", "folder/a.jpg", False),
        ("*.jpg", "a.JPG", False),
        ("**", "any/where/a.jpg", True),
        ("scan[0-9]?.jpg", "scan1x.jpg", True),
    ],
)
def test_profile_patterns(pattern: str, path: str, expected: bool) -> None:  # noqa: FBT001 - a table
    """One star stays within a name, two cross folders, and case counts."""
    assert Profile(match=pattern).matches(path) is expected


def test_first_matching_profile_wins_over_the_sections() -> None:
    """A profile changes what it names and nothing else, even if it names a default."""
    settings = Settings.model_validate(
        {
            "ocr": {"dpi": 200, "page_segmentation": 6, "variables": {"b": True, "a": 1.5}},
            "output": {"formats": ["txt", "json"], "mode": "0640"},
            "profiles": [
                {"match": "fr/**", "languages": ["fra", "eng"], "ocr": {"page_segmentation": 3}},
                {
                    "match": "**",
                    "name": "rest",
                    "enhance": {"enabled": False},
                    "output": {"formats": ["txt"], "mode": ""},
                },
            ],
        }
    )
    french, rest = settings.for_path("fr/a.jpg"), settings.for_path("a.jpg")
    assert (french.profile_name, rest.profile_name) == ("fr/**", "rest")
    assert french.ocr == settings.ocr.model_copy(update={"languages": ("fra", "eng"), "page_segmentation": 3})
    assert (french.enhance, french.output) == (settings.enhance, settings.output)
    assert rest.ocr == settings.ocr
    assert (rest.enhance.enabled, rest.output.formats, rest.output.mode) == (False, ("txt",), None)


def test_without_profiles_the_sections_count() -> None:
    """A scan that no profile matches is read as the sections say."""
    effective = Settings().for_path("a.jpg")
    assert (effective.profile_name, effective.ocr) == (None, Ocr())


def test_languages_of_a_profile_are_named_once() -> None:
    """A profile that names its languages twice is refused."""
    with pytest.raises(ValidationError, match="either"):
        Profile(match="a", languages=("fra",), ocr=Ocr(languages=("eng",)))


def test_default_recipe_is_that_of_the_workers() -> None:
    """The defaults of settings and of recipes are the same, and so are the options of ``[enhance]``."""
    assert recipe(Settings()) == Recipe()
    assert list(Enhance.model_fields) == [field.name for field in fields(EnhanceOptions)]


def test_recipe_has_every_option_of_ocr_enhance_tables_and_codes() -> None:
    """What is set reaches the worker; variables are sorted, so that equal settings are equal recipes."""
    ocr = Ocr.model_validate({"variables": {"b": True, "a": 1.5}, "tessdata": "/data", "whitelist": "01"})
    enhance = Enhance(enabled=False, text_height=20)
    made = recipe(Settings(ocr=ocr, enhance=enhance, tables=Tables(enabled=True), codes=Codes(enabled=True)))
    assert (made.variables, made.tessdata, made.whitelist) == ((("a", "1.5"), ("b", "1")), "/data", "01")
    assert (made.enhance.enabled, made.enhance.text_height, made.tables, made.codes) == (False, 20, True, True)
