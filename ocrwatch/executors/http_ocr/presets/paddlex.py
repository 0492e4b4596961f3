"""Preset ``paddlex``: PaddleX 3 and PaddleOCR 3, "basic serving" of the pipeline OCR.

The answer is ``{"errorCode": 0, "result": {"ocrResults": [{"prunedResult": {…}}]}}``; that of 3.0-beta2 has ``texts``
instead of ``prunedResult``. Turning and flattening of the whole page at the server is switched off, because places
would be those on an image that only the server has; and so are pictures of the result, which would be megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import repeat
from typing import Any, Final

import msgspec

from ocrwatch.errors import Rejected, ServiceFault
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, Request
from ocrwatch.executors.http_ocr.presets.bodies import JSON, as_base64, json_body
from ocrwatch.executors.http_ocr.presets.parsing import decode, refused, rejected, unexpected
from ocrwatch.executors.http_ocr.presets.places import Place, finite, polygon
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset, unordered
from ocrwatch.executors.http_ocr.presets.text import Piece, block_of, percent, split_line
from ocrwatch.recipe import RemoteService

_IMAGE: Final = 1
"""Their number for images; 0 is PDF."""

_ABOUT_IMAGE: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Error codes that blame the image. They are those of HTTP."""

_UPSIDE_DOWN: Final = frozenset({1, 180})
"""Angles of lines that were turned before they were read: the class, or degrees."""


class _Pruned(msgspec.Struct):
    rec_texts: list[Any]
    rec_scores: list[Any] = []
    rec_polys: list[Any] = []
    rec_boxes: list[Any] = []
    dt_polys: list[Any] = []
    textline_orientation_angles: list[Any] | None = None


class _Text(msgspec.Struct):
    text: Any
    score: Any = None
    poly: Any = None


class _Page(msgspec.Struct):
    pruned: _Pruned | None = msgspec.field(default=None, name="prunedResult")
    texts: list[_Text] | None = None


class _Result(msgspec.Struct):
    pages: list[_Page] = msgspec.field(name="ocrResults")


class _Body(msgspec.Struct):
    code: int = msgspec.field(default=0, name="errorCode")
    message: Any = msgspec.field(default=None, name="errorMsg")
    result: _Result | None = None


class PaddlexPreset(PlainPreset):
    """JSON with the image as base64 to ``/ocr``; the languages are those of the server's network."""

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:  # noqa: ARG002
        """Return the request."""
        content = {
            "file": as_base64(image),
            "fileType": _IMAGE,
            "useDocOrientationClassify": False,
            "useDocUnwarping": False,
            "useTextlineOrientation": True,
            "visualize": False,
        }
        return Request(json_body(content), JSON, rest_of_path(service, "/ocr"))

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text. Raises ServiceFault, or Rejected if the error code blames the image."""
        content = decode(body, _Body, service)
        if content.code:
            raise _refusal(content, service)
        if content.result is None:
            raise unexpected(service, "there is no result in it")
        pieces: list[Piece] = []
        for page in content.result.pages:
            if page.pruned is None and page.texts is None:
                raise unexpected(service, "a page in it has neither prunedResult nor texts")
            pieces += _pieces(page, image)
        return unordered(block_of(map(split_line, pieces, repeat(image))))


def _refusal(content: _Body, service: RemoteService) -> ServiceFault | Rejected:
    words = f"{content.message or 'error'} (error {content.code})"
    if content.code in _ABOUT_IMAGE:
        return rejected(service, words)
    return refused(service, words, "look into the log of the PaddleX server")


def _pieces(page: _Page, image: Image) -> Iterator[Piece]:
    for text in page.texts or ():
        yield Piece(text.text, percent(text.score), _along(polygon(text.poly, image), None))
    if (pruned := page.pruned) is not None:
        count = len(pruned.rec_texts)
        places = next(
            (each for each in (pruned.rec_polys, pruned.rec_boxes, pruned.dt_polys) if len(each) == count), ()
        )
        angles = pruned.textline_orientation_angles or ()
        for text, score, points, angle in zip(
            pruned.rec_texts,
            _filled(pruned.rec_scores, count),
            _filled(places, count),
            _filled(angles, count),
            strict=True,
        ):
            yield Piece(text, percent(score), _along(polygon(points, image), angle))


def _filled(values: Sequence[Any], count: int) -> Iterable[Any]:
    """Return the values of lines, or None for each if they are not as many as the lines: then they are of others."""
    return values if len(values) == count else repeat(None, count)


def _along(place: Place | None, angle: object) -> Place | None:
    """Return the place in the direction of its text.

    A tall line was turned before it was read, and one that was upside down then once more.
    """
    if place is None or place.is_rectangle:
        return place
    if place.is_tall:
        place = place.turned()
    return place.turned().turned() if finite(angle) in _UPSIDE_DOWN else place
