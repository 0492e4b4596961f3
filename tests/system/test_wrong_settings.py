"""Wrong settings and what is missing: one sentence with the remedy, the right exit code, never a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, run_ocrwatch
from tests.system.dropping import delivered, put, scan
from tests.waiting import until

USAGE, ENVIRONMENT, LOCKED = 2, 3, 4


def _complaint(
    folder: Path,
    *arguments: str,
    code: int,
    config: str | None = None,
    environment: Mapping[str, str] | None = None,
    command: str = "run",
) -> str:
    """Run a command that has to fail with ``code``; return its one complaint."""
    ended = run_ocrwatch(folder, command, *arguments, config=config, environment=environment)
    assert "Traceback" not in ended.stderr + ended.stdout
    lines = ended.stderr.splitlines()
    complaints = [line for line in lines if not line.startswith("{")]
    assert ended.returncode == code, ended.stderr
    assert len(complaints) == 1, ended.stderr
    assert complaints[0] == lines[-1]
    assert complaints[0].startswith("ocrwatch: ")
    errors = [json.loads(line) for line in lines[:-1]]
    assert not [event for event in errors if event["level"] in {"error", "critical"} and "exception" in event]
    return complaints[0]


def test_unknown_key_in_the_file(tmp_path: Path) -> None:
    """A misspelt option in the file names the file, the key and the right spelling."""
    complaint = _complaint(tmp_path, config='[settle]\nstable_fro = "1s"\n', code=USAGE)
    assert "ocrwatch.toml" in complaint
    assert "settle.stable_fro" in complaint
    assert "stable_for" in complaint
    assert not (tmp_path / "inbox").exists()


def test_unknown_key_on_the_command_line(tmp_path: Path) -> None:
    """A misspelt option in --set names the command line, the key and the right spelling."""
    complaint = _complaint(tmp_path, "--set", "ocr.langages=eng", code=USAGE)
    assert "command line" in complaint
    assert "ocr.langages" in complaint
    assert "languages" in complaint.replace("ocr.langages", "")


def test_unknown_environment_variable(tmp_path: Path) -> None:
    """A misspelt variable is an error that names it and the right spelling."""
    complaint = _complaint(tmp_path, environment={"OCRWATCH_SETTLE__STABLE_FRO": "1s"}, code=USAGE)
    assert "OCRWATCH_SETTLE__STABLE_FRO" in complaint
    assert "OCRWATCH_SETTLE__STABLE_FOR" in complaint


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("workers.count=many", "whole number"),
        ("settle.stable_for=soon", "2s"),
        ("settle.max_bytes=big", "MB"),
        ("on_success=burn", "archive"),
        ("watch.recursive=perhaps", "true or false"),
        ("output.formats=doc", "txt"),
        ("ocr.page_segmentation=99", "13"),
        ("ocr.languages=../../etc", "eng"),
        ("retry.attempts=0", "at least 1"),
        ("output.mode=rw", "0640"),
    ],
)
def test_wrong_value(tmp_path: Path, setting: str, remedy: str) -> None:
    """A value of the wrong kind names the option, the value and what would be right."""
    complaint = _complaint(tmp_path, "--set", setting, code=USAGE)
    key, _, value = setting.partition("=")
    assert key in complaint
    assert value in complaint
    assert remedy in complaint


def test_wrong_type_in_the_file(tmp_path: Path) -> None:
    """A value of the wrong type in the file names the file."""
    complaint = _complaint(tmp_path, config="inbox = 3\n", code=USAGE)
    assert "ocrwatch.toml: inbox = 3" in complaint


def test_broken_file(tmp_path: Path) -> None:
    """A file that is no TOML names the file and the line."""
    complaint = _complaint(tmp_path, config="inbox = \n[settle\n", code=USAGE)
    assert "ocrwatch.toml" in complaint
    assert "line 1" in complaint


def test_missing_config_file(tmp_path: Path) -> None:
    """A named settings file that is not there is an error, not a start with defaults."""
    complaint = _complaint(tmp_path, "--config", "elsewhere.toml", code=USAGE)
    assert "elsewhere.toml" in complaint
    assert "does not exist" in complaint


@pytest.mark.parametrize("option", ["outbox", "archive", "quarantine", "state"])
def test_folder_inside_the_inbox(tmp_path: Path, option: str) -> None:
    """A folder of ocrwatch's inside the inbox is refused, also behind a link; the complaint names both."""
    (tmp_path / "inbox" / "sub").mkdir(parents=True)
    (tmp_path / "shortcut").symlink_to(tmp_path / "inbox" / "sub")
    for place in ("inbox/sub", "shortcut/more"):
        complaint = _complaint(tmp_path, f"--{option}", place, code=USAGE)
        assert option in complaint
        assert str(tmp_path / "inbox") in complaint


def test_unknown_option_of_a_command(tmp_path: Path) -> None:
    """An option that there is not is a usage error, without a traceback."""
    ended = run_ocrwatch(tmp_path, "run", "--inbix", "x")
    assert ended.returncode == USAGE
    assert "--inbix" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_language_that_is_not_installed(tmp_path: Path) -> None:
    """A language that is not there, and that nobody packages, is named with the file to install."""
    complaint = _complaint(tmp_path, "--languages", "eng,tlh", code=ENVIRONMENT)
    assert "tlh" in complaint
    assert "tlh.traineddata" in complaint


def test_language_of_a_profile_that_is_not_installed(tmp_path: Path) -> None:
    """A profile's missing language is found out at the start, not with its first scan."""
    complaint = _complaint(tmp_path, config='[[profiles]]\nmatch = "k/**"\nlanguages = ["tlh"]\n', code=ENVIRONMENT)
    assert "tlh.traineddata" in complaint


def test_tessdata_without_languages(tmp_path: Path) -> None:
    """An empty folder of language data is named together with the option."""
    (tmp_path / "empty").mkdir()
    complaint = _complaint(tmp_path, "--set", "ocr.tessdata=empty", code=ENVIRONMENT)
    assert "ocr.tessdata" in complaint
    assert str(tmp_path / "empty") in complaint


def test_tessdata_that_is_damaged(tmp_path: Path) -> None:
    """Language data that Tesseract cannot load is an error at the start."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "eng.traineddata").write_bytes(b"no data")
    complaint = _complaint(tmp_path, "--set", "ocr.tessdata=broken", code=ENVIRONMENT)
    assert "eng" in complaint
    assert "broken" in complaint


def test_tesseract_is_missing(tmp_path: Path) -> None:
    """Without the tesseract program its engine names the package to install."""
    complaint = _complaint(
        tmp_path, "--set", "ocr.engine=pytesseract", environment={"PATH": str(tmp_path)}, code=ENVIRONMENT
    )
    assert "apt-get install tesseract-ocr" in complaint


def test_unknown_engine(tmp_path: Path) -> None:
    """An engine that there is not names those there are."""
    complaint = _complaint(tmp_path, "--set", "ocr.engine=tesserac", code=USAGE)
    assert "tesserac" in complaint
    assert "pytesseract" in complaint


def test_unknown_tesseract_variable(tmp_path: Path) -> None:
    """A Tesseract variable that there is not is named at the start."""
    complaint = _complaint(tmp_path, config='[ocr]\nvariables = { no_such_variable = "1" }\n', code=USAGE)
    assert "no_such_variable" in complaint


@pytest.mark.parametrize(
    "options",
    ['variables = { no_such_variable = "1" }', 'engine = "tesserac"'],
    ids=["variable", "engine"],
)
def test_wrong_options_of_a_profile(tmp_path: Path, options: str) -> None:
    """What is wrong with a profile's engine is found out at the start, not with its first scan."""
    config = f'[[profiles]]\nmatch = "special/**"\n[profiles.ocr]\n{options}\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        until(lambda: daemon.events("daemon.ready") or daemon.process.poll() is not None)
        assert not daemon.events("daemon.ready")
        assert daemon.wait() == USAGE
    assert len(daemon.complaints) == 1


def test_profile_with_wrong_options_holds_no_others_up(tmp_path: Path) -> None:
    """Scans outside a profile are read although the profile's own cannot be; or ocrwatch does not start at all."""
    config = '[[profiles]]\nmatch = "special/**"\n[profiles.ocr]\nvariables = { no_such_variable = "1" }\n'
    put(tmp_path / "inbox", "special/one.jpg", scan(1))
    with DaemonProcess(tmp_path, config=config) as daemon:
        until(lambda: daemon.events("daemon.paused") or daemon.process.poll() is not None)
        if daemon.process.poll() is None:
            put(daemon.inbox, "plain.jpg", scan(2))
            daemon.wait_for("scan.delivered", path="plain.jpg", timeout=6)


def test_inbox_where_no_folder_can_be_made(tmp_path: Path) -> None:
    """A folder that cannot be made is named."""
    complaint = _complaint(tmp_path, "--inbox", "/proc/ocrwatch-inbox", code=ENVIRONMENT)
    assert "inbox /proc/ocrwatch-inbox" in complaint


def test_file_in_the_outboxs_place(tmp_path: Path) -> None:
    """A file where a folder should be is named."""
    (tmp_path / "outbox").write_text("I was here first")
    complaint = _complaint(tmp_path, code=ENVIRONMENT)
    assert f"outbox {tmp_path / 'outbox'}" in complaint


@pytest.mark.parametrize("name", ["inbox", "outbox", "archive", "quarantine", "state"])
def test_folder_without_permission(tmp_path: Path, unprivileged: tuple[str, ...], name: str) -> None:
    """A folder that ocrwatch's user may not write is named at the start, with the remedy."""
    folder = tmp_path / name
    folder.mkdir(mode=0o500)
    with DaemonProcess(tmp_path, wrapper=unprivileged) as daemon:
        assert daemon.wait() == ENVIRONMENT
    assert not daemon.events("daemon.ready")
    (complaint,) = daemon.complaints
    assert f"{name} {folder} (permission denied)" in complaint
    assert "user" in complaint


def test_settings_file_that_others_can_change(tmp_path: Path) -> None:
    """As root, a settings file that others may write is refused with the command that mends it."""
    if os.geteuid() != 0:
        pytest.skip("only root has something to lose here")
    path = tmp_path / "open.toml"
    path.write_text("")
    path.chmod(0o666)
    complaint = _complaint(tmp_path, "--config", "open.toml", code=USAGE)
    assert f"chmod go-w {path}" in complaint


@pytest.mark.parametrize("command", ["run", "once"])
def test_second_ocrwatch_on_one_inbox(tmp_path: Path, command: str) -> None:
    """A second one names the first one's process and ends; the first one works on."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        complaint = _complaint(tmp_path, "--state", "other-state", command=command, code=LOCKED)
        assert f"process {daemon.pid}" in complaint
        assert str(daemon.inbox) in complaint
        put(daemon.inbox, "still.jpg", scan(3))
        delivered(daemon, "still.jpg", 3)


def test_second_ocrwatch_on_one_state_folder(tmp_path: Path) -> None:
    """Two inboxes cannot share a state folder."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        complaint = _complaint(tmp_path, "--inbox", "second", code=LOCKED)
        assert f"process {daemon.pid}" in complaint
        assert "state" in complaint


def test_nothing_in_the_working_folder_is_imported(tmp_path: Path) -> None:
    """A Python file that somebody put into the working folder is not run."""
    for module in ("json", "numpy", "sitecustomize", "cv2"):
        (tmp_path / f"{module}.py").write_text("open('ran', 'w').close()\n")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
    assert not (tmp_path / "ran").exists()
