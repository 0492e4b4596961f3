"""Programs get the notification, and end in time with all that they started."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import threading
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from ocrwatch.hooks import program
from ocrwatch.hooks.program import ProgramFailed, Programs
from tests.daemon_process import is_alive
from tests.eventually import eventually, run
from tests.waiting import until


def _sh(script: str, *arguments: object) -> list[str]:
    return ["/bin/sh", "-c", script, "hook", *map(str, arguments)]


def _descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def _run(command: Sequence[str], body: bytes = b"", time_limit: float = 20) -> None:
    """Run a program, and check that nothing of it is left: no zombie, descriptor, or thread."""

    async def alone() -> None:
        before = _descriptors()
        try:
            await Programs().run(command, body, time_limit)
        finally:
            assert _descriptors() == before
            assert not psutil.Process().children()

    try:
        run(alone(), 30)
    finally:
        until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("hooks")], 5)


@pytest.mark.parametrize("size", [2, 1 << 20])
def test_notification_is_standard_input(tmp_path: Path, size: int) -> None:
    """All of it, whatever its size, then the end of the file."""
    body = b"x" * size
    _run(_sh('cat > "$1"', tmp_path / "body"), body)
    assert (tmp_path / "body").read_bytes() == body


def test_program_that_reads_nothing_is_fine() -> None:
    """However much there was to read."""
    _run(["/bin/true"], b"x" * (1 << 20))


def test_service_managers_variables_are_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program must not speak to systemd in the daemon's name; the rest of the environment is there."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    monkeypatch.setenv("OCRWATCH_TEST", "here")
    _run(_sh('env > "$1"; pwd >> "$1"', tmp_path / "out"))
    lines = (tmp_path / "out").read_text().splitlines()
    assert not [line for line in lines if line.startswith(("NOTIFY_SOCKET", "WATCHDOG"))]
    assert "OCRWATCH_TEST=here" in lines
    assert lines[-1] == "/"


def test_program_has_its_own_session(tmp_path: Path) -> None:
    """What a terminal or a supervisor sends to the daemon's group does not reach it."""
    _run(_sh('cut -d " " -f 1,5,6 < /proc/self/stat > "$1"; echo $$ >> "$1"', tmp_path / "out"))
    (_, group, session), (pid,) = (line.split() for line in (tmp_path / "out").read_text().splitlines())
    assert group == session == pid


@pytest.mark.parametrize(
    ("script", "reason", "stderr"),
    [
        ("echo out; echo one >&2; echo two >&2; exit 3", "exited with code 3", "one\ntwo"),
        ("kill -9 $$", "was killed by signal 9", ""),
        ("yes no | head -c 1000000 >&2; echo last >&2; exit 1", "exited with code 1", "last"),
        ("exec >&- 2>&-; exit 4", "exited with code 4", ""),
        ("exec 2>&-; sleep 0.2; exit 5", "exited with code 5", ""),
        ("printf 'caf\\351' >&2; exit 6", "exited with code 6", "caf�"),
    ],
)
def test_failure_has_the_end_of_standard_error(script: str, reason: str, stderr: str) -> None:
    """How it ended and the end of its standard error, of which no more than that is kept."""
    with pytest.raises(ProgramFailed) as caught:
        _run(_sh(script))
    assert caught.value.reason == reason
    assert caught.value.stderr.endswith(stderr)
    assert bool(caught.value.stderr) == bool(stderr)
    assert len(caught.value.stderr) <= 2000


def test_program_that_cannot_be_started_fails(tmp_path: Path) -> None:
    """It is gone, or is no program."""
    with pytest.raises(ProgramFailed, match=r"could not be started \(No such file"):
        _run([str(tmp_path / "gone")])
    script = tmp_path / "text"
    script.write_text("hello")
    script.chmod(0o755)
    with pytest.raises(ProgramFailed, match=r"could not be started \(Exec format"):
        _run([str(script)])
    with pytest.raises(ProgramFailed, match=r"could not be started \(embedded null"):
        _run(["/bin/echo", "a\0b"])


def test_program_without_a_thread_to_start_it_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor is it started later, with no time limit."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def short_of_threads() -> None:
        programs = Programs()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(ProgramFailed, match=r"could not be started \(can't start new thread"):
                await programs.run(_sh('echo > "$1"', tmp_path / "begun"), b"", 10)
        await programs.run(["/bin/true"], b"", 10)
        assert not (tmp_path / "begun").exists()

    run(short_of_threads())


@pytest.mark.parametrize("closed", ["", "exec >&- 2>&-;"])
def test_time_limit_ends_it_and_all_it_started(tmp_path: Path, closed: str) -> None:
    """Its children are killed too, also if it has closed its standard error."""
    begun = time.monotonic()
    script = f'{closed} sleep 60 & echo $! > "$1.tmp"; mv "$1.tmp" "$1"; wait'
    with pytest.raises(ProgramFailed, match=r"hooks.timeout \(0.5 s\)"):
        _run(_sh(script, tmp_path / "pid"), time_limit=0.5)
    assert time.monotonic() - begun < 10
    child = int((tmp_path / "pid").read_text())
    until(lambda: not is_alive(child), 5, "the end of its child")


def test_time_limit_tells_what_was_written() -> None:
    """Also of a program that writes without end."""
    with pytest.raises(ProgramFailed, match=r"hooks.timeout") as caught:
        _run(_sh("yes again >&2"), time_limit=0.5)
    assert caught.value.stderr.endswith("again")
    assert len(caught.value.stderr) <= 2000


@pytest.mark.parametrize("script", ["sleep 20 & exit 0", "trap '' PIPE; yes >&2 & exit 0"])
def test_child_left_running_delays_nothing(script: str) -> None:
    """It may hold the standard error open, and write to it."""
    begun = time.monotonic()
    run(Programs().run(_sh(script), b"", 10), 30)
    assert time.monotonic() - begun < 8


def _when_started(monkeypatch: pytest.MonkeyPatch, command: Sequence[str], first: threading.Event) -> None:
    """Let the start of a program wait for an event, as one on a share that does not answer."""
    start = program._start

    def slow(wanted: Sequence[str], body: bytes) -> subprocess.Popen[bytes]:
        if wanted == command:
            first.wait(20)
        return start(wanted, body)

    monkeypatch.setattr(program, "_start", slow)


def test_program_on_a_disk_that_hangs_delays_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the event loop nor another program waits for its start."""
    answers = threading.Event()
    command = _sh('echo > "$1"', tmp_path / "begun")
    _when_started(monkeypatch, command, answers)

    async def beside() -> None:
        programs = Programs()
        hangs = asyncio.create_task(programs.run(command, b"", 10))
        await programs.run(["/bin/true"], b"", 10)
        assert not hangs.done()
        answers.set()
        await hangs
        assert (tmp_path / "begun").exists()

    run(beside(), 15)


def test_ignored_signals_of_children_do_no_harm() -> None:
    """A supervisor may have ignored SIGCHLD: the kernel reaps programs then, and their exit code is lost."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        _run(_sh("exit 3"))
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_program_of_another_user_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be killed (kill(2)); it keeps its place until it ends, and closing does not fail."""

    def refuse(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    async def closing() -> None:
        programs = Programs()
        running = asyncio.create_task(_ends(programs.run(["/bin/sleep", "1"], b"", 0.1)))
        await eventually(lambda: programs._running)
        programs.close()
        assert "hooks.timeout" in await running

    monkeypatch.setattr("os.killpg", refuse)
    run(closing())


async def _ends(running: Coroutine[Any, Any, None]) -> str:
    with pytest.raises(ProgramFailed) as caught:
        await running
    return caught.value.reason


def test_close_kills_what_runs(tmp_path: Path) -> None:
    """Programs end with the daemon, with all that they started, and none is started afterwards."""

    async def closing() -> None:
        programs = Programs()
        script = 'sleep 60 & echo $! > "$1.tmp"; mv "$1.tmp" "$1"; wait'
        running = [asyncio.create_task(_ends(programs.run(_sh(script, tmp_path / n), b"", 60))) for n in "12"]
        await eventually(lambda: (tmp_path / "1").exists() and (tmp_path / "2").exists())
        programs.close()
        assert await asyncio.gather(*running) == ["was ended because ocrwatch stopped"] * 2
        assert await _ends(programs.run(["/bin/true"], b"", 10)) == "was not run because ocrwatch stopped"
        await eventually(lambda: not any(is_alive(int((tmp_path / n).read_text())) for n in "12"))

    run(closing())


def test_close_kills_what_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program gets past the end because its start took long."""
    closed = threading.Event()
    command = _sh("sleep 60")
    _when_started(monkeypatch, command, closed)

    async def closing() -> None:
        programs = Programs()
        running = asyncio.create_task(_ends(programs.run(command, b"", 60)))
        await asyncio.sleep(0)
        programs.close()
        closed.set()
        assert await running == "was ended because ocrwatch stopped"

    run(closing())


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_cancelled_program_is_killed(tmp_path: Path) -> None:
    """No program is left without a time limit. Its end is not waited for, as it may wait for a disk."""

    async def cancelling() -> None:
        running = asyncio.create_task(
            Programs().run(_sh('echo $$ > "$1.tmp"; mv "$1.tmp" "$1"; sleep 60', pid), b"", 60)
        )
        await eventually(pid.exists)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await eventually(lambda: not is_alive(int(pid.read_text())))

    pid = tmp_path / "pid"
    run(cancelling())
    gc.collect()


@pytest.mark.parametrize("command", [["/bin/sleep", "60"], ["/no/such/program"]])
def test_program_cancelled_at_its_start_is_killed(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """Its start cannot be cancelled, but it does not run on."""
    answers = threading.Event()
    _when_started(monkeypatch, command, answers)

    async def cancelling() -> None:
        running = asyncio.create_task(Programs().run(command, b"", 60))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        answers.set()

    run(cancelling())
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("hooks")], 10)
    assert not psutil.Process().children()
