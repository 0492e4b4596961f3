"""A page that cannot be read is named in its document, and the document is written anew once it can be."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.document_accounts import documents_in
from tests.feeder import Sheet, settings, stack
from tests.system.documents.feeding import (
    FINE,
    QUARANTINED,
    check_accounts,
    delivery_of,
    feed,
    joined,
    stop,
    texts,
)
from tests.system.dropping import files, put


def _with_broken(sheets: list[Sheet], *numbers: int) -> list[Sheet]:
    return [replace(sheet, kind="broken") if number in numbers else sheet for number, sheet in enumerate(sheets, 1)]


@pytest.mark.parametrize("way", ["retry", pytest.param("dropped again", marks=pytest.mark.extended)])
def test_a_broken_page_is_named_and_the_document_is_written_anew_when_it_is_mended(
    tmp_path: Path, engine: dict[str, str], way: str
) -> None:
    """The first document names the page and is marked for review; the second is complete and replaces it."""
    whole = stack("in/scan", [1, 2, 3, 4, 5])
    sheets = _with_broken(whole, 3)
    with DaemonProcess(tmp_path, config=settings(quiet="1s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        document = joined(daemon, "in/scan")
        first = delivery_of(daemon, "in/scan")
        refused = daemon.wait_for("scan.quarantined", path="in/scan_3.jpg")
        assert document.missing == ["in/scan_3.jpg"]
        assert document.texts == texts(1, 2, 0, 4, 5)
        assert document.txt[2] == f"[page 3 of 5 (scan_3.jpg) is missing: {refused['reason']}]"
        assert document.pages[2]["missing"]["reason"] == refused["reason"]
        assert refused["reason"].split()[0] in document.pdf[2]
        assert document.pdf[:2] + document.pdf[3:] == texts(1, 2, 4, 5)
        assert document.content["review"]
        assert document.content["review_reasons"]
        before = {ending: document.file(ending).read_bytes() for ending in ("txt", "json", "pdf")}

        if way == "retry":
            # It was mended where it lies.
            put(daemon.quarantine, "in/scan_3.jpg", whole[2].data)
            assert run_ocrwatch(tmp_path, "retry").returncode == FINE
        else:
            feed(daemon.inbox, whole[2:3])
        again = joined(daemon, "in/scan-2")
        assert again.texts == again.txt == again.pdf == texts(1, 2, 3, 4, 5)
        assert not again.missing
        # The program cannot know that it is the page that was missing.
        assert again.content["review_reasons"] == [
            "page 3 of 5 (scan_3.jpg) was read from another file of the same name"
        ]
        event = delivery_of(daemon, "in/scan-2")
        assert event["replaces"] == "scan"
        assert not first.get("replaces")
        assert {ending: document.file(ending).read_bytes() for ending in before} == before
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 2
        assert not daemon.events("document.late")
    if way == "dropped again":
        # The broken bytes stay in the quarantine, which is no fault.
        assert files(tmp_path / "quarantine") == {"in/scan_3.jpg", "in/scan_3.jpg.reason.json"}
        shutil.rmtree(tmp_path / "quarantine")
    check_accounts(tmp_path, whole, replaced={"in/scan"})


def test_a_page_that_is_mended_after_a_restart_completes_its_document(tmp_path: Path, engine: dict[str, str]) -> None:
    """What is kept for the document outlives the daemon; sidecars that were fetched in the meantime do not matter."""
    whole = stack("scan", [1, 2, 3])
    with DaemonProcess(tmp_path, config=settings(quiet="1s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, _with_broken(whole, 2))
        assert joined(daemon, "scan").missing == ["scan_2.jpg"]
        stop(daemon)
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    for name in files(tmp_path / "outbox"):
        (tmp_path / "outbox" / name).rename(fetched / name)
    put(tmp_path / "quarantine", "scan_2.jpg", whole[1].data)
    assert run_ocrwatch(tmp_path, "retry", environment=engine).returncode == FINE
    with DaemonProcess(tmp_path, environment=engine) as daemon:
        event = daemon.wait_for("document.delivered")
        assert event["replaces"] == "scan"
        (document,) = documents_in(daemon.outbox).values()
        assert document.texts == document.txt == document.pdf == texts(1, 2, 3)
        stop(daemon)
    # The page that was read now has its own sidecars, the others had theirs before.
    for name in files(fetched):
        if name.startswith("scan_"):
            (fetched / name).rename(tmp_path / "outbox" / name)
    check_accounts(tmp_path, whole)


@pytest.mark.extended
def test_a_document_of_which_several_pages_are_missing_names_each(tmp_path: Path, engine: dict[str, str]) -> None:
    """Mended one after the other, the document becomes complete in the end."""
    whole = stack("scan", [1, 2, 3, 4])
    with DaemonProcess(tmp_path, config=settings(quiet="1s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, _with_broken(whole, 2, 4))
        assert joined(daemon, "scan").missing == ["scan_2.jpg", "scan_4.jpg"]
        put(daemon.quarantine, "scan_2.jpg", whole[1].data)
        assert run_ocrwatch(tmp_path, "retry", "scan_2.jpg").returncode == FINE
        second = joined(daemon, "scan-2")
        assert (second.missing, second.texts) == (["scan_4.jpg"], texts(1, 2, 3, 0))
        assert second.content["review"]
        put(daemon.quarantine, "scan_4.jpg", whole[3].data)
        assert run_ocrwatch(tmp_path, "retry").returncode == FINE
        third = joined(daemon, "scan-3")
        assert third.texts == third.txt == third.pdf == texts(1, 2, 3, 4)
        stop(daemon)
    check_accounts(tmp_path, whole, replaced={"scan", "scan-2"})


@pytest.mark.extended
def test_a_page_that_is_broken_again_changes_nothing(tmp_path: Path, engine: dict[str, str]) -> None:
    """A retry that fails like before writes no further document."""
    whole = stack("scan", [1, 2, 3])
    sheets = _with_broken(whole, 2)
    with DaemonProcess(tmp_path, config=settings(quiet="1s"), environment=engine) as daemon:
        daemon.wait_ready()
        feed(daemon.inbox, sheets)
        joined(daemon, "scan")
        assert run_ocrwatch(tmp_path, "retry").returncode == FINE
        daemon.wait_for("scan.quarantined", count=2)
        # Everything that comes of it has come when a later document is there.
        later = stack("later", [7])
        feed(daemon.inbox, later)
        joined(daemon, "later")
        stop(daemon)
        assert len(daemon.events("document.delivered")) == 2
        assert {"scan.txt", "scan.json", "scan.pdf"} <= files(daemon.outbox)
        assert documents_in(daemon.outbox)["scan"].missing == ["scan_2.jpg"]


@pytest.mark.extended
def test_once_names_a_missing_page_too(tmp_path: Path, engine: dict[str, str]) -> None:
    """The exit code tells of the quarantine, as without documents; the next ``once`` completes the document."""
    whole = stack("scan", [1, 2, 3])
    feed(tmp_path / "inbox", _with_broken(whole, 3))
    answer = run_ocrwatch(tmp_path, "once", config=settings(), environment=engine)
    assert answer.returncode == QUARANTINED, answer.stderr
    assert documents_in(tmp_path / "outbox")["scan"].missing == ["scan_3.jpg"]
    put(tmp_path / "quarantine", "scan_3.jpg", whole[2].data)
    assert run_ocrwatch(tmp_path, "retry", environment=engine).returncode == FINE
    answer = run_ocrwatch(tmp_path, "once", environment=engine)
    assert answer.returncode == FINE, answer.stderr
    assert documents_in(tmp_path / "outbox")["scan-2"].txt == texts(1, 2, 3)
    check_accounts(tmp_path, whole, replaced={"scan"})
