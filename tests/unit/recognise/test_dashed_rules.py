"""Rules made of dashes are left out, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from ocrwatch.recipe import EnhanceOptions
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance import enhance
from ocrwatch.recognise.enhance.dashed_rules import find_dashes
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.scale import BROADEST, MIN_LETTER_WIDTH, TextMetrics, broaden_factor
from tests.rendering import draw

LINES = ["TAX INVOICE 2041", "1 TEA AND 2 BUNS 14.30", "TOTAL AMOUNT DUE 14.30", "THANK YOU AND COME AGAIN"]
CAPITAL = 17.0
FONT = 24


def drawn(*lines: str) -> Gray:
    """Draw lines whose capitals are CAPITAL pixels tall."""
    return np.asarray(draw("\n".join(lines), size=FONT))


def test_a_rule_is_found() -> None:
    """Of a receipt whose parts are separated by dashes, only these are found."""
    page = drawn(LINES[0], "-" * 30, *LINES[1:3], "- " * 20, LINES[3])
    found = find_dashes(page, CAPITAL, 50)
    assert len(found) == 50
    assert len({int(top) for top in found[:, 1]}) == 2


@pytest.mark.parametrize("text", ["TEL 1-300-888-333", "A - B - C - D - E - F", "SEE --> PAGE 2", "EXTRA-LONG-WORDS"])
def test_dashes_within_text_stay(text: str) -> None:
    """Hyphens, arrows and dashes between words are print."""
    assert len(find_dashes(drawn(*LINES, text), CAPITAL, 50)) == 0


def test_a_page_without_print_has_no_rules() -> None:
    """Blank pages and such as are smaller than a letter have none."""
    for shape in ((400, 300), (1, 1), (3, 500)):
        assert len(find_dashes(np.full(shape, 255, np.uint8), CAPITAL, 50)) == 0


def test_rules_become_paper() -> None:
    """Where a rule was is paper, and the letters keep their pixels; without the step, it stays."""
    lines = ["TAX INVOICE 2041 TO 4711", "-" * 40, *LINES[1:]]
    cleared = enhance(Pixels(drawn(*lines)), EnhanceOptions())
    assert "rules 40" in cleared.steps
    kept = enhance(Pixels(drawn(*lines)), EnhanceOptions(rules=False))
    differs = np.flatnonzero((cleared.gray != kept.gray).any(axis=1))
    assert np.ptp(differs) < CAPITAL / 2
    assert cleared.gray[differs].min() == 255


@pytest.mark.parametrize(("letter_width", "factor"), [(0.75, 1.0), (0.6, MIN_LETTER_WIDTH / 0.6), (0.3, BROADEST)])
def test_narrow_capitals_are_made_broader(letter_width: float, factor: float) -> None:
    """By what they lack, but not without limit; running text is not."""
    assert broaden_factor(
        TextMetrics(20.0, running=False, letter_width=letter_width, fragmentation=0.0)
    ) == pytest.approx(factor)
    assert broaden_factor(TextMetrics(20.0, running=True, letter_width=letter_width, fragmentation=0.0)) == 1.0


def test_strokes_of_characters_stay() -> None:
    """Strokes in a row that have others between them, as in Chinese characters, are print."""
    page = np.full((300, 900), 255, np.uint8)
    for x in range(100, 800, 30):
        page[100:104, x : x + 20] = 0
    assert len(find_dashes(page, CAPITAL, 50)) == 24
    for x in range(100, 800, 30):
        page[90:115, x + 23 : x + 26] = 0
    assert len(find_dashes(page, CAPITAL, 50)) == 0
