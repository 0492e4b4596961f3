"""``ocrwatch config check``: checks the settings before a start or a reload."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from ocrwatch.checks import startup
from ocrwatch.checks.new_settings import prove
from ocrwatch.errors import ExitCode
from ocrwatch.executors.base import Uncounted, Unheard, open_executor
from ocrwatch.log import printable
from ocrwatch.settings.load import check_folders, load, parse_overrides


def check(config: Path | None, sets: Sequence[str]) -> ExitCode:
    """Load the settings like ``run``, check them like a reload, and print the result.

    Raises :class:`OcrwatchError` if they are not valid.
    """
    configuration = load(config, parse_overrides(sets), os.environ)
    settings = configuration.settings
    # First, because a call on a hung folder would not return.
    startup.check_answers(settings)
    check_folders(settings)
    prove(settings)
    options = startup.worker_options(settings)
    with contextlib.closing(open_executor(settings.workers.executor, options, Uncounted(), Unheard())) as executor:
        executor.prove(options)
    source = "There is no settings file, and the defaults are valid"
    if configuration.path is not None:
        source = f"The settings in {configuration.path} are valid"
    print(printable(source))  # noqa: T201
    return ExitCode.FINE
