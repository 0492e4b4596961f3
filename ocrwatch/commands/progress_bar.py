"""Prints log lines above a progress bar."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text


class AboveBar(io.StringIO):
    """A stream that a console prints above its progress bar.

    Raw output would break the bar.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def write(self, text: str) -> int:
        """Print whole lines, with their colours."""
        self._console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True, highlight=False)
        return len(text)

    def isatty(self) -> bool:
        """Return True: it is a terminal."""
        return self._console.is_terminal
