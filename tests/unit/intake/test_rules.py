"""Why a file is left alone, in words; the same rules as those by which it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocrwatch.intake.look import DEEPEST, look
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rules import kind_ignored, name_ignored
from ocrwatch.settings import Watch

WATCH = Watch()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a.jpg", ""),
        ("sub/A.JPEG", ""),
        ("a.png", "watch.include (*.jpg"),
        ("a.jpg.part", '"*.part" of watch.exclude'),
        (".hidden.jpg", '".*" of watch.exclude'),
        ("x/@eaDir/a.jpg", 'folder @eaDir matches "@eaDir"'),
        ("x/" * (DEEPEST + 1) + "a.jpg", f"more than {DEEPEST} folders deep"),
        ("x/" * DEEPEST + "a.jpg", ""),
        ("\udcff.jpg", ""),
    ],
)
def test_names(tmp_path: Path, path: str, said: str) -> None:
    """The rule is named with its pattern, and what a look at the inbox finds agrees."""
    reason, remedy = name_ignored(path, WATCH.include, WATCH.exclude, recursive=True)
    assert (said in reason) if said else reason == ""
    assert bool(remedy) == bool(reason)
    place = tmp_path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    rules = NameRules.of(WATCH.include, WATCH.exclude)
    found = look(tmp_path, rules, recursive=True, limit=9, known=lambda _: False).paths
    assert (path in found) == (reason == "")


def test_subfolders_that_are_not_looked_into() -> None:
    """Without watch.recursive a scan in a subfolder is left alone, and the setting is named."""
    assert "watch.recursive" in name_ignored("sub/a.jpg", WATCH.include, WATCH.exclude, recursive=False)[0]
    assert name_ignored("a.jpg", WATCH.include, WATCH.exclude, recursive=False) == ("", "")


def test_kinds(tmp_path: Path) -> None:
    """A regular file is fine; links, folders, FIFOs and what lies behind a link are told apart; nothing is nothing."""
    (tmp_path / "file.jpg").touch()
    (tmp_path / "link.jpg").symlink_to("file.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "behind").symlink_to("folder.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    status, reason, _ = kind_ignored(tmp_path, "file.jpg")
    assert status is not None
    assert reason == ""
    for path, said in [
        ("link.jpg", "symbolic link"),
        ("folder.jpg", "folder"),
        ("fifo.jpg", "not a regular file"),
        ("behind/a.jpg", "links are never followed"),
        ("file.jpg/a.jpg", "no folder"),
    ]:
        assert said in kind_ignored(tmp_path, path)[1], path
    assert kind_ignored(tmp_path, "missing.jpg") == (None, "", "")
    assert kind_ignored(tmp_path, "missing/a.jpg") == (None, "", "")
    with pytest.raises(FileNotFoundError):
        kind_ignored(tmp_path / "no inbox", "a.jpg")
