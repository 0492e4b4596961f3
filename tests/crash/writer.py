"""Who drops scans into the inbox and disturbs them afterwards, and keeps account of what was done to each."""

from __future__ import annotations

import contextlib
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.accounts import Account
from tests.crash.fickle import page

_LONGEST_DISTURBANCE = 0.6


@dataclass
class Writer:
    """Drops scans and disturbs them, and keeps account of what it has done."""

    inbox: Path
    chance: random.Random
    rate: float
    accounts: list[Account] = field(default_factory=list)
    _planned: list[tuple[float, str, Account]] = field(default_factory=list)

    def drop(self) -> None:
        """Put another scan into the inbox."""
        number = len(self.accounts)
        data, code = page(number), None
        if self.chance.random() < self.rate:
            code, data = self.chance.choice(_breaks(number, data))
        subfolder = ("", "sub/", "sub/below/")[number % 3]
        account = self._enter(f"{subfolder}scan{number:05}.jpg", data, code)
        self._write(account)
        if self.chance.random() < self.rate:
            how = self.chance.choice(("touch", "overwrite", "replace", "rename"))
            self._planned.append((time.monotonic() + self.chance.uniform(0, _LONGEST_DISTURBANCE), how, account))

    def disturb(self, now: float) -> None:
        """Carry out the disturbances that are due."""
        due = [plan for plan in self._planned if plan[0] <= now]
        self._planned = [plan for plan in self._planned if plan[0] > now]
        for _, how, account in due:
            # The daemon may have taken it away already: then there is nothing to disturb.
            with contextlib.suppress(FileNotFoundError):
                getattr(self, f"_{how}")(account)

    @property
    def busy(self) -> bool:
        """Whether disturbances are still to come."""
        return bool(self._planned)

    def _enter(self, name: str, data: bytes, code: str | None) -> Account:
        account = Account(len(self.accounts), name, data, code)
        self.accounts.append(account)
        return account

    def _write(self, account: Account) -> None:
        path = self.inbox / account.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if account.number % 2:
            path.write_bytes(account.data)
        else:
            unfinished = path.with_name(f".{path.name}.part")
            unfinished.write_bytes(account.data)
            unfinished.rename(path)

    def _touch(self, account: Account) -> None:
        os.utime(self.inbox / account.name)
        account.disturbed = "touched"

    def _overwrite(self, account: Account) -> None:
        with (self.inbox / account.name).open("r+b") as file:
            new = self._enter(account.name, page(len(self.accounts)), None)
            account.disturbed = "overwritten"
            file.truncate(0)
            file.write(new.data)

    def _replace(self, account: Account) -> None:
        path = self.inbox / account.name
        path.stat()
        new = self._enter(account.name, page(len(self.accounts)), None)
        account.disturbed = "replaced"
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_bytes(new.data)
        unfinished.replace(path)

    def _rename(self, account: Account) -> None:
        new = account.name.replace("scan", "renamed")
        (self.inbox / account.name).rename(self.inbox / new)
        account.former, account.name, account.disturbed = account.name, new, "renamed"


def _breaks(number: int, data: bytes) -> list[tuple[str, bytes]]:
    """Return ways to break a page, each with the code that it is to be quarantined for."""
    return [
        # With the number in a comment too: the rest of two pages may be the same.
        ("truncated", data[:2] + _comment(f"page {number}") + data[2 : len(data) * 2 // 3]),
        ("other-format", f"page {number}, as plain text\n".encode()),
        ("unsupported", data.replace(b"\xff\xc0", b"\xff\xc3", 1)),
    ]


def _comment(text: str) -> bytes:
    """Return a JPEG's comment segment."""
    return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text.encode("ascii")
