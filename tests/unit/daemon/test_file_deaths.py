"""Files of several pages if ocrwatch is killed while they are read, again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ocrwatch.cache.key import PageCache
from ocrwatch.daemon.retry_policy import MOST_DEATHS
from ocrwatch.errors import EnvironmentFault
from ocrwatch.scan import ScanState
from tests.core import Core, Folders, running
from tests.eventually import eventually, run
from tests.scripted import Remembered
from tests.unit.daemon.test_file_reader import FORMATS, Reader, text_of, tiff

pytestmark = pytest.mark.usefixtures("_short_pauses")


class Killed:
    """A file of which one page is never read: ocrwatch is killed then."""

    def __init__(self, root: Path, pages: int, cache: PageCache | None, workers: int = 1) -> None:
        self.reader = Reader()
        self.cache = cache
        self.folders = Folders(root)
        self.settings = self.folders.settings(output=FORMATS, workers={"count": workers})
        (self.folders.inbox / "fax.tif").write_bytes(tiff(pages))

    async def run(self, page: int, others: int = 0) -> None:
        """Run until a page is being read, and so many later ones have been; then it is killed."""
        self.reader.hold(page)
        self.reader.read.clear()
        core = Core(self.folders, self.settings, act=self.reader, cache=self.cache)
        core.serve()
        core.recover()
        read = self.reader.read
        await eventually(
            lambda: core.heard.ends["fax.tif"] or (read[page] and sum(read[n] for n in read if n > page) >= others),
            f"page {page}",
        )
        self.deaths, self.pages = core.row("fax.tif").deaths, core.row("fax.tif").pages
        await core.end(clean=False)
        self.reader.gates[page].set()


def test_a_file_that_gets_further_is_not_suspected(tmp_path: Path) -> None:
    """A machine may be switched off more often than three times while a file of many pages is read."""

    async def scenario() -> None:
        killed = Killed(tmp_path, MOST_DEATHS + 3, Remembered())
        for page in range(2, MOST_DEATHS + 3):
            await killed.run(page)
            assert killed.reader.read == {page - 1: 1, page: 1} if page > 2 else {1: 1, 2: 1}
            # Nothing is written for a file that is not suspected.
            assert (killed.deaths, killed.pages) == (0, page - 1 if page > 2 else 0)
        async with running(tmp_path, act=killed.reader, cache=killed.cache, output=FORMATS) as core:
            core.recover()
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert len(text_of(core).split()) == MOST_DEATHS + 3

    run(scenario())


def test_pages_after_one_that_kills_are_no_progress(tmp_path: Path) -> None:
    """Otherwise it would kill ocrwatch as often as there are pages that other workers can read meanwhile."""

    async def scenario() -> None:
        killed = Killed(tmp_path, 30, Remembered(), workers=2)
        for number in range(1, MOST_DEATHS + 1):
            await killed.run(3, others=4)
            assert killed.deaths == number - 1
        async with running(tmp_path, act=killed.reader, cache=killed.cache, output=FORMATS) as core:
            core.recover()
            assert await core.closed("fax.tif") is ScanState.QUARANTINED
            assert f"killed {MOST_DEATHS} times" in (core.row("fax.tif").reason or "")

    run(scenario())


@pytest.mark.parametrize("forgets", [False, True])
def test_pages_that_are_read_each_time_anew_are_no_progress(tmp_path: Path, *, forgets: bool) -> None:
    """Without a cache each run gets as far as the last one; and one that loses its pages must not have that go on."""

    async def scenario() -> None:
        killed = Killed(tmp_path, 4, Remembered() if forgets else None)
        told = []
        for _ in range(MOST_DEATHS + 1):
            killed.cache = Remembered() if forgets else None
            await killed.run(2)
            told.append((killed.deaths, killed.pages))
        # The first run that is suspected gets further than is recorded, once.
        assert told == ([(0, 0), (0, 1), (1, 1), (2, 1)] if forgets else [(0, 0), (1, 0), (2, 0), (3, 0)])

    run(scenario())


def test_a_ledger_that_refuses_progress_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next page; the page itself is kept."""

    async def scenario() -> None:
        killed = Killed(tmp_path, 4, Remembered())
        await killed.run(1)
        recorded: list[Any] = []
        async with running(tmp_path, act=killed.reader, cache=killed.cache, output=FORMATS) as core:

            def refuse(*args: Any) -> None:
                recorded.append(args[1])
                if len(recorded) == 1:
                    raise EnvironmentFault("the disk is full", "make room")

            monkeypatch.setattr(core.ledger, "record_progress", refuse)
            core.recover()
            assert await core.closed("fax.tif") is ScanState.DELIVERED
            assert recorded == [1, 2]
            assert killed.reader.read == {1: 2, 2: 1, 3: 1, 4: 1}

    run(scenario())
