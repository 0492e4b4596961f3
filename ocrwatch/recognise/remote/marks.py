"""Letter-like marks of a page, which witness what a service did not read.

A service may leave out half a page, and a language model may do so without a sign of doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ocrwatch.document import UNPLACED, Word
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.evidence import FEWEST_LETTERS, beyond_doubt, in_words
from ocrwatch.recognise.projective import Points

_CLEARLY_FEWER: Final = 0.5
"""Letters without places to a mark, below which some marks must be unread.

Adjoining letters are one mark: 33 receipts and book pages that were read whole have .96 to 4.7 letters to a mark.
"""


def packed_marks(centres: Points) -> bytes:
    """Return centres of marks, an N x 2 array, as 32-bit floats."""
    return centres.astype("<f4").tobytes()


def unread_share(marks: bytes, words: Sequence[Word], width: int, height: int) -> float | None:
    """Return the share, 0 to 1, of the marks on an original of ``width`` x ``height`` that are in no confident word.

    Words without a place have no marks of their own. With such words the share is None, unless they have so much fewer
    letters than marks are left that a part of the page must be unread. None if there are too few marks, too.
    """
    points = np.frombuffer(marks, "<f4").reshape(-1, 2).astype(np.float64)
    if len(points) < FEWEST_LETTERS:
        return None
    sure = beyond_doubt(words)
    placed = [word for word in sure if word.box != UNPLACED]
    read = in_words(points, placed, scaling(1.0, 1.0), (height, width))
    unread = len(points) - int(np.count_nonzero(read))
    if len(placed) == len(sure):
        return unread / len(points)
    letters = sum(sum(map(str.isalnum, word.text)) for word in sure if word.box == UNPLACED)
    return (unread - letters) / len(points) if letters < _CLEARLY_FEWER * unread else None
