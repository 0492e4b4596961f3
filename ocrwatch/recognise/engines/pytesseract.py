"""Engine that runs the ``tesseract`` program once for each page."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from PIL import Image
from pytesseract.pytesseract import (
    Output,
    TesseractError,
    TesseractNotFoundError,
    image_to_data,
)

from ocrwatch.document import Block, EngineInfo
from ocrwatch.errors import EngineFailed, EnvironmentFault, UsageError
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.engines import tsv
from ocrwatch.recognise.tessdata import check_languages, require_tesseract

_ANSWER_SECONDS = 10

_RESULT_BYTES = 4_000_000
"""Space for Tesseract's output for a page: 60,000 words with some 60 bytes each."""


class PytesseractEngine:
    """Tesseract's command line, called by pytesseract."""

    name: ClassVar[str] = "pytesseract"
    spawns: ClassVar[bool] = True

    def __init__(self) -> None:
        # Tesseract's own threads spend most of their time waiting for each other, worst of all with one worker per
        # core. pytesseract passes this environment to its child process.
        os.environ["OMP_THREAD_LIMIT"] = "1"
        self._loaded: Recipe | None = None
        self._folder = Path()
        self._info: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo:
        """What will be used; valid only after :meth:`prepare`."""
        if self._info is None:
            raise RuntimeError("prepare() first")
        return self._info

    def prepare(self, recipe: Recipe) -> None:
        """Check that the program, the languages and the variables exist.

        The program itself only warns about unknown variables. Raises UsageError for such a variable and
        EnvironmentFault for a missing installation.
        """
        if recipe == self._loaded:
            return
        require_tesseract()
        self._folder = check_languages(recipe)
        for variable, _ in recipe.variables:
            if variable not in _variables():
                raise UsageError(
                    f"Tesseract has no variable named {variable!r}",
                    "correct ocr.variables; tesseract --print-parameters lists all variables",
                )
        self._loaded = recipe
        self._info = EngineInfo(self.name, _version(), recipe.languages)

    def read(self, pixels: Gray, dpi: int, recipe: Recipe) -> tuple[Block, ...]:
        """Read a page with a prepared recipe. Raises EngineFailed.

        Raises EnvironmentFault if the program has been removed, or if its temporary files cannot be written.
        """
        image = Image.fromarray(pixels)
        image.format = "PPM"  # pytesseract's temporary file; compressing PNG, its default, takes longer than OCR
        try:
            table = image_to_data(
                image,
                lang="+".join(recipe.languages),
                config=shlex.join(self._arguments(dpi, recipe)),
                output_type=Output.STRING,
            )
        except TesseractError as error:
            if _room() < pixels.nbytes + _RESULT_BYTES:
                # It fails in the same way if it cannot write its output.
                raise _no_temporary_files("there is too little space") from error
            reason = error.message or f"status {error.status}"
            raise EngineFailed(f"Tesseract failed on this image ({reason})") from error
        except TesseractNotFoundError as error:
            raise EnvironmentFault(
                "the program tesseract is no longer installed", "run: apt-get install tesseract-ocr"
            ) from error
        except FileNotFoundError as error:
            raise EngineFailed(f"Tesseract wrote no result ({error})") from error
        except (OSError, UnboundLocalError) as error:
            # If not even an empty file can be created, pytesseract fails in its own clean-up (0.3.13).
            raise _no_temporary_files(str(error.__context__ or error)) from error
        return tsv.parse(table)

    def _arguments(self, dpi: int, recipe: Recipe) -> list[str]:
        arguments = ["--tessdata-dir", str(self._folder), "--psm", str(recipe.page_segmentation)]
        if dpi:
            arguments += ["--dpi", str(dpi)]
        settings = {
            "tessedit_char_whitelist": recipe.whitelist,
            "tessedit_char_blacklist": recipe.blacklist,
            **dict(recipe.variables),
        }
        for variable, value in settings.items():
            if value:
                arguments += ["-c", f"{variable}={value}"]
        return arguments


def _room() -> int:
    """Return the free bytes in the folder for temporary files."""
    status = os.statvfs(tempfile.gettempdir())
    return status.f_bavail * status.f_frsize


def _no_temporary_files(reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"Tesseract's temporary files cannot be written ({reason})", f"free some space in {tempfile.gettempdir()}"
    )


@functools.cache
def _variables() -> frozenset[str]:
    """Return the names of the variables of the installed program."""
    return frozenset(line.split("\t", 1)[0] for line in _ask("--print-parameters").splitlines() if "\t" in line)


@functools.cache
def _version() -> str:
    """Return the version, such as ``5.3.0``.

    pytesseract's own function exits the process if it cannot determine it.
    """
    words = _ask("--version").split(maxsplit=2)
    return words[1] if len(words) > 1 else "unknown"


def _ask(question: str) -> str:
    """Return the program's answer to an option.

    Raises EnvironmentFault if the program cannot run.
    """
    program = require_tesseract()
    try:
        return subprocess.run(
            [program, question], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(
            f"the program {program} does not work ({error})", "reinstall it: apt-get install --reinstall tesseract-ocr"
        ) from error
