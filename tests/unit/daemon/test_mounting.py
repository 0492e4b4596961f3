"""A share that was mounted at the last start is missed at the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrwatch.daemon import mounting
from ocrwatch.daemon.mounting import NAME, check_mounts, remember_mounts
from ocrwatch.errors import EnvironmentFault
from ocrwatch.mounts import mount_point_of
from ocrwatch.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """All folders below one, the outbox on a share."""
    names = ("inbox", "outbox", "archive", "quarantine", "state")
    folders = {name: tmp_path / ("mnt/nas/" if name == "outbox" else "") / name for name in names}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return Settings.model_validate(folders)


Mount = Callable[..., None]


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Mount:
    """Return what says where file systems are mounted."""

    def mount(*points: Path) -> None:
        def point_of(folder: Path) -> Path:
            return next(point for point in (folder, *folder.parents) if point in {*points, Path("/")})

        monkeypatch.setattr(mounting, "mount_point_of", point_of)

    return mount


def test_a_missing_share_is_refused_with_the_remedy(settings: Settings, mounted: Mount, tmp_path: Path) -> None:
    """Its mount point is there, or not even that; both ways nothing may be written below it."""
    mounted(tmp_path / "mnt/nas")
    remember_mounts(settings)
    check_mounts(settings)
    mounted()
    for remove in (settings.outbox, tmp_path / "mnt/nas"):
        remove.rmdir()
        with pytest.raises(EnvironmentFault, match=r"nothing is mounted on .*/mnt/nas.* outbox") as caught:
            check_mounts(settings)
        assert str(settings.state / NAME) in caught.value.remedy
    (settings.state / NAME).unlink()
    check_mounts(settings)


def test_what_was_moved_on_purpose_is_fine(settings: Settings, mounted: Mount, tmp_path: Path) -> None:
    """Another folder, a share where there was none, or one mounted closer: nothing is missing."""
    mounted()
    remember_mounts(settings)
    mounted(tmp_path / "mnt")
    check_mounts(settings)
    remember_mounts(settings)
    mounted(tmp_path / "mnt", tmp_path / "mnt/nas")
    check_mounts(settings)
    mounted()
    check_mounts(settings.model_copy(update={"outbox": tmp_path / "elsewhere"}))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"/x": 1}', b"\xff"])
def test_notes_that_cannot_be_read_say_nothing(settings: Settings, content: bytes) -> None:
    """They are no reason not to start, and are written anew."""
    (settings.state / NAME).write_bytes(content)
    check_mounts(settings)
    remember_mounts(settings)
    assert set(json.loads((settings.state / NAME).read_bytes())) >= {str(settings.inbox), str(settings.outbox)}
    assert [path.name for path in settings.state.iterdir()] == [NAME]


def test_where_a_file_system_is_mounted(tmp_path: Path) -> None:
    """It is a folder above, and what the kernel says of itself is mounted where everybody knows."""
    point = mount_point_of(tmp_path)
    assert point is not None
    assert tmp_path.is_relative_to(point)
    assert mount_point_of(Path("/proc/self")) == Path("/proc")
    assert mount_point_of(tmp_path / "missing") is None
