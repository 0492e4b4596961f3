"""Dying at any step: every call that changes the disk or the ledger is counted, and one of them is the last."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import pytest

from ocrwatch.delivery import durability
from ocrwatch.document import Review
from ocrwatch.ledger import Ledger
from ocrwatch.scan import ScanState
from ocrwatch.storage import files

FileSystem = Literal["usual", "no renameat2", "no hard links", "no inodes"]

_CHANGING = ("unlink", "mkdir", "link", "rename", "fsync", "utime", "fchmod", "write")


class Killed(BaseException):
    """Stands for SIGKILL: nothing that the code does about it has any effect."""


class Interruption:
    """Counts steps; at the step with the number ``at``, and at all that would follow, :class:`Killed` is raised."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, file_system: FileSystem = "usual") -> None:
        self.at: int | None = None
        self.steps: list[str] = []
        for name in _CHANGING:
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))
        monkeypatch.setattr(os, "open", self._open(os.open))
        # Waiting for the disk changes nothing here but the tests' duration.
        monkeypatch.setattr(os, "fsync", self._counted("fsync", lambda _: None))
        if file_system == "no hard links":
            monkeypatch.setattr(os, "link", self._no_link)
        if file_system == "no inodes":
            monkeypatch.setattr(files, "is_posix", lambda _: False)
            monkeypatch.setattr(durability, "is_posix", lambda _: False)
        monkeypatch.setattr(files, "_libc", _Libc(self, files._libc, offered=file_system == "usual"))

    def begin(self, at: int | None = None) -> None:
        """Count from zero, and die at ``at``."""
        self.at, self.steps = at, []

    def step(self, name: str) -> None:
        """Count one step, or die before it."""
        if self.at is not None and len(self.steps) >= self.at:
            raise Killed(name)
        self.steps.append(name)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            self.step(f"{name} {arguments[0]!r}")
            return real(*arguments, **keywords)

        return call

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *arguments: Any, **keywords: Any) -> int:
            if flags & os.O_CREAT:
                self.step(f"create {path!r}")
            return real(path, flags, *arguments, **keywords)

        return call

    @staticmethod
    def _no_link(*_arguments: Any, **_keywords: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


class _Libc:
    def __init__(self, interruption: Interruption, real: Any, *, offered: bool) -> None:
        self._interruption = interruption
        self._real = real
        self._offered = offered

    def renameat2(self, source: int, name: bytes, target: int, new_name: bytes, flags: int) -> int:
        """Do it, or say that the file system has it not; a name that is taken, the kernel tells of first."""
        if not self._offered:
            taken = files.status_of(target, os.fsdecode(new_name)) is not None
            ctypes.set_errno(errno.EEXIST if taken else errno.EINVAL)
            return -1
        self._interruption.step(f"renameat2 {name!r} to {new_name!r}")
        done: int = self._real.renameat2(source, name, target, new_name, flags)
        return done


class Journal:
    """The real ledger, each of whose notes is a step; ``once_planned`` is done when the first plan is noted."""

    def __init__(self, ledger: Ledger, interruption: Interruption, once_planned: Callable[[], None]) -> None:
        self.token = ledger.token
        self._ledger = ledger
        self._interruption = interruption
        self._once_planned = once_planned

    def plan_of(self, scan: int) -> str | None:
        """Look up the plan."""
        return self._ledger.plan_of(scan)

    def is_published(self, scan: int) -> bool:
        """Look up whether it is published."""
        return self._ledger.is_published(scan)

    def transaction(self) -> AbstractContextManager[None]:
        """Note together."""
        return self._ledger.transaction()

    def forget_plan(self, scan: int) -> None:
        """Drop the plan."""
        self._interruption.step("forget")
        self._ledger.forget_plan(scan)

    def planned(self, scan: int, plan: str, *, code: str | None, reason: str | None, stack: int | None = None) -> None:
        """Note the plan."""
        self._interruption.step("planned")
        first = self._ledger.plan_of(scan) is None
        self._ledger.planned(scan, plan, code=code, reason=reason, stack=stack)
        if first:
            at, steps = self._interruption.at, self._interruption.steps
            self._interruption.begin()
            self._once_planned()
            self._interruption.at, self._interruption.steps = at, steps

    def published(self, scan: int) -> None:
        """Note the publishing."""
        self._interruption.step("published")
        self._ledger.published(scan)

    def close_scan(
        self,
        scan: int,
        state: ScanState,
        *,
        code: str | None,
        reason: str | None,
        review: Review | None = None,
    ) -> None:
        """Note the end."""
        self._interruption.step(f"close {state}")
        self._ledger.close_scan(scan, state, code=code, reason=reason, review=review)


def content(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, hidden ones too."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def refusing(number: int) -> Callable[..., None]:
    """Return what a disk does that answers with this error."""

    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse
