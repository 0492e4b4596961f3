"""Loads and checks the settings of commands that use the folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ocrwatch.checks import startup
from ocrwatch.checks.machine import service_of
from ocrwatch.commands.service_user import become_user_of
from ocrwatch.executors.base import LOCAL
from ocrwatch.executors.http_ocr.keys import take_variables
from ocrwatch.executors.spawning import discard_early
from ocrwatch.settings import Settings
from ocrwatch.settings.load import Configuration, check_folders, load, parse_overrides


def settings_for_work(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str]) -> Settings:
    """Load and check the settings of a command that uses the folders.

    Raises :class:`UsageError`, and :class:`EnvironmentFault` if a folder does not answer.
    """
    return configuration_for_work(config, overrides, sets).settings


def configuration_for_work(config: Path | None, overrides: Mapping[str, object], sets: Sequence[str]) -> Configuration:
    """Load and check the settings, and return them with their sources.

    Raises like :func:`settings_for_work`.
    """
    given = {**parse_overrides(sets), **overrides}
    configuration = load(config, given, os.environ)
    service = service_of(configuration.path) if os.geteuid() == 0 else None
    if service is not None and service.state_folder == configuration.settings.state:
        # A worker that root started would keep root's rights.
        discard_early()
        # The service could not change files that root made in its state folder.
        become_user_of(service)
        configuration = load(config, given, os.environ)
    # Before anything reads them.
    startup.check_answers(configuration.settings)
    check_folders(configuration.settings)
    if take_variables(configuration.settings.remote) or configuration.settings.workers.executor != LOCAL:
        # It has the keys in its environment, or is not needed.
        discard_early()
    return configuration
