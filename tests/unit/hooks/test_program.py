"""Programs get the facts, and end in time with all they started."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ocrwatch.hooks.program import ProgramFailed, Programs
from tests.daemon_process import is_alive
from tests.waiting import until


def _sh(script: str, *arguments: object) -> list[str]:
    return ["/bin/sh", "-c", script, "hook", *map(str, arguments)]


@pytest.mark.parametrize("size", [2, 1 << 20])
def test_facts_are_standard_input(tmp_path: Path, size: int) -> None:
    """All of them, whatever their size, then the end of the file."""
    facts = b"x" * size
    Programs().run(_sh('cat > "$1"', tmp_path / "facts"), facts, 10)
    assert (tmp_path / "facts").read_bytes() == facts


def test_a_program_that_reads_nothing_is_fine() -> None:
    """However much there was to read."""
    Programs().run(["/bin/true"], b"x" * (1 << 20), 10)


def test_service_managers_variables_are_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program must not speak to systemd in the daemon's name; the rest of the environment is there."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    monkeypatch.setenv("OCRWATCH_TEST", "here")
    Programs().run(_sh('env > "$1"; pwd >> "$1"', tmp_path / "out"), b"", 10)
    lines = (tmp_path / "out").read_text().splitlines()
    assert not [line for line in lines if line.startswith(("NOTIFY_SOCKET", "WATCHDOG"))]
    assert "OCRWATCH_TEST=here" in lines
    assert lines[-1] == "/"


@pytest.mark.parametrize(
    ("script", "reason", "stderr"),
    [
        ("echo out; echo one >&2; echo two >&2; exit 3", "exited with code 3", "one\ntwo"),
        ("kill -9 $$", "was killed by signal 9", ""),
        ("yes no | head -c 1000000 >&2; echo last >&2; exit 1", "exited with code 1", "last"),
        ("exec >&- 2>&-; exit 4", "exited with code 4", ""),
    ],
)
def test_failure_is_told_with_the_last_words(script: str, reason: str, stderr: str) -> None:
    """How it ended and the end of its standard error, of which no more than that is kept."""
    with pytest.raises(ProgramFailed) as caught:
        Programs().run(_sh(script), b"", 20)
    assert caught.value.reason == reason
    assert caught.value.stderr.endswith(stderr)
    assert len(caught.value.stderr) <= 2000


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    """It is gone, or is no program."""
    with pytest.raises(ProgramFailed, match=r"could not be started \(No such file"):
        Programs().run([str(tmp_path / "gone")], b"", 10)
    script = tmp_path / "text"
    script.write_text("hello")
    script.chmod(0o755)
    with pytest.raises(ProgramFailed, match=r"could not be started \(Exec format"):
        Programs().run([str(script)], b"", 10)


@pytest.mark.parametrize("closed", ["", "exec >&- 2>&-;"])
def test_time_limit_ends_it_and_all_it_started(tmp_path: Path, closed: str) -> None:
    """Its children go with it, also where it has closed its standard error."""
    begun = time.monotonic()
    script = f'{closed} sleep 60 & echo $! > "$1.tmp"; mv "$1.tmp" "$1"; wait'
    with pytest.raises(ProgramFailed, match=r"hooks.timeout \(0.5 s\)"):
        Programs().run(_sh(script, tmp_path / "pid"), b"", 0.5)
    assert time.monotonic() - begun < 10
    child = int((tmp_path / "pid").read_text())
    until(lambda: not is_alive(child), 5, "the end of its child")


def test_what_it_leaves_running_is_not_waited_for() -> None:
    """A child that holds the standard error open does not make a program late that has ended well."""
    begun = time.monotonic()
    Programs().run(_sh("sleep 20 & exit 0"), b"", 10)
    assert time.monotonic() - begun < 8


def test_what_cannot_be_watched_does_not_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a container forbids pidfd_open(2), no program is left without a time limit."""

    def refuse(_: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    begun = time.monotonic()
    with pytest.raises(ProgramFailed, match="could not be watched"):
        Programs().run(_sh("sleep 60"), b"", 60)
    assert time.monotonic() - begun < 20


def test_close_ends_what_runs(tmp_path: Path) -> None:
    """The daemon's end is theirs, and none is started afterwards."""
    programs, failures = Programs(), []

    def run() -> None:
        try:
            programs.run(_sh('echo > "$1"; sleep 60', tmp_path / "begun"), b"", 60)
        except ProgramFailed as failure:
            failures.append(failure.reason)

    thread = threading.Thread(target=run)
    thread.start()
    until((tmp_path / "begun").exists, 10)
    programs.close()
    thread.join(10)
    assert failures == ["was ended because ocrwatch stopped"]
    with pytest.raises(ProgramFailed, match="not run because ocrwatch stopped"):
        programs.run(["/bin/true"], b"", 10)
