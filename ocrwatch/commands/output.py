"""Standard output of the commands that print for people."""

from __future__ import annotations

from rich.console import Console


class Output(Console):
    """A console with lines of any length.

    If its reader has gone (``ocrwatch once | head``), the rest is not printed, and the command goes on: its work and
    its exit code do not depend on who reads about it. Rich's own console would end the process.
    """

    def __init__(self) -> None:
        super().__init__(soft_wrap=True, highlight=False)

    def on_broken_pipe(self) -> None:
        """Print nothing from here on."""
        self.quiet = True
