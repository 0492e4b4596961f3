"""What people see on a terminal: no line is torn, colours only where they are wanted, and commands complete."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.daemon_process import write_config
from tests.system.dropping import put, scan
from tests.system.terminal import Terminal
from tests.waiting import until

COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
STEP = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")
BAD = scan(1).replace(b"\xff\xc0", b"\xff\xc3", 1)


def screen(raw: bytes) -> list[str]:
    """Return the rows that a terminal shows in the end, as far as they were written without wrapping."""
    rows, row, column = [""], 0, 0
    for numbers, letter, control, text in STEP.findall(raw.decode()):
        if control == "\r":
            column = 0
        elif control == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif letter == "A":
            row = max(0, row - int(numbers or 1))
        elif letter == "K":
            rows[row] = "" if numbers == "2" else rows[row][:column]
        elif text:
            rows[row] = rows[row][:column].ljust(column) + text + rows[row][column + len(text) :]
            column += len(text)
    return rows


def fill(inbox: Path) -> None:
    """Put three scans that can be read and three that cannot into an inbox."""
    for number in range(3):
        put(inbox, f"good{number}.jpg", scan(number, 20))
        put(inbox, f"bad{number}.jpg", BAD)


def test_the_progress_bar_and_the_log_share_a_terminal(tmp_path: Path) -> None:
    """Each log line and each preview has a row of its own, and nothing of the bar is left over."""
    write_config(tmp_path, None)
    fill(tmp_path / "inbox")
    with Terminal(tmp_path, "once", "--preview", columns=400) as terminal:
        assert terminal.wait() == 1
    assert b"reading" in terminal.raw
    rows = screen(terminal.raw)
    warnings = [row for row in rows if "scan.quarantined" in row]
    assert len(warnings) == 3
    assert all(re.match(r"\d\d:\d\d:\d\d \[warning ", row) for row in warnings)
    assert len([row for row in rows if re.match(r"good\d\.jpg: The ", row)]) == 3
    assert not [row for row in rows if "reading " in row]


def test_previews_can_be_written_to_a_file(tmp_path: Path) -> None:
    """With the bar on the terminal, standard output still is where the user sent it."""
    write_config(tmp_path, None)
    put(tmp_path / "inbox", "one.jpg", scan(1))
    with (
        (tmp_path / "previews").open("wb") as file,
        Terminal(tmp_path, "once", "--preview", stdout=file.fileno()) as terminal,
    ):
        assert terminal.wait() == 0
    assert (tmp_path / "previews").read_text().startswith("one.jpg: The ")
    assert "one.jpg" not in terminal.shown


def colours(tmp_path: Path, environment: dict[str, str]) -> bool:
    """Tell whether a run of ``once`` and one of ``doctor`` write colours to a terminal."""
    write_config(tmp_path, None)
    put(tmp_path / "inbox", "bad.jpg", BAD)
    raw = b""
    for command in ("once", "doctor"):
        with Terminal(tmp_path, command, environment=environment) as terminal:
            terminal.wait()
        raw += terminal.raw
    return any(
        int(number) in {*range(30, 50), *range(90, 108)}
        for codes in COLOUR.findall(raw)
        for number in re.findall(rb"\d+", codes)
    )


def test_colours_on_a_terminal(tmp_path: Path) -> None:
    """Without any wish, there are some."""
    assert colours(tmp_path, {"NO_COLOR": ""})


def test_no_colours_where_they_are_not_wanted(tmp_path: Path) -> None:
    """NO_COLOR (https://no-color.org) is respected by the log and by what commands print."""
    assert not colours(tmp_path, {"NO_COLOR": "1"})


def test_completion_in_a_fresh_shell(tmp_path: Path) -> None:
    """After --install-completion, a new bash completes commands, options and files."""
    bash, program = shutil.which("bash"), Path(sys.executable).with_name("ocrwatch")
    if bash is None or not program.exists():
        pytest.skip("there is no bash, or ocrwatch is not installed as a program")
    (tmp_path / "scan with spaces.jpg").touch()
    environment = {"HOME": str(tmp_path), "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "PS1": "$ "}
    with Terminal(
        tmp_path, "-c", "ocrwatch --install-completion; echo done", program=[bash], environment=environment
    ) as terminal:
        terminal.wait()
    assert "bash completion installed" in terminal.shown
    with Terminal(tmp_path, program=[bash], environment=environment) as terminal:
        terminal.type(b"ocrwatch doc\t")
        until(lambda: "ocrwatch doctor " in terminal.shown, what="the command is completed")
        terminal.type(b"--work\t")
        until(lambda: "--workers " in terminal.shown, what="the option is completed")
        terminal.type(b"\x15ocrwatch read sc\t")
        until(lambda: "read scan\\ with\\ spaces.jpg" in terminal.shown, what="the file is completed")
