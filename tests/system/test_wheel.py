"""The wheel: what pip and pipx install of it works outside the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.daemon_process import clean_environment
from tests.rendering import render

ROOT = Path(__file__).parents[2]
_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "docs/ocrwatch.1")


def _run(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command that has to succeed, and return what it printed."""
    env = {**clean_environment(None), **(environment or {})}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel that was built of a copy of the sources, so that nothing is left in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "ocrwatch", source / "ocrwatch", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _SOURCES:
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source, cwd=folder)
    (built,) = folder.glob("ocrwatch-*.whl")
    return built


def test_everything_is_in_the_wheel(wheel: Path) -> None:
    """Modules, ready-made fields, picture, type marker, manual and licence are in it, and nothing else of the tree."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packed = {name for name in names if ".dist-info/" not in name and ".data/" not in name}
    assert packed == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "ocrwatch").rglob("*")
        if path.suffix in {".py", ".toml", ".png"}
    } | {"ocrwatch/py.typed"}
    assert any(name.endswith("/LICENSE") for name in names)
    assert any(name.endswith(".data/data/share/man/man1/ocrwatch.1") for name in names)


def test_pip_installs_a_command_that_reads(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment the command says its version, finds its engines by the wheel's metadata, and reads."""
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=False)
    python = fresh / "bin" / "python"
    options = ["--quiet", "--no-deps", "--no-index"]
    _run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=tmp_path)
    # What it needs is that of the environment that tests, so that it need not be fetched.
    _borrow(python, tmp_path)
    command = fresh / "bin" / "ocrwatch"
    version = wheel.name.split("-")[1]
    assert _run(command, "--version", cwd=tmp_path) == f"ocrwatch {version}\n"
    where = _run(python, "-c", "import ocrwatch; print(ocrwatch.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(fresh)
    (tmp_path / "scan.jpg").write_bytes(render("Read by the wheel"))
    assert "Read by the wheel" in _run(command, "read", "scan.jpg", cwd=tmp_path)


def test_pipx_installs_the_same_command(wheel: Path, tmp_path: Path) -> None:
    """``pipx install`` gives the command to the user, with all that it needs."""
    pipx = shutil.which("pipx")
    if pipx is None:
        pytest.skip("pipx is not installed (Debian package pipx)")
    environment = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    _run(pipx, "install", "--python", sys.executable, wheel, cwd=tmp_path, environment=environment)
    assert _run(tmp_path / "bin" / "ocrwatch", "--version", cwd=tmp_path).startswith("ocrwatch ")
    (tmp_path / "scan.jpg").write_bytes(render("Read by pipx"))
    assert "Read by pipx" in _run(tmp_path / "bin" / "ocrwatch", "read", "scan.jpg", cwd=tmp_path)


def _borrow(python: Path, cwd: Path) -> None:
    """Let an environment also find this one's packages, after its own."""
    own = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=cwd).strip())
    borrowed = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (own / "borrowed.pth").write_text(os.linesep.join(borrowed) + os.linesep)
