"""The daemon's folders with the pages of a pile in them, delivered page by page, and the documents made of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ocrwatch.delivery.chosen_names import Fate, Places, StackPage
from ocrwatch.delivery.step_order import Deliverer, Work
from ocrwatch.documents.delivery import DeliveredDocument, DocumentDelivery
from ocrwatch.documents.joiner import Joiner, PartLost
from ocrwatch.documents.pair_planning import Pile as WaitingPile
from ocrwatch.documents.pair_planning import plan_piles, take_repairs
from ocrwatch.documents.planning import plan_again, plan_documents
from ocrwatch.documents.stack import StackFacts
from ocrwatch.ledger import Ledger, StackState
from ocrwatch.quarantine.reason_file import REASON_ENDING
from ocrwatch.render.joining.base import DamagedPart
from ocrwatch.render.joining.child import join
from ocrwatch.render.joining.job import JoinJob
from ocrwatch.storage.files import facts_of
from tests.unit.delivery.interruption import content

FACTS = StackFacts("**", "", "name", "scan", 60.0, "keep", ("json", "txt"))


class Here(Joiner):
    """Joins in this process, where its steps are counted."""

    def join(self, job: JoinJob, descriptors: tuple[int, ...]) -> dict[str, tuple[int, str]]:  # noqa: ARG002
        """Do what the process does."""
        try:
            return {name: (size, sha256) for name, size, sha256 in join(job).files}
        except DamagedPart as damaged:
            raise PartLost(damaged.number, damaged.reason) from damaged


class Pile:
    """Pages that a feeder has written."""

    def __init__(self, root: Path, facts: StackFacts = FACTS) -> None:
        self.root = root
        self.facts = facts
        self.places = Places(
            root / "inbox", root / "outbox", root / "archive", root / "quarantine", parts=root / "state" / "documents"
        )
        for name in ("inbox", "outbox", "archive", "quarantine", "state"):
            (root / name).mkdir(parents=True)
        self.ledger = Ledger(root / "state")
        self.joiner: Joiner = Here()
        self.repaired: list[DeliveredDocument] = []
        """What was written with pages that :meth:`hold` gave to earlier documents."""

    def close(self) -> None:
        """Remove everything."""
        self.ledger.close()
        shutil.rmtree(self.root)

    def begin(self, **changes: Any) -> int:
        """Begin a stack; return its row."""
        facts = replace(self.facts, **changes)
        return self.ledger.stacks.begin(facts.key, facts.to_json(), facts.feed if facts.duplex else None)

    def page(
        self, stack: int, path: str, text: str = "", *, fate: Fate = "archive", data: bytes = b"", **place: Any
    ) -> int:
        """Deliver a page of a stack, or quarantine it; return its row."""
        original = self.places.inbox / path
        original.parent.mkdir(parents=True, exist_ok=True)
        data = data or os.fsencode(path)
        original.write_bytes(data)
        facts, sha256 = facts_of(original.stat()), hashlib.sha256(data).hexdigest()
        row = self.ledger.begin(path, facts, sha256).id
        refused = fate == "quarantine"
        page = json.dumps({"schema": "ocrwatch.page/1", "text": text or path}, default=str).encode()
        contents = (
            ((REASON_ENDING, b"{}"),)
            if refused
            else (("json", page), ("txt", f"{text or path}\n".encode("utf-8", "replace")))
        )
        code, reason = ("damaged", "it is torn") if refused else (None, None)
        of_stack = StackPage(stack, () if refused else ("json", "txt"), **place)
        work = Work(row, path, facts, sha256, fate, contents, code=code, reason=reason, page=of_stack)
        Deliverer(self.places, self.ledger, ("json", "txt")).deliver(work)
        return row

    def pages(self, stack: int, *paths: str, **options: Any) -> None:
        """Deliver pages of a stack."""
        for path in paths:
            self.page(stack, path, **options)

    def delivery(self) -> DocumentDelivery:
        """Make the part of a daemon that writes documents."""
        return DocumentDelivery(self.places, self.ledger, ("json", "txt"), self.joiner)

    def write(self, stack: int, closed_by: str = "quiet") -> list[DeliveredDocument]:
        """Close a stack, and write all documents that this comes to."""
        return [document for row in self.plan(stack, closed_by) for document in self.finish(row)]

    def hold(self, stack: int, closed_by: str = "quiet", expected: Sequence[str] = ()) -> bool:
        """Close a pile of fronts or backs, write what it repairs, and return whether pages are left in it."""
        self.ledger.stacks.hold(stack, closed_by, expected)
        rows, has_pages = take_repairs(self.ledger, stack, self.places.quarantine)
        self.repaired = [document for row in rows for document in self.finish(row)]
        return has_pages

    def write_piles(self, fronts: int, backs: int | None = None, **options: Any) -> list[DeliveredDocument]:
        """Write the documents of two piles that are held, or of one that got no other."""
        other = None if backs is None else WaitingPile(backs, {})
        rows = plan_piles(self.ledger, WaitingPile(fronts, {}), other, **options)
        return [document for row in rows for document in self.finish(row)]

    def plan(self, stack: int, closed_by: str) -> list[int]:
        """Close a stack."""
        return plan_documents(self.ledger, stack, closed_by, quarantine=self.places.quarantine)

    def finish(self, stack: int) -> list[DeliveredDocument]:
        """Write the planned documents of a stack."""
        delivery = self.delivery()
        delivered = [delivery.deliver(row) for row in delivery.to_write(stack)]
        delivery.release(stack)
        return [document for document in delivered if document is not None]

    def go_on(self) -> list[DeliveredDocument]:
        """Do what a start does about documents."""
        self.delivery().discard_forgotten()
        delivered = []
        for entry in self.ledger.stacks.unfinished():
            if entry.state is not StackState.WAITING:
                gathers = entry.state is StackState.GATHERING
                delivered += self.write(entry.id) if gathers else self.finish(entry.id)
        for row in self.ledger.stacks.all_incomplete():
            delivered += self.finish(row) if plan_again(self.ledger, row) else []
        return delivered

    def restart(self) -> None:
        """Open the ledger again, with nothing else remembered."""
        self.ledger.close()
        self.ledger = Ledger(self.root / "state")

    def files(self) -> dict[str, bytes]:
        """Every file of the folders, and the parts of documents."""
        places = self.places
        found = {
            f"{folder.name}/{name}": data
            for folder in (places.inbox, places.outbox, places.archive, places.quarantine)
            for name, data in content(folder).items()
        }
        parts = self.root / "state" / "documents"
        return found | ({f"parts/{name}": data for name, data in content(parts).items()} if parts.is_dir() else {})

    def state(self, stack: int) -> StackState | None:
        """Return the state of a stack."""
        entry = self.ledger.stacks.find(stack)
        return None if entry is None else entry.state

    def text(self, name: str) -> list[str]:
        """Return the pages of a document's text."""
        return (self.places.outbox / f"{name}.txt").read_text().split("\f")


Make = Callable[..., Pile]
