"""Originals in the archive that were changed after they were read."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ocrwatch.backoff import Backoff
from ocrwatch.delivery.chosen_names import Plan, StackPage
from ocrwatch.housekeeping.archive_check import ArchiveCheck
from ocrwatch.ledger import Ledger
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import facts_of


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Make a ledger."""
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.mark.parametrize(("deletes", "is_marked"), [(False, True), (True, False)])
def test_what_waits_in_the_archive_for_its_document_is_not_checked(
    tmp_path: Path, ledger: Ledger, *, deletes: bool, is_marked: bool
) -> None:
    """It is deleted soon, and its name and inode may be another scan's by then; an original that stays is checked."""
    (tmp_path / "archive").mkdir()
    original = tmp_path / "archive/a.jpg"
    original.write_bytes(b"as it was read")
    facts, sha256 = facts_of(original.stat()), hashlib.sha256(b"as it was read").hexdigest()
    original.write_bytes(b"changed since then")
    row = ledger.begin("a.jpg", facts, sha256)
    plan = Plan("a.jpg", facts, sha256, "", "a", "archive", "a.jpg")
    ledger.planned(row.id, replace(plan, page=StackPage(1, deletes=deletes)).to_json(), code=None, reason=None)
    ledger.close_scan(row.id, ScanState.DELIVERED, code=None, reason=None)
    unused = cast("Any", SimpleNamespace())
    check = ArchiveCheck(unused, Backoff(), ledger, unused, tmp_path / "archive", 60.0)
    assert check._check(0.0, time.time() + 1)[1] is is_marked
