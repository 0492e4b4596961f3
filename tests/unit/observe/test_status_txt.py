"""STATUS.txt: what it says, and whose files it leaves alone."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from ocrwatch.observe import status_txt
from ocrwatch.observe.status import (
    Delivery,
    Failure,
    Incomplete,
    NotReadFile,
    PauseStatus,
    ServiceStatus,
    ToReview,
    isoformat,
)
from ocrwatch.observe.status_documents import OpenDocument, WrittenDocument
from ocrwatch.observe.status_txt import first_line, is_note, post, temporary_name, text_of
from ocrwatch.storage.files import folder
from tests.unit.observe.statuses import status

ZONE = timezone(timedelta(hours=1), "CET")
INBOX = Path("/srv/inbox")
TEMPORARY = temporary_name(INBOX)
TEXT = text_of(status(), ZONE)


def put_note(outbox: Path, text: str = TEXT, *, inbox: Path = INBOX, mode: int | None = None) -> None:
    """Post a note as the daemon does."""
    post(outbox, inbox, text, mode=mode, group=None)


def names(folder: Path) -> set[str]:
    """Return what lies in a folder, hidden files too."""
    return {path.name for path in folder.iterdir()}


def test_it_says_what_is_done_since_when_in_local_time() -> None:
    """State, counts and the last texts, newest first, with the zone beside each time."""
    text = text_of(
        status(
            state="working",
            waiting=3,
            in_work=["a.jpg"],
            oldest_waiting_since=isoformat(3600),
            deliveries=[
                Delivery("1.jpg", ["1.txt"], isoformat(60)),
                Delivery("2.jpg", ["2.json", "2.txt"], isoformat(120)),
            ],
            failures=[Failure("bad.jpg", "damaged", "it is damaged", isoformat(180))],
            incomplete=[
                Incomplete("half.jpg", "incomplete", isoformat(240)),
                Incomplete("hole.jpg", "damaged", isoformat(240), "a part\n is missing", isoformat(840)),
                Incomplete("fax.tif", "damaged", isoformat(240), "a part is missing", isoformat(840), has_pages=True),
            ],
        ),
        ZONE,
    )
    lines = text.splitlines()
    assert lines[0] == first_line("/srv/inbox")
    assert "ocrwatch has been working since 1970-01-01 01:00 CET." in lines
    assert "Waiting or being read: 4, the first since 1970-01-01 02:00 CET" in lines
    assert lines.index("  1970-01-01 01:02 CET  2.json, 2.txt") < lines.index("  1970-01-01 01:01 CET  1.txt")
    assert "  1970-01-01 01:03 CET  bad.jpg: it is damaged" in lines
    assert "  half.jpg (it ends early; unchanged since 1970-01-01 01:04 CET)" in lines
    assert (
        "  hole.jpg (it is damaged, but may still be written: a part\\n is missing; quarantined at 1970-01-01 01:14 "
        "CET unless it changes; unchanged since 1970-01-01 01:04 CET)"
    ) in lines
    # Its other pages are delivered.
    assert "a part is missing; read as it is at 1970-01-01 01:14 CET unless it changes;" in text
    assert text.endswith("\n")


def test_what_waits_for_review_is_counted_and_named() -> None:
    """The newest five with the reasons; a line break in a name forges no line."""
    reviews = [ToReview(f"{number}\n.jpg", None, isoformat(60 * number), ["no text"]) for number in range(9)]
    lines = text_of(status(review_waiting=12, reviews=reviews), ZONE).splitlines()
    first = lines.index("To review: 12")
    assert lines[first + 1] == "  1970-01-01 01:08 CET  8\\n.jpg: no text"
    assert len([line for line in lines if line.endswith(": no text")]) == 5
    assert not any("review" in line for line in text_of(status(to_review=3), ZONE).splitlines())


def test_what_is_not_read_is_counted_and_named() -> None:
    """With the reason and what to do; a line break in a name forges no line."""
    some = [NotReadFile(f"{number}\n.pdf", "it is a PDF", "save JPEG") for number in range(7)]
    lines = text_of(status(not_read=12, not_read_files=some), ZONE).splitlines()
    first = lines.index("Not read: 12 files")
    assert lines[first + 1] == "  0\\n.pdf: it is a PDF; save JPEG"
    assert lines[first + 6] == "  and 7 more"
    assert "Not read: 1 file" in text_of(status(not_read=1, not_read_files=some[:1]), ZONE).splitlines()
    assert "Not read" not in text_of(status())


def test_documents_are_shown_until_they_are_written() -> None:
    """When each is complete, what it waits for, or that it is being written; a stopped ocrwatch completes none."""
    some = [
        OpenDocument("scan", "bills", 7, on_their_way=2, complete_at=isoformat(40)),
        OpenDocument("fax\n", "", 3, missing=1, waits_for="waits for fax_4.jpg: it ends early"),
        OpenDocument("big", "", 2, waits_for="waits: the outbox is full", remedy="free some space"),
        OpenDocument("now", "", 1),
    ]
    lines = text_of(status(documents=some, documents_open=9), ZONE).splitlines()
    first = lines.index("Documents being gathered: 9")
    assert lines[first + 1 : first + 6] == [
        "  bills/scan (7 pages, 2 of them on their way; complete at 01:00:40 CET if no further page comes)",
        "  fax\\n (3 pages, 1 missing; waits for fax_4.jpg: it ends early)",
        "  big (2 pages; waits: the outbox is full; free some space)",
        "  now (1 page; it is being written)",
        "  and 5 more",
    ]
    stopped = text_of(status(state="stopped", documents=some[:1], documents_open=1), ZONE)
    assert "it goes on when ocrwatch is started again)" in stopped
    assert "complete at" not in stopped


def test_documents_that_were_written_last() -> None:
    """Their files, newest first, how many pages they have and lack, and what each replaces; without any nothing."""
    some = [
        WrittenDocument("letter-2", "", ["letter-2.txt"], 2, isoformat(0), replaces="letter"),
        WrittenDocument("scan", "", ["scan.pdf", "scan.txt"], 12, isoformat(60), ["scan_007.jpg"]),
        WrittenDocument("fax", "sub", ["sub/fax.txt"], 1, isoformat(120)),
    ]
    lines = text_of(status(document_deliveries=some), ZONE).splitlines()
    first = lines.index("Documents of several pages written last:")
    assert lines[first + 1 : first + 4] == [
        "  1970-01-01 01:02 CET  sub/fax.txt (1 page)",
        "  1970-01-01 01:01 CET  scan.pdf, scan.txt (12 pages, 1 of them missing)",
        "  1970-01-01 01:00 CET  letter-2.txt (2 pages; use it instead of letter)",
    ]
    assert "Documents" not in text_of(status(), ZONE)


def test_a_pause_is_explained_with_what_to_do() -> None:
    """Why, since when, and the remedy of each cause."""
    text = text_of(
        status(
            state="paused",
            since=isoformat(500),
            paused=[
                PauseStatus("delivery", "the archive is full", "free some space", isoformat(120)),
                PauseStatus("inbox", "the inbox is gone", "mount it", isoformat(60)),
            ],
        ),
        ZONE,
    )
    assert "paused since 1970-01-01 01:01 CET" in text
    for words in ("the archive is full", "free some space", "the inbox is gone", "mount it", "No scan is lost"):
        assert words in text


@pytest.mark.parametrize("state", ["starting", "watching", "working", "stopping", "stopped"])
def test_every_state_is_explained(state: str) -> None:
    """Each state is named and has a sentence of its own."""
    lines = text_of(status(state=state), ZONE).splitlines()
    assert lines[2].startswith(f"ocrwatch has been {state} since ")
    assert lines[3].endswith(".")


def test_the_same_is_said_in_the_same_words() -> None:
    """Time that passes changes nothing, so that the file changes only when there is news."""
    one = status(waiting=1, oldest_waiting_s=1.0, oldest_waiting_since=isoformat(0), written=isoformat(60))
    assert text_of(one) == text_of(replace(one, oldest_waiting_s=99.0, written=isoformat(160)))


def test_names_cannot_forge_lines() -> None:
    """A line break in a name is shown as its escape."""
    text = text_of(status(deliveries=[Delivery("x", ["a\nocrwatch has been stopped.txt"], isoformat(0))]), ZONE)
    assert "\nocrwatch has been stopped" not in text


def test_it_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    """A second note takes the first one's place; what a killed run has left is taken along."""
    put_note(tmp_path)
    (tmp_path / TEMPORARY).write_text("half")
    put_note(tmp_path, TEXT + "more\n", mode=0o640)
    assert names(tmp_path) == {"STATUS.txt"}
    assert (tmp_path / "STATUS.txt").read_text().endswith("more\n")
    assert (tmp_path / "STATUS.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("content", ["", "my own notes\n", first_line("/srv/inbox")[:-1]])
def test_somebody_elses_file_is_left_alone(tmp_path: Path, content: str) -> None:
    """Neither a user's STATUS.txt nor a blank page's text is overwritten: the note gets the next name."""
    (tmp_path / "STATUS.txt").write_text(content)
    put_note(tmp_path)
    put_note(tmp_path, TEXT + "more\n")
    assert (tmp_path / "STATUS.txt").read_text() == content
    assert (tmp_path / "STATUS-2.txt").read_text() == TEXT + "more\n"
    assert names(tmp_path) == {"STATUS.txt", "STATUS-2.txt"}


def test_two_daemons_with_one_outbox_have_a_note_each(tmp_path: Path) -> None:
    """Neither overwrites the other's."""
    for _ in range(2):
        put_note(tmp_path)
        put_note(tmp_path, text_of(status(inbox="/other"), ZONE), inbox=Path("/other"))
    assert (tmp_path / "STATUS.txt").read_text().startswith(first_line("/srv/inbox"))
    assert (tmp_path / "STATUS-2.txt").read_text().startswith(first_line("/other"))
    assert names(tmp_path) == {"STATUS.txt", "STATUS-2.txt"}


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Links in the place of the note or of its unfinished file lead nowhere; a FIFO does not stop it."""
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    target = tmp_path / "target"
    target.write_text(first_line("/srv/inbox") + "\n")
    (outbox / "STATUS.txt").symlink_to(target)
    (outbox / TEMPORARY).symlink_to(target)
    os.mkfifo(outbox / "STATUS-2.txt")
    (outbox / "STATUS-3.txt").mkdir()
    put_note(outbox)
    assert target.read_text() == first_line("/srv/inbox") + "\n"
    assert (outbox / "STATUS.txt").is_symlink()
    assert (outbox / "STATUS-4.txt").read_text() == TEXT


def test_where_all_names_are_taken_nothing_is_written(tmp_path: Path) -> None:
    """It gives up rather than look for ever or overwrite."""
    for name in ("STATUS.txt", *(f"STATUS-{number}.txt" for number in range(2, 30))):
        (tmp_path / name).write_text("mine")
    before = names(tmp_path)
    with pytest.raises(OSError, match=r"STATUS\.txt"):
        put_note(tmp_path)
    assert names(tmp_path) == before


def test_a_folder_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    """An unmounted share is not written to in its place."""
    with pytest.raises(FileNotFoundError):
        put_note(tmp_path / "outbox")
    assert names(tmp_path) == set()


def test_a_note_is_told_from_a_text(tmp_path: Path) -> None:
    """Whoever looks for sidecars knows it, also another daemon's."""
    put_note(tmp_path, text_of(status(inbox="/other")), inbox=Path("/other"))
    (tmp_path / "a.txt").write_text("text")
    with folder(tmp_path) as directory:
        assert is_note(directory, "STATUS.txt")
        assert not is_note(directory, "a.txt")
        assert not is_note(directory, "missing.txt")


def test_a_bad_sector_under_the_note_does_not_make_a_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked into may be ours: it is tried again later."""
    put_note(tmp_path)

    def refused(*_: object) -> int:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(status_txt, "open_regular", refused)
        with pytest.raises(OSError, match="input/output"):
            put_note(tmp_path)
    assert names(tmp_path) == {"STATUS.txt"}


def test_an_unfinished_note_is_removed_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if a start that failed had left it, before the ledger was opened; two daemons do not share the name."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(status_txt, "rename_noreplace", refused)
        broken.setattr(status_txt, "remove", lambda *_: False)
        with pytest.raises(OSError, match="input/output"):
            put_note(tmp_path)
    assert names(tmp_path) == {TEMPORARY}
    assert temporary_name(Path("/srv/other")) != TEMPORARY
    put_note(tmp_path)
    assert names(tmp_path) == {"STATUS.txt"}


AWAY = ServiceStatus(
    "cloud", "https://o", 1, 2, paused_since=isoformat(0), reason="it answered 503", remedy="see it", next_try="later"
)


def test_a_service_that_is_not_available_is_no_pause() -> None:
    """What people put in is read, unless only the service could read it."""
    lines = text_of(status(services=[AWAY, ServiceStatus("gpu", "http://g")]), ZONE).splitlines()
    assert "ocrwatch has been watching since 1970-01-01 01:00 CET." in lines
    first = lines.index("The OCR service cloud has not been available since 1970-01-01 01:00 CET.")
    assert lines[first + 1 : first + 4] == [
        "  Why:        it answered 503",
        "  What to do: see it",
        "Scans that only it can read wait; all others are read.",
    ]
    assert not any("gpu" in line for line in lines)


def test_the_note_is_not_rewritten_at_each_try_of_a_service() -> None:
    """Neither counts of requests nor the time of the next try are in it."""
    later = replace(AWAY, refused=9, next_try="much later")
    assert text_of(status(services=[AWAY]), ZONE) == text_of(status(services=[later]), ZONE)


def test_if_nothing_is_read_for_want_of_services_it_is_said_once() -> None:
    """As any other pause."""
    paused = [PauseStatus("remote:cloud", "it answered 503", "see it", isoformat(0))]
    text = text_of(status(state="paused", paused=paused, services=[AWAY]), ZONE)
    assert text.count("it answered 503") == 1
    assert "ocrwatch has been paused since" in text
