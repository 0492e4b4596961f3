"""Which modules read the wall clock."""

from __future__ import annotations

import re
from pathlib import Path

import ocrwatch

SHOWN_ONLY = {
    "ledger": "records when a scan was seen, and until when it waits",
    "cache": "records when a page was read, and drops old ones",
    "daemon/attempts.py": "notes waits for the next start, never longer than retry.max_delay",
    "daemon/retry_policy.py": "has what an earlier run noted waited for, never longer than retry.max_delay",
    "delivery/deliveries.py": "says in fields.csv when a scan was read",
    "daemon/assembly.py": "finds what ended within a day, and says when hooks were told",
    "intake/ignore_rules.py": "says 2 s after its last change that a file is not read, or at once if a clock is wrong",
    "intake/opener.py": "says how old a file is whose last change was not seen",
    "housekeeping/pruning.py": "finds the records that are older than history.max_age",
    "housekeeping/late_writers.py": "asks the ledger what was quarantined lately; a wrong clock makes it look later",
    "housekeeping/archive_check.py": "asks the ledger what was delivered lately; a wrong clock makes it look later",
    "observe/status_report.py": "writes times",
    "observe/service_status.py": "says when a service is tried next",
    "executors/http_ocr/refusals.py": "converts a date until when a service asks to wait, never more than an hour",
    "observe/activity.py": "says since when",
    "observe/prometheus.py": "says how long ago",
    "checks/folders.py": "compares the clock with a share's",
    "commands/status.py": "says how long ago",
    "commands/why/explanation.py": "says how long ago",
    "quarantine/reason_file.py": "writes times into reasons",
    "backoff.py": "says since when",
}


def test_wall_clock_is_read_only_where_times_are_shown() -> None:
    """What is decided is decided by the monotonic clock: the other one is read in these modules only."""
    root = Path(ocrwatch.__file__).parent
    wall = re.compile(r"\btime\.time\(|datetime\.(now|today|utcnow)\(|time_ns\(")
    users = {
        str(path.relative_to(root)) for path in root.rglob("*.py") if wall.search(path.read_text(encoding="utf-8"))
    }
    assert not [user for user in users if not user.startswith(tuple(SHOWN_ONLY))]
    assert not [shown for shown in SHOWN_ONLY if not any(user.startswith(shown) for user in users)]
