"""``ocrwatch retry`` killed at each of its steps: no scan is lost, and none goes back twice."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.crash.preload import build, compiler
from tests.crash.scenario import another_file_system
from tests.daemon_process import PROGRAM, clean_environment, write_config
from tests.system.dropping import files, put

FINE, LEFT = 0, 1
SCANS = {"a.jpg": b"the first", "sub/b.jpg": b"the second"}
VARIANTS = ("same", "other", "hardlink")


@pytest.fixture
def quarantine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return where the quarantine is: on the inbox's file system, or on another."""
    if request.param != "other":
        yield tmp_path / "quarantine"
        return
    other = another_file_system(tmp_path)
    if other is None:
        pytest.skip("there is no second file system to write to")
    with tempfile.TemporaryDirectory(dir=other) as folder:
        yield Path(folder).resolve() / "quarantine"


class Trials:
    """Runs ``retry`` on a quarantine that is filled anew for each trial."""

    def __init__(self, folder: Path, quarantine: Path, *, links: bool) -> None:
        self.inbox = folder / "inbox"
        self.quarantine = quarantine
        self._folder = folder
        self._taken: list[bytes] = []
        self._environment = {
            "LD_PRELOAD": str(build("killstep.c", folder)),
            "KILLSTEP_ROOTS": f"{self.inbox}:{quarantine}",
            "KILLSTEP_LOG": str(folder / "steps.log"),
            **({"KILLSTEP_NO_NOREPLACE": "1"} if links else {}),
        }
        write_config(folder, None)

    def begin(self) -> None:
        """Lay the scans into the quarantine, and nothing into the inbox."""
        for place in (self.inbox, self.quarantine):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        for name, data in SCANS.items():
            put(self.quarantine, name, data)
            put(self.quarantine, f"{name}.reason.json", b"{}\n")
        self._taken = []

    def retry(self, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
        """Put everything back, or begin to; then take what lies in the inbox, as the daemon would."""
        environment: Mapping[str, str] = {**self._environment, "KILLSTEP_AT": str(kill_at)}
        done = subprocess.run(
            [*PROGRAM, "retry", "--quarantine", str(self.quarantine)],
            cwd=self._folder,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        for name in files(self.inbox):
            if not Path(name).name.startswith("."):
                self._taken.append((self.inbox / name).read_bytes())
                (self.inbox / name).unlink()
        return done

    @property
    def steps(self) -> int:
        """How many steps the last run has made."""
        return len((self._folder / "steps.log").read_text().splitlines())

    @property
    def taken(self) -> list[bytes]:
        """What came into the inbox, in any order."""
        return sorted(self._taken)


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler to build the library that kills")
@pytest.mark.parametrize(("quarantine", "variant"), [(each, each) for each in VARIANTS], indirect=["quarantine"])
def test_a_retry_that_is_killed_anywhere_loses_nothing_and_puts_nothing_back_twice(
    tmp_path: Path, quarantine: Path, variant: str
) -> None:
    """The next one puts back the rest. What may have gone back already stays, is named, and nothing is hidden."""
    trials = Trials(tmp_path.resolve(), quarantine, links=variant == "hardlink")
    trials.begin()
    assert trials.retry().returncode == FINE
    assert trials.taken == sorted(SCANS.values())
    killed = unsure = 0
    for k in range(1, trials.steps + 1):
        trials.begin()
        (tmp_path / "steps.log").unlink()
        killed += trials.retry(k).returncode == -signal.SIGKILL
        answer = trials.retry()
        where = f"killed before step {k}: {(tmp_path / 'steps.log').read_text()}\n{answer.stdout}"
        left = {name for name in SCANS if (quarantine / name).exists()}
        assert answer.returncode == (LEFT if left else FINE), where
        assert all(f"Left in place: {name} (a retry of it was interrupted" in answer.stdout for name in left), where
        assert len(trials.taken) == len(set(trials.taken)), where
        assert set(trials.taken) | {SCANS[name] for name in left} == set(SCANS.values()), where
        assert not [name for name in files(trials.inbox) | files(quarantine) if Path(name).name.startswith(".")], where
        unsure += bool(left)
    assert killed >= trials.steps - 1
    assert (unsure > 0) == (variant != "same")
