"""Determines the state of one scan from folders, ledger and status."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ocrwatch.commands.why.result_files import files_of, text_of, with_presence
from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.delivery.duplicates import CODE
from ocrwatch.delivery.field_lists import is_list
from ocrwatch.document import Review
from ocrwatch.errors import ASK_ITS_USER, Damaged, EnvironmentFault, Truncated, environment_fault
from ocrwatch.group_membership import remedy_for_reader
from ocrwatch.housekeeping.archive_check import REMEDY, REWRITTEN
from ocrwatch.intake.completeness import Completeness
from ocrwatch.intake.ignore_rules import NameCheck, kind_ignored, name_ignored
from ocrwatch.intake.opener import probe
from ocrwatch.intake.readiness import ReadinessTracker
from ocrwatch.ledger import Entry, facts_key
from ocrwatch.log import printable
from ocrwatch.observe.status import INCOMPLETE, BeingRead, Incomplete, Resting, Status, isoformat
from ocrwatch.observe.status_documents import FileBeingRead
from ocrwatch.quarantine.reason_file import REASON, reason_beside
from ocrwatch.recipe import REMOTE
from ocrwatch.settings import Settings
from ocrwatch.storage.files import display_path, facts_of

_CLOSED = frozenset({"delivered", "quarantined", "changed"})
_MOST_TOLD = 20
_DAMAGE = frozenset({Damaged.code, Truncated.code})
"""Faults that are not final immediately: the writer may still be writing."""

_WAITS_FOR_ENGINE = frozenset({"queued", "settling", "retrying"})

_FORGOTTEN = "for a reason that is not known any more"
_CLOSED_FOLDER = f"if this is ocrwatch's user, let it read and enter that folder; if not, {ASK_ITS_USER}"


@dataclass(frozen=True, slots=True)
class Past:
    """Earlier result of the scan, or of another of its name."""

    state: str
    at: str
    code: str | None
    reason: str | None
    files: list[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """State of one scan. Times are ISO 8601, UTC."""

    path: str
    """In the inbox; of a document, in the outbox without an ending."""
    state: str
    """``ignored``, ``reading``, ``retrying``, ``blocked``, ``queued``, ``incomplete``, ``settling``,
    ``delivering``, ``delivered``, ``duplicate``, ``quarantined``, ``changed``, ``document`` (a file of a document of
    several pages) or ``unknown``."""
    says: str
    remedy: str = ""
    since: str | None = None
    next_try: str | None = None
    position: int | None = None
    """In the queue, from 1."""
    worker: int | None = None
    attempts: int | None = None
    code: str | None = None
    files: list[str] = field(default_factory=list)
    """Absolute paths of its results."""
    review: list[str] = field(default_factory=list)
    """Why its text was marked for review."""
    reviewed_at: str | None = None
    """When it was reviewed; None while it waits."""
    before: list[Past] = field(default_factory=list)
    """The newest first."""
    replaced_by: str | None = None
    """Of a document: the one that was written anew with pages that it lacks, as :attr:`path`; None if there is none."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Sources of the answer."""

    settings: Settings
    status: Status | None
    """Status of a running daemon, None if none runs."""
    at: Callable[[str], str]
    """Renders a time for people."""


def answer(sources: Sources, path: str, rows: Sequence[Entry]) -> Answer:
    """Explain the state of the scan at ``path`` in the inbox.

    ``rows`` are the ledger's, oldest first. Raises :class:`EnvironmentFault` if the inbox cannot be read.
    """
    found = _with_services(sources, path, _now(sources, path, rows))
    told = rows[-1:] if rows and _end_of(rows[-1]) == found.state else []
    before = [_past(sources.settings, row) for row in reversed(rows) if row.state in _CLOSED and row not in told]
    return replace(found, path=display_path(path), before=before[:_MOST_TOLD])


def _with_services(sources: Sources, path: str, found: Answer) -> Answer:
    """Add which services the scan waits for, if all of its engines are services that are not available."""
    if sources.status is None or found.state not in _WAITS_FOR_ENGINE:
        return found
    engines = sources.settings.for_path(path).ocr.engine
    paused = {f"{REMOTE}{one.name}": one for one in sources.status.services if one.paused_since is not None}
    if not set(engines) <= set(paused):
        return found
    # The first that is tried again.
    service = min((paused[engine] for engine in engines), key=lambda one: one.next_try or "")
    since = f"has not been available since {sources.at(service.paused_since or '')}"
    next_try = "" if service.next_try is None else f"; it is tried again at {sources.at(service.next_try)}"
    says = (
        f"{found.says} It waits for the service {service.name}, which {since}: {printable(service.reason)}{next_try}."
    )
    remedy = found.remedy or printable(service.remedy)
    return replace(found, says=says, remedy=remedy, next_try=found.next_try or service.next_try)


def _now(sources: Sources, path: str, rows: Sequence[Entry]) -> Answer:
    last = rows[-1] if rows else None
    there, *odd = _look(sources.settings.inbox, path)
    unwanted = _unwanted(sources.settings, path, is_there=there is not None and not odd[0])
    reason, remedy = unwanted if there is not None and not odd[0] else odd
    if reason:
        return Answer(path, "ignored", f"is ignored: {reason}.", remedy)
    if there is not None and last is not None and last.facts == facts_key(facts_of(there)):
        if last.state == "delivered":
            return _done(sources, last)
        if last.state == "quarantined" and last.plan is not None and Plan.from_json(last.plan).stays:
            return _quarantined(sources, last)
    found = _told_by_daemon(sources, path) or _by_record(sources, path, last, is_there=there is not None)
    if found is not None:
        return found
    why = f" A file of this name would be ignored: {unwanted[0]}." if unwanted[0] else ""
    return Answer(path, "unknown", f"is not in the inbox, and nothing is known of it.{why}", unwanted[1])


def _unwanted(settings: Settings, path: str, *, is_there: bool) -> tuple[str, str]:
    """Return why the rules ignore a file, and the remedy.

    The content of an existing file counts as well.
    """
    watch = settings.watch
    if is_there:
        check = NameCheck(settings.inbox, watch.include, watch.exclude, recursive=watch.recursive)
        return check.judge(path)
    return name_ignored(path, watch.include, watch.exclude, recursive=watch.recursive)


def _look(inbox: Path, path: str) -> tuple[os.stat_result | None, str, str]:
    try:
        return kind_ignored(inbox, path)
    except PermissionError as error:
        if not os.access(inbox, os.R_OK | os.X_OK):
            raise environment_fault(error, f"cannot look into the inbox {inbox}", closed=ASK_ITS_USER) from error
        parent = printable(os.fspath(inbox / path.rpartition("/")[0]))
        return None, f"this user may not look into its folder {parent}", _CLOSED_FOLDER
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        remedy = "see ocrwatch doctor"
        if isinstance(error, PermissionError):
            remedy = remedy_for_reader(inbox / path, remedy)
        raise EnvironmentFault(f"cannot look into the inbox {inbox} ({reason})", remedy) from error


def _by_record(sources: Sources, path: str, last: Entry | None, *, is_there: bool) -> Answer | None:
    """Explain a scan that is not in the daemon's status, by its last row and its file."""
    if last is not None and last.state not in _CLOSED:
        return _open(sources, last, is_there=is_there)
    if is_there:
        return _waiting(sources, path)
    if last is None:
        return None
    return {"delivered": _done, "quarantined": _quarantined, "changed": _gone}[last.state](sources, last)


def _told_by_daemon(sources: Sources, path: str) -> Answer | None:
    """Return the daemon's answer for a scan in work."""
    status, shown = sources.status, display_path(path)
    if status is None:
        return None
    told = [
        *(_file_being_read(sources, one, status) for one in status.files if one.path == shown),
        *(_being_read(sources, one) for one in status.being_read if one.path == shown),
        *(_resting(sources, one) for one in status.resting if one.path == shown),
        *(_incomplete(sources, one) for one in status.incomplete if one.path == shown),
    ]
    if told:
        return told[0]
    if shown in status.delivering:
        return Answer(path, "delivering", "was read; its results are being delivered.")
    if shown in status.queue:
        position = status.queue.index(shown) + 1
        return Answer(path, "queued", f"is complete, and {ordinal(position)} in the queue.", position=position)
    return None


def _file_being_read(sources: Sources, one: FileBeingRead, status: Status) -> Answer:
    pages = [str(page.page) for page in status.being_read if page.path == one.path and page.page is not None]
    now = f"; now page{'s' * (len(pages) > 1)} {' and '.join(pages)}" if pages else ""
    says = f"is being read since {sources.at(one.since)}: {one.page_counts}{now}."
    return Answer(one.path, "reading", says, since=one.since)


def _being_read(sources: Sources, one: BeingRead) -> Answer:
    attempt = f", in its attempt {one.attempt}" if one.attempt > 1 else ""
    page = "" if one.page is None else f", now page {one.page},"
    says = f"is being read{page} by worker {one.worker} since {sources.at(one.since)}{attempt}."
    return Answer(one.path, "reading", says, since=one.since, worker=one.worker, attempts=one.attempt)


def _resting(sources: Sources, rest: Resting) -> Answer:
    when = sources.at(rest.next_try)
    if rest.is_blocked:
        says = f"is blocked: {printable(rest.reason)}. Next tried at {when}."
        return Answer(rest.path, "blocked", says, printable(rest.remedy), next_try=rest.next_try, code=rest.code)
    says = f"failed {_times(rest.attempts)} ({printable(rest.reason)}); next tried at {when}."
    return Answer(rest.path, "retrying", says, next_try=rest.next_try, attempts=rest.attempts, code=rest.code)


def _incomplete(sources: Sources, item: Incomplete) -> Answer:
    since, settle = sources.at(item.since), sources.settings.settle
    tracker = ReadinessTracker(settle.stable_for, settle.stable_for_closed, settle.give_up_after)
    patience = f"{tracker.patience_for(item.reason):g} s"
    if item.reason == "growing":
        says = f"is still being written: it last changed at {since}. It is read when it is complete."
    elif item.reason == "unreadable":
        says = f"cannot be read by the user that ocrwatch runs as, since {since}."
        return Answer(item.path, "incomplete", says, "let that user read it", since=item.since, code=item.reason)
    elif item.until is not None:
        says = (
            f"was read and found damaged: {printable(item.detail)}. Its writer may not have finished: it is read again "
            f"when it changes, and {item.end} at {sources.at(item.until)} if it does not; it last changed at {since}."
        )
    else:
        fate = f"quarantined when it has not changed for {patience}"
        if item.reason == "incomplete":
            # A worker can find out whether only the end marker is missing.
            fate = f"when it has not changed for {patience}, if only its end marker is missing; else it is quarantined"
        says = (
            f"is not complete: {INCOMPLETE.get(item.reason, item.reason)}. It is read when it is complete, and {fate}; "
            f"it last changed at {since}."
        )
    return Answer(item.path, "incomplete", says, since=item.since, code=item.reason)


def _open(sources: Sources, row: Entry, *, is_there: bool) -> Answer:
    """Explain a scan that is open in the ledger, but not in work in the daemon."""
    stands = "" if sources.status is not None else " No ocrwatch runs here: start it."
    at = isoformat(row.updated_at)
    if row.state in {"planned", "published"}:
        says = f"was read; its text and its original are being delivered since {sources.at(at)}.{stands}"
        return Answer(row.path, "delivering", says, since=at)
    if row.state == "retrying" and (row.attempts or row.deaths):
        next_try = isoformat(row.not_before)
        when = (
            "as soon as it runs" if sources.status is None and row.not_before <= time.time() else sources.at(next_try)
        )
        how = f"failed {_times(row.attempts)}" if row.attempts else f"was not read {_times(row.deaths)}"
        says = f"{how} ({printable(row.reason or '')}); next tried at {when}.{stands}"
        return Answer(row.path, "retrying", says, next_try=next_try, attempts=row.attempts, code=row.code)
    if not is_there:
        return Answer(
            row.path, "changed", f"was taken out of the inbox before it was read; it was last seen {sources.at(at)}."
        )
    waiting = _waiting(sources, row.path)
    if row.code not in _DAMAGE or waiting.state not in {"queued", "settling"}:
        return waiting
    found = f" It was read at {sources.at(at)} and found damaged: {printable(row.reason or '')}; it is read again."
    return replace(waiting, says=waiting.says + found, code=row.code)


def _waiting(sources: Sources, path: str) -> Answer:
    """Explain a scan in the inbox that is not in the daemon's status, by its file."""
    found = probe(sources.settings.inbox, path)
    if found is None:
        return Answer(path, "changed", "has just been removed from the inbox.")
    changed = isoformat(found.facts.mtime_ns / 1e9) if 0 <= found.facts.mtime_ns < 2**62 else None
    if found.state is not Completeness.WHOLE:
        what = "unreadable" if found.state is None else found.state.value
        seen = Incomplete(path, what, changed or isoformat(time.time()))
        said = _incomplete(sources, seen)
        if sources.status is None:
            return replace(said, says=f"{said.says} No ocrwatch runs here: start it.")
        return said
    status = sources.status
    if status is None:
        return Answer(path, "queued", "is complete and waits in the inbox: no ocrwatch runs here.", "start it")
    if status.more or status.queued > len(status.queue):
        behind = status.queued + len(status.being_read)
        return Answer(path, "queued", f"is complete, and waits behind at least {len(status.queue)} of {behind} others.")
    return Answer(path, "settling", "is complete, and is read as soon as it has not changed for a moment.")


def _duplicate(sources: Sources, row: Entry) -> Answer:
    """Explain a duplicate, which was not delivered (``intake.duplicates``)."""
    at, files = isoformat(row.updated_at), files_of(sources.settings, row)
    fate = None if row.plan is None else Plan.from_json(row.plan).fate
    became = {
        "keep": "it stays in the inbox",
        "archive": f"it was put into the archive at {sources.at(at)}: {with_presence(files)}",
        "delete": f"it was deleted at {sources.at(at)}",
    }.get(fate or "", "it was not delivered")
    says = f"is a duplicate: {printable(row.reason or '')} in the outbox; {became}."
    remedy = "to have its text written once more, set intake.duplicates to deliver, and put it into the inbox again"
    answer = Answer(row.path, "duplicate", says, remedy, since=at, attempts=row.attempts, code=row.code, files=files)
    return answer if row.review is None else _with_review(sources, row, row.review, answer)


def _done(sources: Sources, row: Entry) -> Answer:
    if row.code == CODE:
        return _duplicate(sources, row)
    at = isoformat(row.updated_at)
    files = files_of(sources.settings, row)
    plan = None if row.plan is None else Plan.from_json(row.plan)
    texts = [name for name in files if Path(name).is_relative_to(sources.settings.outbox)]
    says = f"was read at {sources.at(at)}; its text is {with_presence(texts)}"
    originals = [name for name in files if name not in texts]
    if plan is None or (plan.fate == "archive" and (originals or not plan.waits_for_document)):
        says += f", the original {with_presence(originals)}"
    elif plan.fate == "keep":
        says += ", the original stays in the inbox"
    else:
        says += ", the original was deleted"
    done = Answer(row.path, "delivered", f"{says}.", since=at, attempts=row.attempts, files=files)
    return done if row.review is None else _with_review(sources, row, row.review, done)


def _with_review(sources: Sources, row: Entry, review: Review, done: Answer) -> Answer:
    """Add why a page is marked for review, and when or how it is reviewed."""
    reasons = ", ".join(review.reasons)
    marked = replace(done, review=list(review.reasons))
    if row.reviewed_at is not None:
        at = isoformat(row.reviewed_at)
        says = f"{done.says} It was marked for review ({reasons}), and was reviewed at {sources.at(at)}."
        return replace(marked, says=says, reviewed_at=at)
    first = REMEDY if REWRITTEN in review.reasons else "look at the text"
    return replace(
        marked,
        says=f"{done.says} It is marked for review: {reasons}.",
        remedy=f"{first}, then mark it as reviewed: {command_to_mark(sources.settings, row)}",
    )


def command_to_mark(settings: Settings, row: Entry) -> str:
    """Return the command that marks a page as reviewed."""
    return f"ocrwatch review --done {shlex.quote(printable(text_of(settings, row) or row.path))}"


def _quarantined(sources: Sources, row: Entry) -> Answer:
    at, files = isoformat(row.updated_at), files_of(sources.settings, row)
    originals = [name for name in files if not name.endswith(REASON)]
    stays = row.plan is not None and Plan.from_json(row.plan).stays
    says = (
        f"could not be read: {printable(row.reason or _FORGOTTEN)}. "
        f"{'A copy' if stays else 'It'} was put into the quarantine at {sources.at(at)}: {with_presence(originals)}."
        f"{' It stays in the inbox, because it may not be moved.' if stays else ''}"
    )
    remedy = _to_try_again(originals[0], stays=stays) if originals and os.path.lexists(originals[0]) else ""
    return Answer(row.path, "quarantined", says, remedy, since=at, attempts=row.attempts, code=row.code, files=files)


def _to_try_again(original: str, *, stays: bool = False) -> str:
    reason = reason_beside(Path(original))
    mended = printable((reason and reason.remedy) or "")
    # No file can be moved back to a read-only inbox.
    again = "to read it by hand: ocrwatch read" if stays else "to retry it: ocrwatch retry"
    return f"{mended}{'; ' if mended else ''}{again} {printable(original)}"


def answer_by_reason(sources: Sources, file: Path) -> Answer | None:
    """Explain a quarantined file by its reason.

    For scans that the ledger does not know (any more).
    """
    for place in (Path.cwd() / file, sources.settings.quarantine / file):
        original = place.with_name(place.name.removesuffix(REASON))
        reason = reason_beside(original)
        if reason and original.parent.resolve().is_relative_to(sources.settings.quarantine.resolve()):
            return Answer(
                reason.path or original.name,
                "quarantined",
                f"could not be read: {printable(reason.reason or _FORGOTTEN)}. It is in the quarantine: "
                f"{with_presence([str(original)])}.",
                _to_try_again(str(original)),
                since=reason.quarantined_at,
                attempts=reason.attempts,
                code=reason.code,
                files=[str(original)],
            )
    return None


def answer_by_list(sources: Sources, file: Path) -> Answer | None:
    """Explain a list of fields in the outbox."""
    for place in (Path.cwd() / file, sources.settings.outbox / file):
        if (
            is_list(place.name)
            and place.is_file()
            and place.resolve().is_relative_to(sources.settings.outbox.resolve())
        ):
            says = "is no scan: ocrwatch lists in it the fields of the scans whose text is in its folder."
            return Answer(os.fspath(file), "ignored", says)
    return None


def _gone(sources: Sources, row: Entry) -> Answer:
    at = isoformat(row.updated_at)
    reason = printable(row.reason or "it was changed, or taken out of the inbox")
    return Answer(
        row.path, "changed", f"is no longer in the inbox, and was not read: {reason} ({sources.at(at)}).", since=at
    )


def _end_of(row: Entry) -> str:
    return "duplicate" if row.code == CODE else row.state


def _past(settings: Settings, row: Entry) -> Past:
    return Past(
        _end_of(row), isoformat(row.updated_at), row.code, row.reason, list(map(display_path, files_of(settings, row)))
    )


def _times(attempts: int) -> str:
    return {1: "once", 2: "twice"}.get(attempts, f"{attempts} times")


def ordinal(number: int) -> str:
    """Render an ordinal number: 1st, 2nd, 3rd, 4th, 11th, 21st."""
    teens = 10 < number % 100 < 20  # noqa: PLR2004 - these have "th"
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
