"""What a worker process does for a remote service: the image and the request before, the page after.

The daemon's own process sends the request in between. Workers have no network and no key.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from ocrwatch.document import EngineInfo, Page
from ocrwatch.errors import InternalFault, OcrwatchError, is_memory_error
from ocrwatch.executors.http_ocr.presets.base import Answer, Image, Preset, Request, limits, open_preset
from ocrwatch.executors.rendering import plain, render_page, unpacked
from ocrwatch.recipe import REMOTE, Recipe, RemoteService
from ocrwatch.recognise.remote.answered import placed
from ocrwatch.recognise.remote.extraction import with_extracts
from ocrwatch.recognise.remote.merge import merged_with_second, with_failed_second
from ocrwatch.recognise.remote.prepare import prepare
from ocrwatch.recognise.sent_page import SentPage
from ocrwatch.render.base import RenderedPage, RenderRequest

_REPORT: Final = "please report it; if the preset is another package's, to its authors"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the parent sends, and what it gives back with the answer."""

    request: Request
    sent: SentPage


def prepare_scan(content: bytes, recipe: Recipe) -> Prepared:
    """Return the request for a scan.

    Raises ScanFault if the scan cannot be read, so that it is not sent; InternalFault if the preset has a bug.
    """
    service = _service(recipe)
    preset = open_preset(service.preset)
    with _blamed_on(service.preset):
        media_types, most = frozenset(preset.media_types), limits(preset, service)
    image, sent = prepare(
        content, recipe, media_types, most.max_bytes, max_side=most.max_side, max_pixels=most.max_pixels
    )
    with _blamed_on(service.preset):
        request = preset.request(_image(sent, image), service, recipe.languages)
        if not isinstance(request, Request) or not isinstance(request.body, bytes):
            raise TypeError(f"its request is a {type(request).__name__}")
    return Prepared(request, sent)


def assembled(
    content: bytes,
    recipe: Recipe,
    sent: SentPage | None,
    answer: bytes,
    first: bytes,
    failure: str,
    request: RenderRequest,
) -> RenderedPage:
    """Render the page that a service has read.

    ``first`` is the packed page that was read here if the service is the second reader, otherwise empty. ``failure``
    says why the service could not read it then: ``sent`` and ``answer`` are not needed. Raises the errors of
    :meth:`Preset.answer`, and InternalFault if the preset has a bug.
    """
    if first and failure:
        page = with_failed_second(unpacked(first), f"{REMOTE}{_service(recipe).name}", failure)
        return render_page(page, request, content)
    if sent is None:
        raise ValueError("an answer without the image that was sent")
    page = _read_page(recipe, sent, answer)
    if first:
        page = merged_with_second(unpacked(first), page, sent)
    return render_page(with_extracts(page, content, recipe), request, content)


def trial_text(answer: bytes, sent: SentPage, recipe: Recipe) -> str:
    """Return the text of an answer; raises like :func:`assembled`."""
    return _read_page(recipe, sent, answer).text


def _read_page(recipe: Recipe, sent: SentPage, body: bytes) -> Page:
    """Return the page of an answer, with the declared types."""
    service = _service(recipe)
    preset = open_preset(service.preset)
    with _blamed_on(service.preset):
        answer = _parsed(preset, body, sent, service)
        engine = EngineInfo(f"{REMOTE}{service.name}", answer.version or service.preset, recipe.languages)
        page = placed(answer.blocks, sent, recipe, engine, in_order=answer.in_order, warnings=answer.warnings)
    return plain(page)


def _parsed(preset: Preset, body: bytes, sent: SentPage, service: RemoteService) -> Answer:
    answer = preset.answer(body, _image(sent, b""), service)
    if not isinstance(answer, Answer):
        raise TypeError(f"its answer is a {type(answer).__name__}")
    return replace(answer, blocks=tuple(answer.blocks), warnings=tuple(answer.warnings))


def _image(sent: SentPage, content: bytes) -> Image:
    return Image(content, sent.media_type, sent.sent_width, sent.sent_height)


def _service(recipe: Recipe) -> RemoteService:
    if recipe.remote is None:
        raise ValueError("a recipe without a service")
    return recipe.remote


@contextmanager
def _blamed_on(preset: str) -> Iterator[None]:
    """Turn an error of a preset, which may be another package's, into a fault of this scan.

    Errors that it raises on purpose pass, and those of short memory.
    """
    try:
        yield
    except OcrwatchError:
        raise
    except Exception as error:
        if is_memory_error(error):
            raise
        raise InternalFault(
            f"the preset {preset} failed ({type(error).__name__}: {error})", _REPORT, traceback.format_exc()
        ) from error
