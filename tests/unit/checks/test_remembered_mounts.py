"""A share that was mounted at the last start is missed at the next, in a sandbox and outside of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocrwatch.checks.remembered_mounts import NAME, check_mounts, remember_mounts
from ocrwatch.settings import Settings
from tests.namespaces import run_with_mounts

FOLDERS = ("inbox", "outbox", "archive", "quarantine", "state")

PROGRAM = """
import sys
from pathlib import Path
from ocrwatch.checks import remembered_mounts
from ocrwatch.errors import EnvironmentFault
from ocrwatch.settings import Settings
place, *steps = sys.argv[1:]
paths = {name: Path(place, "data", name) for name in ("inbox", "outbox", "archive", "quarantine")}
settings = Settings.model_validate({**paths, "state": Path(place, "lib/state")})
try:
    for step in steps:
        getattr(remembered_mounts, step)(settings)
except EnvironmentFault as fault:
    print(fault)
else:
    print("fine")
"""
START = ("check_mounts", "remember_mounts")

SANDBOX = "mount --bind data data; mount --bind lib/state lib/state"
"""What systemd does for ``ReadWritePaths=`` and ``StateDirectory=``."""
WIDER_SANDBOX = 'mount --bind . .; cd "$(pwd)"; mount --bind lib/state lib/state'
CLOSE_SANDBOX = "for each in inbox outbox archive quarantine; do mount --bind data/$each data/$each; done"
HIDING_SANDBOX = """here=$(pwd)
mount -t tmpfs none "$here"; mkdir -p "$here/data" "$here/lib/state"
mount --bind data "$here/data"; mount --bind lib/state "$here/lib/state"
"""
"""Another file system around it, as ``TemporaryFileSystem=`` and ``ProtectHome=tmpfs`` make."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """All folders, and two places where a disk can be mounted."""
    for name in ("data/inbox", "data/outbox", "data/archive", "data/quarantine", "lib/state"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def start(place: Path, mounts: str = "", steps: tuple[str, ...] = START) -> str:
    """Check the mounts and note them, as a start does; return what it says."""
    return run_with_mounts(mounts, PROGRAM, place, *steps, place=place).strip()


def disk(place: Path, *folders: str) -> str:
    """Return the commands that mount a disk on a folder, and the folders that are on it."""
    commands = [f"mount -t tmpfs disk {place}", *(f"mkdir -p {place}/{folder}" for folder in folders)]
    return "; ".join(commands)


def note_of_older_version(place: Path, mounts: str) -> None:
    """Write what an older version noted: mount points as it saw them."""
    program = """
import json, os, sys
from pathlib import Path
def point(path):
    while not os.path.ismount(path):
        path = path.parent
    return str(path)
place = Path(sys.argv[1])
folders = [place / "data" / name for name in ("inbox", "outbox", "archive", "quarantine")] + [place / "lib/state"]
(place / "lib/state/mounts.json").write_text(json.dumps({str(folder): point(folder) for folder in folders}))
"""
    # os.path.ismount sees a bind mount on itself only from the kernel's list.
    program = program.replace("os.path.ismount(path)", "any(line.split()[4] == str(path) for line in MOUNTS)")
    program = 'MOUNTS = open("/proc/self/mountinfo").read().splitlines()\n' + program
    run_with_mounts(mounts, program, place, place=place)


@pytest.mark.parametrize("sandbox", [SANDBOX, CLOSE_SANDBOX, WIDER_SANDBOX, HIDING_SANDBOX])
def test_a_sandbox_is_no_disk(place: Path, sandbox: str) -> None:
    """What the service notes in its sandbox is true outside, and what is noted outside is true in it."""
    for mounts in (sandbox, "", sandbox):
        assert start(place, mounts) == "fine"


def test_another_sandbox_is_no_other_disk(place: Path) -> None:
    """The service starts with wider or narrower ``ReadWritePaths=`` than the last time."""
    for mounts in (SANDBOX, WIDER_SANDBOX, CLOSE_SANDBOX, SANDBOX):
        assert start(place, mounts) == "fine"


@pytest.mark.parametrize("sandbox", [SANDBOX, CLOSE_SANDBOX, ""])
def test_a_disk_that_is_not_mounted_is_missed(place: Path, sandbox: str) -> None:
    """Its mount point is a folder on the root disk; that is refused with the remedy, in a sandbox and outside."""
    mounted = disk(place / "data", "inbox", "outbox", "archive", "quarantine")
    assert start(place, f"{mounted}; {sandbox}") == "fine"
    for mounts in (sandbox, ""):
        said = start(place, mounts)
        assert f"nothing is mounted on {place / 'data'}, where the inbox {place / 'data/inbox'} was" in said
        assert str(place / "lib/state" / NAME) in said
    assert start(place, f"{mounted}; {sandbox}") == "fine"
    (place / "lib/state" / NAME).unlink()
    assert start(place, sandbox) == "fine"


def test_a_disk_is_missed_if_even_its_mount_point_is_gone(place: Path) -> None:
    """Nothing may be made below what is left of the path."""
    assert start(place, disk(place / "data", "inbox", "outbox", "archive", "quarantine")) == "fine"
    for folder in (*(place / "data").iterdir(), place / "data"):
        folder.rmdir()
    assert "nothing is mounted on" in start(place)


def test_a_folder_that_is_bound_from_elsewhere_is_missed(place: Path) -> None:
    """A bind mount of another folder of the same disk is a mount like any other."""
    (place / "elsewhere").mkdir()
    assert start(place, "mount --bind elsewhere data/inbox") == "fine"
    assert f"nothing is mounted on {place / 'data/inbox'}" in start(place)


def test_what_was_moved_on_purpose_is_fine(place: Path) -> None:
    """A disk where there was none, another in its place, or one mounted closer: nothing is missing."""
    folders = ("inbox", "outbox", "archive", "quarantine")
    assert start(place) == "fine"
    assert start(place, disk(place / "data", *folders)) == "fine"
    assert start(place, disk(place / "data", *folders).replace("disk", "other")) == "fine"
    assert start(place, f"{disk(place / 'data', *folders)}; {disk(place / 'data/outbox')}") == "fine"


@pytest.mark.parametrize("sandbox", [SANDBOX, WIDER_SANDBOX])
def test_what_an_older_version_noted_in_its_sandbox_is_replaced(place: Path, sandbox: str) -> None:
    """It named the sandbox's own mount points, which say nothing: outside and in another sandbox the start is fine."""
    for mounts in ("", SANDBOX, CLOSE_SANDBOX):
        note_of_older_version(place, sandbox)
        assert start(place, mounts) == "fine"
        assert json.loads((place / "lib/state" / NAME).read_bytes())["version"] == 2


def test_what_an_older_version_noted_outside_a_sandbox_still_counts(place: Path) -> None:
    """The disk that it names is missed."""
    note_of_older_version(place, disk(place / "data", "inbox", "outbox", "archive", "quarantine"))
    assert f"nothing is mounted on {place / 'data'}" in start(place)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"/x": 1}', b"\xff", b'{"version": 2}', b'{"version": 2, "folders": {"/x": {"point": 1}}}'],
)
def test_notes_that_cannot_be_read_say_nothing(tmp_path: Path, content: bytes) -> None:
    """They are no reason not to start, and are written anew."""
    settings = Settings.model_validate({name: tmp_path / name for name in FOLDERS})
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    (settings.state / NAME).write_bytes(content)
    check_mounts(settings)
    remember_mounts(settings)
    noted = json.loads((settings.state / NAME).read_bytes())["folders"]
    assert set(noted) >= {str(settings.inbox), str(settings.outbox)}
    assert [path.name for path in settings.state.iterdir()] == [NAME]


def test_notes_are_only_written_if_something_changed(tmp_path: Path) -> None:
    """A start that finds everything where it was leaves them alone."""
    settings = Settings.model_validate({name: tmp_path / name for name in FOLDERS})
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    remember_mounts(settings)
    before = (settings.state / NAME).stat().st_ino
    remember_mounts(settings)
    assert (settings.state / NAME).stat().st_ino == before


def test_unfinished_notes_are_removed_though_nothing_has_changed(place: Path) -> None:
    """A disk that failed in the middle of an earlier start leaves nothing for years."""
    settings = Settings.model_validate({name: place / name for name in FOLDERS})
    for name in FOLDERS:
        (place / name).mkdir()
    remember_mounts(settings)
    (place / "state/.mounts.json.tmp").write_text("half")
    remember_mounts(settings)
    assert [path.name for path in (place / "state").iterdir()] == [NAME]
