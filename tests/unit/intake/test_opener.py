"""A file in the inbox is opened safely, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from ocrwatch.errors import Blocked, Changed, EnvironmentFault, TooLarge
from ocrwatch.intake import opener
from ocrwatch.intake.completeness import Completeness
from ocrwatch.intake.opener import Probe, probe, read
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import facts_of
from tests.privileges import reachable_folder, unprivileged
from tests.rendering import render

JPEG = render("ab", size=12, width=64, height=40)
SOME = FileFacts(1, 2, 3, 4)
LIMIT = 1_000_000


def put(inbox: Path, name: str, data: bytes = JPEG) -> FileFacts:
    """Write a file and return its facts."""
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return facts_of(path.stat())


def test_a_look_tells_facts_and_structure(tmp_path: Path) -> None:
    """A look finds what the file system says of a file and how much of a JPEG it is."""
    assert probe(tmp_path, "sub/a.jpg") is None
    facts = put(tmp_path, "sub/a.jpg")
    assert probe(tmp_path, "sub/a.jpg") == Probe(facts, Completeness.WHOLE)
    facts = put(tmp_path, "sub/a.jpg", JPEG[:-1])
    assert probe(tmp_path, "sub/a.jpg") == Probe(facts, Completeness.PARTIAL)


def test_reading_gives_the_bytes_and_their_hash(tmp_path: Path) -> None:
    """What was hashed is what was read."""
    facts = put(tmp_path, "a.jpg")
    source = read(tmp_path, "a.jpg", facts, len(JPEG))
    assert (source.content, source.sha256, source.facts) == (JPEG, hashlib.sha256(JPEG).hexdigest(), facts)


def test_names_are_data(tmp_path: Path) -> None:
    """A name that is not UTF-8 and holds a newline is read as any other."""
    name = "\udcff\n$(touch x).jpg"
    facts = put(tmp_path, name)
    assert probe(tmp_path, name) == Probe(facts, Completeness.WHOLE)
    assert read(tmp_path, name, facts, LIMIT).content == JPEG


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    """A file swapped for a link after it was found is gone, and the link's target is not read."""
    inbox = tmp_path / "inbox"
    facts = put(inbox, "a.jpg")
    (inbox / "a.jpg").rename(tmp_path / "target.jpg")
    (inbox / "a.jpg").symlink_to(tmp_path / "target.jpg")
    assert probe(inbox, "a.jpg") is None
    with pytest.raises(Changed):
        read(inbox, "a.jpg", facts, LIMIT)
    assert (tmp_path / "target.jpg").read_bytes() == JPEG


def test_a_link_in_a_folders_place_is_not_followed(tmp_path: Path) -> None:
    """A folder above the file that was swapped for a link leads nowhere."""
    inbox = tmp_path / "inbox"
    facts = put(inbox, "one/two/a.jpg")
    (inbox / "one").rename(tmp_path / "one")
    (inbox / "one").symlink_to(tmp_path / "one")
    assert probe(inbox, "one/two/a.jpg") is None
    with pytest.raises(Changed):
        read(inbox, "one/two/a.jpg", facts, LIMIT)


def test_a_path_cannot_climb_out(tmp_path: Path) -> None:
    """No path leads above the inbox."""
    (tmp_path / "inbox").mkdir()
    facts = put(tmp_path, "outside/a.jpg")
    assert probe(tmp_path / "inbox", "../outside/a.jpg") is None
    with pytest.raises(Changed):
        read(tmp_path / "inbox", "../outside/a.jpg", facts, LIMIT)


def test_an_inbox_that_is_a_link_itself_is_allowed(tmp_path: Path) -> None:
    """The admin's own link to the inbox is no attack."""
    facts = put(tmp_path / "real", "a.jpg")
    (tmp_path / "inbox").symlink_to("real")
    assert read(tmp_path / "inbox", "a.jpg", facts, LIMIT).content == JPEG


def test_a_fifo_blocks_nobody(tmp_path: Path) -> None:
    """A FIFO that nobody writes to, and a folder, are no files."""
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").mkdir()
    for name in ("a.jpg", "b.jpg"):
        assert probe(tmp_path, name) is None
        with pytest.raises(Changed):
            read(tmp_path, name, SOME, LIMIT)


def test_a_file_that_is_gone_has_vanished(tmp_path: Path) -> None:
    """A file, or its folder, that is not there any more is nobody's fault."""
    for path in ("a.jpg", "sub/a.jpg"):
        assert probe(tmp_path, path) is None
        with pytest.raises(Changed):
            read(tmp_path, path, SOME, LIMIT)


@pytest.mark.parametrize("data", [JPEG + b"x", JPEG[:-1], b"", JPEG[:-1] + b"x"])
def test_a_file_that_changed_before_reading_has_vanished(tmp_path: Path, data: bytes) -> None:
    """What is read is what settled: longer, shorter or rewritten, it starts again."""
    facts = put(tmp_path, "a.jpg")
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    os.utime(path, ns=(0, facts.mtime_ns + 1000))
    with pytest.raises(Changed):
        read(tmp_path, "a.jpg", facts, LIMIT)


def test_another_file_of_the_same_name_size_and_time_has_vanished(tmp_path: Path) -> None:
    """A file that was replaced by a twin is another file."""
    facts = put(tmp_path, "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "old.jpg")
    put(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(0, facts.mtime_ns))
    with pytest.raises(Changed):
        read(tmp_path, "a.jpg", facts, LIMIT)


def test_a_file_that_changes_while_it_is_read_has_vanished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write between the opening and the end of reading is seen."""
    facts = put(tmp_path, "a.jpg")
    real, calls = os.fstat, 0

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal calls
        status = real(descriptor)
        calls += 1
        if calls == 2:  # the one that finds the file as it settled
            os.utime(tmp_path / "a.jpg", ns=(0, facts.mtime_ns + 1000))
        return status

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(Changed):
        read(tmp_path, "a.jpg", facts, LIMIT)
    assert calls > 2


def test_too_many_bytes_are_the_scans_fault(tmp_path: Path) -> None:
    """Above the limit nothing is read; at the limit everything is."""
    facts = put(tmp_path, "a.jpg")
    with pytest.raises(TooLarge, match=rf"{len(JPEG):,} bytes"):
        read(tmp_path, "a.jpg", facts, len(JPEG) - 1)
    assert read(tmp_path, "a.jpg", facts, len(JPEG)).content == JPEG


def test_a_missing_inbox_is_the_environments_fault(tmp_path: Path) -> None:
    """When the share is away no file is taken for deleted."""
    for action in (lambda inbox: probe(inbox, "a.jpg"), lambda inbox: read(inbox, "a.jpg", SOME, LIMIT)):
        with pytest.raises(EnvironmentFault, match="share"):
            action(tmp_path / "missing")


def test_a_file_without_permission_is_looked_at_but_not_read() -> None:
    """One file that may not be read does not look like an inbox that may not."""
    with reachable_folder() as inbox:
        facts = put(inbox, "a.jpg")
        (inbox / "a.jpg").chmod(0)
        with unprivileged():
            found = probe(inbox, "a.jpg")
            assert found is not None
            assert (found.state, found.facts.size) == (None, facts.size)
            with pytest.raises(Changed):
                read(inbox, "a.jpg", facts, LIMIT)


def test_a_folder_without_permission_does_not_stop_the_inbox() -> None:
    """A subfolder that was closed while a file in it settled is that file's trouble alone."""
    with reachable_folder() as inbox:
        put(inbox, "closed/a.jpg")
        (inbox / "closed").chmod(0)
        with unprivileged():
            found = probe(inbox, "closed/a.jpg")
        assert found is None or found.state is None


def test_a_file_that_its_disk_refuses_is_not_the_inboxs_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector holds up one scan; what the whole process lacks, or a share that is away, is another thing."""
    facts = put(tmp_path, "a.jpg")

    def refuse(number: int) -> None:
        def refused(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(opener, "open_regular", refused)

    refuse(errno.EIO)
    with pytest.raises(Blocked, match="input/output"):
        probe(tmp_path, "a.jpg")
    with pytest.raises(Blocked, match="input/output"):
        read(tmp_path, "a.jpg", facts, LIMIT)
    refuse(errno.EMFILE)
    with pytest.raises(EnvironmentFault, match="too many open files") as caught:
        probe(tmp_path, "a.jpg")
    assert not isinstance(caught.value, Blocked)
    with pytest.raises(EnvironmentFault) as caught:
        probe(tmp_path / "away", "a.jpg")
    assert not isinstance(caught.value, Blocked)


@pytest.mark.parametrize("error", [MemoryError(), SystemError("error return without exception set")])
def test_too_little_memory_for_a_probe_is_the_environments_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Lack of memory concerns all files, even if Python only fails because of it."""
    put(tmp_path, "a.jpg")
    if isinstance(error, SystemError):
        error.__cause__ = MemoryError()

    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(opener, "open_regular", fail)
    with pytest.raises(EnvironmentFault, match="memory is short") as caught:
        probe(tmp_path, "a.jpg")
    assert not isinstance(caught.value, Blocked)


def test_what_a_look_leaves_is_told_if_it_moves_the_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without inode numbers, reading a file may change its times (rclone, before it is uploaded)."""
    (tmp_path / "a.jpg").write_bytes(render("ab", size=12))
    times = iter(range(10, 20))

    def as_on_fuse(status: os.stat_result) -> FileFacts:
        return FileFacts(1, 0, status.st_size, next(times))

    monkeypatch.setattr(opener, "facts_of", as_on_fuse)
    found = probe(tmp_path, "a.jpg")
    assert found is not None
    assert (found.facts.mtime_ns, found.known.mtime_ns) == (10, 11)
