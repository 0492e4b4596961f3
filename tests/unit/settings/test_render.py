"""The example file, the effective values and the schema."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from ocrwatch.settings import Profile, Settings
from ocrwatch.settings.fields import FieldOptions
from ocrwatch.settings.key_lookup import option_keys
from ocrwatch.settings.load import load
from ocrwatch.settings.render import example, schema, show

EXAMPLE = Path(__file__).parents[3] / "ocrwatch.example.toml"


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a configuration file is written to; the working directory is beside it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my.toml"


def write(path: Path, text: str) -> Path:
    """Write a file that root accepts too."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def test_example_file_is_the_generated_one() -> None:
    """The example file can't drift from the options."""
    assert EXAMPLE.read_text(encoding="utf-8") == example()


def uncommented(text: str) -> str:
    """Remove the sign before every option, as an admin would."""
    return re.sub(r"^#(?! |$)", "", text, flags=re.MULTILINE)


def test_example_changes_nothing(toml: Path) -> None:
    """The example as it is, and with every option uncommented, gives the defaults."""
    write(toml, "")
    defaults = load(toml, {}, {}).settings
    for text in (example(), uncommented(example())):
        assert load(write(toml, text), {}, {}).settings == defaults


def test_example_has_every_option_and_fits_the_page() -> None:
    """Every option stands in the example, in lines of at most 100 columns."""
    data = tomllib.loads(uncommented(example()))
    keys = {f"{name}.{key}" for name, value in data.items() if isinstance(value, dict) for key in value}
    assert keys | set(data) >= set(option_keys()) - {"profiles"}
    assert max(map(len, example().splitlines())) <= 100


def test_example_of_a_profile_is_accepted(toml: Path) -> None:
    """The profile in the example works when its comment signs are removed."""
    lines = example()[example().index("# [[profiles]]") :].splitlines()
    found = load(write(toml, "\n".join(line[2:] for line in lines)), {}, {}).settings
    assert found.for_path("invoices/fr/a.jpg").ocr.languages == ("fra", "eng")
    assert found.for_path("receipts/a.jpg").fields[-1].name == "shop_number"


def test_example_has_every_option_of_profiles_and_fields() -> None:
    """Each is described, as they have no line of their own."""
    described = set(
        re.findall(r"^# ([a-z_]+): ", example()[example().index("# Settings for scans in") :], re.MULTILINE)
    )
    assert described == {*Profile.model_fields, *FieldOptions.model_fields}


def test_show_is_toml_that_gives_the_same_settings(toml: Path, tmp_path: Path) -> None:
    """What is shown can be used as a configuration file; each value has its source beside it."""
    write(toml, "[output]\nmode = '0640'\n[ocr]\nwhitelist = '\\\"é'\n[[profiles]]\nmatch = 'a'\nlanguages = ['fra']")
    found = load(toml, {"settle.stable_for": "3s"}, {"OCRWATCH_OCR__DPI": "300"})
    text = show(found)
    assert 'stable_for = "3s"  # from command line' in text
    assert "dpi = 300  # from environment OCRWATCH_OCR__DPI" in text
    assert f'mode = "0640"  # from {toml}' in text
    assert load(write(tmp_path / "shown.toml", text), {}, {}).settings == found.settings


def test_show_survives_names_that_are_not_text(toml: Path) -> None:
    """Folders whose names are not UTF-8 or hold line ends are shown escaped."""
    text = show(load(write(toml, ""), {"inbox": "in\udcff\nbox\x7f"}, {}))
    assert tomllib.loads(text)["inbox"] == f"{toml.parent}/in\\udcff\nbox\x7f"


def test_schema_describes_every_section() -> None:
    """Editors get names and descriptions of all options."""
    found = json.loads(schema())
    assert set(found["properties"]) == set(Settings.model_fields)
    assert found["$defs"]["Settle"]["properties"]["stable_for"]["description"]
