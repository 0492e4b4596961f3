"""Idempotent delivery steps. ``step_order.py`` orders them."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ocrwatch.delivery import field_lists, originals, sidecars
from ocrwatch.delivery.chosen_names import (
    Fate,
    Places,
    Plan,
    Sidecar,
    free_quarantine_name,
    free_stem,
    part_name,
    temporary_name,
)
from ocrwatch.delivery.destinations import Roots
from ocrwatch.delivery.durability import SYNC_NOW, Disk
from ocrwatch.delivery.field_lists import StagedLine
from ocrwatch.delivery.stored_sidecars import size_and_sha256
from ocrwatch.delivery.work import Work
from ocrwatch.errors import Blocked, NoFreeName, environment_fault, system_reason
from ocrwatch.permissions import check_movable
from ocrwatch.storage.files import folder_if_there, inode_of, is_unchanged, split
from ocrwatch.storage.free_names import mirrored
from ocrwatch.storage.mounts import lasting_identity

_IN_USE = "close it in the program that has it open; ocrwatch retries it by itself"
_FORBIDDEN = "let the user that ocrwatch runs as move it; ocrwatch retries it by itself"
_UNSOUND = "see whether its disk is sound; ocrwatch retries it by itself"

_ONE_FILE = {
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EBUSY: _IN_USE,
    errno.ETXTBSY: _IN_USE,
    errno.EIO: _UNSOUND,
    errno.EUCLEAN: _UNSOUND,
}
"""Errors of a rename that may concern one file only, with the remedies. SMB servers answer EBUSY, ETXTBSY or EACCES for
a file that another client has open; ext4 and XFS answer EUCLEAN for a damaged entry."""

_MOUNT_SECONDS = 10.0
"""Seconds for which the file system of the inbox is cached, while its device number is the same."""

_PRIVATE = 0o600
"""Permissions of the parts of documents, like all of the state folder."""

_MOST_TRIES = 3
"""How often a missing folder is looked for: it may be in the middle of a rename."""


class Steps:
    """Makes one step of one scan at a time.

    Raises :class:`EnvironmentFault` if a folder refuses.
    """

    def __init__(self, places: Places, token: str, endings: tuple[str, ...]) -> None:
        self.places = places
        self._token = token
        self.endings = endings
        """Endings that sidecars may have, of all formats known so far."""
        self._missed: Counter[str] = Counter()
        self._inbox_known: tuple[tuple[int, int], float, tuple[str, ...]] | None = None
        """Device and inode of the inbox, when its file system was found out (monotonic seconds), and what it is."""
        self._roots = Roots(places)

    def is_unchanged(self, work: Work) -> bool:
        """Return whether the scan is still the file that was read."""
        parent, name = split(work.path)
        with self._roots.guard(self.places.inbox), folder_if_there(self.places.inbox, parent) as directory:
            return directory is not None and is_unchanged(directory, name, work.facts, work.sha256)

    def plan(self, work: Work, taken: Collection[tuple[str, str]] = ()) -> Plan:
        """Choose free names, except those ``taken`` by others (subfolder and stem)."""
        with self._roots.guard(self.root_of(work.fate)):
            roots = (self.root_of(work.fate), *((self.places.archive,) if work.fate == "archive" else ()))
            subfolder = mirrored(roots, split(work.path)[0])
            own = [ending for ending, _ in work.contents]
            stem, original = self._free_names(work.path, subfolder, work.fate, own, taken)
        sidecars = tuple(
            Sidecar(temporary_name(self._token, work.scan, ending), f"{stem}.{ending}", size=size, sha256=sha256)
            for ending, (size, sha256) in ((ending, size_and_sha256(content)) for ending, content in work.contents)
        )
        self._missed.pop(work.path, None)
        inbox = self.inbox_identity()
        return Plan(
            work.path,
            work.facts,
            work.sha256,
            subfolder,
            stem,
            work.fate,
            original,
            sidecars,
            inbox=inbox,
            inbox_on=self._inbox_on(inbox),
            parent=self._inode(split(work.path)[0]),
            review=work.review,
            made_by=work.made_by,
            stays=work.fate == "quarantine" and self.places.keeps and not self._lets_go(work.path),
            fields_line=None if work.fields is None else self._line_name(work.scan),
            page=work.page,
        )

    def stage(self, work: Work, plan: Plan, disk: Disk = SYNC_NOW) -> None:
        """Write the sidecars under temporary names, and the parts of a document under theirs.

        A duplicate has none, and makes no folder. Raises :class:`StoredLost` if a stored sidecar is not what it was.
        """
        if not plan.sidecars:
            return
        if plan.page is not None and plan.page.endings and self.places.parts is not None:
            parts = [
                (part_name(self._token, work.scan, ending), content)
                for ending, content in work.contents
                if ending in plan.page.endings
            ]
            with self._roots.guard(self.places.parts.parent):
                sidecars.stage(self.places.parts.parent, self.places.parts.name, parts, mode=_PRIVATE, disk=disk)
        root = self.root_of(plan.fate)
        contents = (content for _, content in work.contents)
        staged = [(sidecar.temporary, content) for sidecar, content in zip(plan.sidecars, contents, strict=True)]
        if plan.fields_line is not None and work.fields is not None:
            staged.append((plan.fields_line, work.fields.to_json()))
        with self._roots.guard(root, plan.folder):
            sidecars.stage(root, plan.folder, staged, mode=work.mode, group=work.group, disk=disk)

    def stage_line(self, work: Work, plan: Plan) -> None:
        """Write the line of a plan that is not published again, if it was removed from outside."""
        if plan.fields_line is None or work.fields is None:
            return
        root = self.root_of(plan.fate)
        with self._roots.guard(root, plan.folder):
            if not sidecars.is_staged(root, plan.folder, plan.fields_line):
                line = (plan.fields_line, work.fields.to_json())
                sidecars.stage(root, plan.folder, [line], mode=work.mode, group=work.group)

    def lacks_line(self, plan: Plan) -> bool:
        """Return whether everything is still staged but the line for the list of fields."""
        if plan.fields_line is None:
            return False
        root, names = self.root_of(plan.fate), [sidecar.temporary for sidecar in plan.sidecars]
        with self._roots.guard(root, plan.folder):
            is_complete = sidecars.is_staged(root, plan.folder, plan.fields_line)
            return not is_complete and sidecars.is_staged(root, plan.folder, *names)

    def publish(self, plan: Plan, *, just_staged: bool, disk: Disk = SYNC_NOW) -> None:
        """Give the sidecars their final names.

        Raises like :func:`ocrwatch.delivery.sidecars.publish`.
        """
        if not plan.sidecars:
            return
        root = self.root_of(plan.fate)
        with self._roots.guard(root, plan.folder):
            if just_staged and plan.fields_line and not sidecars.is_staged(root, plan.folder, plan.fields_line):
                raise sidecars.StagedLost
            sidecars.publish(root, plan.folder, plan.sidecars, just_staged=just_staged, disk=disk)

    def is_nowhere(self, plan: Plan) -> bool:
        """Return whether no sidecar exists."""
        root = self.root_of(plan.fate)
        with self._roots.guard(root, plan.folder):
            return sidecars.is_nowhere(root, plan.folder, plan.sidecars)

    def replanned(self, plan: Plan) -> Plan:
        """Choose other names, if a planned one was taken meanwhile.

        Raises :class:`Blocked` if none is free: it cannot be quarantined any more, as its original is claimed.
        """
        root = self.root_of(plan.fate)
        with self._roots.guard(root):
            own = [sidecar.final.removeprefix(f"{plan.stem}.") for sidecar in plan.sidecars]
            try:
                stem, original = self._free_names(plan.path, plan.folder, plan.fate, own)
            except NoFreeName as fault:
                raise Blocked(
                    f"no name is free for its files ({fault.message})",
                    "move the files that have its name out of outbox and archive; ocrwatch retries it by itself",
                ) from fault
            renamed = plan.sidecars and sidecars.renamed(root, plan.folder, plan.sidecars, plan.stem, stem)
        return replace(plan, stem=stem, original=original, sidecars=renamed)

    def claim(self, plan: Plan, *, first: bool) -> bool:
        """Claim the original; False if it is not the file that was read.

        ``first`` says that it cannot have been claimed before. Raises :class:`Blocked` if only this scan cannot be
        moved.
        """
        parent = None if first else self._whereabouts(plan)
        with self._roots.guard(self.places.inbox):
            try:
                return originals.claim(plan, self.places.inbox, self._token, parent=parent)
            except OSError as error:
                self._hold_up_alone(plan, error)
                raise

    def _hold_up_alone(self, plan: Plan, error: OSError) -> None:
        """Raise :class:`Blocked` if an error in the inbox concerns one scan, and return if it may concern all."""
        if error.errno not in _ONE_FILE:
            return
        inbox = self.places.inbox
        with contextlib.suppress(OSError):
            check_movable(inbox, plan.path)
            if os.access(inbox, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
                message = f"the system does not let it be moved out of the inbox ({system_reason(error)})"
                raise Blocked(message, _ONE_FILE[error.errno]) from error

    def unclaim(self, plan: Plan) -> None:
        """Give a claimed original its name again."""
        parent = self._whereabouts(plan)
        with self._roots.guard(self.places.inbox):
            originals.unclaim(plan, self.places.inbox, self._token, parent=parent)
        self.check_folder(plan, gone_is_gone=True)

    def put_away(self, plan: Plan, *, taken: bool, again: bool = False, disk: Disk = SYNC_NOW) -> str | None:
        """Archive, quarantine, keep or delete the original; ``taken`` if it is claimed.

        ``again`` says that an earlier attempt may have been interrupted. Returns its name there, or None if it has
        none.
        """
        inbox = self.places.inbox
        if plan.stays:
            return self._copied(plan, again=again, disk=disk)
        parent = None if plan.fate == "keep" else self._whereabouts(plan)
        if plan.fate == "delete":
            with self._roots.guard(inbox):
                gone = not originals.delete(plan, inbox, self._token, parent=parent, taken=taken, disk=disk)
            if gone:
                self.check_same_inbox(plan)
                self.check_folder(plan)
        if plan.fate in {"keep", "delete"}:
            return None
        target = self.places.quarantine if plan.fate == "quarantine" else self.places.archive
        with self._roots.guard(target, plan.folder):
            original = originals.move_away(
                plan, inbox, target, self._token, parent=parent, taken=taken, again=again, disk=disk
            )
        if original is None:
            self.check_same_inbox(plan)
            self.check_folder(plan)
        return original

    def _copied(self, plan: Plan, *, again: bool, disk: Disk) -> str | None:
        """Copy an original that stays to the quarantine.

        None if it is not the file that was read.
        """
        with self._roots.guard(self.places.quarantine, plan.folder):
            original = originals.copy_away(
                plan, self.places.inbox, self.places.quarantine, self._token, again=again, disk=disk
            )
        if original is None:
            self.check_same_inbox(plan)
        return original

    def list_fields(self, plans: Sequence[Plan], *, again: bool, disk: Disk = SYNC_NOW) -> None:
        """Append the staged lines of scans in one folder to its list of fields, each once.

        ``again`` says that an earlier attempt may have been interrupted.
        """
        lines = [StagedLine(plan.fields_line, plan.original) for plan in plans if plan.fields_line is not None]
        if lines:
            with self._roots.guard(self.places.outbox, plans[0].folder):
                field_lists.append(self.places.outbox, plans[0].folder, lines, again=again, disk=disk)

    def drop_line(self, plan: Plan, disk: Disk = SYNC_NOW) -> None:
        """Remove a staged line. The list must be durable before, since a missing line counts as listed."""
        if plan.fields_line is not None:
            with self._roots.guard(self.places.outbox, plan.folder):
                field_lists.drop(self.places.outbox, plan.folder, plan.fields_line, disk)

    def check_same_inbox(self, plan: Plan) -> None:
        """Raise :class:`Blocked` if the inbox is missing, and perhaps only therefore the original.

        A share or disk that was mounted again may have another device number: then the inbox is the same if its inode
        number and its file system are. Plans of an older version have only the inode number.
        """
        now = self.inbox_identity()
        is_same = now == plan.inbox
        if not is_same and plan.inbox is not None and plan.inbox[1] == now[1] != 0:
            is_same = plan.inbox_on is None or (plan.inbox_on != () and plan.inbox_on == self._inbox_on(now))
        if not is_same:
            raise Blocked(
                f"the inbox {self.places.inbox} is another than when it was read, and it is not there",
                "bring the inbox back; it is put away then",
            )

    def check_folder(self, plan: Plan, *, gone_is_gone: bool = False) -> None:
        """Raise :class:`Blocked` if the folder is missing for a moment, and perhaps only therefore the original.

        A folder that is missing, and not replaced by another thing, is waited for a few times, or not at all if
        ``gone_is_gone``: the original was removed with it.
        """
        place = self.places.inbox / split(plan.path)[0]
        if self._inode(split(plan.path)[0]) is None and (
            os.path.lexists(place) or not (gone_is_gone or self._is_given_up(plan))
        ):
            raise Blocked(
                f"its folder {place} is away, and the scan, which was read already, with it",
                "bring the folder back; the scan is put away then",
            )

    def _whereabouts(self, plan: Plan) -> str | None:
        """Return the present folder of a claimed original, or None if it is its own."""
        inode = self._inode(split(plan.path)[0])
        if inode is not None and inode == (plan.parent or inode):
            return None
        try:
            return originals.find(plan, self.places.inbox, self._token)
        except OSError as error:
            if self._is_given_up(plan):
                return None
            fault = environment_fault(error, "it was read, its folder is another by now, and the inbox refuses a look")
            raise Blocked(fault.message, fault.remedy) from error

    def _is_given_up(self, plan: Plan) -> bool:
        """Count an attempt to find an original; return True after enough of them."""
        self._missed[plan.path] += 1
        return self._missed[plan.path] > _MOST_TRIES

    def _inode(self, parent: str) -> int | None:
        """Return the inode of a folder below the inbox, or None if there is no real folder of that name."""
        with self._roots.guard(self.places.inbox), folder_if_there(self.places.inbox, parent) as directory:
            return None if directory is None else inode_of(os.fstat(directory))

    def unstage(self, plan: Plan) -> bool:
        """Remove what is still staged; return whether its folder could be read, if anything was."""
        staged = [*plan.sidecars, *([] if plan.fields_line is None else [Sidecar(plan.fields_line, "")])]
        if not staged:
            return True
        root = self.root_of(plan.fate)
        with self._roots.guard(root, plan.folder):
            return sidecars.unstage(root, plan.folder, staged)

    def unpublish(self, plan: Plan) -> None:
        """Take back what was published."""
        root = self.root_of(plan.fate)
        with self._roots.guard(root):
            sidecars.unpublish(root, plan.folder, plan.sidecars)

    def discard(self, scan: int, path: str, endings: tuple[str, ...]) -> None:
        """Remove what may have been staged for a scan."""
        names = [Sidecar(temporary_name(self._token, scan, ending), "") for ending in endings]
        names.append(Sidecar(self._line_name(scan), ""))
        for root in (self.places.outbox, self.places.quarantine):
            with self._roots.guard(root):
                sidecars.unstage(root, split(path)[0], names)

    def _lets_go(self, path: str) -> bool:
        """Return whether a scan can be moved out of its folder; True if there is no folder."""
        parent = self.places.inbox / split(path)[0]
        try:
            # An ``OSError`` is raised again when the scan is moved.
            with contextlib.suppress(OSError):
                check_movable(self.places.inbox, path)
        except Blocked:
            return False
        with self._roots.guard(self.places.inbox):
            return not parent.is_dir() or os.access(parent, os.W_OK | os.X_OK)

    def inbox_identity(self) -> tuple[int, int]:
        """Return device and inode of the inbox; zeros if a mount may change both, as with FUSE."""
        with self._roots.guard(self.places.inbox):
            status = self.places.inbox.stat()
        inode = inode_of(status)
        return (status.st_dev, inode) if inode else (0, 0)

    def _inbox_on(self, identity: tuple[int, int]) -> tuple[str, ...]:
        """Return what identifies the file system of the inbox, which has this :meth:`inbox_identity`."""
        known, now = self._inbox_known, time.monotonic()
        if known is None or known[0] != identity or now - known[1] > _MOUNT_SECONDS:
            with self._roots.guard(self.places.inbox):
                known = self._inbox_known = (identity, now, lasting_identity(self.places.inbox))
        return known[2]

    def _line_name(self, scan: int) -> str:
        return temporary_name(self._token, scan, field_lists.STAGED_ENDING)

    def root_of(self, fate: Fate) -> Path:
        """Return the folder that the sidecars go to."""
        return self.places.quarantine if fate == "quarantine" else self.places.outbox

    def _free_names(
        self, path: str, subfolder: str, fate: Fate, own: Iterable[str], taken: Collection[tuple[str, str]] = ()
    ) -> tuple[str, str]:
        """Return a stem for the sidecars and a name for the original that belong together and are free.

        ``own`` are the endings of these sidecars: a format may have become usable since the endings were collected.
        """
        name = split(path)[1]
        if fate == "quarantine":
            free = free_quarantine_name(self.places, subfolder, name)
            return free, free
        others = frozenset(stem for folder, stem in taken if folder == subfolder)
        endings = tuple(dict.fromkeys((*self.endings, *own)))
        stem = free_stem(self.places, subfolder, name, endings, archived=fate == "archive", others=others)
        return stem, stem + os.path.splitext(path)[1]
