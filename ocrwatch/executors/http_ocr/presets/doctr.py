"""Preset ``doctr``: a server made of docTR's template ``api/`` (docTR 0.10 to 1.0).

Its answer is a list with one page for each file: blocks of lines of words. Geometries are shares of the image: 2 or 4
corners, as one list of numbers. Templates of docTR 0.2 to 0.8 answer a list of words, and take the image in another
field (option ``field = "file"``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.document import Line
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, Request
from ocrwatch.executors.http_ocr.presets.bodies import form
from ocrwatch.executors.http_ocr.presets.parsing import check_options, choice, decode, unexpected
from ocrwatch.executors.http_ocr.presets.places import Place, polygon
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset, unordered
from ocrwatch.executors.http_ocr.presets.text import Piece, block_of, line_of_words, percent
from ocrwatch.recipe import RemoteService

_FIELDS: Final = ("files", "file")

_PARAMETERS: Final = (
    "det_arch",
    "reco_arch",
    "assume_straight_pages",
    "bin_thresh",
    "box_thresh",
)
"""Options of docTR that go to the server as they are."""


class _Word(msgspec.Struct):
    value: Any
    geometry: Any = None
    confidence: Any = None


class _Line(msgspec.Struct):
    words: list[_Word]
    geometry: Any = None


class _Block(msgspec.Struct):
    lines: list[_Line]


class _Page(msgspec.Struct):
    blocks: list[_Block]


class _Entry(msgspec.Struct):
    """A file; or a word, in the answers of docTR up to 0.8."""

    items: list[_Page] | None = None
    value: Any = None
    box: Any = None


class DoctrPreset(PlainPreset):
    """A form with the image to ``/ocr/``; the languages are those of the server's network."""

    options: ClassVar[frozenset[str]] = frozenset({"field", *_PARAMETERS})

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for options that the preset does not know, and for unknown fields."""
        check_options(service, self.options)
        choice(service, "field", _FIELDS, _FIELDS[0])

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:  # noqa: ARG002
        """Return the request. Its path ends with a slash: without it, the server redirects."""
        body, content_type = form(image, choice(service, "field", _FIELDS, _FIELDS[0]))
        query = tuple((name, value) for name, value in service.options if name in _PARAMETERS)
        return Request(body, content_type, rest_of_path(service, "/ocr/") or "/", query)

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text. Raises ServiceFault for anything but a result."""
        entries = decode(body, list[_Entry], service)
        if any(entry.items is None and entry.value is None for entry in entries):
            raise unexpected(service, "an entry in it has neither items nor a value")
        return unordered(block_of(line for entry in entries for line in _lines(entry, image)))


def _lines(entry: _Entry, image: Image) -> Iterator[Line | None]:
    # Words alone are put into lines by their places.
    yield line_of_words([Piece(entry.value, place=_place(entry.box, image))], image)
    for page in entry.items or ():
        for block in page.blocks:
            for line in block.lines:
                pieces = [
                    Piece(word.value, percent(word.confidence), _place(word.geometry, image)) for word in line.words
                ]
                yield line_of_words(pieces, image, _place(line.geometry, image))


def _place(geometry: Any, image: Image) -> Place | None:
    return polygon(geometry, image, (image.width, image.height))
