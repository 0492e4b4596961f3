"""A daemon for several tests, and a way to run without privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.daemon_process import DaemonProcess

MAIN_CONFIG = """
[output]
formats = ["txt", "json"]

[[profiles]]
match = "numbers/**"
name = "numbers"
[profiles.ocr]
whitelist = "0123456789"

[[profiles]]
match = "tables/**"
[profiles.output]
formats = ["json"]
"""


@pytest.fixture(scope="session")
def _main_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path_factory.mktemp("main"), config=MAIN_CONFIG) as daemon:
        yield daemon.wait_ready()


@pytest.fixture
def daemon(_main_daemon: DaemonProcess) -> Iterator[DaemonProcess]:
    """Return a running daemon that several tests share; each uses names of its own."""
    yield _main_daemon
    _main_daemon.print_log()


IMPATIENT_CONFIG = """
[watch]
rescan = "1s"
[settle]
stable_for = "300ms"
give_up_after = "1s"
max_bytes = "1MB"
[enhance]
max_pixels = 20000000
"""


@pytest.fixture(scope="session")
def _impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path_factory.mktemp("bad"), config=IMPATIENT_CONFIG) as daemon:
        yield daemon.wait_ready()


@pytest.fixture
def impatient(_impatient: DaemonProcess) -> Iterator[DaemonProcess]:
    """Return a daemon that gives up soon on what does not get whole."""
    yield _impatient
    _impatient.print_log()


@pytest.fixture
def unprivileged() -> tuple[str, ...]:
    """Return what to put before a command so that permissions stop it, as they do not stop root."""
    if os.geteuid() != 0:
        return ()
    # Without its capabilities root is a user like any other.
    command = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    if shutil.which("setpriv") is None or subprocess.run([*command, "true"], check=False).returncode != 0:
        pytest.skip("root may do everything, and setpriv (util-linux) cannot change that here")
    return command
