"""A program on a terminal of its own, as a person sees it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.daemon_process import PROGRAM, TIMEOUT, clean_environment

_ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """Runs an ocrwatch command on a pseudo terminal, as a context manager; Ctrl-C goes the way that a key's does."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        columns: int = 100,
        program: Sequence[str] = PROGRAM,
        environment: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> None:
        """``stdout`` is a descriptor to write to instead of the terminal; ``program`` is run instead of ocrwatch."""
        self._main, second = pty.openpty()
        fcntl.ioctl(second, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            # A session of its own (setsid is of util-linux), with this as its terminal.
            ["setsid", "--ctty", *program, *arguments],
            cwd=folder,
            env=clean_environment({"TERM": "xterm-256color", **(environment or {})}),
            stdin=second,
            stdout=second if stdout is None else stdout,
            stderr=second,
        )
        os.close(second)
        self._raw = b""
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        os.close(self._main)

    @property
    def raw(self) -> bytes:
        """All that was written, with what moves the cursor."""
        return self._raw

    @property
    def shown(self) -> str:
        """All that was written, as text."""
        return _ESCAPE.sub(b"", self._raw).decode("utf-8", "replace")

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._main, keys)

    def wait(self) -> int:
        """Return the exit code, with all that was written."""
        code = self.process.wait(TIMEOUT)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        # Linux answers EIO when nobody has the other end any more.
        with contextlib.suppress(OSError):
            while data := os.read(self._main, 1 << 16):
                self._raw += data
