"""Whether new scans would be noticed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocrwatch.checks import inotify_limits as module
from ocrwatch.checks.finding import Finding
from ocrwatch.checks.inotify_limits import canary, instances_in_use, limits, watching
from ocrwatch.commands.doctor import _listening
from ocrwatch.errors import EnvironmentFault


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return a way to change what the kernel is said to allow."""
    monkeypatch.setattr(module, "_LIMITS", tmp_path)

    def set_limit(name: str, value: int) -> None:
        (tmp_path / name).write_text(f"{value}\n")

    set_limit("max_user_watches", 100_000)
    set_limit("max_user_instances", 100_000)
    return set_limit


@pytest.mark.usefixtures("limit")
def test_how_the_inbox_is_watched_is_told() -> None:
    """Polling needs no watches; with inotify one folder fits into any limit."""
    (found,) = watching("poll", "nfs4", 1)
    assert found == Finding("watch", "fine", "the inbox is on nfs4 and watched by poll")
    (found,) = watching("inotify", "ext4", 1)
    assert found.severity == "fine"


@pytest.mark.usefixtures("limit")
def test_events_on_a_share_are_a_warning() -> None:
    """Forced to inotify where the kernel does not see others' writes, scans would be late."""
    _, found = watching("inotify", "cifs", 1)
    assert (found.subject, found.severity) == ("watch mode", "warning")
    assert "auto or poll" in found.remedy


def test_too_many_folders_to_watch_are_a_warning(limit: Callable[[str, int], None]) -> None:
    """The remedy names a limit that would do."""
    limit("max_user_watches", 4)
    (found,) = limits(5)
    assert (found.subject, found.severity) == ("watch limit", "warning")
    assert "5 folders" in found.message
    assert "max_user_watches=20" in found.remedy


def test_too_few_watchers_are_a_warning(limit: Callable[[str, int], None]) -> None:
    """Those that this user's programs have already count."""
    limit("max_user_instances", 3)
    (found,) = limits(1)
    assert (found.subject, found.severity) == ("watch instances", "warning")
    assert "max_user_instances" in found.remedy


def test_watchers_are_counted(tmp_path: Path) -> None:
    """One that is armed is one more."""
    before = instances_in_use()
    with _listening(tmp_path, "a", lambda: None):
        assert instances_in_use() > before


def test_a_canary_is_noticed(tmp_path: Path) -> None:
    """With the daemon's own way of watching, and nothing is left in the inbox."""
    found = canary(tmp_path, lambda name, came: _listening(tmp_path, name, came))
    assert (found.subject, found.severity) == ("canary", "fine")
    assert not list(tmp_path.iterdir())


def test_a_canary_that_nobody_notices_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is to look instead of to listen."""
    monkeypatch.setattr(module, "CANARY_SECONDS", 0.05)
    found = canary(tmp_path, lambda *_: contextlib.nullcontext())
    assert (found.severity, found.remedy) == ("warning", "set watch.mode to poll")
    assert not list(tmp_path.iterdir())


def test_a_watch_that_the_kernel_refuses_is_a_warning(tmp_path: Path) -> None:
    """The daemon looks through the inbox then; the refusal's remedy is told."""

    @contextlib.contextmanager
    def refused(*_: object) -> Iterator[None]:
        raise EnvironmentFault("cannot watch", "raise the limit")
        yield

    assert canary(tmp_path, refused) == Finding("canary", "warning", "cannot watch", "raise the limit")
