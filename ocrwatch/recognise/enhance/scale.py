"""Scales text to the height at which Tesseract reads best.

Text that is too large takes longer in layout analysis, and letters and lines are split. Text that is too small loses
strokes. The measure is the text height in pixels, not the scan resolution, which says nothing about the type size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import Affine, scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import Components, letter_like
from ocrwatch.recognise.enhance.pixels import Pixels, find_components, halved, ink_of

BEST_TEXT_HEIGHT = 17.5
"""Target cap height in pixels for text that is mostly capitals and digits.

Measured with tesserocr 2.13 (Tesseract 5.5.4, ``eng``) at 14 to 19 pixels on 40 receipts as their scanner saved them
and 10 on an A4 glass at 600 dpi. From 15 to 19, word F1 varies randomly between .778 and .788 on receipts and between
.896 and .909 on A4, and time grows by 1.5 % for each pixel. 14 costs .01 of word F1; 16 loses some worn Chinese
characters. 19 compared with no preprocessing: receipts .696 instead of .684 in 93 % of the time, A4 .886 instead of
.835 in 37 %.
"""

BEST_RUNNING_HEIGHT = 17.25
"""Target cap height in pixels for running text, in which most letters are lower case.

Measured in the same way on 24 book pages at 300 dpi, narrowed to 90 %: the character error rate is .014 at 16, 17 and
18 pixels and .015 at 20, and time grows by 2.5 % for each pixel. At 12 pixels, not narrowed, it is .034. On two sets of
8 other pages, degraded in 16 ways, it is .0237 and .0114 at 16.5, and .0230 and .0111 at 17.25.
"""

BEST_LETTER_WIDTH = 0.45
"""Target letter width of running text: the median width as a share of the cap height.

Most of the time is spent in the LSTM network, which walks along the line, so narrower lines are read faster. Book pages
narrowed to 90, 85, 80 and 75 %, from a width of about 0.55, have character error rates of .014, .015, .016 and .017;
each step saves 4 % of the time. Capitals and digits need all their pixels: receipts lose .03 of word F1 at 90 %.
"""

NARROWEST = 0.8
"""Lowest horizontal factor. Below it, columns are merged on some pages."""

MIN_LETTER_WIDTH = 0.65
BROADEST = 1.25
"""Capitals and digits narrower than MIN_LETTER_WIDTH are widened, at most by BROADEST.

MIN_LETTER_WIDTH is a share of the cap height. Only images that are reduced are widened, since the scan has the pixels;
enlarging costs the same time and gains less. Measured at 19 pixels on the even and odd ones of 40 receipts, and of 10
scans on an A4 glass. Word F1 of receipts is .753 and .789 without widening and .772 and .795 with a width of 0.65; if
images that are not reduced are widened too, it is .778 and .794 in 3 % more time. Word F1 of A4 is .908 and .879
without, and .911 and .900 with 0.65. A limit of 1.5 costs 12 % of the time, a limit of 1.25 costs 9 %, with the same
word F1 within .004. At 17.5 pixels, receipts have .784 and .800 with 0.65 and .786 and .804 with 0.7, and A4 .909 and
.903, in 2 to 3 % more time.
"""

WORTH_REDUCING = 1 / 1.08
WORTH_ENLARGING = 1.3
"""Factors between these are not applied: the gain does not justify blurred strokes and a larger page."""

MAX_ENLARGEMENT = 2.0
"""Highest scale factor. Beyond it, an enlarged page has more pixels but no more detail."""

MOST_UNMEASURED = 20_000_000
"""Pixels to which a page without measurable text is reduced: slightly more than A3 at 300 dpi. Layout analysis takes
minutes for 100 megapixels full of dots."""

_MEASURABLE = 10.5
"""Minimum cap height on a reduced copy in pixels. Smaller letters merge and measure too tall; a larger copy is then
measured instead."""

# Shape of a letter: height in pixels, width as a share of the height, ink as a share of the bounding box.
_LETTER_HEIGHT = (6, 200)
_WIDEST_LETTER = 4.0
_NARROWEST_LETTER = 0.1
_LEAST_INK = 0.15

_FEWEST_LETTERS = 20
_MOST_SPECKS = 0.8
"""Maximum share of components smaller than a letter. Real pages have up to .73; pages with only noise mostly have more
than .8."""

_LEAST_IN_ROWS = 0.45
"""Minimum share of the letter-shaped components that form rows: .5 to 1 on real pages, 0 to .38 in noise."""

_TALLEST_CAPITAL = 1.6
"""Maximum height of a capital in multiples of the median letter height."""

_CAPITALS = 0.8
"""Cumulative share of all letter heights at which a capital is found, if there are few lower case letters."""

_GRAIN = 0.5
_SMALL = 0.8
_LEAST_TALL = 1.25
_RUNNING = (0.11, 0.6)
"""Share of tall letters in running text, lowest and highest: .13 to .44 on book pages, including skewed and faint ones.
Receipts and other text in capitals and digits have 0 to .08."""

_PIECE = 0.5
_PIECE_OF = 2.0
_LEAST_PIECE = 4
"""Sizes for :func:`fragmentation`: a piece of a letter is smaller than _PIECE cap heights, text is smaller than
_PIECE_OF cap heights, and noise has fewer than _LEAST_PIECE pixels."""

_TYPE_SIZE = 10 / 72 * 0.7
"""Cap height of 10-point type, in inches."""


@dataclass(frozen=True, slots=True)
class TextMetrics:
    """Text metrics of a page."""

    height: float
    """Cap height in pixels."""
    running: bool
    """Whether it is running text: most letters are lower case."""
    letter_width: float
    """Median letter width as a share of the cap height."""
    fragmentation: float
    """Share of the ink in pieces smaller than half a capital, 0 to 1."""

    @property
    def resolution(self) -> float:
        """Resolution in dpi at which the text would be 10-point type.

        Tesseract's layout analysis derives its distances from it.
        """
        return self.height / _TYPE_SIZE


_Sizes = npt.NDArray[np.int32]


def measure_text(page: Pixels) -> TextMetrics | None:
    """Measure the prevailing text; None if there are too few letters.

    Measures the letter-like connected components of the adaptively thresholded page. The median component is a lower
    case letter in running text and a capital on a receipt. Capitals are up to 1.6 times as tall as lower case letters,
    so taller components are headings and are ignored.
    """
    factor = page.gray.shape[0] / page.survey.shape[0]
    found = _measure(page.components)
    while factor > 1 and (found is None or found.height < _MEASURABLE):
        larger = page.gray
        while larger.shape[0] > 3 * page.gray.shape[0] / factor:
            larger = halved(larger)
        factor = page.gray.shape[0] / larger.shape[0]
        found = _measure(find_components(ink_of(larger, page.contrast)))
    return None if found is None else replace(found, height=found.height * factor)


def text_height(gray: Gray) -> float | None:
    """Return the cap height of the prevailing text in pixels of ``gray``.

    None if there is too little text.
    """
    found = measure_text(Pixels(gray))
    return None if found is None else found.height


def scale_factor(height: float | None, target: float) -> float:
    """Return the factor that scales text from ``height`` to ``target`` pixels.

    Returns 1.0 if the height is unknown or scaling is not worthwhile.
    """
    if height is None:
        return 1.0
    factor = min(target / height, MAX_ENLARGEMENT)
    return 1.0 if WORTH_REDUCING < factor < WORTH_ENLARGING else factor


def broaden_factor(found: TextMetrics) -> float:
    """Return the horizontal factor for text in capitals and digits, 1 to BROADEST."""
    return 1.0 if found.running else max(1.0, min(BROADEST, MIN_LETTER_WIDTH / found.letter_width))


def narrow_factor(found: TextMetrics) -> float:
    """Return the horizontal factor for running text, NARROWEST to 1."""
    return max(NARROWEST, min(1.0, BEST_LETTER_WIDTH / found.letter_width)) if found.running else 1.0


def resize(gray: Gray, across: float, down: float) -> tuple[Gray, Affine]:
    """Scale both sides, rounded to whole pixels. Returns image and map back."""
    height, width = gray.shape
    size = (max(1, round(width * across)), max(1, round(height * down)))
    # Area averaging is the only method of OpenCV that does not drop strokes when it reduces.
    method = cv2.INTER_AREA if down < 1 else cv2.INTER_CUBIC
    # The sides are rounded, so the map differs slightly from the factors.
    return cv2.resize(gray, size, interpolation=method), scaling(width / size[0], height / size[1])  # type: ignore[return-value]


def _measure(components: Components) -> TextMetrics | None:
    letters = _letters(components)
    if len(letters) < _FEWEST_LETTERS:
        return None
    heights, widths = letters[:, 2], letters[:, 3]
    # The median by number, in which lower case letters prevail, without specks, which can be as many.
    median = float(np.median(heights[heights >= _GRAIN * _weighted_percentile(heights, 0.5)]))
    usual = heights <= _TALLEST_CAPITAL * median
    heights, widths = heights[usual], widths[usual]
    tall = heights >= _LEAST_TALL * median
    least, most = _RUNNING
    running = bool(least <= np.count_nonzero(tall) / len(heights) <= most)
    # In running text, use only the tall letters: a percentile of all ink would depend on their share.
    capital = float(np.median(heights[tall])) if running else _weighted_percentile(heights, _CAPITALS)
    letter_width = float(np.median(widths[heights >= _SMALL * median]))
    return TextMetrics(capital, running, letter_width / capital, fragmentation(components, capital))


def _letters(components: Components) -> Components:
    """Return the letter-like components by height; none if the page is mostly noise."""
    height, width, area = components[:, 2:].T
    lowest, highest = _LETTER_HEIGHT
    letters = (
        (height >= lowest)
        & (height <= highest)
        & (width <= _WIDEST_LETTER * height)
        & (width >= _NARROWEST_LETTER * height)
        & (area >= _LEAST_INK * width * height)
    )
    # If nearly all components are smaller than a letter, the others are noise too.
    if np.count_nonzero(height < lowest) > _MOST_SPECKS * len(height):
        return components[:0]
    # Bars, pieces of pictures and barcodes do not form rows. If most components do not, it is a halftone or noise.
    in_rows = letters & letter_like(components)
    if np.count_nonzero(in_rows) < _LEAST_IN_ROWS * np.count_nonzero(letters):
        return components[:0]
    found: Components = components[in_rows]
    return found[np.argsort(found[:, 2])]


def fragmentation(components: Components, capital: float) -> float:
    """Return the share of the ink in pieces smaller than half a capital, 0 to 1.

    ``capital`` is the cap height in pixels.
    """
    height, width, area = components[:, 2:].T
    extent = np.maximum(height, width)
    letters = (extent < _PIECE_OF * capital) & (area >= _LEAST_PIECE)
    pieces = letters & (extent < _PIECE * capital)
    return float(area[pieces].sum()) / max(1.0, float(area[letters].sum()))


def _weighted_percentile(heights: _Sizes, share: float) -> float:
    """Return the height at which the sum of the sorted heights reaches ``share``."""
    sums = np.cumsum(heights)
    return float(heights[np.searchsorted(sums, sums[-1] * share)])
