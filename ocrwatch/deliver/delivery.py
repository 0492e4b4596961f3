"""The order in which a scan's result becomes files, and what the ledger must know before each step.

1. The sidecars are written under temporary names and are durable.
2. The ledger knows the plan: from here on a restart carries it out instead of reading the scan again.
3. The sidecars get their final names and are durable there, ``.txt`` last.
4. The ledger knows that.
5. The original is put away.
6. The ledger closes the scan.

Killed anywhere, :meth:`Deliverer.resume` ends where an undisturbed run would have.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from ocrwatch.deliver import dispose, outbox
from ocrwatch.deliver.plan import Fate, Places, Plan, Sidecar, free_quarantine_name, free_stem, mirrored, temporary_name
from ocrwatch.errors import Vanished
from ocrwatch.files import environment_fault, folder_if_there, is_unchanged, split
from ocrwatch.values import FileFacts

REASON_ENDING = "reason.json"


class Journal(Protocol):
    """What delivery needs of the ledger."""

    token: str

    def plan_of(self, scan: int) -> str | None:
        """Return the plan noted for a scan."""

    def planned(self, scan: int, plan: str) -> None:
        """Note a plan."""

    def published(self, scan: int) -> None:
        """Note that the sidecars are durable."""

    def close_scan(
        self, scan: int, state: Literal["done", "quarantined", "gone"], *, code: str | None, reason: str | None
    ) -> None:
        """Note the end."""


@dataclass(frozen=True, slots=True)
class Work:
    """A scan's result, rendered and ready to be delivered."""

    scan: int
    """Its row in the ledger."""
    path: str
    facts: FileFacts
    sha256: str | None
    fate: Fate
    contents: tuple[tuple[str, bytes], ...]
    """Ending and bytes of each file, in the order of publishing."""
    mode: int | None = None
    group: int | None = None
    code: str | None = None
    """Why it is quarantined."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where everything went."""

    scan: int
    path: str
    sidecars: tuple[str, ...]
    """Relative to the outbox, or to the quarantine."""
    original: str | None
    """Relative to the archive or quarantine; None where it stayed, was deleted, or was no longer the file read."""
    fate: Fate


class Deliverer:
    """Delivers one result at a time; all methods block on the disk and raise :class:`EnvironmentFault`."""

    def __init__(self, places: Places, journal: Journal, endings: tuple[str, ...]) -> None:
        self._places = places
        self._journal = journal
        self._endings = endings

    def deliver(self, work: Work) -> Delivered:
        """Deliver ``work``, or go on with it where an earlier call was stopped by the environment.

        Raises :class:`Vanished` where the scan is no longer the file that was read; nothing is published then.
        """
        if noted := self._journal.plan_of(work.scan):
            return self._carry_out(work.scan, Plan.from_json(noted), work.code, work.reason)
        while True:
            with contextlib.suppress(outbox.StagedLost):
                return self._carry_out(work.scan, self._prepare(work), work.code, work.reason, just_staged=True)

    def resume(self, scan: int, plan: str, code: str | None = None, reason: str | None = None) -> Delivered:
        """Carry out a plan that an earlier run has left."""
        return self._carry_out(scan, Plan.from_json(plan), code, reason)

    def discard(self, scan: int, path: str) -> None:
        """Remove what a killed run may have staged for a scan without noting a plan."""
        names = [Sidecar(temporary_name(self._journal.token, scan, ending), "") for ending in self._all_endings()]
        for root in (self._places.outbox, self._places.quarantine):
            with self._explained(root):
                outbox.withdraw(root, split(path)[0], names)

    def _all_endings(self) -> tuple[str, ...]:
        return (*self._endings, REASON_ENDING)

    def _prepare(self, work: Work) -> Plan:
        self._check_unchanged(work)
        root = self._root_of(work.fate)
        with self._explained(root):
            plan = self._plan(work)
            staged = [
                (sidecar.temporary, data) for sidecar, (_, data) in zip(plan.sidecars, work.contents, strict=True)
            ]
            outbox.stage(root, plan.folder, staged, mode=work.mode, group=work.group)
        self._journal.planned(work.scan, plan.to_json())
        return plan

    def _check_unchanged(self, work: Work) -> None:
        parent, name = split(work.path)
        with self._explained(self._places.inbox), folder_if_there(self._places.inbox, parent) as directory:
            if directory is not None and is_unchanged(directory, name, work.facts, work.sha256):
                return
        self._journal.close_scan(work.scan, "gone", code=None, reason="it changed or went while it was read")
        raise Vanished(work.path)

    def _plan(self, work: Work) -> Plan:
        roots = (self._root_of(work.fate), *((self._places.archive,) if work.fate == "archive" else ()))
        subfolder = mirrored(roots, split(work.path)[0])
        stem, original = self._free_names(work.path, subfolder, work.fate)
        sidecars = tuple(
            Sidecar(temporary_name(self._journal.token, work.scan, ending), f"{stem}.{ending}")
            for ending, _ in work.contents
        )
        return Plan(work.path, work.facts, work.sha256, subfolder, stem, work.fate, original, sidecars)

    def _free_names(self, path: str, subfolder: str, fate: Fate) -> tuple[str, str]:
        """Return a stem for the sidecars and a name for the original that belong together and are free."""
        if fate == "quarantine":
            name = free_quarantine_name(self._places, subfolder, split(path)[1])
            return name, name
        stem = free_stem(self._places, subfolder, split(path)[1], self._endings, archived=fate == "archive")
        return stem, stem + os.path.splitext(path)[1]

    def _carry_out(
        self, scan: int, plan: Plan, code: str | None, reason: str | None, *, just_staged: bool = False
    ) -> Delivered:
        while True:
            try:
                self._publish(plan, just_staged=just_staged)
                self._journal.published(scan)
                original = self._put_away(plan)
                break
            except FileExistsError:
                plan = self._replan(scan, plan)
                just_staged = False
        if plan.fate == "quarantine" and original is None:
            with self._explained(self._places.quarantine):
                outbox.retract(self._places.quarantine, plan.folder, plan.sidecars)
            self._journal.close_scan(scan, "gone", code=code, reason=reason)
            raise Vanished(plan.path)
        self._journal.close_scan(scan, "quarantined" if plan.fate == "quarantine" else "done", code=code, reason=reason)
        return self._result(scan, plan, original)

    def _publish(self, plan: Plan, *, just_staged: bool) -> None:
        root = self._root_of(plan.fate)
        with self._explained(root, plan.folder):
            outbox.publish(root, plan.folder, plan.sidecars, just_staged=just_staged)

    def _replan(self, scan: int, plan: Plan) -> Plan:
        """Choose other names, since somebody took one after it was planned."""
        root = self._root_of(plan.fate)
        with self._explained(root):
            stem, original = self._free_names(plan.path, plan.folder, plan.fate)
            sidecars = outbox.renamed(root, plan.folder, plan.sidecars, plan.stem, stem)
        plan = replace(plan, stem=stem, original=original, sidecars=sidecars)
        self._journal.planned(scan, plan.to_json())
        return plan

    def _put_away(self, plan: Plan) -> str | None:
        token, inbox = self._journal.token, self._places.inbox
        if plan.fate == "delete":
            with self._explained(inbox):
                dispose.delete(plan, inbox, token)
        if plan.fate in {"keep", "delete"}:
            return None
        target = self._places.quarantine if plan.fate == "quarantine" else self._places.archive
        with self._explained(target, plan.folder):
            return dispose.move_away(plan, inbox, target, token)

    def _root_of(self, fate: Fate) -> Path:
        return self._places.quarantine if fate == "quarantine" else self._places.outbox

    @staticmethod
    def _result(scan: int, plan: Plan, original: str | None) -> Delivered:
        prefix = f"{plan.folder}/" if plan.folder else ""
        return Delivered(
            scan,
            plan.path,
            tuple(prefix + sidecar.final for sidecar in plan.sidecars),
            None if original is None else prefix + original,
            plan.fate,
        )

    @contextlib.contextmanager
    def _explained(self, root: Path, subfolder: str = "") -> Iterator[None]:
        names = {
            self._places.inbox: "inbox",
            self._places.outbox: "outbox",
            self._places.archive: "archive",
            self._places.quarantine: "quarantine",
        }
        try:
            yield
        except FileExistsError:
            raise
        except OSError as error:
            raise environment_fault(error, f"cannot work in the {names[root]} {root / subfolder}") from error
