"""``ocrwatch read``: writes text to standard output, and perhaps a picture; changes no folder of the daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ocrwatch import log
from ocrwatch.checks.startup import check_languages
from ocrwatch.commands.file_reading import (
    check_streams,
    complain,
    complain_of_lacks,
    content_of,
    name_of,
    read_files,
)
from ocrwatch.commands.picture_file import check_target, write_picture
from ocrwatch.commands.preview import preview_of
from ocrwatch.errors import ExitCode, OcrwatchError, UsageError
from ocrwatch.render.base import RenderedPage
from ocrwatch.settings.load import load, parse_overrides

_EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of the files."""

    as_json: bool = False
    as_csv: bool = False
    preview: bool = False
    tables: bool = False
    """Whether tables are looked for, whatever the settings say."""
    picture: Path | None = None
    """File for the picture of the one scan; None for no picture."""
    page: int = 0
    """The only page, from 1, that is read of each file; 0 for all."""

    @property
    def printed(self) -> str:
        """The format that is printed."""
        if self.as_csv:
            return "csv"
        return "json" if self.as_json else "txt"

    @property
    def formats(self) -> tuple[str, ...]:
        """All formats that are rendered."""
        return (self.printed,) if self.picture is None else (self.printed, _EXPLAIN)

    @property
    def overrides(self) -> dict[str, object]:
        """Settings, by key, that follow from it."""
        return {"tables.enabled": True} if self.tables or self.as_csv or self.picture is not None else {}


def read(
    files: Sequence[Path], config: Path | None, overrides: Mapping[str, object], sets: Sequence[str], wanted: Wanted
) -> ExitCode:
    """Print the text of ``files`` in order, or JSON lines, or tables; errors to standard error.

    The file ``-`` is standard input. Of a file with several pages, those that could be read are printed.
    """
    _check(files, wanted)
    settings = load(config, {**parse_overrides(sets), **overrides, **wanted.overrides}, os.environ).settings
    log.configure("error", settings.log.format)
    check_languages(settings)
    worst = ExitCode.FINE
    for path, result in read_files(files, settings, settings, wanted.formats, wanted.page):
        if isinstance(result, OcrwatchError):
            complain(path, str(result))
            worst = max(worst, ExitCode(result.exit_code))
            continue
        if wanted.picture is not None:
            write_picture(wanted.picture, content_of(result, _EXPLAIN))
        _print(path, result, wanted)
        worst = max(worst, complain_of_lacks(path, result))
    return worst


def _check(files: Sequence[Path], wanted: Wanted) -> None:
    """Check the arguments, apart from the files to read; raises :class:`UsageError`."""
    check_streams(files)
    if wanted.as_csv and (wanted.as_json or wanted.preview):
        raise UsageError("--csv cannot be combined with --json or --preview", "give one of them")
    if wanted.picture is not None:
        if len(files) > 1:
            raise UsageError(
                f"--explain makes one picture, and {len(files)} files are given", "run ocrwatch read once for each file"
            )
        check_target(wanted.picture, files[0])


def _print(path: Path, result: RenderedPage, wanted: Wanted) -> None:
    content = content_of(result, wanted.printed)
    if wanted.as_csv:
        if not content:
            complain(path, "no table was found")
        # As programs on a command line expect it: without the byte order mark and the line ends that Excel wants.
        sys.stdout.write(content.decode("utf-8-sig").replace("\r\n", "\n"))
    elif wanted.as_json:
        # On one line.
        print(msgspec.json.format(content, indent=0).decode())  # noqa: T201
    elif wanted.preview:
        print(f"{name_of(path)}: {preview_of(result.summary.preview)}")  # noqa: T201
    else:
        sys.stdout.write(content.decode())
