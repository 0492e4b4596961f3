"""Writes the manual page from the commands' own help:  python deploy/make_man.py > docs/ocrwatch.1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

import ocrwatch
from ocrwatch.cli import app
from ocrwatch.options import FOLDERS, READING

_COMMON = frozenset({"config", *FOLDERS, *READING, "settings"})

_DESCRIPTION = """\
ocrwatch watches a folder, the inbox, for JPEG scans, reads them with Tesseract, writes their text to a second folder,
the outbox, and moves the originals to an archive. What cannot be read goes to a quarantine, with the reason beside it.
Nothing is ever overwritten, and no scan is lost or read into two files, whatever dies when."""

_EXIT_STATUS = (
    ("0", "Fine."),
    ("1", "Something could not be read (once, read), was left alone (retry, review), or is not known (why)."),
    ("2", "Wrong usage or settings."),
    ("3", "The environment lacks something, such as a language; or no daemon runs, or it is paused (status)."),
    ("4", "Another ocrwatch has this inbox or state folder."),
    ("5", "A bug in ocrwatch."),
)
_ENVIRONMENT = (
    ("OCRWATCH_CONFIG", "Names the settings file."),
    ("OCRWATCH_*", "Sets an option: OCRWATCH_SETTLE__STABLE_FOR=2s sets settle.quiet."),
    ("TESSDATA_PREFIX", "Folder with Tesseract's language data."),
    ("NO_COLOR", "If it is set and not empty, nothing is coloured."),
)
_FILES = (
    ("./ocrwatch.toml", "Settings, if there; folders in it are relative to its own folder."),
    ("/etc/ocrwatch/ocrwatch.toml", "Settings, if there is no other."),
)
_EXAMPLES = (
    ("ocrwatch run --inbox /srv/scans/inbox --outbox /srv/scans/text", "Watch a folder until Ctrl-C."),
    ("ocrwatch once --languages fra,eng", "Read what is in the inbox, and exit."),
    ("scanimage --format=jpeg | ocrwatch read -", "Print the text of a page that is being scanned."),
    ("ocrwatch why scan1.jpg", "Find out what became of a file."),
    ("ocrwatch config example > ocrwatch.toml", "Begin with a settings file that explains itself."),
)


def page() -> Iterator[str]:
    """Yield the lines of the manual page, in roff's notation (man(7))."""
    group: Any = typer.main.get_command(app)
    yield f'.TH OCRWATCH 1 "" "ocrwatch {ocrwatch.__version__}" "User Commands"'
    yield from (".SH NAME", r"ocrwatch \- turns scans in a watched folder into text")
    yield from (".SH SYNOPSIS", r".B ocrwatch", r".RI [ OPTIONS ]", r".I COMMAND", r".RI [ ARGUMENTS ]")
    yield from (".SH DESCRIPTION", _escaped(_DESCRIPTION))
    yield ".SH OPTIONS"
    for parameter in group.params:
        yield from _tagged(_bold(", ".join(parameter.opts)), parameter.help)
    yield from _tagged(_bold("-h, --help"), "Show a command's options and exit.")
    yield ".SH COMMANDS"
    for name, command in _commands(group, ""):
        arguments = [_escaped(each.metavar) for each in command.params if each.param_type_name == "argument"]
        yield f".SS {_bold(name)} " + " ".join(["[OPTIONS]", *arguments])
        yield _escaped(command.help)
        common = [each for each in command.params if each.name in _COMMON]
        for parameter in command.params:
            if parameter not in common:
                yield from _parameter(parameter)
        if common:
            yield from (".PP", f"Common options: {', '.join(_bold(_long(each)) for each in common)}.")
    yield from (".SH COMMON OPTIONS", "A command takes those that are named with it.")
    for parameter in {each.name: each for _, command in _commands(group, "") for each in command.params}.values():
        if parameter.name in _COMMON:
            yield from _parameter(parameter)
    for title, rows in (("EXIT STATUS", _EXIT_STATUS), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f".SH {title}"
        for tag, text in rows:
            yield from _tagged(_bold(tag), text)
    yield ".SH EXAMPLES"
    for typed, text in _EXAMPLES:
        yield from _tagged(_bold(typed), text)
    yield from (".SH SEE ALSO", r".BR tesseract (1),", r".BR systemctl (1)")


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _long(option: Any) -> str:
    return str(max(option.opts, key=len))


def _parameter(parameter: Any) -> Iterator[str]:
    if parameter.param_type_name == "argument":
        yield from _tagged(rf"\fI{_escaped(parameter.metavar)}\fR", parameter.help)
    else:
        names = _bold(", ".join(sorted(parameter.opts, key=len)))
        value = rf" \fI{_escaped(parameter.metavar)}\fR" if parameter.metavar else ""
        yield from _tagged(names + value, parameter.help)


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
