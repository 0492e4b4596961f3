"""Sidecars that are files of the state folder are delivered like others, whole or not at all."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrwatch.delivery.chosen_names import Fate
from ocrwatch.delivery.sidecars import stage
from ocrwatch.delivery.step_order import Deliverer
from ocrwatch.delivery.steps import Steps
from ocrwatch.delivery.stored_sidecars import StoredLost, size_and_sha256
from ocrwatch.errors import EnvironmentFault
from ocrwatch.render.base import StoredSidecar
from tests.scripted import refuse
from tests.unit.delivery.interruption import Interruption, content
from tests.unit.delivery.test_step_order import Make, killed_everywhere
from tests.unit.delivery.workspace import ENDINGS, JPEG, PAGE, Workspace

LARGE = bytes(range(256)) * 12_000 + b"end"
"""Several chunks."""

DELIVERED = {"outbox/sub/scan1.json": PAGE[0][1], "outbox/sub/scan1.txt": PAGE[1][1], "archive/sub/scan1.jpg": JPEG}


def stored(place: Path, data: bytes) -> StoredSidecar:
    """Write a stored sidecar."""
    place.write_bytes(data)
    return StoredSidecar(str(place), *size_and_sha256(data))


def test_a_stored_sidecar_has_the_size_and_hash_of_its_file(tmp_path: Path) -> None:
    """As bytes have."""
    expected = (len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert size_and_sha256(LARGE) == size_and_sha256(stored(tmp_path / "a.pdf", LARGE)) == expected


def test_stored_sidecars_are_staged_beside_others(tmp_path: Path) -> None:
    """With their mode; what an earlier attempt has left is replaced, and the stored file stays."""
    (tmp_path / "outbox/sub").mkdir(parents=True)
    (tmp_path / "outbox/sub/.p.tmp").write_bytes(b"half")
    pdf = stored(tmp_path / "a.pdf", LARGE)
    stage(tmp_path / "outbox", "sub", [(".p.tmp", pdf), (".t.tmp", b"words")], mode=0o640)
    assert content(tmp_path / "outbox") == {"sub/.p.tmp": LARGE, "sub/.t.tmp": b"words"}
    assert (tmp_path / "outbox/sub/.p.tmp").stat().st_mode & 0o777 == 0o640
    assert Path(pdf.path).read_bytes() == LARGE


def gone(place: Path) -> None:
    """Remove it."""
    place.unlink()


def cut_off(place: Path) -> None:
    """Cut off its end."""
    place.write_bytes(LARGE[:-1])


def longer(place: Path) -> None:
    """Add to it."""
    place.write_bytes(LARGE + b"x")


def changed(place: Path) -> None:
    """Change one byte of its end."""
    place.write_bytes(LARGE[:-1] + b"x")


def folder(place: Path) -> None:
    """Put a folder in its place."""
    place.unlink()
    place.mkdir()


def link(place: Path) -> None:
    """Put a link to the same bytes in its place."""
    place.rename(place.with_name("moved"))
    place.symlink_to("moved")


@pytest.mark.parametrize("harm", [gone, cut_off, longer, changed, folder, link])
def test_one_that_is_not_what_it_was_is_lost(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """Nothing of its scan is staged then."""
    (tmp_path / "outbox").mkdir()
    pdf = stored(tmp_path / "a.pdf", LARGE)
    harm(tmp_path / "a.pdf")
    with pytest.raises(StoredLost, match=r"a\.pdf"):
        stage(tmp_path / "outbox", "", [(".t.tmp", b"words"), (".p.tmp", pdf)])
    assert content(tmp_path / "outbox") == {}


def test_one_that_the_disk_does_not_give_is_the_environments_fault(tmp_path: Path) -> None:
    """The message names the stored file, and not the outbox; the start of this process's memory cannot be read."""
    memory = StoredSidecar("/proc/self/mem", 1, "")
    with pytest.raises(EnvironmentFault, match="cannot read /proc/self/mem in the state folder"):
        stage(tmp_path, "", [(".t.tmp", b"words"), (".p.tmp", memory)])
    assert content(tmp_path) == {}


def test_a_disk_that_fills_up_keeps_nothing_of_it(tmp_path: Path) -> None:
    """The error is that of the disk, and what was begun is removed."""
    (tmp_path / "outbox").mkdir()
    pdf = stored(tmp_path / "a.pdf", LARGE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(LARGE) // 2, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            stage(tmp_path / "outbox", "", [(".t.tmp", b"words"), (".p.tmp", pdf)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert content(tmp_path / "outbox") == {}


@pytest.mark.parametrize("fate", ["archive", "keep"])
def test_killed_at_any_step_stored_sidecars_end_as_if_undisturbed(
    fate: Fate, interruption: Interruption, workspaces: Make
) -> None:
    """The file is read again after a restart, unless its sidecars were staged by then."""

    def make() -> Workspace:
        space = workspaces(None)
        space.store(*PAGE)
        return space

    assert killed_everywhere(make, interruption, fate) == []


def test_a_scan_whose_stored_sidecar_is_lost_is_read_again(space: Workspace, deliverer: Deliverer) -> None:
    """Nothing of it is delivered; the ledger has the reason, and the next reading is another row."""
    place = space.store(*PAGE)["json"]
    place.write_bytes(b"{ \n")
    work = space.work("archive")
    with pytest.raises(StoredLost):
        deliverer.deliver(work)
    assert space.files() == {"inbox/sub/scan1.jpg": JPEG}
    assert space.states() == {"changed": 1}
    assert "state folder" in (space.ledger.get(work.scan).reason or "")
    place.write_bytes(PAGE[0][1])
    deliverer.deliver(space.work("archive"))
    assert space.files() == DELIVERED


def test_a_delivery_that_is_refused_stages_its_stored_sidecars_anew(
    space: Workspace, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often, and also if what was staged has been removed meanwhile; once they are lost, it is read again."""
    places = space.store(*PAGE)
    work = space.work("archive")

    def refused() -> None:
        with monkeypatch.context() as refusing:
            refusing.setattr(Steps, "publish", refuse(EnvironmentFault("full", "")))
            with pytest.raises(EnvironmentFault):
                deliverer.deliver(work)
        assert len(space.files()) == 3
        for name in space.files():
            if name.startswith("outbox"):
                (space.root / name).unlink()

    refused()
    refused()
    kept = places["txt"].read_bytes()
    places["txt"].unlink()
    with pytest.raises(StoredLost):
        deliverer.deliver(work)
    assert space.files() == {"inbox/sub/scan1.jpg": JPEG}
    places["txt"].write_bytes(kept)
    deliverer.deliver(space.work("archive"))
    assert space.files() == DELIVERED


def test_a_lost_one_is_left_out_of_what_is_delivered_together(space: Workspace) -> None:
    """It is delivered alone, which says that it is lost; the other one is not held up."""
    space.store(*PAGE)
    first = space.work("archive")
    space.path, space.original = "sub/scan2.jpg", space.places.inbox / "sub/scan2.jpg"
    space.original.write_bytes(JPEG)
    good = space.page
    space.page = tuple((ending, StoredSidecar("/nowhere", 1, "")) for ending, _ in good)
    second = space.work("archive")
    delivered, lost = Deliverer(space.places, space.ledger, ENDINGS).deliver_together([first, second])
    assert delivered is not None
    assert lost is None
    assert space.files() == DELIVERED | {"inbox/sub/scan2.jpg": JPEG}
