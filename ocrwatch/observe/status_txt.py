"""Renders and writes ``STATUS.txt`` in the outbox, for users of the share."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

from ocrwatch.log import printable
from ocrwatch.observe.status import Status
from ocrwatch.observe.status_documents import OpenDocument, WrittenDocument
from ocrwatch.recipe import REMOTE
from ocrwatch.storage.files import (
    TEMPORARY_PREFIX,
    display_path,
    folder,
    open_regular,
    remove,
    rename_noreplace,
    status_of,
    write_durable,
)

NOTE_STEM: Final = "STATUS"
NOTE_ENDING: Final = "txt"

_MARK: Final = "ocrwatch writes this note about the scans in "
_MOST_NOTES: Final = 9
"""Number of names that are tried: ``STATUS.txt`` and the next ones may be files of others."""

_NO_FILE: Final = {errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.ENXIO}

_LAST_SHOWN: Final = 5
_FIRST_LINE_MAX: Final = 8192

_MEANING: Final = {
    "starting": "It reads in a moment.",
    "watching": "What is put into the inbox is read.",
    "working": "What is put into the inbox is read.",
    "stopping": "What it has not begun to read waits in the inbox until it is started again.",
    "stopped": "Nothing is read until it is started again; scans can be put into the inbox and wait there.",
}


def text_of(status: Status, zone: tzinfo | None = None) -> str:
    """Render the status in plain language.

    Times are those of ``zone``, the machine's if None. The same status gives the same text: it does not have the
    current time.
    """

    def local(at: str) -> str:
        return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M %Z}"

    return "\n".join([first_line(status.inbox), "", *_lines(status, local, zone), ""])


def first_line(inbox: str) -> str:
    """Return the line that identifies the file of this inbox's daemon."""
    return f"{_MARK}{printable(inbox)}; what you change here is lost."


def _lines(status: Status, local: Callable[[str], str], zone: tzinfo | None) -> Iterator[str]:
    if status.state == "paused" and status.paused:
        yield f"ocrwatch has been paused since {local(min(pause.since for pause in status.paused))}."
        for pause in status.paused:
            yield f"  Why:        {printable(pause.reason)}"
            yield f"  What to do: {printable(pause.remedy)}"
        yield "It goes on by itself when that is done. No scan is lost: all of them wait."
    else:
        yield f"ocrwatch has been {status.state} since {local(status.since)}."
        yield _MEANING.get(status.state, "")
        if status.state == "stopped":
            for pause in status.paused:
                yield f"  It lacked:  {printable(pause.reason)}"
                yield f"  What to do: {printable(pause.remedy)}"
    # A stopped daemon does not know the files in the inbox, and a starting one may not know them yet.
    if status.state != "stopped" and (status.state != "starting" or status.waiting):
        yield from _waiting(status, local)
    yield from _block(
        "Incomplete",
        [
            f"{printable(item.path)} ({printable(item.says(local))}; unchanged since {local(item.since)})"
            for item in status.incomplete
        ],
    )
    for held in status.blocked[:_LAST_SHOWN]:
        yield from ("", f"Blocked: {printable(held.names)}")
        yield f"  Why:        {printable(held.reason)}"
        yield f"  What to do: {printable(held.remedy)}"
    yield from _documents(status, zone)
    yield from _services(status, local)
    yield from _not_read(status)
    yield from _block(
        "Read last",
        [f"{local(item.at)}  {printable(', '.join(item.sidecars))}" for item in reversed(status.deliveries)],
    )
    yield from _block(
        "Documents of several pages written last",
        [_written(item, local) for item in reversed(status.document_deliveries)],
    )
    if status.review_waiting:
        yield from ("", f"To review: {status.review_waiting}")
        yield from (
            f"  {local(item.at)}  {printable(item.path)}: {printable(', '.join(item.reasons))}"
            for item in status.reviews[: -_LAST_SHOWN - 1 : -1]
        )
    yield from _block(
        "Could not be read, and put into the quarantine with the reason",
        [f"{local(item.at)}  {printable(item.path)}: {printable(item.reason)}" for item in reversed(status.failures)],
    )


def _waiting(status: Status, local: Callable[[str], str]) -> Iterator[str]:
    count = status.waiting + len(status.in_work)
    more = " or more" if status.more else ""
    since = f", the first since {local(status.oldest_waiting_since)}" if count and status.oldest_waiting_since else ""
    yield from ("", f"Waiting or being read: {count or 'nothing'}{more if count else ''}{since}")


def _documents(status: Status, zone: tzinfo | None) -> Iterator[str]:
    if not status.documents_open:
        return
    waits = "it goes on when ocrwatch is started again" if status.state == "stopped" else ""
    yield from ("", f"Documents being gathered: {status.documents_open:,}")
    yield from (
        f"  {printable(item.shown)} ({item.page_counts}; {waits or _progress(item, zone)})" for item in status.documents
    )
    if (more := status.documents_open - len(status.documents)) > 0:
        yield f"  and {more:,} more"


def _progress(document: OpenDocument, zone: tzinfo | None) -> str:
    if document.waits_for:
        return printable("; ".join(filter(None, (document.waits_for, document.remedy))))
    if document.complete_at is None:
        return "it is being written"
    # Not how long that is from now: the file would have to be replaced every second.
    at = datetime.fromisoformat(document.complete_at).astimezone(zone)
    return f"complete at {at:%H:%M:%S %Z} if no further page comes"


def _written(document: WrittenDocument, local: Callable[[str], str]) -> str:
    missing = f", {len(document.missing):,} of them missing" if document.missing else ""
    instead = f"; use it instead of {printable(document.replaces)}" if document.replaces else ""
    names = printable(", ".join(document.sidecars))
    return f"{local(document.at)}  {names} ({counted(document.pages, 'page')}{missing}{instead})"


def _services(status: Status, local: Callable[[str], str]) -> Iterator[str]:
    """Say which services are not available, unless that is why nothing is read."""
    told = {pause.cause for pause in status.paused}
    for service in status.services:
        if service.paused_since is not None and f"{REMOTE}{service.name}" not in told:
            yield ""
            yield f"The OCR service {service.name} has not been available since {local(service.paused_since)}."
            yield f"  Why:        {printable(service.reason)}"
            yield f"  What to do: {printable(service.remedy)}"
            yield "Scans that only it can read wait; all others are read."


def _not_read(status: Status) -> Iterator[str]:
    if not status.not_read:
        return
    yield from ("", f"Not read: {counted(status.not_read, 'file')}")
    shown = status.not_read_files[:_LAST_SHOWN]
    yield from (f"  {printable(item.path)}: {printable(item.reason)}; {printable(item.remedy)}" for item in shown)
    if status.not_read > len(shown):
        yield f"  and {status.not_read - len(shown):,} more"


def counted(number: int, what: str) -> str:
    """Render a number of things: ``1 file``, ``2 files``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _block(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"{title}:", *(f"  {line}" for line in lines[:_LAST_SHOWN]))
    if len(lines) > _LAST_SHOWN and title.startswith("Not"):
        yield f"  and {len(lines) - _LAST_SHOWN} more"


def post(outbox: Path, inbox: Path, text: str, *, mode: int | None, group: int | None) -> None:
    """Replace the file in ``outbox`` atomically, or create it; raises ``OSError``.

    No link is followed, and no file is replaced that is not the status file of the daemon on ``inbox``: if another file
    has the name, it gets the next one, ``STATUS-2.txt``. An unfinished file of an earlier run is removed.
    """
    temporary = temporary_name(inbox)
    with folder(outbox) as directory:
        name, is_ours = _place(directory, first_line(display_path(inbox)).encode())
        remove(directory, temporary)
        write_durable(directory, temporary, text.encode(), mode=mode, group=group)
        try:
            if is_ours:
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            else:
                rename_noreplace(directory, temporary, directory, name)
        except BaseException:
            remove(directory, temporary)
            raise


def temporary_name(inbox: Path) -> str:
    """Return the file's temporary name, the same in all runs on ``inbox``.

    It must not depend on the ledger, which a failed start could not open: nothing would remove its leftover.
    """
    return f"{TEMPORARY_PREFIX}{NOTE_STEM.lower()}-{hashlib.sha256(os.fsencode(inbox)).hexdigest()[:8]}.tmp"


def is_note(directory: int, name: str) -> bool:
    """Return whether a file in an open folder is the status file of an ocrwatch."""
    return _first_line_of(directory, name).startswith(_MARK.encode())


def _place(directory: int, mark: bytes) -> tuple[str, bool]:
    """Return the name of our file, or a free one, and whether it exists."""
    names = [f"{NOTE_STEM}.{NOTE_ENDING}"]
    names += [f"{NOTE_STEM}-{number}.{NOTE_ENDING}" for number in range(2, _MOST_NOTES + 1)]
    for name in names:
        if _first_line_of(directory, name) == mark:
            return name, True
    for name in names:
        if status_of(directory, name) is None:
            return name, False
    raise FileExistsError(names[0])


def _is_anothers(directory: int, name: str) -> bool:
    status = status_of(directory, name)
    return status is not None and status.st_uid != os.geteuid()


def _first_line_of(directory: int, name: str) -> bytes:
    """Return the first line of a regular file, empty if it is missing or unreadable.

    Raises ``OSError`` for other errors: our own file would be treated as another's.
    """
    try:
        descriptor = open_regular(directory, name)
    except OSError as error:
        if error.errno in _NO_FILE or (error.errno == errno.EACCES and _is_anothers(directory, name)):
            return b""
        raise
    try:
        return os.pread(descriptor, _FIRST_LINE_MAX, 0).partition(b"\n")[0]
    finally:
        os.close(descriptor)
