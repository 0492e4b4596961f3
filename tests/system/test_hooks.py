"""Other programs are told what happened, and can neither hold up nor fail a scan."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, is_alive, run_ocrwatch, write_config
from tests.keeping_facts import KEEP_FACTS, hook_program, kept_facts
from tests.listening import listening
from tests.system.dropping import delivered, files, put, scan
from tests.waiting import until


def _keeping(folder: Path) -> str:
    """Return settings with a program that keeps the facts of each event in a folder of its own."""
    program = hook_program(folder, "keep facts")
    lines = ["[hooks]"]
    for event in ("delivered", "quarantined", "batch", "document"):
        (folder / event).mkdir()
        lines.append(f'{event} = ["{program}", "{folder / event}", "{event} \\"1\\""]')
    return "\n".join(lines) + "\n"


def test_programs_get_the_facts(tmp_path: Path) -> None:
    """Each event's program gets its facts as JSON, with absolute paths, and its arguments as they are written."""
    config = _keeping(tmp_path) + '[settle]\ngive_up_after = "1s"\n' + '[[profiles]]\nmatch = "in/**"\nname = "mine"\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        put(daemon.inbox, "in/a.jpg", scan(1))
        event = daemon.wait_for("scan.delivered", path="in/a.jpg")
        put(daemon.inbox, "bad.jpg", scan(2)[:2000])
        refused = daemon.wait_for("scan.quarantined", path="bad.jpg")
        assert daemon.stop() == 0
        (facts,) = kept_facts(tmp_path / "delivered")
        assert [path.name[:13] for path in (tmp_path / "delivered").glob("*.json")] == ['delivered "1"']
        assert (facts["schema"], facts["event"]) == ("ocrwatch.hook/1", "delivered")
        assert facts["sidecars"] == [str(daemon.outbox / "in/a.txt")]
        assert facts["archived"] == str(daemon.archive / "in/a.jpg")
        assert facts["inbox"] == str(daemon.inbox)
        same = ("id", "path", "bytes", "sha256", "words", "confidence", "profile", "attempt", "batch", "engine")
        assert {name: facts[name] for name in same} == {name: event[name] for name in same}
        (facts,) = kept_facts(tmp_path / "quarantined")
        assert facts["event"] == "quarantined"
        assert facts["quarantined"] == str(daemon.quarantine / "bad.jpg")
        assert {name: facts[name] for name in ("path", "code", "reason", "remedy")} == {
            name: refused[name] for name in ("path", "code", "reason", "remedy")
        }
        assert not kept_facts(tmp_path / "document")
        batch = kept_facts(tmp_path / "batch")[0]
        assert {name: batch[name] for name in ("event", "scans", "delivered")} == {
            "event": "batch",
            "scans": 1,
            "delivered": 1,
        }
        assert not daemon.events("hook.failed")


def test_programs_get_documents(tmp_path: Path) -> None:
    """A document of several pages has a notification of its own, with the absolute paths of its files."""
    grouped = '[[profiles]]\nmatch = "**"\n[profiles.group]\nby = "name"\nquiet = "500ms"\n'
    with DaemonProcess(tmp_path, config=_keeping(tmp_path) + grouped) as daemon:
        daemon.wait_ready()
        for number in (1, 2):
            put(daemon.inbox, f"in/a_{number}.jpg", scan(number))
        event = daemon.wait_for("document.delivered")
        assert daemon.stop() == 0
    (facts,) = kept_facts(tmp_path / "document")
    assert (facts["schema"], facts["event"], facts["inbox"]) == ("ocrwatch.hook/1", "document", str(daemon.inbox))
    assert facts["sidecars"] == [str(daemon.outbox / "in/a.txt")]
    same = ("id", "document", "folder", "pages", "grouped_by", "closed_by")
    assert {name: facts[name] for name in same} == {name: event[name] for name in same}
    assert (facts["document"], facts["pages"]) == ("a", 2)
    assert len(kept_facts(tmp_path / "delivered")) == 2


def test_text_of_scans_is_not_told(tmp_path: Path) -> None:
    """What log.preview_chars allows the log is not for others."""
    with DaemonProcess(tmp_path, config=_keeping(tmp_path) + "[log]\npreview_chars = 50\n") as daemon:
        put(daemon.inbox, "a.jpg", scan(1))
        assert daemon.wait_for("scan.delivered", path="a.jpg")["preview"]
        assert daemon.stop() == 0
        assert "preview" not in kept_facts(tmp_path / "delivered")[0]


@pytest.mark.parametrize(
    ("script", "reason", "stderr"),
    [
        ("#!/bin/sh\necho no index here >&2\nexit 7\n", "exited with code 7", "no index here"),
        ("#!/bin/sh\necho begun >&2\nsleep 60\n", "hooks.timeout", "begun"),
        ("#!/no/such/interpreter\n", "could not be started", ""),
    ],
)
def test_failing_program_is_logged_and_nothing_else(tmp_path: Path, script: str, reason: str, stderr: str) -> None:
    """A program that fails, hangs or cannot be started costs a line in the log, and no scan waits for it."""
    config = f'[hooks]\ndelivered = ["{hook_program(tmp_path, "failing", script)}"]\ntimeout = "300ms"\n'
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        for number in range(3):
            put(daemon.inbox, f"{number}.jpg", scan(number))
        for number in range(3):
            delivered(daemon, f"{number}.jpg", number)
        failed = daemon.wait_for("hook.failed", count=3)
        assert (failed["hook"], failed["target"]) == ("delivered", str(tmp_path / "failing"))
        assert reason in failed["reason"]
        assert failed.get("stderr", "") == stderr
        assert daemon.stop() == 0


def _all_told(folder: Path, count: int) -> list[int]:
    """Return the process ids that programs wrote into files named after them, none before there are so many."""
    pids = [int(path.read_text() or 0) for path in folder.iterdir()]
    return pids if len(pids) >= count and all(pids) else []


def test_hanging_programs_hold_up_nothing(tmp_path: Path) -> None:
    """No more run at once than allowed, all scans go through meanwhile, and what is too much is dropped and counted."""
    (tmp_path / "running").mkdir()
    program = hook_program(tmp_path, "hang", f'#!/bin/sh\necho $$ > "{tmp_path}/running/$$"\nexec sleep 600\n')
    config = (
        f'[hooks]\ndelivered = "{program}"\nconcurrency = 2\nqueue_size = 3\ntimeout = "1h"\n'
        '[workers]\nshutdown_timeout = "1s"\n'
    )
    with DaemonProcess(tmp_path, config=config) as daemon:
        daemon.wait_ready()
        for number in range(12):
            put(daemon.inbox, f"{number}.jpg", scan(number))
        daemon.wait_for("scan.delivered", count=12)
        assert daemon.wait_for("hook.dropped")["target"] == "programs"
        pids = until(lambda: _all_told(tmp_path / "running", 2), what="two run")
        assert len(pids) == 2
        assert all(map(is_alive, pids))
        begun = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begun < 10
        until(lambda: not any(map(is_alive, pids)), 5, "the end of the programs")
        assert sum(event["count"] for event in daemon.events("hook.dropped")) == 10
        assert files(daemon.archive) == {f"{number}.jpg" for number in range(12)}


def test_stop_lets_programs_finish(tmp_path: Path) -> None:
    """Within the grace what was delivered is told; a second signal does not wait."""
    slow = KEEP_FACTS.replace("cat", "sleep 1; cat", 1)
    config = _keeping(tmp_path).replace("keep facts", "slow")
    program = hook_program(tmp_path, "slow", slow)
    with DaemonProcess(tmp_path, config=config) as daemon:
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        assert daemon.stop() == 0
        assert len(kept_facts(tmp_path / "delivered")) == 1
        assert len(kept_facts(tmp_path / "batch")) == 1
    program.write_text("#!/bin/sh\nsleep 600\n")
    with DaemonProcess(tmp_path, "--set", "workers.shutdown_timeout=1h") as daemon:
        put(daemon.inbox, "b.jpg", scan(2))
        delivered(daemon, "b.jpg", 2)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("daemon.stopping")
        begun = time.monotonic()
        until(lambda: _asked_again(daemon), what="its end")
        assert time.monotonic() - begun < 5
        assert daemon.wait() == 0


def _asked_again(daemon: DaemonProcess) -> bool:
    daemon.process.send_signal(signal.SIGTERM)
    return daemon.process.poll() is not None


def test_webhook_is_tried_again(tmp_path: Path) -> None:
    """An address that fails twice gets the facts with its header at the third attempt, each event once."""
    secret = tmp_path / "webhook.secret"
    secret.write_text("Authorization: Bearer 12345\n")
    secret.chmod(0o600)
    with listening([500, 503]) as listener:
        config = f'[hooks]\nwebhook = "{listener.url}"\nwebhook_secret = "webhook.secret"\n'
        with DaemonProcess(tmp_path, config=config) as daemon:
            put(daemon.inbox, "a.jpg", scan(1))
            delivered(daemon, "a.jpg", 1)
            until(lambda: len(listener.taken) == 2, what="both events are taken")
            assert [facts["event"] for facts in listener.taken] == ["delivered", "batch"]
            assert [facts["event"] for facts in listener.posts] == ["delivered"] * 3 + ["batch"]
            assert listener.taken[0]["sidecars"] == [str(daemon.outbox / "a.txt")]
            assert {headers["Authorization"] for headers in listener.sent_headers} == {"Bearer 12345"}
            assert len(daemon.events("hook.retrying")) == 2
            assert daemon.stop() == 0
            assert not daemon.events("hook.failed")
            log = json.dumps(daemon.events())
            assert "12345" not in log
            assert "secret-path" not in log


def test_silent_webhook_holds_up_nothing(tmp_path: Path) -> None:
    """Scans go through while an address does not answer; the failure is logged, and stopping takes no longer."""
    with listening() as listener:
        listener.silent.set()
        config = f'[hooks]\nwebhook = "{listener.url}"\nwebhook_attempts = 1\ntimeout = "500ms"\n'
        with DaemonProcess(tmp_path, "--set", "workers.shutdown_timeout=1s", config=config) as daemon:
            daemon.wait_ready()
            for number in range(6):
                put(daemon.inbox, f"{number}.jpg", scan(number))
            for number in range(6):
                delivered(daemon, f"{number}.jpg", number)
            failed = daemon.wait_for("hook.failed")
            assert "did not answer within 0.5 s" in failed["reason"]
            assert failed["target"] == listener.url.removesuffix("/secret-path")
            assert daemon.stop(timeout=10) == 0


def test_hooks_change_with_a_reload(tmp_path: Path) -> None:
    """New hooks are run from the reload on; wrong ones are refused and the old ones stay."""
    with DaemonProcess(tmp_path, config="") as daemon:
        daemon.wait_ready()
        write_config(tmp_path, _keeping(tmp_path))
        daemon.process.send_signal(signal.SIGHUP)
        kinds = ("delivered", "quarantined", "batch", "document")
        assert daemon.wait_for("daemon.reloaded")["changed"] == [f"hooks.{kind}" for kind in kinds]
        write_config(tmp_path, '[hooks]\ndelivered = ["/no/such/program"]\n')
        daemon.process.send_signal(signal.SIGHUP)
        assert "/no/such/program" in daemon.wait_for("daemon.reload_failed")["reason"]
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        until(lambda: kept_facts(tmp_path / "delivered"), what="the facts are told")


def test_delivery_of_a_killed_run_is_told(tmp_path: Path) -> None:
    """What was planned when the daemon was killed is told by the run that delivers it, once."""
    with DaemonProcess(tmp_path, config=_keeping(tmp_path)) as daemon:
        daemon.wait_ready()
        for number in range(8):
            put(daemon.inbox, f"{number}.jpg", scan(number))
        daemon.wait_for("scan.delivered", count=2)
        daemon.kill()
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_ready()
        until(lambda: not files(daemon.inbox), 40, "the inbox is empty")
        assert daemon.stop() == 0
        told = [facts["path"] for facts in kept_facts(tmp_path / "delivered")]
        assert len(told) == len(set(told))
        later = {event["path"] for name in ("scan.delivered", "scan.recovered") for event in daemon.events(name)}
        assert later <= set(told)


def test_once_tells_what_it_did(tmp_path: Path) -> None:
    """It does not end before the programs that it ran."""
    config = _keeping(tmp_path).replace("keep facts", "slow")
    hook_program(tmp_path, "slow", KEEP_FACTS.replace("cat", "sleep 1; cat", 1))
    put(tmp_path / "inbox", "a.jpg", scan(1))
    assert run_ocrwatch(tmp_path, "once", config=config).returncode == 0
    assert len(kept_facts(tmp_path / "delivered")) == 1


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ('delivered = ["/no/such/program"]', 3, ["/no/such/program", "is not there", "hooks.delivered"]),
        ('batch = ["no-such-program"]', 3, ["no-such-program", "PATH", "hooks.batch"]),
        ('quarantined = ["/etc/passwd"]', 3, ["/etc/passwd", "chmod +x"]),
        ('delivered = ["./program"]', 2, ["hooks.delivered", "absolute path"]),
        ('webhook = "ftp://example.org/"', 2, ["hooks.webhook", "https://"]),
        ('webhook = "https://me:pass@example.org/"', 2, ["hooks.webhook", "webhook_secret"]),
        ('webhook = "http://example.org/"\nwebhook_secret = "gone"', 3, ["gone", "cannot be read"]),
        ('webhook = "http://example.org/"\nwebhook_secret = "ocrwatch.toml"', 2, ["no header", "Authorization"]),
    ],
)
def test_hooks_that_cannot_work_stop_the_start(tmp_path: Path, config: str, code: int, said: list[str]) -> None:
    """One sentence names the hook and the remedy."""
    ended = run_ocrwatch(tmp_path, "run", config=f"[hooks]\n{config}\n")
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    (complaint,) = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    for part in said:
        assert part in complaint


def test_programs_of_other_users_are_no_programs(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """What the daemon's user may not run is refused at the start."""
    program = hook_program(tmp_path, "private")
    program.chmod(0o644)
    with DaemonProcess(tmp_path, config=f'[hooks]\nbatch = ["{program}"]\n', wrapper=unprivileged) as daemon:
        assert daemon.wait() == 3
        assert any("chmod +x" in line for line in daemon.complaints)
    assert os.access(program, os.R_OK)
