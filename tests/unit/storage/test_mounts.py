"""What kind of mount a folder is on decides how it is watched."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocrwatch.storage import mounts as mounts_module
from ocrwatch.storage.mounts import EVENTFUL, Location, lasting_identity, location_of, mount_of, watch_mode
from tests.namespaces import run_with_mounts


def mounts() -> list[tuple[str, str, str]]:
    """Mount point, type and source of every mount, as the kernel lists them in /proc/self/mounts."""
    lines = Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()
    return [(fields[1], fields[2], fields[0]) for fields in map(str.split, lines)]


def is_seen(point: Path) -> bool:
    """Tell whether a mount point is a folder that answers; another program's share may be dead."""
    try:
        return point.is_dir()
    except OSError:
        return False


def test_proc_is_known() -> None:
    """The type is that of the mount the folder is on."""
    assert mount_of(Path("/proc/self"))[0] == "proc"


def test_the_mount_is_the_one_that_the_kernel_lists() -> None:
    """Type and source of each mount point agree with the kernel's other list."""
    listed = {point: (kind, source) for point, kind, source in mounts() if "\\" not in point}
    visible = {point: mount for point, mount in listed.items() if is_seen(Path(point))}
    assert visible
    assert {point: mount_of(Path(point)) for point in visible} == visible


def test_a_folder_is_on_its_parents_mount(tmp_path: Path) -> None:
    """A folder below a mount point, reached through a link too, is on that mount."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to("inner")
    assert mount_of(tmp_path / "inner") == mount_of(tmp_path) == mount_of(tmp_path / "link")
    assert mount_of(tmp_path)[0] != "unknown"


def test_a_missing_folder_is_on_nothing_known(tmp_path: Path) -> None:
    """Where the kernel tells nothing, nothing is claimed."""
    assert mount_of(tmp_path / "missing") == ("unknown", "")


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "overlay", "vboxsf", "unknown", ""]
)
def test_what_might_hide_events_is_polled(kind: str) -> None:
    """Network, FUSE, layered and unknown file systems are polled: a late text is better than none."""
    assert watch_mode(kind) == "poll"


@pytest.mark.parametrize("kind", sorted(EVENTFUL))
def test_local_file_systems_are_watched(kind: str) -> None:
    """On ordinary local file systems events are relied upon."""
    assert watch_mode(kind) == "inotify"


def test_where_a_folder_lies(tmp_path: Path) -> None:
    """It is below the point where its file system begins, and what the kernel says of itself begins at /proc."""
    at = location_of(tmp_path)
    assert at is not None
    assert tmp_path.is_relative_to(at.point)
    proc = location_of(Path("/proc/self"))
    assert proc is not None
    assert (proc.kind, proc.point) == ("proc", Path("/proc"))
    assert location_of(tmp_path / "missing") is None


_IDENTITIES = """
from pathlib import Path
from ocrwatch.storage.mounts import lasting_identity
for name in ("one", "again", "two", "plain"):
    print(Path(name).stat().st_ino, *lasting_identity(Path(name)), sep="|")
"""


def test_a_file_system_is_known_again_and_distinguished_from_others(tmp_path: Path) -> None:
    """Through another mount it is the same, and another with the same inode numbers is not."""
    mounts = "mkdir one two again plain\nmount -t tmpfs tmpfs one\nmount -t tmpfs tmpfs two\nmount --bind one again"
    one, again, two, plain = (
        line.split("|") for line in run_with_mounts(mounts, _IDENTITIES, place=tmp_path).splitlines()
    )
    assert one == again
    if len(one) == 3:
        # Else the kernel gives such file systems no number.
        assert one[0] == two[0]
        assert one != two
    assert plain[1:] not in (one[1:], two[1:])


@pytest.mark.parametrize(
    ("kind", "number", "identity"),
    [
        ("ext4", 0xAB, ("ext4", "ab")),
        ("ext4", 0, ("ext4", "nas:/scans", "/in")),
        ("nfs4", 0xAB, ("nfs4", "nas:/scans", "/in")),
        ("xfs", 0xAB, ("xfs", "nas:/scans", "/in")),
    ],
)
def test_a_number_identifies_only_if_it_is_not_the_devices(
    kind: str, number: int, identity: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems have a number of their own; for the others, the source of the mount identifies them."""
    monkeypatch.setattr(mounts_module, "location_of", lambda _: Location(kind, "nas:/scans", "/in", Path("/in")))
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_fsid=number))
    assert lasting_identity(Path("/in")) == identity
    monkeypatch.setattr(mounts_module, "location_of", lambda _: None)
    assert lasting_identity(Path("/in")) == ()
