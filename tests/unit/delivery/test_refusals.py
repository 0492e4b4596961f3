"""What a disk refuses in the middle of a delivery, and what others do to the scan meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrwatch.delivery import originals, sidecars
from ocrwatch.delivery.step_order import Deliverer
from ocrwatch.errors import Blocked, Changed, EnvironmentFault
from ocrwatch.storage import files
from ocrwatch.storage.files import folder, has_content, open_regular
from tests.unit.delivery.interruption import Interruption, refusing
from tests.unit.delivery.workspace import JPEG, Workspace

Make = Callable[[Path | None], Workspace]


@pytest.mark.parametrize("fate", ["archive", "delete", "quarantine"])
def test_a_scan_that_is_renamed_before_its_text_is_published_has_none(
    fate: str, space: Workspace, interruption: Interruption
) -> None:
    """Its owner gives it another name after it was read: it comes back under that, and must not have two texts."""

    def rename() -> None:
        space.original.rename(space.original.with_name("renamed.jpg"))

    with pytest.raises(Changed):
        space.deliverer(interruption, rename).deliver(space.work(fate))  # type: ignore[arg-type]
    assert space.files() == {"inbox/sub/renamed.jpg": JPEG}
    assert space.states() == {"changed": 1}


def test_nothing_stays_of_a_refused_writing_whose_scan_then_changes(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses the flush and the clearing away leaves an unfinished file; it goes with the scan."""
    work = space.work("archive")
    with monkeypatch.context() as failing:
        failing.setattr(os, "fsync", refusing(errno.EIO))
        failing.setattr(os, "unlink", refusing(errno.EIO))
        with pytest.raises(EnvironmentFault):
            deliverer.deliver(work)
    space.original.write_bytes(JPEG + b"x")
    with pytest.raises(Changed):
        deliverer.deliver(work)
    assert list(space.files()) == ["inbox/sub/scan1.jpg"]


def set_aside_and_refused(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], object]:
    """Have the outbox refuse the publishing, and be emptied; return what delivers once more."""
    work = space.work("archive")
    with monkeypatch.context() as failing:
        failing.setattr(sidecars, "rename_noreplace", refusing(errno.EIO))
        with pytest.raises(EnvironmentFault):
            deliverer.deliver(work)
    assert not space.original.exists()
    for path in (space.places.outbox / "sub").iterdir():
        path.unlink()
    return lambda: deliverer.deliver(work)


def test_an_outbox_emptied_in_a_pause_is_filled_again(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An original that was set aside already is found by the second try, which writes the text once more."""
    set_aside_and_refused(space, deliverer, monkeypatch)()
    assert sorted(space.files()) == ["archive/sub/scan1.jpg", "outbox/sub/scan1.json", "outbox/sub/scan1.txt"]


def test_an_outbox_emptied_between_two_runs_has_the_scan_read_again(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An original that was set aside by an earlier run gets its name back."""
    set_aside_and_refused(space, deliverer, monkeypatch)
    (entry,) = space.ledger.unfinished()
    with pytest.raises(Changed):
        deliverer.resume(entry.id, entry.plan or "")
    assert space.files() == {"inbox/sub/scan1.jpg": JPEG}


@pytest.mark.parametrize("step", ["publish", "put away"])
@pytest.mark.parametrize("fate", ["archive", "delete", "quarantine"])
def test_an_original_that_was_set_aside_in_an_inbox_that_is_away_is_waited_for(
    fate: str, step: str, space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another inbox in the place of the one that it lies in: held up, until that is back."""
    work = space.work(fate)  # type: ignore[arg-type]
    with monkeypatch.context() as failing:
        if step == "publish":
            failing.setattr(sidecars, "publish", refusing(errno.EIO))
        else:
            failing.setattr(originals, "delete" if fate == "delete" else "move_away", refusing(errno.EIO))
        with pytest.raises(EnvironmentFault):
            deliverer.deliver(work)
    assert not space.original.exists()
    space.places.inbox.rename(space.root / "away")
    space.places.inbox.mkdir()
    with pytest.raises(Blocked, match="inbox"):
        deliverer.deliver(work)
    space.places.inbox.rmdir()
    (space.root / "away").rename(space.places.inbox)
    done = deliverer.deliver(work)
    assert done.original == (None if fate == "delete" else "sub/scan1.jpg")
    assert not any(name.startswith("inbox") for name in space.files())
    assert sum(name.endswith(".jpg") for name in space.files()) == (fate != "delete")
    assert set(space.states()) == {"quarantined" if fate == "quarantine" else "delivered"}


def test_a_scan_that_cannot_be_looked_at_any_more_is_not_taken_for_another(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses to compare says nothing about the scan: it is waited for, and delivered once."""
    work = space.work("archive")
    os.utime(space.original, ns=(0, 0))
    with monkeypatch.context() as failing:
        failing.setattr(files, "open_regular", refusing(errno.EIO))
        with pytest.raises(EnvironmentFault):
            deliverer.deliver(work)
    assert deliverer.deliver(work).original == "sub/scan1.jpg"


def test_an_inbox_that_cannot_be_looked_at_is_no_bug(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the environment's fault, as everywhere, and not that of the scan that met it."""
    work = space.work("archive")
    with monkeypatch.context() as failing:
        failing.setattr(originals, "claim", refusing(errno.ESTALE))
        with pytest.raises(EnvironmentFault, match="inbox") as caught:
            deliverer.deliver(work)
    assert not isinstance(caught.value, Blocked)
    assert deliverer.deliver(work).original == "sub/scan1.jpg"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EBUSY, errno.ETXTBSY, errno.EIO, errno.EUCLEAN])
@pytest.mark.parametrize("fate", ["archive", "delete", "quarantine"])
def test_nothing_is_published_of_a_scan_that_may_not_be_moved(
    fate: str, number: int, space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is blocked by itself, with its text unpublished, and delivered once when it may be moved."""
    work = space.work(fate)  # type: ignore[arg-type]
    with monkeypatch.context() as failing:
        failing.setattr(originals, "rename_to_own", refusing(number))
        for _ in range(2):
            with pytest.raises(Blocked, match="moved") as caught:
                deliverer.deliver(work)
    assert caught.value.remedy
    assert not [name for name in space.files() if not name.startswith("inbox") and "/." not in name]
    assert space.original.exists()
    assert deliverer.deliver(work).original == (None if fate == "delete" else "sub/scan1.jpg")
    assert not space.original.exists()


def test_a_refusal_of_the_whole_inbox_is_not_put_down_to_one_scan(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inbox that may not be written to holds up all."""
    work = space.work("archive")
    with monkeypatch.context() as failing:
        failing.setattr(originals, "rename_to_own", refusing(errno.EACCES))
        failing.setattr(os, "access", lambda place, *_, **__: place != space.places.inbox)
        with pytest.raises(EnvironmentFault, match="inbox") as caught:
            deliverer.deliver(work)
    assert not isinstance(caught.value, Blocked)


def test_contents_that_cannot_be_compared_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is gone, or no regular file, is another file for certain."""
    (tmp_path / "a").write_bytes(b"a")
    with folder(tmp_path) as directory:
        for number, certain in ((errno.ENOENT, True), (errno.ELOOP, True), (errno.EIO, False), (errno.EMFILE, False)):
            monkeypatch.setattr(files, "open_regular", refusing(number))
            if certain:
                assert not has_content(directory, "a", 1, "")
            else:
                with pytest.raises(OSError, match=os.strerror(number)):
                    has_content(directory, "a", 1, "")


def test_a_file_that_cannot_be_looked_at_is_not_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each such fault would cost a descriptor."""
    (tmp_path / "a").write_bytes(b"a")
    with folder(tmp_path) as directory:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with monkeypatch.context() as failing:
            failing.setattr(os, "fstat", refusing(errno.EIO))
            with pytest.raises(OSError, match="Input/output"):
                open_regular(directory, "a")
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_planned_scan_whose_names_are_all_taken_waits(tmp_path: Path, interruption: Interruption) -> None:
    """Its original is claimed, and no number fits behind its stem: it is delivered when the name is free again."""
    space = Workspace(tmp_path / "space", path="a." + "x" * 253)
    strangers = space.places.outbox / "a.txt"

    def take() -> None:
        strangers.write_bytes(b"a stranger's")

    deliverer = space.deliverer(interruption, take)
    work = space.work("archive")
    for _ in range(2):
        with pytest.raises(Blocked, match="no name is free") as caught:
            deliverer.deliver(work)
    assert caught.value.remedy
    assert strangers.read_bytes() == b"a stranger's"
    strangers.unlink()
    assert deliverer.deliver(work).original == space.path
    assert sorted(space.files()) == [f"archive/{space.path}", "outbox/a.json", "outbox/a.txt"]
    space.close()
