"""The README says what is so."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from ocrwatch import errors
from ocrwatch.errors import ExitCode, ScanFault
from ocrwatch.log import EVENTS
from ocrwatch.observe.prometheus import Exposition
from ocrwatch.observe.status import Distribution, Status
from ocrwatch.settings.load import load, parse_overrides
from tests.unit.observe.statuses import status

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_event_is_in_the_readme_with_its_fields() -> None:
    """The table of events is the vocabulary that the code logs with."""
    documented = {
        name: (description, tuple(re.findall(r"`([a-z0-9_]+)`", fields)))
        for name, description, fields in re.findall(
            r"^\| `([a-z]+\.[a-z_]+)` \| (.*?) \| (.*?) \|$", README, re.MULTILINE
        )
    }
    assert documented == {name: (event.description, event.fields) for name, event in EVENTS.items()}


def test_every_logged_event_is_in_the_vocabulary() -> None:
    """No module logs an event, or a field of one, that the vocabulary does not know."""
    call = re.compile(r"_log\.(?:debug|info|warning|error)\(\s*\"([a-z._]+)\"(.*?)\n?\s*\)$", re.MULTILINE | re.DOTALL)
    logged = 0
    for path in (ROOT / "ocrwatch").rglob("*.py"):
        for name, arguments in call.findall(path.read_text()):
            logged += 1
            assert name in EVENTS, f"{path.name} logs {name}"
            fields = set(re.findall(r"(?:^|[\s(,])([a-z0-9_]+)=", arguments)) - {"exc_info"}
            assert fields <= set(EVENTS[name].fields), f"{path.name} logs {name} with {fields}"
    assert logged > 15


def test_every_exit_code_is_in_the_readme() -> None:
    """The table of exit codes has all of them."""
    for code in ExitCode:
        assert re.search(rf"^\| {int(code)} \| ", README, re.MULTILINE), code


def test_every_quarantine_code_is_in_the_readme() -> None:
    """Each code that a reason file can carry is named, and none that it cannot."""
    codes = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ScanFault) and kind is not ScanFault
    }
    paragraph = README[README.index("Codes: ") :].split("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", paragraph)) == codes


def test_settings_in_the_readme_are_valid(tmp_path: Path) -> None:
    """The examples load together as they stand, and so does every --set."""
    examples = re.findall(r"^```toml\n(# ocrwatch\.toml\n.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 2
    config = tmp_path / "ocrwatch.toml"
    config.write_text("\n".join(examples))
    sets = re.findall(r"--set ([a-z_.]+=\S+?)`", README)
    assert sets
    settings = load(config, parse_overrides(sets), {}).settings
    assert settings.hooks.delivered == ("/usr/local/bin/index-scan", "--quiet")
    assert settings.for_path("invoices/fr/2026/a.jpg").ocr.languages == ("fra", "eng")


def test_files_that_the_readme_names_are_there() -> None:
    """Commands and links in the README lead somewhere."""
    named = {*re.findall(r"sh (deploy/\S+\.sh)", README), *re.findall(r"\]\(([\w./-]+)\)", README)}
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_metric_is_in_the_readme() -> None:
    """The table of metrics has what is offered, and nothing else."""
    durations = Distribution([1.0], [0, 0], 0.0)
    told = status(queue_seconds=durations, reading_seconds=durations)
    _, body = Exposition(lambda: told).render("")
    offered = set(re.findall(r"^# TYPE (ocrwatch_\w+)", body.decode(), re.MULTILINE))
    assert set(re.findall(r"^\| `(ocrwatch_\w+)(?:\{[a-z,]+\})?` \|", README, re.MULTILINE)) == offered


def test_every_field_of_the_status_is_in_the_readme() -> None:
    """The table of the status has all fields, those that only --json adds among them, and no other."""
    table = README[README.index("### Status") : README.index("`ocrwatch why FILE --json` prints")]
    named = {
        name for cell in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert named == {field.name for field in fields(Status)} | {"running"}
