"""The file system, safely: never through a link, never over another file, nothing left half."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.errors import EnvironmentFault, environment_fault
from ocrwatch.storage import files
from ocrwatch.storage.files import (
    copy_durable,
    facts_of,
    folder,
    has_content,
    is_reservation,
    is_same_file,
    is_unchanged,
    needs_reservations,
    open_regular,
    rename_noreplace,
    shortened,
    split,
    status_of,
    sync,
    write_durable,
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    """Open the temporary folder."""
    with folder(tmp_path) as descriptor:
        yield descriptor


class OldLibc:
    """The C library on a file system without RENAME_NOREPLACE."""

    def renameat2(self, _source: int, _name: bytes, target: int, new_name: bytes, _flags: int) -> int:
        """Refuse as NFS does; of a name that is taken the kernel tells before it asks the file system."""
        taken = status_of(target, os.fsdecode(new_name)) is not None
        ctypes.set_errno(errno.EEXIST if taken else errno.EINVAL)
        return -1


@pytest.fixture(params=["renameat2", "link", "rename", "no inodes"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the ways of renaming the file system leaves."""
    if request.param != "renameat2":
        monkeypatch.setattr(files, "_libc", OldLibc())
    if request.param == "rename":

        def refuse(*_arguments: Any, **_keywords: Any) -> None:
            # As rclone does.
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "link", refuse)
    if request.param == "no inodes":
        monkeypatch.setattr(files, "is_posix", lambda _: False)
    return str(request.param)


def test_a_rename_moves_between_folders(tmp_path: Path, way: str) -> None:
    """The file is there under its new name, and only there, whatever its names are."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one/a\n\udcff").write_bytes(b"data")
    with folder(tmp_path, "one") as one, folder(tmp_path, "two") as two:
        rename_noreplace(one, "a\n\udcff", two, "b\udcfe")
    assert list((tmp_path / "one").iterdir()) == []
    assert (tmp_path / "two/b\udcfe").read_bytes() == b"data"


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_a_rename_never_replaces(tmp_path: Path, here: int, way: str, kind: str) -> None:
    """Whatever has the new name stays, and so does what was to be renamed."""
    (tmp_path / "a").write_bytes(b"data")
    (tmp_path / "target").write_bytes(b"target")
    taken = tmp_path / "b"
    match kind:
        case "file":
            taken.write_bytes(b"a stranger's")
        case "folder":
            taken.mkdir()
        case _:
            taken.symlink_to("target" if kind == "link" else "nowhere")
    before = taken.lstat()
    with pytest.raises(FileExistsError):
        rename_noreplace(here, "a", here, "b")
    assert (tmp_path / "a").read_bytes() == b"data"
    assert facts_of(taken.lstat()) == facts_of(before)
    assert (tmp_path / "target").read_bytes() == b"target"


def test_a_killed_reservation_is_used_where_names_are_reserved(tmp_path: Path, here: int, way: str) -> None:
    """An empty file of the name is what a killed call has left; elsewhere, and in a first call, it is a stranger's."""
    (tmp_path / "a").write_bytes(b"data")
    (tmp_path / "b").touch()
    (tmp_path / "c").write_bytes(b"a stranger's")
    reserves = way in {"rename", "no inodes"}
    assert needs_reservations(here) is is_reservation(here, "b") is reserves
    assert not is_reservation(here, "c")
    for name, again in (("b", False), ("c", True)):
        with pytest.raises(FileExistsError):
            rename_noreplace(here, "a", here, name, again=again)
    if reserves:
        rename_noreplace(here, "a", here, "b", again=True)
        assert (tmp_path / "b").read_bytes() == b"data"
    else:
        with pytest.raises(FileExistsError):
            rename_noreplace(here, "a", here, "b", again=True)
    assert {path.name for path in tmp_path.iterdir()} == ({"b", "c"} if reserves else {"a", "b", "c"})


@pytest.mark.parametrize("way", ["rename", "no inodes"], indirect=True)
def test_a_reservation_that_a_stranger_fills_is_theirs(
    tmp_path: Path, here: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written to in the moment before the rename, it stays, and so does what was to be renamed."""
    (tmp_path / "a").write_bytes(b"data")
    real = os.close

    def close(descriptor: int) -> None:
        real(descriptor)
        if (tmp_path / "b").exists():
            (tmp_path / "b").write_bytes(b"a stranger's")

    monkeypatch.setattr(os, "close", close)
    with pytest.raises(FileExistsError):
        rename_noreplace(here, "a", here, "b")
    assert (tmp_path / "a").read_bytes() == b"data"
    assert (tmp_path / "b").read_bytes() == b"a stranger's"


@pytest.mark.parametrize("way", ["rename", "no inodes"], indirect=True)
def test_a_reservation_is_taken_back_if_the_rename_fails(
    tmp_path: Path, here: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was to be renamed is still there, and no empty file."""
    (tmp_path / "a").write_bytes(b"data")

    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="full"):
        rename_noreplace(here, "a", here, "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_link_whose_answer_was_lost_is_a_rename(tmp_path: Path, here: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link was made all the same, as happens on network shares."""
    (tmp_path / "a").write_bytes(b"data")
    real = os.link

    def link(*arguments: Any, **keywords: Any) -> None:
        real(*arguments, **keywords)
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(files, "_libc", OldLibc())
    monkeypatch.setattr(os, "link", link)
    rename_noreplace(here, "a", here, "b")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b": b"data"}


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EIO, errno.ENOSYS, errno.EINVAL, errno.EACCES])
def test_what_a_file_system_without_inodes_refuses_is_left_out(
    tmp_path: Path, here: int, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    """Permissions, groups, times and the names' durability; on others a refusal is an error."""

    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    for name in ("fchmod", "fchown", "utime"):
        monkeypatch.setattr(os, name, refuse)
    (tmp_path / "a").write_bytes(b"data")

    def work() -> None:
        write_durable(here, "b", b"data", mode=0o600, group=0)
        descriptor = open_regular(here, "a")
        try:
            copy_durable(descriptor, here, "c")
        finally:
            os.close(descriptor)
        with monkeypatch.context() as syncing:
            syncing.setattr(os, "fsync", refuse)
            sync(here)

    if refusal not in {errno.ENOSYS, errno.EINVAL}:
        with pytest.raises(OSError, match=os.strerror(refusal)):
            work()
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
    monkeypatch.setattr(files, "is_posix", lambda _: False)
    work()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys("abc", b"data")


def test_without_inode_numbers_the_bytes_decide(tmp_path: Path, here: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renamed or copied file may have another number, and one written in the same second the same times."""
    monkeypatch.setattr(files, "is_posix", lambda _: False)
    path = tmp_path / "a"
    path.write_bytes(b"data")
    facts, sha256 = facts_of(path.stat()), hashlib.sha256(b"data").hexdigest()
    path.unlink()
    path.write_bytes(b"data")
    assert is_unchanged(here, "a", facts, sha256)
    path.write_bytes(b"dada")
    os.utime(path, ns=(facts.mtime_ns, facts.mtime_ns))
    assert not is_unchanged(here, "a", replace(facts, ctime_ns=path.stat().st_ctime_ns), sha256)


def test_two_names_are_one_file_only_if_numbers_tell(
    tmp_path: Path, here: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without inode numbers that stay, two files may bear the same: none may be taken for the other."""
    (tmp_path / "a").write_bytes(b"data")
    os.link(tmp_path / "a", tmp_path / "b")
    assert is_same_file(here, "a", here, "b")
    monkeypatch.setattr(files, "is_posix", lambda _: False)
    assert not is_same_file(here, "a", here, "b")


def test_a_rename_of_nothing_is_an_error(here: int, way: str) -> None:
    """What is not there cannot be renamed, by any way."""
    with pytest.raises(FileNotFoundError):
        rename_noreplace(here, "missing", here, "b")
    assert status_of(here, "b") is None


def test_a_file_is_written_with_its_mode(tmp_path: Path, here: int) -> None:
    """Bytes, mode and group are as asked for, whatever the umask is."""
    write_durable(here, "a", b"data", mode=0o664, group=os.getgid())
    assert (tmp_path / "a").read_bytes() == b"data"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o664


def test_writing_never_overwrites(tmp_path: Path, here: int) -> None:
    """A name that is taken, be it by a link, is refused and left as it is."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            write_durable(here, name, b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert not (tmp_path / "target").exists()


def test_a_failed_write_leaves_nothing(tmp_path: Path, here: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses at the last moment there is no half file."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "source").write_bytes(b"data")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="space"):
            write_durable(here, "a", b"data")
        descriptor = open_regular(here, "source")
        with pytest.raises(OSError, match="space"):
            copy_durable(descriptor, here, "b")
        os.close(descriptor)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_copy_has_the_bytes_and_times(tmp_path: Path, here: int) -> None:
    """A copy is the same file, its hash is that of what was copied, and it replaces nothing."""
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    os.utime(tmp_path / "a", ns=(1_000_000_001, 2_000_000_002))
    descriptor = open_regular(here, "a")
    try:
        assert copy_durable(descriptor, here, "b") == hashlib.sha256(data).hexdigest()
        with pytest.raises(FileExistsError):
            copy_durable(descriptor, here, "b")
    finally:
        os.close(descriptor)
    assert (tmp_path / "b").read_bytes() == data
    assert (tmp_path / "b").stat().st_mtime_ns == 2_000_000_002


def test_folders_are_made_below_the_root_only(tmp_path: Path) -> None:
    """Missing folders are made where that was asked for; the root never is: it may be a share that is away."""
    with pytest.raises(FileNotFoundError), folder(tmp_path, "a/b"):
        pass
    with folder(tmp_path, "a/b", create=True) as made:
        assert os.fstat(made).st_ino == (tmp_path / "a/b").stat().st_ino
    with pytest.raises(FileNotFoundError), folder(tmp_path / "missing", "a", create=True):
        pass


@pytest.mark.parametrize("path", ["link", "link/inner", "real/back", "..", "real/../real", ".", "file", "file/x"])
def test_links_and_dots_are_refused(tmp_path: Path, path: str) -> None:
    """No part of a path may be a link, a file, or lead upwards."""
    (tmp_path / "real/inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/back").symlink_to("..")
    (tmp_path / "file").touch()
    for create in (False, True):
        with pytest.raises(OSError) as refused, folder(tmp_path, path, create=create):  # noqa: PT011 - by number
            pass
        assert refused.value.errno in {errno.ELOOP, errno.ENOTDIR}


def test_folders_are_closed_again(tmp_path: Path) -> None:
    """Neither success nor failure leaves a descriptor open."""
    (tmp_path / "a/b").mkdir(parents=True)

    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    with folder(tmp_path, "a/b"):
        assert count() == before + 1
    for path in ("a/missing", "a/../a"):
        with pytest.raises(OSError), folder(tmp_path, path):  # noqa: PT011 - any of them
            pass
    assert count() == before


def test_only_regular_files_are_opened(tmp_path: Path, here: int) -> None:
    """Folders, links, FIFOs and devices are refused at once, with nothing left open."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/dev/null")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("fifo", "folder", "link"):
        with pytest.raises(OSError) as refused:  # noqa: PT011 - by number
            open_regular(here, name)
        assert refused.value.errno in {errno.EINVAL, errno.ELOOP}
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_is_the_same_until_its_bytes_change(tmp_path: Path, here: int) -> None:
    """A touch does not matter where the hash is known; one byte does, and so does another file of the same bytes."""
    path = tmp_path / "a"
    path.write_bytes(b"data")
    facts, sha256 = facts_of(path.stat()), hashlib.sha256(b"data").hexdigest()
    assert is_unchanged(here, "a", facts, sha256)
    assert is_unchanged(here, "a", facts, None)
    os.utime(path, ns=(0, 1))
    assert is_unchanged(here, "a", facts, sha256)
    assert not is_unchanged(here, "a", facts, None)
    path.write_bytes(b"dada")
    os.utime(path, ns=(0, 1))
    assert not is_unchanged(here, "a", facts, sha256)
    path.rename(tmp_path / "old")
    assert not is_unchanged(here, "a", facts, sha256)
    path.write_bytes(b"data")
    assert not is_unchanged(here, "a", facts, sha256)
    path.unlink()
    path.mkdir()
    assert not is_unchanged(here, "a", facts, sha256)


def test_content_is_compared_without_following_links(tmp_path: Path, here: int) -> None:
    """A link to the right bytes is not a file with these bytes."""
    sha256 = hashlib.sha256(b"data").hexdigest()
    (tmp_path / "a").write_bytes(b"data")
    (tmp_path / "link").symlink_to("a")
    assert has_content(here, "a", 4, sha256)
    assert not has_content(here, "a", 5, sha256)
    assert not has_content(here, "a", 4, hashlib.sha256(b"dada").hexdigest())
    assert not has_content(here, "link", 4, sha256)
    assert not has_content(here, "missing", 4, sha256)


@given(st.text(st.characters(min_codepoint=1, blacklist_categories=["Cs"])), st.integers(0, 40))
def test_shortened_names_are_beginnings_and_still_text(stem: str, room: int) -> None:
    """A name is cut between characters, to no more bytes than there is room for and not far below."""
    short = shortened(stem, room)
    assert stem.startswith(short)
    size = len(short.encode())
    assert size <= room
    assert short == stem or size > room - 4


@given(st.lists(st.sampled_from(b"A\x80\xbf\xe9"), min_size=1).map(bytes).map(os.fsdecode), st.integers(4, 40))
def test_shortened_names_that_are_not_utf_8_are_not_lost(stem: str, room: int) -> None:
    """Bytes that are no UTF-8 are cut as well, and something is left of them."""
    raw = os.fsencode(stem)
    short = os.fsencode(shortened(stem, room))
    assert raw.startswith(short)
    assert min(len(raw), room - 3) <= len(short) <= room


def test_paths_are_split_at_the_last_slash() -> None:
    """A relative path has a folder, empty at the top, and a name."""
    assert split("a.jpg") == ("", "a.jpg")
    assert split("sub/deep/a.jpg") == ("sub/deep", "a.jpg")


def test_a_fault_of_the_environment_names_the_thing_and_the_remedy() -> None:
    """The sentence says what, why, and what to do, for errors without a number as well."""
    full = environment_fault(OSError(errno.ENOSPC, "whatever"), "cannot write to /srv")
    assert isinstance(full, EnvironmentFault)
    assert full.message == "cannot write to /srv (no space left on device)"
    assert "space" in full.remedy
    assert environment_fault(OSError("odd"), "cannot").message == "cannot (odd)"
