"""Scans that a remote service reads: each is delivered once, whatever the service does, and no other waits for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.ocr_services import NORMAL, Mode, OcrService, serving, text_of
from tests.system.dropping import delivered, files, put, scan
from tests.system.dropping import text_of as words_of
from tests.system.sending import (
    CAUSE,
    deliveries,
    drop,
    sent_and_delivered,
    settings,
    sha256_of,
    small_scan,
    status_of,
)
from tests.waiting import until

WITH_NOTE = {"OCRWATCH_STATUS__SHARE_FILE": "true"}


def test_scans_of_a_profile_are_sent_and_the_others_are_not(tmp_path: Path) -> None:
    """The service reads what its profile says, each scan once; this machine reads the others; both are delivered."""
    with serving() as service:
        config = settings(service, top='[output]\nformats = ["txt", "json"]\n')
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            names = drop(daemon, range(5))
            for number in range(3):
                put(daemon.inbox, f"local/{number}.jpg", scan(number))
            for event in deliveries(daemon, names):
                assert event["engine"] == "remote:cloud rapidocr"
                assert event["attempt"] == 1
                page = json.loads((daemon.outbox / event["path"].replace(".jpg", ".json")).read_text())
                assert page["engine"]["name"] == CAUSE
                assert (daemon.archive / event["path"]).is_file()
                assert words_of(daemon, event["path"].replace(".jpg", ".txt")) == " ".join(
                    text_of(event["sha256"]).split()
                )
            for number in range(3):
                assert delivered(daemon, f"local/{number}.jpg", number)["engine"].startswith("tesserocr")
            assert sorted(service.images) == sorted(sha256_of(small_scan(number)) for number in range(5))
            assert daemon.stop() == 0
            assert not files(daemon.inbox)
            assert not files(daemon.quarantine)
            assert not daemon.complaints


def _stopped(service: OcrService) -> None:
    service.stop()


def _overloaded(service: OcrService) -> None:
    service.mode = Mode(status=503)


def _resetting(service: OcrService) -> None:
    service.mode = Mode("reset")


def _cutting(service: OcrService) -> None:
    service.mode = Mode("cut")


@pytest.mark.parametrize(
    ("goes_away", "reason"),
    [
        (_stopped, "cannot be reached"),
        (_overloaded, "503"),
        (_resetting, "closed the connection"),
        (_cutting, "closed the connection"),
    ],
)
def test_service_goes_away_in_a_batch(tmp_path: Path, goes_away: Callable[[OcrService], None], reason: str) -> None:
    """Its scans wait and cost no attempt, others are read meanwhile, and everywhere it is said what is wrong.

    When it is back each scan is delivered once.
    """
    count = 40
    with (
        serving(latency=0.05) as service,
        DaemonProcess(tmp_path, config=settings(service), environment=WITH_NOTE) as daemon,
    ):
        daemon.wait_ready()
        names = drop(daemon, range(count))
        until(lambda: len(service.requests) >= 10, what="some were sent")
        goes_away(service)
        paused = daemon.wait_for("daemon.paused", cause=CAUSE)
        assert reason in paused["reason"]
        assert paused["remedy"]
        put(daemon.inbox, "local.jpg", scan(1))
        delivered(daemon, "local.jpg", 1)
        # An answer that came before may have ended the first pause: then there is a second one.
        _says_what_is_wrong(daemon, reason)
        assert len(daemon.events("scan.delivered")) < count
        service.mode = NORMAL
        if goes_away is _stopped:
            service.start()
        daemon.wait_for("daemon.resumed", cause=CAUSE)
        assert {event["attempt"] for event in deliveries(daemon, names)} == {1}
        sent_and_delivered(daemon, range(count))
        assert not daemon.events("scan.failed")
        until(lambda: status_of(daemon)["services"][0]["paused_since"] is None, what="the status has it back")
        assert daemon.stop() == 0


def _says_what_is_wrong(daemon: DaemonProcess, reason: str) -> None:
    """Check the status of a service in a pause: it says why, and what to do."""
    until(lambda: status_of(daemon)["services"][0]["reason"], what="the status says so")
    status = status_of(daemon)
    (service,) = status["services"]
    assert reason in service["reason"]
    assert service["paused_since"]
    assert service["remedy"]
    assert status["state"] != "paused"
    for text in (run_ocrwatch(daemon.folder, "status").stdout, _note(daemon, reason)):
        assert reason in text
        assert "cloud" in text
        assert service["remedy"] in text


def _note(daemon: DaemonProcess, reason: str) -> str:
    path = daemon.outbox / "STATUS.txt"
    until(lambda: path.exists() and reason in path.read_text(encoding="utf-8"), what="STATUS.txt says so")
    return path.read_text(encoding="utf-8")


def test_service_that_hangs_holds_up_no_other_scan(tmp_path: Path) -> None:
    """While it does not answer, this machine reads its own scans; a stop does not wait for it; no scan is lost."""
    with serving(mode=Mode("hang")) as service:
        config = settings(service, top="").replace("count = 2", 'count = 2\nshutdown_timeout = "1s"')
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            drop(daemon, range(12))
            until(lambda: service.in_flight == 4, what="all that may be sent hang")
            for number in range(4):
                put(daemon.inbox, f"{number}.jpg", scan(number))
            for number in range(4):
                delivered(daemon, f"{number}.jpg", number)
            assert service.in_flight == 4
            begun = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - begun < 6
            assert len([name for name in files(daemon.inbox) if name.startswith("cloud/")]) == 12
        service.mode = NORMAL
        with DaemonProcess(tmp_path) as daemon:
            assert {event["attempt"] for event in deliveries(daemon, [f"cloud/{n}.jpg" for n in range(12)])} == {1}
            sent_and_delivered(daemon, range(12))


def test_other_engine_reads_while_the_service_hangs(tmp_path: Path) -> None:
    """With another engine no scan waits longer than one answer may take; when it answers again it reads again."""
    with serving(mode=Mode("hang")) as service:
        config = settings(service, engine='["remote:cloud", "tesserocr"]', remote='timeout = "1s"\n')
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            for number in range(10):
                put(daemon.inbox, f"cloud/{number}.jpg", scan(number))
            for number in range(10):
                event = delivered(daemon, f"cloud/{number}.jpg", number)
                assert event["engine"].startswith("tesserocr")
                assert event["attempt"] == 1
                assert (event["queued_ms"] + event["read_ms"]) < 6000
            service.mode = NORMAL
            until(lambda: _reads_again(daemon), 40, "the service reads again")
            assert not files(daemon.quarantine)
            assert daemon.stop() == 0


def _reads_again(daemon: DaemonProcess) -> bool:
    """Drop a scan, and return whether the service has read it."""
    number = 1000 + len(daemon.events("scan.delivered"))
    (name,) = drop(daemon, [number])
    return bool(daemon.wait_for("scan.delivered", path=name)["engine"].startswith(CAUSE))


def test_damaged_scan_is_not_sent(tmp_path: Path) -> None:
    """What cannot be decoded is quarantined as on this machine, and the service never sees it."""
    with serving() as service:
        config = settings(service).replace("[settle]\n", '[settle]\ngive_up_after = "1s"\n')
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            whole = scan(1)
            damaged = {
                "cut": whole[: len(whole) // 2],
                "lossless": whole.replace(b"\xff\xc0", b"\xff\xc3", 1),
                "other": b"GIF89a" + bytes(2000),
            }
            for name, content in damaged.items():
                put(daemon.inbox, f"cloud/{name}.jpg", content)
                put(daemon.inbox, f"{name}.jpg", content)
            for name in damaged:
                sent = daemon.wait_for("scan.quarantined", path=f"cloud/{name}.jpg")
                local = daemon.wait_for("scan.quarantined", path=f"{name}.jpg")
                for each in ("code", "reason", "remedy"):
                    assert sent[each] == local[each]
            (name,) = drop(daemon, [1])
            daemon.wait_for("scan.delivered", path=name)
            assert service.images == [sha256_of(small_scan(1))]
            assert not daemon.events("daemon.paused")
