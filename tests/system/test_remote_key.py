"""The key of a remote service is in nothing that ocrwatch writes, prints or passes on, even if the service says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.ocr_answers import SHAPES
from tests.ocr_services import Mode, OcrService, serving
from tests.system.dropping import put, scan
from tests.system.sending import CAUSE, deliveries, drop, settings, sha256_of, small_scan, status_of
from tests.system.test_metrics import get
from tests.waiting import until

KEY = "K8-4f9d2c7be1a84d1f9c3b"

_COMMANDS = (("status",), ("status", "--json"), ("config", "show"), ("doctor",), ("why", "cloud/10.jpg"), ("review",))


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> Iterator[OcrService]:
    """Run a service that repeats the key in whatever it refuses."""
    refusal = f"the key {KEY} has no scans left"
    rejection = {"OCRExitCode": 3, "IsErroredOnProcessing": True, "ErrorMessage": [f"Unable to read; key {KEY}"]}
    shape = replace(SHAPES["ocr.space"], refusal=refusal, rejection=rejection)
    monkeypatch.setitem(SHAPES, "ocr.space", shape)
    with serving("ocr.space", key=KEY, says=f": {KEY}") as service:
        yield service


@pytest.mark.parametrize("of_image", [Mode(status=400), Mode("rejection")])
@pytest.mark.parametrize("of_all", [Mode(status=401), Mode("refusal"), Mode(status=503)])
def test_key_that_a_service_repeats_is_nowhere(
    tmp_path: Path, talkative: OcrService, of_image: Mode, of_all: Mode
) -> None:
    """Not in any folder, the log, commands, metrics or the environment of workers; in a file or in a variable."""
    of_file = of_image.kind == "answer"
    if of_file:
        (tmp_path / "cloud.key").write_text(f"{KEY}\n")
        (tmp_path / "cloud.key").chmod(0o600)
        remote, environment = f'key_file = "{tmp_path / "cloud.key"}"\n', {}
    else:
        remote, environment = 'key_variable = "CLOUD_KEY"\n', {"CLOUD_KEY": KEY}
    top = '[log]\nlevel = "debug"\n[status]\nlisten = "127.0.0.1:0"\nshare_file = true\n'
    folder = tmp_path / "daemon"
    folder.mkdir()
    with DaemonProcess(folder, config=settings(talkative, remote=remote, top=top), environment=environment) as daemon:
        daemon.wait_ready()
        talkative.for_image[sha256_of(small_scan(1))] = of_image
        names = drop(daemon, range(3))
        put(daemon.inbox, "local.jpg", scan(1))
        deliveries(daemon, [names[0], names[2], "local.jpg"])
        assert daemon.wait_for("scan.quarantined", path=names[1])["code"] == "rejected"
        talkative.mode = of_all
        drop(daemon, [10])
        daemon.wait_for("daemon.paused", cause=CAUSE)
        until(lambda: status_of(daemon)["services"][0]["reason"], what="the status says why")
        said = [text for command in _COMMANDS for text in _printed(folder, command, environment)]
        said += [get(daemon, page)[1].encode() for page in ("/metrics", "/healthz", "/readyz", "/status", "/")]
        workers = daemon.workers()
        assert workers
        said += [Path(f"/proc/{pid}/environ").read_bytes() for pid in workers]
        assert daemon.stop() == 0
        said += [daemon.output.encode(), *(line.encode() for line in daemon.complaints)]
        said += [str(event).encode() for event in daemon.events()]
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 8
    for text in said + written:
        assert KEY[3:15].encode() not in text


def _printed(folder: Path, command: tuple[str, ...], environment: dict[str, str]) -> tuple[bytes, bytes]:
    ended = run_ocrwatch(folder, *command, environment=environment)
    return ended.stdout.encode(), ended.stderr.encode()
