"""Microsoft Azure's Read: Computer Vision 3.2, or Document Intelligence with its model ``prebuilt-read``.

Computer Vision: ``Ocr.json`` of API version 3.2 in the repository Azure/azure-rest-api-specs. The image is the body of
``POST {endpoint}/vision/v3.2/read/analyze``; the answer is 202 with ``Operation-Location``. The result has pages
(``analyzeResult.readResults``) with lines and words. Boxes are 8 numbers, clockwise from the top left corner of the
text; confidences are from 0 to 1.

Document Intelligence: ``DocumentIntelligence.json`` of API version 2024-11-30, ``POST
{endpoint}/documentintelligence/documentModels/prebuilt-read:analyze?api-version=2024-11-30``. Its pages
(``analyzeResult.pages``) have lines and words side by side, which belong together by their places in the text (spans).
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import msgspec

from ocrwatch.document import Block
from ocrwatch.errors import OcrwatchError, UsageError
from ocrwatch.executors.http_ocr.presets import azure_pages
from ocrwatch.executors.http_ocr.presets.addresses import rest_of_path
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, KeyPlace, Limits, Request
from ocrwatch.executors.http_ocr.presets.parsing import choice, decode, refused, rejected, unexpected
from ocrwatch.executors.http_ocr.presets.plain import PlainPreset, unordered
from ocrwatch.executors.http_ocr.presets.text import clean, unplaced
from ocrwatch.recipe import RemoteService

_VISION: Final = "vision"
_DOCUMENTS: Final = "document-intelligence"
_APIS: Final = (_VISION, _DOCUMENTS)
_API_VERSION: Final = "2024-11-30"
_FIRST_OF_DOCUMENT_INTELLIGENCE: Final = "2024"
"""Year of the first version with this name in its path; before, the service was named Form Recognizer."""

_IMAGE_FAULTS: Final = frozenset(
    {
        "BadImage",
        "InvalidContent",
        "InvalidContentDimensions",
        "InvalidContentLength",
        "InvalidImage",
        "InvalidImageDimension",
        "InvalidImageFormat",
        "InvalidImageSize",
        "NotSupportedImage",
        "UnsupportedContent",
        "UnsupportedImageFormat",
        "UnsupportedMediaType",
    }
)
"""Codes that blame the image, of both services."""


class _Status(msgspec.Struct):
    status: str
    analyzeResult: Any = None  # noqa: N815 - names are the service's
    error: Any = None


class AzureReadPreset(PlainPreset):
    """Azure's Read; the option ``api`` says of which service."""

    key: ClassVar[KeyPlace] = KeyPlace("Ocp-Apim-Subscription-Key", "")
    # TIFF is taken, too, but with all its pages.
    media_types: ClassVar[frozenset[str]] = frozenset({"image/jpeg", "image/png"})
    max_bytes: ClassVar[int] = 500_000_000
    polls: ClassVar[bool] = True
    options: ClassVar[frozenset[str]] = frozenset({"api", "api_version", "model_version", "language", "reading_order"})

    def check(self, service: RemoteService) -> None:
        """Raise UsageError for an option that the preset does not know, or that the chosen service does not have."""
        super().check(service)
        other = {"api_version"} if _api(service) == _VISION else {"model_version", "reading_order"}
        for name in other & set(dict(service.options)):
            raise UsageError(
                f"the option {name} of [[remote]] {service.name} is not known to api = {_api(service)!r}",
                f"remove it, or set api to {_other(_api(service))!r}",
            )
        choice(service, "reading_order", ("natural", "basic"), "basic")
        version = dict(service.options).get("api_version", _API_VERSION)
        if not re.fullmatch(r"20\d\d-\d\d-\d\d(-preview)?", version):
            raise UsageError(
                f"the option api_version of [[remote]] {service.name} is {version!r}",
                f"set it to the date of a version, such as {_API_VERSION}",
            )

    def limits(self, service: RemoteService) -> Limits:  # noqa: ARG002 - the same for both services
        """Return the limits of the paid tiers; the free ones take 4 MB."""
        return Limits(self.max_bytes, max_side=10_000)

    def request(self, image: Image, service: RemoteService, languages: tuple[str, ...]) -> Request:  # noqa: ARG002
        """Return the image as it is. The language is recognised, unless an option names it."""
        options = dict(service.options)
        if _api(service) == _DOCUMENTS:
            version = options.get("api_version", _API_VERSION)
            product = "documentintelligence" if version >= _FIRST_OF_DOCUMENT_INTELLIGENCE else "formrecognizer"
            path = f"/{product}/documentModels/prebuilt-read:analyze"
            query = {"api-version": version, "locale": options.get("language")}
            media_type = image.media_type
        else:
            path, media_type = "/vision/v3.2/read/analyze", "application/octet-stream"
            query = {
                "language": options.get("language"),
                "model-version": options.get("model_version"),
                "readingOrder": options.get("reading_order"),
            }
        parameters = tuple((name, value) for name, value in query.items() if value)
        return Request(image.content, media_type, rest_of_path(service, path), parameters)

    def answer(self, body: bytes, image: Image, service: RemoteService) -> Answer:
        """Return the text of a finished operation.

        Raises Rejected if it failed because of the image, and ServiceFault if it failed otherwise, or is not finished.
        """
        operation = decode(body, _Status, service)
        if operation.status.casefold() == "failed":
            raise _failure(operation, service)
        if operation.status.casefold() != "succeeded" or not isinstance(operation.analyzeResult, dict):
            raise unexpected(service, f"an operation without a result, with status {operation.status!r}")
        if isinstance(operation.analyzeResult.get("pages"), list):
            return _of_documents(operation.analyzeResult, image)
        if isinstance(operation.analyzeResult.get("readResults"), list):
            return _of_vision(operation.analyzeResult, image, service)
        raise unexpected(service, "a result without pages")


def _api(service: RemoteService) -> str:
    return choice(service, "api", _APIS, _VISION)


def _other(api: str) -> str:
    return _APIS[1 - _APIS.index(api)]


def _of_vision(result: dict[str, Any], image: Image, service: RemoteService) -> Answer:
    pages: list[Any] = result["readResults"]
    blocks: tuple[Block, ...] = azure_pages.lines_with_words(pages[0], image) if pages else ()
    version = clean(result.get("modelVersion")) or clean(result.get("version"))
    if dict(service.options).get("reading_order") == "natural":
        return Answer(blocks, version, warnings=_surplus(pages))
    # The other order is from left to right across all columns.
    return unordered(blocks, version, _surplus(pages))


def _of_documents(result: dict[str, Any], image: Image) -> Answer:
    pages: list[Any] = result["pages"]
    blocks: tuple[Block, ...] = ()
    if pages:
        blocks = azure_pages.lines_beside_words(pages[0], azure_pages.members(result, "paragraphs"), image)
    text = result.get("content")
    if not blocks and isinstance(text, str) and len(pages) <= 1:
        # No text is lost if it is in no line and no word.
        blocks = unplaced(text)
    version = " ".join(filter(None, map(clean, (result.get("modelId"), result.get("apiVersion")))))
    return Answer(blocks, version, warnings=_surplus(pages))


def _surplus(pages: list[Any]) -> tuple[str, ...]:
    """Return the warning that a result has other pages: one image was sent, so they are not of this scan."""
    return (f"the service answered with {len(pages)} pages, of which the first is used",) if len(pages) > 1 else ()


def _failure(operation: _Status, service: RemoteService) -> OcrwatchError:
    """Return the error of an operation that failed."""
    errors = _errors(operation.error)
    if isinstance(operation.analyzeResult, dict):
        errors += _errors({"details": operation.analyzeResult.get("errors")})
    # The innermost error says most, and comes last.
    words = [
        ": ".join(filter(None, (clean(error.get("code")), clean(error.get("message")))))
        for error in reversed(errors)
        if error.get("code") or error.get("message")
    ]
    if any(clean(error.get("code")) in _IMAGE_FAULTS for error in errors):
        return rejected(service, words)
    return refused(service, words or "the operation failed", "look at the state of the resource in Azure's portal")


def _errors(error: Any) -> list[dict[str, Any]]:
    """Return an error and those within it, from the outermost to the innermost."""
    found: list[dict[str, Any]] = []
    pending = [error]
    while pending:
        each = pending.pop(0)
        if isinstance(each, dict):
            found.append(each)
            pending.append(each.get("innererror"))
            details = each.get("details")
            pending.extend(details if isinstance(details, list) else [])
    return found
