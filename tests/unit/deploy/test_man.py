"""The manual page says what the commands' help says, and is where ``man`` looks for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ocrwatch.errors import ExitCode

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "ocrwatch.1"


def test_the_manual_page_is_the_generated_one() -> None:
    """It can't drift from the commands: python deploy/make_man.py > docs/ocrwatch.1."""
    made = subprocess.run(
        [sys.executable, ROOT / "deploy" / "make_man.py"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert PAGE.read_text(encoding="utf-8") == made.stdout


def test_every_exit_code_is_explained() -> None:
    """Scripts depend on them."""
    section = PAGE.read_text(encoding="utf-8").partition(".SH EXIT STATUS")[2].partition(".SH")[0]
    for code in ExitCode:
        assert f"\\fB{int(code)}\\fR" in section


def test_it_is_installed_with_the_package() -> None:
    """The package manager puts it below share/man, where man looks for programs of the same prefix."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["data-files"] == {"share/man/man1": ["docs/ocrwatch.1"]}


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_it_is_sound() -> None:
    """Groff has nothing to complain of."""
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", PAGE], capture_output=True, check=True, encoding="utf-8")
    assert done.stderr == ""
