"""Boxes find their way back to the original's pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocrwatch.document import Box
from ocrwatch.recognise.affine import compose, map_box, scaling

SIDES = st.integers(0, 500)


def test_composition_applies_the_inner_map_first() -> None:
    """A shift followed by doubling moves twice as far as doubling followed by the shift."""
    shift = np.array([[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]])
    box = Box(0, 0, 5, 5)
    assert map_box(box, compose(scaling(2, 2), shift), width=100, height=100) == Box(20, 0, 30, 10)
    assert map_box(box, compose(shift, scaling(2, 2)), width=100, height=100) == Box(10, 0, 20, 10)


def test_a_turned_box_is_surrounded() -> None:
    """A quarter turn swaps a box's sides."""
    quarter = np.array([[0.0, -1.0, 100.0], [1.0, 0.0, 0.0]])
    assert map_box(Box(10, 20, 30, 70), quarter, width=100, height=100) == Box(30, 10, 80, 30)


@given(SIDES, SIDES, SIDES, SIDES, st.floats(0.01, 10))
def test_mapped_boxes_lie_on_the_page(left: int, top: int, width: int, height: int, factor: float) -> None:
    """However a box is scaled, it stays on the page and keeps at least one pixel."""
    box = map_box(Box(left, top, left + width, top + height), scaling(factor, factor), width=300, height=200)
    assert 0 <= box.left < box.right <= 300
    assert 0 <= box.top < box.bottom <= 200
