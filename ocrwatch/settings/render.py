"""Renders settings: example file, effective values with sources, JSON Schema."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrwatch.settings import Settings
from ocrwatch.settings.key_lookup import entries_at, section_at
from ocrwatch.settings.load import Configuration

if TYPE_CHECKING:
    from pydantic import BaseModel

_WIDTH = 100
_HEAD = """\
Settings of ocrwatch. Every option is listed with its default; remove the # before an option to change it.
Durations are written "300ms", "2s", "10m", "1h" or "1d"; sizes "512KiB", "50MB" or "2GB".
Relative folders are relative to this file. Each option can also be set by an environment variable such as
OCRWATCH_SETTLE__STABLE_FOR, or on the command line by --set settle.stable_for=2s. The command line has precedence over
the environment, which has precedence over this file."""
LIST_EXAMPLES: Mapping[str, str] = {
    "remote": """\
[[remote]]
name = "cloud"
preset = "azure-read"
url = "https://example.cognitiveservices.azure.com"
key_file = "/etc/ocrwatch/cloud.key"
rate = 5

[[remote]]
name = "gpu"
preset = "rapidocr"
url = "http://gpu.example.org:9003"
concurrency = 4
""",
    "profiles": """\
[[profiles]]
match = "invoices/fr/**"
name = "French invoices"
languages = ["fra", "eng"]

[profiles.ocr]
page_segmentation = 4

[profiles.output]
formats = ["txt", "json"]

[[profiles]]
match = "receipts/**"
document_type = "receipt"
locale = "en_GB"

[[profiles.fields]]
name = "shop_number"
type = "code"
near = ["shop no", "store number"]

[[profiles]]
match = "feeder/**"

[profiles.group]
by = "name"
quiet = "30s"
blank = "drop"
""",
}
"""Examples of the lists of sections, by their option."""


def example() -> str:
    """Return the example file: TOML with every option and its default commented out."""
    defaults = Settings().model_dump()
    options = [name for name in Settings.model_fields if section_at([name]) is None and entries_at([name]) is None]
    lines = [*_comment(_HEAD), "", *_options(Settings, options, defaults)]
    for name in Settings.model_fields:
        section = section_at([name])
        if section is not None:
            lines += ["", *_comment(section.__doc__), f"[{name}]"]
            lines += _options(section, list(section.model_fields), defaults[name])
    for name, text in LIST_EXAMPLES.items():
        lines += ["", *_described(name), "#", *(f"# {line}".rstrip() for line in text.splitlines())]
    return "\n".join(lines) + "\n"


def sections_of(name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the heading and the model of a list of sections, such as ``[[profiles]]``, and of the sections in them.

    Those that are also at the top of the settings, such as ``[profiles.ocr]``, are left out: their options are there.
    """
    entries = entries_at([name])
    if entries is not None:
        yield f"[[{name}]]", entries
        for option in entries.model_fields:
            if inner := entries_at([name, 0, option]):
                yield f"[[{name}.{option}]]", inner
            elif (section := section_at([name, 0, option])) and section is not section_at([option]):
                yield f"[{name}.{option}]", section


def defaults_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the defaults of options that have no line of their own, as they are written.

    Those that are empty are left out, and so are tables: what is missing in one is taken from elsewhere.
    """
    values = model.model_construct().model_dump()
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    return {name: write_value(value) for name, value in plain.items() if value not in {None, "", ()}}


def show(configuration: Configuration) -> str:
    """Return the effective settings as TOML, each value followed by its source."""
    values = configuration.settings.model_dump()
    lists = configuration.settings.model_dump(include=set(LIST_EXAMPLES), exclude_unset=True)
    for name in LIST_EXAMPLES:
        del values[name]
    lines = list(_sourced(values, configuration.provenance))
    for name in LIST_EXAMPLES:
        for number, entry in enumerate(lists.get(name, ())):
            source = _source(name, configuration.provenance)
            lines += ["", f"[[{name}]]  # number {number + 1}, from {source}", *_entries(entry, name)]
    return "\n".join(lines) + "\n"


def _entries(values: Mapping[str, Any], at: str) -> Iterator[str]:
    """Write a section of the list ``at``; lists of sections in it come last."""
    inner = {name for name in values if f"[[{at}.{name}]]" in dict(sections_of(at))}
    yield from (f"{name} = {write_value(value)}" for name, value in values.items() if name not in inner)
    for name in inner:
        for entry in values[name]:
            yield from ("", f"[[{at}.{name}]]", *_entries(entry, f"{at}.{name}"))


def schema() -> str:
    """Return the JSON Schema of the configuration file."""
    return json.dumps(Settings.model_json_schema(), indent=2) + "\n"


def write_value(value: object) -> str:
    """Write ``value`` in TOML's notation, on one line.

    Lone surrogates, which TOML does not allow, are escaped.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, Path)):
        text = str(value).encode("utf-8", "backslashreplace").decode()
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        entries = ", ".join(f"{_bare(key)} = {write_value(entry)}" for key, entry in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(write_value, value))}]"
    return str(value)


def _bare(key: str) -> str:
    return key if key.replace("_", "").isalnum() and key.isascii() else write_value(key)


def _described(name: str) -> Iterator[str]:
    """Describe the options of a list of sections, and of the sections in them."""
    for heading, model in sections_of(name):
        is_list = heading == f"[[{name}]]"
        yield from _comment(model.__doc__) if is_list else ["#", *_comment(f"Options of {heading}: {model.__doc__}")]
        yield "#"
        defaults = defaults_of(model)
        for option, field in model.model_fields.items():
            default = f" Default: {defaults[option]}." if option in defaults else ""
            yield from _comment(f"{option}: {field.description}{default}")


def _options(model: type[BaseModel], names: list[str], defaults: Mapping[str, Any]) -> Iterator[str]:
    for name in names:
        yield from _comment(model.model_fields[name].description)
        yield from _commented_out(f"{name} = {write_value(defaults[name])}")


def _comment(text: str | None) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join((text or "").split()), _WIDTH - 2)]


def _commented_out(option: str) -> list[str]:
    """Put ``#`` before an option, without the space of a comment; wrap long lists."""
    lines = textwrap.wrap(option, _WIDTH - 1, break_long_words=False, break_on_hyphens=False)
    return [f"#{line}" for line in lines]


def _sourced(values: Mapping[str, Any], provenance: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        if section_at([name]) is None:
            yield _line(name, value, _source(name, provenance))
    for name, value in values.items():
        if section_at([name]) is not None:
            yield from ("", f"[{name}]")
            for option, setting in value.items():
                yield _line(option, setting, _source(f"{name}.{option}", provenance))


def _line(name: str, value: object, source: str) -> str:
    """Write one option, with its source unless it has the default."""
    written = f"{name} = {write_value(value)}"
    return written if source == "default" else f"{written}  # from {source}"


def _source(key: str, provenance: Mapping[str, str]) -> str:
    """Return the source of ``key``; entries of one table may have several."""
    entries = [source for name, source in provenance.items() if name.startswith(f"{key}.")]
    text = ", ".join(dict.fromkeys(entries or [provenance[key]]))
    # A file's name may contain line breaks, but a comment must stay on its line.
    return write_value(text)[1:-1]
