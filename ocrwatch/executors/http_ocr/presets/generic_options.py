"""Options of the preset ``generic``: what they are, and what is wrong with them. ``docs/presets.md`` describes them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from ocrwatch.errors import UsageError
from ocrwatch.executors.http_ocr.presets.base import KeyPlace
from ocrwatch.executors.http_ocr.presets.json_paths import Path, parse_path
from ocrwatch.executors.http_ocr.presets.parsing import choice
from ocrwatch.recipe import RemoteService

FIELD: Final = "field."
HEADER: Final = "header."
QUERY: Final = "query."
PREFIXES: Final = (FIELD, HEADER, QUERY)

_PATHS: Final = frozenset(
    {
        "text",
        "lines",
        "line_text",
        "line_box",
        "line_confidence",
        "words",
        "word_text",
        "word_box",
        "word_confidence",
        "version",
        "error_path",
        "error_message",
    }
)
_CHOICES: Final = {
    "body": ("multipart", "raw", "base64-json"),
    "answer": ("json", "text"),
    "data_uri": ("false", "true"),
    "box": ("ltrb", "xywh"),
    "units": ("pixels", "shares", "percent"),
    "confidence_scale": ("1", "100"),
    "order": ("given", "places"),
    "missing": ("fault", "blank"),
}
"""Values of options; the first one is the default."""
_OTHERS: Final = frozenset(
    {
        "path",
        "field",
        "content_type",
        "key_header",
        "key_prefix",
        "key_query",
        "box_members",
        "error_value",
        "error_unless",
        "error_image",
    }
)
NAMES: Final = frozenset({*_PATHS, *_CHOICES, *_OTHERS, *PREFIXES})

_DEPENDENT: Final = {
    "line_text": "lines",
    "line_box": "lines",
    "line_confidence": "lines",
    "word_text": "words",
    "word_box": "words",
    "word_confidence": "words",
    "error_message": "error_path",
    "error_value": "error_path",
    "error_unless": "error_path",
    "error_image": "error_path",
}
"""Options that mean nothing without another one."""

_MOST_ELEMENTS: Final = 10
"""Elements of a list in a request."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]{0,1000}", re.ASCII)
_WIRE: Final = (
    ("key_header", _HEADER_NAME, "name of a header"),
    ("key_prefix", _HEADER_VALUE, "beginning of a header"),
    ("content_type", _HEADER_VALUE, "type"),
    ("path", re.compile(r"(?:/[!\"$-;=@-~]{0,500})?", re.ASCII), "path of an address"),
)
"""Options that become parts of the request, and what they must be."""
_EXAMPLES: Final = {
    "key_header": "X-Api-Key",
    "key_prefix": "Token",
    "content_type": "application/octet-stream",
    "path": "/v1/ocr",
}
_OF_THE_CLIENT: Final = frozenset(
    {"connection", "content-length", "content-type", "expect", "host", "te", "transfer-encoding", "upgrade"}
)
"""Headers that belong to the connection or to the body."""
_KEYS: Final = frozenset(
    {"accesskey", "accesstoken", "apikey", "apitoken", "authorization", "clientsecret", "cookie", "password"}
    | {"proxyauthorization", "secret", "secretkey", "xapikey", "xgoogapikey", "ocpapimsubscriptionkey"}
)
"""Names of headers, parameters and fields that have a key, without their hyphens. Options are no place for one: they
are shown by commands, and are part of the cache key."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one service, parsed. A path is None if the option is not set."""

    paths: dict[str, Path]
    values: dict[str, str]

    def path(self, name: str) -> Path | None:
        """Return a path; None if the option is not set."""
        return self.paths.get(name)

    def value(self, name: str, default: str = "") -> str:
        """Return an option with several values, or a text."""
        return self.values.get(name, _CHOICES[name][0] if name in _CHOICES else default)

    def listed(self, name: str) -> list[str]:
        """Return the parts of an option with commas between them."""
        return [part.strip() for part in self.values.get(name, "").split(",") if part.strip()]

    def named(self, prefix: str) -> list[tuple[str, str]]:
        """Return what the options that begin with a prefix are for, with their values."""
        return [(name.removeprefix(prefix), value) for name, value in self.values.items() if name.startswith(prefix)]

    @property
    def box_members(self) -> list[Path]:
        """Where a box has its four numbers; empty if the names are known ones."""
        return [parse_path(part) for part in self.listed("box_members")]

    @property
    def key(self) -> KeyPlace:
        """Where a request has the key."""
        if query := self.value("key_query"):
            return KeyPlace(query=query)
        usual = KeyPlace()
        header = self.value("key_header", usual.header)
        return KeyPlace(header, self.value("key_prefix", usual.prefix if header == usual.header else ""))


@functools.lru_cache(maxsize=16)
def options_of(service: RemoteService) -> Options:
    """Return the options of a service. Raises UsageError for the first one that is wrong."""
    given = dict(service.options)
    for name in given:
        if name not in NAMES - set(PREFIXES) and not name.startswith(PREFIXES):
            raise _wrong(service, name, "is unknown", f"set one of: {', '.join(_shown_names())}")
    for name, values in _CHOICES.items():
        choice(service, name, values, values[0])
    options = Options({name: _path(service, name) for name in given if name in _PATHS}, given)
    _check_text(service, options)
    _check_box(service, options)
    _check_errors(service, options)
    _check_request(service, options)
    return options


def _shown_names() -> list[str]:
    return sorted({*NAMES - set(PREFIXES), *(f"{prefix}NAME" for prefix in PREFIXES)})


def _path(service: RemoteService, name: str) -> Path:
    try:
        return parse_path(dict(service.options)[name])
    except ValueError as error:
        raise _wrong(service, name, f"is no path: {error}", "write a path such as result.lines[*].text") from None


def _check_text(service: RemoteService, options: Options) -> None:
    for name, other in _DEPENDENT.items():
        if name in options.values and other not in options.values:
            raise _wrong(service, name, f"has no meaning without {other}", f"set {other}, or remove {name}")
    if options.value("answer") == "text":
        if unused := _PATHS & set(options.values):
            name = min(unused)
            raise _wrong(service, name, "has no meaning for an answer that is plain text", f"remove {name}")
        return
    if not {"text", "lines", "words"} & set(options.values):
        raise UsageError(
            f"the options of [[remote]] {service.name} do not say where the text is",
            'set text, lines or words to a path, such as text = "result.text", or set answer = "text"',
        )
    if "text" in options.values and (
        other := next((each for each in ("lines", "words") if each in options.values), "")
    ):
        raise _wrong(service, "text", f"cannot be used with {other}", f"remove text or {other}")
    if "words" in options.values and "lines" not in options.values and "word_box" not in options.values:
        raise _wrong(service, "words", "has neither lines nor word_box", "set one of them: without, lines are unknown")

    words = options.path("words")
    if words is not None and words.from_root and "lines" in options.values:
        raise _wrong(service, "words", "begins with $, but begins at a line", "remove $, or remove lines")


def _check_box(service: RemoteService, options: Options) -> None:
    try:
        count = len(options.box_members)
    except ValueError as error:
        raise _wrong(service, "box_members", f"has a part that is no path: {error}", "name four members") from None
    if count not in {0, 4}:
        raise _wrong(service, "box_members", f"has {count} names", 'name four members, such as "minX,minY,maxX,maxY"')


def _check_errors(service: RemoteService, options: Options) -> None:
    if "error_value" in options.values and "error_unless" in options.values:
        raise _wrong(service, "error_unless", "cannot be used with error_value", "remove one of them")


def _check_request(service: RemoteService, options: Options) -> None:
    if options.value("body") == "raw" and (extra := next(iter(options.named(FIELD)), None)) is not None:
        raise _wrong(service, FIELD + extra[0], "has no meaning for body = 'raw'", f"use {QUERY}{extra[0]} instead")
    if options.value("body") != "raw" and "content_type" in options.values:
        raise _wrong(service, "content_type", "is for body = 'raw' only", "remove it")
    if options.value("body") == "base64-json":
        for name in (options.value("field", "image"), *(each for each, _ in options.named(FIELD))):
            _check_json_name(service, options, name)
    for name, value in options.named(HEADER):
        _check_header(service, HEADER + name, name, value)
    for option, pattern, what in _WIRE:
        if option in options.values and not pattern.fullmatch(options.values[option]):
            raise _wrong(service, option, f"is no {what}", f"write one in printable ASCII, such as {_EXAMPLES[option]}")
    if "key_query" in options.values and {"key_header", "key_prefix"} & set(options.values):
        raise _wrong(service, "key_query", "cannot be used with key_header or key_prefix", "remove one of them")
    for prefix in PREFIXES:
        for name, _ in options.named(prefix):
            if re.sub(r"[^a-z]", "", name.casefold()) in _KEYS:
                raise _wrong(
                    service,
                    prefix + name,
                    "looks like a key, which would be shown with the settings",
                    "put the key into key_file, and say with key_header or key_query where it is sent",
                )


def _check_json_name(service: RemoteService, options: Options, name: str) -> None:
    option = FIELD + name if FIELD + name in options.values else "field"
    try:
        steps = parse_path(name).steps
    except ValueError as error:
        raise _wrong(service, option, f"is no path: {error}", "write names with dots, such as image.content") from None
    places = all(isinstance(step, str) or (isinstance(step, int) and 0 <= step < _MOST_ELEMENTS) for step in steps)
    if not steps or not isinstance(steps[0], str) or not places:
        raise _wrong(service, option, "does not name one place in JSON", "write names with dots, such as image.content")


def _check_header(service: RemoteService, option: str, name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise _wrong(service, option, "is no header", "use printable ASCII, and a name without spaces")
    if name.casefold() in _OF_THE_CLIENT:
        raise _wrong(service, option, "is set by ocrwatch", "remove it; content_type is an option for body = 'raw'")


def _wrong(service: RemoteService, name: str, what: str, remedy: str) -> UsageError:
    return UsageError(f"the option {name} of [[remote]] {service.name} {what}", remedy)
