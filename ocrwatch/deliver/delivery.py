"""The order in which a scan's result becomes files, and what the ledger must know before each step.

1. The sidecars are written under temporary names and are durable.
2. The ledger knows the plan: from here on a restart carries it out instead of reading the scan again.
3. The original is set aside in its folder, if it is still what was read: nobody can rename or replace it any more, so
   that it cannot come back as another scan whose text is there already. One that stays in the inbox is left alone.
4. The sidecars get their final names and are durable there, ``.txt`` last.
5. The ledger knows that.
6. The original is put away.
7. The ledger closes the scan.

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
from ocrwatch.errors import HeldUp, Vanished
from ocrwatch.files import environment_fault, folder_if_there, is_unchanged, split
from ocrwatch.mounts import Anchor
from ocrwatch.values import FileFacts

REASON_ENDING = "reason.json"


class Journal(Protocol):
    """What delivery needs of the ledger."""

    token: str

    def plan_of(self, scan: int) -> str | None:
        """Return the plan noted for a scan."""

    def is_published(self, scan: int) -> bool:
        """Tell whether the sidecars are known to have got their final names."""

    def planned(self, scan: int, plan: str, *, code: str | None, reason: str | None) -> None:
        """Note a plan, with the reason if it is for the quarantine."""

    def forget_plan(self, scan: int) -> None:
        """Note that a plan cannot be carried out."""

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
        self._names = {
            places.inbox: "inbox",
            places.outbox: "outbox",
            places.archive: "archive",
            places.quarantine: "quarantine",
        }
        self._anchors = {root: Anchor(root) for root in self._names if root.is_dir()}

    def deliver(self, work: Work) -> Delivered:
        """Deliver ``work``, or go on with it where an earlier call was stopped by the environment.

        Raises :class:`Vanished` where the scan is no longer the file that was read; nothing is published then.
        """
        noted = self._journal.plan_of(work.scan)
        if noted is not None:
            plan = Plan.from_json(noted)
            if not self._is_lost(work.scan, plan):
                return self._carry_out(work.scan, plan, work.code, work.reason)
            self._give_back(plan)
        while True:
            with contextlib.suppress(outbox.StagedLost):
                return self._carry_out(work.scan, self._prepare(work), work.code, work.reason, just_staged=True)

    def resume(self, scan: int, plan: str, code: str | None = None, reason: str | None = None) -> Delivered:
        """Carry out a plan that an earlier run has left.

        Raises :class:`Vanished` where all that it had staged is gone: then the scan is to be read once more.
        """
        noted = Plan.from_json(plan)
        if self._is_lost(scan, noted):
            self._give_back(noted)
            self._journal.forget_plan(scan)
            raise Vanished(noted.path)
        return self._carry_out(scan, noted, code, reason)

    def discard(self, scan: int, path: str) -> None:
        """Remove what a killed run may have staged for a scan without noting a plan."""
        names = [Sidecar(temporary_name(self._journal.token, scan, ending), "") for ending in self._all_endings()]
        for root in (self._places.outbox, self._places.quarantine):
            with self._explained(root):
                outbox.withdraw(root, split(path)[0], names)

    def _is_lost(self, scan: int, plan: Plan) -> bool:
        """Tell whether a text that was not published yet, as far as is known, is nowhere any more.

        Somebody may have fetched it in the moment before it became known; but a second text is better than none.
        """
        root = self._root_of(plan.fate)
        with self._explained(root, plan.folder):
            return not self._journal.is_published(scan) and outbox.is_nowhere(root, plan.folder, plan.sidecars)

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
        self._journal.planned(work.scan, plan.to_json(), code=work.code, reason=work.reason)
        return plan

    def _check_unchanged(self, work: Work) -> None:
        parent, name = split(work.path)
        with self._explained(self._places.inbox), folder_if_there(self._places.inbox, parent) as directory:
            if directory is not None and is_unchanged(directory, name, work.facts, work.sha256):
                return
        # An earlier try may have staged something and have been refused the clearing away.
        self.discard(work.scan, work.path)
        self._close_as_gone(work.scan)
        raise Vanished(work.path)

    def _close_as_gone(self, scan: int) -> None:
        self._journal.close_scan(scan, "gone", code=None, reason="it changed or went while it was read")

    def _plan(self, work: Work) -> Plan:
        roots = (self._root_of(work.fate), *((self._places.archive,) if work.fate == "archive" else ()))
        subfolder = mirrored(roots, split(work.path)[0])
        stem, original = self._free_names(work.path, subfolder, work.fate)
        sidecars = tuple(
            Sidecar(temporary_name(self._journal.token, work.scan, ending), f"{stem}.{ending}")
            for ending, _ in work.contents
        )
        return Plan(
            work.path,
            work.facts,
            work.sha256,
            subfolder,
            stem,
            work.fate,
            original,
            sidecars,
            self._inbox_identity(),
        )

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
            taken = self._take(scan, plan)
            try:
                self._publish(plan, just_staged=just_staged)
                self._journal.published(scan)
                original = self._put_away(plan, taken=taken)
                break
            except outbox.StagedLost:
                self._give_back(plan)
                raise
            except FileExistsError:
                plan = self._replan(scan, plan, code, reason)
                just_staged = False
        if plan.fate == "quarantine" and original is None:
            with self._explained(self._places.quarantine):
                outbox.retract(self._places.quarantine, plan.folder, plan.sidecars)
            self._journal.close_scan(scan, "gone", code=code, reason=reason)
            raise Vanished(plan.path)
        end: Literal["quarantined", "done"] = "quarantined" if plan.fate == "quarantine" else "done"
        self._journal.close_scan(scan, end, code=code, reason=reason)
        return self._result(scan, plan, original)

    def _take(self, scan: int, plan: Plan) -> bool:
        """Set the original aside; say whether it is now.

        Raises :class:`Vanished` where it is not what was read any more and nothing was published yet.
        """
        if plan.fate == "keep" or not self._is_movable(plan):
            return False
        with self._explained(self._places.inbox):
            if dispose.set_aside(plan, self._places.inbox, self._journal.token):
                return True
        if self._journal.is_published(scan):
            return False
        self._check_same_inbox(plan)
        root = self._root_of(plan.fate)
        with self._explained(root, plan.folder):
            outbox.withdraw(root, plan.folder, plan.sidecars)
        self._close_as_gone(scan)
        raise Vanished(plan.path)

    def _give_back(self, plan: Plan) -> None:
        with self._explained(self._places.inbox):
            dispose.give_back(plan, self._places.inbox, self._journal.token)

    def _check_same_inbox(self, plan: Plan) -> None:
        """Raise :class:`HeldUp` where an original may be missing only because its inbox is away."""
        if self._inbox_identity() != plan.inbox:
            raise HeldUp(
                f"the inbox {self._places.inbox} is another than when it was read, and it is not there",
                "bring the inbox back; it is put away then",
            )

    def _inbox_identity(self) -> tuple[int, int]:
        with self._explained(self._places.inbox):
            status = self._places.inbox.stat()
        return status.st_dev, status.st_ino

    def _publish(self, plan: Plan, *, just_staged: bool) -> None:
        root = self._root_of(plan.fate)
        with self._explained(root, plan.folder):
            outbox.publish(root, plan.folder, plan.sidecars, just_staged=just_staged)

    def _replan(self, scan: int, plan: Plan, code: str | None, reason: str | None) -> Plan:
        """Choose other names, since somebody took one after it was planned."""
        root = self._root_of(plan.fate)
        with self._explained(root):
            stem, original = self._free_names(plan.path, plan.folder, plan.fate)
            sidecars = outbox.renamed(root, plan.folder, plan.sidecars, plan.stem, stem)
        plan = replace(plan, stem=stem, original=original, sidecars=sidecars)
        self._journal.planned(scan, plan.to_json(), code=code, reason=reason)
        return plan

    def _put_away(self, plan: Plan, *, taken: bool) -> str | None:
        token, inbox = self._journal.token, self._places.inbox
        if not taken and not self._is_movable(plan):
            raise HeldUp(
                f"it cannot be moved out of {inbox / split(plan.path)[0]} (permission denied)",
                "let the user that ocrwatch runs as write to that folder; it is tried again by itself",
            )
        if plan.fate == "delete":
            with self._explained(inbox):
                gone = not dispose.delete(plan, inbox, token, taken=taken)
            if gone:
                self._check_same_inbox(plan)
        if plan.fate in {"keep", "delete"}:
            return None
        target = self._places.quarantine if plan.fate == "quarantine" else self._places.archive
        with self._explained(target, plan.folder):
            original = dispose.move_away(plan, inbox, target, token, taken=taken)
        if original is None:
            self._check_same_inbox(plan)
        return original

    def _is_movable(self, plan: Plan) -> bool:
        """Tell whether a scan's own folder lets it go."""
        parent = self._places.inbox / split(plan.path)[0]
        if plan.fate == "keep" or parent == self._places.inbox:
            return True
        with self._explained(self._places.inbox):
            return not parent.is_dir() or os.access(parent, os.W_OK | os.X_OK)

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
        name = self._names[root]
        try:
            if root in self._anchors:
                self._anchors[root].check(name)
            yield
        except FileExistsError:
            raise
        except OSError as error:
            raise environment_fault(error, f"cannot work in the {name} {root / subfolder}") from error
