"""What is not read: told of once, counted and named for as long as it is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from ocrwatch.intake import ignored_files as module
from ocrwatch.intake import rescan as look_module
from ocrwatch.intake.ignore_rules import NameCheck
from ocrwatch.intake.ignored_files import IgnoredFiles
from ocrwatch.intake.names import NameRules
from ocrwatch.intake.rescan import rescan
from ocrwatch.storage.threads import Tasks, Threads

INCLUDE, EXCLUDE = ("*.jpg",), (".*", "*.bak")
LONG = 10.0


class Inbox:
    """An inbox that is looked through when the test says so."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.threads = Threads()
        self.wanted: list[float] = []
        check = NameCheck(place, INCLUDE, EXCLUDE, recursive=True)
        arrivals = cast("Any", SimpleNamespace(look_within=self.wanted.append))
        self.not_read = IgnoredFiles(self.threads, Tasks(asyncio.Event()), check, arrivals)
        self.not_read.at_rest = 0.0

    def put(self, **contents: bytes) -> None:
        """Make files; the double underscore stands for the dot."""
        for name, content in contents.items():
            (self.place / name.replace("__", ".")).write_bytes(content)

    def see(self) -> dict[str, str]:
        """Rescan once; return what was logged: reasons by path."""
        rules = NameRules.of(INCLUDE, EXCLUDE)

        async def look() -> None:
            self.not_read.update(rescan(self.place, rules, recursive=True, limit=9, known=lambda _: False))
            deadline = time.monotonic() + LONG
            while not self.not_read.is_steady:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.005)

        with capture_logs() as logs:
            asyncio.run(look())
        return {entry.get("path", entry["event"]): entry.get("reason", "") for entry in logs}

    @property
    def names(self) -> list[str]:
        """What the status names."""
        return [file.path for file in self.not_read.named]


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """Make an empty one."""
    inbox = Inbox(tmp_path)
    yield inbox
    inbox.threads.close()


def test_each_file_is_told_of_once(inbox: Inbox) -> None:
    """By kind and name, in the order in which a person counts; later looks say nothing new."""
    inbox.put(p10__gif=b"GIF89a", p2__gif=b"GIF89a", scan=b"\xff\xd8\xff\xe0", old__bak=b"x", a__jpg=b"")
    logged = inbox.see()
    assert set(logged) == {"p10.gif", "p2.gif", "scan", "old.bak"}
    assert "GIF image" in logged["p2.gif"]
    assert "it is a JPEG" in logged["scan"]
    assert '"*.bak" of watch.exclude' in logged["old.bak"]
    assert (inbox.not_read.count, inbox.names) == (4, ["old.bak", "p2.gif", "p10.gif", "scan"])
    assert inbox.not_read.take_news()
    assert inbox.see() == {}
    assert not inbox.not_read.take_news()


def test_what_is_renamed_or_removed_goes_from_the_list(inbox: Inbox) -> None:
    """And is told of again if it comes back."""
    inbox.put(scan=b"\xff\xd8\xff\xe0", doc__gif=b"GIF89a")
    inbox.see()
    (inbox.place / "scan").rename(inbox.place / "scan.jpg")
    (inbox.place / "doc.gif").unlink()
    inbox.see()
    assert (inbox.not_read.count, inbox.names) == (0, [])
    assert inbox.not_read.take_news()
    inbox.put(doc__gif=b"GIF89a")
    assert list(inbox.see()) == ["doc.gif"]


def test_what_an_earlier_run_told_is_not_logged_again(inbox: Inbox) -> None:
    """Unless it is something else by now; it is counted all the same."""
    inbox.put(doc__gif=b"GIF89a", other__gif=b"GIF89a")
    inbox.see()
    first = inbox.not_read.named[0]
    told = {first.path: first.reason, "other.gif": "it was empty"}
    again = Inbox(inbox.place)
    again.not_read.told_before(told)
    assert list(again.see()) == ["other.gif"]
    assert again.not_read.count == 2
    again.threads.close()


def test_a_file_that_has_just_changed_is_waited_for(inbox: Inbox) -> None:
    """Programs rename when they are done: it is looked at again, and less and less often if it never rests."""
    inbox.not_read.at_rest = 20.0
    inbox.put(upload=b"half")
    assert inbox.see() == {}
    assert inbox.see() == {}
    assert (inbox.not_read.count, inbox.wanted[0] < inbox.wanted[-1] <= 60.0) == (0, True)
    inbox.not_read.at_rest = 0.0
    assert list(inbox.see()) == ["upload"]


def test_an_empty_file_may_become_one(inbox: Inbox) -> None:
    """Its content tells as soon as it has one."""
    inbox.put(doc=b"")
    assert "empty" in inbox.see()["doc"]
    inbox.put(doc=b"GIF89a")
    assert "PDF" in inbox.see()["doc"]


def test_an_inbox_full_of_other_files_costs_little(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded number is told of and named, all are counted, and that there are so many is said once."""
    monkeypatch.setattr(look_module, "MOST_IGNORED", 10)
    monkeypatch.setattr(module, "MOST_IGNORED", 10)
    monkeypatch.setattr(module, "MOST_NAMED", 4)
    for number in range(50):
        (inbox.place / f"{number}.gif").write_bytes(b"GIF89a")
    logged = inbox.see()
    assert len(logged) == 11
    assert "inbox.crowded" in logged
    assert (inbox.not_read.count, len(inbox.names)) == (50, 4)
    assert inbox.see() == {}
