"""Empty job folders go after their scans were taken, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.housekeeping.empty_folders import Tidying
from ocrwatch.storage.threads import Threads

PATIENCE = 100.0


class Tidy:
    """An inbox that is tidied by the test's own clock."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        self.threads = Threads()
        self.tidying = Tidying(self.threads, inbox, PATIENCE)
        self.now = 1000.0

    def took(self, *paths: str) -> None:
        """Say that scans were taken, from folders that are made if they are missing."""
        for path in paths:
            (self.inbox / path).parent.mkdir(parents=True, exist_ok=True)
        self.tidying.took(paths, self.now)

    def wait(self, patiences: int = 1) -> None:
        """Let time go by."""
        for _ in range(patiences):
            self.now += PATIENCE + 1
            asyncio.run(self.tidying.look(self.now))

    @property
    def folders(self) -> set[str]:
        """What folders there are."""
        return {str(path.relative_to(self.inbox)) for path in self.inbox.rglob("*") if path.is_dir()}


@pytest.fixture
def tidy(tmp_path: Path) -> Iterator[Tidy]:
    """Make an empty inbox."""
    tidy = Tidy(tmp_path)
    yield tidy
    tidy.threads.close()


def test_empty_job_folders_go_with_those_above_them(tidy: Tidy) -> None:
    """After a while, from below; the inbox stays, and so do folders that held no scan."""
    (tidy.inbox / "drop-here").mkdir()
    tidy.took("a.jpg", "job1/page1.jpg", "job1/page2.jpg", "deep/job2/page1.jpg")
    tidy.wait()
    assert tidy.folders == {"drop-here", "job1", "deep", "deep/job2"}
    tidy.wait()
    assert tidy.folders == {"drop-here", "deep"}
    tidy.wait(2)
    assert tidy.folders == {"drop-here"}
    assert tidy.tidying.next_look() == float("inf")
    assert tidy.inbox.is_dir()


def test_a_folder_with_anything_in_it_stays(tidy: Tidy) -> None:
    """Whatever it is, also hidden; when it is gone and another scan was taken, the folder goes."""
    tidy.took("job/page1.jpg")
    (tidy.inbox / "job/.hidden").touch()
    tidy.wait(4)
    assert tidy.folders == {"job"}
    (tidy.inbox / "job/.hidden").unlink()
    tidy.took("job/page2.jpg")
    tidy.wait(2)
    assert tidy.folders == set()


def test_a_folder_that_is_in_use_is_waited_for(tidy: Tidy) -> None:
    """If something came and went meanwhile, the next page may be on its way."""
    tidy.took("job/page1.jpg")
    for _ in range(3):
        tidy.wait()
        (tidy.inbox / "job/page2.jpg").touch()
        (tidy.inbox / "job/page2.jpg").unlink()
        assert tidy.folders == {"job"}
    tidy.wait(2)
    assert tidy.folders == set()


def test_links_are_not_followed(tidy: Tidy, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A link in a folder's place leads to no folder that is removed, and is left."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "job").mkdir()
    (tidy.inbox / "link").symlink_to(outside)
    tidy.tidying.took(["link/job/page1.jpg", "link/page1.jpg", "gone/page1.jpg"], tidy.now)
    tidy.wait(4)
    assert (outside / "job").is_dir()
    assert (tidy.inbox / "link").is_symlink()
