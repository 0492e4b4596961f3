"""The example file, the effective values and the schema."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from ocrwatch.settings import Group, Profile, Remote, Settings
from ocrwatch.settings.field_options import FieldOptions
from ocrwatch.settings.key_lookup import entries_at, option_keys
from ocrwatch.settings.load import load
from ocrwatch.settings.render import LIST_EXAMPLES, example, schema, show

REMOTE = """
[ocr]
engine = ["remote:cloud", "auto"]
[[remote]]
name = "cloud"
preset = "openai"
url = "https://ocr.example.org/v1"
key_file = "cloud.key"
timeout = "1m"
options = { detail = true, model = "x", size = 4 }
[[remote]]
name = "other"
preset = "generic"
url = "http://localhost:9000/?lang=eng"
key_variable = "OCRWATCH_OCR_KEY"
"""

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
    assert keys | set(data) >= set(option_keys()) - set(LIST_EXAMPLES)
    assert max(map(len, example().splitlines())) <= 100


def test_example_of_a_profile_is_accepted(toml: Path) -> None:
    """The profile in the example works when its comment signs are removed."""
    lines = example()[example().index("# [[profiles]]") :].splitlines()
    found = load(write(toml, "\n".join(line[2:] for line in lines)), {}, {}).settings
    assert found.for_path("invoices/fr/a.jpg").ocr.languages == ("fra", "eng")
    assert found.for_path("receipts/a.jpg").fields[-1].name == "shop_number"
    assert found.for_path("feeder/a.jpg").group == Group(by="name", quiet=30.0, blank="drop")


def test_example_of_services_is_accepted(toml: Path) -> None:
    """The services in the example work when their comment signs are removed."""
    text = example()[example().index("# [[remote]]\n") : example().index("# Settings for scans in")]
    lines = [line[2:] for line in text.splitlines()]
    found = load(write(toml, "\n".join([*lines, "[ocr]", 'engine = ["remote:cloud", "tesserocr"]'])), {}, {}).settings
    assert [service.name for service in found.remote] == ["cloud", "gpu"]
    assert found.remote[0].key_file == Path("/etc/ocrwatch/cloud.key")


def test_example_has_every_list_of_sections() -> None:
    """A list has no line with a default: its options are described, and an example follows."""
    assert set(LIST_EXAMPLES) == {name for name in Settings.model_fields if entries_at([name])}


def test_example_has_every_option_of_lists() -> None:
    """Each is described, as they have no line of their own."""
    services, profiles = example()[example().index("# A remote OCR service") :].split("# Settings for scans in")
    described = [set(re.findall(r"^# ([a-z_]+): ", text, re.MULTILINE)) for text in (services, profiles)]
    own = {*Profile.model_fields, *Group.model_fields, *FieldOptions.model_fields}
    assert described == [{*Remote.model_fields}, own]
    assert 'Default: "30s".' in services
    assert "Default: 10.0." in services
    assert "# Options of [profiles.group]: " in profiles
    assert 'Default: "1m".' in profiles


def test_show_has_services_without_their_keys(toml: Path, tmp_path: Path) -> None:
    """Each service is shown with its source, and with the name of the file or variable that has its key."""
    write(toml, REMOTE)
    found = load(toml, {}, {"OCRWATCH_OCR_KEY": "hidden-value"})
    text = show(found)
    assert f"[[remote]]  # number 2, from {toml}" in text
    assert 'key_variable = "OCRWATCH_OCR_KEY"' in text
    assert f'key_file = "{toml.parent}/cloud.key"' in text
    assert 'options = { detail = "true", model = "x", size = "4" }' in text
    assert f'engine = ["remote:cloud", "auto"]  # from {toml}' in text
    assert "hidden-value" not in text
    again = load(write(tmp_path / "shown.toml", text), {}, {"OCRWATCH_OCR_KEY": "hidden-value"}).settings
    assert again == found.settings


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
    assert set(found["$defs"]["Group"]["properties"]) == set(Group.model_fields)
