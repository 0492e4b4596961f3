"""Writes documents and gives them their names. Blocks; each step can be repeated.

1. The plan is in the ledger (:mod:`ocrwatch.documents.planning`); now its names are chosen and recorded.
2. The files are written under temporary names, from the copies of the pages' sidecars, and are durable.
3. The ledger records that they are.
4. They get their final names, ``.txt`` last, and never replace another file.
5. The ledger records that the document is delivered.
6. When all documents of a stack are, its pages' originals are deleted if that was waited for, then the copies of their
   sidecars; copies are kept while a document lacks a page.

After a kill at any point a restart ends where an undisturbed run would have, with the same bytes.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ocrwatch.delivery import sidecars
from ocrwatch.delivery.chosen_names import Places, Plan, Sidecar, part_name
from ocrwatch.delivery.destinations import Roots
from ocrwatch.documents.contents import pages_of_pair
from ocrwatch.documents.joiner import Joiner, PartLost
from ocrwatch.documents.plan import PART_LOST, DocumentPlan, PlannedPage
from ocrwatch.documents.planning import has_missing
from ocrwatch.errors import EnvironmentFault
from ocrwatch.ledger import DocumentEntry, DocumentState, Entry, Ledger, StackState
from ocrwatch.render.joining.base import Document, DocumentPage, Dropped, Missing
from ocrwatch.render.registry import load
from ocrwatch.scan import ScanState
from ocrwatch.storage.files import (
    TEMPORARY_PREFIX,
    folder,
    folder_if_there,
    has_content,
    remove,
    status_of,
    sync,
)
from ocrwatch.storage.free_names import first_free, is_too_long, look, mirrored, numbered_stem

_MOST_RENAMES: Final = 100
"""Names that are chosen for one document until the outbox counts as unusable."""

_PART: Final = re.compile(r"(?P<token>[0-9a-f]{8})-(?P<row>\d+)\.")


@dataclass(frozen=True, slots=True)
class DeliveredDocument:
    """A document in the outbox."""

    id: int
    """Its row in the ledger."""
    plan: DocumentPlan

    @property
    def files(self) -> tuple[str, ...]:
        """Relative to the outbox."""
        return tuple(self.plan.below(file.final) for file in self.plan.files)


class DocumentDelivery:
    """Delivers the documents of closed stacks, one call at a time; raises :class:`EnvironmentFault`."""

    def __init__(self, places: Places, ledger: Ledger, endings: tuple[str, ...], joiner: Joiner) -> None:
        """Store the parts; a document's stem is free if no file with one of the ``endings`` of sidecars has it."""
        assert places.parts is not None  # noqa: S101 - for the type checker
        self._places = places
        self._parts = places.parts
        self._ledger = ledger
        self._endings = endings
        self._joiner = joiner
        self._roots = Roots(places)

    @property
    def quarantine(self) -> Path:
        """The folder of the scans that cannot be read."""
        return self._places.quarantine

    def to_write(self, stack: int) -> list[int]:
        """Return the rows of the documents of a closed stack that are not delivered."""
        documents = self._ledger.stacks.documents(stack)
        return [entry.id for entry in documents if entry.state is not DocumentState.DELIVERED]

    def deliver(self, document: int) -> DeliveredDocument | None:
        """Deliver a document by its row; None if it is delivered already, for another page of its stack.

        Raises :class:`InternalFault` if there is a bug.
        """
        entry = self._ledger.stacks.document(document)
        if entry.state is DocumentState.DELIVERED:
            return None
        plan = DocumentPlan.from_json(entry.plan)
        just_staged = entry.state is DocumentState.PLANNED or self._is_nowhere(plan)
        if just_staged:
            plan = self._staged(entry.id, plan)
        plan = self._published(entry.id, plan, just_staged=just_staged)
        self._ledger.stacks.delivered(entry.id, plan.to_json(), plan.review, self._replaced(entry, plan))
        return DeliveredDocument(entry.id, plan)

    def _replaced(self, entry: DocumentEntry, plan: DocumentPlan) -> list[int]:
        """Return the rows of the documents that one is written instead of."""
        earlier = (each for each in self._ledger.stacks.documents(entry.stack) if each.id < entry.id)
        return [each.id for each in earlier if plan.is_instead_of(DocumentPlan.from_json(each.plan))]

    def prune(self, before: float) -> None:
        """Forget stacks that were done before this time (wall clock), and remove the copies of their sidecars."""
        self.discard_parts(self._ledger.stacks.prune(before))

    def discard_forgotten(self) -> int:
        """Remove copies of sidecars that no document needs; return how many are of a ledger that was lost."""
        needed = self._ledger.stacks.rows_with_parts()
        forgotten = 0
        with self._roots.guard(self._parts.parent), self._opened_parts() as directory:
            if directory is None:
                return 0
            with os.scandir(directory) as entries:
                names = [entry.name for entry in entries]
            for name in names:
                part = _PART.match(name)
                if part is None or (part["token"] == self._ledger.token and int(part["row"]) in needed):
                    continue
                # One that stays does no harm.
                with contextlib.suppress(OSError):
                    remove(directory, name)
                    forgotten += part["token"] != self._ledger.token
            sync(directory)
        return forgotten

    def _staged(self, row: int, plan: DocumentPlan) -> DocumentPlan:
        """Write the files under temporary names, and record that they are durable."""
        plan = self._without_lost(plan)
        while True:
            plan = self._named(row, plan)
            self._ledger.stacks.record(row, DocumentState.PLANNED, plan.to_json())
            try:
                written = self._write(plan)
                break
            except PartLost as lost:
                plan = plan.without(lost.page, PART_LOST, lost.reason)
        files = tuple(
            replace(file, size=size, sha256=sha256)
            for file, (size, sha256) in zip(plan.files, (written[name] for name in plan.formats), strict=True)
        )
        plan = replace(plan, files=files)
        self._ledger.stacks.record(row, DocumentState.STAGED, plan.to_json())
        return plan

    def _without_lost(self, plan: DocumentPlan) -> DocumentPlan:
        """Return the plan with the pages whose copies are gone as missing."""
        with self._roots.guard(self._parts.parent), self._opened_parts() as directory:
            lost = [
                number
                for number, page in enumerate(plan.pages, 1)
                if not page.code
                and (
                    directory is None
                    or any(status_of(directory, name) is None for name in self._part_names(page, plan).values())
                )
            ]
        for number in lost:
            plan = plan.without(number, PART_LOST, "the copy of its text in the state folder is gone")
        return plan

    def _named(self, row: int, plan: DocumentPlan) -> DocumentPlan:
        """Choose a free stem, and the names of the files."""
        outbox = self._places.outbox
        with self._roots.guard(outbox):
            target = mirrored((outbox,), plan.inbox_folder)
            stem = self._free_stem(plan, target)
            if plan.files and target != plan.folder:
                sidecars.unstage(outbox, plan.folder, plan.files)
        files = tuple(
            Sidecar(
                f"{TEMPORARY_PREFIX}{self._ledger.token}-document{row}.{ending}.tmp",
                f"{stem}.{ending}",
            )
            for ending in (load(name).ending for name in plan.formats)
        )
        return replace(plan, folder=target, stem=stem, files=files)

    def _free_stem(self, plan: DocumentPlan, target: str) -> str:
        endings = tuple(dict.fromkeys((*self._endings, *(load(name).ending for name in plan.formats))))
        behind = tuple(f".{ending}" for ending in endings)
        base = numbered_stem(plan.name, *behind)
        reserved = self._places.reserved.casefold()

        def taken(candidate: str) -> bool:
            if reserved and not target and candidate.casefold() == reserved:
                return True
            names = [candidate + each for each in behind]
            return any(is_too_long(name) or look(self._places.outbox, target, name) is not None for name in names)

        first = f"{base}-2" if plan.after or plan.replaces else plan.name
        return first_free(first, base, taken)

    def _write(self, plan: DocumentPlan) -> dict[str, tuple[int, str]]:
        """Write the temporary files; return size and SHA-256 of each by its format. Raises :class:`PartLost`."""
        outbox = self._places.outbox
        files = [(name, file.temporary) for name, file in zip(plan.formats, plan.files, strict=True)]
        with self._roots.guard(outbox, plan.folder), folder(outbox, plan.folder, create=True) as directory:
            return self._joiner.write(self._document(plan), directory, files, mode=plan.mode, group=plan.group)

    def _document(self, plan: DocumentPlan) -> Document:
        return Document(
            plan.stem,
            plan.inbox_folder,
            plan.grouped_by,
            plan.review,
            tuple(self._page(page, plan) for page in plan.pages),
            tuple(Dropped(page.path, page.sha256, page.code) for page in plan.dropped),
            profile=plan.profile,
            replaces=plan.replaces,
        )

    def _page(self, page: PlannedPage, plan: DocumentPlan) -> DocumentPage:
        if page.code:
            return DocumentPage(page.path, page.sha256, {}, Missing(page.code, page.reason))
        parts = {name: str(self._parts / part) for name, part in self._part_names(page, plan).items()}
        return DocumentPage(page.path, page.sha256, parts)

    def _part_names(self, page: PlannedPage, plan: DocumentPlan) -> dict[str, str]:
        """Return the name of the copy of a page's sidecar by format."""
        return {name: part_name(self._ledger.token, page.scan, load(name).ending) for name in plan.formats}

    def _is_nowhere(self, plan: DocumentPlan) -> bool:
        with self._roots.guard(self._places.outbox, plan.folder):
            return sidecars.is_nowhere(self._places.outbox, plan.folder, plan.files)

    def _published(self, row: int, plan: DocumentPlan, *, just_staged: bool) -> DocumentPlan:
        """Give the files their final names, others if these were taken meanwhile."""
        outbox = self._places.outbox
        for _ in range(_MOST_RENAMES):
            try:
                with self._roots.guard(outbox, plan.folder):
                    sidecars.publish(outbox, plan.folder, plan.files, just_staged=just_staged)
                return plan
            except sidecars.StagedLost:
                plan = self._staged(row, plan)
            except FileExistsError:
                with self._roots.guard(outbox, plan.folder):
                    stem = self._free_stem(plan, plan.folder)
                    files = sidecars.renamed(outbox, plan.folder, plan.files, plan.stem, stem)
                plan = replace(plan, stem=stem, files=files)
                self._ledger.stacks.record(row, DocumentState.STAGED, plan.to_json())
                just_staged = False
        raise EnvironmentFault(
            f"each name that is chosen for the document {plan.name} is taken at once", "see what writes to the outbox"
        )

    def release(self, stack: int) -> None:
        """Delete what was kept until the documents are durable, and record that the stack is done.

        Nothing is released while a document is to be written, perhaps for a page that has ended since.
        """
        if self.to_write(stack):
            return
        pages = pages_of_pair(self._ledger, stack)
        in_documents = {
            page.scan
            for document in self._ledger.stacks.documents(stack)
            for page in DocumentPlan.from_json(document.plan).pages
            if not page.code
        }
        self._delete_originals(page for page in pages if page.id in in_documents)
        state = StackState.INCOMPLETE if has_missing(self._ledger, stack) else StackState.DONE
        if state is StackState.DONE:
            self.discard_parts([page.id for page in pages])
        self._ledger.stacks.finish(stack, state)

    def discard_parts(self, rows: Sequence[int]) -> None:
        """Remove the copies of the sidecars of pages."""
        if not rows:
            return
        with self._roots.guard(self._parts.parent), self._opened_parts() as directory:
            if directory is None:
                return
            for row in rows:
                for ending in self._endings:
                    remove(directory, part_name(self._ledger.token, row, ending))
            sync(directory)

    def _opened_parts(self) -> contextlib.AbstractContextManager[int | None]:
        """Open the folder of the copies; None if there is none yet."""
        return folder_if_there(self._parts.parent, self._parts.name)

    def _delete_originals(self, pages: Iterable[Entry]) -> None:
        """Delete originals that wait in the archive for their document."""
        by_folder: defaultdict[str, list[Plan]] = defaultdict(list)
        for page in pages:
            plan = None if page.plan is None else Plan.from_json(page.plan)
            if plan is not None and plan.page is not None and plan.page.deletes and page.state is ScanState.DELIVERED:
                by_folder[plan.folder].append(plan)
        archive = self._places.archive
        for subfolder, plans in by_folder.items():
            with self._roots.guard(archive, subfolder), folder_if_there(archive, subfolder) as directory:
                if directory is None:
                    continue
                for plan in plans:
                    # Another file may have its name by now.
                    if plan.sha256 and has_content(directory, plan.original, plan.facts.size, plan.sha256):
                        remove(directory, plan.original)
                sync(directory)
