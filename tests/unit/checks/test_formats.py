"""Formats are refused if they write tables that are not looked for, or if documents have none of them."""

from __future__ import annotations

import pytest

from ocrwatch.checks.startup import check_formats
from ocrwatch.errors import UsageError
from ocrwatch.settings import Group, Output, Profile, Settings, Tables

CSV = Output(formats=("txt", "csv"))
BOTH = Output(formats=("csv", "txt", "xlsx"))
PICTURES = Output(formats=("explain",))
GROUPED = Group(by="name")
ENABLED, DISABLED = Tables(enabled=True), Tables(enabled=False)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(output=BOTH, tables=ENABLED),
        Settings(output=CSV, tables=ENABLED, profiles=(Profile(match="a/*"),)),
        Settings(profiles=(Profile(match="a/*", output=CSV, tables=ENABLED),)),
        Settings(tables=ENABLED, profiles=(Profile(match="a/*", output=CSV),)),
        Settings(
            output=CSV,
            tables=ENABLED,
            profiles=(Profile(match="a/*", output=Output(formats=("txt",)), tables=DISABLED),),
        ),
    ],
)
def test_formats_that_get_what_they_write(settings: Settings) -> None:
    """Tables are looked for wherever they are written."""
    check_formats(settings)


@pytest.mark.parametrize(
    ("settings", "message", "taken"),
    [
        (Settings(output=CSV), "output.formats has csv, which writes tables,", "csv"),
        (Settings(output=BOTH), "output.formats has csv and xlsx, which write tables,", "csv and xlsx"),
        (
            Settings(profiles=(Profile(match="a/*", name="bills", output=CSV),)),
            "output.formats of the profile bills has csv, which writes tables,",
            "csv",
        ),
        (
            Settings(output=CSV, tables=ENABLED, profiles=(Profile(match="a/*", tables=DISABLED),)),
            "output.formats of the profile a/* has csv, which writes tables,",
            "csv",
        ),
    ],
)
def test_formats_that_would_always_be_empty(settings: Settings, message: str, taken: str) -> None:
    """The error says what to set, and names the profile."""
    with pytest.raises(UsageError) as caught:
        check_formats(settings)
    assert caught.value.message == f"{message} but tables are not looked for"
    assert caught.value.remedy == f"set tables.enabled = true, or take {taken} out of output.formats"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(profiles=(Profile(match="**", group=GROUPED),)),
        Settings(
            output=PICTURES, profiles=(Profile(match="**", group=GROUPED, output=Output(formats=("explain", "alto"))),)
        ),
        Settings(output=PICTURES, profiles=(Profile(match="**"), Profile(match="a/*", group=Group()))),
    ],
)
def test_formats_of_documents(settings: Settings) -> None:
    """One that can have several pages is enough; profiles without documents may have any."""
    check_formats(settings)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(output=PICTURES, profiles=(Profile(match="**", name="feeder", group=GROUPED),)),
        Settings(profiles=(Profile(match="a"), Profile(match="**", name="feeder", group=GROUPED, output=PICTURES))),
    ],
)
def test_documents_that_would_have_no_files(settings: Settings) -> None:
    """The error names the profile and the formats that can be joined."""
    with pytest.raises(UsageError) as caught:
        check_formats(settings)
    assert "the profile feeder makes documents (group.by = name)" in caught.value.message
    assert "output.formats has no format that can have several pages" in caught.value.message
    assert "add txt, json, pdf, md, tsv, alto, hocr, csv or xlsx to output.formats" in caught.value.remedy
