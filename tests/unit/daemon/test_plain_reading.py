"""A scan that took too long is read again in the plainest way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ocrwatch.daemon.tickets import Batch, Ticket

from ocrwatch.daemon.pipeline import Pipeline
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.readers import has_second_reader
from ocrwatch.scan import FileFacts, SettledFile
from ocrwatch.settings import Settings, recipe


def renewed(settings: Settings, *, plain: bool) -> Ticket:
    """Give a scan the options that are in force."""
    scan = SettledFile("a.jpg", FileFacts(1, 1, 10, 0, 0), fresh=True, ready_at=0.0)
    before = Settings()
    ticket = Ticket(scan, Batch(1, 1), before.for_path("a.jpg"), recipe(before.ocr, before.enhance), plain=plain)
    Pipeline._renew(cast("Any", SimpleNamespace(settings=settings)), ticket)
    return ticket


def settings_with(second: str) -> Settings:
    """Make settings."""
    return Settings.model_validate({"ocr": {"second": second, "languages": "fra"}})


@pytest.mark.parametrize("second", ["auto", "rapidocr", "none"])
def test_after_a_timeout_nothing_is_cleaned_or_read_again(second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that was read too long has neither enhancement nor a second reader the next time, and all else as set."""
    monkeypatch.setattr(weights, "is_installed", lambda: True)
    settings = settings_with(second)
    usual = recipe(settings.ocr, settings.enhance)
    found = renewed(settings, plain=True).recipe
    assert found == replace(usual, second="none", enhance=replace(usual.enhance, enabled=False))
    assert found.languages == ("fra",)
    assert not has_second_reader(found)


@pytest.mark.parametrize("second", ["auto", "rapidocr", "none"])
def test_other_scans_are_read_as_the_settings_say(second: str) -> None:
    """A scan that did not take too long has the second reader that is set."""
    settings = settings_with(second)
    found = renewed(settings, plain=False).recipe
    assert found == recipe(settings.ocr, settings.enhance)
    assert (found.second, found.enhance.enabled) == (second, True)


@pytest.mark.parametrize("code", ["out-of-memory", "worker-died", "engine-failed"])
def test_after_a_worker_ended_a_scan_is_read_with_less(code: str) -> None:
    """A scan that took its worker's memory, or its life, is read without what is not necessary; others as set."""
    settings = Settings()
    usual = recipe(settings.ocr, settings.enhance)
    scan = SettledFile("a.jpg", FileFacts(1, 1, 10, 0, 0), fresh=True, ready_at=0.0)
    ticket = Ticket(scan, Batch(1, 1), settings.for_path("a.jpg"), usual)
    ticket.code = code
    Pipeline._renew(cast("Any", SimpleNamespace(settings=settings)), ticket)
    less = replace(usual, second="none", enhance=replace(usual.enhance, perspective=False))
    assert ticket.recipe == (usual if code == "engine-failed" else less)
