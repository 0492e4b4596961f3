"""What lies in the quarantine, and which of it is meant by a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault, UsageError
from ocrwatch.quarantine.listing import Quarantined, originals, paths_meant
from ocrwatch.quarantine.reason_file import BEGUN, REASON, Reason

DAMAGED = Reason(None, "damaged", None, None, None, None, None)


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    """Make a quarantine with a case of everything."""
    root = tmp_path / "quarantine"
    names = (
        "b.jpg",
        f"b.jpg{REASON}",
        "sub/a.jpg",
        f"sub/a.jpg{BEGUN}",
        "by-hand.jpg",
        ".ocrwatch-0123abcd-1.copy.tmp",
    )
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text('{"code": "damaged"}')
    (root / "link.jpg").symlink_to(root / "b.jpg")
    (root / "linked").symlink_to(root / "sub")
    return root


def test_each_original_is_listed_with_its_reason(quarantine: Path) -> None:
    """Reasons, unfinished files and links are no originals."""
    assert originals(quarantine) == [
        Quarantined("b.jpg", DAMAGED, is_unsure=False),
        Quarantined("by-hand.jpg", None, is_unsure=False),
        Quarantined("sub/a.jpg", DAMAGED, is_unsure=True),
    ]


def test_a_quarantine_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    """Nothing was quarantined so far."""
    assert originals(tmp_path / "none") == []
    assert paths_meant(tmp_path / "none", []) == []


def test_what_is_named_is_found(quarantine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By absolute paths, relative ones, reasons and folders; each once, and without names everything."""
    monkeypatch.chdir(quarantine / "sub")
    assert paths_meant(quarantine, []) == ["b.jpg", "by-hand.jpg", "sub/a.jpg"]
    assert paths_meant(quarantine, [Path("a.jpg"), quarantine / f"b.jpg{REASON}", Path("sub")]) == [
        "sub/a.jpg",
        "b.jpg",
    ]
    assert paths_meant(quarantine, [Path("..")]) == ["b.jpg", "by-hand.jpg", "sub/a.jpg"]


def test_a_name_alone_means_the_only_scan_of_this_name(quarantine: Path) -> None:
    """In any subfolder; if several have it, they are named, and none is meant."""
    assert paths_meant(quarantine, [Path("a.jpg")]) == ["sub/a.jpg"]
    assert paths_meant(quarantine, [Path(f"a.jpg{REASON}")]) == ["sub/a.jpg"]
    (quarantine / "other").mkdir()
    (quarantine / "other" / "a.jpg").write_text("")
    (quarantine / "other" / "b.jpg").write_text("")
    with pytest.raises(UsageError, match=r"2 scans a.jpg .*other/a.jpg, sub/a.jpg"):
        paths_meant(quarantine, [Path("a.jpg")])
    assert paths_meant(quarantine, [Path("b.jpg")]) == ["b.jpg"]


@pytest.mark.parametrize("name", ["none.jpg", "link.jpg", "/etc/passwd", "../outside.jpg"])
def test_what_is_not_there_is_an_error(quarantine: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A mistyped name is said, and no link is followed."""
    monkeypatch.chdir(quarantine)
    with pytest.raises(UsageError, match="in the quarantine"):
        paths_meant(quarantine, [Path("b.jpg"), Path(name)])


def test_a_folder_that_refuses_is_the_environments_fault(quarantine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quarantine is named, with what to do."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    for ask in (originals, lambda folder: paths_meant(folder, [])):
        with pytest.raises(EnvironmentFault, match=f"cannot read the quarantine {quarantine}"):
            ask(quarantine)
