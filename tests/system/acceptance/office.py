"""What people do with an installed service, and what they then see."""

from __future__ import annotations

import re
from pathlib import Path

from tests.rendering import render
from tests.system.acceptance.machine import TIMEOUT, Machine
from tests.waiting import until

UNIT = "ocrwatch.service"
DATA = "/srv/ocrwatch"
PASSWORD = "open sesame"  # noqa: S105 - of people who exist for a minute


def smb(machine: Machine, commands: str, user: str = "anna", *, check: bool = True) -> str:
    """Give commands to Samba's client, and return what it says."""
    options = ["--user", f"{user}%{PASSWORD}", "--command", commands]
    return machine.run("smbclient", "//localhost/ocrwatch", *options, check=check).stdout


def scan_at_home(machine: Machine, user: str, name: str, text: str) -> str:
    """Put a scan into a user's home and return its path inside."""
    path = f"/home/{user}/{name}"
    machine.path(path).write_bytes(render(text))
    machine.run("chown", user, path)
    return path


def drop(machine: Machine, name: str, text: str, folder: str = f"{DATA}/inbox") -> None:
    """Drop a scan as a local program of a group member's would."""
    source = scan_at_home(machine, "anna", "drop.jpg", text)
    machine.run("cp", source, f"{folder}/{name}", user="anna")


def text_of(machine: Machine, name: str, folder: str = f"{DATA}/outbox") -> str:
    """Wait for a text and return it."""
    path = machine.path(f"{folder}/{name}")
    until(path.exists, TIMEOUT, f"{name} is in {folder}")
    return path.read_text()


def wait_archived(machine: Machine, name: str) -> None:
    """Wait for an original, which is moved a moment after its text is there."""
    until(machine.path(f"{DATA}/archive/{name}").exists, TIMEOUT, f"{name} is in the archive")


def wait_active(machine: Machine, unit: str = UNIT) -> None:
    """Wait until a unit is active."""
    until(lambda: machine.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active", TIMEOUT, unit)


def exposure(machine: Machine, unit: str) -> float:
    """Return what ``systemd-analyze security`` says of a unit: 0 for safe, 10 for anything but."""
    report = machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", report)
    assert found is not None, report
    return float(found[1])


def drop_many(machine: Machine, folder: str, scans: int) -> list[str]:
    """Drop many scans, each with a text of its own; return their names."""
    names = [f"{folder}/{number:02}" for number in range(scans)]
    home = machine.path(f"/home/anna/{folder}")
    home.mkdir()
    for number, name in enumerate(names):
        machine.path(f"/home/anna/{name}.jpg").write_bytes(
            render(f"{folder} number {number}\n" + "and more to read\n" * 8)
        )
    machine.run("sh", "-c", f"mkdir {DATA}/inbox/{folder}; cp ~anna/{folder}/* {DATA}/inbox/{folder}", user="anna")
    return names


def texts_in(machine: Machine, folder: str) -> list[Path]:
    """Return the texts in a folder of the outbox."""
    return sorted(machine.path(f"{DATA}/outbox/{folder}").glob("*.txt"))


def assert_all_read(machine: Machine, folder: str, names: list[str]) -> None:
    """Wait until each scan has exactly one text, the right one, and its original is in the archive."""
    archive = machine.path(f"{DATA}/archive/{folder}")
    until(lambda: len(list(archive.glob("*.jpg"))) >= len(names), TIMEOUT, f"{len(names)} originals are in the archive")
    assert [path.stem for path in texts_in(machine, folder)] == [Path(name).name for name in names]
    for number, path in enumerate(texts_in(machine, folder)):
        assert f"number {number}" in path.read_text()
    assert list(machine.path(f"{DATA}/inbox/{folder}").glob("*")) == []
    assert list(machine.path(f"{DATA}/quarantine").rglob(f"{folder}/*")) == []
