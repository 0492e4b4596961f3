"""Where a picture may be written, and how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocrwatch.commands import picture_file
from ocrwatch.commands.picture_file import check_target, write_picture
from ocrwatch.errors import EnvironmentFault, UsageError


def test_a_new_picture_and_one_that_replaces_it(tmp_path: Path) -> None:
    """Nothing else is left, and the umask decides who may read it."""
    picture = tmp_path / "page.png"
    for content in (b"first", b"second"):
        check_target(picture, tmp_path / "scan.jpg")
        write_picture(picture, content)
        assert picture.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["page.png"]
    plain = tmp_path / "plain"
    plain.touch()
    assert picture.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scan.jpg", "the picture scan.jpg does not end in .png; name a file such as page.png"),
        ("-", "the picture - does not end in .png"),
        ("nowhere/a.png", "there is no folder nowhere; make it, or name a picture in another folder"),
        ("scan.jpg/a.png", "there is no folder scan.jpg"),
        ("folder.png", "folder.png is there, and is not a regular file; remove it, or name another picture"),
        ("link.png", "link.png is there, and is not a regular file"),
        ("dangling.png", "dangling.png is there, and is not a regular file"),
        ("pipe.png", "pipe.png is there, and is not a regular file"),
        ("scan.png", "the picture scan.png would replace the scan; name another picture"),
        ("./scan.png", "the picture scan.png would replace the scan"),
        ("hard.png", "the picture hard.png would replace the scan"),
    ],
)
def test_places_where_no_picture_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    """Before a scan is read in vain; links and devices are not followed, and no scan is lost."""
    monkeypatch.chdir(tmp_path)
    Path("scan.png").touch()
    Path("scan.jpg").touch()
    Path("folder.png").mkdir()
    Path("link.png").symlink_to("scan.jpg")
    Path("dangling.png").symlink_to("gone")
    os.mkfifo("pipe.png")
    Path("hard.png").hardlink_to("scan.png")
    with pytest.raises(UsageError) as caught:
        check_target(Path(name), Path("scan.png"))
    assert str(caught.value).startswith(message)


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before the reading, as far as the system knows it then."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(EnvironmentFault, match=f"cannot write to the folder {tmp_path}") as caught:
        check_target(tmp_path / "a.png", Path("-"))
    assert caught.value.remedy == "name a picture in a folder in which you may write"


def test_a_disk_that_is_full_leaves_the_earlier_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no unfinished file beside it."""
    picture = tmp_path / "page.png"
    picture.write_bytes(b"earlier")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(picture_file, "rename_over", refuse)
    with pytest.raises(EnvironmentFault, match=r"cannot write the picture .*page\.png \(no space left on device\)"):
        write_picture(picture, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.png"]
    assert picture.read_bytes() == b"earlier"
