"""Scans that wait together are loaded together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch.cache.key import PageCache
from ocrwatch.errors import Blocked, Changed, EnvironmentFault, TooLarge
from ocrwatch.intake import loading as loading_module
from ocrwatch.intake.loading import AlreadyDelivered, Loaded, Loading
from ocrwatch.ledger import Ledger
from ocrwatch.recipe import Recipe
from ocrwatch.scan import Batch, Scan, ScanState, SettledFile, Source
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import facts_of
from ocrwatch.storage.threads import Threads
from tests.core import sha256
from tests.eventually import run

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
def threads() -> Iterator[Threads]:
    """Start the threads."""
    threads = Threads()
    yield threads
    threads.close()


@pytest.fixture
def loading(inbox: Path, ledger: Ledger, threads: Threads) -> Loading:
    """Load for a run to which nothing is known, and that archives originals."""
    return Loading(threads.loading, inbox, ledger, PageCache(None, []), max_bytes=MOST, keeps_originals=False)


@pytest.fixture
def keeping(inbox: Path, ledger: Ledger, threads: Threads) -> Loading:
    """Load for a run that leaves originals in the inbox."""
    return Loading(threads.loading, inbox, ledger, PageCache(None, []), max_bytes=MOST, keeps_originals=True)


@pytest.fixture
def _in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading_module, "_LONGEST", 60.0)


def scan(inbox: Path, name: str, size: int = 10) -> Scan:
    """Put a scan into the inbox."""
    path = inbox / name
    path.write_bytes(name.encode().ljust(size))
    file = SettledFile(name, facts_of(path.stat()), fresh=True, ready_at=0.0)
    return Scan(file, Batch(1, 1), Settings().for_path(name), Recipe())


@pytest.mark.usefixtures("_in_no_hurry")
def test_one_that_cannot_be_loaded_keeps_none_of_the_others(loading: Loading, inbox: Path, ledger: Ledger) -> None:
    """Those that are there have their bytes, their hash and a row; the others say what is wrong."""
    scans = [scan(inbox, f"{n}.jpg", MOST + 1 if n == 2 else 10) for n in range(4)]
    (inbox / "1.jpg").unlink()
    loaded = dict(zip((each.path for each in scans), loading.work(scans), strict=True))
    assert isinstance(loaded["1.jpg"], Changed)
    assert isinstance(loaded["2.jpg"], TooLarge)
    for each in (scans[0], scans[3]):
        found = loaded[each.path]
        assert isinstance(found, Loaded)
        assert found.page is None
        assert ledger.get(found.entry.id).sha256 == each.sha256 == sha256(each.path.ljust(10))
        assert found.content.startswith(each.path.encode())
    assert [scans[n].sha256 for n in (1, 2)] == [None, None]


def test_what_waits_is_loaded_by_one_wait_for_the_ledger(loading: Loading, inbox: Path) -> None:
    """Each waiter gets its own."""

    async def scenario() -> None:
        service = asyncio.ensure_future(loading.run())
        scans = [scan(inbox, f"{n}.jpg") for n in range(5)]
        found = await asyncio.gather(*map(loading.commit, scans))
        assert [loaded.content.rstrip().decode() for loaded in found] == [each.path for each in scans]
        assert len({loaded.entry.id for loaded in found}) == 5
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)

    run(scenario())


def test_a_scan_that_waits_gets_its_row_again(loading: Loading, inbox: Path, ledger: Ledger) -> None:
    """With the attempts that were counted, so that they are never begun anew."""
    each = scan(inbox, "a.jpg")
    (first,) = loading.work([each])
    assert isinstance(first, Loaded)
    ledger.count_attempt(first.entry.id)
    (again,) = loading.work([each])
    assert isinstance(again, Loaded)
    assert (again.entry.id, again.entry.attempts) == (first.entry.id, 1)


def test_the_row_of_a_scan_that_went_is_closed(loading: Loading, inbox: Path, ledger: Ledger) -> None:
    """One that was loaded before and had to wait, and is not there when its turn comes again."""
    waiting = scan(inbox, "a.jpg")
    (loaded,) = loading.work([waiting])
    assert isinstance(loaded, Loaded)
    waiting.id = loaded.entry.id
    (inbox / "a.jpg").unlink()
    (gone,) = loading.work([waiting])
    assert isinstance(gone, Changed)
    assert ledger.get(waiting.id).state == "changed"


def test_a_slow_share_does_not_keep_the_first_waiting_for_the_last(
    loading: Loading, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come by then goes on; the rest is left for another round."""

    def slow(_inbox: Path, path: str, facts: FileFacts, _most: int) -> Source:
        # The clock is set on instead of waiting.
        now[0] += 0.3
        return Source(b"x", path.encode().hex().ljust(64, "0"), facts)

    now = [0.0]
    monkeypatch.setattr(loading_module, "read", slow)
    scans = [scan(inbox, f"{n}.jpg") for n in range(5)]
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now[0])
        loaded = loading.work(scans)
    assert len(loaded) == 1
    assert [each.sha256 is not None for each in scans] == [True, False, False, False, False]


@pytest.mark.usefixtures("_in_no_hurry")
def test_an_inbox_that_is_away_is_the_environments_fault(loading: Loading, inbox: Path, ledger: Ledger) -> None:
    """None of them is given up, and nothing is noted."""
    scans = [scan(inbox, f"{n}.jpg") for n in range(2)]
    inbox.rename(inbox.with_name("away"))
    with pytest.raises(EnvironmentFault, match="inbox"):
        loading.work(scans)
    assert ledger.unfinished() == []


@pytest.mark.usefixtures("_in_no_hurry")
def test_a_scan_that_could_not_be_taken_is_not_read(
    loading: Loading, keeping: Loading, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text would be delivered again and again; it is no matter if originals stay. The others are loaded."""

    def check(_inbox: Path, path: str) -> None:
        if path == "a.jpg":
            raise Blocked("it may not be moved")

    monkeypatch.setattr(loading_module, "check_movable", check)
    scans = [scan(inbox, "a.jpg"), scan(inbox, "b.jpg")]
    blocked, loaded = loading.work(scans)
    assert isinstance(blocked, Blocked)
    assert isinstance(loaded, Loaded)
    assert all(isinstance(each, Loaded) for each in keeping.work(scans))


@pytest.mark.usefixtures("_in_no_hurry")
def test_pages_that_are_known_come_with_the_bytes(
    inbox: Path, ledger: Ledger, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are found by them and by the recipe, and the cache is asked once for all that are loaded together."""
    asked: list[list[tuple[str, Recipe]]] = []

    def pages(_: PageCache, scans: list[tuple[str, Recipe]]) -> list[bytes | None]:
        asked.append(scans)
        return [f"page of {sha256}".encode() for sha256, _ in scans]

    monkeypatch.setattr(PageCache, "pages", pages)
    loading = Loading(threads.loading, inbox, ledger, PageCache(None, []), max_bytes=MOST, keeps_originals=False)
    scans = [scan(inbox, f"{n}.jpg") for n in range(3)]
    (inbox / "1.jpg").unlink()
    first, gone, last = loading.work(scans)
    assert isinstance(gone, Changed)
    for each, loaded in ((scans[0], first), (scans[2], last)):
        assert isinstance(loaded, Loaded)
        assert loaded.page == f"page of {each.sha256}".encode()
    assert asked == [[(each.sha256, each.recipe) for each in (scans[0], scans[2])]]


@pytest.mark.parametrize("given_up", [False, True])
def test_a_scan_that_was_delivered_and_stays_is_not_read_again(
    keeping: Loading, loading: Loading, inbox: Path, ledger: Ledger, *, given_up: bool
) -> None:
    """The same bytes under the same path; if originals do not stay, they are another scan."""
    each = scan(inbox, "a.jpg")
    (first,) = keeping.work([each])
    assert isinstance(first, Loaded)
    ledger.close_scan(first.entry.id, ScanState.DELIVERED, code=None, reason=None)
    if given_up:
        with pytest.raises(AlreadyDelivered):
            keeping.open_row(each)
    else:
        (again,) = keeping.work([each])
        assert isinstance(again, AlreadyDelivered)
    assert ledger.unfinished() == []
    (other,) = loading.work([each])
    assert isinstance(other, Loaded)
    assert other.entry.id != first.entry.id


def test_a_scan_that_no_worker_is_to_see_has_a_row(loading: Loading, inbox: Path, ledger: Ledger) -> None:
    """With the hash of its bytes, for its history; without one if there are too many of them."""
    small, large = scan(inbox, "a.jpg"), scan(inbox, "b.jpg", MOST + 1)
    row, found = loading.open_row(small)
    assert (ledger.get(row).sha256, found) == (sha256("a.jpg".ljust(10)),) * 2
    row, found = loading.open_row(large)
    assert (ledger.get(row).sha256, found) == (None, None)
    (inbox / "a.jpg").unlink()
    with pytest.raises(Changed):
        loading.open_row(small)
