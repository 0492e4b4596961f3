"""Pages that were read badly are pointed out."""

from __future__ import annotations

import json
from pathlib import Path

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.rendering import render
from tests.waiting import until

CONFIG = """
[output]
formats = ["txt", "json"]
review_below = 100
[[profiles]]
match = "trusted/*"
[profiles.output]
review_below = 0
"""


def test_a_page_below_the_threshold_is_marked_for_review(tmp_path: Path) -> None:
    """Log, JSON and status say so of what was read with too little confidence; not of blank pages, nor elsewhere."""
    with DaemonProcess(tmp_path, config=CONFIG) as daemon:
        daemon.wait_ready()
        (daemon.inbox / "trusted").mkdir()
        (daemon.inbox / "doubtful.jpg").write_bytes(render("Some words to read"))
        (daemon.inbox / "trusted/page.jpg").write_bytes(render("Some words to read"))
        (daemon.inbox / "blank.jpg").write_bytes(render(" ", width=800, height=600))
        daemon.wait_for("scan.delivered", count=3)
        assert [event["path"] for event in daemon.events("scan.delivered", review=True)] == ["doubtful.jpg"]
        marks = {
            name: json.loads((daemon.outbox / f"{name}.json").read_text())["review"] for name in ("doubtful", "blank")
        }
        assert marks == {"doubtful": True, "blank": False}

        def status() -> dict[str, object]:
            found: dict[str, object] = json.loads(run_ocrwatch(tmp_path, "status", "--json").stdout)
            return found if found["delivered"] == 3 else {}

        last = until(status, what="a status with all three")
        assert last["to_review"] == 1
        assert [doubtful["path"] for doubtful in last["reviews"]] == ["doubtful.jpg"]  # type: ignore[attr-defined]
        assert "to review   1 since the start" in run_ocrwatch(tmp_path, "status").stdout
