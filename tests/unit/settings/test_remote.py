"""The options of remote services, and the engines that name them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.errors import UsageError
from ocrwatch.recipe import RemoteService
from ocrwatch.settings import Settings, recipe
from ocrwatch.settings.load import load, parse_overrides
from ocrwatch.settings.reloadable import can_change, changes
from ocrwatch.settings.render import schema

SERVICE = '[[remote]]\nname = "cloud"\npreset = "generic"\nurl = "https://ocr.example.org"\n'
OTHER = '[[remote]]\nname = "spare"\npreset = "generic"\nurl = "https://spare.example.org"\n'


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a settings file is written to; the working directory is elsewhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / "my.toml"


def write(path: Path, text: str) -> Path:
    """Write a file that root accepts too."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def refusal(toml: Path, text: str) -> UsageError:
    """Return the error for these settings."""
    with pytest.raises(UsageError) as refused:
        load(write(toml, text), {}, {})
    return refused.value


def services(*names: str, **options: Any) -> list[dict[str, Any]]:
    """Return the options of some services."""
    return [{"name": name, "preset": "generic", "url": f"https://{name}.example.org", **options} for name in names]


def test_a_service_has_defaults(toml: Path) -> None:
    """Name, preset and address are enough."""
    (found,) = load(write(toml, SERVICE), {}, {}).settings.remote
    assert (found.rate, found.concurrency, found.timeout, found.prepare) == (10.0, 8, 30.0, "none")
    assert (found.key_file, found.key_variable, found.options) == (None, None, {})
    assert found.engine == "remote:cloud"
    assert found.service == RemoteService("cloud", "generic", "https://ocr.example.org")


@pytest.mark.parametrize(
    ("option", "message", "remedy"),
    [
        ('name = "Cloud"', "remote[0].name is not valid", "small letters"),
        ('name = ""', "remote[0].name is not valid", "small letters"),
        (f'name = "{"a" * 31}"', "remote[0].name is not valid", "1 to 30"),
        ('name = "a\\n"', "remote[0].name is not valid", "1 to 30"),
        ('url = "ftp://example.org"', "remote[0].url is not valid", "https://ocr.example.org"),
        ('url = ""', "remote[0].url is not valid", "https://ocr.example.org"),
        ('url = "https://me:pass@example.org"', "remote[0].url is not valid", "name that in key_file"),
        ('url = "https://me@example.org"', "remote[0].url is not valid", "name that in key_file"),
        ('url = "https://example.org/#a"', "remote[0].url is not valid", "leave out #"),
        ('url = "https://example.org/#"', "remote[0].url is not valid", "leave out #"),
        ('key_file = "a"\nkey_variable = "B"', "the options in remote[0] contradict each other", "not in both"),
        ("rate = 0", "remote[0].rate is not valid", "above 0"),
        ("rate = nan", "remote[0].rate is not valid", "write a number"),
        ("rate = 10001", "remote[0].rate is not valid", "at most 10000"),
        ("concurrency = 0", "remote[0].concurrency is not valid", "at least 1"),
        ("timeout = 5000", "remote[0].timeout is not valid", "from 100ms to 1h"),
        ('max_bytes = "9KB"', "remote[0].max_bytes is not valid", "from 10KB to 1GB, or 0"),
        ('prepare = "claen"', "remote[0].prepare is not valid", "did you mean clean?"),
        ("options = { model = [1] }", "remote[0].options is not valid", "text, numbers or switches"),
        ('key = "1234"', "there is no option remote[0].key", "key_file, key_variable"),
    ],
)
def test_wrong_options_are_refused_with_a_remedy(toml: Path, option: str, message: str, remedy: str) -> None:
    """The message names the option, and says what would be right."""
    name = option.partition(" ")[0]
    given = "\n".join(line for line in SERVICE.splitlines() if not line.startswith(f"{name} "))
    refused = refusal(toml, f"{given}\n{option}\n")
    assert message in refused.message
    assert remedy in refused.remedy


@pytest.mark.parametrize("option", ['key_file = ["sk-9999"]', 'url = "sk-9999"', 'key_variable = ["sk-9999"]'])
def test_what_may_be_a_key_is_not_quoted(toml: Path, option: str) -> None:
    """A key in the wrong place does not get into the log."""
    name = option.partition(" ")[0]
    given = "\n".join(line for line in SERVICE.splitlines() if not line.startswith(f"{name} "))
    assert "9999" not in str(refusal(toml, f"{given}\n{option}\n"))


def test_a_service_that_lacks_an_option_is_refused(toml: Path) -> None:
    """Name, preset and address have no default."""
    for name in ("name", "preset", "url"):
        given = "\n".join(line for line in SERVICE.splitlines() if not line.startswith(f"{name} "))
        assert f"remote[0].{name} is missing" in refusal(toml, given).message


def test_rates_below_one_are_allowed() -> None:
    """Some services allow a request every few seconds."""
    assert Settings.model_validate({"remote": services("cloud", rate=0.2)}).remote[0].rate == 0.2


def test_a_query_belongs_to_the_address_but_is_not_shown() -> None:
    """Scheme, host and port are enough to say where scans go."""
    urls = {
        "https://ocr.example.org/v1?api-version=4": "https://ocr.example.org",
        "http://[::1]:9000/ocr": "http://[::1]:9000",
        "http://LOCALHOST:80": "http://localhost:80",
    }
    for url, host in urls.items():
        (found,) = Settings.model_validate({"remote": services("a", url=url)}).remote
        assert (found.url, found.host) == (url, host)


def test_options_of_presets_are_text(toml: Path) -> None:
    """Text, numbers and switches are accepted; presets get all as text, sorted by name."""
    text = f'{SERVICE}[remote.options]\nmodel = "gpt-4o"\nlimit = 5\nscale = 0.5\ndetail = true\n'
    (found,) = load(write(toml, text), {}, {}).settings.remote
    assert found.service.options == (("detail", "true"), ("limit", "5"), ("model", "gpt-4o"), ("scale", "0.5"))


def test_two_services_of_one_name_are_refused(toml: Path) -> None:
    """An engine could mean either."""
    refused = refusal(toml, SERVICE + SERVICE)
    assert "remote[1].name is not valid" in refused.message
    assert refused.remedy == "rename one of the services cloud"


def test_key_files_are_relative_to_the_settings_file(toml: Path) -> None:
    """They are like the other files that settings name."""
    text = f'{SERVICE}key_file = "cloud.key"\n'
    assert load(write(toml, text), {}, {}).settings.remote[0].key_file == toml.parent / "cloud.key"


def test_a_variable_can_hold_all_services(toml: Path) -> None:
    """Lists of sections are in TOML's notation, as those of profiles are."""
    variable = '[{ name = "cloud", preset = "generic", url = "https://ocr.example.org", key_file = "k" }]'
    found = load(write(toml, ""), {}, {"OCRWATCH_REMOTE": variable, "OCRWATCH_OCR__ENGINE": "remote:cloud,auto"})
    assert found.settings.remote[0].key_file == Path.cwd() / "k"
    assert found.settings.ocr.engine == ("remote:cloud", "auto")
    assert found.provenance["remote"] == "environment OCRWATCH_REMOTE"


@pytest.mark.parametrize("name", ["OCRWATCH_CLOUD_KEY", "OCRWATCH_REMOTE__KEY", "CLOUD_KEY", "OCRWATCH_OCR__KEY"])
def test_the_variable_of_a_key_may_have_any_name(toml: Path, name: str) -> None:
    """Variables that begin with OCRWATCH_ and set no option are errors, but for those of keys."""
    found = load(write(toml, f'{SERVICE}key_variable = "{name}"\n'), {}, {name: "1234"}).settings
    assert found.remote[0].key_variable == name
    if name.startswith("OCRWATCH_"):
        with pytest.raises(UsageError, match="sets no option"):
            load(write(toml, SERVICE), {}, {name: "1234"})


def test_an_invalid_file_does_not_make_its_key_variable_wrong(toml: Path) -> None:
    """Only what a command needs is read of such a file, and the services are not."""
    write(toml, f'state = "mine"\n[ocr]\ndpi = "x"\n{SERVICE}key_variable = "OCRWATCH_CLOUD_KEY"\n')
    found = load(toml, {}, {"OCRWATCH_CLOUD_KEY": "1234"}, only=("state",)).settings
    assert found.state == toml.parent / "mine"


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        (
            f'[ocr]\nengine = "remote:clod"\n{SERVICE}{OTHER}',
            'ocr.engine = "remote:clod" is not valid',
            'write one of: remote:cloud, remote:spare; or add a [[remote]] with name = "clod"',
        ),
        (
            '[ocr]\nengine = ["tesserocr", "remote:cloud"]',
            'ocr.engine = "remote:cloud" is not valid',
            'add a [[remote]] with name = "cloud"',
        ),
        ('[ocr]\nengine = "remote:"', 'ocr.engine = "remote:" is not valid', "add a [[remote]]"),
        (
            f'[ocr]\nsecond = "remote:b"\n{SERVICE}',
            'ocr.second = "remote:b" is not valid',
            "write one of: remote:cloud",
        ),
        (
            f'[[profiles]]\nmatch = "a"\nocr.engine = "remote:b"\n{SERVICE}',
            'profiles[0].ocr.engine = "remote:b" is not valid',
            "write one of: remote:cloud",
        ),
        (
            f'[ocr]\nengine = "remote:cloud"\nsecond = "remote:spare"\n{SERVICE}{OTHER}',
            'ocr.second = "remote:spare" is not valid',
            'add a local engine, such as "tesserocr", to engine, or set second = "none"',
        ),
        (
            f'[ocr]\nengine = ["remote:cloud", "auto"]\nsecond = "remote:cloud"\n{SERVICE}',
            'ocr.second = "remote:cloud" is not valid',
            "not in both",
        ),
        (
            f'[ocr]\nsecond = "remote:spare"\n[[profiles]]\nmatch = "a"\nocr.engine = "remote:cloud"\n{SERVICE}{OTHER}',
            'profiles[0].ocr.engine = "remote:spare" is not valid',
            'set second = "none"',
        ),
        ('[ocr]\nengine = ["auto", "auto"]', "ocr.engine = ", "name each entry once"),
        ("[ocr]\nengine = []", "ocr.engine = []", "name at least one"),
        ('[ocr]\nsecond = "tesserocr"', 'ocr.second = "tesserocr"', "write auto, rapidocr, none, or a service"),
    ],
)
def test_engines_that_cannot_be_are_refused(toml: Path, text: str, message: str, remedy: str) -> None:
    """A service that does not exist, or one that would reread its own text."""
    refused = refusal(toml, text)
    assert str(toml) in refused.message
    assert message in refused.message
    assert remedy in refused.remedy


def test_a_service_can_reread_while_another_is_away() -> None:
    """The local engine of the chain is what makes pages doubtful."""
    ocr = {"engine": ["remote:cloud", "tesserocr"], "second": "remote:spare"}
    found = Settings.model_validate({"ocr": ocr, "remote": services("cloud", "spare")})
    first, fallback = (recipe(found, engine) for engine in found.ocr.engine)
    assert (first.remote and first.remote.name, first.second) == ("cloud", "none")
    assert (fallback.remote and fallback.remote.name, fallback.second) == ("spare", "remote:spare")


def test_one_engine_is_shown_without_brackets() -> None:
    """As it is usually written."""
    assert Settings().model_dump()["ocr"]["engine"] == "auto"
    found = Settings.model_validate({"ocr": {"engine": "pytesseract, tesserocr"}})
    assert found.ocr.engine == ("pytesseract", "tesserocr")
    assert found.model_dump()["ocr"]["engine"] == ("pytesseract", "tesserocr")


def test_an_option_of_services_outside_of_one_says_where_it_belongs(toml: Path) -> None:
    """A file begins with options of no section."""
    refused = refusal(toml, 'key_variable = "A"\n')
    assert refused.remedy == "key_variable belongs in a section [[remote]]"


def test_a_service_cannot_be_set_by_its_number(toml: Path) -> None:
    """The command line sets all of them together, as it does profiles."""
    with pytest.raises(UsageError, match=re.escape("there is no option remote[0]")):
        load(write(toml, SERVICE), parse_overrides(["remote[0].rate=5"]), {})


def test_services_need_a_restart() -> None:
    """Connections and limits are those of the start."""
    assert not can_change("remote")
    before = Settings.model_validate({"remote": services("cloud")})
    found = changes(before, Settings.model_validate({"remote": services("cloud", rate=1), "ocr": {"dpi": 300}}))
    assert (found.taken, found.kept) == (("ocr.dpi",), ("remote",))
    assert found.settings.remote == before.remote


def test_engines_of_new_services_need_a_restart_too() -> None:
    """A reload must not name a service that does not exist; other options change."""
    before = Settings.model_validate({"remote": services("cloud"), "ocr": {"engine": "remote:cloud"}})
    ocr = {"engine": "remote:spare", "second": "none", "dpi": 300}
    after = Settings.model_validate({"remote": services("cloud", "spare"), "ocr": ocr})
    found = changes(before, after)
    assert (found.taken, found.kept) == (("ocr.dpi",), ("ocr.engine", "ocr.second", "remote"))
    assert found.settings.ocr.engine == ("remote:cloud",)
    profiles = [{"match": "a/**", "ocr": {"engine": "remote:spare"}}]
    after = Settings.model_validate({"remote": services("cloud", "spare"), "profiles": profiles})
    assert changes(before, after).kept == ("ocr.engine", "remote", "profiles")


def test_an_engine_of_a_running_service_can_be_taken_by_a_reload() -> None:
    """The service is there since the start."""
    before = Settings.model_validate({"remote": services("cloud")})
    after = Settings.model_validate({"remote": services("cloud"), "ocr": {"engine": ["remote:cloud", "auto"]}})
    found = changes(before, after)
    assert (found.taken, found.kept) == (("ocr.engine",), ())
    assert found.settings.for_path("a.jpg").services[0].name == "cloud"


def test_schema_describes_services() -> None:
    """Editors know what may be written."""
    found = json.loads(schema())["$defs"]
    options = found["Remote"]["properties"]
    assert options["options"]["additionalProperties"] == {"type": ["string", "number", "boolean"]}
    assert options["name"]["pattern"] == "^[a-z0-9][a-z0-9_-]{0,29}$"
    assert {"type": "string"} in found["Ocr"]["properties"]["engine"]["anyOf"]
