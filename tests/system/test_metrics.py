"""Metrics and health of the real daemon."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import put, scan
from tests.system.pausing import BRISK, bad_scan
from tests.waiting import until

LISTEN = '[status]\nlisten = "127.0.0.1:0"\n'


def get(daemon: DaemonProcess, path: str) -> tuple[int, str]:
    """Ask the daemon."""
    connection = http.client.HTTPConnection(daemon.wait_for("status.listening")["address"], timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def metrics(daemon: DaemonProcess) -> dict[str, float]:
    """Return the samples; those with a label under name and its value."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(get(daemon, "/metrics")[1])
        for sample in family.samples
    }


def test_a_day_in_figures(tmp_path: Path) -> None:
    """From not ready to ready; what is read, put aside and paused for is counted; a dead worker too."""
    with DaemonProcess(tmp_path, config=BRISK + LISTEN) as daemon:
        code, _ = get(daemon, "/healthz")
        assert code == 200
        daemon.wait_ready()
        until(lambda: get(daemon, "/readyz") == (200, "ok\n"), what="it is ready")
        put(daemon.inbox, "good.jpg", scan(1))
        put(daemon.inbox, "bad.jpg", bad_scan())
        daemon.wait_for("scan.delivered")
        daemon.wait_for("scan.quarantined")
        until(lambda: metrics(daemon)["ocrwatch_scans_total quarantined"] == 1, what="both are counted")
        figures = metrics(daemon)
        assert figures["ocrwatch_scans_total delivered"] == 1
        assert figures["ocrwatch_reading_seconds_count"] == figures["ocrwatch_queue_seconds_count"] == 1
        assert 0 < figures["ocrwatch_reading_seconds_sum"] < 60
        assert figures["process_resident_memory_bytes"] > 10e6
        assert figures["ocrwatch_queue_scans"] == figures["ocrwatch_in_work_scans"] == 0

        os.kill(daemon.workers()[0], signal.SIGKILL)
        until(lambda: metrics(daemon)["ocrwatch_worker_deaths_total"] == 1, what="the death is counted")

        daemon.archive.rename(tmp_path / "away")
        put(daemon.inbox, "late.jpg", scan(2))
        paused = daemon.wait_for("daemon.paused")
        until(lambda: get(daemon, "/readyz")[0] == 503, what="it is not ready")
        assert paused["remedy"] in get(daemon, "/readyz")[1]
        assert get(daemon, "/healthz")[0] == 200
        figures = metrics(daemon)
        assert figures["ocrwatch_paused delivery"] == 1
        assert figures["ocrwatch_paused inbox"] == 0
        (tmp_path / "away").rename(daemon.archive)
        until(lambda: get(daemon, "/readyz")[0] == 200, what="it is ready again")
        if shutil.which("promtool") is not None:
            check = subprocess.run(
                ["promtool", "check", "metrics"],
                input=get(daemon, "/metrics")[1].encode(),
                capture_output=True,
                check=False,
            )
            assert (check.returncode, check.stderr) == (0, b"")
        assert daemon.stop() == 0


def test_a_port_in_use_is_found_out_at_the_start(tmp_path: Path) -> None:
    """It does not start, names the address and the setting, and exits with 3; no scan is touched."""
    put(tmp_path / "inbox", "one.jpg", scan(1))
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        answer = run_ocrwatch(tmp_path, "run", "--set", f"status.listen={address}")
    assert answer.returncode == 3
    (complaint,) = [line for line in answer.stderr.splitlines() if line.startswith("ocrwatch: ")]
    assert address in complaint
    assert "status.listen" in complaint
    assert (tmp_path / "inbox" / "one.jpg").exists()


def test_nothing_of_it_is_loaded_where_it_is_off(tmp_path: Path) -> None:
    """Neither Prometheus' library nor an HTTP server is in a daemon that does not listen."""
    with DaemonProcess(tmp_path, environment={"PYTHONPROFILEIMPORTTIME": "1"}) as daemon:
        daemon.wait_ready()
        daemon.stop()
        imported = "\n".join(daemon.complaints)
    assert "import time:" in imported
    assert "ocrwatch.observe.status_outputs" in imported
    modules = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert not modules & {
        "prometheus_client",
        "http.server",
        "ocrwatch.observe.prometheus",
        "ocrwatch.observe.health_http",
    }
