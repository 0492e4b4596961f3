"""The shell scripts, as far as they can be tried without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.privileges import NOBODY, reachable_folder

DEPLOY = Path(__file__).parents[3] / "deploy"
SCRIPTS = sorted(DEPLOY.glob("*.sh"))


def _install(*options: str) -> subprocess.CompletedProcess[str]:
    # As an ordinary user, so that a script that should have refused does nothing; the checkout may be root's alone.
    user = NOBODY if os.geteuid() == 0 else None
    with reachable_folder() as folder:
        shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("docker", "grafana"))
        command = ["sh", str(folder / "deploy" / "install.sh"), *options]
        return subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_right(script: Path) -> None:
    """The scripts are POSIX shell, and shellcheck finds nothing in them."""
    subprocess.run(["sh", "-n", script], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed (Debian package shellcheck)")
    checked = subprocess.run(["shellcheck", "-x", "-P", DEPLOY, script], capture_output=True, text=True, check=False)
    assert checked.stdout == ""


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--instal"], 2, "there is no option --instal"),
        (["--languages"], 2, "usage:"),
        (["--instance="], 2, "usage:"),
        (["--instance", "inbox"], 3, "cannot be called inbox"),
        (["--instance=../etc"], 3, "made of a-z"),
        (["--languages", "fra;reboot"], 3, "languages are named like"),
        (["--languages=fra,script/Latin", "--instance", "bills-2"], 3, "needs root"),
        (["--uninstall"], 3, "needs root"),
    ],
)
def test_a_wrong_command_is_refused(options: list[str], code: int, said: str) -> None:
    """What the installer cannot do it says in a sentence, before it does anything."""
    done = _install(*options)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_help_names_every_option() -> None:
    """``--help`` needs no root and has all options that the script takes."""
    done = _install("--help")
    assert done.returncode == 0
    for option in ("--languages", "--instance", "--with-samba", "--with-network", "--no-start", "--uninstall"):
        assert option in done.stdout
