"""Rebuilds a ledger from the folders at a start, above all after the old one was damaged or deleted.

- An original that was claimed in the inbox is given a visible name again and is read once more. Its text may be in the
  outbox already: a second sidecar is better than a lost scan.
- Unfinished files of a ledger that was renamed as damaged are removed: their scans are in the inbox. Those of unknown
  ledgers may be another daemon's, and stay.
- Originals that stay in the inbox and have their sidecars are done.

It is idempotent, so that it may be interrupted at any point.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.delivery.originals import claimed_name
from ocrwatch.errors import EnvironmentFault
from ocrwatch.events import LedgerRebuilt, ScanRestored, publish
from ocrwatch.intake.names import NameRules, plain_ending
from ocrwatch.intake.rescan import rescan
from ocrwatch.ledger import Ledger, facts_key
from ocrwatch.magic import HEAD, ImageKind, image_kind
from ocrwatch.observe.status_txt import is_note
from ocrwatch.observe.systemd import notify
from ocrwatch.render.joining.base import PAGES_OF_JSON
from ocrwatch.render.registry import TEXT, commit_mark, endings
from ocrwatch.settings import Settings
from ocrwatch.storage.file_facts import FileFacts
from ocrwatch.storage.files import (
    NAME_MAX,
    facts_of,
    files_below,
    folder,
    folder_if_there,
    is_same_file,
    open_regular,
    remove,
    sha256_of,
    split,
    status_of,
    sync,
)
from ocrwatch.storage.free_names import mirrored, rename_to_free

_LEFTOVER: Final = re.compile(
    r"\.ocrwatch-(?P<token>[0-9a-f]{8})-(?:document)?(?P<number>\d+)(?:-[0-9a-f]+)?\.(?P<ending>.+)\.tmp", re.DOTALL
)
"""An unfinished file of a scan, or of a document of several pages."""
_SET_ASIDE: Final = "read"
_JSON: Final = "json"
_PAGE_BREAK: Final = b"\f"
"""Between the pages of a document's text; in a scan's text it is so rare that the scan may be read once more."""
_HEAD_OF_JSON: Final = 1 << 20
"""Bytes in which a JSON without its pages ends: with them, that of a file with many pages may be large."""
_NO_LIMIT: Final = 1 << 60
_MORE_TIME: Final = "EXTEND_TIMEOUT_USEC=60000000"

_Known = tuple[str, FileFacts, str | None, str]


def rebuild(settings: Settings, ledger: Ledger) -> None:
    """Rebuild a new ledger from the folders, once. Before anything else is started.

    A folder that refuses is left for the next start.
    """
    tokens = ledger.to_rebuild()
    if tokens is None:
        return
    refused: list[str] = []
    restored = list(_restore(settings, lambda _, token: token != ledger.token, refused))
    removed = 0
    if tokens:
        for root in {settings.outbox, settings.archive, settings.quarantine}:
            removed += _clear(root, tokens - {ledger.token}, refused)
    known: list[_Known] = []
    if settings.on_success == "keep":
        before = set(ledger.kept())
        with _refusals(refused):
            known = [scan for scan in _delivered(settings) if (scan[0], facts_key(scan[1])) not in before]
    ledger.rebuilt(known, wholly=not refused)
    if tokens or restored or known or refused:
        publish(LedgerRebuilt(restored=tuple(restored), removed=removed, known=len(known), refused=tuple(refused)))


def restore_forgotten(settings: Settings, ledger: Ledger) -> None:
    """Give claimed originals of no scan in work a visible name.

    Before anything else is started. Their folder was missing for so long that their delivery gave up, and is back now.
    """
    plans = [Plan.from_json(entry.plan) for entry in ledger.unfinished() if entry.plan is not None]
    in_work = {claimed_name(plan, ledger.token) for plan in plans}
    refused: list[str] = []
    for path in _restore(settings, lambda name, token: token == ledger.token and name not in in_work, refused):
        publish(ScanRestored(path=path))


def _restore(settings: Settings, is_forgotten: Callable[[str, str], bool], refused: list[str]) -> Iterator[str]:
    """Give claimed originals a visible name; only one daemon at a time works on an inbox.

    ``is_forgotten`` is called with the hidden name and the token in it.
    """
    if not _is_there(settings.inbox, refused):
        return
    for subfolder, name, found in _leftovers(settings.inbox, refused):
        if found["ending"] != _SET_ASIDE or not is_forgotten(name, found["token"]):
            continue
        with _refusals(refused), folder(settings.inbox, subfolder) as directory:
            ending = plain_ending(settings.watch.include, _kind(directory, name))
            if (visible := _show(directory, name, f"recovered-{found['number']}", ending)) is not None:
                yield f"{subfolder}/{visible}" if subfolder else visible


def _kind(directory: int, name: str) -> ImageKind:
    """Return the kind of a claimed original, which may have been damaged: a JPEG if it cannot be told."""
    descriptor = open_regular(directory, name)
    try:
        return image_kind(os.pread(descriptor, HEAD, 0)) or ImageKind.JPEG
    finally:
        os.close(descriptor)


def _show(directory: int, name: str, stem: str, ending: str) -> str | None:
    status = status_of(directory, name)
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    if status.st_nlink > 1 and any(
        other != name and is_same_file(directory, name, directory, other) for other in os.listdir(directory)
    ):
        # Killed between link and unlink, on a file system without a rename that never replaces.
        remove(directory, name)
        sync(directory)
        return None
    return rename_to_free(directory, name, directory, stem, ending)


def _clear(root: Path, tokens: frozenset[str], refused: list[str]) -> int:
    removed = 0
    if not _is_there(root, refused):
        return 0
    for subfolder, name, found in _leftovers(root, refused):
        if found["token"] in tokens:
            with _refusals(refused), folder(root, subfolder) as directory:
                removed += remove(directory, name)
                sync(directory)
    return removed


def _is_there(root: Path, refused: list[str]) -> bool:
    with _refusals(refused):
        return root.is_dir()
    return False


def _leftovers(root: Path, refused: list[str]) -> Iterator[tuple[str, str, re.Match[str]]]:
    """Yield subfolder, name and parts of every unfinished file below ``root``, following no link."""
    for subfolder, name in files_below(root, lambda _, error: refused.append(str(error))):
        if found := _LEFTOVER.fullmatch(name):
            yield subfolder, name, found


def _delivered(settings: Settings) -> Iterator[_Known]:
    """Yield the scans in the inbox that have their sidecars in the outbox."""
    rules = NameRules.of(settings.watch.include, settings.watch.exclude)
    found = rescan(settings.inbox, rules, recursive=settings.watch.recursive, limit=_NO_LIMIT)
    sidecars = _Sidecars(settings.outbox)
    for number, path in enumerate(found.paths):
        # All of them are hashed: the service manager must not take that for a hung start.
        notify(f"{_MORE_TIME}\nSTATUS=starting: finding out what was read before, {number} of {len(found.paths)}")
        parent, name = split(path)
        with contextlib.suppress(OSError), folder(settings.inbox, parent) as directory:
            descriptor = open_regular(directory, name)
            try:
                known = sidecars.of(path, descriptor, settings.for_path(path).output.formats)
            finally:
                os.close(descriptor)
            if known is not None:
                yield known


class _Sidecars:
    """Finds the sidecars of each scan: if two scans shared one, the second would lose its text."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox
        self._taken: set[tuple[str, str]] = set()

    def of(self, path: str, descriptor: int, formats: tuple[str, ...]) -> _Known | None:
        """Return the ledger's record for the open scan, None if it has no sidecar.

        The hash in its JSON decides. Without a JSON, the scan has one if there is a text, or the last published of the
        wanted ``formats``, that is newer than the scan.
        """
        parent, name = split(path)
        facts = facts_of(os.fstat(descriptor))
        subfolder = mirrored((self._outbox,), parent)
        sha256: str | None = None
        marks = {TEXT, commit_mark(formats)} - {_JSON}
        with folder_if_there(self._outbox, subfolder) as directory:
            if directory is None:
                return None
            for stem in _stems(directory, os.path.splitext(name)[0]):
                if (subfolder, stem) in self._taken:
                    continue
                source = _source_of(directory, f"{stem}.{_JSON}")
                if source is None:
                    same = any(_is_newer(directory, f"{stem}.{ending}", descriptor) for ending in marks)
                elif source.get("bytes") == facts.size:
                    sha256 = sha256 or sha256_of(descriptor)
                    same = source.get("sha256") == sha256
                else:
                    same = False
                if same:
                    self._taken.add((subfolder, stem))
                    return path, facts, sha256, Plan(path, facts, sha256, subfolder, stem, "keep", name).to_json()
        return None


def _stems(directory: int, stem: str) -> Iterator[str]:
    """Yield the stem and its numbered successors as long as they have sidecars."""
    candidate, number = stem, 1
    while any(_is_there_named(directory, f"{candidate}.{ending}") for ending in endings()):
        yield candidate
        number += 1
        candidate = f"{stem}-{number}"


def _is_there_named(directory: int, name: str) -> bool:
    return len(os.fsencode(name)) <= NAME_MAX and status_of(directory, name) is not None


def _source_of(directory: int, name: str) -> dict[str, Any] | None:
    """Return the source record of a JSON sidecar, None if there is none.

    An unexpected one gives nothing.
    """
    try:
        descriptor = open_regular(directory, name)
    except OSError:
        return None
    try:
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            head, pages, rest = file.read(_HEAD_OF_JSON).partition(PAGES_OF_JSON)
            source = json.loads(head + (b"}" if pages else rest + file.read()))["source"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return source if isinstance(source, dict) else {}


def _is_newer(directory: int, name: str, scan: int) -> bool:
    """Return whether a sidecar is newer than the scan in its place."""
    # A file about ocrwatch itself is no scan's text, nor is that of a document of several pages.
    if not _is_there_named(directory, name) or is_note(directory, name) or _has_pages(directory, name):
        return False
    sidecar, original = status_of(directory, name), os.fstat(scan)
    # A scan that was moved in keeps its modification time; the change time says when it came.
    return sidecar is not None and sidecar.st_mtime_ns > max(original.st_mtime_ns, original.st_ctime_ns)


def _has_pages(directory: int, name: str) -> bool:
    """Return whether a sidecar is a text of several pages."""
    if not name.endswith(f".{TEXT}"):
        return False
    try:
        descriptor = open_regular(directory, name)
    except OSError:
        return False
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        return _PAGE_BREAK in file.read()


@contextlib.contextmanager
def _refusals(refused: list[str]) -> Iterator[None]:
    """Record what a folder refuses, and go on."""
    try:
        yield
    except (OSError, EnvironmentFault) as error:
        refused.append(str(error))
