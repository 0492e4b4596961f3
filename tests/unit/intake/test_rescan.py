"""A look at the whole inbox finds every scan and nothing else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.intake import rescan as module
from ocrwatch.intake.names import SYSTEM_FOLDERS, NameRules
from ocrwatch.intake.rescan import Rescan, rescan
from tests.privileges import reachable_folder, unprivileged

RULES = NameRules.of(["*.jpg"], [".*", "@eaDir"])


def put(folder: Path, *names: str) -> None:
    """Make files, with their folders."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def see(inbox: Path, *, recursive: bool = True, limit: int = 1000, known: frozenset[str] = frozenset()) -> Rescan:
    """Rescan with the rules above."""
    return rescan(inbox, RULES, recursive=recursive, limit=limit, known=known.__contains__)


def reasons(found: Rescan) -> dict[str, str]:
    """Return what was ignored, and why."""
    return {item.path: item.reason for item in found.ignored}


def test_scans_are_found_in_natural_order(tmp_path: Path) -> None:
    """Everything that has a scan's name, also in subfolders, is found in the order in which a person counts."""
    put(tmp_path, "p10.jpg", "p2.jpg", "sub/deep/p1.jpg", "notes.txt", ".hidden.jpg")
    found = see(tmp_path)
    assert found.paths == ("p2.jpg", "p10.jpg", "sub/deep/p1.jpg")
    assert not found.more
    assert found.identity == (tmp_path.stat().st_dev, tmp_path.stat().st_ino)


def test_subfolders_can_be_left_out(tmp_path: Path) -> None:
    """Without recursion only the inbox itself is looked at, and the setting is named."""
    put(tmp_path, "a.jpg", "sub/b.jpg", ".hidden/c.jpg", "@eaDir/d.jpg")
    found = see(tmp_path, recursive=False)
    assert found.paths == ("a.jpg",)
    assert reasons(found) == {"sub": "subfolder, and watch.recursive is false"}


def test_excluded_folders_are_not_looked_into(tmp_path: Path) -> None:
    """What an admin excludes is not read, and what is not hidden is said to be left alone."""
    put(tmp_path, "old/a.jpg", "sub/OLD/b.jpg", ".trash/c.jpg", "d.jpg")
    found = rescan(tmp_path, NameRules.of(["*.jpg"], [".*", "old"]), recursive=True, limit=9, known=lambda _: False)
    assert found.paths == ("d.jpg",)
    assert reasons(found) == dict.fromkeys(("old", "sub/OLD"), 'folder matches "old" of watch.exclude')


@pytest.mark.parametrize("folder", [name.replace("*", "1000") for name in SYSTEM_FOLDERS])
def test_recycle_bins_and_snapshots_are_never_looked_into(tmp_path: Path, folder: str) -> None:
    """Deleted scans and copies are not read, whatever the admin excludes, in any case, and nothing is said of them."""
    put(tmp_path, f"{folder}/a.jpg", f"sub/{folder.swapcase()}/deep/b.jpg", "c.jpg")
    found = rescan(tmp_path, NameRules.of(["*.jpg"], []), recursive=True, limit=9, known=lambda _: False)
    assert (found.paths, found.ignored) == (("c.jpg",), ())


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    """Files of other kinds are named; what nobody means to have read is not."""
    put(tmp_path, "doc.pdf", "sub/scan", "a.jpg")
    put(tmp_path, "Thumbs.db", "desktop.ini", ".DS_Store", "~$letter.docx", "b.jpg.part", "c.tmp", "STATUS.txt")
    put(tmp_path, ".d.jpg.Xa3dF2", "ocrwatch.lock", "e.jpg~", "@eaDir/f.pdf")
    found = see(tmp_path)
    assert sorted(reasons(found)) == ["doc.pdf", "sub/scan"]
    assert found.ignored_total == 2


def test_however_much_is_not_read_few_names_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is counted only."""
    monkeypatch.setattr(module, "MOST_IGNORED", 3)
    put(tmp_path, *(f"{n}.pdf" for n in range(9)))
    found = see(tmp_path)
    assert (len(found.ignored), found.ignored_total) == (3, 9)


def test_only_as_many_as_asked_for_are_returned(tmp_path: Path) -> None:
    """The first ones in order are returned, and that there are more is said."""
    put(tmp_path, *(f"{n}.jpg" for n in range(20)))
    found = see(tmp_path, limit=3)
    assert (found.paths, found.more) == (("0.jpg", "1.jpg", "2.jpg"), True)
    assert not see(tmp_path, limit=20).more
    nothing = see(tmp_path, limit=0)
    assert (nothing.paths, nothing.more) == ((), True)


def test_known_scans_are_not_returned_again(tmp_path: Path) -> None:
    """What is known neither counts against the limit nor as more."""
    put(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    found = see(tmp_path, limit=2, known=frozenset({"a.jpg"}))
    assert (found.paths, found.more) == (("b.jpg", "c.jpg"), False)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link to a file, to a folder, or to itself is left alone; one with a scan's name is reported."""
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    put(outside, "secret.jpg")
    inbox.mkdir()
    (inbox / "file.jpg").symlink_to(outside / "secret.jpg")
    (inbox / "folder").symlink_to(outside)
    (inbox / "loop").symlink_to(".")
    (inbox / "dangling.jpg").symlink_to("nowhere")
    found = see(inbox)
    assert found.paths == ()
    assert reasons(found) == {"file.jpg": "symbolic link", "dangling.jpg": "symbolic link"}


def test_what_is_no_file_is_reported(tmp_path: Path) -> None:
    """A FIFO and a socket with a scan's name are left alone, and block nothing."""
    os.mkfifo(tmp_path / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
    found = see(tmp_path)
    assert found.paths == ()
    assert reasons(found) == dict.fromkeys(["fifo.jpg", "socket.jpg"], "not a regular file")


def test_a_folder_with_a_scans_name_is_looked_into(tmp_path: Path) -> None:
    """A folder named x.jpg is no scan, but the scans in it are."""
    put(tmp_path, "x.jpg/a.jpg")
    found = see(tmp_path)
    assert found.paths == ("x.jpg/a.jpg",)
    assert list(reasons(found)) == ["x.jpg"]


@pytest.mark.parametrize("name", [b"\xff.jpg", b"a\nb.jpg", b"$(touch x).jpg", b"-rf.jpg", b"x" * 251 + b".jpg"])
def test_any_name_is_data(tmp_path: Path, name: bytes) -> None:
    """A name that is not UTF-8, holds a newline or fills the 255 bytes comes through as it is."""
    sub = os.fsencode(tmp_path) + b"/s\xfeb"
    Path(os.fsdecode(sub)).mkdir()
    Path(os.fsdecode(sub + b"/" + name)).touch()
    (path,) = see(tmp_path).paths
    assert os.fsencode(path) == b"s\xfeb/" + name


def test_an_unreadable_subfolder_does_not_hide_the_others() -> None:
    """A folder that may not be read is reported, and what lies beside it is found."""
    with reachable_folder() as inbox:
        put(inbox, "a.jpg", "closed/b.jpg", "open/c.jpg")
        (inbox / "closed").chmod(0)
        with unprivileged():
            found = see(inbox)
        assert found.paths == ("a.jpg", "open/c.jpg")
        assert reasons(found) == {"closed": f"folder {inbox / 'closed'} cannot be read: permission denied"}
        assert "let the user that ocrwatch runs as" in found.ignored[0].remedy


def test_a_missing_inbox_is_the_environments_fault(tmp_path: Path) -> None:
    """An inbox that is away (an unmounted share, a file in its place) is said to be, not taken for an empty one."""
    with pytest.raises(EnvironmentFault, match="missing"):
        see(tmp_path / "missing")
    put(tmp_path, "file")
    with pytest.raises(EnvironmentFault, match="file"):
        see(tmp_path / "file")


def test_an_unreadable_inbox_is_the_environments_fault() -> None:
    """Without permission the error names the inbox and says what to do."""
    with reachable_folder() as folder:
        (folder / "inbox").mkdir(mode=0)
        with unprivileged(), pytest.raises(EnvironmentFault, match=r"permission denied.*let the user"):
            see(folder / "inbox")


def test_a_folder_that_may_be_listed_and_not_entered_is_said() -> None:
    """Of mode 644, its names can be seen and nothing in it opened: its scans must not be passed over in silence."""
    with reachable_folder() as inbox:
        (inbox / "closed").mkdir()
        (inbox / "closed/a.jpg").write_bytes(b"\xff\xd8")
        (inbox / "closed").chmod(0o644)
        with unprivileged():
            found = rescan(inbox, RULES, recursive=True, limit=9, known=lambda _: False)
        assert reasons(found) == {"closed": f"folder {inbox}/closed cannot be read: permission denied"}
        assert found.paths == ()
