"""A package with a format, a cache level, an executor and a listener: the examples of docs/extending.md, installed."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.daemon_process import run_ocrwatch
from tests.documentation import DOCS, ROOT, blocks
from tests.system.dropping import files, phrase, put, scan

FINE = 0
PAGE = DOCS / "extending.md"

SERVICE = """
from ocrwatch.document import Block, Box, EngineInfo, Line, Page, Word

async def read(jpeg):
    if not jpeg.startswith(b"\\xff\\xd8"):
        raise ConnectionError("no bytes came")
    box = Box(0, 0, 9, 9)
    line = Line((Word("elsewhere", box, 99.0),), box)
    return Page(9, 9, None, 1, (Block((line,), box),), EngineInfo("service", "1", ()))
"""
"""The module that the example of an executor imports."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The package, as it is installed for one test."""

    config: str
    environment: dict[str, str]
    shared: Path
    """The folder of its cache level."""
    texts: Path
    """The file that its listener writes."""


@pytest.fixture
def package(tmp_path: Path) -> Installed:
    """Install the examples of the page, with the entry points and the settings on it; only two paths are others."""
    shared, texts, site = tmp_path / "shared", tmp_path / "texts", tmp_path / "site"
    metadata = site / "my_package-1.0.dist-info"
    for folder in (shared, metadata):
        folder.mkdir(parents=True)
    source = "\n\n".join(blocks("python", [PAGE]))
    for path, ours in {"/mnt/pages": shared, "/var/lib/index/texts": texts}.items():
        assert source.count(path) == 1
        source = source.replace(path, str(ours))
    (site / "my_package.py").write_text(source)
    (site / "my_service.py").write_text(SERVICE)
    project, config = blocks("text", [PAGE])
    groups = tomllib.loads(project)["project"]["entry-points"]
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("".join(f"[{group}]\n{_lines(groups[group])}" for group in groups))
    return Installed(config, {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}, shared, texts)


def _lines(points: dict[str, str]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in points.items())


def _once(folder: Path, package: Installed) -> list[dict[str, Any]]:
    """Read what is in the inbox; return the events."""
    answer = run_ocrwatch(folder, "once", config=package.config, environment=package.environment)
    assert answer.returncode == FINE, answer.stderr
    return [json.loads(line) for line in answer.stderr.splitlines() if line.startswith("{")]


def test_a_scan_passes_all_parts_of_another_package(tmp_path: Path, package: Installed) -> None:
    """Its executor reads, its format renders, and its listener gets the event; nothing fails."""
    put(tmp_path / "inbox", "forms/a.jpg", scan(1))
    events = _once(tmp_path, package)
    (delivered,) = (event for event in events if event["event"] == "scan.delivered")
    assert (delivered["engine"], delivered["attempt"]) == ("service 1", 1)
    assert files(tmp_path / "outbox") == {"forms/a.txt", "forms/a.words.lst"}
    assert (tmp_path / "outbox/forms/a.words.lst").read_text() == "elsewhere\n"
    assert package.texts.read_text() == "forms/a.jpg forms/a.words.lst forms/a.txt\n"
    assert [event for event in events if event["event"].endswith((".failed", ".died", ".dropped"))] == []


def test_a_page_in_its_cache_level_outlives_the_run(tmp_path: Path, package: Installed) -> None:
    """The workers of this machine read the first scan; the next run renders its page from the shared folder."""
    put(tmp_path / "inbox", "a.jpg", scan(1))
    assert not any(event.get("cached") for event in _once(tmp_path, package))
    (page,) = package.shared.iterdir()
    assert page.stat().st_size > 0
    put(tmp_path / "inbox", "b.jpg", scan(1))
    (delivered,) = (event for event in _once(tmp_path, package) if event["event"] == "scan.delivered")
    assert (delivered["path"], delivered["cached"]) == ("b.jpg", True)
    assert (tmp_path / "outbox/b.txt").read_text().split() == phrase(1).split()
    assert (tmp_path / "outbox/b.words.lst").read_text().split() == phrase(1).split()
    assert package.texts.read_text().splitlines()[-1] == "b.jpg b.words.lst b.txt"


def test_config_check_asks_the_executor(tmp_path: Path, package: Installed) -> None:
    """It may be another package's; one that is not installed is an error that names those that are."""
    right = run_ocrwatch(tmp_path, "config", "check", config=package.config, environment=package.environment)
    assert (right.returncode, "valid" in right.stdout) == (FINE, True)
    wrong = run_ocrwatch(
        tmp_path, "config", "check", "--set", "workers.executor=other", config=package.config,
        environment=package.environment,
    )  # fmt: skip
    assert wrong.returncode != FINE
    assert "there is no executor named 'other'; set workers.executor to one of: forms, local" in wrong.stderr
