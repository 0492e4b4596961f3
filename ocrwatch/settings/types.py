"""Defines the types of options, as people write them.

Durations, sizes, permissions, folders, addresses, programs and lists.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from ocrwatch.recipe import REMOTE
from ocrwatch.recognise.languages import WITHOUT_TEXT, list_meant_by, meant_by
from ocrwatch.render import registry

if TYPE_CHECKING:
    from pydantic.config import JsonDict

Number = TypeVar("Number", int, float)

_SECONDS = {unit: Decimal(scale) for unit, scale in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1), ("ms", "0.001"))}
_BYTES = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", start=1)},
}
_BYTES_BY_UPPER_CASE = {unit.upper(): scale for unit, scale in _BYTES.items()}
_AMOUNT = re.compile(r"([0-9]{1,30}(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_MODE = re.compile(r"0?[0-7]{3}")
_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[0-9A-Za-z:.%]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65_535
_LANGUAGE = re.compile(r"(script/)?[A-Za-z0-9_][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")
_WITHOUT_TEXT = {
    0: "page segmentation 0 only looks for the orientation",
    2: "page segmentation 2 only looks for the layout",
}
_SECOND = frozenset({"auto", "rapidocr", "none"})


def parse_duration(value: object) -> float:
    """Return the seconds of a duration.

    ``value`` is ``"300ms"``, ``"2s"``, ``"10m"``, ``"1h"``, ``"1d"`` or plain seconds.

    Raises ValueError, whose text says what would be right.
    """
    amount, unit = _amount(value)
    scale = _SECONDS.get(unit or "s")
    if amount is None or scale is None:
        raise ValueError('write a duration as a number with a unit, such as "300ms", "2s", "10m", "1h" or "1d"')
    return float(amount * scale)


def format_duration(seconds: float) -> str:
    """Write ``seconds`` (0 or more) so that :func:`parse_duration` returns the same."""
    amount = Decimal(repr(seconds))
    if not amount:
        return "0s"
    for unit, scale in _SECONDS.items():
        if amount % scale == 0:
            return f"{amount // scale:f}{unit}"
    return f"{amount:f}s"


def parse_size(value: object) -> int:
    """Return the bytes of a size.

    ``value`` is ``"50MB"`` (powers of 1000), ``"512KiB"`` (of 1024) or plain bytes.

    Raises ValueError, whose text says what would be right.
    """
    amount, unit = _amount(value)
    scale = _BYTES_BY_UPPER_CASE.get(unit.upper() or "B")
    if amount is None or scale is None or amount * scale % 1:
        raise ValueError('write a size as a number with a unit, such as "512KiB", "50MB" or "2GB"')
    return int(amount * scale)


def format_size(size: int) -> str:
    """Write ``size`` (bytes, 0 or more) so that :func:`parse_size` returns the same."""
    if not size:
        return "0B"
    amount, unit = min((size // scale, unit) for unit, scale in _BYTES.items() if size % scale == 0)
    return f"{amount}{unit}"


def parse_mode(value: object) -> int | None:
    """Return the permission bits of octal digits as text, None for the empty text.

    Raises ValueError, whose text says what would be right.
    """
    if value is None or value == "":
        return None
    # A number would be decimal: 640 is not 0640.
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise ValueError(
            'write permissions as octal digits in quotes, such as "0640", or "" to leave them to the umask'
        )
    return int(value, 8)


def format_mode(mode: int | None) -> str:
    """Write permission bits as :func:`parse_mode` reads them."""
    return "" if mode is None else f"{mode:04o}"


def parse_address(value: str) -> tuple[str, int]:
    """Return the host and port of an address.

    ``value`` is ``"127.0.0.1:9464"``, ``"[::1]:9464"``, or ``":9464"`` for this machine only.

    Raises ValueError, whose text says what would be right.
    """
    match = _ADDRESS.fullmatch(value.strip())
    if match is None or int(match["port"]) > _LAST_PORT:
        raise ValueError('write host and port, such as ":9464" (this machine only), "[::1]:9464" or "0.0.0.0:9464"')
    return match["bracketed"] or match["host"] or "127.0.0.1", int(match["port"])


def between(
    low: Number, high: Number, write: Callable[[Number], str] = str, *, or_zero: bool = False
) -> AfterValidator:
    """Return a validator for ``low`` to ``high``, both inclusive; 0 if ``or_zero``."""

    def check(value: Number) -> Number:
        if low <= value <= high or (or_zero and value == 0):
            return value
        raise ValueError(f"choose a value from {write(low)} to {write(high)}{', or 0' if or_zero else ''}")

    return AfterValidator(check)


def _amount(value: object) -> tuple[Decimal | None, str]:
    """Split ``value`` into its number and its unit; without a number it is None."""
    if isinstance(value, str) and (match := _AMOUNT.fullmatch(value.strip())):
        return Decimal(match[1]), match[2]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value), ""
    return None, ""


def _split(value: object) -> object:
    """Accept a list as comma-separated text, for environment variables: ``txt,json``."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _engines(value: object) -> object:
    """Accept one name, or several as a list or as comma-separated text."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _second_engine(name: str) -> str:
    if name not in _SECOND and not name.startswith(REMOTE):
        raise ValueError('write auto, rapidocr, none, or a service of [[remote]], such as "remote:cloud"')
    return name


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if "" in values or len(set(values)) < len(values):
        raise ValueError("name each entry once, and none that is empty")
    return values


def _format(name: str) -> str:
    if not registry.is_installed(name):
        *others, last = map(repr, registry.names())
        raise PydanticCustomError(
            "not_installed", "no such format is installed", {"expected": f"{', '.join(others)} or {last}"}
        )
    return name


def _with_formats(schema: JsonDict) -> None:
    """Add the permitted names to the JSON Schema of a format."""
    schema["enum"] = list(registry.names())


def _language(name: str) -> str:
    # Names become file names below the tessdata folder.
    if not _LANGUAGE.fullmatch(name):
        if several := list_meant_by(name):
            written = json.dumps(several, ensure_ascii=False)
            raise ValueError(f"write them as a list, {written}, or {','.join(several)} on the command line")
        if meant := meant_by(name):
            raise ValueError(f"write {' or '.join(map(json.dumps, meant))}")
        raise ValueError('write each language as Tesseract names it, such as "eng", "chi_sim" or "script/Latin"')
    if name in WITHOUT_TEXT:
        raise ValueError(f"leave {name} out: it finds the orientation of pages, or equations, and reads no text")
    return name


def _folder(value: object) -> object:
    if isinstance(value, (str, Path)) and (value == "" or "\0" in str(value)):
        raise ValueError('name a folder, such as "/srv/scans/inbox"')
    return value


def _file(value: object) -> object:
    if isinstance(value, (str, Path)) and "\0" in str(value):
        raise ValueError('name a file, such as "/etc/ocrwatch/webhook.secret"')
    return None if value == "" else value


def _command(value: object) -> object:
    """Accept a program without arguments as text; text is never split at spaces."""
    return ((value,) if value else ()) if isinstance(value, str) else value


def _runnable(command: tuple[str, ...]) -> tuple[str, ...]:
    # A relative path would depend on where ocrwatch was started.
    if command and (not command[0] or ("/" in command[0] and not command[0].startswith("/"))):
        raise ValueError("name the program by its absolute path, or by a name without / that is found on the PATH")
    if any("\0" in part for part in command):
        raise ValueError("write arguments without the character zero")
    return command


def shown_address(url: str) -> str:
    """Return scheme, host and port of an address: its path and query may hold a secret."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


def _web_address(value: str) -> str:
    if value and _address_parts(value, "https://example.org/scans").username is not None:
        raise ValueError("put user and password into the file that hooks.webhook_secret names")
    return value


def _service_address(value: str) -> str:
    parts = _address_parts(value, "https://ocr.example.org")
    if parts.username is not None:
        raise ValueError("put the key into a file, and name that in key_file")
    if "#" in value:
        raise ValueError("leave out # and what follows it: services do not get it")
    return value


def _address_parts(value: str, example: str) -> SplitResult:
    """Return the parts of an address with http or https."""
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f'write an address, such as "{example}"')
    return parts


def _variables(value: object) -> object:
    """Convert values to Tesseract's notation: all are text, and booleans 1 and 0."""
    if not isinstance(value, dict):
        return value
    for name, setting in value.items():
        if not _VARIABLE.fullmatch(str(name)) or not isinstance(setting, (str, int, float)):
            raise ValueError("write variables as text, numbers or switches, such as { load_system_dawg = false }")
    return {name: str(int(setting) if isinstance(setting, bool) else setting) for name, setting in value.items()}


def _preset_options(value: object) -> object:
    """Convert values to text: presets parse them. Booleans are ``true`` and ``false``, as TOML writes them."""
    if not isinstance(value, dict):
        return value
    for name, option in value.items():
        if not isinstance(name, str) or not name or not isinstance(option, (str, int, float)):
            raise ValueError('write options as text, numbers or switches, such as { model = "gpt-4o", detail = true }')
    return {name: str(option).lower() if isinstance(option, bool) else str(option) for name, option in value.items()}


def _produces_text(mode: int) -> int:
    if mode in _WITHOUT_TEXT:
        raise ValueError(f"choose 1 or 3 to 13, because {_WITHOUT_TEXT[mode]} and reads no text")
    return mode


def _not_empty(region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = region
    if left >= right or top >= bottom:
        raise ValueError("write left, top, right and bottom as shares of the page, such as [0.0, 0.0, 1.0, 0.5]")
    return region


def _address(value: str) -> str:
    if value:
        parse_address(value)
    return value


def _locale(value: str) -> str:
    """Check that the locale is known."""
    if value:
        from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - costs 20 ms, and few settings name a locale

        try:
            Locale.parse(value, sep="-" if "-" in value else "_")
        except (UnknownLocaleError, ValueError):
            raise ValueError('write a language and a country, such as "de_DE" or "en_US"') from None
    return value.replace("-", "_")


def _pattern(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if groups > 1:
        raise ValueError("use at most one group, which is the value; write others as (?:...)")
    return value


def _none_if_empty(value: object) -> object:
    """Convert the empty text to None, since TOML has no null."""
    return None if value == "" else value


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?$", "minimum": 0}),
]
"""Seconds."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?\s*([KMGT]i?)?B?$", "minimum": 0}),
]
"""Bytes."""

FileMode = Annotated[
    int | None,
    BeforeValidator(parse_mode),
    PlainSerializer(format_mode, return_type=str),
    WithJsonSchema({"type": ["string", "null"], "pattern": "^(0?[0-7]{3})?$"}),
]
"""Permission bits, or None to leave them to the umask."""

Folder = Annotated[Path, BeforeValidator(_folder)]

Address = Annotated[str, AfterValidator(_address)]
"""Any text that :func:`parse_address` accepts, or empty."""

_none_is_empty = PlainSerializer(lambda value: "" if value is None else value)

OptionalFolder = Annotated[Folder | None, BeforeValidator(_none_if_empty), _none_is_empty]

OptionalName = Annotated[str | None, BeforeValidator(_none_if_empty), _none_is_empty]

OptionalFile = Annotated[Path | None, BeforeValidator(_file), _none_is_empty]

Command = Annotated[tuple[str, ...], BeforeValidator(_command), AfterValidator(_runnable)]
"""A program and its arguments; empty for none."""

WebAddress = Annotated[str, AfterValidator(_web_address)]
"""An address with http or https; empty for none."""

ServiceAddress = Annotated[str, AfterValidator(_service_address)]
"""The address of a remote OCR service, with http or https; its query is allowed."""

Names = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_distinct)]

Engines = Annotated[
    tuple[str, ...],
    BeforeValidator(_engines),
    AfterValidator(_distinct),
    Field(min_length=1),
    PlainSerializer(lambda names: names[0] if len(names) == 1 else names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""Names of engines, the preferred one first; one alone is written without brackets."""

SecondEngine = Annotated[str, AfterValidator(_second_engine)]
"""An engine that rereads what another one is unsure of."""

Languages = Annotated[
    tuple[Annotated[str, AfterValidator(_language)], ...],
    BeforeValidator(_split),
    AfterValidator(_distinct),
    Field(min_length=1),
]
"""Tesseract's names of languages, at least one."""

Locale = Annotated[str, AfterValidator(_locale)]
"""A language, or a language and a country, such as ``de_DE``; empty for none."""

Pattern = Annotated[str, AfterValidator(_pattern)]
"""A regular expression; empty for none."""

SegmentationMode = Annotated[int, Field(ge=0, le=13), AfterValidator(_produces_text)]
"""Tesseract's page segmentation mode, without those that read no text."""

_Share = Annotated[float, Field(ge=0, le=1)]

Region = Annotated[tuple[_Share, _Share, _Share, _Share], BeforeValidator(_split), AfterValidator(_not_empty)]
"""Left, top, right and bottom as shares of the page."""

Variables = Annotated[dict[str, str], BeforeValidator(_variables)]
"""Tesseract's variables."""

PresetOptions = Annotated[
    dict[str, str],
    BeforeValidator(_preset_options),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
]
"""Options of a preset, as text."""

SidecarFormats = Annotated[
    tuple[Annotated[str, AfterValidator(_format), Field(json_schema_extra=_with_formats)], ...],
    BeforeValidator(_split),
    AfterValidator(_distinct),
    Field(min_length=1),
]
"""Names of installed formats, at least one; the start checks whether they work."""
