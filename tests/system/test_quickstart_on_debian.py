"""The README's first command on a Debian that has nothing of what it needs, or only Python; only root can run this."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rendering import render
from tests.system.acceptance.image import one_at_a_time, skip_where_impossible
from tests.system.acceptance.machine import SOURCE_INSIDE, TIMEOUT, Machine
from tests.waiting import until

FOLDER = "/root/scans"
"""Where the user is when he gives the command."""

UNIT = "quickstart.service"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Return a Debian with neither Tesseract nor support for virtual environments."""
    skip_where_impossible()
    with one_at_a_time(), Machine() as machine:
        machine.path(FOLDER).mkdir()
        yield machine
        print(_said(machine))  # noqa: T201


def _start(machine: Machine) -> None:
    """Give the command in the user's folder, in a session that ends as Ctrl-C would have it."""
    session = ("--unit", UNIT, "--property", "KillSignal=SIGINT", "--property", f"WorkingDirectory={FOLDER}")
    machine.run("systemd-run", *session, "sh", f"{SOURCE_INSIDE}/deploy/quickstart.sh")


def _text(machine: Machine, name: str) -> str:
    path = machine.path(f"{FOLDER}/outbox/{name}")

    def is_there() -> bool:
        assert machine.property(UNIT, "ActiveState") == "active"
        return path.exists()

    # The first time it installs everything before.
    until(is_there, 3 * TIMEOUT, name)
    return path.read_text()


def _said(machine: Machine) -> str:
    return machine.run("journalctl", "--unit", UNIT, "--output", "cat", "--no-pager").stdout


def _stop(machine: Machine) -> None:
    machine.run("systemctl", "stop", UNIT)
    assert machine.property(UNIT, "Result") == "success"
    assert machine.events(UNIT)[-1]["event"] == "daemon.stopped"


def test_one_command_installs_and_reads_the_sample(machine: Machine) -> None:
    """From nothing to the sample's text in the user's own folder, and it says where everything is."""
    assert machine.run("sh", "-c", "command -v tesseract", check=False).stdout == ""
    _start(machine)
    text = _text(machine, "sample.txt")
    assert "ocrwatch" in text
    assert len(text.split()) > 20
    until(lambda: machine.path(f"{FOLDER}/archive/sample.jpg").exists(), TIMEOUT, "the original is archived")
    said = _said(machine)
    assert f"Drop scans into  {FOLDER}/inbox" in said
    machine.path(f"{FOLDER}/inbox/mine.jpg").write_bytes(render("My own first scan"))
    assert "My own first scan" in _text(machine, "mine.txt")
    _stop(machine)


def test_the_same_command_again_just_starts(machine: Machine) -> None:
    """Neither apt nor pip is asked, the sample is not read again, and scans are."""
    # Without its configuration, pip would fail for want of a network.
    machine.path("/etc/pip.conf").unlink()
    said = len(_said(machine))
    _start(machine)
    machine.path(f"{FOLDER}/inbox/later.jpg").write_bytes(render("The day after"))
    assert "The day after" in _text(machine, "later.txt")
    assert "Installing" not in _said(machine)[said:]
    _stop(machine)
    assert sorted(path.name for path in machine.path(f"{FOLDER}/outbox").glob("*.txt") if path.name.islower()) == [
        "later.txt",
        "mine.txt",
        "sample.txt",
    ]
