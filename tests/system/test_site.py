"""The pages of docs/ become a website."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import DOCS, PAGES, ROOT

_LOADED = re.compile(r"<(?:link|script|img|iframe|source)\b[^>]*?\b(?:href|src)=\"?([^\"\s>]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; each warning is an error, and nothing is left in the tree."""
    if importlib.util.find_spec("material") is None:
        pytest.skip("MkDocs and its theme are not installed (pip install -e '.[docs]')")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "deploy/mkdocs.yml", "-d", str(folder)]
    # The theme's notice of its successor is no warning about these pages.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARNING" not in said
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    """Each page of docs/ is built, and the manual page is not."""
    for page in PAGES:
        if page.is_relative_to(DOCS):
            assert (site / page.relative_to(DOCS)).with_suffix(".html").is_file()
    assert not (site / "ocrwatch.1").exists()


def test_every_link_leads_somewhere(site: Path) -> None:
    """Links to files outside of docs/ lead to their copies."""
    links = [
        (page, link)
        for page in site.rglob("*.html")
        for link in re.findall(r"href=\"([^\"#:?]+)[\"#]", page.read_text())
    ]
    # The page of the error 404 does not know where it is shown: its links begin with a slash.
    missing = [(page.name, link) for page, link in links if link[0] != "/" and not (page.parent / link).exists()]
    assert missing == []
    assert (site / "files/deploy/samba/ocrwatch.conf.txt").read_text() == (
        ROOT / "deploy/samba/ocrwatch.conf"
    ).read_text()


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    """No fonts, scripts, pictures or styles come from another server."""
    loaded = {link for page in site.rglob("*.html") for link in _LOADED.findall(page.read_text())}
    assert len(loaded) > 3
    assert {link for link in loaded if re.match(r"(https?:)?//", link)} == set()
    styles = "".join(style.read_text() for style in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )\s*[\"']?(?:https?:)?//[^)]*", styles) == []
