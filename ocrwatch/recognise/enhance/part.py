"""The part of a page that says most about it, and the part that is worth reading."""

from __future__ import annotations

import cv2
import numpy as np

from ocrwatch.recognise.affine import Affine, shift
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import FAINTEST_INK, Pixels, ink_of, reduced

_GLANCE_SIDE = 400
_LEAST_MARK = 4
_MARGIN = 0.03
"""Share of the long side that is left round the print, so that nothing touches the edge."""

_WORTH_CUTTING = 0.75
"""Share of the page that may be left at most for the cut to be worth it."""


def densest(gray: Gray, share: float) -> Gray:
    """Cut out the part with most ink whose sides are ``share`` of the page's."""
    ink = ink_of(reduced(gray, _GLANCE_SIDE), FAINTEST_INK)
    size = (max(1, round(ink.shape[1] * share)), max(1, round(ink.shape[0] * share)))
    # Anchored at the corner, each value is the mean of the part that starts there.
    amount = cv2.blur(ink.astype(np.float32), size, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    starts = amount[: ink.shape[0] - size[1] + 1, : ink.shape[1] - size[0] + 1]
    top, left = np.unravel_index(int(starts.argmax()), starts.shape)
    scale = gray.shape[0] / ink.shape[0]
    height, width = round(gray.shape[0] * share), round(gray.shape[1] * share)
    return gray[round(top * scale) :, round(left * scale) :][: max(1, height), : max(1, width)]


def print_only(page: Pixels) -> tuple[Pixels, Affine] | None:
    """Cut off blank margins; None where they are small, or there is nothing else."""
    marks = page.marks[page.marks[:, 2:4].max(axis=1) >= _LEAST_MARK] if len(page.marks) else page.marks
    if not len(marks):
        return None
    rows, columns = page.small.shape
    margin = _MARGIN * max(rows, columns)
    left, top = marks[:, 0].min() - margin, marks[:, 1].min() - margin
    right, bottom = (marks[:, 0] + marks[:, 3]).max() + margin, (marks[:, 1] + marks[:, 2]).max() + margin
    left, top, right, bottom = max(0, int(left)), max(0, int(top)), min(columns, int(right)), min(rows, int(bottom))
    if (right - left) * (bottom - top) > _WORTH_CUTTING * rows * columns:
        return None
    height, width = page.gray.shape
    down, across = height / rows, width / columns
    x, y = round(left * across), round(top * down)
    cut = page.gray[y : round(bottom * down), x : round(right * across)]
    return Pixels(np.ascontiguousarray(cut), contrast=page.contrast), shift(x, y)
