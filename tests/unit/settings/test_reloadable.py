"""What of new settings a running daemon takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.settings import Settings
from ocrwatch.settings.key_lookup import option_keys
from ocrwatch.settings.reloadable import can_change, changes


def test_same_settings_change_nothing() -> None:
    """Nothing is taken and nothing is kept."""
    found = changes(Settings(), Settings())
    assert (found.settings, found.taken, found.kept) == (Settings(), (), ())


def test_what_can_change_is_taken_and_the_rest_is_kept() -> None:
    """A file may hold both; what is kept has its old value in the result."""
    wanted = Settings.model_validate(
        {
            "inbox": "/other",
            "ocr": {"languages": ["fra"]},
            "watch": {"rescan": "5s", "mode": "poll"},
            "profiles": [{"match": "**", "ocr": {"dpi": 200}}],
        }
    )
    found = changes(Settings(), wanted)
    assert found.taken == ("watch.rescan", "ocr.languages", "profiles")
    assert found.kept == ("inbox", "watch.mode")
    settings = found.settings
    assert (settings.inbox, settings.watch.mode, settings.watch.rescan) == (Path("inbox"), "auto", 5.0)
    assert settings.for_path("a.jpg").ocr.languages == ("fra",)
    assert settings.for_path("a.jpg").ocr.dpi == 200
    # Once more: what is kept is said again, what was taken is not.
    again = changes(settings, wanted)
    assert (again.taken, again.kept) == ((), ("inbox", "watch.mode"))


@pytest.mark.parametrize("key", ["inbox", "outbox", "archive", "quarantine", "state", "on_success", "watch.include"])
def test_where_scans_are_takes_a_restart(key: str) -> None:
    """Locks, watches and plans depend on these."""
    assert key in option_keys()
    assert not can_change(key)
