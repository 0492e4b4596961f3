"""A new ledger learns from the folders what the old one knew, and no scan is lost over it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ocrwatch.delivery.chosen_names import Plan
from ocrwatch.delivery.originals import claimed_name
from ocrwatch.housekeeping.ledger_rebuild import _Sidecars, rebuild, restore_forgotten
from ocrwatch.ledger import Ledger
from ocrwatch.observe.status_txt import first_line
from ocrwatch.render.joining.base import Document, DocumentPage, Missing, SourceFile
from ocrwatch.render.joining.joined_json import JoinedJson
from ocrwatch.settings import Settings, Watch
from ocrwatch.storage.files import facts_of
from tests.other_formats import installed

DATA = b"\xff\xd8 a scan"
LONG_AGO = 1_000_000_000


class House:
    """The daemon's folders, and a ledger that replaces a damaged one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("inbox", "outbox", "archive", "quarantine", "state"):
            (root / name).mkdir()
        former = Ledger(root / "state")
        self.former = former.token
        former.close()
        with (root / "state" / "ledger.db").open("r+b") as file:
            file.write(bytes(100))
        with capture_logs():
            self.ledger = Ledger(root / "state")

    def settings(self, **changes: object) -> Settings:
        """Return settings with these folders."""
        places = {name: self.root / name for name in ("inbox", "outbox", "archive", "quarantine", "state")}
        return Settings.model_validate({**places, **changes})

    def put(self, path: str, data: bytes = DATA) -> Path:
        """Write a file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return place

    def files(self) -> set[str]:
        """Return all files outside the state folder."""
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}
        return {name for name in found if not name.startswith("state/")}

    def sidecar(self, path: str, data: bytes = DATA) -> Path:
        """Write a JSON sidecar for these bytes."""
        source = {"path": "any", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return self.put(path, json.dumps({"source": source}).encode())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Make the folders."""
    house = House(tmp_path)
    yield house
    house.ledger.close()


def kept(house: House) -> set[str]:
    """Return the scans that are known to stay in the inbox."""
    return {path for path, _ in house.ledger.kept()}


def test_an_original_that_was_set_aside_is_shown_again(house: House) -> None:
    """Whichever ledger it belonged to, it is in the inbox under a name that is a scan's, and nothing is overwritten."""
    house.put(f"inbox/.ocrwatch-{house.former}-17-0123456789abcdef.read.tmp", b"one")
    house.put("inbox/sub/.ocrwatch-0123abcd-17.read.tmp", b"two")
    house.put("inbox/sub/recovered-17.jpg", b"three")
    with capture_logs() as log:
        rebuild(house.settings(), house.ledger)
    assert house.files() == {"inbox/recovered-17.jpg", "inbox/sub/recovered-17.jpg", "inbox/sub/recovered-17-2.jpg"}
    assert (house.root / "inbox/sub/recovered-17-2.jpg").read_bytes() == b"two"
    (event,) = log
    assert event["event"] == "ledger.rebuilt"
    assert sorted(event["restored"]) == ["recovered-17.jpg", "sub/recovered-17-2.jpg"]
    assert house.ledger.to_rebuild() is None


def test_it_gets_an_ending_that_is_read(house: House) -> None:
    """Where only other names are scans, it gets one of those."""
    house.put(f"inbox/.ocrwatch-{house.former}-17.read.tmp")
    rebuild(house.settings(watch=Watch(include=("fax*", "*.JPEG"))), house.ledger)
    assert house.files() == {"inbox/recovered-17.JPEG"}


def test_an_original_that_still_has_its_name_is_not_doubled(house: House) -> None:
    """Where a rename is a link and an unlink, a kill between the two leaves two names of one file."""
    os.link(house.put("inbox/a.jpg"), house.root / f"inbox/.ocrwatch-{house.former}-17.read.tmp")
    rebuild(house.settings(), house.ledger)
    assert house.files() == {"inbox/a.jpg"}


def test_only_our_own_unfinished_files_are_removed(house: House) -> None:
    """Another daemon may be writing to the same outbox at this moment."""
    for folder in ("outbox", "outbox/sub", "quarantine", "archive"):
        house.put(f"{folder}/.ocrwatch-{house.former}-3.txt.tmp")
    others = {"outbox/.ocrwatch-0123abcd-3.txt.tmp", "outbox/a.txt", "outbox/.ocrwatch-x.tmp"}
    for name in others:
        house.put(name)
    with capture_logs() as log:
        rebuild(house.settings(), house.ledger)
    assert house.files() == others
    assert log[0]["removed"] == 4


def test_unfinished_files_of_documents_are_removed(house: House) -> None:
    """Those of the damaged ledger: nothing else would remove them from the outbox."""
    house.put(f"outbox/sub/.ocrwatch-{house.former}-document3.alto.xml.tmp")
    house.put("outbox/.ocrwatch-0123abcd-document3.txt.tmp")
    rebuild(house.settings(), house.ledger)
    assert house.files() == {"outbox/.ocrwatch-0123abcd-document3.txt.tmp"}


@pytest.mark.parametrize("schema", [True, False])
def test_the_files_of_a_document_are_no_scans(house: House, *, schema: bool) -> None:
    """A scan with the name of a document is read: neither the document's JSON nor its text are taken for its own."""
    scan = house.put("inbox/scan.jpg")
    os.utime(scan, (LONG_AGO, LONG_AGO))
    pages = [{"number": 1, "path": "scan_1.jpg", "sha256": hashlib.sha256(DATA).hexdigest(), "missing": None}]
    if schema:
        house.put("outbox/scan.json", json.dumps({"schema": "ocrwatch.document/1", "pages": pages}).encode())
    newer = scan.stat().st_ctime_ns + 10**9
    text = house.put("outbox/scan.txt", b"one\n\ftwo\n")
    os.utime(text, ns=(newer, newer))
    rebuild(house.settings(on_success="keep"), house.ledger)
    assert kept(house) == set()
    # Without a page break it would be the scan's.
    if not schema:
        text.write_bytes(b"one\n")
        os.utime(text, ns=(newer, newer))
        assert _Sidecars(house.root / "outbox").of("scan.jpg", os.open(scan, os.O_RDONLY), ("txt",)) is not None


def test_links_are_not_followed(house: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever writes to an inbox cannot have files elsewhere renamed or removed."""
    outside = tmp_path_factory.mktemp("outside")
    name = f".ocrwatch-{house.former}-3.read.tmp"
    (outside / name).write_bytes(DATA)
    (house.root / "inbox/link").symlink_to(outside)
    (house.root / "outbox/link").symlink_to(outside)
    (house.root / "inbox" / name).symlink_to(outside / name)
    rebuild(house.settings(), house.ledger)
    assert (outside / name).exists()
    assert (house.root / "inbox" / name).is_symlink()


def test_scans_that_stay_are_known_by_their_json_sidecars(house: House) -> None:
    """The hash decides, under whichever number; a sidecar of other bytes says nothing."""
    for name in ("a.jpg", "sub/b.jpg", "c.jpg", "d.jpg", "e.jpg"):
        house.put(f"inbox/{name}", DATA + name.encode())
    house.sidecar("outbox/a.json", DATA + b"a.jpg")
    house.sidecar("outbox/sub/b.json", DATA + b"an older b")
    house.sidecar("outbox/sub/b-2.json", DATA + b"sub/b.jpg")
    house.sidecar("outbox/c.json", DATA + b"x.jpg")
    house.put("outbox/d.json", b"[1, 2")
    house.put("outbox/d.txt")
    rebuild(house.settings(on_success="keep"), house.ledger)
    assert kept(house) == {"a.jpg", "sub/b.jpg"}
    assert house.ledger.was_done("a.jpg", hashlib.sha256(DATA + b"a.jpg").hexdigest())


@pytest.mark.parametrize("data", [DATA, b"of another file"])
def test_a_file_with_pages_that_stays_is_known_by_the_head_of_its_json(house: House, data: bytes) -> None:
    """Its pages are not looked at: there may be more of them than the memory holds."""
    house.put("inbox/fax.tif")
    source = SourceFile("fax.tif", len(data), hashlib.sha256(data).hexdigest())
    page = DocumentPage("fax.tif", source.sha256, {}, Missing("damaged", "torn"))
    made = io.BytesIO()
    JoinedJson().join(Document("fax", "", "file", ("torn",), (page,), (), source), made)
    house.put("outbox/fax.json", made.getvalue()[:-10])
    house.put("outbox/fax.txt", b"one\n\ftwo\n")
    rebuild(house.settings(on_success="keep"), house.ledger)
    assert kept(house) == ({"fax.tif"} if data == DATA else set())


def test_scans_that_stay_are_known_by_newer_texts(house: House) -> None:
    """Where there is only a text, it must be newer than the scan, and no text counts for two scans."""
    for name in ("a.jpg", "a.jpeg", "b.jpg"):
        house.put(f"inbox/{name}")
    house.put("outbox/a.txt")
    os.utime(house.put("outbox/b.txt"), (LONG_AGO, LONG_AGO))
    rebuild(house.settings(on_success="keep"), house.ledger)
    assert len(kept(house)) == 1
    assert kept(house) < {"a.jpg", "a.jpeg"}


def test_scans_that_stay_are_known_with_formats_of_other_packages(house: House, tmp_path: Path) -> None:
    """A third sidecar counts in the numbering, and alone if it is the last that is wanted; the hash still decides."""
    for name in ("a.jpg", "b.jpg", "c.jpg", "only/d.jpg", "only/e.jpg"):
        house.put(f"inbox/{name}", DATA + name.encode())
    # An earlier a.jpg, whose text was fetched; this one's is the second.
    os.utime(house.put("outbox/a.marks.csv"), (LONG_AGO, LONG_AGO))
    house.sidecar("outbox/a-2.json", DATA + b"a.jpg")
    # Killed before its text was there.
    house.put("outbox/b.marks.csv")
    house.sidecar("outbox/c.json", DATA + b"an older c")
    house.put("outbox/c.marks.csv")
    house.put("outbox/only/d.marks.csv")
    os.utime(house.put("outbox/only/e.marks.csv"), (LONG_AGO, LONG_AGO))
    with installed(tmp_path / "packages", "marks"):
        settings = house.settings(
            on_success="keep",
            output={"formats": ["json", "marks", "txt"]},
            profiles=[{"match": "only/*", "output": {"formats": ["marks"]}}],
        )
        rebuild(settings, house.ledger)
    assert kept(house) == {"a.jpg", "only/d.jpg"}


def test_unfinished_sidecars_of_a_format_that_is_gone_are_removed(house: House) -> None:
    """A ledger that is lost with its memory of endings does not keep them from being found."""
    house.put(f"outbox/.ocrwatch-{house.former}-3.alto.xml.tmp")
    house.put(f"outbox/sub/.ocrwatch-{house.former}-4.txt.tmp")
    rebuild(house.settings(), house.ledger)
    assert house.files() == set()


def test_scans_that_are_to_be_archived_are_read_again(house: House) -> None:
    """A second sidecar is better than a scan that stays in the inbox for ever."""
    house.put("inbox/a.jpg")
    house.put("outbox/a.txt")
    rebuild(house.settings(), house.ledger)
    assert kept(house) == set()
    assert house.files() == {"inbox/a.jpg", "outbox/a.txt"}


def test_it_is_done_once(house: House) -> None:
    """What lies in the folders later is not taken for an earlier run's."""
    with capture_logs() as log:
        rebuild(house.settings(), house.ledger)
        assert len(log) == 1
        house.put(f"inbox/.ocrwatch-{house.former}-17.read.tmp")
        rebuild(house.settings(), house.ledger)
    assert len(log) == 1
    assert house.files() == {f"inbox/.ocrwatch-{house.former}-17.read.tmp"}


def test_a_first_start_says_nothing(tmp_path: Path) -> None:
    """There was nothing to rebuild from, and nothing damaged."""
    (tmp_path / "inbox").mkdir()
    ledger = Ledger(tmp_path)
    settings = Settings(inbox=tmp_path / "inbox", outbox=tmp_path / "out", quarantine=tmp_path / "q", state=tmp_path)
    with capture_logs() as log:
        rebuild(settings, ledger)
    assert log == []
    assert ledger.to_rebuild() is None
    ledger.close()


def test_what_a_folder_refuses_is_tried_again_at_the_next_start(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said and stops nothing."""
    house.put(f"inbox/.ocrwatch-{house.former}-17.read.tmp")
    house.put("inbox/a.jpg")
    house.put("outbox/a.txt")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as away, capture_logs() as log:
        away.setattr("ocrwatch.storage.free_names.rename_noreplace", refuse)
        rebuild(house.settings(on_success="keep"), house.ledger)
    assert "Permission denied" in log[0]["refused"][0]
    assert kept(house) == {"a.jpg"}
    rebuild(house.settings(on_success="keep"), house.ledger)
    assert "inbox/recovered-17.jpg" in house.files()
    assert house.ledger.to_rebuild() is None
    assert house.ledger.totals() == {"delivered": 1}


def test_an_inbox_without_permission_for_a_moment_is_looked_through_at_the_next_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in it may be closed to this user for good, and has nothing of ours; the inbox itself has."""
    house.put(f"inbox/.ocrwatch-{house.former}-17.read.tmp")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as away, capture_logs() as log:
        away.setattr(os, "scandir", refuse)
        rebuild(house.settings(), house.ledger)
    assert "Permission denied" in log[0]["refused"][0]
    assert house.ledger.to_rebuild() is not None
    rebuild(house.settings(), house.ledger)
    assert "inbox/recovered-17.jpg" in house.files()


def test_the_note_in_the_outbox_is_not_taken_for_a_text(house: House) -> None:
    """STATUS.jpg, which is to stay in the inbox, is not done because ocrwatch wrote a STATUS.txt about itself."""
    for name in ("STATUS.jpg", "read.jpg"):
        os.utime(house.put(f"inbox/{name}"), (LONG_AGO, LONG_AGO))
    house.put("outbox/STATUS.txt", f"{first_line('/srv/inbox')}\n".encode())
    house.put("outbox/read.txt", b"text")
    with capture_logs():
        rebuild(house.settings(on_success="keep"), house.ledger)
    assert kept(house) == {"read.jpg"}


def test_the_service_manager_is_told_how_far_it_is(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing a large inbox takes longer than a start may take, unless more time is asked for."""
    for number in range(3):
        house.put(f"inbox/{number}.jpg")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        rebuild(house.settings(on_success="keep"), house.ledger)
        told = [manager.recv(1000).decode() for _ in range(3)]
    assert all(message.startswith("EXTEND_TIMEOUT_USEC=") for message in told)
    assert told[2].endswith("2 of 3")


def test_an_original_that_was_given_up_is_shown_again(house: House) -> None:
    """It was set aside in a folder that was away for long; what is set aside for a scan in work stays as it is."""
    token = house.ledger.token
    facts = facts_of(house.put("inbox/away/b.jpg", b"b").stat())
    row = house.ledger.begin("away/b.jpg", facts, None)
    plan = Plan("away/b.jpg", facts, None, "away", "b", "archive", "b.jpg")
    house.ledger.planned(row.id, plan.to_json(), code=None, reason=None)
    (house.root / "inbox/away/b.jpg").rename(house.root / "inbox/away" / claimed_name(plan, token))
    house.put(f"inbox/away/.ocrwatch-{token}-17-0123456789abcdef.read.tmp", b"a")
    house.put("inbox/.ocrwatch-0123abcd-17.read.tmp", b"another ledger's")
    with capture_logs() as log:
        restore_forgotten(house.settings(), house.ledger)
    assert house.files() == {
        "inbox/away/recovered-17.jpg",
        f"inbox/away/{claimed_name(plan, token)}",
        "inbox/.ocrwatch-0123abcd-17.read.tmp",
    }
    assert [(event["event"], event["path"]) for event in log] == [("scan.restored", "away/recovered-17.jpg")]
