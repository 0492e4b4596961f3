"""Defines the options that commands share, and the layout of the help.

Typer's own layout cuts the commands' descriptions to a line, and shows Python's types of arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import ArgumentInfo

FOLDERS = ("inbox", "outbox", "archive", "quarantine", "state")
READING = ("languages", "workers")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Settings file; default: $OCRWATCH_CONFIG, ./ocrwatch.toml, /etc/ocrwatch/ocrwatch.toml.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, such as settle.stable_for=2s."),
]
PageOption = Annotated[
    int | None,
    typer.Option(
        "--page",
        metavar="N",
        min=1,
        help="Read only this page, from 1, of each FILE that has several; default: all pages.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_OPTIONS: dict[str, Any] = {
    "inbox": Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder that is watched for scans.")],
    "outbox": Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for the text.")],
    "archive": Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for originals that were read.")],
    "quarantine": Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for scans that cannot be read.")],
    "state": Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for ocrwatch's own data.")],
    "languages": Annotated[
        str | None,
        typer.Option("--languages", "-l", metavar="LANG[,LANG]", help="Languages of the scans, such as eng,fra."),
    ],
    "workers": Annotated[
        str | None, typer.Option("--workers", "-w", metavar="N", help="Number of scans read at the same time.")
    ],
}
_KEYS = {"languages": "ocr.languages", "workers": "workers.count"}
"""Keys of the settings that options set, as far as they have other names."""

_WHOLE = 10_000
"""Characters of a command's description in the list of commands: its first sentence, however long."""


@dataclass(frozen=True, slots=True)
class Given:
    """Values of the options that commands share."""

    config: Path | None
    overrides: dict[str, object]
    """Settings by key, such as ``{"ocr.languages": "eng,fra"}``, of the options that were given."""
    sets: list[str]
    """Arguments of ``--set``."""


class Command(TyperCommand):
    """A command whose help names its arguments as they are typed."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the part of the usage line after the command's name."""
        return ["[OPTIONS]", *(name for name, _ in self._arguments(ctx))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections of arguments and options."""
        records = (each.get_help_record(ctx) for each in self.get_params(ctx) if each.param_type_name == "option")
        for title, rows in (("Arguments", self._arguments(ctx)), ("Options", list(filter(None, records)))):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _arguments(self, ctx: Any) -> list[tuple[str, str]]:
        arguments: list[Any] = [each for each in self.get_params(ctx) if each.param_type_name == "argument"]
        return [(each.metavar, each.help) for each in arguments]


class Group(TyperGroup):
    """A group whose help cuts no description."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_WHOLE)) for name, each in commands if each])


def command(
    app: typer.Typer, *shared: str, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command with ``--config``, ``--set`` and the ``shared`` options.

    The function gets them as ``given``, a :class:`Given`; its other parameters are arguments and options of its own.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(function, eval_str=True).parameters.values() if each.name != "given"]
        arguments = [each for each in own if _is_argument(each)]

        def run(**values: Any) -> None:
            overrides = {_KEYS.get(each, each): values.pop(each) for each in shared}
            given = {key: str(value) for key, value in overrides.items() if value is not None}
            function(given=Given(values.pop("config"), {**given}, values.pop("settings") or []), **values)

        parameters = [
            *arguments,
            _parameter("config", ConfigOption),
            *(_parameter(each, _OPTIONS[each]) for each in shared),
            *(each for each in own if each not in arguments),
            _parameter("settings", SetOption),
        ]
        keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in keywords}
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        app.command(name, cls=Command)(run)
        return function

    return register


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(each, ArgumentInfo) for each in getattr(parameter.annotation, "__metadata__", ()))


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
