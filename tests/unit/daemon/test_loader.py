"""Scans that wait together are loaded together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ocrwatch.daemon.loader import Loader
from ocrwatch.daemon.tickets import Batch, Ticket

from ocrwatch.cache.key import PageCache
from ocrwatch.daemon import loader as loader_module
from ocrwatch.errors import Changed, EnvironmentFault, TooLarge
from ocrwatch.ledger import Ledger
from ocrwatch.recipe import Recipe
from ocrwatch.scan import FileFacts, SettledFile, Source
from ocrwatch.settings import Settings
from ocrwatch.storage.files import facts_of

MOST = 100


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Make a ledger."""
    (tmp_path / "state").mkdir()
    ledger = Ledger(tmp_path / "state")
    yield ledger
    ledger.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Make an inbox."""
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def loader(inbox: Path, ledger: Ledger) -> Loader:
    """Make a loader to which nothing is known."""
    return Loader(inbox, ledger, PageCache(None, []), max_bytes=MOST, keeps_originals=False)


def ticket(inbox: Path, name: str, size: int = 10) -> Ticket:
    """Put a scan into the inbox."""
    path = inbox / name
    path.write_bytes(name.encode().ljust(size))
    scan = SettledFile(name, facts_of(path.stat()), fresh=True, ready_at=0.0)
    return Ticket(scan, Batch(1, 1), Settings().for_path(name), Recipe())


def test_one_that_cannot_be_loaded_keeps_none_of_the_others(
    loader: Loader, inbox: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are there have their bytes, their hash and a row; the others say what is wrong."""
    monkeypatch.setattr(loader_module, "_LONGEST", 60.0)
    tickets = [ticket(inbox, f"{n}.jpg", MOST + 1 if n == 2 else 10) for n in range(4)]
    (inbox / "1.jpg").unlink()
    loaded = {each.ticket.path: each for each in loader.load(tickets)}
    assert isinstance(loaded["1.jpg"].error, Changed)
    assert isinstance(loaded["2.jpg"].error, TooLarge)
    for name in ("0.jpg", "3.jpg"):
        entry = loaded[name].entry
        assert entry is not None
        assert ledger.get(entry.id).sha256 == loaded[name].ticket.sha256
        assert loaded[name].jpeg.startswith(name.encode())


def test_the_row_of_a_scan_that_went_is_closed(loader: Loader, inbox: Path, ledger: Ledger) -> None:
    """One that was loaded before and had to wait, and is not there when its turn comes again."""
    waiting = ticket(inbox, "a.jpg")
    (loaded,) = loader.load([waiting])
    assert loaded.entry is not None
    waiting.id = loaded.entry.id
    (inbox / "a.jpg").unlink()
    (loaded,) = loader.load([waiting])
    assert isinstance(loaded.error, Changed)
    assert ledger.get(waiting.id).state == "gone"


def test_a_slow_share_does_not_keep_the_first_waiting_for_the_last(
    loader: Loader, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come by then goes on; the rest is left for another round."""

    def slow(_inbox: Path, path: str, facts: FileFacts, _most: int) -> Source:
        # The clock is set on instead of waiting.
        now[0] += 0.3
        return Source(b"x", f"{path}".encode().hex().ljust(64, "0"), facts)

    now = [0.0]
    monkeypatch.setattr(loader_module, "read", slow)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert [each.ticket.path for each in loader.load([ticket(inbox, f"{n}.jpg") for n in range(5)])] == ["0.jpg"]


def test_an_inbox_that_is_away_is_the_environments_fault(loader: Loader, inbox: Path) -> None:
    """None of them is given up."""
    tickets = [ticket(inbox, f"{n}.jpg") for n in range(2)]
    inbox.rename(inbox.with_name("away"))
    with pytest.raises(EnvironmentFault, match="inbox"):
        loader.load(tickets)
