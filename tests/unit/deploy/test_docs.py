"""The generated pages of docs/reference are what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ocrwatch.errors import ExitCode
from ocrwatch.settings.key_lookup import option_keys
from ocrwatch.settings.render import LIST_EXAMPLES, sections_of

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"


def test_generated_pages_are_up_to_date(tmp_path: Path) -> None:
    """They can't drift from the code: python deploy/make_docs.py."""
    subprocess.run([sys.executable, ROOT / "deploy" / "make_docs.py", tmp_path], check=True, cwd=ROOT)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert set(made) == {"cli.md", "settings.md", "events.md"}
    for name, text in made.items():
        assert (REFERENCE / name).read_text(encoding="utf-8") == text, f"{name}: run python deploy/make_docs.py"


def test_every_option_is_documented() -> None:
    """Each option of the settings has a row."""
    page = (REFERENCE / "settings.md").read_text()
    documented = set(re.findall(r"^\| `([a-z_.]+)` \| .*? \| (?:reload|restart) \|", page, re.MULTILINE))
    assert documented == set(option_keys()) - set(LIST_EXAMPLES)


def test_every_option_of_lists_is_documented() -> None:
    """So has each option of the sections in a list, below their own heading."""
    page = (REFERENCE / "settings.md").read_text()
    for heading, model in (each for name in LIST_EXAMPLES for each in sections_of(name)):
        section = page.partition(f"`{heading}`.")[2].partition("\n#")[0]
        assert re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE) == list(model.model_fields), heading


def test_every_exit_code_is_documented() -> None:
    """The table of exit codes has all of them."""
    page = (REFERENCE / "cli.md").read_text()
    for code in ExitCode:
        assert re.search(rf"^\| {int(code)} \| ", page, re.MULTILINE), code
