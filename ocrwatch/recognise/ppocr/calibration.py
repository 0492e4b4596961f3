"""What a score of the recognition network means: the confidence at which Tesseract is right as often.

The network is sure of nearly everything: of words with a score of .95, a third is wrong. Made by ``python -m
tests.bench.calibrate`` (see there): for both readers, words of real scans in order of their score, in groups; a score
stands for the confidence of the group that is right as often.
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
"""Score, 0 to 1, and confidence, 0 to 100; between them lie straight lines."""

_SCORES, _CONFIDENCES = zip(*TABLE, strict=True)


def confidence_of(score: float) -> float:
    """Return the confidence, 0 to 100, that a word's score, 0 to 1, stands for."""
    return float(np.interp(score, _SCORES, _CONFIDENCES))
