"""What is done in folders is tried out, and leaves nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from ocrwatch.checks import folders
from ocrwatch.checks.finding import Finding, check
from ocrwatch.checks.folders import clock, crossing, ledger_place, probe, space
from ocrwatch.errors import EnvironmentFault
from ocrwatch.storage.mounts import nearest_existing
from tests.privileges import reachable_folder, unprivileged


class _Statvfs(NamedTuple):
    f_bavail: int
    f_frsize: int
    f_files: int
    f_favail: int


def test_a_test_that_passes_is_fine() -> None:
    """What is said is what was to be said."""
    assert check("folder", "it is there", lambda: None) == Finding("folder", "fine", "it is there")


def test_a_test_that_fails_is_a_problem_with_its_remedy() -> None:
    """The error's sentence and remedy are the finding's."""

    def fail() -> None:
        raise EnvironmentFault("it is not there", "make it")

    assert check("folder", "it is there", fail) == Finding("folder", "problem", "it is not there", "make it")


def test_a_bug_is_not_a_finding() -> None:
    """What nobody expected is not told as if the machine were at fault."""
    with pytest.raises(ZeroDivisionError):
        check("folder", "fine", lambda: 1 // 0)


def test_a_folder_that_works_is_fine(tmp_path: Path) -> None:
    """One finding, and nothing is left in the folder."""
    (found,) = probe("outbox", tmp_path)
    assert (found.subject, found.severity) == ("outbox", "fine")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_lets_nothing_be_made_is_a_problem() -> None:
    """The user's rights are those that count."""
    with reachable_folder() as folder:
        folder.chmod(0o555)
        with unprivileged():
            (found,) = probe("archive", folder)
    assert found.severity == "problem"
    assert f"cannot make a file in the archive {folder} (permission denied)" in found.message
    assert "let the user" in found.remedy


def test_a_folder_that_lets_nothing_be_renamed_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares exist on which files can be made only; the file is taken away all the same."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(folders, "rename_noreplace", refuse)
    (found,) = probe("inbox", tmp_path)
    assert (found.severity, "cannot rename a file in the inbox" in found.message) == ("problem", True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["missing", "file"])
def test_what_is_no_folder_is_a_problem(tmp_path: Path, place: str) -> None:
    """A missing folder and a file in its place are named."""
    (tmp_path / "file").write_text("")
    (found,) = probe("inbox", tmp_path / place)
    assert (found.severity, bool(found.remedy)) == ("problem", True)
    assert "cannot look into the inbox" in found.message


@pytest.mark.parametrize(
    ("stamped", "said"), [(1000.0, ""), (996.0, ""), (1005.0, ""), (1100.0, "99 s ahead"), (900.0, "100 s behind")]
)
def test_a_share_with_another_time_is_a_warning(stamped: float, said: str) -> None:
    """A few seconds are nothing; more are named, with the direction. The file was made from 1000 to 1001."""
    found = list(clock("inbox", stamped, 1000.0, 1001.0))
    if not said:
        assert found == []
        return
    assert (found[0].subject, found[0].severity) == ("inbox clock", "warning")
    assert said in found[0].message
    assert "NTP" in found[0].remedy


@pytest.mark.parametrize(
    ("megabytes", "free_files", "severities"),
    [
        (1000, 10_000, ["fine"]),
        (100, 10_000, ["warning"]),
        (1, 10_000, ["problem"]),
        (1000, 10, ["fine", "warning"]),
        (1000, 0, ["fine", "problem"]),
    ],
)
def test_little_space_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int, free_files: int, severities: list[str]
) -> None:
    """Bytes and files each have a limit from which they are a warning, and one from which they are a problem."""
    monkeypatch.setattr(os, "statvfs", lambda _: _Statvfs(megabytes, 1_000_000, 100_000, free_files))
    found = list(space("outbox", tmp_path / "not" / "yet"))
    assert [finding.severity for finding in found] == severities
    assert all(finding.remedy for finding in found if finding.severity != "fine")


def test_file_systems_without_a_limit_of_files_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Btrfs says 0 of 0."""
    monkeypatch.setattr(os, "statvfs", lambda _: _Statvfs(1000, 1_000_000, 0, 0))
    (found,) = space("outbox", tmp_path)
    assert found.severity == "fine"


def test_two_file_systems_are_a_warning(tmp_path: Path) -> None:
    """Copying works but is slower; on one file system all is fine."""
    (fine,) = crossing(tmp_path / "inbox", tmp_path / "archive")
    assert fine.severity == "fine"
    (found,) = crossing(tmp_path, Path("/proc"))
    assert (found.severity, "copied" in found.message) == ("warning", True)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_ledger_on_a_network_is_a_problem(kind: str, tmp_path: Path) -> None:
    """SQLite cannot lock there."""
    found = ledger_place(kind, tmp_path)
    assert (found.severity, found.remedy) == ("problem", "set state to a local folder")
    assert ledger_place("ext4", tmp_path).severity == "fine"


def test_the_nearest_folder_that_is_there_is_found(tmp_path: Path) -> None:
    """Up to the root, if need be, and also from what is in a folder that may not be entered."""
    assert nearest_existing(tmp_path) == tmp_path
    assert nearest_existing(tmp_path / "a/b/c") == tmp_path
    assert nearest_existing(Path("/missing-at-the-root/a")) == Path("/")
    with reachable_folder() as folder:
        (folder / "closed/inside").mkdir(parents=True)
        (folder / "closed").chmod(0)
        with unprivileged():
            assert nearest_existing(folder / "closed/inside") == folder / "closed"
        shutil.rmtree(folder / "closed", ignore_errors=os.geteuid() != 0)
