"""Shaded boxes: the text of table cells, headings and bars is put on paper, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.enhance.shades import find_boxes, without_shades

SIZE = 1000, 1200
CELL = 220, 60
FONT = 22


def table(shades: list[list[int]], inks: list[list[int]], *, rule: int = 3, paper: int = 255) -> Gray:
    """Draw a page with a table of shaded cells, with rules as white as the paper between them."""
    page = Image.new("L", SIZE, paper)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(FONT)
    for row, (levels, colours) in enumerate(zip(shades, inks, strict=True)):
        for column, (shade, ink) in enumerate(zip(levels, colours, strict=True)):
            left, top = 100 + column * (CELL[0] + rule), 300 + row * (CELL[1] + rule)
            pen.rectangle((left, top, left + CELL[0] - 1, top + CELL[1] - 1), fill=shade)
            pen.text((left + 20, top + 15), f"Harbour {row}{column}", fill=ink, font=font)
    pen.text((100, 150), "The harbour office opened on Monday", fill=0, font=font)
    return np.asarray(page)


def evened(page: Gray) -> tuple[Gray, int]:
    """Return the page without its shades, and their number."""
    pixels = Pixels(page)
    found = find_boxes(pixels)
    return without_shades(pixels, found).gray, len(found)


def difference(first: Gray, second: Gray) -> float:
    """Share of the pixels that differ clearly."""
    return np.count_nonzero(cv2.absdiff(first, second) > 40) / first.size


@pytest.mark.parametrize(("shade", "ink"), [(150, 255), (90, 255), (0, 255), (220, 0), (130, 0), (200, 10)])
def test_text_in_shaded_cells_is_put_on_paper(shade: int, ink: int) -> None:
    """Cells of any shade become paper, and their text dark, whether it was lighter or darker."""
    page, number = evened(table([[shade] * 3] * 4, [[ink] * 3] * 4))
    assert number == 12
    plain = table([[255] * 3] * 4, [[0] * 3] * 4)
    assert difference(page, plain) < 0.002
    assert np.count_nonzero(page < 100) > 0.8 * np.count_nonzero(plain < 100)


@pytest.mark.parametrize(("rule", "boxes"), [(0, 7), (1, 9), (3, 9)])
def test_cells_of_different_shades(rule: int, boxes: int) -> None:
    """Neighbouring cells have their own shades; without rules, those of one shade are one box."""
    shades = [[60, 215, 150], [60, 150, 215], [60, 215, 150]]
    inks = [[255, 0, 255], [255, 255, 0], [255, 0, 255]]
    page, number = evened(table(shades, inks, rule=rule))
    assert number == boxes
    assert difference(page, table([[255] * 3] * 3, [[0] * 3] * 3, rule=rule)) < 0.002


def test_pages_askew_and_scanned() -> None:
    """A box is found on a page that is askew, soft and noisy, of grey paper."""
    page = table([[150] * 3] * 4, [[255] * 3] * 4).astype(np.float32)
    turned = cv2.warpAffine(page, cv2.getRotationMatrix2D((500, 600), 1.5, 1), SIZE, borderValue=255.0)
    noise = np.random.default_rng(1).normal(0, 2.5, turned.shape)
    soft = np.clip(cv2.GaussianBlur(turned, (0, 0), 0.8) * 0.9 + noise, 0, 255).astype(np.uint8)
    result, number = evened(soft)
    assert number == 12
    inside = result[320:520, 150:700]
    assert np.percentile(inside, 60) > 215
    assert inside.min() < 60


def test_pages_larger_than_the_survey_copy() -> None:
    """The pixels of the whole page are changed up to the edge of each box."""
    cells = table([[150] * 2] * 2, [[255] * 2] * 2)
    page, number = evened(cv2.resize(cells, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))  # type: ignore[arg-type]
    assert number == 4
    plain = table([[255] * 2] * 2, [[0] * 2] * 2)
    assert difference(page, cv2.resize(plain, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)) < 0.004  # type: ignore[arg-type]


def test_cells_full_of_text() -> None:
    """A cell whose text touches its edges is known by the shade of the others."""
    page = Image.fromarray(table([[210] * 3] * 3, [[0] * 3] * 3))
    pen = ImageDraw.Draw(page)
    pen.rectangle((100, 300, 319, 321), fill=210)
    pen.rectangle((100, 322, 319, 359), fill=255)
    pen.text((101, 298), "WMMNHEBW WMHNE", fill=0, font=ImageFont.load_default(FONT))
    full, number = evened(np.asarray(page))
    assert number == 9
    assert np.median(full[303:318, 105:315]) == 255


def test_boxes_without_text_stay() -> None:
    """A bar or a cell that is empty is not changed."""
    page = np.full((1200, 1000), 255, np.uint8)
    page[300:340, 100:800] = 0
    page[500:540, 100:800] = 160
    assert evened(page)[1] == 0


def test_pages_with_shadows_stay() -> None:
    """Cells within rules are not shaded because a shadow lies on the page."""
    page = Image.fromarray(table([[255] * 3] * 8, [[0] * 3] * 8))
    pen = ImageDraw.Draw(page)
    for row in range(9):
        pen.line((98, 298 + 63 * row, 768, 298 + 63 * row), fill=0, width=3)
    for column in range(4):
        pen.line((98 + 223 * column, 298, 98 + 223 * column, 802), fill=0, width=3)
    for light in (np.linspace(0.6, 1, 1000)[None], np.linspace(0.6, 1, 1200)[:, None], np.linspace(0.9, 1, 1000)[None]):
        assert evened((np.asarray(page) * light).astype(np.uint8))[1] == 0


def test_photographs_stay() -> None:
    """A gradient, an ellipse, and what has texture are no boxes, even with text on them."""
    page = np.asarray(table([[255]], [[0]])).copy()
    rows, columns = np.indices((300, 600))
    page[500:800, 100:700] = 60 + rows // 4 + columns // 6
    cv2.ellipse(page, (400, 980), (250, 120), 0, 0, 360, 130, -1)
    texture = np.random.default_rng(1).normal(130, 25, (90, 600))
    page[50:140, 100:700] = np.clip(texture, 0, 255)
    drawn = Image.fromarray(page)
    pen = ImageDraw.Draw(drawn)
    for top in (80, 640, 980):
        pen.text((250, top), "The harbour at nine", fill=255, font=ImageFont.load_default(FONT))
    assert evened(np.asarray(drawn))[1] == 0


def test_surroundings_stay() -> None:
    """An area that reaches the edge of the image is not a box."""
    page = np.full((1200, 1000), 255, np.uint8)
    page[:200] = page[1000:] = 150
    page[:, :60] = 150
    page[100:110, 200:500] = page[1100:1110, 200:500] = 255
    assert evened(page)[1] == 0
