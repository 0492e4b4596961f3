"""Checks the machine: memory, the service manager, other processes."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrwatch.checks.finding import Finding
from ocrwatch.errors import system_reason

WORKER_MEMORY = 130_000_000
"""Bytes that a worker takes. Measured: 124 MB at most (VmHWM) for A4 pages, grey and colour, 300 and 600 dpi."""

PPOCR_MEMORY = 250_000_000
"""Additional bytes if it also reads with PP-OCR. Measured: 251 MB (VmHWM) over 69 receipts and pages."""

SETTINGS_FOLDER = Path("/etc/ocrwatch")
"""Folder of the services' settings: ocrwatch.toml for ocrwatch.service, NAME.toml for ocrwatch@NAME."""

_MEMINFO = Path("/proc/meminfo")
_SYSTEMCTL_SECONDS = 10
_ASKED = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "User",
    "StateDirectory",
    "NRestarts",
    "PrivateNetwork",
)


@dataclass(frozen=True, slots=True)
class Service:
    """State of a unit in the service manager."""

    unit: str
    active: str
    """systemd's ActiveState: ``active``, ``reloading``, ``inactive``, ``failed``, ``activating``, ``deactivating``."""
    enabled: str
    """systemd's UnitFileState: ``enabled``, ``disabled``, ``static`` and others."""
    user: str
    """The user that it runs as; empty for root."""
    state_folder: Path | None
    """Its StateDirectory, absolute."""
    restarts: int
    """How often it was restarted after a failure."""
    has_network: bool = True
    """Whether it may use the network (systemd's PrivateNetwork)."""


def service_of(config: Path | None) -> Service | None:
    """Return the systemd service with the settings file ``config``, None without one."""
    program = shutil.which("systemctl")
    if program is None or config is None or config.parent != SETTINGS_FOLDER:
        return None
    unit = "ocrwatch.service" if config.stem == "ocrwatch" else f"ocrwatch@{config.stem}.service"
    try:
        answer = subprocess.run(
            [program, "show", unit, f"--property={','.join(_ASKED)}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_SYSTEMCTL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    said = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
    if answer.returncode != 0 or said.get("LoadState") != "loaded":
        return None
    folder = said.get("StateDirectory", "").split()
    restarts = said.get("NRestarts", "")
    return Service(
        unit,
        said.get("ActiveState", ""),
        said.get("UnitFileState", ""),
        said.get("User", ""),
        Path("/var/lib", folder[0]) if folder else None,
        int(restarts) if restarts.isdecimal() else 0,
        said.get("PrivateNetwork") != "yes",
    )


def service_state(service: Service) -> Iterator[Finding]:
    """Check the state of the service."""
    unit = service.unit
    if service.active == "failed":
        yield Finding("service", "problem", f"{unit} has failed", f"see why: journalctl -u {unit} -n 50")
    elif service.active in {"inactive", "deactivating"}:
        yield Finding("service", "problem", f"{unit} is not running", f"run: systemctl start {unit}")
    elif service.active == "activating" and service.restarts:
        message = f"{unit} has failed {service.restarts} times and is being restarted"
        yield Finding("service", "problem", message, f"see why: journalctl -u {unit} -n 50")
    else:
        yield Finding("service", "fine", f"{unit} is {service.active}")
    if service.enabled == "disabled":
        yield Finding("service start", "warning", f"{unit} is not started at boot", f"run: systemctl enable {unit}")


def network(service: Service, needed_by: Sequence[str]) -> Iterator[Finding]:
    """Check whether the service may use the network, if options need it. This process may, whatever the service may."""
    if needed_by and not service.has_network:
        need = "needs" if len(needed_by) == 1 and needed_by[0] != "[[remote]]" else "need"
        message = f"{service.unit} may not use the network, which {' and '.join(needed_by)} {need}"
        option = "--with-remote" if "[[remote]]" in needed_by else "--with-network"
        yield Finding("network", "problem", message, f"run: sudo sh deploy/install.sh {option}")


def memory(workers: int, *, ppocr: bool = False) -> Iterator[Finding]:
    """Compare free memory with the needs of ``workers`` that do not run yet.

    ``ppocr``: they also read with PP-OCR.
    """
    worker = WORKER_MEMORY + (PPOCR_MEMORY if ppocr else 0)
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return
    wanted = workers * worker
    if available < wanted:
        most = max(1, available // worker)
        yield Finding(
            "memory",
            "warning",
            f"{available / 1e9:.1f} GB of memory are available, and {workers} workers take about {wanted / 1e9:.1f} GB",
            f"set workers.count to {most}, or give the machine more memory",
        )
    else:
        yield Finding("memory", "fine", f"{available / 1e9:.1f} GB of memory are available for {workers} workers")


def holders(inbox: int | None, state: int | None) -> Finding:
    """Check which processes have locked the inbox and the state folder.

    None means none, and 0 one that is not known, as on Btrfs (:func:`ocrwatch.storage.lock.inbox_holder`). An unknown
    one may be the same as the other.
    """
    if inbox is None and state is None:
        return Finding("daemon", "fine", "no ocrwatch runs here now")
    if inbox == state or (inbox is not None and state is not None and 0 in {inbox, state}):
        known = inbox or state
        return Finding("daemon", "fine", f"ocrwatch runs as process {known}" if known else "ocrwatch runs")
    what, holder = ("inbox", inbox) if inbox is not None else ("state folder", state)
    if not holder:
        message = f"the {what} is locked, and not by an ocrwatch with these settings; its process is not known"
        return Finding("daemon", "problem", message, "find what has locked it with sudo lslocks, and stop it")
    return Finding(
        "daemon",
        "problem",
        f"another ocrwatch (process {holder}), with other settings than these, has the {what}",
        "stop it, or give this one folders of its own",
    )


def address(setting: str, listen: str, *, runs: bool) -> Iterator[Finding]:
    """Test whether ``listen``, such as ``127.0.0.1:9180``, can be bound.

    If the daemon ``runs``, it has bound it.
    """
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or runs:
        return
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(where)
    except OSError as error:
        from ocrwatch.observe.health_http import remedy_for  # noqa: PLC0415 - only doctor needs an HTTP server's module

        taken = error.errno == errno.EADDRINUSE
        reason = "another program uses it" if taken else system_reason(error)
        yield Finding(setting, "problem", f"cannot listen on {listen} ({reason})", remedy_for(error))
    else:
        yield Finding(setting, "fine", f"{listen} is free")


def exposed(setting: str, path: Path) -> Iterator[Finding]:
    """Check whether users besides the owner and its group can read or change a secret."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & 0o007:
        yield Finding(
            setting, "warning", f"every user of this machine may read {path}", f"run: chmod o-rwx {os.fspath(path)}"
        )
