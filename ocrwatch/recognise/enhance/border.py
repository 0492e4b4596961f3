"""The dark surroundings of the paper become paper."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.enhance.pixels import Mask, Pixels

_DARK = 0.33
"""Share of the paper's brightness below which something is no paper. At
half of it, deep shadows on paper are taken for surroundings, which leave a third of the light."""

_THICKNESS = 11
"""Pixels on the survey copy that what is no print is thick at least: 2 to 4 mm on A4."""

_LEAST_SHARE = 0.002
_MARGIN = 7
"""Pixels on the survey copy by which the mask grows, so that the paper's edge and its shadow go, too."""


def surroundings(page: Pixels) -> Mask | None:
    """Find what is dark, thick and reaches the edge of the image, on the survey copy; None where there is too little.

    Without it, one brightness cannot tell ink from paper: pale print beside black is taken for paper.
    """
    small = page.small
    # Where most of the image is surroundings, paper is still what is bright.
    paper = float(np.percentile(small[::4, ::4], 75))
    dark = (small < _DARK * paper).astype(np.uint8)
    if _share(dark) < _LEAST_SHARE:
        return None
    framed = cv2.copyMakeBorder(dark, *(_THICKNESS,) * 4, cv2.BORDER_REPLICATE)
    thick = cv2.morphologyEx(framed, cv2.MORPH_OPEN, np.ones((_THICKNESS, _THICKNESS), np.uint8))
    inner = thick[_THICKNESS:-_THICKNESS, _THICKNESS:-_THICKNESS]
    _, labels = cv2.connectedComponents(inner, connectivity=8)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    outer = np.isin(labels, np.unique(rim[rim > 0])).astype(np.uint8)
    if _share(outer) < _LEAST_SHARE:
        return None
    return cv2.dilate(outer * 255, np.ones((_MARGIN, _MARGIN), np.uint8))  # type: ignore[return-value]


def cleared(page: Pixels, outside: Mask) -> Pixels:
    """Give everything in ``outside``, a mask on the survey copy, the brightness of the paper."""
    inside = page.small[outside == 0]
    paper = float(np.percentile(inside[::4], 75)) if inside.size else 255.0
    height, width = page.gray.shape
    gray, small = page.gray.copy(), page.small.copy()
    small[outside > 0] = paper
    gray[cv2.resize(outside, (width, height), interpolation=cv2.INTER_NEAREST) > 0] = paper
    return Pixels(gray, small)


def _share(mask: Mask) -> float:
    return float(np.count_nonzero(mask)) / mask.size
