"""Writes sidecars atomically, and never over another file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ocrwatch.delivery.chosen_names import Sidecar
from ocrwatch.delivery.durability import SYNC_NOW, Disk
from ocrwatch.delivery.stored_sidecars import copy_stored
from ocrwatch.render.base import StoredSidecar
from ocrwatch.storage.files import (
    folder,
    folder_if_there,
    is_reservation,
    is_same_file,
    remove,
    rename_noreplace,
    status_of,
    sync,
    write_durable,
)


def stage(
    root: Path,
    subfolder: str,
    contents: Sequence[tuple[str, bytes | StoredSidecar]],
    *,
    mode: int | None = None,
    group: int | None = None,
    disk: Disk = SYNC_NOW,
) -> None:
    """Write ``(temporary name, content)`` below ``root/subfolder``, made if missing, durable as ``disk`` decides.

    Leftovers of an earlier attempt under the same names are replaced. Raises ``OSError``, and for stored sidecars what
    :func:`ocrwatch.delivery.stored_sidecars.copy_stored` raises; nothing is left behind then.
    """
    with folder(root, subfolder, create=True) as directory:
        written: list[str] = []
        try:
            for name, content in contents:
                remove(directory, name)
                if isinstance(content, StoredSidecar):
                    copy_stored(content, directory, name, mode=mode, group=group, sync_file=disk.file)
                else:
                    write_durable(directory, name, content, mode=mode, group=group, sync_file=disk.file)
                written.append(name)
            disk.folder(directory)
        except BaseException:
            for name in written:
                remove(directory, name)
            raise


class StagedLost(Exception):
    """The staged files are gone: another program emptied the outbox."""


def is_staged(root: Path, subfolder: str, *names: str) -> bool:
    """Return whether all these staged files are there."""
    with folder_if_there(root, subfolder) as directory:
        return directory is not None and all(status_of(directory, name) is not None for name in names)


def publish(
    root: Path, subfolder: str, sidecars: Sequence[Sidecar], *, just_staged: bool = False, disk: Disk = SYNC_NOW
) -> None:
    """Give staged sidecars their final names, in order; idempotent.

    A temporary name that is gone means that its sidecar was published before (and perhaps already fetched): under its
    final name, or under a former one if the stem was changed since, and then it moves. Raises ``FileExistsError`` if
    another program took a final name meanwhile, and :class:`StagedLost` with ``just_staged``, when nothing can have
    been published.
    """
    with folder(root, subfolder, create=True) as directory:
        if just_staged and any(status_of(directory, sidecar.temporary) is None for sidecar in sidecars):
            raise StagedLost
        for sidecar in sidecars:
            held = sidecar.temporary
            if status_of(directory, held) is None:
                if sidecar.former is None or status_of(directory, sidecar.former) is None:
                    continue
                held = sidecar.former
            if is_same_file(directory, held, directory, sidecar.final):
                # Killed between link and unlink, on a file system without a rename that never replaces.
                remove(directory, held)
            else:
                rename_noreplace(directory, held, directory, sidecar.final, again=not just_staged)
        disk.folder(directory)


def is_nowhere(root: Path, subfolder: str, sidecars: Sequence[Sidecar]) -> bool:
    """Return whether no sidecar exists, neither staged nor published."""
    with folder_if_there(root, subfolder) as directory:
        return directory is None or not any(
            status_of(directory, name) is not None
            for sidecar in sidecars
            for name in (sidecar.temporary, sidecar.final, sidecar.former)
            if name is not None
        )


def renamed(root: Path, subfolder: str, sidecars: Sequence[Sidecar], old: str, new: str) -> tuple[Sidecar, ...]:
    """Return the sidecars with the stem ``new`` instead of ``old``; published ones will move there."""
    with folder(root, subfolder, create=True) as directory:
        return tuple(
            replace(
                sidecar,
                final=new + sidecar.final.removeprefix(old),
                former=_published_as(directory, sidecar),
            )
            for sidecar in sidecars
        )


def unstage(root: Path, subfolder: str, sidecars: Sequence[Sidecar]) -> bool:
    """Remove staged files and reserved names; return whether the folder could be read."""
    with folder_if_there(root, subfolder) as directory:
        if directory is None:
            return False
        for sidecar in sidecars:
            # The empty name is checked first: without a final name there is none to look for.
            if (
                sidecar.final
                and status_of(directory, sidecar.temporary) is not None
                and is_reservation(directory, sidecar.final)
            ):
                remove(directory, sidecar.final)
            remove(directory, sidecar.temporary)
        sync(directory)
    return True


def unpublish(root: Path, subfolder: str, sidecars: Sequence[Sidecar]) -> None:
    """Remove what was published."""
    with folder_if_there(root, subfolder) as directory:
        if directory is None:
            return
        for sidecar in sidecars:
            remove(directory, sidecar.final)
        sync(directory)


def _published_as(directory: int, sidecar: Sidecar) -> str | None:
    if status_of(directory, sidecar.temporary) is not None:
        return None
    if sidecar.former is not None and status_of(directory, sidecar.former) is not None:
        return sidecar.former
    return sidecar.final
