"""The reason beside a quarantined original: what is written is what is read, and odd files do no harm."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocrwatch.errors import Damaged
from ocrwatch.quarantine.reason_file import BEGUN, REASON, REASON_SCHEMA, Reason, reason_beside, render_reason
from ocrwatch.storage.file_facts import FileFacts

FACTS = FileFacts(1, 2, 1234, 1_500_000_000_123_456_789)
FAULT = Damaged("the data contradicts itself", "scan it once more")


@dataclass(frozen=True)
class Before:
    """What happened before."""

    updated_at: float = 0.0
    state: str = "quarantined"
    code: str | None = "timeout"
    reason: str | None = "it took too long"


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """Fields and their types are what the schema's version promises."""
    content = render_reason("sub/s\udcff.jpg", FACTS, "ab" * 32, FAULT, 3, [Before()])
    (tmp_path / f"s.jpg{REASON}").write_bytes(content)
    said = json.loads(content)
    quarantined_at = said.pop("quarantined_at")
    assert said == {
        "schema": REASON_SCHEMA,
        "path": "sub/s\\xff.jpg",
        "code": "damaged",
        "reason": FAULT.message,
        "remedy": FAULT.remedy,
        "to_retry": "put the scan back into the inbox, or run ocrwatch retry",
        "attempts": 3,
        "bytes": 1234,
        "sha256": "ab" * 32,
        "modified_at": "2017-07-14T02:40:00.123+00:00",
        "earlier": [
            {
                "ended_at": "1970-01-01T00:00:00.000+00:00",
                "state": "quarantined",
                "code": "timeout",
                "reason": "it took too long",
            }
        ],
    }
    assert reason_beside(tmp_path / "s.jpg") == Reason(
        "sub/s\\xff.jpg", "damaged", FAULT.message, FAULT.remedy, 3, "ab" * 32, quarantined_at
    )


def test_a_fault_that_names_odd_bytes_can_be_written() -> None:
    """A message that has bytes that are not UTF-8, now or earlier, is escaped."""
    content = render_reason("a.jpg", FACTS, None, Damaged("f\udcfc", "see f\udcfc"), 1, [Before(reason="f\udcfc")])
    said = json.loads(content)
    assert (said["reason"], said["remedy"], said["earlier"][0]["reason"]) == ("f\\udcfc", "see f\\udcfc", "f\\udcfc")


def test_what_is_not_listed_is_counted() -> None:
    """Only if there is more than what is listed."""
    for count, more in ((1, {}), (25, {"earlier_not_listed": 24})):
        said = json.loads(render_reason("a.jpg", FACTS, None, FAULT, 1, [Before()], count))
        assert len(said["earlier"]) == 1
        assert {name: value for name, value in said.items() if name == "earlier_not_listed"} == more


def test_a_time_that_no_calendar_has_is_left_out() -> None:
    """A scanner may set any time on a file."""
    facts = FileFacts(1, 2, 3, 10**21)
    assert json.loads(render_reason("a.jpg", facts, None, FAULT, 1, []))["modified_at"] is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000])
def test_an_odd_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Anyone who writes to the share can put one there."""
    (tmp_path / f"a.jpg{REASON}").write_bytes(content)
    assert reason_beside(tmp_path / "a.jpg") is None


def test_odd_fields_are_left_out(tmp_path: Path) -> None:
    """The others are read all the same."""
    (tmp_path / f"a.jpg{REASON}").write_text('{"code": 5, "attempts": "many", "remedy": "look at it"}')
    assert reason_beside(tmp_path / "a.jpg") == Reason(None, None, None, "look at it", None, None, None)


def test_no_link_is_followed(tmp_path: Path) -> None:
    """The reason of another folder is not shown as this scan's, and a FIFO is not waited for."""
    (tmp_path / "elsewhere").write_text('{"code": "secret"}')
    (tmp_path / f"a.jpg{REASON}").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / f"b.jpg{REASON}")
    for name in ("a.jpg", "b.jpg", "c.jpg", "no-folder/d.jpg"):
        assert reason_beside(tmp_path / name) is None


def test_the_reason_of_an_interrupted_retry_counts(tmp_path: Path) -> None:
    """It has another name then."""
    (tmp_path / f"a.jpg{BEGUN}").write_text('{"code": "damaged"}')
    reason = reason_beside(tmp_path / "a.jpg")
    assert reason is not None
    assert reason.code == "damaged"
