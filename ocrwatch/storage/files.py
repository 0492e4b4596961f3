"""Safe file operations: below a folder descriptor, never through a link, never over another file.

Every path below one of the daemon's folders is walked part by part with ``O_NOFOLLOW``, so that no one who can write to
an inbox or outbox can lead the daemon elsewhere by swapping a folder or a file for a link.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.mounts import is_posix

_RENAME_NOREPLACE = 1  # linux/fs.h
_NOT_OFFERED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_NO_LINKS = _NOT_OFFERED | {errno.EPERM, errno.EMLINK, errno.EIO}
_NOT_POSIX = _NOT_OFFERED | {errno.EPERM, errno.EACCES, errno.EIO}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_CONTINUATIONS = 3
_NOT_THAT_FILE = {errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.ENXIO}
_libc = ctypes.CDLL(None, use_errno=True)

TEMPORARY_PREFIX = ".ocrwatch-"
"""Prefix of the name of every unfinished file, anywhere; hidden, and never taken for a scan in an inbox."""

PROBES = (f"{TEMPORARY_PREFIX}probe.tmp", f"{TEMPORARY_PREFIX}probed.tmp")
"""Names for testing a file system's ways to rename."""

NAME_MAX = 255
"""Longest file name in bytes on all usual Linux file systems (``limits.h``)."""


def facts_of(status: os.stat_result) -> FileFacts:
    """Return the facts that identify the file that ``status`` describes."""
    return FileFacts(status.st_dev, inode_of(status), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def inode_of(status: os.stat_result) -> int:
    """Return the inode number of a file or folder; 0 on a file system that may change it at any time."""
    return status.st_ino if is_posix(status.st_dev) else 0


def split(path: str) -> tuple[str, str]:
    """Split a relative path into its folder (``""`` at the top) and its name."""
    folder, _, name = path.rpartition("/")
    return folder, name


@contextlib.contextmanager
def folder(root: Path, relative: str = "", *, create: bool = False) -> Iterator[int]:
    """Open ``root/relative`` as a directory descriptor, following no link below ``root``.

    With ``create``, missing folders below the root are made and made durable; the root itself must be there. Raises
    ``OSError``: ``ELOOP`` or ``ENOTDIR`` if a part is a link or no folder.
    """
    descriptor = os.open(root, _FOLDER)
    try:
        for part in filter(None, relative.split("/")):
            if part in {".", ".."}:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), relative)
            inner = _open_part(descriptor, part, create=create)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def folder_if_there(root: Path, relative: str) -> Iterator[int | None]:
    """Open ``root/relative`` as :func:`folder` does, or yield None if it is gone or no real folder.

    A missing root is an error all the same: the share may be missing, and then nothing is known.
    """
    with contextlib.ExitStack() as stack:
        try:
            descriptor: int | None = stack.enter_context(folder(root, relative))
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP} or not root.is_dir():
                raise
            descriptor = None
        yield descriptor


def files_below(root: Path, refused: Callable[[str, OSError], None]) -> Iterator[tuple[str, str]]:
    """Yield the folder, relative to ``root``, and name of all below it that is no folder; follow no link.

    ``refused`` is called with the relative path of each folder that cannot be read; a folder below ``root`` that this
    user may not read, such as a disk's lost+found, has no file of ocrwatch and is skipped.
    """
    to_look = [""]
    while to_look:
        relative = to_look.pop()
        names: list[str] = []
        try:
            with folder(root, relative) as directory, os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        to_look.append(f"{relative}/{entry.name}" if relative else entry.name)
                    else:
                        names.append(entry.name)
        except OSError as error:
            if not (relative and isinstance(error, PermissionError)):
                refused(relative, error)
        yield from ((relative, name) for name in names)


def _open_part(parent: int, part: str, *, create: bool) -> int:
    flags = _FOLDER | os.O_NOFOLLOW
    try:
        return os.open(part, flags, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, dir_fd=parent)
    # Also if it exists by now: the process that made it may have been refused this.
    sync(parent)
    return os.open(part, flags, dir_fd=parent)


def open_regular(parent: int, name: str) -> int:
    """Open a regular file below ``parent`` for reading.

    Never blocks on a FIFO or a device and never follows a link; raises ``OSError`` (``ELOOP`` for a link,
    ``EINVAL`` for anything else that is not a regular file).
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=parent)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def status_of(parent: int, name: str) -> os.stat_result | None:
    """Return the status of ``name`` itself (not of a link's target), or None if there is nothing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def create(parent: int, name: str, *, mode: int | None = None, group: int | None = None) -> int:
    """Create an empty file below ``parent``; return its descriptor, for reading and writing.

    ``mode`` and ``group`` override the umask and the folder's group, on file systems that have them. Raises
    ``FileExistsError`` rather than overwrite; on any failure nothing is left behind.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666, dir_fd=parent)
    try:
        if group is not None:
            with if_offered(descriptor):
                os.fchown(descriptor, -1, group)
        if mode is not None:
            with if_offered(descriptor):
                os.fchmod(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        remove(parent, name)
        raise
    return descriptor


def write_durable(
    parent: int,
    name: str,
    data: bytes,
    *,
    mode: int | None = None,
    group: int | None = None,
    sync_file: Callable[[int], None] | None = None,
) -> None:
    """Write a new file below ``parent`` and wait until it is on the disk, or let ``sync_file`` do that.

    Like :func:`create`. On any failure nothing is left behind. The name becomes durable with :func:`sync` of
    ``parent``.
    """
    descriptor = create(parent, name, mode=mode, group=group)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(data)
            file.flush()
            (sync_file or sync_content)(file.fileno())
    except BaseException:
        remove(parent, name)
        raise


def remove(parent: int, name: str) -> bool:
    """Remove a file below ``parent``; return whether it was there."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def if_offered(descriptor: int) -> Iterator[None]:
    """Ignore the errors of operations that a file system lacks: FUSE and FAT refuse in many ways."""
    try:
        yield
    except OSError as error:
        refusals = _NOT_OFFERED if is_posix(os.fstat(descriptor).st_dev) else _NOT_POSIX
        if error.errno not in refusals:
            raise


def sync_content(descriptor: int) -> None:
    """Wait until the bytes of an open file are on the disk, on file systems that support it."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise


def sync(parent: int) -> None:
    """Make the names in a folder durable.

    Some network file systems cannot, and need not: they answer EINVAL.
    """
    with if_offered(parent):
        os.fsync(parent)


def renamed_at_once(source: int, name: str, target: int, new_name: str) -> bool:
    """Rename like :func:`rename_noreplace`, but only in one step; False if that is impossible."""
    if _libc.renameat2(source, os.fsencode(name), target, os.fsencode(new_name), _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number not in _NOT_OFFERED:
        raise OSError(number, os.strerror(number), name, None, new_name)
    return False


def rename_noreplace(source: int, name: str, target: int, new_name: str, *, again: bool = False) -> None:
    """Rename between two open folders.

    Raises ``FileExistsError`` rather than replace anything.
    1. renameat2(2) with RENAME_NOREPLACE, one step.
    2. If the file system lacks that (NFS): a hard link and an unlink. Killed in between, both names are one file.
    3. If it lacks both (rclone, WebDAV, SFTP): the new name is reserved by an empty file, made with O_EXCL, which is
       then renamed over. Killed in between, the empty file stays; with ``again``, which says that an earlier call may
       have been killed, it is recognised. If the file system passes O_EXCL on to its server, as SFTP does, no other
       program can take the name meanwhile. If it keeps new files to itself for a time (rclone, WebDAV), it cannot see
       files that another machine makes in that time.

    Raises ``OSError`` with ``EXDEV`` across file systems.
    """
    try:
        if renamed_at_once(source, name, target, new_name) or _linked(source, name, target, new_name):
            return
        # Else a name would be reserved for nothing.
        os.stat(name, dir_fd=source, follow_symlinks=False)
        # Not readable for others, so that it is not taken for the real file.
        os.close(os.open(new_name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target))
    except FileExistsError:
        if not (again and is_reservation(target, new_name)):
            raise
    try:
        if not _is_empty(target, new_name):
            # Another program replaced it, or wrote into it.
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_name)
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    except OSError:
        with contextlib.suppress(OSError):
            if status_of(source, name) is not None and _is_empty(target, new_name):
                remove(target, new_name)
        raise


def _linked(source: int, name: str, target: int, new_name: str) -> bool:
    """Rename by a hard link and an unlink; False if the file system has none.

    Only on file systems that show that two names are one file (:func:`is_same_file`): after a kill in between the
    second name must be recognised.
    """
    if not is_posix(os.fstat(target).st_dev):
        return False
    try:
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # It may have been made, with only the answer lost.
        if not is_same_file(source, name, target, new_name):
            return False
    os.unlink(name, dir_fd=source)
    return True


def is_reservation(directory: int, name: str) -> bool:
    """Return whether a file may be left by a killed :func:`rename_noreplace`: empty, where such files are made."""
    return _is_empty(directory, name) and needs_reservations(directory)


def needs_reservations(directory: int) -> bool:
    """Test whether :func:`rename_noreplace` can only reserve names in an open folder.

    A rename to a taken name proves nothing: the kernel answers (EEXIST) before it asks the file system.
    """
    old, new = PROBES
    try:
        for name in PROBES:
            remove(directory, name)
        write_durable(directory, old, b"", sync_file=lambda _: None)
        return not (renamed_at_once(directory, old, directory, new) or _linked(directory, old, directory, new))
    finally:
        for name in PROBES:
            with contextlib.suppress(OSError):
                remove(directory, name)


def _is_empty(directory: int, name: str) -> bool:
    status = status_of(directory, name)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_size == 0


def rename_to_own(parent: int, name: str, new_name: str) -> None:
    """Rename within an open folder, in one step, to a free hidden name that only this daemon uses.

    Raises ``FileExistsError`` if the name is taken after all, as far as the file system reports it.
    """
    if not renamed_at_once(parent, name, parent, new_name):
        os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=parent)


def rename_over(parent: int, name: str, new_name: str) -> None:
    """Rename within an open folder, durably, replacing a file of this daemon."""
    os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=parent)
    sync(parent)


def copy_durable(descriptor: int, parent: int, name: str) -> str:
    """Copy an open file and its times to a new one below ``parent``; return the SHA-256 of the copied bytes.

    The bytes are on the disk on return, the name after :func:`sync`. On any failure nothing is left behind.
    """
    digest = hashlib.sha256()
    status = os.fstat(descriptor)
    out = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=parent)
    try:
        with open(descriptor, "rb", closefd=False) as original, open(out, "wb") as copy:  # noqa: PTH123
            while chunk := original.read(1 << 20):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            with if_offered(out):
                os.utime(out, ns=(status.st_atime_ns, status.st_mtime_ns))
            sync_content(out)
    except BaseException:
        remove(parent, name)
        raise
    return digest.hexdigest()


def has_content(parent: int, name: str, size: int, sha256: str) -> bool:
    """Return whether ``name`` is a regular file with exactly these bytes.

    Raises ``OSError`` if unknown.
    """
    status = status_of(parent, name)
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != size:
        return False
    try:
        descriptor = open_regular(parent, name)
    except OSError as error:
        # An unreadable file is not ours.
        if error.errno in _NOT_THAT_FILE or (error.errno == errno.EACCES and status.st_uid != os.geteuid()):
            return False
        raise
    try:
        return sha256_of(descriptor) == sha256
    finally:
        os.close(descriptor)


def is_same_file(one: int, name: str, other: int, other_name: str) -> bool:
    """Return whether two names, each in an open folder, are links to one file.

    False if the file system cannot report that.
    """
    first, second = status_of(one, name), status_of(other, other_name)
    if first is None or second is None or not is_posix(first.st_dev):
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def sha256_of(descriptor: int) -> str:
    """Return the SHA-256 of an open file's whole content, in hexadecimal."""
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_unchanged(parent: int, name: str, facts: FileFacts, sha256: str | None, *, just_renamed: bool = False) -> bool:
    """Return whether ``name`` is still the file that was read.

    A file with other times counts as the same if its bytes are: a NAS's indexer must not make the daemon read a scan
    twice, and a writer that sets the time back must not go unnoticed. Without stable inode numbers, the bytes are
    always compared: the times of such file systems are often whole seconds. ``just_renamed`` allows for the status
    change of the caller's own rename; without a hash, all status changes are allowed.
    """
    status = status_of(parent, name)
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    now = facts_of(status)
    if just_renamed or sha256 is None:
        now = replace(now, ctime_ns=facts.ctime_ns)
    if now == facts and (facts.inode or sha256 is None):
        return True
    if sha256 is None or (now.inode, now.size) != (facts.inode, facts.size):
        return False
    return has_content(parent, name, facts.size, sha256)


def shortened(stem: str, room: int) -> str:
    """Cut ``stem`` to at most ``room`` bytes without splitting a UTF-8 character."""
    raw = os.fsencode(stem)
    if len(raw) <= room:
        return stem
    # A UTF-8 character has at most three bytes behind its first (RFC 3629); one with more is not UTF-8.
    for cut in range(room, max(room - _MOST_CONTINUATIONS, 0) - 1, -1):
        if raw[cut] & 0xC0 != 0x80:  # noqa: PLR2004 - the mark of a continuation byte
            return os.fsdecode(raw[:cut])
    return os.fsdecode(raw[:room])


def display_path(path: str | Path) -> str:
    r"""Return a path for display: bytes that are not UTF-8 are written as ``\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
