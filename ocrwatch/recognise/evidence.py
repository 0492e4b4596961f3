"""What speaks for a reading of a page: the letter-like marks of the page as it came, and which of them it has read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.document import Word
from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.enhance import noise
from ocrwatch.recognise.enhance.invert import inverted, is_inverted
from ocrwatch.recognise.enhance.part import Places, Window
from ocrwatch.recognise.enhance.pixels import Pixels

_DOUBT = 50.0
"""Confidence from which a word speaks for the way it was read: in upside-down text hardly any has more."""

_BY_CHANCE = 0.005
"""Share of all marks that stand in rows by chance: up to .0035 in smoothed noise, .06 and more on pages with print."""

_COARSE = 4
"""Pixels of the enhanced page that one of the map of words stands for."""

_MARGIN = 0.25
"""Share of a word's height by which its box is grown: accents, dots and commas stick out."""


def letter_places(page: Pixels) -> Places:
    """Find the middles of the letter-like marks on a page as it came: rows of x and y in its pixels."""
    if is_inverted(page):
        page = Pixels(inverted(page.gray))
    if (level := noise.noise_level(page.gray)) >= noise.NOISY:
        # Grain is so dense that some of it stands in rows by chance.
        page = Pixels(noise.smoothed(page.gray, level))
    page = page.resolved
    letters = page.marks[page.letters]
    if len(letters) < _BY_CHANCE * len(page.marks):
        letters = letters[:0]
    left, top, height, width, _ = letters.T
    down, across = page.gray.shape[0] / page.small.shape[0], page.gray.shape[1] / page.small.shape[1]
    return np.stack([(left + width / 2) * across, (top + height / 2) * down], axis=1)


def evidence(words: Iterable[Word]) -> float:
    """Add up letters and figures, each counting by how far its word is beyond doubt."""
    return sum(sum(map(str.isalnum, word.text)) * max(0.0, word.confidence - _DOUBT) / (100 - _DOUBT) for word in words)


def beyond_doubt(words: Iterable[Word]) -> list[Word]:
    """Choose the words that speak for the way they were read."""
    return [word for word in words if word.confidence >= _DOUBT]


def words_within(window: Window, words: Sequence[Word], to_given: Affine) -> list[Word]:
    """Choose the words whose middle lies in a window of the page, to which ``to_given`` maps their boxes."""
    x, y = middles_of(words, to_given).T
    rows, columns = window
    inside = _between(y, rows) & _between(x, columns)
    return [word for word, chosen in zip(words, inside.tolist(), strict=True) if chosen]


def middles_of(words: Sequence[Word], to_given: Affine) -> Places:
    """Return the middles of words, whose boxes ``to_given`` maps to the page."""
    boxes = [(word.box.left + word.box.right, word.box.top + word.box.bottom) for word in words]
    middles = np.array(boxes, np.float64).reshape(-1, 2) / 2
    return middles @ to_given[:, :2].T + to_given[:, 2]


def _between(values: npt.NDArray[np.float64], span: slice) -> npt.NDArray[np.bool_]:
    return (values >= (span.start or 0)) & (values < (np.inf if span.stop is None else span.stop))


def in_words(places: Places, words: Sequence[Word], to_given: Affine, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Tell which of ``places`` lie in the box of one of ``words``.

    The boxes are in an enhanced image of ``shape`` (rows, columns), which ``to_given`` maps to the pixels that
    ``places`` are in.
    """
    covered = np.zeros((shape[0] // _COARSE + 1, shape[1] // _COARSE + 1), bool)
    for word in words:
        box = word.box
        margin = _MARGIN * (box.bottom - box.top)
        # A box may lie outside: the second reader reads the page before its margins were cut.
        rows = slice(max(0, int(box.top - margin) // _COARSE), max(0, int(box.bottom + margin) // _COARSE + 1))
        columns = slice(max(0, int(box.left - margin) // _COARSE), max(0, int(box.right + margin) // _COARSE + 1))
        covered[rows, columns] = True
    to_enhanced = cv2.invertAffineTransform(to_given)
    x, y = ((places @ to_enhanced[:, :2].T + to_enhanced[:, 2]) // _COARSE).astype(np.intp).T
    inside = (x >= 0) & (y >= 0) & (x < covered.shape[1]) & (y < covered.shape[0])
    found = np.zeros(len(places), bool)
    found[inside] = covered[y[inside], x[inside]]
    return found
