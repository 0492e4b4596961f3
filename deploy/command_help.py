"""The commands and their options, as the manual page and docs/reference/cli.md describe them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from ocrwatch.cli import app
from ocrwatch.cli_options import FOLDERS, READING

COMMON = frozenset({"config", *FOLDERS, *READING, "settings"})
"""Names of the parameters that several commands take."""

EXIT_STATUS = (
    ("0", "Success."),
    (
        "1",
        (
            "A scan could not be read (once, read, fields), was left unchanged (retry, review --done), or is unknown "
            "(why); or a value is not the known one (fields --check)."
        ),
    ),
    ("2", "Wrong usage or settings."),
    ("3", "The environment lacks something (Tesseract, a language, a permission); status: not running, or paused."),
    ("4", "Another ocrwatch uses this inbox or state folder."),
    ("5", "A bug in ocrwatch; the log has the traceback."),
)
ENVIRONMENT = (
    ("OCRWATCH_CONFIG", "Path of the settings file."),
    ("OCRWATCH_*", "Sets an option: OCRWATCH_SETTLE__STABLE_FOR=2s sets settle.stable_for."),
    ("TESSDATA_PREFIX", "Folder with Tesseract's language data."),
    ("NO_COLOR", "If it is set and not empty, the output has no colours."),
)
FILES = (
    ("./ocrwatch.toml", "Settings file, if --config and OCRWATCH_CONFIG name no other."),
    ("/etc/ocrwatch/ocrwatch.toml", "Settings file, if there is none in the current folder."),
)
EXAMPLES = (
    ("ocrwatch run --inbox /srv/scans/inbox --outbox /srv/scans/text", "Watch a folder until Ctrl-C."),
    ("ocrwatch once --languages fra,eng", "Read all scans in the inbox, then exit."),
    ("scanimage --format=jpeg | ocrwatch read -", "Print the text of a page that is being scanned."),
    ("ocrwatch fields receipt.jpg --profile receipt", "Print date, total and the other fields of a receipt."),
    ("ocrwatch why scan1.jpg", "Explain the state of a file."),
    ("ocrwatch config example > ocrwatch.toml", "Write a settings file that documents every option."),
)


def root() -> Any:
    """Return the program itself as a click group."""
    return typer.main.get_command(app)


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name, such as ``config show``, and the click command of every command in ``group``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def usage(command: Any) -> str:
    """Return what follows a command's name: ``[OPTIONS] FILE...``."""
    return " ".join(["[OPTIONS]", *(each.metavar for each in command.params if each.param_type_name == "argument")])


def own_parameters(command: Any) -> list[Any]:
    """Return the parameters that only this command takes."""
    return [each for each in command.params if each.name not in COMMON]


def common_options(command: Any) -> list[str]:
    """Return the long names of the options that this command shares with others."""
    return [max(each.opts, key=len) for each in command.params if each.name in COMMON]


def common_parameters(group: Any) -> list[Any]:
    """Return the options that several commands take, each once."""
    by_name = {each.name: each for _, command in commands(group) for each in command.params}
    return [each for name, each in by_name.items() if name in COMMON]


def names(parameter: Any) -> tuple[str, str]:
    """Return how a parameter is written, ``-c, --config``, and the name of its value, empty if it has none."""
    if parameter.param_type_name == "argument":
        return "", parameter.metavar
    return ", ".join(sorted(parameter.opts, key=len)), parameter.metavar or ""
