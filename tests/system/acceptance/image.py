"""What a Debian is made of: a base image and Python packages, both fetched once and kept in the user's cache.

Everything comes from where this machine gets its own: its sources for apt, its configuration for pip. The booted
machine then needs no network, and has none.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3]
"""The source tree that is tested."""

_PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
SUITE = os.environ.get("DEBIAN_SUITE", "bookworm")
"""The Debian that is made; CI makes the one with the oldest systemd that counts."""
PYTHON = _PYTHONS[SUITE]
"""Its Python, for which packages are fetched."""

UNFINISHED = "unfinished-"
"""Begins the names in the cache that a run takes away at its end; what a killed one leaves, the next removes."""

_RECIPE = 1
"""Changes when images made before are of no use."""
_BASE = ("systemd", "systemd-sysv", "dbus", "ca-certificates")
_INSTALLED = ("samba", "smbclient", "sane-utils", "vsftpd", "openssh-server", "openssh-client", "curl", "prometheus")
"""What stands round a daemon in an office."""
_FETCHED = ("python3", "python3-venv", "tesseract-ocr", "tesseract-ocr-eng", "tesseract-ocr-fra")
"""What install.sh installs: fetched, so that it can do so without a network."""
_SERVICES = ("smbd", "nmbd", "samba-ad-dc", "vsftpd", "ssh", "prometheus")
_PROGRAMS = ("debootstrap", "systemd-nspawn", "nsenter", "setpriv", "unshare", "chroot")
_CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


def cache() -> Path:
    """Return the folder that outlives the tests, made where it is missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ocrwatch-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def skip_where_impossible() -> None:
    """Skip the test, with the reason, where no Debian can be made and booted."""
    if os.geteuid() != 0:
        pytest.skip("only root can make and boot a Debian")
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (Debian packages debootstrap and systemd-container)")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for other test runs of this user: the image is made once, and machines share a control group."""
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in cache().glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover)
        yield


def base_image() -> Path:
    """Return the root folder of a Debian as it is before ocrwatch is installed; made if this is the first time."""
    made_of = repr((_RECIPE, SUITE, platform.machine(), _BASE, _INSTALLED, _FETCHED))
    image = cache() / f"{SUITE}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    if not image.exists():
        # In the cache itself: the temporary folder may be small, or forbid device nodes.
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=cache()) as folder:
            root = Path(folder, "root")
            _make_base(root)
            root.rename(image)
    return image


def python_packages() -> Path:
    """Return a folder with the wheels of what ocrwatch and its extras need, and of what builds it."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    extra = [package for name in ("codes", "pdf", "rapidocr", "redis", "remote", "xlsx") for package in extras[name]]
    wanted = [*project["project"]["dependencies"], *extra, *project["build-system"]["requires"]]
    digest = hashlib.sha256(repr((PYTHON, wanted)).encode()).hexdigest()[:12]
    folder = cache() / f"wheels-{digest}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=cache()) as partial:
            options = ["--quiet", "--only-binary=:all:", "--python-version", PYTHON, "--dest", partial]
            _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options, *wanted)
            shutil.copytree(partial, folder)
    return folder


def _make_base(root: Path) -> None:
    sources = _sources()
    mirror = [sources[0].split()[0]] if sources else []
    _run("debootstrap", "--variant=minbase", f"--include={','.join(_BASE)}", SUITE, root, *mirror)
    if sources:
        (root / "etc/apt/sources.list").write_text("".join(f"deb {source}\n" for source in sources))
    (root / "etc/apt/apt.conf.d/90host").write_text(_output("apt-config", "dump", "Acquire"))
    # An image that is thrown away need not survive a power failure.
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    _run("cp", "--dereference", "/etc/resolv.conf", root / "etc/resolv.conf")
    if (Path("/") / _CERTIFICATES).exists():
        shutil.copy(Path("/") / _CERTIFICATES, root / _CERTIFICATES)
    _inside(root, "apt-get", "update", "-qq")
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
    _inside(root, *install, *_INSTALLED)
    _inside(root, *install, "--download-only", *_FETCHED)
    # Started by the test that needs them.
    _inside(root, "systemctl", "disable", *_SERVICES)
    for leftover in ("usr/sbin/policy-rc.d", "etc/resolv.conf"):
        (root / leftover).unlink()


def _sources() -> list[str]:
    """Return this machine's own sources of the suite, as lines of ``sources.list``; empty on another system."""
    if shutil.which("apt-get") is None:
        return []
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(CODENAME)"
    lines = _output("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    parts = tuple(f" {SUITE}{part}" for part in ("", "-updates", "-security"))
    found = [line.rpartition(" ")[0] for line in lines if line.endswith(parts)]
    return sorted(dict.fromkeys(found), key=lambda line: line.split()[1] != SUITE)


def _inside(root: Path, *command: str) -> None:
    _run("env", "DEBIAN_FRONTEND=noninteractive", "chroot", root, *command)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last_words = (done.stdout + done.stderr)[-500:]
        pytest.skip(f"no Debian can be made here: {command[0]} ended with {done.returncode}: {last_words}")


def _output(*command: str) -> str:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
