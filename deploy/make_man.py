"""Writes the manual page from the commands' own help:  python deploy/make_man.py > docs/ocrwatch.1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import command_help

import ocrwatch

_DESCRIPTION = """\
ocrwatch watches a folder, the inbox, for scans, reads them with Tesseract, writes their text to a second folder,
the outbox, and moves the originals to an archive. A scan that cannot be read is moved to a quarantine, with the reason
beside it. No file is ever overwritten, and no scan is lost or delivered twice, even after a crash or power failure."""


def page() -> Iterator[str]:
    """Yield the lines of the manual page, in roff's notation (man(7))."""
    group = command_help.root()
    yield f'.TH OCRWATCH 1 "" "ocrwatch {ocrwatch.__version__}" "User Commands"'
    yield from (".SH NAME", r"ocrwatch \- turns scans in a watched folder into text")
    yield from (".SH SYNOPSIS", r".B ocrwatch", r".RI [ OPTIONS ]", r".I COMMAND", r".RI [ ARGUMENTS ]")
    yield from (".SH DESCRIPTION", _escaped(_DESCRIPTION))
    yield ".SH OPTIONS"
    for parameter in group.params:
        yield from _tagged(_bold(", ".join(parameter.opts)), parameter.help)
    yield from _tagged(_bold("-h, --help"), "Show a command's options and exit.")
    yield ".SH COMMANDS"
    for name, command in command_help.commands(group):
        yield f".SS {_bold(name)} {_escaped(command_help.usage(command))}"
        yield _escaped(command.help)
        for parameter in command_help.own_parameters(command):
            yield from _parameter(parameter)
        if common := command_help.common_options(command):
            yield from (".PP", f"Common options: {', '.join(map(_bold, common))}.")
    yield from (".SH COMMON OPTIONS", "Each command takes the common options that its section lists.")
    for parameter in command_help.common_parameters(group):
        yield from _parameter(parameter)
    for title, rows in (
        ("EXIT STATUS", command_help.EXIT_STATUS),
        ("ENVIRONMENT", command_help.ENVIRONMENT),
        ("FILES", command_help.FILES),
        ("EXAMPLES", command_help.EXAMPLES),
    ):
        yield f".SH {title}"
        for tag, text in rows:
            yield from _tagged(_bold(tag), text)
    yield from (".SH SEE ALSO", r".BR tesseract (1),", r".BR systemctl (1)")


def _parameter(parameter: Any) -> Iterator[str]:
    options, value = command_help.names(parameter)
    parts = [_bold(options)] * bool(options) + [rf"\fI{_escaped(value)}\fR"] * bool(value)
    yield from _tagged(" ".join(parts), parameter.help)


def _tagged(tag: str, text: str) -> tuple[str, ...]:
    return (".TP", tag, _escaped(text))


def _bold(text: str) -> str:
    return rf"\fB{_escaped(text)}\fR"


def _escaped(text: str) -> str:
    """Return text in which roff sees no command, and with hyphens that can be copied to a shell."""
    lines = text.replace("\\", r"\e").replace("-", r"\-").splitlines()
    return "\n".join(rf"\&{line}" if line.startswith((".", "'")) else line for line in lines)


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
