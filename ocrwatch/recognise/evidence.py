"""Evidence for an OCR result: letter-like components and the words over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.document import Word
from ocrwatch.recognise.affine import Affine
from ocrwatch.recognise.enhance import noise
from ocrwatch.recognise.enhance.crop import Window
from ocrwatch.recognise.enhance.invert import inverted, is_inverted
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.projective import Points

_DOUBT = 50.0
"""Confidence from which a word counts as evidence. In text read upside down, hardly any word has more."""

FEWEST_LETTERS = 10
"""Number of letter-like components from which a share of them is meaningful."""

_SHORTEST_WORD = 2
_LEGIBLE = 60.0
"""Confidence that at least one word has on any readable page; chosen, not measured on many blank pages."""

_BY_CHANCE = 0.005
"""Share of all components that form rows by chance: up to .0035 in smoothed noise, .06 and more on pages with text."""

_COARSE = 4
"""Pixels of the enhanced page per cell of the word mask."""

WORD_MARGIN = 0.25
"""Margin around a word's bounding box as a share of its height, for accents, dots and commas that stick out."""


def letter_centres(page: Pixels) -> Points:
    """Find the centres of the letter-like components of an unprocessed page.

    Returns an N x 2 array of x and y in pixels of ``page``.
    """
    if is_inverted(page):
        page = Pixels(inverted(page.gray))
    if (level := noise.noise_level(page.gray)) >= noise.NOISY:
        # Noise is so dense that some of it forms rows by chance.
        page = Pixels(noise.smoothed(page.gray, level))
    page = page.with_fine_survey
    letters = page.components[page.letters]
    if len(letters) < _BY_CHANCE * len(page.components):
        letters = letters[:0]
    left, top, height, width, _ = letters.T
    down, across = page.gray.shape[0] / page.survey.shape[0], page.gray.shape[1] / page.survey.shape[1]
    return np.stack([(left + width / 2) * across, (top + height / 2) * down], axis=1)


def evidence(words: Iterable[Word]) -> float:
    """Sum the letters and digits, weighted by the confidence of their words.

    The weight grows linearly from 0 at a confidence of 50 to 1 at 100.
    """
    return sum(sum(map(str.isalnum, word.text)) * max(0.0, sureness(word) - _DOUBT) / (100 - _DOUBT) for word in words)


def beyond_doubt(words: Iterable[Word]) -> list[Word]:
    """Return the words with a confidence of at least 50."""
    return [word for word in words if sureness(word) >= _DOUBT]


def sureness(word: Word) -> float:
    """Return a word's confidence, 0 to 100; 100 if its engine gives none, since there is nothing to choose by."""
    return 100.0 if word.confidence is None else word.confidence


def is_legible(words: Iterable[Word]) -> bool:
    """Return whether some word is too confident to be read from specks."""
    return any(
        sureness(word) >= _LEGIBLE and sum(map(str.isalnum, word.text)) >= min(_SHORTEST_WORD, len(word.text))
        for word in words
    )


def words_within(window: Window, words: Sequence[Word], to_page: Affine) -> list[Word]:
    """Return the words whose centre is within a window of the page.

    ``to_page`` maps their boxes to the page.
    """
    x, y = word_centres(words, to_page).T
    rows, columns = window
    inside = _between(y, rows) & _between(x, columns)
    return [word for word, chosen in zip(words, inside.tolist(), strict=True) if chosen]


def word_centres(words: Sequence[Word], to_page: Affine) -> Points:
    """Return the centres of words on the page, to which ``to_page`` maps their boxes.

    N x 2 array of x and y in pixels of the page.
    """
    boxes = [(word.box.left + word.box.right, word.box.top + word.box.bottom) for word in words]
    centres = np.array(boxes, np.float64).reshape(-1, 2) / 2
    return centres @ to_page[:, :2].T + to_page[:, 2]


def _between(values: npt.NDArray[np.float64], span: slice) -> npt.NDArray[np.bool_]:
    return (values >= (span.start or 0)) & (values < (np.inf if span.stop is None else span.stop))


def in_words(points: Points, words: Sequence[Word], to_page: Affine, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return for each of ``points`` whether it lies in the box of one of ``words``.

    The boxes are in an enhanced image of ``shape`` (rows, columns), which ``to_page`` maps to the pixels of
    ``points``.
    """
    covered = np.zeros((shape[0] // _COARSE + 1, shape[1] // _COARSE + 1), bool)
    for word in words:
        box = word.box
        margin = WORD_MARGIN * (box.bottom - box.top)
        # A box may be outside the image: the second reader reads the page before its margins are cropped.
        rows = slice(max(0, int(box.top - margin) // _COARSE), max(0, int(box.bottom + margin) // _COARSE + 1))
        columns = slice(max(0, int(box.left - margin) // _COARSE), max(0, int(box.right + margin) // _COARSE + 1))
        covered[rows, columns] = True
    to_enhanced = cv2.invertAffineTransform(to_page)
    x, y = ((points @ to_enhanced[:, :2].T + to_enhanced[:, 2]) // _COARSE).astype(np.intp).T
    inside = (x >= 0) & (y >= 0) & (x < covered.shape[1]) & (y < covered.shape[0])
    found = np.zeros(len(points), bool)
    found[inside] = covered[y[inside], x[inside]]
    return found
