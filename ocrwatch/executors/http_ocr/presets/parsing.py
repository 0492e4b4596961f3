"""Parses bodies of answers, and phrases what is wrong with them.

Messages quote what a service says of itself, but nothing of a result: text of scans is confidential, and messages are
logged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from ocrwatch.errors import Rejected, ServiceFault, UsageError
from ocrwatch.executors.http_ocr.presets.text import clean
from ocrwatch.recipe import RemoteService

T = TypeVar("T")

LONGEST_QUOTE: Final = 200
"""Characters of a service's own words in a message."""

_DATA: Final = re.compile(r"data:[\w.+-]+/[^\s,]*,\S*|[\w+/=-]{80,}", re.ASCII)
"""An image as ``data:`` URI or base64, which some services repeat in their messages."""

_BAD: Final = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What decoders raise: ValueError for bytes that are not UTF-8 and for integers of thousands of digits."""


def decode(body: bytes, type_: type[T], service: RemoteService) -> T:
    """Decode a JSON body. Raises ServiceFault if it is none, or has other types.

    NaN and infinities, which servers written in Python may send, become null; halves of characters, which they may send
    too, and numbers that are too large are kept.
    """
    try:
        return msgspec.json.decode(body, type=type_)
    except _BAD as error:
        reason = str(error)
    try:
        return msgspec.convert(json.loads(body, parse_constant=_nothing), type_)
    except _BAD:
        raise unexpected(service, _about(body, reason)) from None


def unexpected(service: RemoteService, what: str) -> ServiceFault:
    """Return the fault that a body is no answer of such a service; ``what`` says what it is instead."""
    return ServiceFault(
        f"the OCR service {service.name} answered something that is no result of {service.preset} ({shortened(what)})",
        f"check that url is the address of such a service, and preset its kind, in [[remote]] {service.name}",
    )


def refused(service: RemoteService, words: object, remedy: str) -> ServiceFault:
    """Return the fault that a service refuses, whatever the image; ``words`` are its own."""
    return ServiceFault(f"the OCR service {service.name} refuses: {shortened(words)}", remedy)


def rejected(service: RemoteService, words: object) -> Rejected:
    """Return the fault that a service refuses this image; ``words`` are its own."""
    return Rejected(
        f"the OCR service {service.name} does not read this scan: {shortened(words)}",
        "look whether the scan is a whole page with text, or read it with another engine",
    )


def shortened(words: object) -> str:
    """Return a service's own words on one line of up to 200 characters; lists are joined."""
    if isinstance(words, (list, tuple)):
        words = "; ".join(filter(None, map(clean, words)))
    text = _DATA.sub("…", clean(words)) or "no reason given"
    return text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1]}…"


def check_options(service: RemoteService, known: Iterable[str]) -> None:
    """Raise UsageError for an option that a preset does not know."""
    names = sorted(known)
    for name, _ in service.options:
        if name not in names:
            raise UsageError(
                f"the preset {service.preset} of [[remote]] {service.name} has no option {name!r}",
                f"set one of: {', '.join(names)}" if names else "remove it: the preset has no options",
            )


def choice(service: RemoteService, name: str, values: Iterable[str], default: str) -> str:
    """Return the value of an option. Raises UsageError if it is none of ``values``."""
    value = dict(service.options).get(name, default)
    known = tuple(values)
    if value not in known:
        raise UsageError(
            f"the option {name} of [[remote]] {service.name} is {value!r}", f"set it to one of: {', '.join(known)}"
        )
    return value


def _nothing(_: str) -> Any:
    return None


def _about(body: bytes, reason: str) -> str:
    """Say what a body is that cannot be decoded."""
    beginning = body[:1000].lstrip()
    if not beginning:
        return "an empty body"
    return "a web page" if beginning.startswith(b"<") else reason
