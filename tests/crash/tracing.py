"""What a run asked of the kernel, in order, from strace."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.scenario import Places, engine_path
from tests.daemon_process import PROGRAM, clean_environment

_CALLS = "openat,write,pwrite64,fsync,fdatasync,renameat2,renameat,rename,unlinkat,unlink,mkdirat,mkdir,linkat"
_WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_ENDED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")
_DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<([^>]*)>")
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FILE = re.compile(r"/(?:\.ocrwatch-[^/]+\.tmp|fields\.csv)$")
COMMIT = "commit"
UNCOMMITTED = "goes on without a commit"


@functools.cache
def why_not() -> str:
    """Return why nothing can be traced here, empty if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-y", "-e", "trace=fsync", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.decode().strip()}"


@dataclass(frozen=True)
class Call:
    """A system call that succeeded."""

    thread: int
    name: str
    paths: tuple[str, ...]
    """Relative to the run's folders; of a name in an open folder, the whole path."""
    flags: str

    def __str__(self) -> str:
        return f"{self.name} {' '.join(self.paths)}"


class Steps(list[str]):
    """What one thread did that matters for durability, such as ``fsync outbox`` or ``commit``, the ledger's."""

    def at(self, step: str) -> int:
        """Return where a step is that was made just once."""
        assert self.count(step) == 1, f"{step} {self.count(step)} times in\n" + "\n".join(self)
        return self.index(step)

    def has_between(self, step: str, first: int, last: int) -> bool:
        """Tell whether a step was made after ``first`` and before ``last``."""
        return step in self[first + 1 : last]

    def next(self, step: str, after: int) -> int:
        """Return where a step is made next; fail if it is not made any more."""
        assert step in self[after + 1 :], f"no {step} after {self[after]} in\n" + "\n".join(self)
        return self.index(step, after + 1)

    def renamed(self, source: str, target: str) -> int:
        """Return where the only rename is whose names match the patterns."""
        found = [n for n, step in enumerate(self) if re.fullmatch(f"rename {source} {target}", step)]
        assert len(found) == 1, f"{source} was renamed to {target} {len(found)} times in\n" + "\n".join(self)
        return found[0]


def trace_once(places: Places, folder: Path) -> list[Call]:
    """Run ``ocrwatch once`` and return what succeeded of what it asked for."""
    output = folder / "strace.log"
    command = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(output)]
    subprocess.run(
        [*command, *PROGRAM, "once"],
        cwd=places.base,
        env=clean_environment({"PYTHONPATH": engine_path(folder / "engine")}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return _parse(output.read_text(errors="backslashreplace").splitlines(), places)


def delivery(calls: Sequence[Call]) -> Steps:
    """Return the steps of the thread that publishes and puts away, and of those that wait for its files' bytes."""
    threads = {call.thread for call in calls if call.name == "renameat2"}
    assert len(threads) == 1, f"more than one thread moves files: {threads}"
    (thread,) = threads
    steps = Steps()
    logged = False
    for call in calls:
        if call.thread != thread and not (call.name == "fsync" and _FILE.search(call.paths[0])):
            continue
        if any("ledger.db" in path for path in call.paths):
            logged = logged or (call.name == "pwrite64" and call.paths[0].endswith("-wal"))
            if logged and call.name in {"fsync", "fdatasync"} and call.paths[0].endswith("-wal"):
                if not steps or steps[-1] != COMMIT:
                    steps.append(COMMIT)  # SQLite may need more than one for a transaction, when its log starts anew
                logged = False
            continue
        if logged:
            steps.append(UNCOMMITTED)
        if call.name == "openat":
            if "O_CREAT" in call.flags:
                steps.append(f"create {call.paths[0]}")
        else:
            name = call.name.removesuffix("2").removesuffix("at").replace("fdatasync", "fsync")
            steps.append(" ".join((name, *call.paths)))
    return steps


def _parse(lines: Sequence[str], places: Places) -> list[Call]:
    """Put the halves of interrupted lines together; a call stands where it ended."""
    calls: list[Call] = []
    begun: dict[str, str] = {}
    for line in lines:
        if found := _BEGUN.match(line):
            begun[found[1]] = found[3]
            continue
        if found := _ENDED.match(line):
            arguments = begun.pop(found[1], "") + found[3]
        elif found := _WHOLE.match(line):
            arguments = found[3]
        else:
            continue
        if int(found[4]) >= 0 and (paths := _paths(found[2], arguments, places)):
            calls.append(Call(int(found[1]), found[2], paths, arguments))
    return calls


def _paths(name: str, arguments: str, places: Places) -> tuple[str, ...]:
    """Return the paths that a call is about, none if they are not below the run's folders."""
    if name in {"write", "pwrite64", "fsync", "fdatasync"}:
        found = _DESCRIPTOR.match(arguments)
        paths = [found[1]] if found else []
    else:
        folders, names = _DESCRIPTOR.findall(arguments), _NAME.findall(arguments)
        paths = [
            given if given.startswith("/") else f"{folders[min(n, len(folders) - 1)] if folders else ''}/{given}"
            for n, given in enumerate(names)
        ]
    relative = []
    for path in paths:
        for root in places.roots:
            if path == str(root) or path.startswith(f"{root}/"):
                relative.append(path.removeprefix(str(root)).removeprefix("/") or ".")
                break
        else:
            return ()
    return tuple(relative)
