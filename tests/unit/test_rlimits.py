"""What a process of the daemon limits, and what it knows of kills for lack of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ocrwatch.rlimits import kills_for_memory

GROUP = "system.slice/ocrwatch.service"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _machine(root: Path, kills: int) -> None:
    _write(root / "proc/vmstat", f"nr_free_pages 5\noom_kill {kills}\noom_killer 9\n")


def _group(root: Path, kills: int, *, path: str = GROUP) -> None:
    _write(root / "proc/self/cgroup", f"1:name=systemd:/elsewhere\n0::/{path}\n")
    _write(root / "sys/fs/cgroup" / path / "memory.events", f"low 0\noom 7\noom_kill {kills}\noom_group_kill 0\n")


@pytest.mark.parametrize("group", [GROUP, ""], ids=["a service", "a container with its own root"])
def test_a_kill_is_seen_where_only_the_processes_are_shown(tmp_path: Path, group: str) -> None:
    """With ``ProcSubset=pid``, as in our unit, there is no /proc/vmstat: the service's own control group counts."""
    _group(tmp_path, 2, path=group)
    before = kills_for_memory(tmp_path)
    _group(tmp_path, 3, path=group)
    assert kills_for_memory(tmp_path) == before + 1


def test_a_kill_is_seen_without_control_groups_of_version_2(tmp_path: Path) -> None:
    """The machine's counter is enough."""
    _machine(tmp_path, 4)
    _write(tmp_path / "proc/self/cgroup", "4:memory:/somewhere\n")
    before = kills_for_memory(tmp_path)
    _machine(tmp_path, 5)
    assert kills_for_memory(tmp_path) == before + 1


def test_a_kill_is_seen_if_only_one_of_both_counts_it(tmp_path: Path) -> None:
    """Another group's kill shows that the machine is short, and an own limit that the service is."""
    _machine(tmp_path, 1)
    _group(tmp_path, 1)
    before = kills_for_memory(tmp_path)
    _machine(tmp_path, 2)
    assert kills_for_memory(tmp_path) > before
    before = kills_for_memory(tmp_path)
    _group(tmp_path, 2)
    assert kills_for_memory(tmp_path) > before


def test_a_machine_that_tells_nothing_has_no_kills(tmp_path: Path) -> None:
    """Counters that are missing or no numbers are none."""
    assert kills_for_memory(tmp_path) == 0
    _write(tmp_path / "proc/vmstat", "oom_kill many\n")
    assert kills_for_memory(tmp_path) == 0


def test_limits_of_a_process_are_never_raised() -> None:
    """Memory and processor time are limited as asked for, or as the administrator has limited them further."""
    program = (
        "import json, resource as r\n"
        "from ocrwatch.rlimits import limit_memory, limit_processor_time\n"
        "r.setrlimit(r.RLIMIT_CPU, (500, 500))\n"
        "limit_memory(1 << 33)\n"
        "limit_memory(0)\n"
        "limit_processor_time(100)\n"
        "seen = [r.getrlimit(r.RLIMIT_AS)[0], r.getrlimit(r.RLIMIT_CPU)[0]]\n"
        "limit_processor_time(1000)\n"
        "print(json.dumps([*seen, r.getrlimit(r.RLIMIT_CPU)[0]]))\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60).stdout
    assert json.loads(found) == [1 << 33, 100, 500]
