"""Google Cloud Vision, API version 1: ``POST https://vision.googleapis.com/v1/images:annotate``.

The reference of ``AnnotateImageResponse`` and ``TextAnnotation`` in Google's documentation describes the answer:
``fullTextAnnotation`` has pages, blocks, paragraphs, words and symbols. A symbol says what follows it
(``property.detectedBreak``): a space, the end of a line, or nothing, because punctuation is a word of its own. What is
0, false or empty is left out, as in all JSON made of Protocol Buffers. A refusal of the image is in the answer's
``error``, with status 200 and a code of gRPC.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.document import Block
from ocrwatch.errors import OcrwatchError
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, KeyPlace, Limits, Request
from ocrwatch.executors.http_ocr.presets.bodies import JSON, as_base64, json_body
from ocrwatch.executors.http_ocr.presets.google_pages import blocks_of
from ocrwatch.executors.http_ocr.presets.languages import iso_639_1
from ocrwatch.executors.http_ocr.presets.parsing import choice, decode, refused, rejected, unexpected
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset
from ocrwatch.executors.http_ocr.presets.text import clean, unplaced
from ocrwatch.recipe import RemoteService

_FEATURES: Final = ("DOCUMENT_TEXT_DETECTION", "TEXT_DETECTION")
_MODELS: Final = ("builtin/stable", "builtin/latest")

_INVALID_ARGUMENT: Final = 3
_OUT_OF_RANGE: Final = 11
_OF_THE_IMAGE: Final = frozenset({_INVALID_ARGUMENT, _OUT_OF_RANGE})
"""Codes of gRPC for ``Bad image data.`` and the like."""
_REMEDIES: Final = {
    7: "allow this key the Cloud Vision API, and enable billing, in Google's console",
    8: "raise the quota in Google's console, or lower rate in [[remote]]",
    9: "look at the project's state and its billing in Google's console",
    16: "put a valid API key into the key file",
}
_REMEDY: Final = "look at the state of the service and of the project in Google's console"


class _Body(msgspec.Struct):
    responses: list[Any] | None = None
    error: Any = None


class GoogleVisionPreset(PlainPreset):
    """Google Cloud Vision with an API key."""

    key: ClassVar[KeyPlace] = KeyPlace("x-goog-api-key", "")
    # TIFF is taken, too, but with all its pages.
    media_types: ClassVar[frozenset[str]] = frozenset({"image/jpeg", "image/png"})
    # A request of 10 MB, of which base64 takes 4 bytes for 3.
    max_bytes: ClassVar[int] = 7_400_000
    options: ClassVar[frozenset[str]] = frozenset({"feature", "model", "language_hints"})

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for an option, or a value, that the preset does not know."""
        super().check(service)
        choice(service, "feature", _FEATURES, _FEATURES[0])
        choice(service, "model", _MODELS, _MODELS[0])

    def limits(self, service: RemoteService) -> Limits:  # noqa: ARG002 - the same for all options
        """Return the limits of a request with the image in it."""
        return Limits(self.max_bytes, max_pixels=75_000_000)

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the image as base64, with the languages as hints."""
        feature = {"type": choice(service, "feature", _FEATURES, _FEATURES[0])}
        if model := dict(service.options).get("model"):
            feature["model"] = model
        asked: dict[str, Any] = {"image": {"content": as_base64(image)}, "features": [feature]}
        if hints := _hints(service, languages):
            asked["imageContext"] = {"languageHints": hints}
        return Request(json_body({"requests": [asked]}), JSON, rest_of_path(service, "/v1/images:annotate"))

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text. An answer without any is that of a page without text."""
        decoded = decode(body, _Body, service)
        if decoded.error is not None:
            raise _error(decoded.error, service)
        if not decoded.responses or not isinstance(decoded.responses[0], dict):
            raise unexpected(service, "an object without responses")
        response: dict[str, Any] = decoded.responses[0]
        if response.get("error"):
            raise _error(response["error"], service)
        full = response.get("fullTextAnnotation")
        blocks: tuple[Block, ...] = blocks_of(full, image)
        # No text is lost if the places are not as they should be.
        return Answer(blocks or unplaced(_text(full) or _text_of_annotations(response)))


def _hints(service: RemoteService, languages: tuple[str, ...]) -> list[str]:
    """Return the codes of BCP 47 to send; the option may have its own, or be empty for none."""
    if (chosen := dict(service.options).get("language_hints")) is not None:
        return list(filter(None, map(str.strip, chosen.split(","))))
    return list(dict.fromkeys(filter(None, map(iso_639_1, languages))))


def _text(full: Any) -> str:
    text = full.get("text") if isinstance(full, dict) else None
    return text if isinstance(text, str) else ""


def _text_of_annotations(response: dict[str, Any]) -> str:
    """Return the text of the first of the older annotations, which is that of the whole image."""
    annotations = response.get("textAnnotations")
    first = annotations[0] if isinstance(annotations, list) and annotations else None
    text = first.get("description") if isinstance(first, dict) else None
    return text if isinstance(text, str) else ""


def _error(error: Any, service: RemoteService) -> OcrwatchError:
    facts = error if isinstance(error, dict) else {"message": error}
    code, words = facts.get("code"), facts.get("message") or facts.get("status")
    number = code if isinstance(code, int) else 0
    if number in _OF_THE_IMAGE:
        return rejected(service, words)
    return refused(service, words or f"code {clean(code)}", _REMEDIES.get(number, _REMEDY))
