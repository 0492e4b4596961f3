"""Preset ``ocr.space``: the OCR API of OCR.space, version 3.

It gets the image in a form, and the key in a header. It refuses with status 200: ``OCRExitCode`` is 3 if it cannot read
the image, and 4 and more after other errors; 1 and 2 are results. Only its messages, some of which have a number, say
what is to blame then: what blames the image is :class:`Rejected`, the rest is the service's fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.document import Block, Line
from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, KeyPlace, Request
from ocrwatch.executors.http_ocr.presets.bodies import form
from ocrwatch.executors.http_ocr.presets.languages import named
from ocrwatch.executors.http_ocr.presets.parsing import (
    check_options,
    choice,
    decode,
    refused,
    rejected,
    shortened,
    unexpected,
)
from ocrwatch.executors.http_ocr.presets.places import finite, rectangle
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset, unordered
from ocrwatch.executors.http_ocr.presets.text import Piece, block_of, line_of_words, split_line, unplaced
from ocrwatch.recipe import RemoteService

_ENGINES: Final = ("1", "2", "3")
_SWITCHES: Final = ("scale", "isTable", "detectOrientation")

_AUTO: Final = "auto"
"""Language that engines other than 1 find out themselves."""

_ENGLISH: Final = "eng"

_LANGUAGES: Final = {
    "ar": "ara", "bg": "bul", "chi_sim": "chs", "chi_tra": "cht", "hr": "hrv", "cs": "cze", "da": "dan", "nl": "dut",
    "en": "eng", "fi": "fin", "fr": "fre", "de": "ger", "el": "gre", "hu": "hun", "ko": "kor", "it": "ita",
    "ja": "jpn", "pl": "pol", "pt": "por", "ru": "rus", "sl": "slv", "es": "spa", "sv": "swe", "tr": "tur",
}  # fmt: skip
"""The service's names by ISO 639-1, and of the two Chinese scripts by Tesseract's names."""

_BLAMES_IMAGE: Final = re.compile(
    r"\bE(214|216|501)\b|file type|file extension|file size|not an image|corrupt|unable to parse|dimension",
    re.IGNORECASE,
)
"""In messages about one image. E214: too large; E216: unknown kind; E501: no image."""

_BLAMES_SERVICE: Final = re.compile(
    r"\bE(101|500|555)\b|timed? ?out|resource|api ?key|maximum \d+ |concurrent|limit reached|quota", re.IGNORECASE
)
"""In messages that any image would get. E101: timed out; E500: out of resources; E555: wrong key."""

_UNREADABLE: Final = 3
"""``OCRExitCode`` if the engine failed on the image."""

_PARTIAL: Final = 2
_RESULTS: Final = frozenset({1, _PARTIAL})
"""``OCRExitCode`` of results; the second one is of a part."""

_READ: Final = 1
"""``FileParseExitCode`` of a page that was read."""


class _Word(msgspec.Struct):
    text: Any = msgspec.field(name="WordText")
    left: Any = msgspec.field(default=None, name="Left")
    top: Any = msgspec.field(default=None, name="Top")
    width: Any = msgspec.field(default=None, name="Width")
    height: Any = msgspec.field(default=None, name="Height")


class _Line(msgspec.Struct):
    words: list[_Word] | None = msgspec.field(name="Words")
    text: Any = msgspec.field(default=None, name="LineText")


class _Overlay(msgspec.Struct):
    lines: list[_Line] | None = msgspec.field(default=None, name="Lines")


class _Page(msgspec.Struct):
    exit_code: Any = msgspec.field(default=None, name="FileParseExitCode")
    text: Any = msgspec.field(default=None, name="ParsedText")
    overlay: _Overlay | None = msgspec.field(default=None, name="TextOverlay")
    orientation: Any = msgspec.field(default=None, name="TextOrientation")
    error: Any = msgspec.field(default=None, name="ErrorMessage")


class _Body(msgspec.Struct):
    pages: list[_Page] | None = msgspec.field(default=None, name="ParsedResults")
    exit_code: Any = msgspec.field(default=None, name="OCRExitCode")
    is_error: Any = msgspec.field(default=False, name="IsErroredOnProcessing")
    messages: Any = msgspec.field(default=None, name="ErrorMessage")
    error: Any = None


class OcrSpacePreset(PlainPreset):
    """A form with the image to ``/parse/image``."""

    key: ClassVar[KeyPlace] = KeyPlace("apikey", "")
    max_bytes: ClassVar[int] = 1_000_000
    """Of the free plan."""
    options: ClassVar[frozenset[str]] = frozenset({"OCREngine", "language", *_SWITCHES})

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for options or values that the service does not know."""
        check_options(service, self.options)
        choice(service, "OCREngine", _ENGINES, _ENGINES[0])
        for name in _SWITCHES:
            choice(service, name, ("true", "false"), "false")

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the request. The service reads one language: the first other one than English that it knows."""
        options = dict(service.options)
        fields = {
            "language": _language(languages, options.get("OCREngine", _ENGINES[0])),
            "isOverlayRequired": "true",
            "filetype": "PNG" if image.media_type == "image/png" else "JPG",
            **options,
        }
        body, content_type = form(image, "file", fields.items())
        return Request(body, content_type, rest_of_path(service, "/parse/image"))

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text; the service gives no confidences. Raises ServiceFault, or Rejected for this image."""
        content = decode(body, _Body | str, service)  # type: ignore[arg-type]  # a union is no class
        if isinstance(content, str):
            # Refusals for too many requests are a text alone.
            raise _refusal(content, 0, service)
        exit_code = finite(content.exit_code)
        if content.is_error is True or content.error or (content.messages and exit_code not in _RESULTS):
            raise _refusal(content.messages or content.error, exit_code, service)
        if not content.pages or exit_code not in _RESULTS:
            raise unexpected(service, "there is no result in it")
        failed = next((page for page in content.pages if finite(page.exit_code) not in {None, _READ}), None)
        if failed is not None:
            raise _refusal(failed.error, _UNREADABLE, service)
        warnings = ("the service says that it read only a part of the scan",) if exit_code == _PARTIAL else ()
        return unordered([block for page in content.pages for block in _blocks(page, image)], warnings=warnings)


def _language(languages: tuple[str, ...], engine: str) -> str:
    names = named(languages, _LANGUAGES)
    others = [name for name in names if name != _ENGLISH]
    if others:
        return others[0]
    return _ENGLISH if names or engine == _ENGINES[0] else _AUTO


def _refusal(messages: object, exit_code: float | None, service: RemoteService) -> ServiceFault | Rejected:
    words = shortened(messages)
    if _BLAMES_SERVICE.search(words):
        return refused(service, words, "check the key and the plan at OCR.space, and lower rate and concurrency")
    if exit_code == _UNREADABLE or _BLAMES_IMAGE.search(words):
        return rejected(service, words)
    return refused(service, words, f"check the options in [[remote]] {service.name}, and the status page of OCR.space")


def _blocks(page: _Page, image: Image) -> tuple[Block, ...]:
    """Return the text with its places, unless they are those on an image that the service has turned."""
    is_turned = finite(page.orientation) not in {None, 0.0}
    lines = page.overlay.lines if page.overlay is not None else None
    if lines and not is_turned:
        placed = block_of(_lines(lines, image))
        if placed:
            return placed
    return unplaced(page.text) if isinstance(page.text, str) else ()


def _lines(lines: list[_Line], image: Image) -> Iterator[Line | None]:
    for line in lines:
        pieces = [
            Piece(word.text, None, rectangle(word.left, word.top, word.width, word.height, image))
            for word in line.words or ()
        ]
        yield line_of_words(pieces, image) or split_line(Piece(line.text), image)
