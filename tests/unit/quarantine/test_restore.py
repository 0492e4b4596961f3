"""A scan goes back to the inbox, also if it cannot be renamed there."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.quarantine.restore import restore
from ocrwatch.storage import files
from tests.namespaces import run_with_mounts

_TWO_MOUNTS = """
mkdir disk
mount -t tmpfs tmpfs disk
mkdir disk/in disk/kept inbox quarantine
mount --bind disk/in inbox
mount --bind disk/kept quarantine
printf 'a scan' > quarantine/a.jpg
printf '{}' > quarantine/a.jpg.reason.json
"""

_RESTORE = """
import os, sys
from pathlib import Path
from ocrwatch.quarantine.restore import restore
inbox, quarantine = Path.cwd() / "inbox", Path.cwd() / "quarantine"
assert inbox.stat().st_dev == quarantine.stat().st_dev
print(restore(quarantine, inbox, "a.jpg"), os.listdir(inbox), os.listdir(quarantine), (inbox / "a.jpg").read_text())
"""


class _Libc:
    """The kernel, which refuses to rename between folders with an error number, or within one if told so."""

    def __init__(self, real: Any, number: int) -> None:
        self._real = real
        self._number = number

    def renameat2(self, source: int, name: bytes, target: int, new_name: bytes, flags: int) -> int:
        """Rename within a folder only."""
        if source != target:
            ctypes.set_errno(self._number)
            return -1
        done: int = self._real.renameat2(source, name, target, new_name, flags)
        return done


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Make a quarantine with one scan, and an inbox."""
    quarantine, inbox = tmp_path / "quarantine", tmp_path / "inbox"
    for folder in (quarantine, inbox):
        folder.mkdir()
    (quarantine / "a.jpg").write_bytes(b"a scan")
    (quarantine / "a.jpg.reason.json").write_bytes(b"{}")
    return quarantine, inbox


def test_between_two_mounts_of_one_file_system_a_scan_is_copied(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device numbers are equal, but the kernel renames nothing between two mounts."""
    quarantine, inbox = folders
    (inbox / "a.jpg").write_bytes(b"another")
    monkeypatch.setattr(files, "_libc", _Libc(files._libc, errno.EXDEV))
    assert restore(quarantine, inbox, "a.jpg") == "a-2.jpg"
    assert {file.name: file.read_bytes() for file in inbox.iterdir()} == {"a.jpg": b"another", "a-2.jpg": b"a scan"}
    assert not list(quarantine.iterdir())


def test_another_refusal_is_an_error(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan stays in the quarantine, with its reason."""
    quarantine, inbox = folders
    monkeypatch.setattr(files, "_libc", _Libc(files._libc, errno.EIO))
    with pytest.raises(EnvironmentFault):
        restore(quarantine, inbox, "a.jpg")
    assert sorted(file.name for file in quarantine.iterdir()) == ["a.jpg", "a.jpg.reason.json"]
    assert not list(inbox.iterdir())


def test_two_real_mounts_of_one_disk(tmp_path: Path) -> None:
    """Inbox and quarantine are bind-mounted one by one, as a container has them."""
    said = run_with_mounts(_TWO_MOUNTS, _RESTORE, place=tmp_path)
    assert said == "a.jpg ['a.jpg'] [] a scan\n"
