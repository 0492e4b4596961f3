"""Tests whether ocrwatch can work in a folder, with a hidden file."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ocrwatch.checks.finding import Finding, Severity
from ocrwatch.errors import environment_fault
from ocrwatch.storage.files import (
    TEMPORARY_PREFIX,
    needs_reservations,
    remove,
    rename_noreplace,
    status_of,
    write_durable,
)
from ocrwatch.storage.files import folder as folder_below
from ocrwatch.storage.mounts import nearest_existing

LITTLE_SPACE = 200_000_000
"""Free bytes below which a folder gets a warning: a few hundred colour pages."""

NO_SPACE = 5_000_000
"""Free bytes below which it is a problem: one large scan."""

FEW_FILES = 1000
"""Free files below which a folder gets a warning."""

CLOCK_TOLERANCE = 5.0
"""Seconds by which a share's clock may differ."""

_PROBE_BYTES = 8192
_ON_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "ceph", "virtiofs"})


def probe(name: str, folder: Path) -> Iterator[Finding]:
    """Make, rename and remove a file in ``folder``; it is always removed."""
    made, renamed = (f"{TEMPORARY_PREFIX}doctor-{os.getpid()}{part}.tmp" for part in ("", "-renamed"))
    doing = "look into"
    try:
        with folder_below(folder) as directory:
            try:
                doing = "make a file in"
                begun = time.time()
                write_durable(directory, made, b"\0" * _PROBE_BYTES)
                ended = time.time()
                doing = "rename a file in"
                rename_noreplace(directory, made, directory, renamed)
                status = status_of(directory, renamed)
                reserves = needs_reservations(directory)
                doing = "remove a file from"
                remove(directory, renamed)
            finally:
                for left in (made, renamed):
                    with contextlib.suppress(OSError):
                        remove(directory, left)
    except OSError as error:
        fault = environment_fault(error, f"cannot {doing} the {name} {folder}")
        yield Finding(name, "problem", fault.message, fault.remedy)
        return
    yield Finding(name, "fine", f"files can be made, renamed and removed in {folder}")
    if reserves:
        yield Finding(
            f"{name} names",
            "warning",
            f"the {name}'s file system has neither hard links nor renames that never replace a file: ocrwatch reserves "
            "each name with an empty file first",
            "see docs/network-shares.md (FUSE) for what is guaranteed there, or use a local folder",
        )
    if status is not None:
        yield from clock(name, status.st_mtime, begun, ended)


def permissions(name: str, folder: Path, mode: int) -> Iterator[Finding]:
    """Check whether a file in ``folder`` gets the permissions of ``output.mode``.

    :func:`probe` reports a refusal.
    """
    made = f"{TEMPORARY_PREFIX}doctor-{os.getpid()}-mode.tmp"
    with contextlib.suppress(OSError), folder_below(folder) as directory:
        try:
            write_durable(directory, made, b"", mode=mode)
            status = status_of(directory, made)
        finally:
            remove(directory, made)
        if status is not None and stat.S_IMODE(status.st_mode) != mode:
            yield Finding(
                f"{name} permissions",
                "warning",
                f"output.mode is {mode:04o}, and files in {folder} get {stat.S_IMODE(status.st_mode):04o}: "
                "its file system does not keep permissions",
                "set the permissions in its mount options (umask=), and remove output.mode",
            )


def clock(name: str, stamped: float, begun: float, ended: float) -> Iterator[Finding]:
    """Compare a file system's clock with this machine's.

    ``stamped`` is the time of a file that was made between ``begun`` and ``ended``; all are seconds since 1970.
    """
    ahead = max(0.0, stamped - ended) - max(0.0, begun - stamped)
    if abs(ahead) > CLOCK_TOLERANCE:
        yield Finding(
            f"{name} clock",
            "warning",
            f"the clock of the {name}'s file system is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}",
            "synchronise the clocks of this machine and the file server by NTP",
        )


def space(name: str, folder: Path, *, works: bool = False) -> Iterator[Finding]:
    """Check the free space in ``folder`` for an ordinary user, in bytes and files.

    ``works``: a file was just made there. A file system that still counts no free files, such as rclone's,
    does not know.
    """
    subject = f"{name} space"
    try:
        status = os.statvfs(nearest_existing(folder))
    except OSError as error:
        fault = environment_fault(error, f"cannot look at {folder}")
        yield Finding(subject, "problem", fault.message, fault.remedy)
        return
    free = status.f_bavail * status.f_frsize
    message = f"{free / 1e9:,.1f} GB free in {folder}" if free >= NO_SPACE else f"{folder} is full"
    if free < LITTLE_SPACE:
        yield Finding(subject, "problem" if free < NO_SPACE else "warning", message, "free some space")
    else:
        yield Finding(subject, "fine", message)
    # Some file systems (btrfs) have no limit and report 0 of 0.
    if status.f_files and status.f_favail < FEW_FILES and not (works and status.f_favail == 0):
        message = f"only {status.f_favail} more files can be made in {folder}, whatever their size (inodes)"
        severity: Severity = "warning" if status.f_favail else "problem"
        yield Finding(
            f"{name} files", severity, message, "remove files that are no longer needed, such as old originals"
        )


def crossing(inbox: Path, archive: Path) -> Iterator[Finding]:
    """Check whether originals can be moved to the archive.

    A folder that does not work has its own finding.
    """
    try:
        together = nearest_existing(inbox).stat().st_dev == nearest_existing(archive).stat().st_dev
    except OSError:
        return
    if together:
        yield Finding("moving", "fine", "inbox and archive are on one file system: originals are moved at once")
    else:
        yield Finding(
            "moving",
            "warning",
            "inbox and archive are on different file systems: originals are copied, checked and then removed",
            "put the archive beside the inbox if that is too slow",
        )


def ledger_place(kind: str, state: Path) -> Finding:
    """Check whether the state folder is on a file system that is safe for SQLite."""
    if kind.split(".", maxsplit=1)[0] in _ON_NETWORK:
        return Finding(
            "ledger",
            "problem",
            f"the state folder {state} is on {kind}, where SQLite cannot lock",
            "set state to a local folder",
        )
    return Finding("ledger", "fine", f"the state folder is on {kind}")
