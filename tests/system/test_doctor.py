"""Doctor finds each planted fault and names its remedy, finds nothing where all is well, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.daemon_process import DaemonProcess, clean_environment, run_ocrwatch, write_config
from tests.system.disks import dead_share, disk_for
from tests.system.dropping import BY_EVENTS, delivered, put, scan

FOLDERS = ("inbox", "outbox", "archive", "quarantine", "state")


def _examine(folder: Path, *arguments: str, wrapper: Sequence[str] = ()) -> tuple[int, list[dict[str, str]]]:
    """Run doctor; return its exit code and what is not fine."""
    answer = run_ocrwatch(folder, "doctor", "--json", *arguments, wrapper=wrapper)
    assert answer.stderr == ""
    return answer.returncode, [finding for finding in json.loads(answer.stdout) if finding["severity"] != "fine"]


def _everything(folder: Path) -> dict[str, int]:
    """Return all files in a folder that can be seen, with the times of the last change."""
    # Not rglob, which fails at what is mounted and refuses.
    found = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in found}


@dataclass(frozen=True)
class Fault:
    """Something wrong, and what doctor has to say of it."""

    subject: str
    said: str
    """Part of the message."""
    remedy: str
    """Part of the remedy."""
    plant: Callable[[Path], contextlib.AbstractContextManager[object]] = lambda _: contextlib.nullcontext()
    """Makes it in the daemon's folder while the context lasts."""
    config: str = ""
    arguments: tuple[str, ...] = ()
    severity: str = "problem"
    needs: tuple[str, ...] = field(default=())
    """``no privileges`` where root would not notice it, ``root`` where nobody else can plant it."""


@contextlib.contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    (folder / "outbox").chmod(0o555)
    yield
    (folder / "outbox").chmod(0o755)


@contextlib.contextmanager
def _full(folder: Path) -> Iterator[None]:
    with disk_for(folder / "archive", 1):
        with contextlib.suppress(OSError), (folder / "archive/ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * 4096)
        yield


@contextlib.contextmanager
def _mounted(place: Path, kind: str, *options: str) -> Iterator[None]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system")
    if subprocess.run(["mount", "-t", kind, *options, kind, place], check=False).returncode != 0:
        pytest.skip(f"no {kind} can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextlib.contextmanager
def _no_more_files(folder: Path) -> Iterator[None]:
    with _mounted(folder / "quarantine", "tmpfs", "-o", "size=1g,nr_inodes=20"):
        yield


@contextlib.contextmanager
def _file_for_folder(folder: Path) -> Iterator[None]:
    (folder / "archive").rmdir()
    (folder / "archive").write_text("")
    yield


@contextlib.contextmanager
def _other_daemon(folder: Path) -> Iterator[None]:
    with DaemonProcess(folder, "--state", "other-state", "--outbox", "other-outbox") as daemon:
        daemon.wait_ready()
        yield


@contextlib.contextmanager
def _open_settings(folder: Path) -> Iterator[None]:
    (folder / "ocrwatch.toml").chmod(0o664)
    yield


@contextlib.contextmanager
def _secret(folder: Path) -> Iterator[None]:
    (folder / "secret").write_text("Authorization: Bearer 1234\n")
    (folder / "secret").chmod(0o644)
    yield


@contextlib.contextmanager
def _closed_subfolder(folder: Path) -> Iterator[None]:
    (folder / "inbox/private").mkdir(mode=0)
    yield
    (folder / "inbox/private").chmod(0o755)


FAULTS = {
    "read-only folder": Fault("outbox", "permission denied", "let the user", _read_only, needs=("no privileges",)),
    "subfolder of another user": Fault("inbox folder", "inbox/private cannot be read: permission denied",
                                       "let the user that ocrwatch runs as read it", _closed_subfolder,
                                       severity="warning", needs=("no privileges",)),
    "folder that cannot be made": Fault("inbox", "/proc/inbox", "folder", arguments=("--inbox", "/proc/inbox")),
    "file in a folder's place": Fault("archive", "not a directory", "remove the file", _file_for_folder),
    "full disk": Fault("archive", "no space left", "free some space", _full),
    "full disk, said of its space": Fault("archive space", "is full", "free some space", _full),
    "share whose server is gone": Fault("inbox", "not connected", "and mount it again",
                                        lambda folder: dead_share(folder / "inbox")),
    "no more files": Fault("quarantine files", "more files can be made", "remove files", _no_more_files,
                           severity="warning"),
    "archive on another disk": Fault("moving", "different file systems", "beside the inbox",
                                     lambda folder: disk_for(folder / "archive", 300), severity="warning"),
    "events on a file system that may have none": Fault(
        "watch mode", "ramfs", "auto or poll", lambda folder: _mounted(folder / "inbox", "ramfs"),
        config='[watch]\nmode = "inotify"\n', severity="warning"),
    "missing language of a profile": Fault("languages", "tlh", "tlh.traineddata",
                                           config='[[profiles]]\nmatch = "k/**"\nlanguages = ["tlh"]\n'),
    "unknown engine": Fault("engine", "quill", "ocr.engine", config='[ocr]\nengine = "quill"\n'),
    "level of the cache that does not exist": Fault("cache", "'dsik'", "set cache.levels to some of: disk, memory",
                                                    config='[cache]\nlevels = ["dsik"]\n'),
    "Redis without a key": Fault("cache", "cache.redis_key_file", "/dev/urandom",
                                 config='[cache]\nredis = "redis://localhost"\n'),
    "group that does not exist": Fault("groups", "no-such-group", "create it",
                                       config='[output]\ngroup = "no-such-group"\n'),
    "hook that cannot be run": Fault("hooks", "/etc/passwd", "chmod +x", config='[hooks]\nbatch = ["/etc/passwd"]\n'),
    "secret that everybody may read": Fault(
        "hooks.webhook_secret", "every user", "chmod o-rwx", _secret, severity="warning",
        config='[hooks]\nwebhook = "https://example.org"\nwebhook_secret = "secret"\n'),
    "settings that others may write, as root": Fault("settings", "ocrwatch.toml", "chmod go-w", _open_settings,
                                                     needs=("root",)),
    "wrong settings": Fault("settings", "log.levle", "log.level", config='[log]\nlevle = "info"\n'),
    "folders that overlap": Fault("folders", "outbox", "side by side", arguments=("--outbox", "inbox/out")),
    "other daemon on the inbox": Fault("daemon", "another ocrwatch (process", "stop it", _other_daemon),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found(tmp_path: Path, name: str, unprivileged: tuple[str, ...]) -> None:
    """Doctor says what is wrong and what to do, ends with 3 where it would stop ocrwatch, and cleans up."""
    fault = FAULTS[name]
    if "root" in fault.needs and os.geteuid() != 0:
        pytest.skip("only root has to be so careful")
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
    write_config(tmp_path, fault.config)
    wrapper = unprivileged if "no privileges" in fault.needs else ()
    with fault.plant(tmp_path):
        before = set(_everything(tmp_path))
        code, findings = _examine(tmp_path, *fault.arguments, wrapper=wrapper)
        left = {path for path in set(_everything(tmp_path)) - before if "state" not in path}
    found = [finding for finding in findings if finding["subject"] == fault.subject]
    assert len(found) == 1, findings
    assert found[0]["severity"] == fault.severity
    assert fault.said in found[0]["message"].lower() + found[0]["message"]
    assert fault.remedy in found[0]["remedy"]
    assert all(finding["remedy"] for finding in findings)
    assert code == (3 if any(finding["severity"] == "problem" for finding in findings) else 0)
    assert not left


def test_nothing_is_found_where_all_is_well(tmp_path: Path) -> None:
    """After a run and beside one, as root and as a user: no finding, exit code 0, and every file as it was."""
    with DaemonProcess(tmp_path, config=None) as daemon:
        put(daemon.inbox, "a.jpg", scan(1))
        delivered(daemon, "a.jpg", 1)
        assert _examine(tmp_path) == (0, [])
        put(daemon.inbox, "b.jpg", scan(2))
        delivered(daemon, "b.jpg", 2)
        assert daemon.stop() == 0
        # What doctor did in the inbox was no scan to the daemon.
        assert {event["path"] for event in daemon.events() if "path" in event} == {"a.jpg", "b.jpg"}
    before = _everything(tmp_path)
    assert _examine(tmp_path) == (0, [])
    assert "was detected at once" in run_ocrwatch(tmp_path, "doctor", *BY_EVENTS).stdout
    assert _everything(tmp_path) == before


def test_nothing_is_made_where_nothing_is(tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    """Before the first start there are no folders, and there are none afterwards."""
    write_config(tmp_path, "")
    assert _examine(tmp_path, wrapper=unprivileged) == (0, [])
    assert [path.name for path in tmp_path.iterdir()] == ["ocrwatch.toml"]


def test_root_becomes_the_user_of_the_service() -> None:
    """What root may do says nothing of the service: its user and groups are taken, and its state folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    script = """
from pathlib import Path
import os
from ocrwatch.commands.service_user import become_user_of, environment_of
from ocrwatch.checks.machine import Service
service = Service("ocrwatch.service", "active", "enabled", "nobody", Path("/var/lib/ocrwatch"), 0)
become_user_of(service)
print(os.getresuid(), os.getgroups() == [os.getgid()], os.getgid() != 0, environment_of(service)["STATE_DIRECTORY"])
"""
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, env=clean_environment(), capture_output=True, encoding="utf-8", check=True)
    nobody = pwd.getpwnam("nobody").pw_uid
    assert answer.stdout.strip() == f"{(nobody,) * 3} True True /var/lib/ocrwatch"
