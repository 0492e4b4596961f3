"""Other services: options say how a request is made, and where an answer has its text.

``docs/presets.md`` describes the options and the paths in them. The service gets one POST per image, and answers at
once with JSON or with plain text.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar, Final

from ocrwatch.errors import OcrwatchError, ServiceFault
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, KeyPlace, Request
from ocrwatch.executors.http_ocr.presets.generic_body import request_of
from ocrwatch.executors.http_ocr.presets.generic_options import NAMES, Options, options_of
from ocrwatch.executors.http_ocr.presets.generic_text import NotFound, TextFinder
from ocrwatch.executors.http_ocr.presets.json_paths import find, first
from ocrwatch.executors.http_ocr.presets.parsing import decode, refused, rejected, unexpected
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset
from ocrwatch.executors.http_ocr.presets.text import clean, unplaced
from ocrwatch.recipe import RemoteService

_WEB_PAGE: Final = re.compile(r"\s*<(!doctype|html|\?xml)", re.IGNORECASE)


class GenericPreset(PlainPreset):
    """Any service whose answers can be described by options."""

    options: ClassVar[frozenset[str]] = NAMES

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for the first option that is wrong."""
        options_of(service)

    def key_place(self, service: RemoteService) -> KeyPlace:
        """Return where the options say that the key is."""
        return options_of(service).key

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:
        """Return the request that the options describe."""
        return request_of(image, options_of(service), languages)

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text at the paths of the options.

        Raises ServiceFault if a path finds nothing where there is text, or if the answer says that it is an error, and
        Rejected if the error is one of those that blame the image.
        """
        options = options_of(service)
        if options.value("answer") == "text":
            return Answer(unplaced(_plain_text(body, service)))
        answer = decode(body, object, service)
        _refuse_errors(answer, options, service)
        try:
            blocks = TextFinder(options, image, answer).blocks()
        except NotFound as error:
            raise _not_found(error, options, service) from None
        version = options.path("version")
        return Answer(
            blocks,
            clean(first(version, answer)) if version is not None else "",
            in_order=options.value("order") == "given",
        )


def _plain_text(body: bytes, service: RemoteService) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unexpected(service, f"bytes that are no text: {error.reason}") from None
    if _WEB_PAGE.match(text):
        raise unexpected(service, "a web page")
    return text


def _refuse_errors(answer: Any, options: Options, service: RemoteService) -> None:
    """Raise the error that an answer has, if it has one."""
    path = options.path("error_path")
    if path is None:
        return
    found = find(path, answer)
    value = next(iter(found.values), None)
    shown = _shown(value)
    if options.listed("error_value"):
        is_error = shown in options.listed("error_value")
    elif options.listed("error_unless"):
        is_error = shown not in options.listed("error_unless")
    else:
        is_error = bool(value)
    if is_error:
        raise _error(answer, value, options, service)


def _error(answer: Any, value: Any, options: Options, service: RemoteService) -> OcrwatchError:
    path = options.path("error_message")
    words = first(path, answer) if path is not None else value
    if isinstance(words, dict):
        words = words.get("message")
    if not isinstance(words, str) or not clean(words):
        words = f"{options.values['error_path']} is {_shown(value)}"
    if _shown(value) in options.listed("error_image"):
        return rejected(service, words)
    return refused(service, words, f"look at the service's log, and at the options of [[remote]] {service.name}")


def _shown(value: Any) -> str:
    """Return a value as an option names it: ``true``, ``null``, ``12`` or the text itself."""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value) if value is None or isinstance(value, (bool, int, float)) else "an object"


def _not_found(error: NotFound, options: Options, service: RemoteService) -> ServiceFault:
    path = options.values.get(error.option)
    named = f"{error.option} = {path!r}" if path is not None else error.option
    return ServiceFault(
        f"in the answer of the OCR service {service.name}, the option {named} {error.what}",
        "compare the options with an answer of the service; if pages without text are answered without that member, "
        'set missing = "blank"',
    )
