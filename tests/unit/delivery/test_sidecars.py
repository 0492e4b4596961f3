"""Sidecars are seen whole or not at all, and never in another's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.delivery.chosen_names import Sidecar
from ocrwatch.delivery.sidecars import publish, renamed, stage, unstage
from tests.unit.delivery.interruption import FileSystem, Interruption, Killed, content

SIDECARS = (Sidecar(".j.tmp", "a.json"), Sidecar(".t.tmp", "a.txt"))
CONTENTS = ((".j.tmp", b"{}"), (".t.tmp", b"words"))
STAGED = {"sub/.j.tmp": b"{}", "sub/.t.tmp": b"words"}
PUBLISHED = {"sub/a.json": b"{}", "sub/a.txt": b"words"}


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """Make an outbox with the sidecars of one scan staged."""
    stage(tmp_path, "sub", CONTENTS, mode=0o640)
    return tmp_path


def test_staged_files_are_hidden_and_have_their_mode(outbox: Path) -> None:
    """Until they are published nobody takes them for results."""
    assert content(outbox) == STAGED
    assert (outbox / "sub/.t.tmp").stat().st_mode & 0o777 == 0o640


def test_staging_again_replaces_what_an_earlier_attempt_left(outbox: Path) -> None:
    """Half a file of a killed attempt does not stop the next, nor get into its result."""
    (outbox / "sub/.t.tmp").write_bytes(b"wor")
    stage(outbox, "sub", CONTENTS)
    assert content(outbox) == STAGED


def test_what_cannot_be_staged_leaves_nothing(tmp_path: Path) -> None:
    """When one file fails, the others of its scan are taken back."""
    with pytest.raises(OSError, match="too long"):
        stage(tmp_path, "", [(".j.tmp", b"{}"), ("x" * 300, b"words")])
    assert content(tmp_path) == {}


def test_publishing_twice_does_nothing_more(outbox: Path) -> None:
    """What is published stays as it is; what was fetched meanwhile does not come back."""
    publish(outbox, "sub", SIDECARS)
    assert content(outbox) == PUBLISHED
    publish(outbox, "sub", SIDECARS)
    assert content(outbox) == PUBLISHED
    (outbox / "sub/a.json").unlink()
    publish(outbox, "sub", SIDECARS)
    assert content(outbox) == {"sub/a.txt": b"words"}


@pytest.mark.parametrize("file_system", ["usual", "no renameat2", "no hard links", "no inodes"])
def test_publishing_never_replaces(outbox: Path, interruption: Interruption, file_system: FileSystem) -> None:
    """Where somebody has taken a name the rest stays staged, and what is there stays untouched."""
    (outbox / "sub/a.txt").write_bytes(b"a stranger's")
    for _ in range(2):
        with pytest.raises(FileExistsError):
            publish(outbox, "sub", SIDECARS)
    assert content(outbox) == {"sub/.t.tmp": b"words", "sub/a.json": b"{}", "sub/a.txt": b"a stranger's"}


@pytest.mark.parametrize("file_system", ["usual", "no renameat2", "no hard links", "no inodes"])
def test_publishing_is_finished_wherever_it_was_killed(
    outbox: Path, interruption: Interruption, file_system: FileSystem
) -> None:
    """Also between the link and the unlink of a file system that cannot rename without replacing."""
    interruption.begin()
    publish(outbox, "sub", SIDECARS)
    steps = len(interruption.steps)
    for at in range(steps):
        for path in (outbox / "sub").iterdir():
            path.unlink()
        interruption.begin()
        stage(outbox, "sub", CONTENTS)
        interruption.begin(at)
        with pytest.raises(Killed):
            publish(outbox, "sub", SIDECARS)
        # The commit mark is never there without the rest.
        assert not (outbox / "sub/a.txt").exists() or (outbox / "sub/a.json").exists()
        interruption.begin()
        publish(outbox, "sub", SIDECARS)
        assert content(outbox) == PUBLISHED


def test_withdrawing_removes_what_is_staged_and_nothing_else(outbox: Path) -> None:
    """Published files and strangers' stay; a folder that is missing has nothing to unstage."""
    (outbox / "sub/a.txt").write_bytes(b"published")
    unstage(outbox, "sub", SIDECARS)
    unstage(outbox, "sub", SIDECARS)
    unstage(outbox, "missing", SIDECARS)
    assert content(outbox) == {"sub/a.txt": b"published"}


@pytest.mark.parametrize("file_system", ["usual", "no hard links", "no inodes"])
def test_withdrawing_removes_a_name_that_was_reserved(
    outbox: Path, interruption: Interruption, file_system: FileSystem
) -> None:
    """Where names are reserved, an empty file is no text of anybody's; elsewhere it is."""
    (outbox / "sub/a.txt").touch()
    (outbox / "sub/a.json").write_bytes(b"a stranger's")
    unstage(outbox, "sub", SIDECARS)
    kept = {"sub/a.json": b"a stranger's"}
    assert content(outbox) == (kept | {"sub/a.txt": b""} if file_system == "usual" else kept)


def test_what_is_published_moves_to_another_stem(outbox: Path) -> None:
    """Only what is published moves; what is staged gets its name later."""
    publish(outbox, "sub", SIDECARS[:1])
    (outbox / "sub/a.txt").write_bytes(b"a stranger's")
    with pytest.raises(FileExistsError):
        publish(outbox, "sub", SIDECARS)
    after = renamed(outbox, "sub", SIDECARS, "a", "a-2")
    assert after == (Sidecar(".j.tmp", "a-2.json", "a.json"), Sidecar(".t.tmp", "a-2.txt"))
    for _ in range(2):
        publish(outbox, "sub", after)
        assert content(outbox) == {
            "sub/a-2.json": b"{}",
            "sub/a-2.txt": b"words",
            "sub/a.txt": b"a stranger's",
        }
    assert renamed(outbox, "sub", after, "a-2", "a-3")[0].former == "a-2.json"


def test_links_in_the_outbox_are_not_followed(tmp_path: Path) -> None:
    """A link in a subfolder's or a temporary file's place leads nowhere."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox/sub").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="sub"):
        stage(tmp_path / "outbox", "sub", CONTENTS)
    (tmp_path / "outbox/.t.tmp").symlink_to(tmp_path / "outside/target")
    stage(tmp_path / "outbox", "", CONTENTS)
    assert content(tmp_path / "outside") == {}
    assert (tmp_path / "outbox/.t.tmp").is_file()
