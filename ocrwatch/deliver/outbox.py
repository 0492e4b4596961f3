"""Writes sidecars so that each is seen whole or not at all, and never in another's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocrwatch.deliver.plan import Sidecar
from ocrwatch.files import folder, remove, rename_noreplace, status_of, sync, write_durable


def stage(
    root: Path,
    subfolder: str,
    contents: Sequence[tuple[str, bytes]],
    *,
    mode: int | None = None,
    group: int | None = None,
) -> None:
    """Write ``(temporary name, bytes)`` durably below ``root/subfolder``, which is made if missing.

    Leftovers of an earlier attempt under the same names are replaced. Raises ``OSError``.
    """
    with folder(root, subfolder, create=True) as directory:
        written: list[str] = []
        try:
            for name, data in contents:
                remove(directory, name)
                write_durable(directory, name, data, mode=mode, group=group)
                written.append(name)
            sync(directory)
        except BaseException:
            for name in written:
                remove(directory, name)
            raise


def publish(root: Path, subfolder: str, sidecars: Sequence[Sidecar]) -> None:
    """Give staged sidecars their final names, in order; done twice it does nothing more.

    A temporary name that is gone means that its sidecar was published before (and perhaps already fetched).
    Raises ``FileExistsError`` where somebody took a final name meanwhile, with the rest still staged.
    """
    with folder(root, subfolder, create=True) as directory:
        for sidecar in sidecars:
            if status_of(directory, sidecar.temporary) is None:
                continue
            if _is_same_file(directory, sidecar):
                # Killed between link and unlink, where the file system has no rename without replacing.
                remove(directory, sidecar.temporary)
                continue
            rename_noreplace(directory, sidecar.temporary, directory, sidecar.final)
        sync(directory)


def withdraw(root: Path, subfolder: str, sidecars: Sequence[Sidecar]) -> None:
    """Remove what is still staged."""
    try:
        with folder(root, subfolder) as directory:
            for sidecar in sidecars:
                remove(directory, sidecar.temporary)
    except FileNotFoundError:
        pass


def rename_published(root: Path, subfolder: str, before: Sequence[Sidecar], after: Sequence[Sidecar]) -> None:
    """Move what is published under the names of ``before`` to those of ``after``, since all share one stem."""
    with folder(root, subfolder) as directory:
        for old, new in zip(before, after, strict=True):
            if status_of(directory, old.temporary) is None and status_of(directory, old.final) is not None:
                rename_noreplace(directory, old.final, directory, new.final)


def _is_same_file(directory: int, sidecar: Sidecar) -> bool:
    temporary, final = status_of(directory, sidecar.temporary), status_of(directory, sidecar.final)
    return (
        temporary is not None
        and final is not None
        and (temporary.st_dev, temporary.st_ino) == (final.st_dev, final.st_ino)
    )
