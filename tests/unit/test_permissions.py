"""Whether a scan may be moved out of its folder: each obstacle of rename(2), for real."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocrwatch.errors import Blocked
from ocrwatch.permissions import check_movable
from tests.privileges import NOBODY, reachable_folder, unprivileged

ROOT = os.geteuid() == 0


@contextmanager
def attribute(letter: str, place: Path) -> Iterator[None]:
    """Mark a file or folder as chattr(1) does; skip the test if its file system has no such marks."""
    done = subprocess.run(["chattr", f"+{letter}", str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs root, and a file system with attributes")
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{letter}", str(place)], check=True)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Make an inbox with a scan at its top and one in a subfolder."""
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "sub/b.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8")
    return tmp_path


@pytest.fixture
def shared() -> Iterator[Path]:
    """Make an inbox that an ordinary user can reach."""
    with reachable_folder() as folder:
        (folder / "sub").mkdir()
        for name in ("a.jpg", "sub/b.jpg"):
            (folder / name).write_bytes(b"\xff\xd8")
        yield folder


def test_an_ordinary_scan_may_be_moved(inbox: Path) -> None:
    """Nothing is said of what can be moved, at the top or below."""
    check_movable(inbox, "a.jpg")
    check_movable(inbox, "sub/b.jpg")


@pytest.mark.parametrize(("letter", "word"), [("i", "immutable"), ("a", "append-only")])
def test_a_marked_scan_is_named_with_the_command(inbox: Path, letter: str, word: str) -> None:
    """A file that chattr(1) has marked is blocked alone."""
    with attribute(letter, inbox / "a.jpg"):
        with pytest.raises(Blocked, match=f"it is marked {word}") as caught:
            check_movable(inbox, "a.jpg")
        assert caught.value.remedy == f"sudo chattr -{letter} {inbox}/a.jpg"
        check_movable(inbox, "sub/b.jpg")


@pytest.mark.parametrize("letter", ["i", "a"])
def test_a_marked_subfolder_is_named_with_the_command(inbox: Path, letter: str) -> None:
    """A subfolder that chattr(1) has marked holds up what lies in it."""
    with attribute(letter, inbox / "sub"):
        with pytest.raises(Blocked, match=f"its folder {inbox}/sub is marked") as caught:
            check_movable(inbox, "sub/b.jpg")
        assert caught.value.remedy == f"sudo chattr -{letter} {inbox}/sub"
        check_movable(inbox, "a.jpg")


@pytest.mark.skipif(not ROOT, reason="needs files of two users")
def test_another_users_scan_in_a_sticky_inbox(shared: Path) -> None:
    """In a folder like /tmp, only a scan's owner may move it; the user's own may be."""
    shared.chmod(0o1777)
    os.chown(shared / "sub/b.jpg", NOBODY, NOBODY)
    (shared / "sub/b.jpg").rename(shared / "own.jpg")
    with unprivileged():
        with pytest.raises(Blocked, match=r"it belongs to root, .*sticky") as caught:
            check_movable(shared, "a.jpg")
        check_movable(shared, "own.jpg")
    assert caught.value.remedy.endswith(f"sudo chmod -t {shared}")
    # Root may move any file.
    check_movable(shared, "a.jpg")


@pytest.mark.skipif(not ROOT, reason="needs a folder of another user")
def test_a_folder_without_group_write(shared: Path) -> None:
    """A folder that a member of the group has copied in is named, with the command that lets the group write."""
    os.chown(shared / "sub", 0, NOBODY)
    (shared / "sub").chmod(0o755)
    os.setegid(NOBODY)
    try:
        with unprivileged(), pytest.raises(Blocked, match=f"its folder {shared}/sub") as caught:
            check_movable(shared, "sub/b.jpg")
    finally:
        os.setegid(0)
    assert caught.value.remedy == f"chmod -R g+rwX {shared}/sub"


@pytest.mark.skipif(not ROOT, reason="needs a folder of another group")
def test_a_folder_of_another_group(shared: Path) -> None:
    """If the folder's group is none of the user's, that is set right as well, to the inbox's group if possible."""
    os.chown(shared / "sub", 0, 1)
    os.chown(shared, 0, NOBODY)
    (shared / "sub").chmod(0o755)
    os.setegid(NOBODY)
    try:
        with unprivileged(), pytest.raises(Blocked) as caught:
            check_movable(shared, "sub/b.jpg")
    finally:
        os.setegid(0)
    quoted = f"{shared}/sub"
    assert caught.value.remedy == f"sudo chgrp -R nogroup {quoted} && sudo chmod -R g+rwX {quoted}"


def test_a_scan_that_is_gone_is_an_error_of_the_system(inbox: Path) -> None:
    """What is not there cannot be judged."""
    with pytest.raises(FileNotFoundError):
        check_movable(inbox, "none.jpg")
