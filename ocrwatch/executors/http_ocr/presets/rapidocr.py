"""Preset ``rapidocr``: a server of the package rapidocr_api (0.2), which reads with PP-OCR.

Its answer is ``{"0": {"rec_txt": …, "dt_boxes": …, "score": …}, …}``: lines with four corners, and ``{}`` for a blank
page. The corners begin at the top left one of the image, whatever the direction of the text. It reads JPEG; of PNG with
1 or 16 bits a pixel it makes an error or rubbish, because it hands what Pillow decodes to PP-OCR as it is.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, Request
from ocrwatch.executors.http_ocr.presets.bodies import form
from ocrwatch.executors.http_ocr.presets.parsing import decode
from ocrwatch.executors.http_ocr.presets.places import polygon
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset, unordered
from ocrwatch.executors.http_ocr.presets.text import Piece, block_of, percent, split_line
from ocrwatch.recipe import RemoteService


class _Line(msgspec.Struct):
    # Without it, an error in JSON would be a page without text.
    rec_txt: Any
    dt_boxes: Any = None
    score: Any = None


class RapidocrPreset(PlainPreset):
    """A form with the image to ``/ocr``; the languages are those of the server's network."""

    media_types: ClassVar[frozenset[str]] = frozenset({"image/jpeg"})

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:  # noqa: ARG002
        """Return the request."""
        body, content_type = form(image, "image_file")
        return Request(body, content_type, rest_of_path(service, "/ocr"))

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text. Raises ServiceFault for anything but a result."""
        lines = decode(body, dict[str, _Line], service).values()
        return unordered(block_of(split_line(_piece(line, image), image) for line in lines))


def _piece(line: _Line, image: Image) -> Piece:
    place = polygon(line.dt_boxes, image)
    if place is not None and place.is_tall:
        # Such a line was turned before it was read.
        place = place.turned()
    return Piece(line.rec_txt, percent(line.score), place)
