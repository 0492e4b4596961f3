"""What the README tells people to type does what it says."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon_process import PROGRAM, DaemonProcess, clean_environment, run_ocrwatch
from tests.system.dropping import delivered, put, scan

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"--[a-z-]+")


def _commands() -> list[str]:
    """Return every command of the README's shell blocks, without its remark."""
    lines = [line for block in _BLOCK.findall((ROOT / "README.md").read_text()) for line in block.splitlines()]
    return [command for line in lines if (command := re.sub(r"\s+#.*", "", line).strip())]


def _starting_with(start: str) -> list[str]:
    return [command for command in _commands() if command.startswith(start)]


OURS = _starting_with("ocrwatch ")
MODULES = _starting_with(".venv/bin/python -m ")
ELSEWHERE = {
    "sh deploy/quickstart.sh": "tests/system/test_quickstart_on_debian.py",
    "sh deploy/test.sh": ".ci/run",
    "sudo sh deploy/install.sh": "tests/system/test_service_on_debian.py",
    "sudo systemctl reload ocrwatch": "tests/system/test_service_on_debian.py",
    "sudo adduser": "tests/system/test_service_on_debian.py",
    "sudo apt-get install tesseract-ocr-": "deploy/test.sh",
    "journalctl -u ocrwatch": "tests/system/test_service_on_debian.py",
}
"""How other commands begin, and where they are run or, if that takes a fresh machine, looked through."""

LASTING = {"ocrwatch run --languages fra,deu", "ocrwatch status --watch"}
"""Those that go on until they are told to end."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Make a folder with scans to read, and some in the quarantine."""
    for name in ("scan1.jpg", "invoices/fr/a.jpg"):
        put(tmp_path / "inbox", name, b"no JPEG")
    with DaemonProcess(tmp_path, "--set", "settle.give_up_after=1s") as daemon:
        daemon.wait_for("scan.quarantined", count=2)
        assert daemon.stop() == 0
    put(tmp_path / "inbox", "page.jpg", scan(1))
    put(tmp_path, "page.jpg", scan(1))
    return tmp_path


@pytest.mark.parametrize("command", [command for command in OURS if command not in LASTING])
def test_command_does_what_it_says(house: Path, command: str) -> None:
    """It ends by itself, as one that went well, or with the code that the README has for what it found."""
    done = run_ocrwatch(house, *shlex.split(command)[1:])
    # Nothing runs here, and status says so.
    expected = {3} if command == "ocrwatch status" else {0}
    assert done.returncode in expected, done.stdout + done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


def test_daemon_reads_other_languages(tmp_path: Path) -> None:
    """The command of the section on languages starts a daemon, where they are installed."""
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False).stdout.split()
    if not {"fra", "deu"} <= set(listed):
        pytest.skip("the languages fra and deu are not installed")
    (command,) = [command for command in OURS if command.startswith("ocrwatch run")]
    with DaemonProcess(tmp_path, *shlex.split(command)[2:]) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "page.jpg", scan(1))
        delivered(daemon, "page.jpg", 1)


def test_status_is_shown_live_until_interrupted(tmp_path: Path) -> None:
    """On a terminal, and Ctrl-C is no error."""
    (tmp_path / "ocrwatch.toml").write_text("")
    (tmp_path / "ocrwatch.toml").chmod(0o644)
    ours, theirs = pty.openpty()
    watching = subprocess.Popen(
        [*PROGRAM, "status", "--watch"],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 30
    while b"not running" not in shown:
        assert time.monotonic() < deadline
        shown += os.read(ours, 4096)
    watching.send_signal(signal.SIGINT)
    assert watching.wait(20) == 0
    os.close(ours)


@pytest.mark.parametrize("command", MODULES)
def test_bench_is_there_and_knows_its_options(command: str) -> None:
    """Each bench explains itself, and every option that the README gives it among the rest."""
    module = shlex.split(command)[2]
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(_OPTION.findall(command)) <= set(_OPTION.findall(done.stdout))


def test_no_command_is_left_out() -> None:
    """Every command of the README is run here, or where ``ELSEWHERE`` says."""
    known = (*OURS, *MODULES, *ELSEWHERE)
    assert [command for command in _commands() if not command.startswith(known)] == []
    for place in ELSEWHERE.values():
        assert (ROOT / place).exists(), place
