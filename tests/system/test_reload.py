"""SIGHUP: new settings are taken without losing a scan, wrong ones change nothing."""

from __future__ import annotations

import json
import os
import pty
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.daemon_process import DaemonProcess, Event, clean_environment, run_ocrwatch, write_config
from tests.ocr_services import Mode, serving
from tests.system.disks import Manager
from tests.system.dropping import delivered, emptied, files, is_read, phrase, put, scan, text_of
from tests.system.sending import CAUSE, drop, settings
from tests.waiting import until

JSON_TOO = '[output]\nformats = ["txt", "json"]\n'
FAILED = "daemon.reload_failed"
PROFILE = """
[[profiles]]
match = "numbers/**"
name = "numbers"
[profiles.output]
formats = ["json"]
"""


def _reload(daemon: DaemonProcess, config: str | None = None, *, event: str = "daemon.reloaded") -> Event:
    """Give the daemon a new settings file, tell it, and return how that ended."""
    ended = len(daemon.events(event))
    write_config(daemon.folder, config)
    daemon.process.send_signal(signal.SIGHUP)
    return daemon.wait_for(event, count=ended + 1)


def test_new_profile_is_taken(tmp_path: Path) -> None:
    """Scans that come after the reload follow a profile that was not there before."""
    with DaemonProcess(tmp_path, config="") as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "numbers/before.jpg", scan(1))
        assert "profile" not in delivered(daemon, "numbers/before.jpg", 1)
        assert _reload(daemon, PROFILE)["changed"] == ["profiles"]
        put(daemon.inbox, "numbers/after.jpg", scan(2))
        event = daemon.wait_for("scan.delivered", path="numbers/after.jpg")
        assert (event["profile"], event["sidecars"]) == ("numbers", ["numbers/after.json"])
        assert _reload(daemon, "")["changed"] == ["profiles"]
        put(daemon.inbox, "numbers/again.jpg", scan(3))
        assert "profile" not in delivered(daemon, "numbers/again.jpg", 3)
        assert not daemon.events("worker.died")


def test_new_options_of_documents_are_for_stacks_that_begin_later(tmp_path: Path) -> None:
    """One that has begun waits for as long as the settings said when its first page came."""
    grouped = '[[profiles]]\nmatch = "**"\n[profiles.group]\nby = "name"\nquiet = "{}"\n'
    with DaemonProcess(tmp_path, config=grouped.format("1d")) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "before/a_1.jpg", scan(1))
        delivered(daemon, "before/a_1.jpg", 1)
        assert _reload(daemon, grouped.format("500ms"))["changed"] == ["profiles"]
        put(daemon.inbox, "before/a_2.jpg", scan(2))
        delivered(daemon, "before/a_2.jpg", 2)
        put(daemon.inbox, "after/a_1.jpg", scan(3))
        event = daemon.wait_for("document.delivered")
        assert (event["folder"], event["document"], event["pages"]) == ("after", "a", 1)
        refused = _reload(daemon, "[[profiles]]\nmatch = '**'\n[profiles.group]\nquiet = '1s'\n", event=FAILED)
        assert "profiles[0].group.by" in refused["reason"]
        pictures = f'[output]\nformats = ["explain"]\n{grouped.format("1s")}'
        assert "makes documents" in _reload(daemon, pictures, event=FAILED)["reason"]
        assert len(daemon.events("document.delivered")) == 1


def test_new_fields_are_taken(tmp_path: Path) -> None:
    """The same scan has the fields of the settings at the time, also if its text is in the cache."""
    field = '[[profiles.fields]]\nname = "{}"\npattern = "The ([a-z]+)"\n'
    with DaemonProcess(tmp_path, config=PROFILE) as daemon:
        daemon.wait_ready()
        found = []
        for number, fields in enumerate(("", field.format("colour"), field.format("shade"))):
            if fields:
                assert _reload(daemon, PROFILE + fields)["changed"] == ["profiles"]
            put(daemon.inbox, f"numbers/{number}.jpg", scan(1))
            daemon.wait_for("scan.delivered", path=f"numbers/{number}.jpg")
            sidecar = json.loads((daemon.outbox / f"numbers/{number}.json").read_text())
            found.append({name: field["value"] for name, field in sidecar.get("fields", {}).items()})
        colour = phrase(1).split()[1]
        assert found == [{}, {"colour": colour}, {"shade": colour}]


def test_what_is_being_read_keeps_its_settings(tmp_path: Path) -> None:
    """The scan that a worker has in hand is finished as it was begun; one that waits takes the new settings."""
    with DaemonProcess(tmp_path, "--workers", "1", config="") as daemon:
        daemon.wait_ready()
        names = [f"page{number}.jpg" for number in range(5)]
        for number, name in enumerate(names):
            put(daemon.inbox, name, scan(number, 40))
        daemon.wait_for("scan.delivered", path="page0.jpg")
        # The worker is held up: a reload starts another one first, which may take longer than reading all the scans.
        (worker,) = daemon.workers()
        os.kill(worker, signal.SIGSTOP)
        (in_hand,) = until(lambda: [name for name in names if is_read(daemon, name)], what="a scan is being read")
        _reload(daemon, JSON_TOO)
        os.kill(worker, signal.SIGCONT)
        events = [daemon.wait_for("scan.delivered", path=name) for name in names]
        assert [len(event["sidecars"]) for event in events] == sorted(len(event["sidecars"]) for event in events)
        assert events[names.index(in_hand)]["sidecars"] == [in_hand.replace(".jpg", ".txt")]
        assert events[-1]["sidecars"] == ["page4.json", "page4.txt"]


def test_workers_are_replaced_for_other_languages(tmp_path: Path) -> None:
    """Workers that loaded other languages give way to fresh ones; none of them counts as died."""
    with DaemonProcess(tmp_path, "--workers", "2", config="") as daemon:
        daemon.wait_for("worker.started", count=2)
        before = set(daemon.workers())
        _reload(daemon, '[ocr]\nlanguages = ["deu"]\n')
        daemon.wait_for("worker.started", count=4)
        until(lambda: len(daemon.workers()) == 2 and not before & set(daemon.workers()), what="two other workers")
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        assert not daemon.events("worker.died")
        assert not daemon.events("daemon.paused")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[ocr\n", "not valid TOML"),
        ('[ocr]\nlangages = ["eng"]\n', "did you mean ocr.languages?"),
        ('[ocr]\nlanguages = ["tlh"]\n', "tlh.traineddata"),
        ('[[profiles]]\nmatch = "a/**"\nlanguages = ["tlh"]\n', "tlh.traineddata"),
        ('[ocr]\nengine = "quill"\n', "quill"),
        ('[ocr]\nvariables = { no_such_variable = "1" }\n', "no_such_variable"),
        ('[output]\ngroup = "no-such-group"\n', "no-such-group"),
        ('[cache]\nlevels = ["memory", "dsik"]\n', "set cache.levels to some of"),
        ('[workers]\nexecutor = "lcoal"\n', "set workers.executor to one of"),
        ('outbox = "inbox"\n', "choose folders side by side"),
    ],
)
def test_wrong_settings_change_nothing(tmp_path: Path, config: str, said: str) -> None:
    """Whatever is wrong, one line says what and what to do, and the old settings are in force in all they say."""
    with DaemonProcess(tmp_path, config=JSON_TOO) as daemon:
        daemon.wait_ready()
        failed = _reload(daemon, config, event="daemon.reload_failed")
        assert said in f"{failed['reason']}; {failed['remedy']}"
        assert failed["remedy"]
        assert "exception" not in failed
        put(daemon.inbox, "a.jpg", scan(1))
        assert delivered(daemon, "a.jpg", 1)["sidecars"] == ["a.json", "a.txt"]
        assert not daemon.events("daemon.reloaded")
        assert not daemon.events("daemon.paused")


def test_refused_settings_are_in_the_status_until_they_are_right(tmp_path: Path) -> None:
    """``status`` says what is wrong with new settings, to people and to programs, until a reload takes some."""

    def status(*options: str) -> str:
        return run_ocrwatch(tmp_path, "status", "--config", str(tmp_path / "ocrwatch.toml"), *options).stdout

    def refused() -> Any:
        return json.loads(status("--json"))["refused_settings"]

    with DaemonProcess(tmp_path, config="") as daemon:
        daemon.wait_ready()
        assert refused() is None
        _reload(daemon, '[output]\ngroup = "no-such-group"\n', event="daemon.reload_failed")
        told = until(refused, what="the refusal is in the status")
        assert "no-such-group" in told["reason"]
        assert told["remedy"]
        assert "new settings refused since" in status()
        # Also while `status` cannot read the file itself.
        for wrong, said in (('[settle]\nstable_fro = "1s"\n', "settle.stable_fro"), ("[settle\n", "not valid TOML")):
            _reload(daemon, wrong, event="daemon.reload_failed")
            until(lambda said=said: said in refused()["reason"], what=f"{said} is in the status")  # type: ignore[misc]
            assert "new settings refused since" in status()
        _reload(daemon, JSON_TOO)
        until(lambda: refused() is None, what="the refusal is gone from the status")
        assert "new settings refused" not in status()


def test_settings_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    """An editor that is just replacing the file does not make the daemon fall back on the defaults."""
    with DaemonProcess(tmp_path, config=JSON_TOO) as daemon:
        daemon.wait_ready()
        (tmp_path / "ocrwatch.toml").unlink()
        daemon.process.send_signal(signal.SIGHUP)
        assert "no longer exists" in daemon.wait_for("daemon.reload_failed")["reason"]
        assert _reload(daemon, "")["changed"] == ["output.formats"]


def test_what_takes_a_restart_is_named(tmp_path: Path) -> None:
    """Each such key has a line of its own; what else the file changes is taken."""
    with DaemonProcess(tmp_path, config="") as daemon:
        daemon.wait_ready()
        assert _reload(daemon, 'inbox = "other"\non_success = "keep"\n' + JSON_TOO)["changed"] == ["output.formats"]
        kept = daemon.events("setting.kept")
        assert [event["key"] for event in kept] == ["inbox", "on_success"]
        assert all("restart" in event["remedy"] for event in kept)
        put(daemon.inbox, "a.jpg", scan(1))
        assert delivered(daemon, "a.jpg", 1)["sidecars"] == ["a.json", "a.txt"]
        assert not (tmp_path / "other").exists()


def test_command_line_and_environment_still_win(tmp_path: Path) -> None:
    """What they set is as it was, whatever the file says now."""
    environment = {"OCRWATCH_RETRY__ATTEMPTS": "5"}
    with DaemonProcess(tmp_path, "--set", "output.formats=txt", config="", environment=environment) as daemon:
        daemon.wait_ready()
        assert _reload(daemon, JSON_TOO + "[retry]\nattempts = 7\nmax_delay = '1m'\n")["changed"] == ["retry.max_delay"]


def test_log_level_changes(tmp_path: Path) -> None:
    """What is logged changes both ways."""
    with DaemonProcess(tmp_path, config="") as daemon:
        daemon.wait_ready()
        _reload(daemon, '[log]\nlevel = "debug"\n')
        put(daemon.inbox, "a.jpg", scan(1))
        daemon.wait_for("scan.seen", path="a.jpg")
        delivered(daemon, "a.jpg", 1)
        write_config(tmp_path, '[log]\nlevel = "warning"\n')
        daemon.process.send_signal(signal.SIGHUP)
        put(daemon.inbox, "b.jpg", scan(2))
        emptied(daemon.inbox)
        # The signal came before the scan, and may be heard after it; the next one surely is.
        put(daemon.inbox, "c.jpg", scan(3))
        until((daemon.archive / "c.jpg").exists, what="c.jpg is archived")
        assert daemon.stop() == 0
        assert not daemon.events("scan.delivered", path="c.jpg")
        assert not daemon.events("daemon.stopped")


def test_a_signal_before_the_settings_are_loaded_is_kept(tmp_path: Path) -> None:
    """As when a supervisor asks for a reload right after the start."""
    with DaemonProcess(tmp_path, config="") as daemon:
        until(daemon.workers, what="the first worker is started")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("daemon.reloaded")
        daemon.wait_ready()


def test_no_scan_is_lost_under_load(tmp_path: Path) -> None:
    """While thirty scans run through, workers become more and fewer and settings change, right ones and wrong ones."""
    numbers = {f"load/scan{number:02}.jpg": number for number in range(30)}
    with DaemonProcess(tmp_path, config="[workers]\ncount = 1\n") as daemon:
        daemon.wait_ready()
        for name, number in numbers.items():
            put(daemon.inbox, name, scan(number, 3))
        for step, config in enumerate(
            (
                "[workers]\ncount = 4\n",
                "[workers]\ncount = 2\n" + PROFILE,
                '[ocr]\nlanguages = ["tlh"]\n',
                '[workers]\ncount = 3\n[ocr]\nlanguages = ["eng", "deu"]\n',
                "[workers]\ncount = 1\n",
            )
        ):
            wrong = "tlh" in config
            _reload(daemon, config, event="daemon.reload_failed" if wrong else "daemon.reloaded")
            daemon.wait_for("scan.delivered", count=3 * (step + 1))
        emptied(daemon.inbox)
        until(lambda: len(daemon.workers()) == 1, what="one worker is left")
        assert daemon.stop() == 0
        assert sorted(event["path"] for event in daemon.events("scan.delivered")) == sorted(numbers)
        assert {event["attempt"] for event in daemon.events("scan.delivered")} == {1}
        assert files(daemon.archive) == set(numbers)
        assert files(daemon.outbox) == {name.replace(".jpg", ".txt") for name in numbers}
        assert not files(daemon.quarantine)
        assert not daemon.events("worker.died")
        for name, number in numbers.items():
            assert text_of(daemon, name.replace(".jpg", ".txt")) == " ".join([phrase(number)] * 3)


def test_scans_leave_a_service_that_the_settings_do_not_name_any_more(tmp_path: Path) -> None:
    """It has asked to be left alone for an hour; they are read at once, and cost no attempt."""
    with (
        serving(mode=Mode(status=429, retry_after="3600")) as service,
        DaemonProcess(tmp_path, config=settings(service)) as daemon,
    ):
        daemon.wait_ready()
        names = drop(daemon, range(12))
        daemon.wait_for("daemon.paused", cause=CAUSE)
        assert not daemon.events("scan.delivered")
        _reload(daemon, settings(service, engine='"tesserocr"'))
        for name in names:
            event = daemon.wait_for("scan.delivered", path=name)
            assert event["engine"].startswith("tesserocr")
            assert event["attempt"] == 1
        emptied(daemon.inbox)
        assert daemon.stop() == 0
        assert not files(daemon.quarantine)


def test_any_time_is_a_good_time(tmp_path: Path) -> None:
    """The signal is harmless as soon as the program runs, twice in a row, and while it stops."""
    put(tmp_path / "inbox", "long.jpg", scan(1, 60))
    with DaemonProcess(tmp_path, config="") as daemon:
        # It is not ready then, unless this test is slower than it.
        daemon.wait_for("daemon.started")
        write_config(tmp_path, JSON_TOO)
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.wait_for("daemon.reloaded")["changed"] == ["output.formats"]
        for _ in range(5):
            daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("daemon.reloaded", count=2)
        daemon.wait_for("batch.started")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("daemon.stopping")
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.wait() == 0
        assert daemon.events("daemon.stopped")
        assert not daemon.complaints


def test_service_manager_is_told(tmp_path: Path) -> None:
    """It hears when a reload begins, with the time, and when it has ended, well or not (sd_notify(3))."""
    manager = Manager(tmp_path / "notify")
    try:
        with DaemonProcess(tmp_path, config="", environment=manager.environment) as daemon:
            daemon.wait_ready()
            _reload(daemon, PROFILE)
            _reload(daemon, "[ocr\n", event="daemon.reload_failed")
            assert daemon.stop() == 0
            told = [line for line in manager.heard() if not line.startswith("STATUS=")]
            kinds = [line.partition("=")[0] for line in told]
            assert kinds == ["READY", *["RELOADING", "MONOTONIC_USEC", "READY"] * 2, "STOPPING"]
            assert all(line.partition("=")[2].isdecimal() for line in told)
    finally:
        manager.close()


def _on_terminal(folder: Path) -> tuple[int, int]:
    """Start a daemon as the leader of a terminal's session; return its process id and the terminal's other end."""
    write_config(folder, "")
    pid, terminal = pty.fork()
    if pid == 0:
        from tests.daemon_process import PROGRAM

        os.chdir(folder)
        os.execve(PROGRAM[0], [*PROGRAM, "run"], clean_environment())  # noqa: S606 - a program, not a shell
    return pid, terminal


def test_closed_terminal_ends_it(tmp_path: Path) -> None:
    """On a terminal it reloads when asked to, and ends when the terminal is closed, as programs do."""
    pid, terminal = _on_terminal(tmp_path)
    heard = b""
    try:
        while b"daemon.ready" not in heard:
            heard += os.read(terminal, 1 << 16)
        os.kill(pid, signal.SIGHUP)
        while b"daemon.reloaded" not in heard:
            heard += os.read(terminal, 1 << 16)
    finally:
        os.close(terminal)
    try:
        ended = until(lambda: _ended(pid), what="its end")
        assert ended is not None
        assert os.WTERMSIG(ended[1]) == signal.SIGHUP
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise


def _ended(pid: int) -> tuple[int, int] | None:
    ended = os.waitpid(pid, os.WNOHANG)
    return ended if ended[0] else None


def test_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """Started with nohup, it goes on whatever becomes of the terminal."""
    with DaemonProcess(tmp_path, config="", wrapper=("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")) as daemon:
        daemon.wait_ready()
        daemon.process.send_signal(signal.SIGHUP)
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        assert not daemon.events("daemon.reloaded")
