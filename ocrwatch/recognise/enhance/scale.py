"""Bring the text to the height at which Tesseract reads best.

Too large costs twice: layout analysis takes longer, and single letters and lines are torn apart. Too small loses
strokes. What counts is the text's height in pixels, not the scan's resolution, which says nothing about the type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ocrwatch.recognise.affine import Affine, scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.letters import Marks, letter_like
from ocrwatch.recognise.enhance.pixels import Pixels, halved, ink_of, marks_of

BEST_TEXT_HEIGHT = 17.5
"""Capital height in pixels, for print that is mostly capitals and figures.

Measured with tesserocr 2.13 (Tesseract 5.5.4, ``eng``) at 14 to 19 pixels on 40 receipts as their scanner saved them
and 10 on an A4 glass at 600 dpi. From 15 to 19 word F1 goes up and down by chance, between .778 and .788 on receipts
and .896 and .909 on A4, and time grows by 1.5 % a pixel; 14 costs .01, and 16 some worn Chinese characters. Nineteen
against the page as it is, without the other steps: receipts .684 to .696 in 93 % of the time, A4 .835 to .886 in 37 %.
"""

BEST_RUNNING_HEIGHT = 17.25
"""The same for running text, in which most letters are small.

Measured likewise on 24 book pages at 300 dpi, narrowed to 90 %: the character error rate is .014 at 16, 17 and 18
pixels and .015 at 20, and time grows by 2.5 % a pixel. At 12 pixels, not narrowed, it is .034. On 8 and 8 other pages
spoilt in 16 ways it is .0237 and .0114 at 16.5, and .0230 and .0111 at 17.25.
"""

BEST_BREADTH = 0.45
"""Width of the middling letter as a share of the capitals' height to which running text is narrowed.

Most of the time goes into the network, which walks along the line: narrower lines are read faster. Book pages narrowed
to 90, 85, 80 and 75 %, from a breadth of about 0.55, have character error rates of .014, .015, .016 and .017, each in
4 % less time than the one before. Capitals and figures need all their pixels: receipts lose .03 of word F1 at 90 %.
"""

NARROWEST = 0.8
"""Below, columns are run together on some pages."""

LEAST_BREADTH = 0.65
BROADEST = 1.25
"""Capitals and figures narrower than this share of their height are made broader, but not by more than BROADEST.

Only where pixels are dropped: the scan has them, and enlarging costs the same time and brings less. Measured at 19
pixels on the even and the odd ones of 40 receipts, and of 10 on an A4 glass. Word F1 of receipts is .753 and .789 as
they are, .772 and .795 from a breadth of 0.65, and .778 and .794 if those are broadened, too, from which nothing is
dropped, in 3 % more time; of the others .908 and .879 as they are, and .911 and .900 from 0.65. Up to 1.5 times costs
12 % of the time, and up to 1.25 times 9 % for the same word F1 within .004. At 17.5 pixels, receipts have .784 and .800
from 0.65 and .786 and .804 from 0.7, and A4 .909 and .903, in 2 to 3 % more time.
"""

WORTH_REDUCING = 1 / 1.08
WORTH_ENLARGING = 1.3
"""Factors between these change nothing: what is read better does not pay for blurred strokes and a larger page."""

MAX_ENLARGEMENT = 2.0
"""Beyond, an enlarged page only has more pixels, not more to read."""

MOST_UNMEASURED = 20_000_000
"""Pixels to which a page without measurable print is reduced, a little more than A3 at 300 dots per inch. Of 100
megapixels full of dots, layout analysis takes minutes."""

_MEASURABLE = 10.5
"""Pixels of capital height on a reduced copy; letters that are smaller there run into each other and measure too tall,
so that a larger copy is measured instead."""

# What may be a letter: pixels of height, width and ink as shares of the height and of the box.
_LETTER_HEIGHT = (6, 200)
_WIDEST_LETTER = 4.0
_NARROWEST_LETTER = 0.1
_LEAST_INK = 0.15

_FEWEST_LETTERS = 20
_MOST_SPECKS = 0.8
"""Share of marks smaller than a letter; up to .73 on real pages, mostly above .8 where there is only noise."""

_LEAST_IN_ROWS = 0.45
"""Share of what may be letters by its size and shape that stands in rows; .5 to 1 on real pages, 0 to .38 in noise."""

_TALLEST_CAPITAL = 1.6
"""Times the height of the median letter."""

_CAPITALS = 0.8
"""Share of all ink height that lies in letters up to a capital's, where there are few small ones."""

_GRAIN = 0.5
_SMALL = 0.8
_LEAST_TALL = 1.25
_RUNNING = (0.11, 0.6)
"""Share of tall letters among all in running text: .13 to .44 on book pages, also crooked and faint ones; receipts and
other print in capitals and figures have 0 to .08."""

_PIECE = 0.5
_PIECE_OF = 2.0
_LEAST_PIECE = 4
"""Capital heights up to which a mark is a piece of a letter, and is print at all; pixels from which it is no grain."""

_TYPE_SIZE = 10 / 72 * 0.7
"""Height of the capitals of ten-point type, in inches."""


@dataclass(frozen=True, slots=True)
class Print:
    """What a page is printed in."""

    height: float
    """Of capitals, in pixels."""
    running: bool
    """Whether most letters are small ones."""
    breadth: float
    """Width of the middling letter as a share of the capitals' height."""
    broken: float
    """Share of the ink in pieces smaller than half a capital."""

    @property
    def resolution(self) -> float:
        """Dots per inch at which this were ten-point type. Layout analysis takes its distances from it."""
        return self.height / _TYPE_SIZE


_Sizes = npt.NDArray[np.int32]


def measure_print(page: Pixels) -> Print | None:
    """Measure the prevailing letters; None where there are too few to tell.

    Connected components of the locally thresholded page that may be letters by their size, shape and ink. The median
    one is a small letter in running text and a capital on a receipt. Capitals are up to 1.6 times as tall as small
    letters, so that what is taller belongs to headings and is left out.
    """
    factor = page.gray.shape[0] / page.small.shape[0]
    found = _measure(page.marks)
    while factor > 1 and (found is None or found.height < _MEASURABLE):
        larger = page.gray
        while larger.shape[0] > 3 * page.gray.shape[0] / factor:
            larger = halved(larger)
        factor = page.gray.shape[0] / larger.shape[0]
        found = _measure(marks_of(ink_of(larger, page.contrast)))
    return None if found is None else replace(found, height=found.height * factor)


def text_height(gray: Gray) -> float | None:
    """Height of the prevailing text's capitals in pixels of ``gray``; None where there is too little to tell."""
    found = measure_print(Pixels(gray))
    return None if found is None else found.height


def scale_factor(height: float | None, target: float) -> float:
    """Factor that brings text of ``height`` to ``target`` pixels; 1.0 where unknown or not worth it."""
    if height is None:
        return 1.0
    factor = min(target / height, MAX_ENLARGEMENT)
    return 1.0 if WORTH_REDUCING < factor < WORTH_ENLARGING else factor


def broadening(found: Print) -> float:
    """Factor for the width of print that is mostly capitals and figures, 1 to BROADEST."""
    return 1.0 if found.running else max(1.0, min(BROADEST, LEAST_BREADTH / found.breadth))


def narrowing(found: Print) -> float:
    """Factor for the width of running text, NARROWEST to 1."""
    return max(NARROWEST, min(1.0, BEST_BREADTH / found.breadth)) if found.running else 1.0


def resize(gray: Gray, across: float, down: float) -> tuple[Gray, Affine]:
    """Scale both sides, rounded to whole pixels; with the map back."""
    height, width = gray.shape
    size = (max(1, round(width * across)), max(1, round(height * down)))
    # Area averaging is the only one of OpenCV's methods that does not drop strokes when it reduces.
    method = cv2.INTER_AREA if down < 1 else cv2.INTER_CUBIC
    # Sides are rounded, so that the map is not quite the factor.
    return cv2.resize(gray, size, interpolation=method), scaling(width / size[0], height / size[1])  # type: ignore[return-value]


def _measure(marks: Marks) -> Print | None:
    letters = _letters(marks)
    if len(letters) < _FEWEST_LETTERS:
        return None
    heights, widths = letters[:, 2], letters[:, 3]
    # By number, in which small letters prevail, but without the grains that are as many.
    median = float(np.median(heights[heights >= _GRAIN * _weighted_percentile(heights, 0.5)]))
    usual = heights <= _TALLEST_CAPITAL * median
    heights, widths = heights[usual], widths[usual]
    tall = heights >= _LEAST_TALL * median
    least, most = _RUNNING
    running = bool(least <= np.count_nonzero(tall) / len(heights) <= most)
    # Of running text the tall letters alone, as a share of all ink moves with the share of tall letters.
    capital = float(np.median(heights[tall])) if running else _weighted_percentile(heights, _CAPITALS)
    breadth = float(np.median(widths[heights >= _SMALL * median]))
    return Print(capital, running, breadth / capital, brokenness(marks, capital))


def _letters(marks: Marks) -> Marks:
    """Those that may be letters, by height; none where the page is mostly noise."""
    height, width, area = marks[:, 2:].T
    lowest, highest = _LETTER_HEIGHT
    letters = (
        (height >= lowest)
        & (height <= highest)
        & (width <= _WIDEST_LETTER * height)
        & (width >= _NARROWEST_LETTER * height)
        & (area >= _LEAST_INK * width * height)
    )
    # Where nearly everything is smaller than a letter, what is not is a grain of noise, too.
    if np.count_nonzero(height < lowest) > _MOST_SPECKS * len(height):
        return marks[:0]
    # Bars, pieces of pictures and codes stand in no rows; and if most of a page does not, it is a halftone or noise.
    in_rows = letters & letter_like(marks)
    if np.count_nonzero(in_rows) < _LEAST_IN_ROWS * np.count_nonzero(letters):
        return marks[:0]
    found: Marks = marks[in_rows]
    return found[np.argsort(found[:, 2])]


def brokenness(marks: Marks, capital: float) -> float:
    """Share of the ink in pieces smaller than half a capital, which is ``capital`` pixels tall."""
    height, width, area = marks[:, 2:].T
    extent = np.maximum(height, width)
    letters = (extent < _PIECE_OF * capital) & (area >= _LEAST_PIECE)
    pieces = letters & (extent < _PIECE * capital)
    return float(area[pieces].sum()) / max(1.0, float(area[letters].sum()))


def _weighted_percentile(heights: _Sizes, share: float) -> float:
    """Find the height below which ``share`` of the sum of all (sorted) heights lies."""
    sums = np.cumsum(heights)
    return float(heights[np.searchsorted(sums, sums[-1] * share)])
