"""The other commands, as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

import ocrwatch
from tests.daemon_process import PROGRAM, DaemonProcess, clean_environment, run_ocrwatch, write_config
from tests.faulty_engines import install
from tests.system.dropping import files, phrase, put, scan
from tests.system.terminal import Terminal
from tests.waiting import until

FINE, QUARANTINED, USAGE, ENVIRONMENT = 0, 1, 2, 3


def test_version(tmp_path: Path) -> None:
    """--version prints name and version, at once, and makes no folder."""
    begun = time.monotonic()
    answer = run_ocrwatch(tmp_path, "--version")
    took = time.monotonic() - begun
    assert (answer.returncode, answer.stdout, answer.stderr) == (FINE, f"ocrwatch {ocrwatch.__version__}\n", "")
    assert not (tmp_path / "inbox").exists()
    assert took < 1.5, f"{took:.2f} s, where 0.3 s are wanted on a machine that is not busy"


@pytest.mark.parametrize("command", ["run", "once", "read", "status", "why", "doctor", "retry", "config"])
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    """Every command is in the list of commands and has a help of its own."""
    assert f"\n  {command} " in run_ocrwatch(tmp_path, "--help").stdout
    answer = run_ocrwatch(tmp_path, command, "--help")
    assert answer.returncode == FINE
    assert answer.stdout.startswith(f"Usage: ocrwatch {command}")


def test_read_prints_texts_in_the_order_asked_for(tmp_path: Path) -> None:
    """Read prints the texts in the order of the files, long ones first too; it touches no folder."""
    sizes = {"c.jpg": (1, 30), "a.jpg": (2, 1), "b.jpg": (3, 1)}
    for name, (number, lines) in sizes.items():
        put(tmp_path, name, scan(number, lines))
    answer = run_ocrwatch(tmp_path, "read", *sizes)
    assert (answer.returncode, answer.stderr) == (FINE, "")
    expected = [phrase(number) for number, lines in sizes.values() for _ in range(lines)]
    assert [line for line in answer.stdout.splitlines() if line] == expected
    assert files(tmp_path) == {*sizes, "ocrwatch.toml"}


def test_read_as_json(tmp_path: Path) -> None:
    """--json prints one page a line, with its file's name."""
    for number in (1, 2):
        put(tmp_path, f"{number}.jpg", scan(number))
    answer = run_ocrwatch(tmp_path, "read", "--json", "1.jpg", "2.jpg")
    pages = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == FINE
    assert len(pages) == 2
    for number, page in enumerate(pages, start=1):
        assert f"{number}.jpg" in json.dumps(page)
        assert phrase(number).split()[1] in json.dumps(page)


def test_read_with_bad_files_among_good_ones(tmp_path: Path) -> None:
    """A file that cannot be read is named with the reason, the others are printed, and the exit code tells."""
    put(tmp_path, "good.jpg", scan(1))
    put(tmp_path, "bad.jpg", b"no JPEG at all")
    answer = run_ocrwatch(tmp_path, "read", "bad.jpg", "good.jpg")
    assert answer.returncode == QUARANTINED
    assert answer.stdout.strip() == phrase(1)
    (complaint,) = answer.stderr.splitlines()
    assert complaint.startswith("ocrwatch: bad.jpg: ")
    assert "JPEG" in complaint


FROM_A_FILE = ("sh", "-c", 'exec "$@" < one.jpg', "sh")
"""Runs a command with a file on its standard input."""


def test_read_from_standard_input(tmp_path: Path) -> None:
    """The file - is standard input, in its place among others; complaints and JSON name it."""
    put(tmp_path, "one.jpg", scan(1))
    put(tmp_path, "two.jpg", scan(2))
    answer = run_ocrwatch(tmp_path, "read", "two.jpg", "-", wrapper=FROM_A_FILE)
    assert (answer.returncode, answer.stderr) == (FINE, "")
    assert [line for line in answer.stdout.splitlines() if line] == [phrase(2), phrase(1)]
    answer = run_ocrwatch(tmp_path, "read", "--json", "-", wrapper=FROM_A_FILE)
    assert json.loads(answer.stdout)["source"]["path"] == "-"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-"], QUARANTINED, "ocrwatch: standard input: the file is empty"),
        (["-", "-"], USAGE, "ocrwatch: standard input (-) is given more than once"),
    ],
)
def test_read_from_standard_input_that_gives_nothing(
    tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    """Nothing there, and what was read already, are said in a sentence."""
    answer = run_ocrwatch(tmp_path, "read", *arguments)
    assert answer.returncode == code
    assert answer.stderr.startswith(says)
    assert len(answer.stderr.splitlines()) == 1


def test_read_from_a_terminal(tmp_path: Path) -> None:
    """It does not wait for someone to type a JPEG."""
    with Terminal(tmp_path, "read", "-") as terminal:
        assert terminal.wait() == USAGE
    assert "ocrwatch read - < page.jpg" in terminal.shown


def test_read_from_standard_input_has_a_limit(tmp_path: Path) -> None:
    """What is larger than settle.max_bytes is not kept in memory to its end."""
    answer = run_ocrwatch(
        tmp_path, "read", "--set", "settle.max_bytes=1MB", "-", wrapper=("sh", "-c", 'yes | "$@"', "sh")
    )
    assert answer.returncode == QUARANTINED
    assert "larger than allowed" in answer.stderr


@pytest.mark.parametrize("command", [("run",), ("once",), ("read", "one.jpg"), ("doctor",)], ids=" ".join)
def test_other_names_of_languages_are_translated(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Every command that needs a language says what the name that was given means."""
    answer = run_ocrwatch(tmp_path, *command, "--languages", "German")
    assert answer.returncode == ENVIRONMENT
    assert "write deu instead of German" in answer.stdout + answer.stderr


def test_read_without_such_a_file(tmp_path: Path) -> None:
    """A file that is not there is named, the others are printed."""
    put(tmp_path, "there.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, "read", "nowhere.jpg", "there.jpg")
    assert answer.returncode != FINE
    assert answer.stdout.strip() == phrase(1)
    assert answer.stderr.startswith("ocrwatch: nowhere.jpg: ")
    assert len(answer.stderr.splitlines()) == 1


def test_read_with_a_language_that_is_missing(tmp_path: Path) -> None:
    """Read says what to do about a language that is not there."""
    put(tmp_path, "one.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, "read", "-l", "tlh", "one.jpg")
    assert answer.returncode == ENVIRONMENT
    assert "tlh.traineddata" in answer.stderr


def test_read_with_several_engines(tmp_path: Path) -> None:
    """What an engine cannot read the next one does; a damaged file is the same for all, and the last error is told."""
    engines = tmp_path / "engines"
    engines.mkdir()
    install(engines)
    environment = {"PYTHONPATH": f"{engines}{os.pathsep}{Path(__file__).parents[2]}"}
    put(tmp_path, "one.jpg", scan(1))
    put(tmp_path, "bad.jpg", b"no JPEG")
    chain = ("--set", "ocr.engine=fails-in-its-own-way,echo", "--set", "ocr.whitelist=echoed")
    answer = run_ocrwatch(tmp_path, "read", *chain, "one.jpg", "bad.jpg", environment=environment)
    assert (answer.returncode, answer.stdout.split()[0]) == (QUARANTINED, "echoed")
    assert answer.stderr.startswith("ocrwatch: bad.jpg: ")
    assert len(answer.stderr.splitlines()) == 1
    answer = run_ocrwatch(
        tmp_path, "read", "--set", "ocr.engine=fails-in-its-own-way", "one.jpg", environment=environment
    )
    assert (answer.returncode, answer.stdout) == (QUARANTINED, "")


def test_status_of_a_running_daemon(tmp_path: Path) -> None:
    """Status says that it runs, what was done and what failed last, in words and as JSON."""
    with DaemonProcess(tmp_path, "--workers", "2") as daemon:
        daemon.wait_for("worker.started", count=2)
        put(daemon.inbox, "good.jpg", scan(1))
        put(daemon.inbox, "bad.jpg", scan(1).replace(b"\xff\xc0", b"\xff\xc3", 1))
        daemon.wait_for("scan.delivered")
        daemon.wait_for("scan.quarantined")

        def status() -> dict[str, object]:
            answer: dict[str, object] = json.loads(run_ocrwatch(tmp_path, "status", "--json").stdout)
            return answer if answer["delivered"] == answer["quarantined"] == 1 else {}

        now = until(status, what="the status counts both")
        assert (now["running"], now["state"], now["pid"]) == (True, "watching", daemon.pid)
        assert now["schema"] == "ocrwatch.status/1"
        assert [delivery["sidecars"] for delivery in now["deliveries"]] == [["good.txt"]]  # type: ignore[attr-defined]
        assert [now[f"scans_last_{span}"] for span in ("minute", "hour", "day")] == [2, 2, 2]
        assert now["workers_ready"] == now["workers"]
        assert sum(now["reading_seconds"]["counts"]) == 1  # type: ignore[index]
        answer = run_ocrwatch(tmp_path, "status")
        assert answer.returncode == FINE
        assert f"process {daemon.pid}" in answer.stdout
        assert "bad.jpg" in answer.stdout
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        until(
            lambda: f"process {daemon.pid}" in run_ocrwatch(tmp_path, "status").stdout,
            what="the status is the new one's",
        )
        assert "0 in the last minute, 2 in the last hour" in run_ocrwatch(tmp_path, "status").stdout


@pytest.mark.parametrize(("end", "words"), [("stop", "stopped"), ("kill", "killed")])
def test_status_of_a_daemon_that_ended(tmp_path: Path, end: str, words: str) -> None:
    """Status says that it does not run and how it ended, and exits with 3."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        until((daemon.state / "status.json").exists)
        getattr(daemon, end)()
    answer = run_ocrwatch(tmp_path, "status")
    assert answer.returncode == ENVIRONMENT
    assert "not running" in answer.stdout
    assert words in answer.stdout
    assert json.loads(run_ocrwatch(tmp_path, "status", "--json").stdout)["running"] is False


def test_status_where_none_ever_ran(tmp_path: Path) -> None:
    """Status in a new folder says that none runs, and makes nothing."""
    answer = run_ocrwatch(tmp_path, "status")
    assert answer.returncode == ENVIRONMENT
    assert "not running" in answer.stdout
    assert files(tmp_path) == {"ocrwatch.toml"}
    assert not (tmp_path / "state").exists()


def test_doctor_where_all_is_well(tmp_path: Path) -> None:
    """Doctor finds nothing wrong where nothing is, and changes nothing."""
    answer = run_ocrwatch(tmp_path, "doctor")
    assert answer.returncode == FINE, answer.stdout
    assert "problem" not in answer.stdout
    assert "Tesseract" in answer.stdout
    assert files(tmp_path) == {"ocrwatch.toml"}
    findings = json.loads(run_ocrwatch(tmp_path, "doctor", "--json").stdout)
    assert {"inbox", "outbox", "engine", "languages"} <= {finding["subject"] for finding in findings}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--languages", "tlh", "tlh.traineddata"),
        ("--outbox", "inbox/out", "inbox"),
        ("--set", "ocr.engine=tesserac", "tesserac"),
        ("--set", "output.group=no-such-group", "no-such-group"),
    ],
)
def test_doctor_finds_what_is_wrong(tmp_path: Path, option: str, value: str, said: str) -> None:
    """Doctor names each problem with its remedy, goes on with the other checks, and exits with 3."""
    answer = run_ocrwatch(tmp_path, "doctor", option, value)
    assert answer.returncode == ENVIRONMENT
    assert any(line.startswith("problem") for line in answer.stdout.splitlines())
    assert said in answer.stdout
    assert "Traceback" not in answer.stderr
    findings = json.loads(run_ocrwatch(tmp_path, "doctor", "--json", option, value).stdout)
    problems = [finding for finding in findings if finding["severity"] == "problem"]
    assert problems
    assert all(finding["remedy"] for finding in problems)
    assert any(finding["subject"] == "inbox" for finding in findings)


def test_doctor_finds_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Doctor finds what would stop a start: also a folder that is missing and cannot be made."""
    answer = run_ocrwatch(tmp_path, "doctor", "--inbox", "/proc/ocrwatch-inbox")
    assert answer.returncode == ENVIRONMENT
    assert "/proc/ocrwatch-inbox" in answer.stdout


def test_doctor_beside_a_running_daemon(tmp_path: Path) -> None:
    """Doctor can look while a daemon runs, and names its process."""
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        answer = run_ocrwatch(tmp_path, "doctor")
        assert answer.returncode == FINE
        assert str(daemon.pid) in answer.stdout


def test_config_example_is_a_valid_config(tmp_path: Path) -> None:
    """The example is TOML that can be used as it is."""
    example = run_ocrwatch(tmp_path, "config", "example").stdout
    tomllib.loads(example)
    put(tmp_path / "inbox", "one.jpg", scan(1))
    answer = run_ocrwatch(tmp_path, "once", config=example)
    assert answer.returncode == FINE, answer.stderr
    assert files(tmp_path / "outbox") == {"one.txt"}


def test_config_show_names_sources(tmp_path: Path) -> None:
    """Each setting that is not the default is shown with where it is from; the output is valid TOML."""
    answer = run_ocrwatch(
        tmp_path,
        "config", "show", "--set", "batch.max_scans=3",
        config='[settle]\nstable_for = "2s"\n',
        environment={"OCRWATCH_OCR__DPI": "300"},
    )  # fmt: skip
    assert answer.returncode == FINE
    lines = answer.stdout.splitlines()

    def line(start: str) -> str:
        return next(line for line in lines if line.startswith(start))

    assert str(tmp_path / "ocrwatch.toml") in line('stable_for = "2s"')
    assert "OCRWATCH_OCR__DPI" in line("dpi = 300")
    assert "command line" in line("max_scans = 3")
    assert line("count = ") == "count = 0"
    assert tomllib.loads(answer.stdout)["batch"]["max_scans"] == 3


def test_config_schema_is_json_schema(tmp_path: Path) -> None:
    """The schema is JSON and has every section."""
    schema = json.loads(run_ocrwatch(tmp_path, "config", "schema").stdout)
    assert {"inbox", "settle", "ocr", "profiles"} <= set(schema["properties"])


def test_reader_who_has_seen_enough(tmp_path: Path) -> None:
    """Output into a pipe that is closed early is no error to talk about."""
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [*PROGRAM, "config", "example"], stdout=write, stderr=subprocess.PIPE, cwd=tmp_path, check=False
        )
    finally:
        os.close(write)
    assert ended.stderr == b""


def test_an_output_that_is_closed_is_no_bug(tmp_path: Path) -> None:
    """There is nothing to write to, and nothing to complain of."""
    ended = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *PROGRAM, "--version"], stderr=subprocess.PIPE, cwd=tmp_path, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_an_output_that_is_full_is_no_bug(tmp_path: Path) -> None:
    """What is printed into a file on a full disk ends with one sentence."""
    (tmp_path / "one.jpg").write_bytes(scan(1))
    write_config(tmp_path, None)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "read", "one.jpg"],
            cwd=tmp_path, env=clean_environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("ocrwatch: cannot write the output (no space left on device)")
    assert done.stderr.count("\n") == 1


def test_a_complaint_that_cannot_be_written_leaves_the_exit_code(tmp_path: Path) -> None:
    """A service manager decides by it whether to start the service again."""
    ended = subprocess.run(
        ["sh", "-c", '"$@" 2>/dev/full', "sh", *PROGRAM, "config", "check", "-c", "missing.toml"],
        cwd=tmp_path, env=clean_environment(), check=False,
    )  # fmt: skip
    assert ended.returncode == 2


@pytest.mark.parametrize("options", [(), ("--json",), ("--preview",)], ids=["text", "json", "preview"])
def test_read_with_a_closed_output_says_so(tmp_path: Path, options: tuple[str, ...]) -> None:
    """No text is lost without a word."""
    (tmp_path / "one.jpg").write_bytes(scan(1))
    write_config(tmp_path, None)
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *PROGRAM, "read", "one.jpg", *options],
        cwd=tmp_path, env=clean_environment(), stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2,
        "ocrwatch: standard output is closed; send it to a program or a file\n",
    )
