"""Selects parts of a page: a representative strip, and text without margins."""

from __future__ import annotations

import numpy as np

from ocrwatch.recognise.affine import Affine, shift
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.projective import Points

Window = tuple[slice, slice]
"""Rows and columns of a part of a page."""

_GRID = 60
"""Bins along each side for the comparison of parts of a page."""

_MIN_SIZE = 4
_MARGIN = 0.03
"""Margin around the text as a share of the long side. Text must not touch the edge."""

_NEARLY_NONE = 2
"""Percentile of the positions that is ignored as outliers on each side."""

_WORTH_CROPPING = 0.75
"""Maximum share of the page that may remain for a crop to be worthwhile."""


def sample_strip(points: Points, shape: tuple[int, int], share: float, *, lying: bool) -> Window:
    """Find the strip along the text lines with the most of ``points``.

    ``shape`` is the page's (rows, columns). The strip covers ``share`` of the page across the lines. If the page is
    ``lying`` on its side, the lines and the strip are vertical.
    """
    axis = 0 if lying else 1
    size = max(1, round(_GRID * share))
    number, _ = np.histogram(points[:, axis], bins=_GRID, range=(0, shape[1 - axis]))
    sums = np.convolve(number, np.ones(size), "valid")
    strip = _span(int(sums.argmax()), size, shape[1 - axis])
    return (slice(None), strip) if lying else (strip, slice(None))


def extent(points: Points, shape: tuple[int, int]) -> Window:
    """Find the part of a page with nearly all of ``points``, plus a margin.

    ``shape`` is the page's (rows, columns).
    """
    (left, top), (right, bottom) = np.percentile(points, (_NEARLY_NONE, 100 - _NEARLY_NONE), axis=0)
    margin = _MARGIN * max(shape)
    rows, columns = shape
    return (
        slice(max(0, int(top - margin)), min(rows, int(bottom + margin) + 1)),
        slice(max(0, int(left - margin)), min(columns, int(right + margin) + 1)),
    )


def _span(start: int, size: int, length: int) -> slice:
    first = start * length // _GRID
    return slice(first, max(first + 1, (start + size) * length // _GRID))


def crop_to_text(page: Pixels) -> tuple[Pixels, Affine] | None:
    """Crop blank margins; None if they are small or the page has no text.

    Returns the cropped page and the map from it to ``page``.
    """
    components = page.components
    if len(components):
        components = components[components[:, 2:4].max(axis=1) >= _MIN_SIZE]
    if not len(components):
        return None
    rows, columns = page.survey.shape
    margin = _MARGIN * max(rows, columns)
    left, top = components[:, 0].min() - margin, components[:, 1].min() - margin
    right, bottom = (
        (components[:, 0] + components[:, 3]).max() + margin,
        (components[:, 1] + components[:, 2]).max() + margin,
    )
    left, top, right, bottom = max(0, int(left)), max(0, int(top)), min(columns, int(right)), min(rows, int(bottom))
    if (right - left) * (bottom - top) > _WORTH_CROPPING * rows * columns:
        return None
    height, width = page.gray.shape
    down, across = height / rows, width / columns
    x, y = round(left * across), round(top * down)
    cropped = page.gray[y : round(bottom * down), x : round(right * across)]
    return Pixels(np.ascontiguousarray(cropped), contrast=page.contrast), shift(x, y)
