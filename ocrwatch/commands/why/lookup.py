"""Finds the scan of a path in any of the folders, or of a mere name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.documents.plan import DocumentPlan
from ocrwatch.intake.rescan import DEEPEST
from ocrwatch.ledger import DocumentEntry, Entry, LedgerReader
from ocrwatch.observe.status import Status
from ocrwatch.quarantine.reason_file import REASON
from ocrwatch.settings import Settings
from ocrwatch.storage.files import display_path, split

_MOST_LOOKED_AT = 200_000
"""Entries of the inbox that are searched for a mere name."""


def scans_meant(settings: Settings, file: Path, ledger: LedgerReader, status: Status | None) -> list[str]:
    """Return the paths in the inbox that ``file`` may mean, the likeliest first."""
    for root, place, relative in places(settings, file):
        found = _at(root, place, relative, ledger, status)
        if found:
            return found
    if split(os.fspath(file))[0]:
        return []
    return _named(settings, file.name, ledger)


def rows_meant(settings: Settings, file: Path, ledger: LedgerReader) -> list[Entry]:
    """Return the ledger's rows that ``file`` may mean.

    These are the rows with a scan, text or original that is or was at exactly this path, else all with a scan of this
    name.
    """
    for root, _, relative in places(settings, file):
        found = ledger.of_path(relative) if root == "inbox" else _delivered_to(ledger, root, relative)
        if found:
            return found
    if split(os.fspath(file))[0]:
        return []
    return [row for path in ledger.paths_named(file.name) for row in ledger.of_path(path)]


def documents_meant(settings: Settings, file: Path, ledger: LedgerReader) -> list[tuple[DocumentEntry, DocumentPlan]]:
    """Return the documents with a file that is or was at this path in the outbox, the newest first.

    The path may lack its ending, and a mere name may be in any folder.
    """
    for root, _, relative in places(settings, file):
        parent, name = split(relative)
        if root == "outbox" and (found := _documents_named(ledger, name, parent)):
            return found
    return [] if split(os.fspath(file))[0] else _documents_named(ledger, file.name)


def _documents_named(
    ledger: LedgerReader, name: str, folder: str | None = None
) -> list[tuple[DocumentEntry, DocumentPlan]]:
    """Return the documents of a name in a folder of the outbox, or in any."""
    rows = reversed(ledger.documents_with(json.dumps(name)))
    found = [(entry, DocumentPlan.from_json(entry.plan)) for entry in rows]
    return [
        (entry, plan)
        for entry, plan in found
        if folder in {None, plan.folder} and name in {plan.stem, *(each.final for each in plan.files)}
    ]


def path_in_inbox(settings: Settings, file: Path) -> str:
    """Return what a file's path in the inbox would be, even if it is missing."""
    relative = _inside(settings.inbox, Path.cwd() / file)
    return os.fspath(file) if relative is None else relative


def _roots(settings: Settings) -> dict[str, Path]:
    return {name: getattr(settings, name) for name in ("inbox", "outbox", "archive", "quarantine")}


def places(settings: Settings, file: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield root name, absolute path and relative path for each root ``file`` is in."""
    roots = _roots(settings)
    for place in (Path.cwd() / file, *(root / file for root in roots.values())):
        for name, root in roots.items():
            if relative := _inside(root, place):
                yield name, place, relative


def _at(root: str, place: Path, relative: str, ledger: LedgerReader, status: Status | None) -> list[str]:
    """Return the scans with a file that is or was at exactly this path."""
    if root != "inbox":
        return list(dict.fromkeys(entry.path for entry in reversed(_delivered_to(ledger, root, relative))))
    if os.path.lexists(place) or ledger.of_path(relative) or display_path(relative) in _told(status):
        return [relative]
    return []


def _delivered_to(ledger: LedgerReader, root: str, relative: str) -> list[Entry]:
    """Return the rows of scans with a result file of this name."""
    parent, name = split(relative)
    # Plans are JSON in ASCII: matches in their text are checked afterwards.
    rows = ledger.of_plan(json.dumps(name))
    if root == "quarantine":
        name = name.removesuffix(REASON)
        rows = rows or ledger.of_plan(json.dumps(name))
    return [row for row in rows if row.plan and _is_of(Plan.from_json(row.plan), root, parent, name)]


def _is_of(plan: Plan, root: str, parent: str, name: str) -> bool:
    if plan.folder != parent or (plan.fate == "quarantine") != (root == "quarantine"):
        return False
    if root == "outbox":
        return any(sidecar.final == name for sidecar in plan.sidecars)
    return plan.original == name and plan.fate in {"archive", "quarantine"}


def _named(settings: Settings, name: str, ledger: LedgerReader) -> list[str]:
    """Return all scans of this name, anywhere, now or earlier."""
    found = [path for path in _below(settings.inbox) if split(path)[1] == name]
    return list(dict.fromkeys((*found, *ledger.paths_named(name))))


def _below(inbox: Path) -> Iterator[str]:
    looked_at = 0
    prefix = f"{inbox}{os.sep}"
    for root, folders, files in os.walk(inbox):
        relative = f"{root}{os.sep}".removeprefix(prefix)
        if relative.count(os.sep) > DEEPEST:
            folders.clear()
        looked_at += len(files) + len(folders)
        if looked_at > _MOST_LOOKED_AT:
            return
        yield from (relative + name for name in (*files, *folders))


def _told(status: Status | None) -> set[str]:
    return set() if status is None else {*status.in_work, *status.queue}


def _inside(root: Path, place: Path) -> str | None:
    # The name itself is not resolved: a link there is not followed.
    there = Path(os.path.normpath(place))
    for base, path in ((root, there), (root.resolve(), there.parent.resolve() / there.name)):
        if path.is_relative_to(base) and path != base:
            return path.relative_to(base).as_posix()
    return None
