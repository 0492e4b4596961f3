"""Prepares the folders, and checks everything that the daemon needs to start."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocrwatch.backoff import Backoff
from ocrwatch.cache.base import LevelOptions
from ocrwatch.cache.key import PageCache
from ocrwatch.cache.redis_options import redis_options
from ocrwatch.cache.sqlite import CACHE_NAME, remove_cache
from ocrwatch.cache.tiers import check_levels, open_cache
from ocrwatch.errors import EnvironmentFault, UsageError, environment_fault, system_reason
from ocrwatch.events import InboxUnlocked, listeners, publish
from ocrwatch.executors.base import Executor, WorkerOptions, texts_of
from ocrwatch.executors.http_ocr.keys import key_of
from ocrwatch.executors.http_ocr.presets.base import open_preset
from ocrwatch.executors.local import LocalExecutor
from ocrwatch.recipe import Recipe
from ocrwatch.recognise.code_library import check_installed as check_codes_installed
from ocrwatch.recognise.engine_choice import is_read_by_ppocr
from ocrwatch.recognise.tessdata import check_languages as check_recipe_languages
from ocrwatch.render.joining.job import JOINABLE, joinable
from ocrwatch.render.registry import choose, table_formats
from ocrwatch.settings import Effective, Output, Settings, Tables, recipe
from ocrwatch.storage import mount_watchdog
from ocrwatch.storage.files import TEMPORARY_PREFIX, remove, sync, write_durable
from ocrwatch.storage.files import folder as folder_below
from ocrwatch.storage.lock import FolderLock, InboxLock
from ocrwatch.storage.mounts import is_missing, nearest_existing

if TYPE_CHECKING:
    from ocrwatch.executors.http_ocr.executor import HttpOcrExecutor

_HTTP_CLIENT: Final = "aiohttp"
INSTALL_REMOTE: Final = "install the extra: pip install 'ocrwatch[remote]' (install.sh: --with-remote)"

_TRIAL = f"{TEMPORARY_PREFIX}check.tmp"

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def folders(settings: Settings) -> dict[str, Path]:
    """Return the folders in use, by their setting's name."""
    names = ["inbox", "outbox", "quarantine", "state"]
    # Originals that are deleted are kept there until the document of which they are pages is durable, and those of
    # files that lack a page for good.
    if settings.on_success in {"archive", "delete"} or settings.intake.duplicates == "archive":
        names.insert(2, "archive")
    return {name: getattr(settings, name) for name in names}


def check_answers(settings: Settings) -> None:
    """Check that every folder answers; raises :class:`EnvironmentFault`."""
    mount_watchdog.check_answers(folders(settings))


def make_folders(settings: Settings) -> None:
    """Make missing folders, and check each; raises :class:`EnvironmentFault`."""
    for name, folder in folders(settings).items():
        doing = "use" if not is_missing(folder) else "make"
        try:
            # The ledger and the status hold names of scans: private data.
            _make_durable(folder, 0o750 if name == "state" else 0o777)
        except OSError as error:
            raise environment_fault(error, f"cannot {doing} the {name} {folder}") from error
        check_usable(settings, name, folder)


def is_only_read(settings: Settings, name: str) -> bool:
    """Return whether nothing is written to a folder: kept scans stay in the inbox."""
    stays = settings.on_success == "keep" and settings.intake.duplicates in {"deliver", "skip"}
    return name == "inbox" and stays


def check_usable(settings: Settings, name: str, folder: Path) -> None:
    """Check the daemon's operations in a folder; raises :class:`EnvironmentFault`."""
    doing = "read" if is_only_read(settings, name) else "write to"
    try:
        if doing == "read":
            with os.scandir(folder) as entries:
                next(entries, None)
        else:
            _try_file(folder)
    except OSError as error:
        fault = environment_fault(error, f"cannot {doing} the {name} {folder}")
        raise read_only_inbox(fault, error) if name == "inbox" and doing != "read" else fault from error


def read_only_inbox(fault: EnvironmentFault, error: OSError) -> EnvironmentFault:
    """Add the alternative remedy to the fault of a read-only inbox."""
    if error.errno not in _READ_ONLY:
        return fault
    what = f"{fault.message}: originals that were read could not be moved out of it"
    keep = 'on_success to "keep", and intake.duplicates to "skip" or "deliver"'
    return EnvironmentFault(what, f"{fault.remedy}; or set {keep}: they stay in it then")


def check_can_be_made(name: str, folder: Path) -> None:
    """Check that a missing folder can be made; raises :class:`EnvironmentFault`."""
    parent = nearest_existing(folder)
    try:
        _try_file(parent)
    except OSError as error:
        raise environment_fault(error, f"cannot make the {name} {folder} below {parent}") from error


def _try_file(place: Path) -> None:
    """Make and remove a file.

    Its name is always the same: the next start removes one that is left by a kill here.
    """
    with folder_below(place) as directory:
        remove(directory, _TRIAL)
        # Another ocrwatch may be testing at the same moment.
        with contextlib.suppress(FileExistsError):
            write_durable(directory, _TRIAL, b"")
        remove(directory, _TRIAL)


def _make_durable(folder: Path, mode: int) -> None:
    """Make a folder and its missing parents, each durable in its parent."""
    if folder.is_dir():
        return
    _make_durable(folder.parent, 0o777)
    folder.mkdir(exist_ok=True, mode=mode)
    with folder_below(folder.parent) as directory:
        sync(directory)


def take_locks(settings: Settings) -> list[FolderLock | InboxLock]:
    """Lock the inbox and the state folder.

    Raises :class:`LockedError` if another ocrwatch has one of them.
    """
    inbox = InboxLock(settings.inbox, "inbox")
    if inbox.refusal is not None:
        publish(InboxUnlocked(inbox=str(settings.inbox), reason=system_reason(inbox.refusal)))
    try:
        return [inbox, FolderLock(settings.state, "state folder")]
    except BaseException:
        inbox.release()
        raise


def recipes(settings: Settings) -> tuple[Recipe, ...]:
    """Return the different recipes of all engines of all profiles, those without a profile last.

    Of several engines, the preferred one is last.
    """
    options: tuple[Settings | Effective, ...] = (*map(settings.with_profile, settings.profiles), settings)
    found = [recipe(each, engine) for each in options for engine in reversed(each.ocr.engine)]
    return tuple(reversed(dict.fromkeys(reversed(found))))


def local_recipes(settings: Settings) -> tuple[Recipe, ...]:
    """Return those of the recipes that this machine's workers read, in the same order; there may be none."""
    return tuple(each for each in recipes(settings) if not each.is_remote)


def known_texts(settings: Settings) -> PageCache:
    """Open the page cache; delete one in the state folder that the settings no longer want.

    Raises :class:`UsageError` if ``cache.levels`` names a level that does not exist, :class:`EnvironmentFault` if the
    texts of an unwanted cache cannot be deleted, and what :func:`redis_options` raises.
    """
    options = settings.cache
    if not options.enabled or "disk" not in options.levels:
        _delete_kept_texts(settings.state)
    if not options.enabled:
        return PageCache(None, recipes(settings))
    levels = LevelOptions(options.max_age, options.max_bytes)
    cache = open_cache(settings.state, options.levels, levels, redis_options(options))
    return PageCache(cache, recipes(settings), executor=texts_of(settings.workers.executor))


def _delete_kept_texts(state: Path) -> None:
    try:
        remove_cache(state)
    except OSError as error:
        raise environment_fault(error, f"cannot delete the texts in {state / CACHE_NAME}") from error


def check_languages(settings: Settings) -> None:
    """Check for the language data of all profiles; raises :class:`EnvironmentFault`."""
    for each in local_recipes(settings):
        check_languages_of(each)


def check_languages_of(recipe: Recipe) -> None:
    """Check for the language data of one recipe; raises :class:`EnvironmentFault`.

    PP-OCR needs none: it has the same networks for all languages. Remote services have their own.
    """
    if not (recipe.is_remote or is_read_by_ppocr(recipe)):
        check_recipe_languages(replace(recipe, languages=recipe.all_languages))


def check_formats(settings: Settings) -> None:
    """Check that the sidecar formats of all profiles can be used.

    Raises :class:`EnvironmentFault` if a package is broken, :class:`UsageError` if two write to the same files, if one
    writes tables that are not looked for, or if documents have none.
    """
    for output in _outputs(settings):
        choose(output.formats)
    _check_tables("output.formats", settings.output, settings.tables)
    for effective in map(settings.with_profile, settings.profiles):
        _check_tables(f"output.formats of the profile {effective.profile_name}", effective.output, effective.tables)
        _check_documents(effective)


def _check_tables(option: str, output: Output, tables: Tables) -> None:
    unfilled = () if tables.enabled else table_formats(output.formats)
    if unfilled:
        write = "writes tables" if len(unfilled) == 1 else "write tables"
        raise UsageError(
            f"{option} has {' and '.join(unfilled)}, which {write}, but tables are not looked for",
            f"set tables.enabled = true, or take {' and '.join(unfilled)} out of output.formats",
        )


def _check_documents(effective: Effective) -> None:
    if effective.group.by and not joinable(effective.output.formats):
        *others, last = JOINABLE
        raise UsageError(
            f"the profile {effective.profile_name} makes documents (group.by = {effective.group.by}), but its "
            "output.formats has no format that can have several pages",
            f"add {', '.join(others)} or {last} to output.formats, or remove its section [profiles.group]",
        )


def check_codes(settings: Settings) -> None:
    """Check that codes can be looked for, if they are wanted; raises :class:`EnvironmentFault`."""
    if any(profile.group.by == "separator" for profile in settings.profiles):
        check_codes_installed("profiles.group.by = separator", "set by to name, folder or time")
    if any(each.codes for each in recipes(settings)):
        check_codes_installed("codes.enabled", "set codes.enabled = false")


def check_remote(settings: Settings) -> None:
    """Check that all remote services can be asked, without asking them.

    Raises :class:`UsageError` for a preset that does not exist or does not take the options, for a missing extra, and
    for a key that is none, and :class:`EnvironmentFault` for a key that cannot be read.
    """
    if settings.remote and find_spec(_HTTP_CLIENT) is None:
        raise UsageError(f"[[remote]] needs the Python package {_HTTP_CLIENT}, which is not installed", INSTALL_REMOTE)
    for remote in settings.remote:
        open_preset(remote.preset).check(remote.service)
        key_of(remote)


def check_cache(settings: Settings) -> None:
    """Check that all levels of the cache are installed, if it is used, and that Redis can be.

    Raises :class:`UsageError`, or :class:`EnvironmentFault` if a package or a file is missing.
    """
    if settings.cache.enabled:
        check_levels(settings.cache.levels)
        redis_options(settings.cache)


def check_listeners(settings: Settings) -> None:
    """Check that all listeners are installed; raises :class:`UsageError`."""
    listeners.find(settings.events.listeners)


def formats(settings: Settings) -> tuple[str, ...]:
    """Return the names of the sidecar formats of all profiles."""
    return tuple(dict.fromkeys(name for output in _outputs(settings) for name in output.formats))


def _outputs(settings: Settings) -> tuple[Output, ...]:
    """Return the output options without a profile, and those of all profiles."""
    return (settings.output, *(settings.with_profile(profile).output for profile in settings.profiles))


def worker_options(settings: Settings, scratch: Path | None = None) -> WorkerOptions:
    """Return the options of the workers.

    Their temporary files are below ``scratch``, or in the system's folder if that is None.
    """
    options = settings.workers
    return WorkerOptions(
        worker_count(settings),
        local_recipes(settings),
        formats(settings),
        options.timeout,
        options.max_memory,
        options.max_scans,
        scratch,
        helpers=worker_count(settings) if settings.remote else 1,
    )


def open_services(settings: Settings, workers: Executor, backoff: Backoff) -> HttpOcrExecutor | None:
    """Return the executor of the remote services, None if there are none.

    Raises :class:`UsageError` if the workers' executor cannot work for services.
    """
    if not settings.remote:
        return None
    if not isinstance(workers, LocalExecutor):
        raise UsageError(
            f"the executor {settings.workers.executor} cannot prepare scans for the services of [[remote]]",
            "set workers.executor to local, or remove [[remote]]",
        )
    from ocrwatch.executors.http_ocr.executor import HttpOcrExecutor  # noqa: PLC0415 - only if there are services

    return HttpOcrExecutor(workers, settings.remote, backoff)


def group_ids(settings: Settings) -> dict[str, int]:
    """Return the ids of all profiles' groups of sidecars; raises :class:`UsageError`."""
    names = {output.group for output in _outputs(settings)}
    return {name: _group_id(name) for name in names if name is not None}


def sidecar_group(settings: Settings) -> int | None:
    """Return the id of the group of sidecars, if set; raises :class:`UsageError`."""
    return None if settings.output.group is None else _group_id(settings.output.group)


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(
            f"output.group names the group {name}, which does not exist", "create it, or name another"
        ) from None


def fresh_folder(settings: Settings, name: str) -> Path:
    """Return an empty folder in the state folder.

    Leftovers of a killed run are removed.
    """
    folder = settings.state / name
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise environment_fault(error, f"cannot make the folder {folder}") from error
    return folder


def worker_count(settings: Settings) -> int:
    """Return the number of workers: as set, or one per core."""
    return settings.workers.count or usable_cores()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
