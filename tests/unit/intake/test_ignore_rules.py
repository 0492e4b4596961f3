"""Why a file is left alone, in words; the same rules as those by which it is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ocrwatch.intake.ignore_rules import NameCheck, kind_ignored, name_ignored
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rescan import DEEPEST, rescan
from ocrwatch.settings import Watch
from tests.privileges import reachable_folder, unprivileged

WATCH = Watch()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a.jpg", ""),
        ("sub/A.JPEG", ""),
        ("a.gif", "watch.include (*.jpg"),
        ("a.jpg.part", '"*.part" of watch.exclude'),
        (".hidden.jpg", '".*" of watch.exclude'),
        ("x/.old/a.jpg", 'folder .old matches ".*"'),
        ("x/@Recycle/a.jpg", "folder @Recycle belongs to the NAS"),
        ("$recycle.bin/a.jpg", "folder $recycle.bin belongs to the NAS"),
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
    found = rescan(tmp_path, rules, recursive=True, limit=9, known=lambda _: False).paths
    assert (path in found) == (reason == "")


def test_subfolders_that_are_not_looked_into() -> None:
    """Without watch.recursive a scan in a subfolder is left alone, and the setting is named."""
    assert "watch.recursive" in name_ignored("sub/a.jpg", WATCH.include, WATCH.exclude, recursive=False)[0]
    assert name_ignored("a.jpg", WATCH.include, WATCH.exclude, recursive=False) == ("", "")


CHECK = NameCheck(Path(), WATCH.include, (*WATCH.exclude, "*.bak"), recursive=True)


@pytest.mark.parametrize(
    ("name", "content", "said", "remedy"),
    [
        ("doc", b"%PDF-1.7", "it is a PDF, but its name has no ending", "rename it to doc.pdf"),
        ("IMG_1.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is a HEIC image", "Most Compatible"),
        (
            "a.gif",
            b"GIF89a",
            "it is a GIF image, and only JPEG, PNG and TIFF images and PDF documents are read",
            "save or export it",
        ),
        ("a.png2", b"\x89PNG\r\n\x1a\n", "it is a PNG, but its name matches nothing", "rename it to a.png"),
        ("scan", b"II*\0", "it is a TIFF, but its name has no ending", "rename it to scan.tif"),
        ("doc.docx", b"PK\x03\x04", "an Office document", "save its pages as JPEG"),
        ("sub/scan0001", b"\xff\xd8\xff\xe0", "it is a JPEG, but its name has no ending", "rename it to scan0001.jpg"),
        ("Bill 12.03.2024", b"\xff\xd8\xff\xe0", "it is a JPEG", "rename it to Bill 12.03.2024.jpg"),
        ("scan.jpg.txt", b"\xff\xd8\xff\xe0", "it is a JPEG", "rename it to scan.jpg"),
        ("scan.JPG_", b"\xff\xd8\xff\xe0", "it is a JPEG, but its name matches nothing", "rename it to scan.jpg"),
        ("scan.doc", b"\xff\xd8\xff\xe0", "it is a JPEG, but its name matches nothing", "rename it to scan.jpg"),
        ("notes.txt", b"milk, bread", "its name matches nothing of watch.include", "change watch.include"),
        ("nothing", b"", "it is empty, and its name has no ending", "put the scan itself there"),
        ("a.jpg.bak", b"\xff\xd8\xff\xe0", 'its name matches "*.bak" of watch.exclude', "change watch.exclude"),
    ],
)
def test_what_is_not_read_is_explained_by_its_content(
    tmp_path: Path, name: str, content: bytes, said: str, remedy: str
) -> None:
    """What the file is counts, not what it is called; the remedy fits the kind."""
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    found = replace(CHECK, inbox=tmp_path).ignored(name, at_rest=0)
    assert found is not None
    assert said in found.reason
    assert remedy in found.remedy


def test_what_is_still_on_its_way_is_not_judged(tmp_path: Path) -> None:
    """A file that has just changed, is gone or is a scan by now is not said to be left alone."""
    check = replace(CHECK, inbox=tmp_path)
    (tmp_path / "upload.dat").write_bytes(b"half")
    assert check.ignored("upload.dat", at_rest=60) is None
    assert check.ignored("gone.pdf", at_rest=0) is None
    (tmp_path / "a.jpg").write_bytes(b"")
    assert check.ignored("a.jpg", at_rest=0) is None


def test_a_file_that_may_not_be_looked_into_says_so() -> None:
    """Another user's file without a scan's name is named with what would help."""
    with reachable_folder() as inbox:
        (inbox / "scan").write_bytes(b"")
        (inbox / "scan").chmod(0)
        with unprivileged():
            found = replace(CHECK, inbox=inbox).ignored("scan", at_rest=0)
    assert found is not None
    assert "may not look into it" in found.reason


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


def test_without_its_extra_a_pdf_is_ignored_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not quarantined, although watch.include names it."""
    for module in ("magic", "intake.names"):
        monkeypatch.setattr(f"ocrwatch.{module}.reads_pdf", lambda: False)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    assert not NameRules.of(WATCH.include, WATCH.exclude).is_scan("a.pdf")
    found = replace(CHECK, inbox=tmp_path).ignored("a.pdf", at_rest=0)
    assert found is not None
    assert found.reason == "it is a PDF document, and only JPEG, PNG and TIFF images are read"
    assert "ocrwatch[pdf]" in found.remedy


def test_with_its_extra_a_pdf_is_a_scan() -> None:
    """Whatever case its ending has."""
    assert NameRules.of(WATCH.include, WATCH.exclude).is_scan("A.PDF")
