"""Scans that a remote service reads, killed at any moment: each is delivered once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.daemon_process import DaemonProcess, children_of
from tests.ocr_services import NORMAL, Mode, OcrService, serving
from tests.rendering import render, with_comment
from tests.system.dropping import files, put
from tests.system.sending import deliveries, drop, sent_and_delivered, settings
from tests.waiting import until


@pytest.mark.parametrize("sent", [1, 9])
def test_killed_daemon_delivers_each_scan_once_after_a_restart(tmp_path: Path, sent: int) -> None:
    """Whatever was on its way to the service or back when it was killed."""
    count = 16
    with serving(latency=0.1) as service:
        with DaemonProcess(tmp_path, config=settings(service)) as daemon:
            daemon.wait_ready()
            drop(daemon, range(count))
            until(lambda: len(service.requests) > sent, what="some were sent")
            daemon.kill()
        with DaemonProcess(tmp_path) as daemon:
            sent_and_delivered(daemon, range(count))
            assert daemon.stop() == 0


def test_scan_is_not_suspected_of_kills_while_a_service_reads_it(tmp_path: Path) -> None:
    """However often that happens, also if no other scan is in work: it is sent at once after each restart."""
    with serving() as service:
        service.mode = Mode("hang")
        config: str | None = settings(service)
        for _ in range(4):
            with DaemonProcess(tmp_path, config=config) as daemon:
                daemon.wait_ready()
                if config is not None:
                    drop(daemon, [0])
                until(lambda: service.in_flight, what="the service has it")
                assert not daemon.events("daemon.killed")
                daemon.kill()
            config = None
            until(lambda: not service.in_flight, what="the connection is closed")
        service.mode = NORMAL
        with DaemonProcess(tmp_path) as daemon:
            sent_and_delivered(daemon, [0])
            assert deliveries(daemon, ["cloud/0.jpg"])[0]["attempt"] == 1


def test_killed_workers_cost_no_scan(tmp_path: Path) -> None:
    """Those that prepare scans and make pages of answers are replaced."""
    count = 12
    with serving(latency=0.1) as service, DaemonProcess(tmp_path, config=settings(service)) as daemon:
        daemon.wait_ready()
        names = drop(daemon, range(count))
        until(lambda: len(service.requests) > 2, what="some were sent")
        for worker in children_of(daemon.pid):
            os.kill(worker, signal.SIGKILL)
        deliveries(daemon, names)
        sent_and_delivered(daemon, range(count))
        assert daemon.stop() == 0


def test_doubtful_pages_are_sent_and_good_ones_are_not(tmp_path: Path) -> None:
    """While the service is not available, they are delivered as they were read here, marked for review, not cached."""
    with serving() as service:
        config = settings(service, engine='"tesserocr"', profile='ocr.second = "remote:cloud"')
        with DaemonProcess(tmp_path, config=config) as daemon:
            daemon.wait_ready()
            good = _put_page(daemon, "good.jpg", doubtful=False)
            doubtful = _put_page(daemon, "doubtful.jpg", doubtful=True)
            for name in (good, doubtful):
                daemon.wait_for("scan.delivered", path=name)
            assert len(service.images) == 1
            service.stop()
            name = _put_page(daemon, "alone.jpg", doubtful=True, number=1)
            event = daemon.wait_for("scan.delivered", path=name)
            assert event["review"]
            assert any("the second reader could not read" in warning for warning in event["warnings"])
            service.start()
            # What was read without the service is not in the cache: the same bytes are sent when it is available.
            until(lambda: _is_sent_again(daemon, service), what="the service is available")
            assert not [event for event in daemon.events("scan.delivered") if "cached" in event]
            assert not files(daemon.quarantine)
            assert daemon.stop() == 0


def _is_sent_again(daemon: DaemonProcess, service: OcrService) -> bool:
    """Drop the page that was delivered without the service, and return whether it was sent now."""
    name = _put_page(daemon, f"again{len(daemon.events('scan.delivered'))}.jpg", doubtful=True, number=1)
    daemon.wait_for("scan.delivered", path=name)
    return len(service.images) == 2


def _put_page(daemon: DaemonProcess, name: str, *, doubtful: bool, number: int = 0) -> str:
    """Drop a page that reads well, or one that does not."""
    page = render("The quick brown fox jumps over the lazy dog", size=40)
    if doubtful:
        page = _worn(page)
    put(daemon.inbox, f"cloud/{name}", with_comment(page, f"number {number}"))
    return f"cloud/{name}"


def _worn(page: bytes) -> bytes:
    """Return a page whose letters are hardly legible."""
    pixels = cv2.imdecode(np.frombuffer(page, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    small = cv2.resize(pixels, None, fx=0.22, fy=0.22, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(1).normal(0, 25, small.shape)
    worn = np.clip(small + noise, 0, 255).astype(np.uint8)
    large = cv2.resize(worn, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_NEAREST)
    return bytes(cv2.imencode(".jpg", large)[1])
