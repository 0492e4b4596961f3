"""What a score of the recognition network means: the confidence at which Tesseract is right as often.

The network is sure of nearly everything: of words with a score of .95, a third is wrong. Made by ``python -m
tests.bench.calibrate`` (see there): for both readers, words of real scans in order of their score, in groups; a score
stands for the confidence of the group that is right as often.
"""

from __future__ import annotations

import numpy as np

TABLE = (
    (0.0, 0.0),
    (0.5, 10.0),
    (0.7, 25.0),
    (0.8, 40.0),
    (0.875, 60.0),
    (0.915, 64.0),
    (0.945, 68.0),
    (0.97, 86.0),
    (0.985, 89.0),
    (0.995, 92.0),
    (0.9995, 96.0),
    (1.0, 97.0),
)
"""Score, 0 to 1, and confidence, 0 to 100; between them lie straight lines."""

_SCORES, _CONFIDENCES = zip(*TABLE, strict=True)


def confidence_of(score: float) -> float:
    """Return the confidence, 0 to 100, that a word's score, 0 to 1, stands for."""
    return float(np.interp(score, _SCORES, _CONFIDENCES))
