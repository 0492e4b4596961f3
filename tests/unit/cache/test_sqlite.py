"""Pages on the disk behind those in memory: had again exactly, for a time, in bounded space, and no error raised."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ocrwatch.cache import memory
from ocrwatch.cache import sqlite as cache_module
from ocrwatch.cache.base import LevelOptions
from ocrwatch.cache.codec import MAX_SIZE, pack
from ocrwatch.cache.sqlite import CACHE_NAME
from ocrwatch.cache.tiers import TieredCache, open_cache
from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Word
from tests.pages import zlib_bomb

YEAR = 365 * 86400.0
PLENTY = 10_000_000


def page(*texts: str, engine: str = "tesserocr") -> bytes:
    """Pack a page of one line for each text."""
    blocks = tuple(
        Block(
            (Line(tuple(Word(word, Box(1, 2, 3, 4), 96.33451843261719) for word in text.split()), Box(0, 0, 9, 9), 1),),
            Box(0, 0, 10, 10),
        )
        for text in texts
    )
    return pack(
        Page(800, 600, 300.0, 6, blocks, EngineInfo(engine, "5.5.0", ("deu", "eng")), ("scale 0.58",), ("odd",))
    )


KEY, OTHER = b"k" * 32, b"o" * 32
PAGE = page("Grüße aus 漢字", "second\u2028line \x00")


@pytest.fixture
def events() -> Iterator[list[dict[str, object]]]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as logs:
        yield logs  # type: ignore[misc]


_open: list[TieredCache] = []


def opened(folder: Path, *, max_age: float = YEAR, max_bytes: int = PLENTY) -> TieredCache:
    """Open the cache as the next run would."""
    _open.append(open_cache(folder, ("memory", "disk"), LevelOptions(max_age, max_bytes)))
    return _open[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a test has left open."""
    yield
    while _open:
        _open.pop().close()


def keep(cache: TieredCache, key: bytes, kept: bytes) -> None:
    """Put a page into memory and onto the disk."""
    cache.put(key, kept)
    cache.save(key, kept)


def test_what_was_put_is_had_again_also_after_a_restart(tmp_path: Path) -> None:
    """From memory, and from the disk."""
    cache = opened(tmp_path)
    assert cache.get(KEY) is None
    keep(cache, KEY, PAGE)
    assert cache.get(KEY) == cache.recent(KEY) == PAGE
    assert cache.get(OTHER) is None
    cache.close()
    again = opened(tmp_path)
    assert again.recent(KEY) is None
    assert again.get(KEY) == again.recent(KEY) == PAGE
    again.close()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """The cache holds the text of scans, so that only its owner may read it."""
    cache = opened(tmp_path)
    keep(cache, KEY, PAGE)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert CACHE_NAME in modes
    cache.close()


def test_what_is_too_old_is_not_had_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from memory nor from the disk, and pruning drops it."""
    cache = opened(tmp_path, max_age=100)
    keep(cache, KEY, PAGE)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 90)
    keep(cache, OTHER, PAGE)
    assert cache.get(KEY) == PAGE
    monkeypatch.setattr(time, "time", lambda: now + 101)
    assert cache.get(KEY) is None
    assert cache.get(OTHER) == PAGE
    cache.prune()
    cache.close()
    assert rows(tmp_path) == [OTHER]


def test_its_size_is_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    """Whatever is put, and also where the bound is lowered later."""
    most = 200_000
    cache = opened(tmp_path, max_bytes=most)
    texts = [" ".join(os.urandom(6).hex() for _ in range(200)) for _ in range(120)]
    for number, text in enumerate(texts):
        keep(cache, number.to_bytes(32), page(text))
    cache.close()
    kept = rows(tmp_path)
    assert 50 < len(kept) < 120
    assert kept == [number.to_bytes(32) for number in range(120 - len(kept), 120)]
    size = (tmp_path / CACHE_NAME).stat().st_size
    assert size < 3 * most
    cache = opened(tmp_path, max_bytes=most // 4)
    keep(cache, KEY, PAGE)
    cache.prune()
    cache.close()
    assert (tmp_path / CACHE_NAME).stat().st_size < size
    assert rows(tmp_path)[-1] == KEY


def test_memory_holds_the_last_ones_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are had from the disk."""
    monkeypatch.setattr(memory, "_MAX_BYTES", 5 * (memory._OVERHEAD + len(PAGE)))
    cache = opened(tmp_path)
    for number in range(20):
        keep(cache, number.to_bytes(32), PAGE)
    recent = [number for number in range(20) if cache.recent(number.to_bytes(32)) is not None]
    assert recent == list(range(20 - len(recent), 20))
    assert 0 < len(recent) < 20
    assert cache.get((0).to_bytes(32)) == PAGE
    cache.close()


def test_a_damaged_cache_is_set_aside_and_a_new_one_begun(tmp_path: Path, events: list[dict[str, object]]) -> None:
    """One line says so; what was set aside before makes room."""
    for round_ in range(2):
        (tmp_path / CACHE_NAME).write_bytes(b"rubbish %d" % round_ * 1000)
        cache = opened(tmp_path)
        keep(cache, KEY, PAGE)
        cache.close()
        cache = opened(tmp_path)
        assert cache.get(KEY) == PAGE
        cache.close()
    assert [event["event"] for event in events] == ["cache.damaged"] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [CACHE_NAME, f"{CACHE_NAME}.damaged"]


def test_damage_that_shows_in_use_costs_the_cache_and_nothing_else(
    tmp_path: Path, events: list[dict[str, object]]
) -> None:
    """What is asked for is not known, and what is put next is kept."""
    cache = opened(tmp_path)
    for number in range(300):
        keep(cache, number.to_bytes(32), page(os.urandom(3000).hex()))
    cache.close()
    path = tmp_path / CACHE_NAME
    data = bytearray(path.read_bytes())
    for place in range(8192, len(data), 4096):
        data[place : place + 2000] = os.urandom(2000)
    path.write_bytes(data)
    cache = opened(tmp_path)
    for number in range(300):
        assert cache.get(number.to_bytes(32)) is None
    keep(cache, KEY, PAGE)
    cache.close()
    assert opened(tmp_path).get(KEY) == PAGE
    assert "cache.damaged" in {event["event"] for event in events}
    assert len(events) <= 2


def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    """It is renamed as it is."""
    with sqlite3.connect(tmp_path / CACHE_NAME) as other:
        other.execute("CREATE TABLE pages (mine TEXT)")
    other.close()
    cache = opened(tmp_path)
    keep(cache, KEY, PAGE)
    assert cache.get(KEY) == PAGE
    cache.close()
    with sqlite3.connect(tmp_path / f"{CACHE_NAME}.damaged") as other:
        assert other.execute("SELECT mine FROM pages").fetchall() == []
    other.close()


def test_another_versions_cache_is_emptied(tmp_path: Path) -> None:
    """What an older or newer ocrwatch has packed is not guessed at."""
    cache = opened(tmp_path)
    keep(cache, KEY, PAGE)
    cache.close()
    with sqlite3.connect(tmp_path / CACHE_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    cache = opened(tmp_path)
    assert cache.get(KEY) is None
    keep(cache, KEY, PAGE)
    assert cache.get(KEY) == PAGE
    cache.close()


def test_where_nothing_can_be_written_it_remembers_what_is_in_memory(
    tmp_path: Path, events: list[dict[str, object]]
) -> None:
    """One line says so, and no error is raised."""
    (tmp_path / CACHE_NAME).mkdir()
    cache = opened(tmp_path)
    keep(cache, KEY, PAGE)
    assert cache.get(KEY) == PAGE
    assert cache.get(OTHER) is None
    cache.prune()
    cache.close()
    assert [event["event"] for event in events] == ["cache.failed"]


def test_it_leaves_a_nearly_full_disk_to_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read then is known for as long as it is in memory."""
    cache = opened(tmp_path)
    monkeypatch.setattr(cache_module, "_LEFT_FREE", 1 << 60)
    keep(cache, KEY, PAGE)
    assert cache.get(KEY) == PAGE
    cache.close()
    assert rows(tmp_path) == []


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """Whoever can write to the state folder cannot have another file written to."""
    (tmp_path / "state").mkdir()
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "state" / CACHE_NAME).symlink_to(tmp_path / "target")
    cache = opened(tmp_path / "state")
    keep(cache, KEY, PAGE)
    cache.close()
    assert (tmp_path / "target").read_bytes() == b""


@pytest.mark.parametrize("poison", ["text", 1.5, None])
def test_a_row_of_other_types_costs_one_reading_and_a_line(
    poison: object, tmp_path: Path, events: list[dict[str, object]]
) -> None:
    """It is not known, logged once, and dropped; the others are known, and what is read then is kept."""
    cache = opened(tmp_path)
    keep(cache, KEY, PAGE)
    keep(cache, OTHER, PAGE)
    cache.close()
    with sqlite3.connect(tmp_path / CACHE_NAME) as db:
        if poison is None:
            db.execute("UPDATE pages SET at = 'yesterday' WHERE key = ?", (KEY,))
        else:
            db.execute("UPDATE pages SET page = ? WHERE key = ?", (poison, KEY))
    db.close()
    cache = opened(tmp_path)
    assert cache.get(KEY) is None
    assert rows(tmp_path) == [OTHER]
    assert cache.get(KEY) is None
    assert [event["event"] for event in events] == ["cache.failed"]
    assert cache.get(OTHER) == PAGE
    keep(cache, KEY, PAGE)
    cache.close()
    assert opened(tmp_path).get(KEY) == PAGE


def test_what_is_in_a_page_is_not_looked_at(tmp_path: Path) -> None:
    """The daemon's own process inflates nothing, neither rubbish nor a bomb."""
    for data in (b"rubbish", zlib_bomb()):
        cache = opened(tmp_path)
        cache.save(KEY, data)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert cache.get(KEY) == data
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


def test_a_page_that_is_too_long_is_not_fetched(tmp_path: Path, events: list[dict[str, object]]) -> None:
    """A blob longer than any page of ours is dropped as any other poison."""
    cache = opened(tmp_path)
    keep(cache, KEY, PAGE)
    cache.close()
    with sqlite3.connect(tmp_path / CACHE_NAME) as db:
        db.execute("UPDATE pages SET page = zeroblob(?)", (MAX_SIZE + 1,))
    db.close()
    assert opened(tmp_path).get(KEY) is None
    assert rows(tmp_path) == []
    assert [event["event"] for event in events] == ["cache.failed"]


def rows(folder: Path) -> list[bytes]:
    """Return the keys on the disk, in the order in which they came."""
    db = sqlite3.connect(folder / CACHE_NAME)
    try:
        return [key for (key,) in db.execute("SELECT key FROM pages ORDER BY id")]
    finally:
        db.close()
