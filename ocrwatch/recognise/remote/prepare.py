"""Makes the image of a scan that a remote service gets.

A damaged scan raises the same errors as if it was read here, and is never sent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from ocrwatch.recipe import WHOLE_PAGE, EnhanceOptions, Recipe
from ocrwatch.recognise.affine import Affine, compose, magnification, scaling
from ocrwatch.recognise.decode import Decoded, Gray, decode
from ocrwatch.recognise.enhance import enhance
from ocrwatch.recognise.enhance.pixels import SURVEY_SIDE, Pixels
from ocrwatch.recognise.enhance.scale import measure_text
from ocrwatch.recognise.enhance.skew import lies_on_its_side, skew_angle
from ocrwatch.recognise.evidence import letter_centres
from ocrwatch.recognise.page_view import REDUCE_FROM, PageView, dpi_of, for_languages, needs_full_size, view_of
from ocrwatch.recognise.projective import as_projective, mapped
from ocrwatch.recognise.reader import untouched
from ocrwatch.recognise.remote.encoding import EncodedImage, encoded, legible, scale_within, shrunk
from ocrwatch.recognise.remote.marks import packed_marks
from ocrwatch.recognise.remote.scan_image import Rgb, colours, is_read_alike
from ocrwatch.recognise.sent_page import SentPage

_HALVE_FROM: Final = 3501
"""Long side in pixels from which half the size has all that is measured of a page: A4 at 300 dpi."""

_UNKNOWN_INCHES: Final = 11.7
"""Long side of a page whose resolution is unknown: A4."""


@dataclass(frozen=True, slots=True)
class _Made:
    """The image to send before it is encoded, or as it is in the file."""

    decoded: Decoded
    view: PageView
    pixels: Gray | Rgb | None
    """None for the scan's own bytes."""
    to_page: Affine
    """Maps the image to the page of ``view``."""
    skew: float
    steps: tuple[str, ...]


def prepare(
    content: bytes,
    recipe: Recipe,
    media_types: frozenset[str],
    max_bytes: int,
    *,
    max_side: int = 0,
    max_pixels: int = 0,
) -> tuple[bytes, SentPage]:
    """Return the image that a service gets, and what is remembered of the page meanwhile.

    ``media_types`` are those that the service takes, and ``max_bytes`` is the size of the largest image that it takes,
    ``max_side`` its longer side in pixels, and ``max_pixels`` their number; 0 if there is no limit. Raises ScanFault if
    the scan cannot be read, :class:`Rejected` if its image cannot be made small enough.
    """
    begin = time.perf_counter()
    # Parallelism is one process per core, as in page.warm.
    cv2.setNumThreads(1)
    recipe = for_languages(recipe)
    if recipe.remote is None or recipe.remote.prepare == "none":
        made = _as_it_came(content, recipe, media_types, max_bytes, (max_side, max_pixels))
    elif recipe.remote.prepare == "straighten":
        made = _enhanced(content, _decoded(content, recipe, None), recipe, untouched(recipe.enhance))
    else:
        reduce_from = REDUCE_FROM if recipe.enhance.enabled else None
        made = _enhanced(content, _decoded(content, recipe, reduce_from), recipe, recipe.enhance)
    if made.pixels is None:
        image = _own(content, made)
    else:
        dpi = _dpi(made, recipe)
        image = encoded(made.pixels, media_types, dpi, max_side, max_pixels)
        scale = scale_within(made.pixels.shape[1], made.pixels.shape[0], max_side, max_pixels)
        has_many_bytes = 0 < max_bytes < len(image.content)
        if scale < 1 or has_many_bytes:
            fineness = _fineness(made, dpi)
            image = legible(image, scale, fineness)
            if has_many_bytes:
                image = shrunk(
                    made.pixels, media_types, dpi, max_bytes, fineness, max_side=max_side, max_pixels=max_pixels
                )
    sent = _sent(image, made, recipe)
    return image.content, replace(sent, prepare_ms=round((time.perf_counter() - begin) * 1000, 2))


def _decoded(content: bytes, recipe: Recipe, reduce_from: int | None) -> Decoded:
    return decode(content, max_pixels=recipe.enhance.max_pixels, reduce_from=reduce_from)


def _as_it_came(
    content: bytes, recipe: Recipe, media_types: frozenset[str], max_bytes: int, most_pixels: tuple[int, int]
) -> _Made:
    """Return the scan's own bytes if the service reads them as they are meant, otherwise the upright page."""
    may_stay = recipe.region == WHOLE_PAGE and (not max_bytes or len(content) <= max_bytes)
    decoded = _decoded(content, recipe, _HALVE_FROM if may_stay else None)
    may_stay = may_stay and scale_within(decoded.width, decoded.height, *most_pixels) == 1
    stays = may_stay and f"image/{decoded.image.kind}" in media_types and is_read_alike(content, decoded)
    if decoded.reduction > 1 and (not stays or min(decoded.gray.shape) <= SURVEY_SIDE // 4):
        # A long till receipt is measured at its full width.
        decoded = _decoded(content, recipe, None)
    view = view_of(decoded, replace(recipe, enhance=replace(recipe.enhance, perspective=False)))
    pixels = None if stays else _coloured(content, decoded, view)
    steps = () if recipe.region == WHOLE_PAGE else ("region",)
    return _Made(decoded, view, pixels, scaling(1.0, 1.0), _skew(view.page, recipe.enhance), steps)


def _coloured(content: bytes, decoded: Decoded, view: PageView) -> Gray | Rgb:
    """Return the page to read in its colours, if it has some."""
    rgb = colours(content, decoded)
    if rgb is None:
        return view.page.gray
    rows, columns = view.page.gray.shape
    left, top = round(view.to_original[0, 2]), round(view.to_original[1, 2])
    return np.ascontiguousarray(rgb[top : top + rows, left : left + columns])


def _enhanced(content: bytes, decoded: Decoded, recipe: Recipe, options: EnhanceOptions) -> _Made:
    """Return the page after the steps of enhancement that are enabled and required."""
    view = view_of(decoded, recipe)
    enhanced = enhance(view.page, options, dpi_of(decoded, recipe))
    if needs_full_size(decoded, enhanced):
        return _enhanced(content, _decoded(content, recipe, None), recipe, options)
    skew = 0.0 if options.enabled else _skew(view.page, options)
    steps = (*view.steps, *enhanced.steps)
    return _Made(decoded, view, np.ascontiguousarray(enhanced.gray), enhanced.to_input, skew, steps)


def _skew(page: Pixels, options: EnhanceOptions) -> float:
    """Return the skew of a page that is sent skewed, in degrees.

    It is measured here, since axis-parallel boxes of words do not show it.
    """
    if not options.enabled or not options.skew:
        return 0.0
    page = page.with_fine_survey
    return skew_angle(page.turned(1) if options.turn and lies_on_its_side(page) else page)


def _dpi(made: _Made, recipe: Recipe) -> float | None:
    """Return the resolution of the image in dpi; None if it is unknown."""
    declared = dpi_of(made.decoded, recipe)
    return declared * magnification(made.to_page) if declared else None


def _fineness(made: _Made, dpi: float | None) -> float:
    """Return the resolution in dpi at which the image's text would be 10-point type.

    It is not more than ``dpi``: small print of a page with large print stays legible.
    """
    measured = measure_text(made.view.page)
    if measured is not None:
        of_text = measured.resolution * magnification(made.to_page)
        return min(of_text, dpi or of_text)
    return dpi or max(made.view.page.gray.shape) / _UNKNOWN_INCHES * magnification(made.to_page)


def _own(content: bytes, made: _Made) -> EncodedImage:
    decoded = made.decoded
    return EncodedImage(content, f"image/{decoded.image.kind}", decoded.width, decoded.height)


def _sent(image: EncodedImage, made: _Made, recipe: Recipe) -> SentPage:
    decoded, view = made.decoded, made.view
    if made.pixels is None:
        # The whole file is sent, and it may have been decoded at half its size.
        to_page = scaling(1 / decoded.reduction, 1 / decoded.reduction)
        scaled: tuple[str, ...] = ()
    else:
        rows, columns = made.pixels.shape[:2]
        to_page = compose(made.to_page, scaling(columns / image.width, rows / image.height))
        scaled = () if image.width == columns else (f"scale {image.width / columns:.2f}",)
    options = recipe.enhance
    centres = letter_centres(view.page)
    to_original = as_projective(view.to_original) if len(view.to_original) == 2 else view.to_original  # noqa: PLR2004
    return SentPage(
        media_type=image.media_type,
        sent_width=image.width,
        sent_height=image.height,
        width=decoded.width,
        height=decoded.height,
        dpi=decoded.dpi,
        orientation=decoded.orientation,
        image=decoded.image,
        page_width=view.page.gray.shape[1],
        page_height=view.page.gray.shape[0],
        to_page=tuple(to_page.ravel().tolist()),
        page_to_original=tuple(view.to_original.ravel().tolist()),
        skew=made.skew,
        steps=(*made.steps, *scaled),
        warnings=(*decoded.warnings, *image.warnings),
        marks=packed_marks(mapped(centres, to_original)),
        blank=options.enabled and options.blank and not len(centres),
    )
