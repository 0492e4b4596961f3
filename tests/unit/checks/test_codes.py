"""Codes are refused at the start if their library is not installed."""

from __future__ import annotations

import pytest

from ocrwatch.checks.new_settings import prove
from ocrwatch.checks.startup import check_codes
from ocrwatch.commands.doctor import examine
from ocrwatch.errors import EnvironmentFault
from ocrwatch.recognise import code_library
from ocrwatch.settings import Codes, Profile, Settings

ENABLED = Codes(enabled=True)


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the library."""
    monkeypatch.setattr(code_library, "find_spec", lambda _: None)


@pytest.mark.parametrize("settings", [Settings(), Settings(codes=ENABLED), Settings(profiles=(Profile(match="a"),))])
def test_what_is_installed_is_no_error(settings: Settings) -> None:
    """With and without codes."""
    check_codes(settings)


@pytest.mark.usefixtures("no_library")
def test_without_codes_no_library_is_needed() -> None:
    """A profile may switch them off."""
    check_codes(Settings())
    check_codes(Settings(profiles=(Profile(match="**", codes=Codes(enabled=False)),)))


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize(
    "settings", [Settings(codes=ENABLED), Settings(profiles=(Profile(match="letters/**", codes=ENABLED),))]
)
def test_a_library_that_is_missing_has_a_remedy(settings: Settings) -> None:
    """At the start, and in a reload or ``config check``."""
    for checked in (check_codes, prove):
        with pytest.raises(EnvironmentFault) as caught:
            checked(settings)
        assert caught.value.message == "codes.enabled needs the Python package zxing-cpp, which is not installed"
        assert caught.value.remedy == (
            "install the extra: pip install 'ocrwatch[codes]' (install.sh: --with-codes), or set codes.enabled = false"
        )


@pytest.mark.usefixtures("no_library")
def test_doctor_names_the_missing_library(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As a problem, and only if codes are wanted."""
    folder = tmp_path_factory.mktemp("doctor")
    places = {name: str(folder / name) for name in ("inbox", "outbox", "archive", "quarantine", "state")}
    findings = [each for each in examine(None, {**places, "codes.enabled": True}) if each.subject == "codes"]
    assert [each.severity for each in findings] == ["problem"]
    assert not [each for each in examine(None, places) if each.subject == "codes"]
