"""An admin who changes the settings while the daemon runs, now and then to wrong ones."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path

_ADDITIONS = (
    "",
    '[[profiles]]\nmatch = "elsewhere/**"\nname = "elsewhere"\n',
    '[log]\nlevel = "debug"\n',
    '[history]\nmax_age = "90d"\n',
    "[unfinished\n",
)
_MOST_WORKERS = 3
_RESTS = (0.1, 2.0)
"""Seconds between two changes."""


class Admin:
    """Replaces the settings file at ``path`` and tells the daemon, again and again."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.changes = 0
        self._path = path
        self._config = path.read_text()
        self._chance = chance
        self._next = 0.0

    def look_in(self, daemon: subprocess.Popen[bytes], now: float) -> None:
        """Change something if it is time."""
        if now < self._next:
            return
        self._next = now + self._chance.uniform(*_RESTS)
        workers = f"count = {self._chance.randint(1, _MOST_WORKERS)}"
        new = self._path.with_name("new.toml")
        new.write_text(self._config.replace("count = 2", workers) + self._chance.choice(_ADDITIONS))
        new.chmod(0o644)
        new.rename(self._path)
        daemon.send_signal(signal.SIGHUP)
        self.changes += 1
