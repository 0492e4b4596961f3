"""The shell scripts, as far as they can be tried without installing anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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
        (["--uninstall", "--instance", "bills"], 3, "systemctl disable --now ocrwatch@bills"),
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
    listed = (
        "languages instance with-codes with-pdf with-rapidocr with-redis with-xlsx with-remote with-samba with-network"
        " no-start uninstall"
    )
    for option in (f"--{name}" for name in listed.split()):
        assert option in done.stdout


def test_constraints_fit_what_the_project_asks_for() -> None:
    """Each package that pyproject.toml names is pinned to a release that it allows, once for each Python."""
    pinned: dict[str, list[Requirement]] = {}
    for line in (DEPLOY / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            pin = Requirement(line)
            pinned.setdefault(pin.name, []).append(pin)
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        Requirement(line) for line in (*project["dependencies"], *extras["docs"], *extras["test"], *extras["dev"])
    ]
    for python in ("3.11", "3.13"):
        here = {"python_version": python}
        for each in wanted:
            if each.name == project["name"]:
                continue
            pins = [pin for pin in pinned.get(each.name.lower(), []) if pin.marker is None or pin.marker.evaluate(here)]
            assert len(pins) == 1, f"{each.name} on Python {python}: run sh deploy/update_constraints.sh"
            (release,) = pins[0].specifier
            assert each.specifier.contains(release.version), f"{each}: run sh deploy/update_constraints.sh"


def test_releases_that_differ_get_markers(tmp_path: Path) -> None:
    """A release that holds for all Pythons has one line; others say for which Python they are."""
    reports = {
        "3.13": {"numpy": "2.5", "Rich": "15", "only_new": "1"},
        "3.9": {"numpy": "2.4", "rich": "15", "ocrwatch": "0"},
    }
    for python, releases in reports.items():
        install = [{"metadata": {"name": name, "version": version}} for name, version in releases.items()]
        report = {"environment": {"python_version": python}, "install": install}
        (tmp_path / f"{python}.json").write_text(json.dumps(report))
    command = [sys.executable, str(DEPLOY / "merge_reports.py"), *map(str, sorted(tmp_path.iterdir()))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'numpy==2.4; python_version < "3.13"',
        'numpy==2.5; python_version >= "3.13"',
        'only-new==1; python_version >= "3.13"',
        "rich==15",
    ]


_FAKE_PYTHON = """#!/bin/sh
# A Python with a pip that tells what a real one tells, and fails on demand.
case "$*" in
    *"-m venv"*) for folder; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
    *"-m pip"*)
        echo run >>"$LOG"
        printf '  Downloading numpy-2.4.6-cp311-x86_64.whl.metadata (9 kB)\\n'
        printf '  Downloading numpy-2.4.6-cp311-x86_64.whl (16.9 MB)\\nInstalling collected packages: numpy\\n'
        exit "${PIP_ENDS_WITH:-0}" ;;
    *version*) echo 3 ;;
esac
"""


def _make_environment(folder: Path, fingerprint: str, **environment: str) -> subprocess.CompletedProcess[str]:
    python = folder / "fake-python"
    python.write_text(_FAKE_PYTHON)
    python.chmod(0o755)
    script = f'. "{DEPLOY}/common.sh"; python="{python}"; make_environment "{folder}/venv" ocrwatch {fingerprint} wheel'
    variables = {**os.environ, "LOG": str(folder / "log"), **environment}
    # $0 is a script in deploy, as for those that use it.
    command = ["sh", "-euc", script, str(DEPLOY / "quickstart.sh")]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_pip_is_asked_only_if_something_changed(tmp_path: Path) -> None:
    """The first time it tells what is fetched; again, nothing is asked; other sources, or a failure, ask again."""

    def asked() -> int:
        return (tmp_path / "log").read_text().count("run")

    first = _make_environment(tmp_path, "a")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("fetching numpy (16.9 MB)") == 1
    assert "unpacking" in first.stdout
    again = _make_environment(tmp_path, "a")
    assert (again.returncode, again.stdout, asked()) == (0, "", 1)
    failed = _make_environment(tmp_path, "b", PIP_ENDS_WITH="1")
    assert (failed.returncode, asked()) == (3, 2)
    assert "pip could not install ocrwatch" in failed.stderr
    # Not even what was there before is taken for whole after a failure.
    assert _make_environment(tmp_path, "a").returncode == 0
    assert asked() == 3
