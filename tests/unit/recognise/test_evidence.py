"""What speaks for a reading of a page."""

from __future__ import annotations

import numpy as np

from ocrwatch.document import Box, Word
from ocrwatch.recognise.affine import scaling
from ocrwatch.recognise.evidence import in_words

MARKS = np.array([(x, y) for x in (5.0, 50.0, 95.0) for y in (5.0, 50.0, 95.0)])


def read(box: Box) -> int:
    """Count the marks that lie in a word of a page of 100 x 100 pixels."""
    found = in_words(MARKS, [Word("word", box, 90.0)], scaling(1.0, 1.0), (100, 100))
    return int(np.count_nonzero(found))


def test_marks_in_a_word_are_read() -> None:
    """A mark counts if it lies in the word's box, or hardly outside."""
    assert read(Box(40, 40, 60, 60)) == 1
    assert read(Box(0, 0, 100, 100)) == 9


def test_a_word_outside_of_the_page_reads_nothing_on_it() -> None:
    """Boxes above, left of and beyond the image, as of words on a margin that was cut off, cover no mark."""
    for box in (Box(0, -60, 100, -30), Box(-60, 0, -30, 100), Box(0, 130, 100, 160), Box(130, 0, 160, 100)):
        assert read(box) == 0
