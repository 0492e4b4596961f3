"""StartupGuard ``run`` or ``once`` again and again while what it uses fails at random, ends it, and counts at last.

``python -m tests.crash.faulty_starts --starts 500`` prints the figures; it exits with 1 if a scan was lost, doubled or
left half done, if a start or a stop hung, if it ended otherwise than with exit code 3 and one sentence that says what
is the matter and what to do, or if the ledger was taken for damaged. A C compiler is needed. Faults are those of
``faults.c``, at another rate at each start; who has started works on under faults for a moment before it is stopped or
killed, so that the next one finds what that has left.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ocrwatch.daemon.retry_policy import MOST_DEATHS
from tests.crash.accounts import Figures, settle_accounts
from tests.crash.command import carry_out
from tests.crash.faults import Control, daemon_under_faults, faulty_environment, is_idle, is_ready, prepared
from tests.crash.scenario import Differences, scans_in
from tests.crash.writer import Writer
from tests.waiting import until

REFUSED = 3
"""The exit code of who cannot work in this environment."""

_SCANS_EACH = 3
_MOST_WAITING = 60
_LONGEST_LIFE = 0.6
_PATIENCE = 60.0
_SHOWN = 5
_STOPPED = 0.5
_COMMANDS = ("run", "run", "once")
_ENDS: dict[str, set[int | None]] = {"run": {None, 0}, "once": {None, 0, 1, REFUSED}}
"""What each may end with after its start, if it ends before it is killed."""


@dataclass
class StartupGuard:
    """How the starts ended, and what became of the scans."""

    ready: int = 0
    stopped: int = 0
    """Of those that were ready: by SIGTERM, with calls failing all the while."""
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """What was said of starts that were refused, by its first words."""
    wrong: list[str] = field(default_factory=list)
    """StartupGuard that hung, ended in another way, or took the ledger for damaged."""
    figures: Figures = field(default_factory=Figures)

    @property
    def failed(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.wrong) or self.figures.failed

    @property
    def differences(self) -> Differences:
        """What is not as it should be with the scans."""
        return self.figures.differences

    def __str__(self) -> str:
        wrong = "".join(f"\nwrong: {each}" for each in self.wrong[:_SHOWN])
        return (
            f"{self.ready} starts succeeded ({self.stopped} of them were stopped), {self.refused} were refused "
            f"{dict(self.reasons)}, {len(self.wrong)} went wrong; {self.figures}{wrong}"
        )


def run(folder: Path, starts: int, *, rate: float, seed: int) -> StartupGuard:
    """Start the daemon so often with up to ``rate`` of its calls failing, have it finish in peace, and count."""
    places = prepared(folder)
    control, chance = Control(folder / "control"), random.Random(seed)
    writer = Writer(places.folder("inbox"), chance, rate=0)
    counted, environment = StartupGuard(), faulty_environment(folder, places, control, rate=0)
    began = time.monotonic()
    log = places.base / "output.log"
    for number in range(starts):
        if len(scans_in(writer.inbox)) < _MOST_WAITING:
            for _ in range(_SCANS_EACH):
                writer.drop()
        # Most of the calls of a start stop it: high rates show its beginning, low ones its end.
        control.set(rate * 10 ** -chance.uniform(0, 2))
        command = chance.choice(_COMMANDS)
        with daemon_under_faults(places, environment, seed=seed + number, command=command) as daemon:
            _live(daemon, command, log, chance, counted)
        log.rename(folder / f"start{number:05}.log")
    control.set(0)
    figures = counted.figures
    with daemon_under_faults(places, environment, seed=seed) as daemon:
        until(lambda: daemon.poll() is not None or is_ready(log), _PATIENCE, "the last start")
        until(
            lambda: daemon.poll() is not None or (not scans_in(writer.inbox) and is_idle(places)), 120, "the last scans"
        )
        daemon.send_signal(signal.SIGTERM)
        figures.code = daemon.wait(_PATIENCE)
    figures.seconds = time.monotonic() - began
    figures.calls, figures.faults, figures.late = control.counts
    suspects = _killed_alone([*folder.glob("start*.log"), log])
    settle_accounts(figures, places, writer.accounts, folder / "fickle.log", suspects=suspects)
    # Nothing has damaged it: what could not be read for a moment is no damage.
    counted.wrong += [f"{path.name} was set aside" for path in places.folder("state").glob("ledger.db.damaged-*")]
    return counted


def _live(
    daemon: subprocess.Popen[bytes], command: str, log: Path, chance: random.Random, counted: StartupGuard
) -> None:
    """Wait for a start's end, let it live for a moment if it succeeded, stop half of them, and note how it ended."""
    deadline = time.monotonic() + _PATIENCE
    while daemon.poll() is None and not is_ready(log):
        if time.monotonic() > deadline:
            counted.wrong.append(f"it hangs:\n{_tail(log)}")
            return
        time.sleep(0.02)
    if is_ready(log):
        counted.ready += 1
        time.sleep(chance.uniform(0, _LONGEST_LIFE))
        if chance.random() < _STOPPED:
            counted.stopped += 1
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(_PATIENCE)
            if daemon.poll() is None:
                counted.wrong.append(f"it does not stop:\n{_tail(log)}")
        if daemon.poll() not in _ENDS[command]:
            counted.wrong.append(f"{command} ended with {daemon.returncode} after its start:\n{_tail(log)}")
        return
    said = [line for line in log.read_text(errors="backslashreplace").splitlines() if not _is_event(line)]
    if daemon.returncode == REFUSED and len(said) == 1 and said[0].startswith("ocrwatch: ") and "; " in said[0]:
        counted.refused += 1
        counted.reasons[" ".join(said[0].split()[1:4])] += 1
    else:
        counted.wrong.append(f"it ended with {daemon.returncode}:\n{_tail(log)}")


def _killed_alone(logs: Iterable[Path]) -> frozenset[str]:
    """Return the scans that the daemon may blame for its deaths, though this program killed it.

    Each was the only one in work at so many kills. A run that was refused before it reported the kill says nothing.
    """
    killed: Counter[str] = Counter()
    for log in logs:
        for line in log.read_text(errors="backslashreplace").splitlines():
            if '"daemon.killed"' in line and len(scans := json.loads(line)["in_work"]) == 1:
                killed.update(scans)
    return frozenset(path for path, count in killed.items() if count >= MOST_DEATHS)


def _is_event(line: str) -> bool:
    try:
        return bool(json.loads(line)["event"] != "daemon.failed")
    except (ValueError, KeyError, TypeError):
        return False


def _tail(log: Path) -> str:
    return log.read_text(errors="backslashreplace")[-3000:]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash.faulty_starts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--starts", type=int, default=500)
    parser.add_argument("--rate", type=float, default=0.05, help="the highest share of calls that fail")
    return carry_out(
        parser,
        "starts",
        lambda folder, options: run(folder, options.starts, rate=options.rate, seed=options.seed),
    )


if __name__ == "__main__":
    sys.exit(main())
