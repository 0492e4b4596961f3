"""A notification has the fields of its event, in the form that other programs need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ocrwatch.hooks.payload import notification
from ocrwatch.settings import Settings

_TIME = "2026-01-02T03:04:05+00:00"


def _settings(tmp_path: Path) -> Settings:
    return Settings(
        inbox=tmp_path / "inbox",
        outbox=tmp_path / "outbox",
        archive=tmp_path / "archive",
        quarantine=tmp_path / "quarantine",
        state=tmp_path / "state",
    )


def _told(tmp_path: Path, event: str, fields: dict[str, object]) -> dict[str, Any]:
    sent = notification(_settings(tmp_path), event, "subject", fields, _TIME)
    assert (sent.event, sent.subject) == (event, "subject")
    assert sent.body.count(b"\n") == 1
    assert sent.body.endswith(b"\n")
    told: dict[str, Any] = json.loads(sent.body)
    return told


def test_paths_are_absolute(tmp_path: Path) -> None:
    """Programs run elsewhere; what is for the log only is not told."""
    fields: dict[str, object] = {
        "path": "a.jpg",
        "sidecars": ["a.txt", "a.json"],
        "archived": "a.jpg",
        "preview": "text",
    }
    assert _told(tmp_path, "delivered", fields) == {
        "schema": "ocrwatch.hook/1",
        "event": "delivered",
        "time": _TIME,
        "inbox": str(tmp_path / "inbox"),
        "path": "a.jpg",
        "sidecars": [str(tmp_path / "outbox/a.txt"), str(tmp_path / "outbox/a.json")],
        "archived": str(tmp_path / "archive/a.jpg"),
    }
    assert _told(tmp_path, "quarantined", {"quarantined": "a.jpg"})["quarantined"] == str(tmp_path / "quarantine/a.jpg")


def test_numbers_stay(tmp_path: Path) -> None:
    """In a batch's fields, quarantined is a number, and what was not archived is null."""
    told = _told(tmp_path, "batch", {"quarantined": 2, "archived": None})
    assert (told["quarantined"], told["archived"]) == (2, None)


def test_body_is_ascii(tmp_path: Path) -> None:
    """Names that are not UTF-8 are sent as their escapes (PEP 383)."""
    sent = notification(_settings(tmp_path), "delivered", "", {"path": "caf\udce9 ü.jpg"}, _TIME)
    assert sent.body.isascii()
    assert json.loads(sent.body)["path"] == "caf\udce9 ü.jpg"
