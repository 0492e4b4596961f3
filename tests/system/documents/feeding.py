"""Feeding sheets into an inbox, and looking at the documents that they become."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from tests.crash.scenario import Places
from tests.daemon_process import DaemonProcess, Event
from tests.document_accounts import Joined, documents_in, settle_accounts
from tests.feeder import Sheet, text_of
from tests.system.dropping import put
from tests.waiting import until

FINE, QUARANTINED = 0, 1

LONG = "1h"
"""A quiet time after which no test closes a document."""


def feed(inbox: Path, sheets: Iterable[Sheet]) -> None:
    """Save sheets, as quickly as possible."""
    for sheet in sheets:
        put(inbox, sheet.path, sheet.data)


def wait_for_pages(daemon: DaemonProcess, sheets: Sequence[Sheet]) -> None:
    """Wait until each sheet has its own sidecars, or is in the quarantine."""
    for sheet in sheets:
        if sheet.kind == "broken":
            daemon.wait_for("scan.quarantined", path=sheet.path)
        else:
            daemon.wait_for("scan.delivered", path=sheet.path, sha256=sheet.sha256)


def joined(daemon: DaemonProcess, stem: str) -> Joined:
    """Wait until the document with this stem is delivered, and return it."""
    event = delivery_of(daemon, stem)
    document = documents_in(daemon.outbox)[stem]
    assert all((daemon.outbox / sidecar).is_file() for sidecar in event["sidecars"])
    assert event["pages"] == len(document.pages)
    assert bool(event.get("review")) == document.content["review"]
    assert list(event.get("missing") or ()) == document.missing
    return document


def delivery_of(daemon: DaemonProcess, stem: str) -> Event:
    """Wait until the document with this stem is delivered, and return the event."""

    def event() -> Event | None:
        found = (each for each in daemon.events("document.delivered") if f"{stem}.txt" in each["sidecars"])
        return next(found, None)

    found = until(event, 40, f"the document {stem} is delivered")
    assert found is not None
    return found


def texts(*numbers: int) -> list[str]:
    """Return what pages with these numbers of marks say; 0 stands for a page without text."""
    return [text_of(number) if number else "" for number in numbers]


def check_accounts(
    folder: Path,
    sheets: Sequence[Sheet],
    *,
    left_out: Collection[str] = (),
    replaced: Collection[str] = (),
    on_success: str = "archive",
) -> None:
    """Fail if something is lost, doubled or half done in the folders of a daemon that does not run."""
    differences = settle_accounts(
        Places(folder, folder), sheets, left_out=left_out, replaced=replaced, on_success=on_success
    )
    assert not differences, str(differences)


def stop(daemon: DaemonProcess) -> None:
    """Stop it, and check that it had no fault of its own."""
    assert daemon.stop() == FINE
    assert not daemon.events("scan.failed")
    assert not daemon.events("daemon.failed")
    assert not daemon.complaints
