"""Defines the commands, and converts errors to one sentence and an exit code."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer

import ocrwatch
from ocrwatch.cli_options import (
    FOLDERS,
    READING,
    ConfigOption,
    Given,
    Group,
    JsonOption,
    PageOption,
    SetOption,
    command,
)
from ocrwatch.errors import ExitCode, OcrwatchError, memory_short, system_reason

_OUTPUT_REFUSED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of standard output, which has no file name: a full disk behind ``>``, ``/dev/full``."""

# Slow imports are in the command that needs them, so that `ocrwatch --version` is fast.

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Watch a folder for scans and write their text to another folder.",
)
config_app = typer.Typer(cls=Group, no_args_is_help=True, help="Show or check the settings.")
app.add_typer(config_app, name="config")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback signature
    if wanted:
        typer.echo(f"ocrwatch {ocrwatch.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that come before a command."""


@command(app, *FOLDERS, *READING)
def run(given: Given) -> None:
    """Watch the inbox until Ctrl-C or SIGTERM; a second signal stops immediately."""
    from ocrwatch.executors.spawning import early_worker
    from ocrwatch.hangup import hold_hangup

    # A reload signal is kept from here on, and handled as soon as the daemon can.
    hold_hangup()
    with early_worker():
        with _loading():
            from ocrwatch.commands import run

        _leave(run.run(given.config, given.overrides, given.sets))


@command(app, *FOLDERS, *READING)
def once(
    given: Given,
    preview: Annotated[bool, typer.Option("--preview", help="Show each text's first 100 characters.")] = False,
) -> None:
    """Read all scans in the inbox, then exit. Code 1 if a scan could not be read, or stays in the inbox unread."""
    from ocrwatch.executors.spawning import early_worker

    with early_worker():
        with _loading():
            from ocrwatch.commands import once as command_once

        _leave(command_once.once(given.config, given.overrides, given.sets, preview=preview))


@command(app, *READING)
def read(
    given: Given,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="JPEG, PNG, TIFF or PDF files; - for standard input.")
    ],
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print only the tables, as CSV.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show only the first 100 characters.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Look for tables; with --json they are printed.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(
            "--explain",
            metavar="OUT.png",
            help="Draw what was found, words and tables, on a picture of the one FILE. An earlier picture is replaced.",
        ),
    ] = None,
    page: PageOption = None,
) -> None:
    """Print the text of images and PDFs; no folder is changed. Code 1 if a file, or a page of one, was not read."""
    with _loading():
        from ocrwatch.commands import read

    wanted = read.Wanted(as_json, as_csv, preview, tables, explain, page or 0)
    _leave(read.read(files, given.config, given.overrides, given.sets, wanted))


@command(app, *READING)
def fields(
    given: Given,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="JPEG, PNG, TIFF or PDF files; - for standard input.")
    ],
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            "-p",
            metavar="NAME",
            help="A profile with fields, or a type of document: receipt, invoice, cheque, form, id_card; default: the "
            "only profile with fields.",
        ),
    ] = None,
    locale: Annotated[
        str, typer.Option("--locale", metavar="NAME", help="How dates and amounts are written, such as en_GB or de_DE.")
    ] = "",
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a header, and one line of CSV for each file.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="TRUTH.csv",
            help="Compare with the known values in this CSV file: a column file, and one for each field.",
        ),
    ] = None,
    page: PageOption = None,
) -> None:
    """Print the fields of documents, such as date and total. Code 1 if a file was not read, or --check finds errors."""
    with _loading():
        from ocrwatch.commands import fields

    wanted = fields.Wanted(profile, as_json, as_csv, check, locale, page or 0)
    _leave(fields.fields(files, given.config, given.overrides, given.sets, wanted))


@command(app)
def separator(
    given: Given,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            "-p",
            metavar="NAME",
            help="The documents behind the sheet are made with the options of this profile of the settings.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.pdf", help="File for the sheet; default: standard output."),
    ] = None,
) -> None:
    """Write a separator sheet to print: a PDF. Scanned between two documents, it shows where the second begins."""
    from ocrwatch.commands import separator

    _leave(separator.separator(output, profile, given.config, given.sets))


@command(app, "state")
def status(
    given: Given,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Update the output every second until Ctrl-C.")] = False,
) -> None:
    """Show the daemon's current work, its queue and the latest failures. Code 3 if it is not running, or paused."""
    from ocrwatch.commands import status

    _leave(status.status(given.config, given.overrides, given.sets, as_json=as_json, watch=watch))


@command(app, *FOLDERS)
def why(
    given: Given,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A scan, its text, or only a name.")],
    as_json: JsonOption = False,
) -> None:
    """Explain the state of one file. Code 1 if it is unknown."""
    from ocrwatch.commands.why.command import why as explain

    _leave(explain(file, given.config, given.overrides, given.sets, as_json=as_json))


@command(app, "inbox", "quarantine")
def retry(
    given: Given,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="Scans or folders in the quarantine, or just names; default: all."),
    ] = None,
) -> None:
    """Move quarantined scans back to the inbox, to be read again. Code 1 if a scan stays in the quarantine."""
    from ocrwatch.commands import retry

    _leave(retry.retry(files or [], given.config, given.overrides, given.sets))


@command(app, *FOLDERS)
def review(
    given: Given,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="With --done: scans, their texts or originals, or only names."),
    ] = None,
    done: Annotated[bool, typer.Option("--done", help="Mark the named pages and documents as reviewed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List pages and documents that wait for review, or mark some as reviewed. Code 1 if a named one does not wait."""
    from ocrwatch.commands import review

    _leave(review.review(files or [], given.config, given.overrides, given.sets, done=done, as_json=as_json))


@command(app, *FOLDERS, *READING)
def doctor(given: Given, as_json: JsonOption = False) -> None:
    """Check what could stop ocrwatch, with a remedy for each finding. Code 3 if there is a problem."""
    from ocrwatch.commands import doctor

    _leave(doctor.doctor(given.config, given.overrides, given.sets, as_json=as_json))


@config_app.command("show")
def config_show(config: ConfigOption = None, settings: SetOption = None) -> None:
    """Print the effective settings, each with its source."""
    from ocrwatch.settings import load, render

    typer.echo(render.show(load.load(config, load.parse_overrides(settings or []), os.environ)), nl=False)


@config_app.command("check")
def config_check(config: ConfigOption = None, settings: SetOption = None) -> None:
    """Validate the settings. Code 2 or 3 if they are not valid, with the error."""
    from ocrwatch.commands import config_check

    _leave(config_check.check(config, settings or []))


@config_app.command("example")
def config_example() -> None:
    """Print a settings file with every option, its default and what it does."""
    from ocrwatch.settings import render

    typer.echo(render.example(), nl=False)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the settings file, for editors."""
    from ocrwatch.settings import render

    typer.echo(render.schema(), nl=False)


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Import modules without garbage collection, now or later: a fifth faster."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _leave(code: ExitCode) -> NoReturn:
    raise typer.Exit(int(code))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    _open_standard_streams()
    code = _run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            _flush(stream)
    # Not sys.exit: a thread that hangs in a dead network share must not keep a stopped daemon alive.
    os._exit(code)


def _open_standard_streams() -> None:
    """Open those that were closed: the next file that is opened, such as a worker's channel, would be taken for one."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _called(arguments)
        # The rest of the output is in its buffer: without this a full disk would look like success.
        with contextlib.suppress(BrokenPipeError):
            _flush(sys.stdout)
    except OcrwatchError as error:
        _complain(str(error))
        return int(error.exit_code)
    except MemoryError:
        _complain(str(memory_short()))
        return int(ExitCode.ENVIRONMENT)
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one sentence
        return _unexpected(error)
    return code


def _flush(stream: TextIO | None) -> None:
    """Flush a stream; it is None if it was closed before the start."""
    if stream is not None:
        stream.flush()


def _called(arguments: Sequence[str] | None) -> int:
    """Run a command; return its exit code."""
    try:
        app(args=arguments, prog_name="ocrwatch")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ExitCode.FINE)
    return int(ExitCode.FINE)


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_REFUSED:
        _complain(f"cannot write the output ({system_reason(error)}); free some space, or write it elsewhere")
        return int(ExitCode.ENVIRONMENT)
    _complain(f"a bug in ocrwatch: {type(error).__name__}: {error}; please report it with the log")
    _log_bug(error)
    return int(ExitCode.BUG)


def _complain(sentence: str) -> None:
    from ocrwatch.log import printable

    # The exit code tells as much if it cannot be written.
    with contextlib.suppress(OSError):
        print(f"ocrwatch: {printable(sentence)}", file=sys.stderr)  # noqa: T201 - the user, not the log


def _log_bug(error: Exception) -> None:
    import structlog

    from ocrwatch.events import DaemonFailed, publish
    from ocrwatch.log import configure

    if not structlog.is_configured():
        # Its own defaults print to standard output, with the values of local variables.
        configure("error")
    publish(DaemonFailed(exception=error))


if __name__ == "__main__":
    main()
