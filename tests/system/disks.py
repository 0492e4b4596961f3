"""File systems of their own for the daemon's folders, that come and go; and a service manager that listens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import until


class Disk:
    """A small file system that can be mounted on a folder, taken away, and brought back with what it holds."""

    def __init__(self, keeper: Path, place: Path) -> None:
        self.place = place
        self._keeper = keeper
        place.mkdir(parents=True, exist_ok=True)

    def mount(self) -> None:
        """Bring it to its place."""
        _run("mount", "--bind", self._keeper, self.place)

    def unmount(self) -> None:
        """Take it away, whoever uses it; its place shows the folder underneath."""
        _run("umount", "--lazy", self.place)

    def remount(self, how: str) -> None:
        """Make it read-only (``ro``) or writable (``rw``) at once."""
        _run("mount", "-o", f"remount,{how}", self._keeper)


@contextlib.contextmanager
def disk_for(place: Path, megabytes: int = 6) -> Iterator[Disk]:
    """Make a disk that is mounted on ``place``; skip the test where that is not allowed."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    keeper = place.parent / f"disk-of-{place.name}"
    keeper.mkdir()
    options = f"size={megabytes}m"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", keeper], check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    disk = Disk(keeper, place)
    try:
        disk.mount()
        yield disk
    finally:
        while os.path.ismount(place):
            disk.unmount()
        _run("umount", "--lazy", keeper)


class OnlyDisk:
    """A small file system that nobody else keeps: once unmounted it is gone, and the kernel drops all watches on it.

    Mounted again it is empty, and usually has the same device number and inode.
    """

    def __init__(self, place: Path) -> None:
        self._place = place

    def mount(self) -> None:
        """Mount it on its place."""
        _run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", self._place)

    def unmount(self) -> None:
        """Unmount it as soon as no file of it is open."""
        until(lambda: subprocess.run(["umount", self._place], check=False, stderr=subprocess.DEVNULL).returncode == 0)


@contextlib.contextmanager
def only_disk_for(place: Path) -> Iterator[OnlyDisk]:
    """Make a disk that is mounted on ``place``; skip the test if that is not allowed."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = OnlyDisk(place)
    try:
        disk.mount()
    except subprocess.CalledProcessError:
        pytest.skip("nothing can be mounted here")
    try:
        yield disk
    finally:
        while os.path.ismount(place):
            _run("umount", "--lazy", place)


@contextlib.contextmanager
def dead_share(place: Path) -> Iterator[None]:
    """Mount a share on ``place`` whose server is gone: every look is refused ("transport endpoint …")."""
    with hung_share(place) as let_die:
        let_die()
        yield


@contextlib.contextmanager
def hung_share(place: Path) -> Iterator[Callable[[], None]]:
    """Mount a share on ``place`` whose server does not answer: whoever looks at it waits, until it dies.

    It is a FUSE file system that nobody serves (fuse(4)). Yields what has it die. Skips the test where that is not
    allowed.
    """
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("only root can mount a share, and only where the kernel has FUSE")
    with contextlib.ExitStack() as stack:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, device)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if ctypes.CDLL(None).mount(b"hung", os.fsencode(place), b"fuse", 0, options):
            pytest.skip("no share can be mounted here")
        server = stack.pop_all()
    try:
        yield server.close
    finally:
        server.close()
        _run("umount", "--lazy", place)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


class Manager:
    """Listens as systemd does on the socket that it names in ``NOTIFY_SOCKET``."""

    def __init__(self, path: Path) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """Return all that it was told so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._heard += self._socket.recv(1 << 16).decode().splitlines()
        return list(self._heard)

    def statuses(self) -> list[str]:
        """Return what it was told so far in ``STATUS=``."""
        return [line.removeprefix("STATUS=") for line in self.heard() if line.startswith("STATUS=")]

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
