"""Levels of the cache: asked in turn, filled from each other, and never in the way."""

# ruff: noqa: ARG002 - levels that fail do not need what they are given

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
import structlog

from ocrwatch import plugins
from ocrwatch.cache.base import CacheLevel, Entry, LevelOptions
from ocrwatch.cache.codec import pack
from ocrwatch.cache.memory import MemoryLevel
from ocrwatch.cache.tiers import TieredCache, open_cache
from ocrwatch.checks.startup import known_texts
from ocrwatch.document import EngineInfo, Page
from ocrwatch.errors import UsageError
from ocrwatch.settings import Cache, Settings

KEY = b"k" * 32
PAGE = pack(Page(100, 100, None, 1, (), EngineInfo("tesserocr", "5.5.0", ("eng",))))
OPTIONS = LevelOptions(1000.0, 10_000_000)


@pytest.fixture
def events() -> Iterator[list[dict[str, object]]]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as logs:
        yield logs  # type: ignore[misc]


class Slow:
    """A level that is not in memory, and counts what it is asked."""

    in_memory: ClassVar[bool] = False

    def __init__(self, _state: Path | None = None, _options: LevelOptions | None = None) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.asked = 0
        self.closed = False

    def get(self, key: bytes) -> Entry | None:
        """Look it up."""
        self.asked += 1
        return self.entries.get(key)

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep it."""
        self.entries[key] = entry

    def prune(self) -> None:
        """Forget everything."""
        self.entries.clear()

    def close(self) -> None:
        """Note that."""
        self.closed = True


class Broken(Slow):
    """A level that fails whatever it is asked."""

    def get(self, key: bytes) -> Entry | None:
        """Fail."""
        raise ConnectionError("refused")

    def put(self, key: bytes, entry: Entry) -> None:
        """Fail."""
        raise ConnectionError("refused")

    def prune(self) -> None:
        """Fail."""
        raise ConnectionError("refused")

    def close(self) -> None:
        """Fail."""
        raise ConnectionError("refused")


def tiered(*levels: CacheLevel) -> TieredCache:
    """Make a cache of these levels."""
    return TieredCache({f"{type(level).__name__} {n}": level for n, level in enumerate(levels)}, max_age=1000)


def test_what_waits_is_not_used_by_what_may_not_wait() -> None:
    """``put`` and ``recent`` use memory only, ``save`` the others only."""
    slow = Slow()
    cache = tiered(MemoryLevel(), slow)
    cache.put(KEY, PAGE)
    assert slow.entries == {}
    assert cache.recent(KEY) == cache.get(KEY) == PAGE
    assert slow.asked == 0
    cache = tiered(MemoryLevel(), slow)
    cache.save(KEY, PAGE)
    assert cache.recent(KEY) is None
    assert slow.asked == 0
    assert cache.get(KEY) == PAGE


def test_a_hit_in_a_later_level_fills_the_earlier_ones() -> None:
    """The next time the first level has it, with the time at which it was read."""
    memory, near, far = MemoryLevel(), Slow(), Slow()
    entry = Entry(PAGE, time.time() - 900)
    far.put(KEY, entry)
    cache = tiered(memory, near, far)
    assert cache.get(KEY) == cache.get(KEY) == cache.recent(KEY) == PAGE
    assert (near.asked, far.asked) == (1, 1)
    assert near.entries == {KEY: entry}
    assert memory.get(KEY) == entry


def test_what_is_too_old_is_not_had_from_any_level() -> None:
    """A later level may have a newer one."""
    near, far = Slow(), Slow()
    near.put(KEY, Entry(PAGE, time.time() - 1001))
    cache = tiered(near, far)
    assert cache.get(KEY) is None
    cache.save(KEY, PAGE)
    assert cache.get(KEY) == PAGE


def test_an_error_of_a_level_is_logged_once_and_reaches_no_caller(events: list[dict[str, object]]) -> None:
    """The levels before and behind it go on."""
    slow = Slow()
    cache = tiered(MemoryLevel(), Broken(), slow)
    cache.save(KEY, PAGE)
    assert cache.get(KEY) == PAGE
    cache.prune()
    cache.close()
    assert slow.closed
    assert [event["event"] for event in events] == ["cache.failed"]
    assert events[0]["reason"] == "Broken: refused"


class Many(Slow):
    """A level that answers for many keys at once."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[list[bytes]] = []

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Note what was asked together."""
        self.wanted.append(list(keys))
        return {key: self.entries[key] for key in keys if key in self.entries}


def test_a_level_that_can_is_asked_once_for_all_that_the_others_have_not() -> None:
    """Each key once, and not at all if there is none left; what it has fills the levels before it."""
    memory, near, far = MemoryLevel(), Slow(), Many()
    keys = [bytes([n]) * 32 for n in range(4)]
    memory.put(keys[0], Entry(PAGE, time.time()))
    near.put(keys[1], Entry(PAGE, time.time()))
    far.put(keys[2], Entry(PAGE, time.time()))
    cache = tiered(memory, near, far)
    assert cache.get_many([*keys, keys[2]]) == dict.fromkeys(keys[:3], PAGE)
    assert far.wanted == [[keys[2], keys[3]]]
    assert cache.get_many(keys[:3]) == dict.fromkeys(keys[:3], PAGE)
    assert far.wanted == [[keys[2], keys[3]]]
    assert keys[2] in near.entries
    assert dict(cache.counts.hits) == {"MemoryLevel 0": 4, "Slow 1": 1, "Many 2": 1}
    assert near.asked == 3


def test_a_level_that_answers_nonsense_for_many_keys_is_a_level_that_fails(events: list[dict[str, object]]) -> None:
    """One line says so, and the next level is asked."""

    class Nonsense(Many):
        def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
            return 3  # type: ignore[return-value]

    slow = Slow()
    slow.put(KEY, Entry(PAGE, time.time()))
    assert tiered(Nonsense(), slow).get_many([KEY]) == {KEY: PAGE}
    assert [event["event"] for event in events] == ["cache.failed"]


def test_only_levels_that_are_named_are_used(tmp_path: Path) -> None:
    """Without the disk no file is made; without memory everything comes from the disk."""
    cache = open_cache(tmp_path, ("memory",), OPTIONS)
    cache.put(KEY, PAGE)
    cache.save(KEY, PAGE)
    assert cache.get(KEY) == PAGE
    assert list(tmp_path.iterdir()) == []
    cache = open_cache(tmp_path, ("disk",), OPTIONS)
    cache.put(KEY, PAGE)
    assert cache.get(KEY) is None
    cache.save(KEY, PAGE)
    assert cache.recent(KEY) is None
    assert cache.get(KEY) == PAGE
    cache.close()


def test_an_unknown_level_is_a_usage_error(tmp_path: Path) -> None:
    """The error lists the levels that there are; the settings have the names."""
    with pytest.raises(UsageError, match=r"'redis'.*disk, memory"):
        open_cache(tmp_path, ("memory", "redis"), OPTIONS)
    with pytest.raises(UsageError, match="redis"):
        known_texts(Settings(state=tmp_path, cache=Cache(levels=("redis",))))


@pytest.mark.parametrize("unwanted", [Cache(enabled=False), Cache(levels=("memory",))], ids=["off", "memory"])
def test_texts_that_are_no_longer_wanted_are_deleted(tmp_path: Path, unwanted: Cache) -> None:
    """Those that earlier runs have kept, also in a damaged cache; another program's database stays."""
    for name in ("cache.db", "cache.db.damaged"):
        cache = open_cache(tmp_path, ("disk",), OPTIONS)
        cache.save(b"k" * 32, b"secret text")
        cache.close()
        (tmp_path / "cache.db").rename(tmp_path / name)
    open_cache(tmp_path, ("disk",), OPTIONS).close()
    (tmp_path / "cache.db.damaged").write_bytes(b"secret text")
    known_texts(Settings(state=tmp_path, cache=unwanted)).close()
    assert list(tmp_path.iterdir()) == []
    with contextlib.closing(sqlite3.connect(tmp_path / "cache.db")) as other:
        other.execute("CREATE TABLE theirs (mine TEXT)")
    known_texts(Settings(state=tmp_path, cache=unwanted)).close()
    assert [path.name for path in tmp_path.iterdir()] == ["cache.db"]


def test_an_old_damaged_cache_is_deleted(tmp_path: Path) -> None:
    """It holds texts, too: it is kept as long as they would be."""
    cache = open_cache(tmp_path, ("disk",), OPTIONS)
    (tmp_path / "cache.db.damaged").write_bytes(b"secret text")
    cache.prune()
    assert (tmp_path / "cache.db.damaged").exists()
    long_ago = time.time() - OPTIONS.max_age - 1
    os.utime(tmp_path / "cache.db.damaged", (long_ago, long_ago))
    cache.prune()
    assert not (tmp_path / "cache.db.damaged").exists()
    cache.close()


@pytest.fixture
def _forgetful() -> Iterator[None]:
    """Find no package that a test has installed any more."""
    yield
    plugins.forget()


def bring_along(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with a level into ``folder``."""
    (folder / "brought_cache.py").write_text(code)
    metadata = folder / "brought_cache-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-cache\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[ocrwatch.caches]\nfiles = brought_cache:Files\n")
    monkeypatch.syspath_prepend(folder)
    plugins.forget()


FILES = """
import pickle
class Files:
    in_memory = False
    def __init__(self, state, options):
        self.folder = state / f"files-{options.max_bytes}"
        self.folder.mkdir(exist_ok=True)
    def get(self, key):
        path = self.folder / key.hex()
        return pickle.loads(path.read_bytes()) if path.exists() else None
    def put(self, key, entry):
        (self.folder / key.hex()).write_bytes(pickle.dumps(entry))
    def prune(self): pass
    def close(self): pass
"""


@pytest.mark.usefixtures("_forgetful")
def test_another_packages_level_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A level needs a class and an entry point, and no change here."""
    bring_along(tmp_path, FILES, monkeypatch)
    cache = open_cache(tmp_path, ("memory", "files"), OPTIONS)
    cache.save(KEY, PAGE)
    assert cache.recent(KEY) is None
    assert cache.get(KEY) == cache.recent(KEY) == PAGE
    assert (tmp_path / f"files-{OPTIONS.max_bytes}" / KEY.hex()).exists()


@pytest.mark.usefixtures("_forgetful")
def test_a_level_that_cannot_be_opened_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[dict[str, object]]
) -> None:
    """One line says so, and the others are used."""
    bring_along(tmp_path, "import no_such_module\n", monkeypatch)
    monkeypatch.delitem(sys.modules, "brought_cache", raising=False)
    cache = open_cache(tmp_path, ("memory", "files"), OPTIONS)
    cache.put(KEY, PAGE)
    assert cache.recent(KEY) == PAGE
    assert [event["event"] for event in events] == ["cache.failed"]
    assert "no_such_module" in str(events[0]["reason"])


def test_an_entry_that_is_not_packed_is_an_error_of_its_level(events: list[dict[str, object]]) -> None:
    """It is logged once, and the next level is asked.

    A level of another package may have pickled pages of an older ocrwatch.
    """
    old, good = Slow(), Slow()
    old.entries[KEY] = Entry(Page(1, 1, None, 1, (), EngineInfo("e", "1", ())), time.time())  # type: ignore[arg-type]
    good.put(KEY, Entry(PAGE, time.time()))
    cache = tiered(MemoryLevel(), old, good)
    assert cache.get(KEY) == PAGE
    assert old.entries[KEY].page == PAGE
    assert [event["reason"] for event in events] == ["Slow: an entry with Page instead of bytes"]


def test_a_level_that_tries_to_end_the_process_is_a_level_that_fails(tmp_path: Path) -> None:
    """Its page is read again, and the others are asked."""

    class Leaves(MemoryLevel):
        def get(self, key: bytes) -> Entry | None:
            raise SystemExit(3)

        def put(self, key: bytes, entry: Entry) -> None:
            raise SystemExit(3)

    cache = tiered(Leaves(), MemoryLevel())
    cache.put(b"key", b"page")
    assert cache.get(b"key") == b"page"
