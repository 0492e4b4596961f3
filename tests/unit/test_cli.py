"""What the command line says of itself."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner

import ocrwatch
from ocrwatch.cli import _run, app
from ocrwatch.errors import ExitCode

COMMANDS = [
    (), ("run",), ("once",), ("read",), ("status",), ("why",), ("retry",), ("review",), ("doctor",), ("config",),
    ("config", "show"), ("config", "check"), ("config", "example"), ("config", "schema"),
]  # fmt: skip
TYPES = re.compile(r"list\[|<\w|\b(?:TEXT|PATH|INTEGER|FLOAT|BOOLEAN)\b")


def help_of(command: tuple[str, ...], columns: int) -> str:
    """Return the help as it is on a terminal of this width."""
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="ocrwatch", terminal_width=columns)
    assert result.exit_code == 0
    return result.output


def one_line(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_whole(command: tuple[str, ...], columns: int) -> None:
    """No line is longer than the terminal, no sentence is cut, and no type of Python's is shown."""
    shown = help_of(command, columns)
    assert max(map(len, shown.splitlines())) <= columns
    assert not re.search(r"(?<!FILE)(?<!\[ARGS\])\.\.\.", shown)
    assert not TYPES.search(shown)


def test_every_command_is_listed_with_its_first_sentence() -> None:
    """The list of commands says the same as their own help."""
    listed = one_line(help_of((), 60))
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert f"{name} {one_line(command.help).partition('. ')[0].removesuffix('.')}" in listed


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(flag: str) -> None:
    """Both spellings print it."""
    assert CliRunner().invoke(app, [flag]).output == f"ocrwatch {ocrwatch.__version__}\n"


@pytest.mark.usefixtures("restored_logging")
def test_a_bug_is_one_sentence_and_a_log_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output stays clean, and the traceback shows no local variables: they hold people's scans."""

    def fail(*_: object, **__: object) -> None:
        text = "confi" + "dential"
        raise ZeroDivisionError(len(text))

    monkeypatch.setattr("ocrwatch.commands.status.status", fail)
    structlog.reset_defaults()
    assert _run(["status"]) == ExitCode.BUG
    shown = capsys.readouterr()
    assert shown.out == ""
    sentence, event = shown.err.splitlines()
    assert sentence == "ocrwatch: a bug in ocrwatch: ZeroDivisionError: 12; please report it with the log"
    assert json.loads(event)["event"] == "daemon.failed"
    assert "confidential" not in event


@pytest.mark.parametrize(
    ("command", "usage"),
    [("read", "read [OPTIONS] FILE..."), ("retry", "retry [OPTIONS] [FILE...]"), ("why", "why [OPTIONS] FILE")],
)
def test_usage_names_arguments_as_they_are_typed(command: str, usage: str) -> None:
    """Braces and brackets mean what manuals mean by them."""
    assert help_of((command,), 80).splitlines()[0] == f"Usage: ocrwatch {usage}"


@pytest.mark.parametrize("command", [each for each in COMMANDS if each and each[0] != "config"], ids=" ".join)
def test_shared_options_are_the_same_everywhere(command: tuple[str, ...]) -> None:
    """Each command takes a settings file and single settings."""
    shown = one_line(help_of(command, 80))
    default = "default: $OCRWATCH_CONFIG, ./ocrwatch.toml, /etc/ocrwatch/ocrwatch.toml."
    assert f"-c, --config FILE Settings file; {default}" in shown
    assert "--set KEY=VALUE Any other setting, such as settle.stable_for=2s." in shown
