"""Several results delivered in the time of one, in the same order of steps for each."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocrwatch.delivery.chosen_names import Fate, Plan
from ocrwatch.delivery.field_lists import ListedFields
from ocrwatch.delivery.step_order import Delivered, Deliverer, Work
from ocrwatch.delivery.steps import Steps
from ocrwatch.document import Review
from ocrwatch.errors import Changed, EnvironmentFault
from ocrwatch.ledger import Ledger
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import facts_of
from tests.unit.delivery.interruption import FileSystem, Interruption, Journal, Killed
from tests.unit.delivery.workspace import ENDINGS, FIELDS, JPEG, Workspace

Make = Callable[[Path | None], Workspace]
SCANS = ("scan1.jpg", "scan1.jpeg", "sub/scan1.jpg", "scan2.jpg")
"""Two of them want the same names for their texts."""

FIELDS_ROOM = 90
"""Bytes of the list at the top: its header, a line, and the beginning of another."""


def works(space: Workspace, fate: Fate = "archive") -> list[Work]:
    """Take the scans that lie in the inbox, and open their rows."""
    found: list[Work] = []
    for path in SCANS:
        original = space.places.inbox / path
        if original.exists():
            facts, sha256 = facts_of(original.stat()), hashlib.sha256(original.read_bytes()).hexdigest()
            row = space.ledger.begin(path, facts, sha256)
            text = path.encode() + b"\n"
            contents, review = (("json", text), ("txt", text)), Review((f"no text in {path}",), None)
            fields = space.fields and ListedFields(("read_at", "path"), ("2026-11-27T20:28:50.123+00:00", path))
            work = Work(row.id, path, facts, sha256, fate, contents, mode=0o640, review=review, fields=fields)
            found.append(work)
    return found


def fill(space: Workspace) -> Workspace:
    """Put all scans into the inbox."""
    for path in SCANS:
        (space.places.inbox / path).write_bytes(JPEG + path.encode())
    return space


def run(space: Workspace, deliverer: Deliverer, fate: Fate) -> None:
    """Do what the daemon does from its start: finish what is planned, then deliver the rest, together where it can."""
    for entry in space.ledger.unfinished():
        if entry.plan is not None and entry.state in {"planned", "published"}:
            deliverer.resume(entry.id, entry.plan, entry.code, entry.reason)
        else:
            deliverer.discard(entry.id, entry.path)
    waiting = [] if fate == "keep" and space.states().get("delivered") == len(SCANS) else works(space, fate)
    for work, delivered in zip(waiting, deliverer.deliver_together(waiting), strict=True):
        if delivered is None:
            deliverer.deliver(work)


def by_text(space: Workspace) -> list[tuple[str, bytes]]:
    """Return what lies where, but not which of two that want the same name has got it."""
    files = {name: data for name, data in space.files().items() if not name.endswith("fields.csv")}
    pairs = {name: data for name, data in files.items() if name.endswith((".txt", ".json"))}
    for name, data in pairs.items():
        if name.endswith(".txt"):
            assert files[name.removesuffix("txt") + "json"] == data, "the sidecars of two scans were mixed up"
    originals = sorted(data for name, data in files.items() if name not in pairs)
    names = sorted(name for name in files if "scan1" not in name)
    return [*((name, b"") for name in names), *((str(n), data) for n, data in enumerate(originals))]


def listed(space: Workspace) -> list[str]:
    """Return the scans in the lists of fields, each of which has the name of its text there."""
    found: list[str] = []
    for place in space.places.outbox.rglob("fields*.csv"):
        assert place.name == "fields.csv"
        for name, _, path in csv.reader(place.read_text("utf-8-sig").splitlines()[1:]):
            assert (place.parent / name).with_suffix(".txt").read_text() == f"{path}\n"
            found.append(path)
    return sorted(found)


@pytest.mark.parametrize("file_system", ["usual", "no renameat2"])
@pytest.mark.parametrize("fate", ["archive", "delete"])
@pytest.mark.parametrize("fields", [None, FIELDS])
def test_killed_at_any_step_it_ends_as_if_undisturbed(
    fate: Fate,
    fields: ListedFields | None,
    file_system: FileSystem,
    interruption: Interruption,
    workspaces: Make,
) -> None:
    """Each scan has its text once, under a name of its own, and its original once; nothing temporary is left.

    With fields, it has one line in the list of its folder.
    """

    def end(
        at: int | None,
    ) -> tuple[list[tuple[str, bytes]], list[bytes], dict[str, int], list[tuple[str, Review | None]], list[str], str]:
        space = fill(workspaces(None))
        space.fields = fields
        interruption.begin(at)
        died = ""
        try:
            run(space, space.deliverer(interruption), fate)
        except Killed as killed:
            died = str(killed)
            interruption.begin()
            space.ledger.close()
            space.ledger = Ledger(space.root / "state")
            run(space, space.deliverer(interruption), fate)
        texts = sorted(data for name, data in space.files().items() if name.endswith(".txt"))
        return by_text(space), texts, space.states(), space.reviews(), listed(space), died

    wanted = end(None)[:5]
    assert wanted[4] == ([] if fields is None else sorted(SCANS))
    assert wanted[3] == sorted(((path, Review((f"no text in {path}",), None)) for path in SCANS), key=str)
    assert wanted[1] == sorted(f"{path}\n".encode() for path in SCANS)
    steps = len(interruption.steps)
    assert steps > 40
    wrong = []
    for at in range(steps):
        *found, died = end(at)
        if tuple(found) != wanted:
            wrong.append(f"step {at}, before {died}: {found}")
    assert wrong == []


def test_results_of_one_name_get_different_names(workspaces: Make) -> None:
    """Though none of them shows yet when the next one's is chosen, and each original goes with its text."""
    space = fill(workspaces(None))
    delivered = Deliverer(space.places, space.ledger, ENDINGS).deliver_together(works(space))
    assert [each and (each.sidecars[1], each.original) for each in delivered] == [
        ("scan1.txt", "scan1.jpg"),
        ("scan1-2.txt", "scan1-2.jpeg"),
        ("sub/scan1.txt", "sub/scan1.jpg"),
        ("scan2.txt", "scan2.jpg"),
    ]
    assert space.states() == {"delivered": 4}


def test_hard_links_of_one_file_are_put_away_each(workspaces: Make) -> None:
    """They are one file under several names, each of which is a scan of its own."""
    space = fill(workspaces(None))
    for name in ("scan2.jpg", "scan1.jpeg"):
        (space.places.inbox / name).unlink()
        os.link(space.places.inbox / "scan1.jpg", space.places.inbox / name)
    delivered = Deliverer(space.places, space.ledger, ENDINGS).deliver_together(works(space))
    assert all(each is not None and each.original is not None for each in delivered)
    originals = {name: data for name, data in space.files().items() if name.startswith("archive/")}
    assert len(originals) == len(SCANS)
    assert [originals[f"archive/{name}"] for name in ("scan1.jpg", "scan1-2.jpeg", "scan2.jpg")] == [
        JPEG + b"scan1.jpg"
    ] * 3


def test_the_disk_and_the_ledger_are_waited_for_once_in_each_step(
    workspaces: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four scans wait three times for the ledger, and for no folder more than twice."""
    space = fill(workspaces(None))
    commits: list[int] = []
    waited: list[tuple[int, int]] = []
    transaction = space.ledger.transaction

    @contextmanager
    def counted() -> Iterator[None]:
        is_nested = space.ledger.db.in_transaction
        with transaction():
            yield
        if not is_nested:
            commits.append(1)

    real = os.fsync

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        waited.append((status.st_dev, status.st_ino))
        real(descriptor)

    deliverer = Deliverer(space.places, space.ledger, ENDINGS)
    (space.places.outbox / "sub").mkdir()
    (space.places.archive / "sub").mkdir()
    waiting = works(space)
    monkeypatch.setattr(space.ledger, "transaction", counted)
    monkeypatch.setattr(os, "fsync", fsync)
    assert None not in deliverer.deliver_together(waiting)
    assert len(commits) == 3
    outbox, archive = space.places.outbox.stat(), space.places.archive.stat()
    assert waited.count((outbox.st_dev, outbox.st_ino)) == 2
    assert waited.count((archive.st_dev, archive.st_ino)) == 1


def test_what_is_not_as_usual_is_left_to_its_own_delivery(workspaces: Make) -> None:
    """A scan that changed, and one whose name a stranger takes, stop none of the others."""
    space = fill(workspaces(None))
    waiting = works(space)
    (space.places.inbox / "scan2.jpg").write_bytes(JPEG + b"changed")

    def stranger() -> None:
        (space.places.outbox / "sub/scan1.txt").write_bytes(b"a stranger's")

    journal = Stranger(space.ledger, stranger)
    deliverer = Deliverer(space.places, journal, ENDINGS)
    delivered = deliverer.deliver_together(waiting)
    assert [each is None for each in delivered] == [False, False, True, True]
    assert deliverer.deliver(waiting[2]).sidecars == ("sub/scan1-2.json", "sub/scan1-2.txt")
    with pytest.raises(Changed):
        deliverer.deliver(waiting[3])
    assert (space.places.outbox / "sub/scan1.txt").read_bytes() == b"a stranger's"
    assert space.states() == {"delivered": 3, "changed": 1}


class Stranger(Journal):
    """The real ledger, while somebody takes a name as soon as something is planned."""

    def __init__(self, ledger: Ledger, take: Callable[[], None]) -> None:
        self.token = ledger.token
        self._ledger = ledger
        self._take: Callable[[], None] | None = take

    def planned(self, scan: int, plan: str, *, code: str | None, reason: str | None, stack: int | None = None) -> None:
        """Note the plan, and let the stranger in."""
        self._ledger.planned(scan, plan, code=code, reason=reason, stack=stack)
        take, self._take = self._take, None
        if take is not None:
            take()

    def published(self, scan: int) -> None:
        """Note the publishing."""
        self._ledger.published(scan)

    def close_scan(
        self, scan: int, state: ScanState, *, code: str | None, reason: str | None, review: Review | None = None
    ) -> None:
        """Note the end."""
        assert state in {ScanState.DELIVERED, ScanState.CHANGED}
        self._ledger.close_scan(scan, state, code=code, reason=reason, review=review)


@pytest.mark.parametrize("away", ["outbox", "archive"])
def test_a_folder_that_is_away_leaves_all_to_their_own_delivery(away: str, workspaces: Make) -> None:
    """There each says what is wrong; when the folder is back, all end as they should."""
    space = fill(workspaces(None))
    waiting = works(space)
    deliverer = Deliverer(space.places, space.ledger, ENDINGS)
    (space.root / away).rename(space.root / "away")
    assert deliverer.deliver_together(waiting) == [None] * 4
    with pytest.raises(EnvironmentFault, match=away):
        deliverer.deliver(waiting[0])
    (space.root / "away").rename(space.root / away)
    delivered: list[Delivered] = [deliverer.deliver(work) for work in waiting]
    assert len({each.sidecars for each in delivered}) == 4
    assert space.states() == {"delivered": 4}
    assert not any(".ocrwatch" in name for name in space.files())


def test_lines_of_one_folder_are_appended_in_one_call(workspaces: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the list is waited for once, before the staged lines are removed."""
    space = fill(workspaces(None))
    space.fields = FIELDS
    steps: list[str] = []
    real_write, real_fsync, real_unlink = os.write, os.fsync, os.unlink

    def write(descriptor: int, data: bytes) -> int:
        steps.append(f"write {data.count(b'scan')}")
        return real_write(descriptor, data)

    def fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name == "fields.csv":
            steps.append(f"fsync {name}")
        real_fsync(descriptor)

    def unlink(name: str, *, dir_fd: int) -> None:
        if "fields-line" in name and name in os.listdir(dir_fd):
            steps.append("unlink")
        real_unlink(name, dir_fd=dir_fd)

    deliverer = Deliverer(space.places, space.ledger, ENDINGS)
    waiting = works(space)
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "unlink", unlink)
    assert None not in deliverer.deliver_together(waiting)
    monkeypatch.undo()
    writes = [step for step in steps if step.startswith("write")]
    assert len(writes) == 2
    assert steps[-len(SCANS) :] == ["unlink"] * len(SCANS)
    assert steps.count("fsync fields.csv") == 2
    assert listed(space) == sorted(SCANS)


def test_a_full_disk_in_the_middle_of_the_lines_gives_each_scan_its_line_once(
    workspaces: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is continued where it was cut off, when there is room again."""
    space = fill(workspaces(None))
    space.fields = FIELDS
    deliverer = Deliverer(space.places, space.ledger, ENDINGS)
    waiting = works(space)
    real = os.write
    room = [FIELDS_ROOM]

    def write(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, data[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        assert None in deliverer.deliver_together(waiting)
        with pytest.raises(EnvironmentFault, match=r"(?i)no space left"):
            deliverer.deliver(waiting[1])
    assert space.ledger.totals() != {"delivered": 4}
    unfinished = {entry.id for entry in space.ledger.unfinished()}
    for work in waiting:
        if work.scan in unfinished:
            deliverer.deliver(work)
    assert listed(space) == sorted(SCANS)
    assert space.states() == {"delivered": 4}
    assert not any(".ocrwatch" in name for name in space.files())


def remove_line(space: Workspace, scan: int) -> None:
    """Remove the staged line of a scan from outside."""
    (place,) = space.places.outbox.rglob(f".ocrwatch-*-{scan}.fields-line*")
    place.unlink()


def test_a_staged_line_that_was_removed_is_staged_again(workspaces: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scan is delivered alone, and has its line as the others have."""
    space = fill(workspaces(None))
    space.fields = FIELDS
    deliverer, waiting = Deliverer(space.places, space.ledger, ENDINGS), works(space)
    claim = Steps.claim

    def claimed(steps: Steps, plan: Plan, *, first: bool) -> bool:
        if first and plan.path == "scan2.jpg":
            remove_line(space, waiting[3].scan)
        return claim(steps, plan, first=first)

    monkeypatch.setattr(Steps, "claim", claimed)
    delivered = deliverer.deliver_together(waiting)
    assert [each is None for each in delivered] == [False, False, False, True]
    assert deliverer.deliver(waiting[3]).sidecars == ("scan2.json", "scan2.txt")
    assert listed(space) == sorted(SCANS)
    assert space.states() == {"delivered": 4}
    assert not any(".ocrwatch" in name for name in space.files())


def test_a_line_removed_after_its_text_was_published_is_staged_again(
    workspaces: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the ledger has not recorded that: there is one text, and one line."""
    space = fill(workspaces(None))
    space.fields = FIELDS
    deliverer, waiting = Deliverer(space.places, space.ledger, ENDINGS), works(space)

    def refuse(_: int) -> None:
        for work in waiting:
            remove_line(space, work.scan)
        raise EnvironmentFault("cannot use the ledger")

    with monkeypatch.context() as refusing:
        refusing.setattr(space.ledger, "published", refuse)
        assert deliverer.deliver_together(waiting) == [None] * 4
    assert len({deliverer.deliver(work).sidecars for work in waiting}) == 4
    assert listed(space) == sorted(SCANS)
    assert len([name for name in space.files() if name.endswith(".txt")]) == 4
    assert not any(".ocrwatch" in name for name in space.files())
