"""Has the daemon work while everything that it uses fails at random, then lets it end in peace, and counts.

``python -m tests.crash.faults --scans 2000 --rate 0.05`` prints the figures; it exits with 1 if a scan was lost,
doubled, left half done or quarantined for what is not its fault. A C compiler is needed. What fails, each at the rate:

- every call of the daemon's own process that opens, reads, writes, truncates, flushes, closes, renames, links, removes,
  lists or looks at something in the inbox, outbox, archive, quarantine or state folder, SQLite's too (``faults.c``);
  a quarter of those that change something fail after they have done so. Memory mapping, locks and what inotify does
  are left alone, and so is the start;
- readings: the worker crashes, leaves, hangs, eats memory, lacks something, has a bug, returns rubbish (``fickle.py``);
- scans: so many are truncated, of an unknown kind or no JPEG at all; so many others are touched, overwritten, replaced
  or renamed by their writer at any moment after they came. A worker is killed now and then besides;
- settings: they change all the time, now and then to wrong ones (``admin.py``), and their file fails like the rest.

With that many faults most deliveries fail several times. So that the run does not take days, the daemon's pauses are
shortened to milliseconds (``hasty.py``), unless ``--patient``. All else is the daemon as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.crash.accounts import Figures, settle_accounts
from tests.crash.admin import Admin
from tests.crash.command import carry_out
from tests.crash.fickle import Fickle
from tests.crash.preload import build
from tests.crash.scenario import ROOT, Places, scans_in
from tests.crash.writer import Writer
from tests.daemon_process import PROGRAM, children_of, clean_environment
from tests.keeping_facts import hook_program, kept_facts
from tests.waiting import until

FOLDERS = ("inbox", "outbox", "archive", "quarantine", "state")
HASTY = (sys.executable, "-P", "-m", "tests.crash.hasty")

_CONFIG = """
[workers]
count = 2
timeout = "1s"
shutdown_timeout = "5s"
[ocr]
engine = "fickle"
[enhance]
enabled = false
[watch]
rescan = "500ms"
[settle]
stable_for = "100ms"
stable_for_closed = "50ms"
give_up_after = "2s"
[batch]
quiet = "20ms"
[retry]
attempts = 50
first_delay = "50ms"
max_delay = "500ms"
[status]
heartbeat = "1s"
[hooks]
delivered = ["{hook}", "{told}", "delivered"]
quarantined = ["{hook}", "{told}", "quarantined"]
queue_size = 10000
"""
_MOST_WAITING = 60
_TIMEOUT = 600.0
_LOOKS = 50
_BETWEEN_LOOKS = 0.1
_WORKERS_KILLED_EVERY = 3.0
_MILLION = 1_000_000


class Control:
    """The file through which faults are switched on and off, and counted (see ``faults.c``)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(32))

    def set(self, rate: float) -> None:
        """Have this share of the calls fail."""
        with self.path.open("r+b") as file:
            file.write(struct.pack("=Q", round(rate * _MILLION)))

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many calls were made, how many failed, how many of these had been carried out."""
        _, calls, faults, late = struct.unpack("=4Q", self.path.read_bytes())
        return calls, faults, late


def run(folder: Path, scans: int, *, rate: float, seed: int, patient: bool = False) -> Figures:
    """Feed ``scans`` under faults, let the daemon finish without, and count."""
    places = prepared(folder)
    control, chance = Control(folder / "control"), random.Random(seed)
    writer = Writer(places.folder("inbox"), chance, rate)
    admin = Admin(places.base / "ocrwatch.toml", chance)
    figures = Figures()
    began = time.monotonic()
    environment = faulty_environment(folder, places, control, rate)
    with daemon_under_faults(places, environment, seed=seed, program=PROGRAM if patient else HASTY) as daemon:
        until(lambda: is_ready(places.base / "output.log"), 60)
        open_files = _open_files(daemon)
        control.set(rate)
        next_kill = time.monotonic() + _WORKERS_KILLED_EVERY
        while (len(writer.accounts) < scans or writer.busy) and daemon.poll() is None:
            now = time.monotonic()
            if len(writer.accounts) < scans and len(scans_in(writer.inbox)) < _MOST_WAITING:
                writer.drop()
            writer.disturb(now)
            admin.look_in(daemon, now)
            if now >= next_kill:
                next_kill = now + _WORKERS_KILLED_EVERY
                figures.workers_killed += _kill_one(daemon, chance)
            time.sleep(chance.uniform(0, 0.02))
        # Nothing is left in peace before its time: three quarters of what waits is handled under faults.
        _wait(daemon, lambda: len(scans_in(writer.inbox)) < _MOST_WAITING // 4)
        control.set(0)
        _wait(daemon, lambda: not scans_in(writer.inbox) and is_idle(places))
        figures.left_open = _left_open(daemon, open_files)
        daemon.send_signal(signal.SIGTERM)
        figures.code = daemon.wait(60)
    figures.seconds = time.monotonic() - began
    figures.calls, figures.faults, figures.late = control.counts
    figures.settings_changed = admin.changes
    figures.told_twice = _told_twice(places.base / "told")
    settle_accounts(figures, places, writer.accounts, folder / "fickle.log")
    return figures


def prepared(folder: Path) -> Places:
    """Make a daemon's folders and its settings below ``folder``."""
    places = Places(folder / "run", folder / "run")
    for name in FOLDERS:
        places.folder(name).mkdir(parents=True)
    told = places.base / "told"
    told.mkdir()
    hook = hook_program(places.base, "hook.sh")
    (places.base / "ocrwatch.toml").write_text(_CONFIG.format(hook=hook, told=told))
    (places.base / "ocrwatch.toml").chmod(0o644)
    return places


def faulty_environment(folder: Path, places: Places, control: Control, rate: float) -> dict[str, str]:
    """Build in ``folder`` what makes a daemon's calls fail; return the variables that it is to be started with.

    ``rate`` is the share of readings that fail.
    """
    (folder / "fickle.log").touch()
    return {
        "PYTHONPATH": _engine_path(folder / "engine"),
        "LD_PRELOAD": str(build("faults.c", folder)),
        "FAULTS_ROOTS": ":".join(str(places.base.resolve() / name) for name in (*FOLDERS, "ocrwatch.toml")),
        "FAULTS_CONTROL": str(control.path),
        "FICKLE_CONTROL": str(control.path),
        "FICKLE_RATE": str(rate),
        "FICKLE_LOG": str(folder / "fickle.log"),
    }


@contextmanager
def daemon_under_faults(
    places: Places,
    environment: Mapping[str, str],
    *,
    seed: int,
    program: Sequence[str] = HASTY,
    command: str = "run",
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a daemon, and kill it in the end."""
    with (places.base / "output.log").open("ab") as output:
        daemon = subprocess.Popen(
            [*program, command],
            cwd=places.base,
            env=clean_environment({**environment, "FAULTS_SEED": str(seed)}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


def _engine_path(folder: Path) -> str:
    metadata = folder / "fickle-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fickle\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(f"[ocrwatch.engines]\nfickle = {Fickle.__module__}:Fickle\n")
    return f"{folder}{os.pathsep}{ROOT}"


def _told_twice(told: Path) -> int:
    """Count the ends that hooks were told of more than once."""
    ends = [end["id"] for end in kept_facts(told)]
    return len(ends) - len(set(ends))


def _kill_one(daemon: subprocess.Popen[bytes], chance: random.Random) -> int:
    workers = children_of(daemon.pid)
    if not workers:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(workers), signal.SIGKILL)
    return 1


def _wait(daemon: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while not condition() and time.monotonic() < deadline and daemon.poll() is None:
        time.sleep(0.05)


def is_ready(log: Path) -> bool:
    """Tell whether the daemon has started: before, it handles no signal, and its status is that of the run before."""
    return b'"daemon.ready"' in log.read_bytes()


def is_idle(places: Places) -> bool:
    """Tell whether the daemon says that nothing is left to do."""
    status = (places.folder("state") / "status.json").read_text()
    return '"state": "watching"' in status and '"waiting": 0' in status


def _left_open(daemon: subprocess.Popen[bytes], before: int) -> int:
    """Count the files that it has open for longer than it takes to look into the inbox, or to write its note."""
    left = 0
    for _ in range(_LOOKS):
        if daemon.poll() is not None:
            return 0
        left = _open_files(daemon) - before
        if left <= 0:
            break
        time.sleep(_BETWEEN_LOOKS)
    return left


def _open_files(daemon: subprocess.Popen[bytes]) -> int:
    """Count the files that it has open; not the pipes and last words of its workers, whose number changes."""
    opened = 0
    for link in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = str(link.readlink())
            opened += target.startswith("/") and not target.startswith("/memfd:")
    return opened


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--patient", action="store_true", help="with the daemon's usual pauses")
    return carry_out(
        parser,
        "faults",
        lambda folder, options: run(
            folder, options.scans, rate=options.rate, seed=options.seed, patient=options.patient
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
