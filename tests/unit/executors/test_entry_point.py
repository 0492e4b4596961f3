"""Executors are found by name, built in or from another package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrwatch import plugins
from ocrwatch.errors import UsageError
from ocrwatch.executors.base import LOCAL, WorkerOptions, open_executor
from ocrwatch.executors.local import LocalExecutor
from ocrwatch.recipe import Recipe

OPTIONS = WorkerOptions(3, (Recipe(),), ("txt",), 60.0, 0, 500)


class Ledger:
    """Counts nothing, and hears nothing."""

    def count_attempt(self, _scan: int) -> int:
        """Count nothing."""
        return 1

    def refund_attempt(self, _scan: int) -> None:
        """Take nothing back."""

    def record_sent(self, _scan: int) -> None:
        """Record nothing."""

    def record_answered(self, _scan: int) -> None:
        """Record nothing."""

    def heard(self, event: object) -> None:
        """Hear nothing."""


class Remote:
    """An executor of another package, as far as it is made here."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments


class Broken:
    """An executor that cannot be made."""

    def __init__(self, *_arguments: object) -> None:
        raise ConnectionError("no server")


class Leaves:
    """An executor that tries to end the process."""

    def __init__(self, *_arguments: object) -> None:
        raise SystemExit(3)


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a package installed that brings executors, one of them under our name."""
    metadata = tmp_path / "other_executors-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other-executors\nVersion: 1.0\n")
    points = {"remote": "Remote", "broken": "Broken", "leaves": "Leaves", "absent": "Absent", LOCAL: "Remote"}
    lines = "".join(f"{name} = {__name__}:{value}\n" for name, value in points.items())
    (metadata / "entry_points.txt").write_text(f"[ocrwatch.executors]\n{lines}")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.forget()
    yield
    plugins.forget()


def test_the_local_executor_is_built_in_and_cannot_be_replaced() -> None:
    """It starts nothing before it is told to."""
    ledger = Ledger()
    executor = open_executor(LOCAL, OPTIONS, ledger, ledger)
    assert isinstance(executor, LocalExecutor)
    assert (executor.capacity, executor.ready) == (3, 0)
    executor.close()


def test_another_packages_executor_is_made_with_all_that_it_needs() -> None:
    """Its options, what counts attempts, and the listener."""
    ledger, listener = Ledger(), Ledger()
    executor: object = open_executor("remote", OPTIONS, ledger, listener)
    assert isinstance(executor, Remote)
    assert executor.arguments == (OPTIONS, ledger, listener)


def test_an_unknown_executor_is_a_usage_error() -> None:
    """The error lists those that there are."""
    ledger = Ledger()
    with pytest.raises(UsageError, match=r"no executor named 'cloud'; .*: absent, broken, leaves, local, remote"):
        open_executor("cloud", OPTIONS, ledger, ledger)


@pytest.mark.parametrize(
    ("name", "said"),
    [("broken", "ConnectionError: no server"), ("leaves", "SystemExit: 3"), ("absent", "AttributeError")],
)
def test_an_executor_that_cannot_be_made_is_a_usage_error(name: str, said: str) -> None:
    """The error names the executor, its package and the reason."""
    ledger = Ledger()
    with pytest.raises(UsageError) as caught:
        open_executor(name, OPTIONS, ledger, ledger)
    assert caught.value.message.startswith(f"the executor {name} of the package other-executors cannot be used (")
    assert said in caught.value.message
    assert "set workers.executor to local" in caught.value.remedy
