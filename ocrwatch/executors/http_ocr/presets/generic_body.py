"""Requests of the preset ``generic``, made of its options."""

from __future__ import annotations

import json
from typing import Any

from ocrwatch.executors.http_ocr.presets.base import Image, Request
from ocrwatch.executors.http_ocr.presets.bodies import JSON, as_base64, data_uri, form, json_body
from ocrwatch.executors.http_ocr.presets.generic_options import FIELD, HEADER, QUERY, Options
from ocrwatch.executors.http_ocr.presets.json_paths import Step, parse_path
from ocrwatch.executors.http_ocr.presets.languages import iso_639_1


def request_of(image: Image, options: Options, languages: tuple[str, ...]) -> Request:
    """Return the request. In values of options, ``{languages}`` and ``{language}`` become the languages."""
    extra = {prefix: _filled(options.named(prefix), languages) for prefix in (FIELD, HEADER, QUERY)}
    kind = options.value("body")
    if kind == "raw":
        body, content_type = image.content, options.value("content_type", image.media_type)
    elif kind == "multipart":
        body, content_type = form(image, options.value("field", "file"), extra[FIELD])
    else:
        content = data_uri(image) if options.value("data_uri") == "true" else as_base64(image)
        members = [(name, _json_value(value)) for name, value in extra[FIELD]]
        body = json_body(_nested([*members, (options.value("field", "image"), content)]))
        content_type = JSON
    return Request(body, content_type, options.value("path"), tuple(extra[QUERY]), tuple(extra[HEADER]))


def _filled(values: list[tuple[str, str]], languages: tuple[str, ...]) -> list[tuple[str, str]]:
    first = languages[0] if languages else ""
    names = {"{languages}": "+".join(languages), "{language}": iso_639_1(first) or first}
    filled = []
    for name, value in values:
        for placeholder, meaning in names.items():
            value = value.replace(placeholder, meaning)  # noqa: PLW2901 - one after the other
        filled.append((name, value))
    return filled


def _json_value(value: str) -> Any:
    """Return what a value is in JSON; a text that is no JSON stays a text."""
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return value


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _nested(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object with values at their paths, such as ``image.content`` or ``requests[0].image.content``."""
    tree: dict[Step, Any] = {}
    for name, value in members:
        *way, last = parse_path(name).steps
        at = tree
        for step in way:
            below = at.get(step)
            if not isinstance(below, dict):  # nothing there yet, or a value, in whose place there are members
                below = at[step] = {}
            at = below
        at[last] = value
    return {str(name): _with_lists(value) for name, value in tree.items()}


def _with_lists(value: Any) -> Any:
    """Return a value in which objects whose members are numbers are lists."""
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(name, int) for name in value):
        return [_with_lists(value[name]) for name in sorted(value)]
    return {str(name): _with_lists(each) for name, each in value.items()}
