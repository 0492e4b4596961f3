"""Calibrates scores of the recognition network to Tesseract's confidence scale.

The network is overconfident: of words with a score of .95, a third is wrong. The table was made by ``python -m
tests.bench.calibrate`` (see there): words of real scans are sorted by score and grouped, for both readers; a score maps
to the confidence of the Tesseract group with the same share of correct words.
"""

from __future__ import annotations

import numpy as np

TABLE = (
    (0.0, 0.0),
    (0.4368, 33.4),
    (0.8351, 52.4),
    (0.9343, 72.6),
    (0.9707, 84.1),
    (0.9853, 85.1),
    (0.9929, 89.5),
    (0.9968, 93.0),
    (0.999, 93.1),
    (0.9999, 96.1),
    (1.0, 97.0),
)
"""Score, 0 to 1, and confidence, 0 to 100; interpolated linearly."""

_SCORES, _CONFIDENCES = zip(*TABLE, strict=True)


def confidence_of(score: float) -> float:
    """Return the confidence, 0 to 100, for a word's score, 0 to 1."""
    return float(np.interp(score, _SCORES, _CONFIDENCES))
