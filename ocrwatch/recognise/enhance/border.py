"""Fills the dark area around the paper with the paper's brightness."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.enhance.pixels import Mask, Pixels

_DARK = 0.33
"""Threshold for the area around the paper, as a share of the paper's brightness. With 0.5, deep shadows on the paper,
which have a third of its light, would be classified as surroundings."""

_THICKNESS = 11
"""Minimum thickness of the surroundings in pixels of the survey copy: 2 to 4 mm on A4. Text is thinner."""

_LEAST_SHARE = 0.002
_MARGIN = 7
"""Kernel of the dilation, in pixels of the survey copy. It includes the paper's edge and its shadow."""


def find_border(page: Pixels) -> Mask | None:
    """Segment dark, thick regions that touch the image edge.

    Returns a mask on the survey copy; None if the regions are too small. Without this step, one threshold cannot
    separate ink from paper: pale text beside black surroundings is classified as paper.
    """
    survey = page.survey
    # The 75th percentile is paper even if most of the image is surroundings.
    paper = float(np.percentile(survey[::4, ::4], 75))
    dark = (survey < _DARK * paper).astype(np.uint8)
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


def without_border(page: Pixels, outside: Mask) -> Pixels:
    """Fill ``outside``, a mask on the survey copy, with the paper's brightness."""
    inside = page.survey[outside == 0]
    paper = float(np.percentile(inside[::4], 75)) if inside.size else 255.0
    height, width = page.gray.shape
    gray, survey = page.gray.copy(), page.survey.copy()
    survey[outside > 0] = paper
    gray[cv2.resize(outside, (width, height), interpolation=cv2.INTER_NEAREST) > 0] = paper
    return Pixels(gray, survey)


def _share(mask: Mask) -> float:
    return float(np.count_nonzero(mask)) / mask.size
