"""What README.md and docs/ tell people to type does what it says."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon_process import PROGRAM, DaemonProcess, clean_environment, run_ocrwatch
from tests.documentation import PAGES, ROOT, commands, inline
from tests.rendering import encode, render
from tests.several_pages import pdf_of, tiff_of_scans
from tests.system.dropping import delivered, put, scan
from tests.table_images import draw_table, simple

_OPTION = re.compile(r"--[a-z-]+")
_PYTHON = ".venv/bin/python -m "


def _starting_with(start: str) -> list[str]:
    return [command for command in commands() if command.startswith(start)]


def _in_running_text(start: str) -> list[str]:
    """Return the commands with this beginning that stand between backticks in a sentence or a table."""
    return list(dict.fromkeys(code for page in PAGES for code in inline(page) if code.startswith(start)))


OURS = _starting_with("ocrwatch ")
MODULES = [
    *_starting_with(_PYTHON),
    *(f".venv/bin/{command}" for command in _in_running_text("python -m tests.")),
]
PYTEST = _in_running_text("pytest ")
ELSEWHERE = {
    "sh deploy/quickstart.sh": "tests/system/test_quickstart_on_debian.py",
    "sh deploy/test.sh": ".ci/run",
    "sudo sh deploy/install.sh": "tests/system/test_service_on_debian.py",
    "sudo systemctl reload ocrwatch": "tests/system/test_service_on_debian.py",
    "sudo adduser": "tests/system/test_service_on_debian.py",
    "sudo apt-get install tesseract-ocr-": "deploy/test.sh",
    "journalctl -u ocrwatch": "tests/system/test_service_on_debian.py",
    "pip install 'ocrwatch[rapidocr]'": "tests/system/test_service_on_debian.py",
    "pip install 'ocrwatch[remote]'": "tests/system/test_service_on_debian.py",
    "(umask 077; head -c 32 /dev/urandom | base64 > ": "tests/unit/cache/test_redis_options.py",
    "docker build -f deploy/docker/Dockerfile": "tests/system/test_image.py",
}
"""How other commands begin, and where they are run or, if that takes a fresh machine, looked through."""

TABLE = simple([("Item", "Pieces"), ("Screw", "120"), ("Nail", "1500"), ("Bolt", "85")])
"""On the page that is read by commands: some print its tables."""

RECEIPT = "Corner Shop\nDate 27/11/2026\nBread 2.40\nMilk 1.10\nTotal 3.50\nCash 5.00\nChange 1.50"
"""What is printed on the receipt whose fields commands print."""

DAEMONS = [command for command in OURS if command.startswith("ocrwatch run")]
LASTING = {*DAEMONS, "ocrwatch status --watch"}
"""Those that go on until they are told to end."""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with scans to read, and some in the quarantine."""
    folder = tmp_path_factory.mktemp("furnished")
    broken = ("scan1.jpg", "invoices/fr/a.jpg", "contract_002.jpg")
    for name in broken:
        put(folder / "inbox", name, b"no JPEG")
    with DaemonProcess(folder, "--set", "settle.give_up_after=1s") as daemon:
        daemon.wait_for("scan.quarantined", count=len(broken))
        assert daemon.stop() == 0
    put(folder / "inbox", "page.jpg", scan(1))
    put(folder, "page.jpg", encode(draw_table(TABLE).image))
    put(folder, "fax.tif", tiff_of_scans(scan(1), scan(2)))
    put(folder, "letter.pdf", pdf_of(["Dear Ms Miller"]))
    put(folder, "receipt.jpg", render(RECEIPT, size=36))
    put(folder, "truth.csv", b"file,date,total\nreceipt.jpg,27/11/2026,3.50\n")
    # Which a separator sheet names.
    put(folder, "ocrwatch.toml", b'[[profiles]]\nname = "invoices"\nmatch = "invoices/**"\n')
    return folder


@pytest.fixture
def house(furnished: Path, tmp_path: Path) -> Path:
    """Make another folder like it, which a command may change."""
    shutil.copytree(furnished, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("command", [command for command in OURS if command not in LASTING])
def test_command_does_what_it_says(house: Path, command: str) -> None:
    """It ends by itself, as one that went well, or with the code that docs/reference/cli.md has for what it found."""
    done = run_ocrwatch(house, *shlex.split(command)[1:])
    # Nothing runs here, and status says so.
    expected = {3} if command == "ocrwatch status" else {0}
    assert done.returncode in expected, done.stdout + done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", DAEMONS)
def test_daemon_reads(tmp_path: Path, command: str) -> None:
    """The command starts a daemon, if the languages that it names are installed."""
    options = shlex.split(command)[2:]
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False).stdout.split()
    wanted = {language for option in options if not option.startswith("-") for language in option.split(",")}
    if not wanted <= set(listed):
        pytest.skip(f"not all of the languages {', '.join(sorted(wanted))} are installed")
    with DaemonProcess(tmp_path, *options) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "page.jpg", scan(1))
        delivered(daemon, "page.jpg", 1)


def test_status_is_shown_live_until_interrupted(tmp_path: Path) -> None:
    """On a terminal, and Ctrl-C is no error."""
    assert "ocrwatch status --watch" in OURS
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
    try:
        shown, deadline = b"", time.monotonic() + 30
        while b"not running" not in shown:
            assert time.monotonic() < deadline
            shown += os.read(ours, 4096)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 0
    finally:
        watching.kill()
        watching.wait()
        os.close(ours)


@pytest.mark.parametrize("command", MODULES)
def test_bench_is_there_and_knows_its_options(command: str) -> None:
    """Each bench explains itself, and every option that a page gives it among the rest."""
    module = shlex.split(command)[2]
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(_OPTION.findall(command)) <= set(_OPTION.findall(done.stdout))


def test_tests_that_a_page_names_are_there() -> None:
    """``pytest PATH`` in a table leads to tests."""
    assert PYTEST
    assert [command for command in PYTEST if not (ROOT / shlex.split(command)[-1]).exists()] == []


@pytest.mark.parametrize(
    "command",
    [code for code in _in_running_text("ocrwatch ") if re.fullmatch(r"ocrwatch [a-z]+( [a-z]+)*( --[a-z-]+)*", code)],
)
def test_command_in_running_text_exists(command: str, tmp_path: Path) -> None:
    """Its help names its options."""
    words = [word for word in shlex.split(command)[1:] if not word.startswith("--")]
    done = run_ocrwatch(tmp_path, *words, "--help")
    assert done.returncode == 0, done.stderr
    assert set(_OPTION.findall(command)) <= set(_OPTION.findall(done.stdout))


def test_no_command_is_left_out() -> None:
    """Every command of the pages is run here, or where ``ELSEWHERE`` says."""
    known = (*OURS, *MODULES, *ELSEWHERE)
    assert [command for command in commands() if not command.startswith(known)] == []
    for start, place in ELSEWHERE.items():
        assert (ROOT / place).exists(), place
        assert any(command.startswith(start) for command in commands()), f"no page has {start}"
