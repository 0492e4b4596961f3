"""What a remote service refuses: all images, which is waited out, or one, which is quarantined alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess
from tests.ocr_services import NORMAL, Mode, serving
from tests.system.dropping import files
from tests.system.sending import CAUSE, deliveries, drop, sent_and_delivered, settings, sha256_of, small_scan
from tests.waiting import until


@pytest.mark.parametrize(
    ("preset", "mode", "reason", "remedy"),
    [
        ("rapidocr", Mode(status=401), "answered 401", "check key_file or key_variable"),
        ("rapidocr", Mode(status=402), "answered 402", "account"),
        ("rapidocr", Mode(status=404), "answered 404", "check url and preset"),
        ("rapidocr", Mode("page"), "", ""),
        ("ocr.space", Mode("refusal"), "180 number of times", ""),
        ("paddlex", Mode("refusal"), "Service unavailable", ""),
        ("google-vision", Mode("refusal"), "Quota exceeded", ""),
        ("generic", Mode("refusal"), "", ""),
    ],
)
def test_refusal_of_all_images_is_waited_out(tmp_path: Path, preset: str, mode: Mode, reason: str, remedy: str) -> None:
    """Whatever the status, the scans wait, at no cost; the log says why, and what to do."""
    with (
        serving(preset, mode=mode, polls=0) as service,
        DaemonProcess(tmp_path, config=settings(service, remote=_needs(preset, tmp_path))) as daemon,
    ):
        daemon.wait_ready()
        names = drop(daemon, range(3))
        paused = daemon.wait_for("daemon.paused", cause=CAUSE)
        assert reason in paused["reason"]
        assert paused["remedy"]
        assert remedy in paused["remedy"]
        tried = len(service.requests)
        until(lambda: len(service.requests) > tried, what="it is tried again")
        assert not daemon.events("scan.delivered")
        service.mode = NORMAL
        assert {event["attempt"] for event in deliveries(daemon, names)} == {1}
        sent_and_delivered(daemon, range(3))
        assert daemon.stop() == 0
        assert not daemon.events("scan.failed")


def test_service_that_asks_to_wait_is_left_alone_as_long(tmp_path: Path) -> None:
    """After a 429 with Retry-After no request comes before that time; then all scans are read."""
    wait = 3.0
    with serving(latency=0.05) as service, DaemonProcess(tmp_path, config=settings(service)) as daemon:
        daemon.wait_ready()
        service.mode = Mode(status=429, retry_after="3")
        # One alone, so that no other request is on its way when the pause begins.
        drop(daemon, [0])
        daemon.wait_for("daemon.paused", cause=CAUSE)
        service.mode = NORMAL
        drop(daemon, range(1, 8))
        daemon.wait_for("daemon.resumed", cause=CAUSE)
        sent_and_delivered(daemon, range(8))
        (refused,) = (request.at for request in service.requests if request.outcome == "429")
        read = [request.at for request in service.requests if request.outcome == "200"]
        assert min(read) - refused >= wait
        assert {event["attempt"] for event in daemon.events("scan.delivered")} == {1}
        assert daemon.stop() == 0


def test_service_that_asks_to_wait_is_left_alone_if_no_scan_waits(tmp_path: Path) -> None:
    """Scans that come one at a time are read by the next engine until the time is over, and then sent again."""
    with serving() as service:
        config = settings(service, engine='["remote:cloud", "tesserocr"]')
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            service.mode = Mode(status=429, retry_after="8")
            for number in range(2):
                (event,) = deliveries(daemon, drop(daemon, [number]))
                assert event["engine"].startswith("tesserocr")
                service.mode = NORMAL
            assert len(service.requests) == 1
            assert daemon.wait_for("daemon.resumed", cause=CAUSE)["paused_s"] >= 8.0
            (event,) = deliveries(daemon, drop(daemon, [2]))
            assert event["engine"].startswith(CAUSE)
            assert daemon.stop() == 0


@pytest.mark.parametrize(("status", "code"), [(400, "rejected"), (500, "engine-failed")])
def test_single_refused_scan_is_judged_by_the_trial_picture(tmp_path: Path, status: int, code: str) -> None:
    """If the service reads the picture, the scan is quarantined; if it does not, the scan waits, and is read later."""
    with serving() as service, DaemonProcess(tmp_path, config=settings(service)) as daemon:
        daemon.wait_ready()
        service.for_image[sha256_of(small_scan(1))] = Mode(status=status)
        drop(daemon, [1])
        quarantined = daemon.wait_for("scan.quarantined", path="cloud/1.jpg")
        assert (quarantined["code"], f"answered {status}" in quarantined["reason"]) == (code, True)
        assert files(daemon.quarantine) == {"cloud/1.jpg", "cloud/1.jpg.reason.json"}
        assert len(set(service.images)) == 2
        service.mode = Mode(status=status)
        names = drop(daemon, [2])
        daemon.wait_for("daemon.paused", cause=CAUSE)
        tried = len(service.requests)
        until(lambda: len(service.requests) > tried + 1, what="it is tried again")
        service.mode = NORMAL
        assert deliveries(daemon, names)[0]["attempt"] == 1
        assert len(daemon.events("scan.quarantined")) == 1
        assert daemon.stop() == 0


@pytest.mark.parametrize("preset", ["ocr.space", "paddlex", "tesseract-server"])
def test_refusal_of_one_image_with_status_200_is_its_own(tmp_path: Path, preset: str) -> None:
    """A service that answers 200 and says that it cannot read this image does not pause."""
    with (
        serving(preset) as service,
        DaemonProcess(tmp_path, config=settings(service, remote=_needs(preset, tmp_path))) as daemon,
    ):
        daemon.wait_ready()
        service.for_image[sha256_of(small_scan(1))] = Mode("rejection")
        names = drop(daemon, range(4))
        assert daemon.wait_for("scan.quarantined", path="cloud/1.jpg")["code"] == "rejected"
        deliveries(daemon, [name for name in names if name != "cloud/1.jpg"])
        assert not daemon.events("daemon.paused")
        assert daemon.stop() == 0


def test_refused_scan_goes_to_the_next_engine(tmp_path: Path) -> None:
    """What the service refuses this machine reads, if the settings name an engine for it."""
    with serving() as service:
        config = settings(service, engine='["remote:cloud", "tesserocr"]')
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            service.for_image[sha256_of(small_scan(1))] = Mode(status=415)
            names = drop(daemon, range(3))
            engines = {event["path"]: event["engine"].split()[0] for event in deliveries(daemon, names)}
            assert engines == {"cloud/0.jpg": CAUSE, "cloud/1.jpg": "tesserocr", "cloud/2.jpg": CAUSE}
            assert not files(daemon.quarantine)
            assert daemon.stop() == 0


def _needs(preset: str, folder: Path) -> str:
    """Return the settings without which a preset does not start: the file of a key, or where the text is."""
    if preset == "generic":
        return 'options = { text = "text" }\n'
    if preset not in {"ocr.space", "google-vision"}:
        return ""
    path = folder / "cloud.key"
    path.write_text("4f9d2c7be1a84d1f9c3b\n")
    path.chmod(0o600)
    return f'key_file = "{path}"\n'
