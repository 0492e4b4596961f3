"""An original is put away if it is still the file that was read: never over another file, never half, never twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ocrwatch.delivery import originals
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.storage import files, free_names
from ocrwatch.storage.files import facts_of
from tests.unit.delivery.interruption import FileSystem, Interruption, Killed, content

SCAN = b"a scan's bytes"
TOKEN = "cafe"  # noqa: S105 - a ledger's, not a secret


@dataclass
class Folders:
    """An inbox with one scan in it and an archive."""

    inbox: Path
    archive: Path
    plan: Plan

    @classmethod
    def make(cls, inbox: Path, archive: Path) -> Folders:
        """Make them anew."""
        for folder in (inbox, archive):
            folder.mkdir(parents=True)
        (inbox / "sub").mkdir()
        path = inbox / "sub/a.jpg"
        path.write_bytes(SCAN)
        sha256 = hashlib.sha256(SCAN).hexdigest()
        return cls(
            inbox,
            archive,
            Plan("sub/a.jpg", facts_of(path.stat()), sha256, "sub", "a", "archive", "a.jpg"),
        )

    def move(self) -> str | None:
        """Move the scan to the archive."""
        return originals.move_away(self.plan, self.inbox, self.archive, TOKEN, again=True)

    def delete(self) -> bool:
        """Delete the scan."""
        return originals.delete(self.plan, self.inbox, TOKEN)

    def files(self) -> dict[str, bytes]:
        """Every file with its bytes."""
        return {
            f"{folder.name}/{name}": data
            for folder in (self.inbox, self.archive)
            for name, data in content(folder).items()
        }


@pytest.fixture
def near(tmp_path: Path) -> Folders:
    """Inbox and archive on one file system."""
    return Folders.make(tmp_path / "inbox", tmp_path / "archive")


@pytest.fixture
def far(tmp_path: Path, in_memory: Path, other_device: Path) -> Folders:
    """Inbox and archive on two file systems."""
    return Folders.make(in_memory / "inbox", other_device / "archive")


@pytest.fixture(params=["near", "far"])
def folders(request: pytest.FixtureRequest) -> Folders:
    """Both kinds, one after the other."""
    found: Folders = request.getfixturevalue(request.param)
    return found


def test_an_original_is_moved_with_its_times(folders: Folders) -> None:
    """Name, bytes and time of change are the same in the archive, and the inbox is empty."""
    assert folders.move() == "a.jpg"
    assert folders.files() == {"archive/sub/a.jpg": SCAN}
    assert (folders.archive / "sub/a.jpg").stat().st_mtime_ns == folders.plan.facts.mtime_ns


def test_moving_again_does_nothing_more(folders: Folders) -> None:
    """A second call tells the same, also where the next scan of that name has come."""
    folders.move()
    assert folders.move() == "a.jpg"
    (folders.inbox / "sub/a.jpg").write_bytes(b"the next scan")
    assert folders.move() == "a.jpg"
    assert folders.files() == {"archive/sub/a.jpg": SCAN, "inbox/sub/a.jpg": b"the next scan"}


def test_a_name_taken_in_the_archive_is_left_alone(folders: Folders) -> None:
    """A stranger's file keeps its name; with another name planned, the original goes there."""
    (folders.archive / "sub").mkdir()
    (folders.archive / "sub/a.jpg").write_bytes(b"a stranger's")
    with pytest.raises(FileExistsError):
        folders.move()
    folders.plan = replace(folders.plan, original="a-2.jpg")
    assert folders.move() == "a-2.jpg"
    assert folders.files() == {"archive/sub/a.jpg": b"a stranger's", "archive/sub/a-2.jpg": SCAN}


@pytest.mark.parametrize("action", [Folders.move, Folders.delete])
def test_a_changed_file_stays(folders: Folders, action: Callable[[Folders], object]) -> None:
    """What was not read is neither archived nor deleted, be it another size or only other bytes."""
    for data in (SCAN + b"x", SCAN.swapcase()):
        (folders.inbox / "sub/a.jpg").write_bytes(data)
        os.utime(folders.inbox / "sub/a.jpg", ns=(0, 0))
        assert not action(folders)
        assert folders.files() == {"inbox/sub/a.jpg": data}


@pytest.mark.parametrize("action", [Folders.move, Folders.delete])
def test_a_link_in_its_place_stays(folders: Folders, action: Callable[[Folders], object], tmp_path: Path) -> None:
    """A link to the very same bytes is not what was read, and its target is not touched."""
    (tmp_path / "target").write_bytes(SCAN)
    (folders.inbox / "sub/a.jpg").unlink()
    (folders.inbox / "sub/a.jpg").symlink_to(tmp_path / "target")
    assert not action(folders)
    assert (folders.inbox / "sub/a.jpg").is_symlink()
    assert (tmp_path / "target").read_bytes() == SCAN


@pytest.mark.parametrize("action", [Folders.move, Folders.delete])
def test_what_is_gone_needs_nothing(folders: Folders, action: Callable[[Folders], object]) -> None:
    """A file that was taken out of the inbox, or its whole folder, is not missed."""
    (folders.inbox / "sub/a.jpg").unlink()
    assert not action(folders)
    (folders.inbox / "sub").rmdir()
    assert not action(folders)
    assert folders.files() == {}


def test_what_is_gone_does_not_bring_a_strangers_file_into_the_inbox(folders: Folders) -> None:
    """A file in the archive that another put there stays there, when the original is gone."""
    (folders.inbox / "sub/a.jpg").unlink()
    (folders.archive / "sub").mkdir()
    (folders.archive / "sub/a.jpg").write_bytes(b"a stranger's")
    assert folders.move() is None
    assert folders.files() == {"archive/sub/a.jpg": b"a stranger's"}


@pytest.mark.parametrize("action", [Folders.move, Folders.delete])
def test_an_inbox_that_is_away_is_an_error(folders: Folders, action: Callable[[Folders], object]) -> None:
    """An unmounted share is not taken for an original that is gone."""
    folders.inbox.rename(folders.inbox.with_name("away"))
    with pytest.raises(FileNotFoundError):
        action(folders)


@pytest.mark.parametrize("action", [Folders.move, Folders.delete])
def test_a_file_swapped_at_the_last_moment_is_given_back(
    near: Folders, action: Callable[[Folders], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the move somebody puts another file in the scan's place: it comes back."""
    real = files.rename_to_own

    def rename(parent: int, name: str, new_name: str) -> None:
        monkeypatch.setattr(originals, "rename_to_own", real)
        path = near.inbox / "sub/a.jpg"
        path.unlink()
        path.write_bytes(b"the next scan")
        real(parent, name, new_name)

    monkeypatch.setattr(originals, "rename_to_own", rename)
    action(near)
    assert near.files() == {"inbox/sub/a.jpg": b"the next scan"}
    assert action(near) in {None, False}


def test_a_name_taken_at_the_last_moment_is_not_the_one_that_is_given_back(
    near: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that was swapped in and set aside gets the next free name when another has come meanwhile."""
    scan = near.inbox / "sub/a.jpg"
    claim, rename = files.rename_to_own, files.rename_noreplace
    strangers = iter([b"second", b"third", b"fourth"])

    def setting_aside(parent: int, name: str, new_name: str) -> None:
        scan.write_bytes(next(strangers))
        claim(parent, name, new_name)

    def renaming(source: int, name: str, target: int, new_name: str) -> None:
        if new_name in {"a.jpg", "a-2.jpg"}:
            scan.with_name(new_name).write_bytes(next(strangers))
        rename(source, name, target, new_name)

    monkeypatch.setattr(originals, "rename_to_own", setting_aside)
    monkeypatch.setattr(free_names, "rename_noreplace", renaming)
    assert near.move() is None
    assert near.files() == {
        "inbox/sub/a.jpg": b"third",
        "inbox/sub/a-2.jpg": b"fourth",
        "inbox/sub/a-3.jpg": b"second",
    }


def test_a_name_with_no_room_for_a_number_is_shortened_if_it_is_given_back(tmp_path: Path) -> None:
    """Another scan has the name meanwhile: that is no reason for a pause."""
    name = "é" * 125 + ".jpg"
    (tmp_path / name).write_bytes(SCAN)
    facts = facts_of((tmp_path / name).stat())
    plan = Plan(name, facts, hashlib.sha256(SCAN).hexdigest(), "", "a", "archive", "a.jpg")
    assert originals.claim(plan, tmp_path, TOKEN)
    (tmp_path / name).write_bytes(b"another")
    originals.unclaim(plan, tmp_path, TOKEN)
    assert content(tmp_path) == {name: b"another", "é" * 119 + "-2.jpg": SCAN}


@pytest.mark.parametrize("action", [Folders.move, Folders.delete])
def test_a_file_taken_away_at_the_last_moment_is_gone(
    action: Callable[[Folders], object], near: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no fault of the inbox."""
    real = files.rename_to_own

    def renaming(parent: int, name: str, new_name: str) -> None:
        (near.inbox / "sub/a.jpg").unlink()
        real(parent, name, new_name)

    monkeypatch.setattr(originals, "rename_to_own", renaming)
    assert not action(near)
    assert near.files() == {}


@pytest.mark.parametrize("far_away", [False, True])
@pytest.mark.parametrize("file_system", ["usual", "no renameat2", "no hard links", "no inodes"])
@pytest.mark.parametrize("action", [Folders.move, Folders.delete])
def test_interrupted_at_any_step_it_ends_the_same(
    action: Callable[[Folders], object],
    file_system: FileSystem,
    interruption: Interruption,
    in_memory: Path,
    other_device: Path,
    *,
    far_away: bool,
) -> None:
    """Killed anywhere and called again, the original is in the archive once, or gone, and nothing else is left."""

    def fresh(number: int) -> Folders:
        interruption.begin()
        archive = (other_device if far_away else in_memory) / str(number) / "archive"
        return Folders.make(in_memory / str(number) / "inbox", archive)

    folders = fresh(-1)
    interruption.begin()
    action(folders)
    wanted, steps = folders.files(), len(interruption.steps)
    wrong: list[str] = []
    for at in range(steps):
        folders = fresh(at)
        interruption.begin(at)
        with pytest.raises(Killed) as killed:
            action(folders)
        interruption.begin()
        try:
            action(folders)
        except OSError as error:
            wrong.append(f"before {killed.value}: {error!r}")
        if folders.files() != wanted:
            wrong.append(f"before {killed.value}: {sorted(folders.files())}")
    assert wrong == []


@pytest.mark.parametrize("file_system", ["usual", "no renameat2", "no hard links", "no inodes"])
def test_a_copy_is_made_once_wherever_it_was_interrupted(
    file_system: FileSystem, interruption: Interruption, in_memory: Path
) -> None:
    """Killed anywhere and called again, the original is in both places, and nothing else is left."""

    def copy(folders: Folders, *, again: bool) -> str | None:
        return originals.copy_away(folders.plan, folders.inbox, folders.archive, TOKEN, again=again)

    def fresh(number: int) -> Folders:
        interruption.begin()
        return Folders.make(in_memory / str(number) / "inbox", in_memory / str(number) / "archive")

    folders = fresh(-1)
    interruption.begin()
    assert copy(folders, again=False) == "a.jpg"
    wanted = {"inbox/sub/a.jpg": SCAN, "archive/sub/a.jpg": SCAN}
    assert folders.files() == wanted
    for at in range(len(interruption.steps)):
        folders = fresh(at)
        interruption.begin(at)
        with pytest.raises(Killed):
            copy(folders, again=False)
        interruption.begin()
        assert copy(folders, again=True) == "a.jpg"
        assert folders.files() == wanted


def test_a_copy_of_what_was_not_read_is_not_made(folders: Folders) -> None:
    """Changed or gone, it has no place among what was read; one that was copied before it went is there."""
    assert originals.copy_away(folders.plan, folders.inbox, folders.archive, TOKEN, again=False) == "a.jpg"
    (folders.inbox / "sub/a.jpg").write_bytes(SCAN.swapcase())
    for again in (False, True):
        found = originals.copy_away(folders.plan, folders.inbox, folders.archive, TOKEN, again=again)
        assert found == ("a.jpg" if again else None)
    (folders.archive / "sub/a.jpg").unlink()
    assert originals.copy_away(folders.plan, folders.inbox, folders.archive, TOKEN, again=True) is None


def test_a_copy_that_is_not_what_was_read_is_not_kept(far: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes while it is copied to another file system stays in the inbox, and no copy is left."""
    real = files.copy_durable

    def copy(descriptor: int, parent: int, name: str) -> str:
        next((far.inbox / "sub").iterdir()).write_bytes(SCAN.swapcase())
        return real(descriptor, parent, name)

    monkeypatch.setattr(originals, "copy_durable", copy)
    assert far.move() is None
    assert far.files() == {"inbox/sub/a.jpg": SCAN.swapcase()}


def test_without_a_hash_the_facts_decide(folders: Folders) -> None:
    """A scan too large to be read, which has no hash, is moved if nothing of it has changed."""
    folders.plan = replace(folders.plan, sha256=None)
    os.utime(folders.inbox / "sub/a.jpg", ns=(0, 0))
    assert folders.move() is None
    os.utime(folders.inbox / "sub/a.jpg", ns=(0, folders.plan.facts.mtime_ns))
    assert folders.move() == "a.jpg"
    assert folders.files() == {"archive/sub/a.jpg": SCAN}
