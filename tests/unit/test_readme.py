"""README.md and the pages of docs/ say what is so."""

from __future__ import annotations

import inspect
import io
import json
import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from ocrwatch import errors
from ocrwatch.commands.why import document_sentences, explanation
from ocrwatch.document import UNPLACED, Code, Field, Second, Standing
from ocrwatch.documents import grouping
from ocrwatch.documents.planning import REPAIRED
from ocrwatch.errors import ScanFault
from ocrwatch.events import EVENTS
from ocrwatch.executors.http_ocr.presets.base import _BUILT_IN as PRESETS
from ocrwatch.observe.prometheus import CAUSES, RESULTS, Exposition
from ocrwatch.observe.status import Distribution, ServiceStatus, Status
from ocrwatch.recipe import FieldType
from ocrwatch.render import registry
from ocrwatch.render.joining.base import Document, DocumentPage, Dropped, Missing, SourceFile
from ocrwatch.render.joining.joined_json import JoinedJson
from ocrwatch.render.joining.registry import JOINED
from ocrwatch.settings import Group, Profile, Settings
from ocrwatch.settings.field_options import DocumentType, FieldOptions
from ocrwatch.settings.key_lookup import is_option, option_keys
from ocrwatch.settings.load import load, parse_overrides
from ocrwatch.settings.render import LIST_EXAMPLES
from tests.documentation import DOCS, GENERATED, PAGES, README, ROOT, anchors, blocks, inline, text_of
from tests.unit.observe.statuses import status
from tests.unit.render.made_tables import PAGE as PAGE_WITH_TABLE
from tests.unit.render.test_formats import PAGE, rendered

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MOST_LINES = 150
_OF_DOCUMENTS = ("What is in the files", "How do other programs get documents")
_AVOIDED = re.compile(
    r"\b(whoever|nobody|somebody|lest|for ever|to be had|in doubt of|aslant|but for|one's)\b", re.IGNORECASE
)


def test_the_readme_is_short_and_has_a_picture() -> None:
    """It says what ocrwatch is and how to begin; docs/ has the rest, and each page is linked."""
    text = README.read_text()
    assert len(text.splitlines()) <= _MOST_LINES
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
    linked = {(ROOT / link).resolve() for link in _LINK.findall(text)}
    assert {page for page in PAGES if page.is_relative_to(DOCS)} - linked == {DOCS / "index.md"}


def test_every_quarantine_code_is_documented() -> None:
    """Each code that a reason file can carry is named, and none that it cannot."""
    codes = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ScanFault) and kind is not ScanFault
    }
    page = text_of("quarantine.md")
    table = page[page.index("| code |") :].split("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == codes


@pytest.mark.parametrize("example", blocks("toml"))
def test_each_example_of_settings_is_valid(example: str, tmp_path: Path) -> None:
    """It loads as it stands."""
    config = tmp_path / "ocrwatch.toml"
    config.write_text(example)
    assert load(config, {}, {}).settings != Settings()


def test_examples_of_settings_are_valid_together(tmp_path: Path) -> None:
    """Those that are headed by the file's name can stand in one file, with every --set, and do what they say."""
    examples = [example for example in blocks("toml") if example.startswith("# ocrwatch.toml\n")]
    assert len(examples) >= 2
    config = tmp_path / "ocrwatch.toml"
    config.write_text("\n".join(examples))
    sets = [code[6:] for page in PAGES for code in inline(page) if code.startswith("--set ") and "KEY" not in code]
    assert sets
    settings = load(config, parse_overrides(sets), {}).settings
    assert settings.hooks.delivered == ("/usr/local/bin/index-scan", "--quiet")
    assert settings.for_path("invoices/fr/2026/a.jpg").ocr.languages == ("fra", "eng")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_on_a_page_exist(page: Path, tmp_path: Path) -> None:
    """``section.option``, alone or with a value, is an option with a valid value; else it is an event or a preset."""
    sections = {key.partition(".")[0] for key in option_keys()} - set(LIST_EXAMPLES)
    for code in inline(page):
        if not (match := re.fullmatch(r"([a-z]+)\.(?!py$)([a-z_]+)( = .+)?", code)) or match[1] not in sections:
            continue
        if (code in EVENTS or code in PRESETS) and not match[3]:
            continue
        assert is_option([match[1], match[2]]), f"{page.name}: {code}"
        if match[3]:
            config = tmp_path / "ocrwatch.toml"
            config.write_text(code)
            load(config, {}, {})


def test_sections_that_a_page_names_exist() -> None:
    """``[section]`` is one of the settings."""
    named = {code[1:-1] for page in PAGES for code in inline(page) if re.fullmatch(r"\[[a-z]+\]", code)}
    assert len(named) > 5
    assert named <= set(Settings.model_fields)
    assert set(Profile.model_fields) >= {"ocr", "enhance", "output"}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_and_scripts_on_a_page_are_there(page: Path) -> None:
    """Each link leads to a file, and to a heading in it if it names one; so does each script."""
    text = page.read_text()
    for link in _LINK.findall(text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
    for script in re.findall(r"sh (deploy/\S+\.sh)", text):
        assert (ROOT / script).exists(), script


@pytest.mark.parametrize("page", [DOCS / "architecture.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_modules_on_a_page_are_there(page: Path) -> None:
    """Files and folders between backticks are in the package or in the project."""
    named = [code for code in inline(page) if re.fullmatch(r"[\w/.-]+(?:/|\.(?:py|md|toml|sh|txt))", code)]
    assert len(named) > 15
    missing = [name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "ocrwatch"))]
    assert [name for name in missing if not name.endswith("STATUS.txt")] == []


def test_layers_in_contributing_are_those_of_the_linter() -> None:
    """CONTRIBUTING.md has the layers of pyproject.toml, in their order."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    (written,) = [code for code in inline(ROOT / "CONTRIBUTING.md") if code.startswith("cli → ")]
    assert [re.findall(r"\w+", layer) for layer in written.split(" → ")] == [
        re.findall(r"\w+", each) for each in layers
    ]


def test_every_metric_is_documented() -> None:
    """The table of metrics has what is offered, with the values of its labels, and nothing else."""
    durations = Distribution([1.0], [0, 0], 0.0)
    services = [ServiceStatus("cloud", "https://ocr.example.org", seconds=durations)]
    told = status(queue_seconds=durations, reading_seconds=durations, services=services)
    _, body = Exposition(lambda: told).render("")
    offered = set(re.findall(r"^# TYPE (ocrwatch_\w+)", body.decode(), re.MULTILINE))
    page = text_of("monitoring.md")
    assert set(re.findall(r"^\| `(ocrwatch_\w+)(?:\{[a-z,]+\})?` \|", page, re.MULTILINE)) == offered
    for metric, label, values in (("scans_total", "result", RESULTS), ("paused", "cause", CAUSES)):
        (meaning,) = re.findall(rf"^\| `ocrwatch_{metric}\{{{label}\}}` \| (.*) \|$", page, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", meaning)) == set(values)


def test_every_field_of_the_status_is_documented() -> None:
    """The table of the status has all fields, those that only --json adds among them, and no other."""
    assert _table("ocrwatch status") == {field.name for field in fields(Status)} | {"running"}


def test_every_sidecar_and_every_field_of_the_json_is_documented() -> None:
    """Each format has a section, and the table of the JSON has all fields of a page, and no other."""
    page = text_of("reference/sidecars.md")
    assert set(re.findall(r"^## \.([\w.]+)$", page, re.MULTILINE)) == set(registry.endings())
    total = Field("total", Standing.MISSING, "", "", "no label was found")
    given = replace(PAGE, second=Second("rapidocr", "3.10.0", 1), tables=PAGE_WITH_TABLE.tables, fields=(total,))
    given = replace(given, codes=(Code("qr", "PATCHT", UNPLACED, (0.0,) * 8),))
    written = json.loads(rendered(given, "json"))
    (table,) = written["tables"]
    fields_of = {*written, *written["upright"], *table, *table["cells"][0], *written["fields"]["total"]}
    fields_of |= written["codes"][0].keys()
    assert _named(page.partition("\n## .json\n")[2].partition("\n## ")[0]) == fields_of


def test_everything_of_a_document_is_documented() -> None:
    """The page has its formats, the fields of its JSON, the values of its options, and why it was complete."""
    page = text_of("documents.md")
    lost = DocumentPage("in/a_1.jpg", None, {}, Missing("damaged", "grey"))
    file = io.BytesIO()
    dropped, source = Dropped("in/a_2.jpg", None, "blank"), SourceFile("in/a.tif", 1, "ab")
    JoinedJson().join(Document("a", "in", "name", (), (lost,), (dropped,), source, replaces="b"), file)
    written = json.loads(file.getvalue())
    files, where = (page.partition(f"\n## {heading}?\n")[2].partition("\n## ")[0] for heading in _OF_DOCUMENTS)
    assert _named(files) == {*JOINED, *written, *written["pages"][0]}
    assert {*written["dropped"][0], *written["pages"][0]["missing"]} <= set(re.findall(r"`(\w+)`", files))
    reasons = {grouping.QUIET, grouping.NEXT, grouping.COUNTER, grouping.RESTART, grouping.END, REPAIRED}
    assert _named(where) - {"closed_by"} == reasons
    for option in ("by", "blank"):
        (table,) = re.findall(rf"^\| `{option}` \|.*?\n\n", page, re.MULTILINE | re.DOTALL)
        kinds = get_args(Group.model_fields[option].annotation)
        assert _named(table) - {option} == {*kinds} - {""}


def test_every_option_of_a_field_is_documented() -> None:
    """The table on the page about fields has all options of a field and no other, and its types and standings."""
    page = text_of("fields.md")
    options, kinds, standings = (
        _named(page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0])
        for heading in ("How do I add fields of my own?", "How are values written?", "How sure is a value?")
    )
    assert options == set(FieldOptions.model_fields)
    assert kinds == set(get_args(FieldType))
    assert standings == {each.value for each in Standing}
    assert all(f"`{each}`" in page for each in get_args(DocumentType) if each != "none")


def test_every_field_of_why_is_documented() -> None:
    """The table has the fields of an answer and no other, and all states that an answer can have."""
    assert _table("ocrwatch why") == {field.name for field in fields(explanation.Answer)}
    (row,) = re.findall(r"^\| `state` \| (.*) \|$", text_of("reference/status.md"), re.MULTILINE)
    source = inspect.getsource(explanation) + inspect.getsource(document_sentences)
    made = re.findall(r"Answer\(\s*[^\"]*?,\s*\"([a-z-]+)\"", source)
    assert set(re.findall(r"`([a-z-]+)`", row)) == set(made)


def test_language_of_the_pages_is_plain() -> None:
    """Old-fashioned words are not used."""
    found = {
        (page.name, word) for page in (*PAGES, ROOT / "CONTRIBUTING.md") for word in _AVOIDED.findall(page.read_text())
    }
    assert found == set()


def test_generated_pages_are_marked() -> None:
    """Each says so, for the next one who wants to edit it."""
    assert {page for page in PAGES if page.read_text().startswith("<!-- Generated")} == GENERATED


def _table(heading: str) -> set[str]:
    """Return the names in the first column of the table below a heading of the page on the status."""
    return _named(text_of("reference/status.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0])


def _named(section: str) -> set[str]:
    """Return the names in the first columns of the tables of a section."""
    return {
        name for cell in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
