"""A status to begin with."""

from __future__ import annotations

from ocrwatch.observe.status import Status, isoformat


def status(**changes: object) -> Status:
    """Return the status of an idle daemon with ``changes``."""
    values: dict[str, object] = {
        "state": "watching",
        "since": isoformat(0),
        "written": isoformat(60),
        "pid": 42,
        "version": "1.0",
        "inbox": "/srv/inbox",
        "outbox": "/srv/outbox",
        "quarantine": "/srv/quarantine",
        "watch": "inotify",
        "workers": 2,
        "engine": "tesserocr 5",
        "started": isoformat(0),
        "waiting": 0,
        "more": False,
        "oldest_waiting_s": None,
        "in_work": [],
        "delivered": 0,
        "quarantined": 0,
        "scans_last_minute": 0,
        "scans_last_hour": 0,
    }
    return Status(**{**values, **changes})  # type: ignore[arg-type]
