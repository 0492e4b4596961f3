"""The daemon's folders with one scan in them, and a daemon that may die and start again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from ocrwatch.delivery.chosen_names import Fate, Places
from ocrwatch.delivery.field_lists import ListedFields
from ocrwatch.delivery.step_order import Delivered, Deliverer, Work
from ocrwatch.document import Review
from ocrwatch.errors import Changed
from ocrwatch.ledger import Ledger
from ocrwatch.quarantine.reason_file import REASON_ENDING
from ocrwatch.render.base import StoredSidecar
from ocrwatch.storage.files import facts_of
from tests.unit.delivery.interruption import Interruption, Journal, content

JPEG = b"\xff\xd8 a scan"
PAGE = (("json", b"{}\n"), ("txt", b"words\n"))
PAGE_OF_THREE = (PAGE[0], ("marks.csv", b"1 word\n"), PAGE[1])
"""With the sidecar of another package's format."""
REASON = ((REASON_ENDING, b'{"code": "damaged"}\n'),)
ENDINGS = ("json", "txt")
FIELDS = ListedFields(
    ("read_at", "total", "total_standing"), ("2026-11-27T20:28:50.123+00:00", 'M\u00fcller, "S\u00f6hne"', "verified")
)
REVIEW = Review(("confidence 54", "62 % of the marks unread"), 54.25)


class Workspace:
    """Inbox, outbox, archive, quarantine and state below one folder; the archives may lie elsewhere."""

    def __init__(self, root: Path, elsewhere: Path | None = None, path: str = "sub/scan1.jpg") -> None:
        self.root = root
        self.elsewhere = elsewhere
        away = elsewhere or root
        self.places = Places(root / "inbox", root / "outbox", away / "archive", away / "quarantine")
        self.path = path
        for folder in (self.places.inbox, self.places.outbox, self.places.archive, self.places.quarantine):
            folder.mkdir(parents=True)
        (root / "state").mkdir()
        self.original = self.places.inbox / path
        self.original.parent.mkdir(parents=True, exist_ok=True)
        self.original.write_bytes(JPEG)
        self.ledger = Ledger(root / "state")
        self.page: tuple[tuple[str, bytes | StoredSidecar], ...] = PAGE
        """What the wanted formats render."""
        self.fields: ListedFields | None = None
        """The line of each scan in the list of fields."""

    def close(self) -> None:
        """Remove everything."""
        self.ledger.close()
        shutil.rmtree(self.root)
        if self.elsewhere is not None:
            shutil.rmtree(self.elsewhere)

    def work(self, fate: Fate) -> Work:
        """Take the scan as it lies in the inbox, and open its row."""
        facts = facts_of(self.original.stat())
        sha256 = hashlib.sha256(JPEG).hexdigest()
        row = self.ledger.begin(self.path, facts, sha256)
        contents = REASON if fate == "quarantine" else self.page
        code = "damaged" if fate == "quarantine" else None
        review = None if fate == "quarantine" else REVIEW
        # With a mode there is a step between the making of a file and its content.
        fields = None if fate == "quarantine" else self.fields
        return Work(
            row.id,
            self.path,
            facts,
            sha256,
            fate,
            contents,
            mode=0o640,
            code=code,
            reason=code,
            review=review,
            fields=fields,
        )

    def deliverer(self, interruption: Interruption, once_planned: Callable[[], None] = lambda: None) -> Deliverer:
        """Make a daemon's part that delivers."""
        endings = self.ledger.remember_endings(ending for ending, _ in self.page)
        return Deliverer(self.places, Journal(self.ledger, interruption, once_planned), endings)

    def run(self, fate: Fate, deliverer: Deliverer) -> Delivered | None:
        """Do what the daemon does with this scan from its start: finish what is planned, else read and deliver it."""
        last: Delivered | None = None
        for entry in self.ledger.unfinished():
            if entry.plan is not None and entry.state in {"planned", "published"}:
                try:
                    last = deliverer.resume(entry.id, entry.plan, entry.code, entry.reason)
                except Changed:
                    last = None
            else:
                deliverer.discard(entry.id, entry.path)
        return deliverer.deliver(self.work(fate)) if self.original.exists() and last is None else last

    def store(self, *page: tuple[str, bytes]) -> dict[str, Path]:
        """Make the page one whose sidecars are files; return them by their endings."""
        stored = {ending: self.root / "state" / f"stored.{ending}" for ending, _ in page}
        for ending, data in page:
            stored[ending].write_bytes(data)
        self.page = tuple(
            (ending, StoredSidecar(str(stored[ending]), len(data), hashlib.sha256(data).hexdigest()))
            for ending, data in page
        )
        return stored

    def files(self) -> dict[str, bytes]:
        """Every file of the four folders."""
        places = self.places
        return {
            f"{folder.name}/{name}": data
            for folder in (places.inbox, places.outbox, places.archive, places.quarantine)
            for name, data in content(folder).items()
        }

    def states(self) -> dict[str, int]:
        """How many rows the ledger has in each state."""
        return self.ledger.totals()

    def reviews(self) -> list[tuple[str, Review | None]]:
        """Return the scans that wait for review, with the reasons."""
        return sorted(((row.path, row.review) for row in self.ledger.to_review(100)[1]), key=str)
