"""What has to be true before the loop may start, and what an earlier run has left to finish."""

from __future__ import annotations

import contextlib
import grp
import os
import shutil
from pathlib import Path

from ocrwatch.daemon import silence
from ocrwatch.daemon.known import Known
from ocrwatch.errors import UsageError, environment_fault
from ocrwatch.files import TEMPORARY_PREFIX, remove, sync, write_durable
from ocrwatch.files import folder as folder_below
from ocrwatch.ledger import TextCache
from ocrwatch.mounts import is_missing, nearest_existing
from ocrwatch.recognise.tessdata import check_languages as check_recipe_languages
from ocrwatch.service.lock import FolderLock
from ocrwatch.settings import Settings, recipe
from ocrwatch.values import Recipe

_TRIAL = f"{TEMPORARY_PREFIX}check.tmp"


def folders(settings: Settings) -> dict[str, Path]:
    """Return the folders in use, by their setting's name."""
    names = ["inbox", "outbox", "quarantine", "state"]
    if "archive" in {settings.on_success, settings.intake.duplicates}:
        names.insert(2, "archive")
    return {name: getattr(settings, name) for name in names}


def check_answers(settings: Settings) -> None:
    """Check that no folder keeps waiting who looks at it; raises :class:`EnvironmentFault`."""
    silence.check_answers(folders(settings))


def make_folders(settings: Settings) -> None:
    """Make missing folders and prove that files can be made in each; raises :class:`EnvironmentFault`."""
    for name, folder in folders(settings).items():
        doing = "use" if not is_missing(folder) else "make"
        try:
            # The ledger and the status tell names of scans: nobody else's business.
            _make_durable(folder, 0o750 if name == "state" else 0o777)
        except OSError as error:
            raise environment_fault(error, f"cannot {doing} the {name} {folder}") from error
        check_writable(name, folder)


def check_writable(name: str, folder: Path) -> None:
    """Prove that a file can be made and removed in ``folder``; raises :class:`EnvironmentFault`."""
    try:
        _try_file(folder)
    except OSError as error:
        raise environment_fault(error, f"cannot write to the {name} {folder}") from error


def check_can_be_made(name: str, folder: Path) -> None:
    """Prove that a missing folder can be made, without making it; raises :class:`EnvironmentFault`."""
    parent = nearest_existing(folder)
    try:
        _try_file(parent)
    except OSError as error:
        raise environment_fault(error, f"cannot make the {name} {folder} below {parent}") from error


def _try_file(place: Path) -> None:
    """Make and remove a file, always of the same name: what is left by being killed here, the next start removes."""
    with folder_below(place) as directory:
        remove(directory, _TRIAL)
        # Another ocrwatch may be trying at the same moment.
        with contextlib.suppress(FileExistsError):
            write_durable(directory, _TRIAL, b"")
        remove(directory, _TRIAL)


def _make_durable(folder: Path, mode: int) -> None:
    """Make a folder and what is missing above it, each durable in the one above."""
    if folder.is_dir():
        return
    _make_durable(folder.parent, 0o777)
    folder.mkdir(exist_ok=True, mode=mode)
    with folder_below(folder.parent) as directory:
        sync(directory)


def take_locks(settings: Settings) -> list[FolderLock]:
    """Lock the inbox and the state folder; raises :class:`LockedError` where another ocrwatch has one of them."""
    inbox = FolderLock(settings.inbox, "inbox")
    try:
        return [inbox, FolderLock(settings.state, "state folder")]
    except BaseException:
        inbox.release()
        raise


def recipes(settings: Settings) -> tuple[Recipe, ...]:
    """Return the different recipes of all profiles, and last the one that has none."""
    options = [settings.with_profile(profile) for profile in settings.profiles]
    all_of_them = [recipe(each.ocr, each.enhance) for each in options]
    usual = recipe(settings.ocr, settings.enhance)
    return (*(each for each in dict.fromkeys(all_of_them) if each != usual), usual)


def known_texts(settings: Settings) -> Known:
    """Open what is known of scans that were read before."""
    options = settings.cache
    cache = TextCache(settings.state, max_age=options.max_age, max_bytes=options.max_bytes) if options.on else None
    return Known(cache, recipes(settings))


def check_languages(settings: Settings) -> None:
    """Check that the language data of all profiles is installed; raises :class:`EnvironmentFault`."""
    for each in recipes(settings):
        check_recipe_languages(each)


def group_ids(settings: Settings) -> dict[str, int]:
    """Return the numbers of all groups that sidecars may be given to; raises :class:`UsageError`."""
    names = {settings.output.group} | {settings.with_profile(profile).output.group for profile in settings.profiles}
    return {name: _group_id(name) for name in names if name is not None}


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(
            f"output.group names the group {name}, which does not exist", "create it, or name another"
        ) from None


def fresh_scratch(settings: Settings) -> Path:
    """Return an empty folder for the workers' temporary files; what a killed run has left in it goes."""
    scratch = settings.state / "tmp"
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise environment_fault(error, f"cannot make the folder {scratch}") from error
    return scratch


def worker_count(settings: Settings) -> int:
    """Return how many workers there are to be: as many as set, or one for each core."""
    return settings.workers.count or usable_cores()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
