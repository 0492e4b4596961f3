"""Kills the daemon at each of its steps, restarts it, and compares the end with an undisturbed run's.

``python -m tests.crash.sweep`` does so for every step in every variant and prints what it found; it exits with 1 if
there was any difference. A C compiler is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.preload import build
from tests.crash.scenario import (
    LIST,
    Differences,
    EndState,
    Places,
    another_file_system,
    compare,
    engine_path,
    fingerprint_of,
)
from tests.crash.variants import (
    DELETING,
    GATHERING,
    SPLITTING,
    VARIANTS,
    Variant,
    prepare,
    texts_of_originals,
)
from tests.daemon_process import PROGRAM, clean_environment
from tests.fuse import rclone_mount, why_no_rclone
from tests.ocr_services import serving
from tests.other_formats import install

FINE, SOME_QUARANTINED = 0, 1
RESERVING: frozenset[Variant] = frozenset({"reserve", "fuse"})
"""Variants in which a name can only be reserved before a file gets it."""
EMPTY = fingerprint_of(b"")
_TIMEOUT = 300.0


@dataclass(frozen=True)
class Trial:
    """One run that was killed, and what had become of it in the end."""

    k: int
    step: str | None
    """The step that it did not live to make; None if it ended before it came to that."""
    differences: Differences

    def __str__(self) -> str:
        return f"k={self.k}, before {self.step}: {self.differences}"


@dataclass
class Sweep:
    """All trials of one variant."""

    variant: Variant
    steps: list[str] = field(default_factory=list)
    """Of an undisturbed run."""
    trials: list[Trial] = field(default_factory=list)

    @property
    def failures(self) -> list[Trial]:
        """Trials that ended otherwise than they should."""
        return [trial for trial in self.trials if trial.differences]

    @property
    def killed(self) -> int:
        """How many did not live to their end."""
        return sum(trial.step is not None for trial in self.trials)

    @property
    def missed(self) -> set[str]:
        """Steps of an undisturbed run at which none was killed, threads having taken turns otherwise."""
        return {_shape(step) for step in self.steps} - {_shape(trial.step) for trial in self.trials if trial.step}

    def __str__(self) -> str:
        counts = {
            name: sum(bool(getattr(trial.differences, name)) for trial in self.trials)
            for name in ("lost", "doubled", "partial", "other")
        }
        return (
            f"{self.variant}: {len(self.steps)} steps, {len(self.trials)} runs, killed {self.killed} times; "
            f"lost {counts['lost']}, doubled {counts['doubled']}, partial {counts['partial']}, "
            f"other differences {counts['other']}"
        )


def representatives(steps: Sequence[str], every: int) -> list[int]:
    """Return at least one step of each kind in each folder, and ``every``-th of those that are made often.

    Numbers count from 1. A kind begins at another place than the next, so that together they are all over a run.
    """
    kinds: dict[str, list[int]] = {}
    for number, step in enumerate(steps, 1):
        kinds.setdefault(_kind(step), []).append(number)
    chosen = [group[n % min(every, len(group)) :: every] for n, group in enumerate(kinds.values())]
    return sorted(number for group in chosen for number in group)


def is_within_transaction(step: str) -> bool:
    """Tell whether SQLite writes its files: before it flushes them, nothing of that counts."""
    return step.startswith("pwrite") and ".db" in step


def _kind(step: str) -> str:
    """Return what is done, and in which of the folders, or to which of the daemon's own files."""
    name, _, path = _shape(step).partition(" ")
    return f"{name} {path if path.startswith('state') else path.split('/')[0]}"


def _shape(step: str) -> str:
    """Leave out of a step what is another in each run."""
    step = re.sub(r"\.ocrwatch-[a-z0-9_]{8}(?=[.-])", ".ocrwatch-X", step)
    step = re.sub(r"-\d+(-[0-9a-f]{16})?(?=\.(read|copy)\.tmp)", "-N", step)
    step = re.sub(r"(?<=state/documents/)[0-9a-f]{8}(?=-)", "X", step)
    step = re.sub(r"(?<=state/pages/)\d+(?=[-.])", "N", step)
    return re.sub(r"ocrwatch-worker-\w+", "ocrwatch-worker-X", step)


class Sweeper:
    """Runs daemons in folders of their own below ``folder``."""

    def __init__(
        self,
        folder: Path,
        variant: Variant,
        *,
        twice: bool = False,
        tell: Callable[[Trial], None] = lambda _: None,
        mount: Path | None = None,
    ) -> None:
        """``mount`` is where the folders of the variant ``fuse`` are made."""
        self._mount = mount
        self._folder = folder / f"sweep-{variant}"
        self._folder.mkdir()
        self._variant: Variant = variant
        self._twice = twice
        self._tell = tell
        self._shim = build("killstep.c", self._folder)
        self._python_path = engine_path(self._folder / "engine")
        if variant == "formats":
            install(self._folder / "engine", "marks")
        with self._places("reference") as places:
            code = self._once(places, kill_at=0)
            if code != SOME_QUARANTINED:
                raise RuntimeError(f"undisturbed, it ends with {code}")
            output = (places.base / "output.log").read_text()
            for expected in _expected_in_log(variant):
                if expected not in output:
                    raise RuntimeError(f"undisturbed, nothing is {expected}")
            self.steps = self._steps_of(places)
            self.reference = EndState.of(places)

    def sweep(self, points: Iterable[int], *, jobs: int = 1) -> Sweep:
        """Kill at each of ``points``, counted from 1."""
        with ThreadPoolExecutor(jobs) as pool:
            return Sweep(self._variant, self.steps, list(pool.map(self._try, points)))

    @property
    def closing(self) -> int:
        """The number of the first step after the last original has left the inbox, counted from 1.

        In a variant with documents, these are closed and delivered from there on.
        """
        moves = [n for n, step in enumerate(self.steps, 1) if step.startswith("rename") and " inbox/" in step]
        return moves[-1] + 1

    def catch_up(self, sweep: Sweep, *, jobs: int = 1) -> None:
        """Kill before the steps that the sweep has missed, trying their neighbours' numbers too."""
        for aside in (0, 1, -1, 2, -2, 3, -3, 5, -5):
            missed = sweep.missed
            numbers = {n + aside for n, step in enumerate(self.steps, 1) if _shape(step) in missed}
            sweep.trials += self.sweep(sorted(n for n in numbers if n > 0), jobs=jobs).trials

    def _try(self, k: int) -> Trial:
        with self._places(f"k{k}") as places:
            code = self._once(places, kill_at=k)
            step = self._steps_of(places)[k - 1] if code == -signal.SIGKILL else None
            at_death = [f"{name} when it was killed" for name in self._unfinished(places)]
            too_early = [f"{name} when it was killed" for name in self._deleted_too_early(places)]
            if self._twice:
                self._once(places, kill_at=random.Random(k).randint(1, len(self.steps)))
            differences = Differences()
            if code not in {-signal.SIGKILL, FINE, SOME_QUARANTINED}:
                differences.other.append(f"it ended with {code}")
            code = self._once(places, kill_at=0)
            if code not in {FINE, SOME_QUARANTINED}:
                differences.other.append(f"restarted, it ended with {code}")
            found = compare(self.reference, EndState.of(places))
            for name in ("lost", "doubled", "partial", "other"):
                getattr(differences, name).extend(getattr(found, name))
            differences.partial.extend(at_death)
            differences.lost.extend(too_early)
            trial = Trial(k, step, differences)
            self._tell(trial)
            return trial

    def _unfinished(self, places: Places) -> list[str]:
        """Return what others would have seen half done at this moment."""
        seen = EndState.files_below(places, ("outbox", "archive", "quarantine"))[0]
        if self._variant in RESERVING:
            # A name is there, empty, for the moment before its file.
            seen = {name: fingerprint for name, fingerprint in seen.items() if fingerprint != EMPTY}
        # A list grows by a line for each scan.
        seen = {name: fingerprint for name, fingerprint in seen.items() if not name.endswith(f"/{LIST}")}
        expected = self.reference.files
        if self._variant == "documents-delete":
            # Originals wait in the archive until their document is there.
            waiting = {f"archive/{name}": sha for name, (sha, _) in texts_of_originals(self._variant).items()}
            expected = waiting | expected
        return [name for name, fingerprint in seen.items() if expected.get(name) != fingerprint]

    def _deleted_too_early(self, places: Places) -> list[str]:
        """Return the originals that are gone before all files with their text are there."""
        if self._variant not in DELETING:
            return []
        left = {
            fingerprint_of(path.read_bytes())
            for name in ("inbox", "archive")
            for path in places.folder(name).rglob("*")
            if path.is_file()
        }
        published = EndState.files_below(places, ("outbox",))[0]
        lacking = {
            Path(name).relative_to("outbox") for name in self.reference.files.keys() - published if "outbox/" in name
        }
        unfinished = {str(name).split(".")[0] for name in lacking}
        return [
            f"the original of {name}"
            for name, (sha, stem) in texts_of_originals(self._variant).items()
            if sha not in left and stem in unfinished
        ]

    @contextmanager
    def _places(self, name: str) -> Iterator[Places]:
        with serving() if self._variant == "remote" else contextlib.nullcontext() as service:
            places = prepare(self._folder / name, self._variant, self._mount, service.url if service else "")
            try:
                yield places
            finally:
                for root in places.roots:
                    shutil.rmtree(root)

    def _once(self, places: Places, *, kill_at: int) -> int | None:
        """Return the exit code, None where it did not end: which is a difference, and no reason to stop the sweep."""
        environment = {
            "PYTHONPATH": self._python_path,
            "LD_PRELOAD": str(self._shim),
            "KILLSTEP_ROOTS": ":".join(map(str, places.roots)),
            "KILLSTEP_AT": str(kill_at),
            "KILLSTEP_LOG": str(self._log_of(places)),
        }
        if self._variant in {"hardlink", "reserve"}:
            environment["KILLSTEP_NO_NOREPLACE"] = "1"
        if self._variant == "reserve":
            environment["KILLSTEP_NO_LINK"] = "1"
        self._log_of(places).unlink(missing_ok=True)
        with (places.base / "output.log").open("ab") as output:
            try:
                done = subprocess.run(
                    [*PROGRAM, "once"],
                    cwd=places.base,
                    env=clean_environment(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=_TIMEOUT,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return None
        return done.returncode

    def _log_of(self, places: Places) -> Path:
        return places.base / "steps.log"

    def _steps_of(self, places: Places) -> list[str]:
        """Return the steps of the last run in their order, without their numbers and the folder's name."""
        text = self._log_of(places).read_text(errors="backslashreplace")
        for root in places.roots:
            text = text.replace(f"{root}/", "").replace(str(root), ".")
        steps = [line.split(" ", 1) for line in text.splitlines()]
        # Threads and processes may write in another order than they count.
        return [step for _, step in sorted(steps, key=lambda found: int(found[0]))]


def _expected_in_log(variant: Variant) -> Iterator[str]:
    """Yield what shows in the log of an undisturbed run that the variant has the cases that it is for."""
    if variant in SPLITTING:
        # Whether a page comes from the cache matters to restarts only.
        yield '"event": "scan.split"'
    else:
        yield '"event": "scan.duplicate"' if variant == "duplicates" else '"cached": true'
    if variant in GATHERING:
        yield '"event": "document.delivered"'


def mounted(folder: Path) -> AbstractContextManager[Path]:
    """Mount a FUSE file system below ``folder``; skips the test if that is not possible."""
    return rclone_mount(folder / "behind", folder / "mount")


def _tell(trial: Trial) -> None:
    if trial.differences:
        sys.stdout.write(f"  {trial}\n")
        sys.stdout.flush()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.sweep", description=__doc__)
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="default: all")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take only every N-th step")
    parser.add_argument("--first", type=int, default=1, metavar="K", help="begin at step K")
    parser.add_argument("--coarse", action="store_true", help="leave out what SQLite writes between two flushes")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--twice", action="store_true", help="kill the restart too, at a step of its own")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    options = parser.parse_args()
    failed = False
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ocrwatch-sweep-", dir=options.folder))
        for variant in options.variant or VARIANTS:
            if variant == "other" and another_file_system(Path(folder)) is None:
                sys.stdout.write("other: left out, there is no other file system here\n")
                continue
            if variant == "fuse" and (reason := why_no_rclone()):
                sys.stdout.write(f"fuse: left out, {reason}\n")
                continue
            mount = None if variant != "fuse" else stack.enter_context(mounted(Path(folder)))
            sweeper = Sweeper(Path(folder), variant, twice=options.twice, tell=_tell, mount=mount)
            points: Sequence[int] = range(options.first, len(sweeper.steps) + 1)
            if options.coarse:
                points = [point for point in points if not is_within_transaction(sweeper.steps[point - 1])]
            sweep = sweeper.sweep(points[:: options.every], jobs=options.jobs)
            is_whole = options.every == options.first == 1 and not options.coarse
            if is_whole:
                sweeper.catch_up(sweep, jobs=options.jobs)
            sys.stdout.write(f"{sweep}\n")
            if is_whole and sweep.missed:
                sys.stdout.write(f"  never killed before: {', '.join(sorted(sweep.missed))}\n")
            sys.stdout.flush()
            failed = failed or bool(sweep.failures)
    return int(failed)


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
