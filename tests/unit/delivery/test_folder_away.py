"""A subfolder of the inbox that is renamed, swapped or removed while an original is set aside in it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.delivery import originals, sidecars
from ocrwatch.delivery.chosen_names import Fate
from ocrwatch.delivery.step_order import Delivered, Deliverer, Work
from ocrwatch.errors import Blocked, Changed, EnvironmentFault
from tests.unit.delivery.interruption import refusing
from tests.unit.delivery.workspace import JPEG, Workspace

Make = Callable[[Path | None], Workspace]
Deliver = Callable[[Deliverer, Work], Delivered]


def alone(deliverer: Deliverer, work: Work) -> Delivered:
    """Deliver one scan on its own."""
    return deliverer.deliver(work)


def together(deliverer: Deliverer, work: Work) -> Delivered:
    """Deliver it as several are, and on its own what does not go that way."""
    (done,) = deliverer.deliver_together([work])
    return done or deliverer.deliver(work)


def once_set_aside(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Have something happen to the inbox between the setting aside of an original and the publishing of its text."""
    publish, todo = sidecars.publish, [do]

    def publishing(*arguments: Any, **keywords: Any) -> None:
        while todo:
            todo.pop()()
        publish(*arguments, **keywords)

    monkeypatch.setattr(sidecars, "publish", publishing)


@pytest.mark.parametrize("deliver", [alone, together])
@pytest.mark.parametrize("fate", ["archive", "delete", "quarantine"])
def test_an_original_is_put_away_from_its_renamed_folder(
    fate: Fate, deliver: Deliver, space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing hidden stays in the folder under its new name, however deep, and the original is where it belongs."""
    deeper = space.places.inbox / "this/year"
    deeper.mkdir(parents=True)
    once_set_aside(monkeypatch, lambda: space.original.parent.rename(deeper / "october"))
    done = deliver(deliverer, space.work(fate))
    assert done.original == (None if fate == "delete" else "sub/scan1.jpg")
    assert not any(name.startswith("inbox/") for name in space.files())
    assert sum(name.endswith(".jpg") for name in space.files()) == (fate != "delete")


@pytest.mark.parametrize("deliver", [alone, together])
@pytest.mark.parametrize("fate", ["archive", "delete", "quarantine"])
def test_an_original_in_a_folder_that_is_a_link_for_a_while_is_waited_for(
    fate: Fate, deliver: Deliver, space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan is blocked as long as it takes; then its original is where it belongs, and its text is there once."""
    folder, away = space.original.parent, space.root / "away"

    def swap() -> None:
        folder.rename(away)
        folder.symlink_to(space.root)

    once_set_aside(monkeypatch, swap)
    work = space.work(fate)
    for _ in range(5):
        with pytest.raises(Blocked, match="away"):
            deliver(deliverer, work)
    folder.unlink()
    away.rename(folder)
    done = deliver(deliverer, work)
    assert done.original == (None if fate == "delete" else "sub/scan1.jpg")
    assert not any(name.startswith("inbox/") for name in space.files())
    assert sum(name.endswith((".txt", "reason.json")) for name in space.files()) == 1
    assert set(space.states()) == {"quarantined" if fate == "quarantine" else "delivered"}


def test_a_folder_that_was_removed_is_not_waited_for_for_ever(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took the original away with it: its text stays, and nothing is said of an archived original."""
    once_set_aside(monkeypatch, lambda: shutil.rmtree(space.original.parent))
    work = space.work("archive")
    for _ in range(3):
        with pytest.raises(Blocked):
            deliverer.deliver(work)
    assert deliverer.deliver(work).original is None
    assert sorted(space.files()) == ["outbox/sub/scan1.json", "outbox/sub/scan1.txt"]
    assert set(space.states()) == {"delivered"}


def test_a_folder_that_was_removed_before_the_scan_was_set_aside_takes_the_scan_with_it(
    space: Workspace, deliverer: Deliverer
) -> None:
    """That is no reason to wait: nothing was published."""
    work = space.work("archive")
    shutil.rmtree(space.original.parent)
    with pytest.raises(Changed):
        deliverer.deliver(work)
    assert space.files() == {}


def test_an_original_whose_text_is_gone_gets_its_name_back_in_its_renamed_folder(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read once more from there."""

    def refuse() -> None:
        space.original.parent.rename(space.places.inbox / "october")
        raise OSError(5, "refused")

    once_set_aside(monkeypatch, refuse)
    with pytest.raises(EnvironmentFault):
        deliverer.deliver(space.work("archive"))
    shutil.rmtree(space.places.outbox / "sub")
    (entry,) = space.ledger.unfinished()
    with pytest.raises(Changed):
        deliverer.resume(entry.id, entry.plan or "")
    assert space.files() == {"inbox/october/scan1.jpg": JPEG}


def test_an_inbox_that_cannot_be_searched_holds_up_one_scan_only_and_not_for_ever(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No fault of the environment, which would have all others wait; in the end its text counts as delivered."""
    once_set_aside(monkeypatch, lambda: space.original.parent.rename(space.places.inbox / "october"))
    monkeypatch.setattr(originals, "find", refusing(errno.EIO))
    work = space.work("archive")
    for _ in range(3):
        with pytest.raises(Blocked, match="input/output"):
            deliverer.deliver(work)
    assert deliverer.deliver(work).original is None


def test_an_original_that_somebody_removes_is_not_searched_for(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is the one that it was set aside in, so that it can be in no other."""

    def remove() -> None:
        for path in space.original.parent.iterdir():
            path.unlink()

    once_set_aside(monkeypatch, remove)
    monkeypatch.setattr(originals, "find", refusing(errno.EIO))
    assert together(deliverer, space.work("archive")).original is None
    assert set(space.states()) == {"delivered"}


def test_the_search_goes_on_past_what_it_may_not_see(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that refuses matters only if the original is found nowhere else."""
    october = space.places.inbox / "october"
    for name in ("a", "z"):
        (space.places.inbox / name).mkdir()
    once_set_aside(monkeypatch, lambda: space.original.parent.rename(october))
    real = os.scandir

    def scandir(directory: int) -> Any:
        if Path(f"/proc/self/fd/{directory}").readlink().name in {"a", "z"}:
            raise OSError(errno.EIO, "Input/output error")
        return real(directory)

    monkeypatch.setattr(os, "scandir", scandir)
    assert deliverer.deliver(space.work("archive")).original == "sub/scan1.jpg"
