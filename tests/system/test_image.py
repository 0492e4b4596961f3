"""The container image: it is built of the Dockerfile, is small, and reads.

Building takes minutes and fetches 300 MB the first time: ``OCRWATCH_TEST_IMAGE=1`` asks for it. It needs root and the
Debian packages buildah and debootstrap. No registry is asked: the base image is made by debootstrap, under the name
that the Dockerfile gives.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon_process import run_ocrwatch
from tests.rendering import render
from tests.system.acceptance.image import SOURCE, UNFINISHED, cache, one_at_a_time

DOCKER = SOURCE / "deploy" / "docker"
LARGEST_MB = 455
"""Half of what the image took with Tesseract's program and all that the packages bring for their developers."""

_NAME = "localhost/ocrwatch-test"
_USER = 2016
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_TIMEOUT = 900.0
_LEFT_OUT = """
import importlib.abc, sys
class LeftOut(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if "tests" in name.split(".") or name.startswith("numpy.f2py"):
            raise ModuleNotFoundError(f"{name} is not in the image")
sys.meta_path.insert(0, LeftOut())
"""


class _Storage:
    """Images and containers of their own, of which nothing is left."""

    def __init__(self, folder: Path) -> None:
        self._options = ("--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "overlay")

    def __call__(self, *command: str | Path) -> str:
        done = subprocess.run(
            ["buildah", *self._options, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"buildah {command[0]}: {(done.stdout + done.stderr)[-3000:]}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def buildah() -> Iterator[_Storage]:
    """Return a buildah that knows the base image and the built one."""
    if os.environ.get("OCRWATCH_TEST_IMAGE") != "1":
        pytest.skip("takes minutes: OCRWATCH_TEST_IMAGE=1 asks for it")
    missing = [program for program in ("buildah", "debootstrap") if shutil.which(program) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root{''.join(f' and {program}' for program in missing)}")
    with one_at_a_time(), _storage() as storage:
        _make_base(storage)
        ignored = ("--ignorefile", DOCKER / "Dockerfile.dockerignore")
        build = ("build", "--isolation", "chroot", "--pull-never", "--format", "docker")
        storage(*build, *ignored, "--file", DOCKER / "Dockerfile", "--tag", _NAME, SOURCE)
        yield storage


@contextlib.contextmanager
def _storage() -> Iterator[_Storage]:
    # In the cache, because the temporary folder may be small.
    folder = cache() / f"{UNFINISHED}containers"
    storage = _Storage(folder)
    try:
        yield storage
    finally:
        for remove in ("rm", "rmi"):
            with contextlib.suppress(AssertionError):
                storage(remove, "--all")
        shutil.rmtree(folder, ignore_errors=True)


def _make_base(buildah: _Storage) -> None:
    """Make the image that the Dockerfile begins with, as small as the original, which has no documentation either."""
    found = re.search(r"^ARG DEBIAN=(\S+/debian:([a-z]+)-slim)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    name, suite = found.groups()
    archive = cache() / f"base-{suite}.tar"
    if not archive.exists():
        folder = cache() / f"{UNFINISHED}base"
        subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, folder], check=True)
        for unused in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(folder / unused)
        if Path(_CERTIFICATES).exists():
            shutil.copy(_CERTIFICATES, f"{folder}{_CERTIFICATES}")
        rules = "".join(f"path-exclude=/usr/share/{unused}/*\n" for unused in ("doc", "man", "locale"))
        (folder / "etc/dpkg/dpkg.cfg.d/docker").write_text(rules)
        subprocess.run(["tar", "--create", "--file", archive, "--directory", folder, "."], check=True)
        shutil.rmtree(folder)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, archive, "/")
    # For a machine whose packages come through a proxy of its own.
    buildah("config", "--env", f"PIP_CERT={_CERTIFICATES}", container)
    buildah("commit", "--quiet", "--rm", container, name)


def test_the_image_is_small(buildah: _Storage) -> None:
    """It has what reading takes, and little else."""
    (image,) = json.loads(buildah("images", "--json", _NAME))
    size, unit = image["size"].split()
    assert unit == "MB"
    assert float(size) <= LARGEST_MB


def test_the_image_reads(buildah: _Storage) -> None:
    """As its own user, the command in it says its version, and ``once`` reads a scan from a mounted folder."""
    container = buildah("from", "--pull-never", _NAME)
    run = ("run", "--isolation", "chroot")
    assert re.fullmatch(r"ocrwatch \d+\.\d+\.\d+", buildah(*run, container, "ocrwatch", "--version"))
    data = cache() / f"{UNFINISHED}data"
    folders = {name: data / name for name in ("inbox", "outbox", "archive", "quarantine", "state")}
    for folder in folders.values():
        folder.mkdir(parents=True)
        os.chown(folder, _USER, _USER)
    (folders["inbox"] / "scan.jpg").write_bytes(render("Read in a container"))
    os.chown(folders["inbox"] / "scan.jpg", _USER, _USER)
    options = [f"--{name}=/scans/{name}" for name in folders]
    buildah(*run, "--volume", f"{data}:/scans", container, "ocrwatch", "once", *options)
    assert "Read in a container" in (folders["outbox"] / "scan.txt").read_text()
    assert (folders["archive"] / "scan.jpg").exists()
    shutil.rmtree(data)


def test_what_the_image_leaves_out_is_not_needed(tmp_path: Path) -> None:
    """Without the parts of its packages that the Dockerfile removes, a scan is read all the same."""
    assert "rm -r numpy/f2py" in (DOCKER / "Dockerfile").read_text()
    (tmp_path / "sitecustomize.py").write_text(_LEFT_OUT)
    (tmp_path / "scan.jpg").write_bytes(render("Read without"))
    read = run_ocrwatch(tmp_path, "read", "scan.jpg", environment={"PYTHONPATH": str(tmp_path)})
    assert read.returncode == 0, read.stderr
    assert "Read without" in read.stdout


def test_the_image_is_built_of_files_that_are_there() -> None:
    """What the Dockerfile copies exists, and .dockerignore lets it in."""
    let_in = set(re.findall(r"^!(\S+)$", (DOCKER / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names == let_in
    assert all((SOURCE / name).exists() for name in names)
