"""Limits that a process of the daemon sets on itself: it must not outlive its parent, nor starve its machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OOM_SCORE = 500


def limit_memory(max_bytes: int) -> None:
    """Limit the address space (RLIMIT_AS) to ``max_bytes``; 0 for no limit."""
    if max_bytes:
        _limit(resource.RLIMIT_AS, max_bytes)


def limit_processor_time(seconds: int) -> None:
    """Let the kernel end this process (SIGXCPU) when it has used so much time of a processor since its start."""
    _limit(resource.RLIMIT_CPU, seconds)


def _limit(kind: int, wanted: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (soft, hard))


def kills_for_memory(root: Path = Path("/")) -> int:
    """Return a number that grows when the kernel kills a process for lack of memory.

    It counts the machine's kills (``oom_kill`` in /proc/vmstat, Linux 4.13) and those in this process's control group
    (``memory.events``, version 2). A systemd service with ``ProcSubset=pid`` sees only the second, an old container
    only the first. ``root`` is the folder of both file systems.
    """
    kills = _oom_kills(root / "proc/vmstat")
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                kills += _oom_kills(root / "sys/fs/cgroup" / line.removeprefix("0::/") / "memory.events")
    return kills


def _oom_kills(counters: Path) -> int:
    """Return the counter ``oom_kill`` of a file; 0 if it is missing."""
    with contextlib.suppress(OSError, ValueError):
        for line in counters.read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def no_core_dump() -> None:
    """Disable core files: they would hold people's scans."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_before_parent() -> None:
    """Ask the kernel to kill a worker rather than its parent when memory is short."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))


def die_with_parent(*, at_once: bool) -> None:
    """Let the kernel kill this process when its parent dies, also in the middle of native code.

    Not ``at_once`` if the engine starts programs itself: they would survive. Then only :func:`watch_lifeline` acts,
    which ends the whole group.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL if at_once else 0, 0, 0, 0)


def watch_lifeline(descriptor: int) -> None:
    """End this process and its children as soon as the other end of the socket ``descriptor`` is closed."""

    def watch() -> None:
        poller = select.poll()
        poller.register(descriptor, select.POLLRDHUP)
        poller.poll()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
