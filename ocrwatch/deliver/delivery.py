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
from ocrwatch.deliver.plan import Fate, Places, Plan, Sidecar, free_quarantine_name, free_stem, temporary_name
from ocrwatch.errors import Vanished
from ocrwatch.files import environment_fault, folder, is_unchanged, split
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
        noted = self._journal.plan_of(work.scan)
        plan = Plan.from_json(noted) if noted else self._prepare(work)
        return self._carry_out(work.scan, plan, work.code, work.reason)

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
        with self._explained(self._places.inbox):
            try:
                with folder(self._places.inbox, parent) as directory:
                    if is_unchanged(directory, name, work.facts, work.sha256):
                        return
            except FileNotFoundError:
                if not self._places.inbox.is_dir():
                    raise
        self._journal.close_scan(work.scan, "gone", code=None, reason="it changed or went while it was read")
        raise Vanished(work.path)

    def _plan(self, work: Work) -> Plan:
        subfolder, name = split(work.path)
        suffix = os.path.splitext(name)[1]
        if work.fate == "quarantine":
            original = free_quarantine_name(self._places, work.path)
            stem = original
        else:
            stem = free_stem(self._places, work.path, self._endings, archived=work.fate == "archive")
            original = stem + suffix
        sidecars = tuple(
            Sidecar(temporary_name(self._journal.token, work.scan, ending), f"{stem}.{ending}")
            for ending, _ in work.contents
        )
        return Plan(work.path, work.facts, work.sha256, subfolder, stem, work.fate, original, sidecars)

    def _carry_out(self, scan: int, plan: Plan, code: str | None, reason: str | None) -> Delivered:
        if plan.fate == "quarantine":
            return self._quarantine(scan, plan, code, reason)
        plan = self._publish(scan, plan)
        self._journal.published(scan)
        original = self._put_away(plan)
        self._journal.close_scan(scan, "done", code=None, reason=None)
        return self._result(scan, plan, original)

    def _publish(self, scan: int, plan: Plan) -> Plan:
        root = self._places.outbox
        while True:
            try:
                with self._explained(root):
                    outbox.publish(root, plan.folder, plan.sidecars)
                return plan
            except FileExistsError:
                plan = self._renamed(scan, plan)

    def _renamed(self, scan: int, plan: Plan) -> Plan:
        """Choose another stem, since somebody took a name after it was planned."""
        suffix = plan.original.removeprefix(plan.stem)
        stem = free_stem(self._places, plan.path, self._endings, archived=plan.fate == "archive")
        sidecars = tuple(replace(s, final=stem + s.final.removeprefix(plan.stem)) for s in plan.sidecars)
        with self._explained(self._places.outbox):
            outbox.rename_published(self._places.outbox, plan.folder, plan.sidecars, sidecars)
        plan = replace(plan, stem=stem, original=stem + suffix, sidecars=sidecars)
        self._journal.planned(scan, plan.to_json())
        return plan

    def _put_away(self, plan: Plan) -> str | None:
        if plan.fate == "archive":
            with self._explained(self._places.archive):
                return dispose.move_away(plan, self._places.inbox, self._places.archive, self._journal.token)
        if plan.fate == "delete":
            with self._explained(self._places.inbox):
                dispose.delete(plan, self._places.inbox, self._journal.token)
        return None

    def _quarantine(self, scan: int, plan: Plan, code: str | None, reason: str | None) -> Delivered:
        root = self._places.quarantine
        with self._explained(root):
            original = dispose.move_away(plan, self._places.inbox, root, self._journal.token)
            if original is None:
                outbox.withdraw(root, plan.folder, plan.sidecars)
                self._journal.close_scan(scan, "gone", code=code, reason=reason)
                raise Vanished(plan.path)
            sidecars = tuple(replace(s, final=f"{original}.{REASON_ENDING}") for s in plan.sidecars)
            outbox.publish(root, plan.folder, sidecars)
        self._journal.close_scan(scan, "quarantined", code=code, reason=reason)
        return self._result(scan, replace(plan, sidecars=sidecars), original)

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
    def _explained(self, root: Path) -> Iterator[None]:
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
            raise environment_fault(error, f"cannot work in the {names[root]} {root}") from error
