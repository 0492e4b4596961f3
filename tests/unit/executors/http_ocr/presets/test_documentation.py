"""docs/presets.md says what is so: its examples work, and its tables have all presets and options."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from ocrwatch import plugins
from ocrwatch.errors import ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets import base
from ocrwatch.executors.http_ocr.presets.base import key_place, limits, open_preset
from ocrwatch.settings import Settings
from ocrwatch.settings.load import load
from tests.documentation import DOCS, blocks
from tests.unit.executors.http_ocr.presets.asking import IMAGE, answer_of, lines_of, preset_of, service, words_of

PAGE = DOCS / "presets.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = blocks("toml", [PAGE])


def loaded(example: str, folder: Path) -> Settings:
    """Return the settings of an example."""
    config = folder / "ocrwatch.toml"
    config.write_text(example)
    return load(config, {}, {}).settings


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_taken_by_its_preset(example: str, tmp_path: Path) -> None:
    """Its options are right, and a request can be made."""
    services = [remote.service for remote in loaded(example, tmp_path).remote]
    assert services
    for of in services:
        preset = preset_of(of)
        request = preset.request(IMAGE, of, ("deu", "eng"))
        assert request.body
        assert request.path.startswith("/") or not request.path
        assert key_place(preset, of).header


def test_each_preset_has_an_example_and_a_row(tmp_path: Path) -> None:
    """No preset is missing, and there is none that is not built in."""
    shown = {remote.preset for example in EXAMPLES for remote in loaded(example, tmp_path).remote}
    assert shown == set(base._BUILT_IN)
    assert set(re.findall(r"^\| `([a-z.-]+)` \| [A-Za-z]", TEXT.partition("\n## ")[0], re.MULTILINE)) == shown


@pytest.mark.parametrize("name", base._BUILT_IN)
def test_each_option_has_a_row(name: str) -> None:
    """The table of a preset has all its options, and no other."""
    heading = f"\n## {name}\n" if name == "generic" else f"\n### {name}\n"
    section = re.split(r"\n## " if name == "generic" else r"\n##", TEXT.partition(heading)[2])[0]
    cells = re.findall(r"^\| (`.*?`) \| ", section, re.MULTILINE)
    named = {option for cell in cells for option in re.findall(r"`([\w.]+)`", cell)}
    assert {option.removesuffix("NAME") for option in named} == set(open_preset(name).options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("ocr.space", {}), ("azure-read", {}), ("google-vision", {}), ("baidu", {}), ("baidu", {"kind": "general"})),
        ("openai", {"model": "m"}),
    ],
)
def test_limits_are_in_the_table(name: str, options: dict[str, str]) -> None:
    """In megabytes, megapixels, and pixels of a side."""
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \| .*$", TEXT, re.MULTILINE)
    of = service(name, **options)
    most = limits(preset_of(of), of)
    assert f"{most.max_bytes / 1e6:g} MB" in row
    assert not most.max_side or str(most.max_side) in row.replace(",", "")
    assert not most.max_pixels or f"{most.max_pixels // 10**6} megapixels" in row


def test_the_answers_of_the_generic_examples_are_read(tmp_path: Path) -> None:
    """The one that the page shows, and one of lists that are side by side."""
    ours, lists = (
        remote.service
        for example in EXAMPLES
        for remote in loaded(example, tmp_path).remote
        if remote.preset == "generic"
    )
    shown = re.search(r"answers `(\{\"result\".*?\})`:", TEXT, re.DOTALL)
    assert shown is not None
    ((text, box, confidence),) = words_of(answer_of(shown[1].encode(), ours))
    assert (text, box.left, box.bottom, confidence) == ("Total", 10, 40, 98.0)
    with pytest.raises(ServiceFault, match="busy"):
        answer_of({"error": {"message": "busy"}}, ours)
    body = {"outputs": {"texts": ["a"], "corners": [[[0, 0], [0.5, 0], [0.5, 0.1], [0, 0.1]]], "scores": [0.5]}}
    ((text, box, _),) = words_of(answer_of(body, lists))
    assert (text, box.right, box.bottom) == ("a", 500, 140)


def test_the_example_of_a_preset_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is installed as the page says, and reads the answer that the page shows."""
    (source,), (project,) = blocks("python", [PAGE]), blocks("text", [PAGE])
    (tmp_path / "my_presets.py").write_text(source)
    metadata = tmp_path / "my_presets-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-presets\nVersion: 1.0\n")
    entries = tomllib.loads(project)["project"]["entry-points"]["ocrwatch.presets"]
    lines = "\n".join(f"{name} = {value}" for name, value in entries.items())
    (metadata / "entry_points.txt").write_text(f"[ocrwatch.presets]\n{lines}\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.forget()
    try:
        shelf = service("shelf", speed="fast")
        request = preset_of(shelf).request(IMAGE, shelf, ("deu", "eng"))
        shown = re.search(r"answers `(\{\"model\".*?\})`,", TEXT, re.DOTALL)
        assert shown is not None
        answer = answer_of(json.loads(shown[1]), shelf)
        with pytest.raises(ServiceFault, match="too busy"):
            answer_of({"refused": "too busy"}, shelf)
        with pytest.raises(UsageError):
            preset_of(service("shelf", speed="slow"))
    finally:
        plugins.forget()
    assert (request.body, request.path) == (IMAGE.content, "/read")
    assert dict(request.query) == {"languages": "deu,eng", "speed": "fast"}
    assert lines_of(answer) == ["Total 5"]
    assert answer.version == "3"
