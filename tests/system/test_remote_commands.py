"""Commands with a remote service: once, read and doctor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.daemon_process import run_ocrwatch
from tests.ocr_services import Mode, serving, text_of
from tests.system.dropping import files, phrase, put, scan
from tests.system.sending import CAUSE, settings, sha256_of, small_scan

FINE, QUARANTINED = 0, 1


def test_once_sends_scans(tmp_path: Path) -> None:
    """It ends when the service has read its scans, and this machine the others; a refused one is quarantined."""
    with serving(latency=0.05) as service:
        service.for_image[sha256_of(small_scan(1))] = Mode(status=400)
        for number in range(4):
            put(tmp_path / "inbox", f"cloud/{number}.jpg", small_scan(number))
        put(tmp_path / "inbox", "local.jpg", scan(1))
        ended = run_ocrwatch(tmp_path, "once", config=settings(service))
        assert ended.returncode == QUARANTINED
        assert "4 scans read in " in ended.stdout
        assert not files(tmp_path / "inbox")
        assert files(tmp_path / "outbox") == {"cloud/0.txt", "cloud/2.txt", "cloud/3.txt", "local.txt"}
        assert files(tmp_path / "quarantine") == {"cloud/1.jpg", "cloud/1.jpg.reason.json"}
        for number in (0, 2, 3):
            text = (tmp_path / f"outbox/cloud/{number}.txt").read_text()
            assert text.split() == text_of(sha256_of(small_scan(number))).split()


@pytest.mark.slow
def test_once_leaves_scans_of_a_service_that_is_not_available(tmp_path: Path) -> None:
    """It reads the others, says what is wrong and what to do, and the scans stay in the inbox."""
    with serving() as service:
        config = settings(service)
    put(tmp_path / "inbox", "local.jpg", scan(1))
    put(tmp_path / "inbox", "cloud/1.jpg", small_scan(1))
    ended = run_ocrwatch(tmp_path, "once", config=config, timeout=120)
    assert ended.returncode not in {FINE, QUARANTINED}
    said = ended.stdout + ended.stderr
    assert "cannot be reached" in said
    assert "check url of the service" in said
    assert "Traceback" not in said
    assert files(tmp_path / "inbox") == {"cloud/1.jpg"}
    assert files(tmp_path / "outbox") == {"local.txt"}
    assert not files(tmp_path / "quarantine")


def test_doctor_tries_the_service_and_says_what_leaves(tmp_path: Path) -> None:
    """It names the scans that are sent, and where to; the picture is the only thing that it sends."""
    with serving() as service:
        service.text = lambda _: "Test page 2468"
        ended = run_ocrwatch(tmp_path, "doctor", config=settings(service))
        assert len(service.requests) == 1
        assert f"scans of the profile cloud/** are sent to {service.url}" in ended.stdout
        assert "remote.answered" not in ended.stdout + ended.stderr
        lines = [line for line in ended.stdout.splitlines() if "service cloud" in line]
        assert lines
        assert all(line.startswith("ok") for line in lines)
        service.mode = Mode(status=401)
        ended = run_ocrwatch(tmp_path, "doctor")
        assert ended.returncode != FINE
        assert "answered 401" in ended.stdout
        assert "check key_file or key_variable" in ended.stdout
        assert "remote.refused" not in ended.stdout + ended.stderr
        service.stop()
        ended = run_ocrwatch(tmp_path, "doctor")
        assert ended.returncode != FINE
        assert "cannot be reached" in ended.stdout


def test_read_sends_a_scan(tmp_path: Path) -> None:
    """With a service as engine it prints the service's text; without one that answers, what the next engine reads."""
    (tmp_path / "a.jpg").write_bytes(scan(1))
    with serving() as service:
        config = settings(service)
        engine = ("--set", f"ocr.engine={CAUSE}")
        ended = run_ocrwatch(tmp_path, "read", *engine, "--json", "a.jpg", config=config)
        assert ended.returncode == FINE, ended.stderr
        assert json.loads(ended.stdout)["engine"]["name"] == CAUSE
        assert service.images == [sha256_of(scan(1))]
        service.mode = Mode(status=503)
        ended = run_ocrwatch(tmp_path, "read", *engine, "a.jpg")
        assert ended.returncode != FINE
        assert not ended.stdout
        assert "answered 503" in ended.stderr
        assert "Traceback" not in ended.stderr
        both = ("--set", f'ocr.engine=["{CAUSE}", "tesserocr"]')
        ended = run_ocrwatch(tmp_path, "read", *both, "a.jpg")
        assert ended.returncode == FINE, ended.stderr
        assert ended.stdout.split() == phrase(1).split()
