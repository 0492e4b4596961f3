"""An inbox that has another device number, as a share or disk may after a restart of the machine."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from ocrwatch.delivery import originals, steps
from ocrwatch.delivery.chosen_names import Fate
from ocrwatch.delivery.step_order import Deliverer
from ocrwatch.errors import Blocked, Changed, EnvironmentFault
from ocrwatch.ledger import Entry
from tests.unit.delivery.interruption import refusing
from tests.unit.delivery.workspace import ENDINGS, Workspace

SHARE = ("nfs4", "nas:/scans", "/")


@pytest.fixture(autouse=True)
def _on_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the inbox on a share, until a test says otherwise."""
    mounted(monkeypatch, SHARE)


def mounted(monkeypatch: pytest.MonkeyPatch, identity: tuple[str, ...]) -> None:
    """Have the inbox on this file system."""
    monkeypatch.setattr(steps, "lasting_identity", lambda _: identity)


def interrupted(space: Workspace, fate: Fate, at: str, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """End a delivery before the original is claimed, or before the ledger closes the scan; return its row."""
    deliverer = Deliverer(space.places, space.ledger, ENDINGS)
    with monkeypatch.context() as failing:
        if at == "claim":
            failing.setattr(originals, "claim", refusing(errno.EIO))
        else:
            failing.setattr(type(space.ledger), "close_scan", refused)
        with pytest.raises(EnvironmentFault):
            deliverer.deliver(space.work(fate))
    (entry,) = space.ledger.unfinished()
    return entry


def refused(*_arguments: Any, **_keywords: Any) -> None:
    """Refuse a record."""
    raise EnvironmentFault("the ledger refuses")


def resumed(space: Workspace, entry: Entry, **other: object) -> Any:
    """Have the next run carry out the plan, which says that the inbox had another device number."""
    plan = json.loads(entry.plan or "")
    device, inode = plan["inbox"]
    plan.update({"inbox": [device + 1, inode], **other})
    plan = {name: value for name, value in plan.items() if value != "left out"}
    return Deliverer(space.places, space.ledger, ENDINGS).resume(entry.id, json.dumps(plan))


@pytest.mark.parametrize("other", [{}, {"inbox_on": "left out"}])
@pytest.mark.parametrize("fate", ["delete", "archive"])
def test_a_scan_whose_original_was_put_away_is_closed(
    fate: Fate, other: dict[str, object], space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same inbox, so the original is gone: also with the plan of a version that recorded no file system."""
    entry = interrupted(space, fate, "close", monkeypatch)
    for archived in space.places.archive.glob("*/*"):
        # Fetched meanwhile.
        archived.unlink()
    assert resumed(space, entry, **other).original is None
    assert sorted(space.files()) == ["outbox/sub/scan1.json", "outbox/sub/scan1.txt"]
    assert space.states() == {"delivered": 1}


def test_a_scan_that_was_taken_out_before_its_text_was_published_has_none(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has changed, as in an inbox with its old number, and later scans of its name are read."""
    entry = interrupted(space, "archive", "claim", monkeypatch)
    space.original.unlink()
    with pytest.raises(Changed):
        resumed(space, entry)
    assert space.files() == {}
    assert space.states() == {"changed": 1}


@pytest.mark.parametrize("at", ["claim", "close"])
@pytest.mark.parametrize("now", [("ext4", "/dev/sda1", "/srv/inbox"), ("nfs4", "nas:/other", "/"), ()])
def test_the_folder_of_another_file_system_is_another_inbox(
    now: tuple[str, ...], at: str, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tops of two file systems may have one inode number: what is mounted there decides."""
    entry = interrupted(space, "delete", at, monkeypatch)
    space.original.unlink(missing_ok=True)
    mounted(monkeypatch, now)
    with pytest.raises(Blocked, match="inbox"):
        resumed(space, entry)


@pytest.mark.parametrize("other", [{}, {"inbox_on": "left out"}])
@pytest.mark.parametrize("at", ["claim", "close"])
def test_another_folder_of_the_same_file_system_is_another_inbox(
    at: str, other: dict[str, object], space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its inode number is another, as that of the empty folder under a mount."""
    entry = interrupted(space, "delete", at, monkeypatch)
    space.places.inbox.rename(space.root / "away")
    (space.places.inbox / "sub").mkdir(parents=True)
    with pytest.raises(Blocked, match="inbox"):
        resumed(space, entry, **other)
    (space.places.inbox / "sub").rmdir()
    space.places.inbox.rmdir()
    (space.root / "away").rename(space.places.inbox)
    assert resumed(space, entry, **other).fate == "delete"
    assert space.states() == {"delivered": 1}


def test_a_file_system_that_was_unknown_proves_nothing(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system told neither then nor now where the inbox is, a new device number may be another inbox."""
    mounted(monkeypatch, ())
    entry = interrupted(space, "delete", "close", monkeypatch)
    with pytest.raises(Blocked, match="inbox"):
        resumed(space, entry)
