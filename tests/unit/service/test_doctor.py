"""Everything that could stop ocrwatch here, with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault
from ocrwatch.service import doctor
from ocrwatch.service.doctor import Finding, check, ledger_place, nearest_existing, same_file_system, space, watching


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


def test_little_space_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit decides, and a folder that is not made yet is judged by where it will be."""
    monkeypatch.setattr(doctor, "LITTLE_SPACE", 0)
    assert space("outbox", tmp_path / "not" / "yet").severity == "fine"
    monkeypatch.setattr(doctor, "LITTLE_SPACE", 10**18)
    found = space("outbox", tmp_path)
    assert (found.subject, found.severity, found.remedy) == ("outbox space", "warning", "free some space")
    assert str(tmp_path) in found.message


def test_two_file_systems_are_a_warning(tmp_path: Path) -> None:
    """Copying works but is slower; on one file system all is fine."""
    assert same_file_system(tmp_path / "inbox", tmp_path / "archive").severity == "fine"
    found = same_file_system(tmp_path, Path("/proc"))
    assert (found.severity, "copied" in found.message) == ("warning", True)


def test_how_the_inbox_is_watched_is_told(tmp_path: Path) -> None:
    """Polling needs no watches; with inotify one folder fits into any limit."""
    (found,) = watching("poll", "nfs4", tmp_path)
    assert found == Finding("watch", "fine", "the inbox is on nfs4 and watched by poll")
    (found,) = watching("inotify", "ext4", tmp_path)
    assert found.severity == "fine"


def test_too_many_folders_to_watch_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy names a limit that would do."""
    limit = tmp_path / "limit"
    limit.write_text("4\n")
    monkeypatch.setattr(doctor, "_WATCHES", limit)
    inbox = tmp_path / "inbox"
    for name in "abcd":
        (inbox / name).mkdir(parents=True)
    _, found = watching("inotify", "ext4", inbox)
    assert (found.subject, found.severity) == ("watch limit", "warning")
    assert "5 folders" in found.message
    assert "max_user_watches=20" in found.remedy


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_ledger_on_a_network_is_a_problem(kind: str, tmp_path: Path) -> None:
    """SQLite cannot lock there."""
    found = ledger_place(kind, tmp_path)
    assert (found.severity, found.remedy) == ("problem", "set state to a local folder")
    assert ledger_place("ext4", tmp_path).severity == "fine"


def test_the_nearest_folder_that_is_there_is_found(tmp_path: Path) -> None:
    """Up to the root, if need be."""
    assert nearest_existing(tmp_path) == tmp_path
    assert nearest_existing(tmp_path / "a/b/c") == tmp_path
    assert nearest_existing(Path("/missing-at-the-root/a")) == Path("/")
