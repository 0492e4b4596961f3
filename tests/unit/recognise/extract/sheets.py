"""Pages for the tests of the table finder: text and rules where they are wanted, as if each word had been read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocrwatch.document import Box, Line, Page, Quad, Table, Upright, Word
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.tables import with_tables
from tests.table_images import DrawnCell, DrawnTable

PORTS = (
    ("Port", "Ships", "Cargo", "Fees"),
    ("Bergen", "12", "1,340", "88.20"),
    ("Oslo", "7", "905", "41.75"),
    ("Malmo", "31", "2,218", "102.10"),
    ("Riga", "4", "77", "9.50"),
)
"""A row of headings, and four of data."""

PROSE = (
    "Each page is put on the glass by hand, and the lid is closed before the lamp has",
    "warmed up. The figures below were taken from the books of that year, which were",
    "kept by the harbour office until the fire, and nobody has counted them since then.",
    "Whoever wants to know more asks the widow of the last clerk, who lives by the mill.",
    "She has seen most of these ships, and remembers what the captains said of the town.",
    "In winter she reads old letters aloud to the children of the neighbours, and no one",
    "falls asleep before the end, for in each of them there is a storm and a lost anchor.",
    "The letters are kept in a box of oak, and the box is kept where the cat cannot go.",
)

Matrix = NDArray[np.float64]


class Sheet:
    """A page to write and draw on."""

    def __init__(self, width: int = 1000, height: int = 800, paper: int = 255) -> None:
        self.image = Image.new("L", (width, height), paper)
        self.words: list[tuple[str, Box]] = []
        self._pen = ImageDraw.Draw(self.image)

    def write(self, text: str, left: float, top: float, *, size: int = 28, ink: int = 0) -> None:
        """Write a line of text."""
        font = ImageFont.load_default(size)
        for word in text.split():
            self._pen.text((left, top), word, fill=ink, font=font)
            self.words.append((word, _rounded(self._pen.textbbox((left, top), word, font=font))))
            left += font.getlength(f"{word} ")

    def write_to(self, right: float, text: str, top: float, *, size: int = 28) -> None:
        """Write a line of text that ends at ``right``."""
        self.write(text, right - ImageFont.load_default(size).getlength(text), top, size=size)

    def justify(self, text: str, left: float, right: float, top: float, *, size: int = 28) -> None:
        """Write a line of text from edge to edge."""
        font = ImageFont.load_default(size)
        words = text.split()
        space = (right - left - sum(map(font.getlength, words))) / max(1, len(words) - 1)
        for word in words:
            self.write(word, left, top, size=size)
            left += font.getlength(word) + space

    def rule(self, *ends: float, ink: int = 0, width: int = 3) -> None:
        """Draw a line from x, y to x, y."""
        self._pen.line(ends, fill=ink, width=width)

    def shade(self, *corners: float, paper: int) -> None:
        """Fill a rectangle; before anything is written there."""
        self._pen.rectangle(corners, fill=paper)

    def paste(self, table: DrawnTable, left: int, top: int) -> None:
        """Put a table with its margins somewhere."""
        self.image.paste(table.image, (left, top))
        self.words += [(text, moved(box, left, top)) for text, box in table.words]

    @property
    def drawn(self) -> DrawnTable:
        """The page with its words."""
        return DrawnTable(self.image, (), self.words)


def find_tables(gray: Gray, reduction: int, page: Page) -> tuple[Table, ...]:
    """Return the tables of a page."""
    tables = with_tables(gray, reduction, page).tables
    assert tables is not None
    return tables


def moved(box: Box, right: int, down: int) -> Box:
    """Return a box at another place."""
    return Box(box.left + right, box.top + down, box.right + right, box.bottom + down)


def find(drawn: DrawnTable) -> tuple[Table, ...]:
    """Return the tables of a page that lies straight."""
    return find_tables(drawn.gray, 1, drawn.page())


def the_table(drawn: DrawnTable) -> Table:
    """Return the only table of a page that lies straight."""
    (table,) = find(drawn)
    return table


def cells_of(table: Table) -> list[DrawnCell]:
    """Return the cells that are not empty, as they would be drawn."""
    return [
        DrawnCell(cell.row, cell.column, cell.text, cell.row + cell.rows - 1, cell.column + cell.columns - 1)
        for cell in table.cells
        if cell.text
    ]


def truth_of(cells: Iterable[DrawnCell]) -> list[DrawnCell]:
    """Return cells that were drawn as they are to be found: row by row, with wrapped texts on one line."""
    found = [
        DrawnCell(cell.row, cell.column, " ".join(cell.text.split()), cell.rows[1], cell.columns[1]) for cell in cells
    ]
    return sorted(found, key=lambda cell: (cell.row, cell.column))


def texts_of(table: Table) -> list[list[str]]:
    """Return the texts of the cells that begin in each row, from left to right."""
    return [[cell.text for cell in table.cells if cell.row == row] for row in range(table.rows)]


def header_rows(table: Table) -> set[int]:
    """Return the rows in which headings begin; no row has both headings and data."""
    headers = {cell.row for cell in table.cells if cell.is_header}
    assert headers.isdisjoint(cell.row for cell in table.cells if not cell.is_header)
    return headers


@dataclass(frozen=True, slots=True)
class Scan:
    """A page that does not lie straight."""

    gray: Gray
    page: Page
    to_original: Matrix
    """Maps pixels of the drawing to those of the scan."""

    def tables(self, reduction: int = 1) -> tuple[Table, ...]:
        """Return the tables that are found if the scan was decoded at a part of its size."""
        height, width = self.gray.shape
        size = (-(-width // reduction), -(-height // reduction))
        gray = cv2.resize(self.gray, size, interpolation=cv2.INTER_AREA)
        return find_tables(np.asarray(gray, np.uint8), reduction, self.page)


def scan_of(
    drawn: DrawnTable, to_original: Matrix, size: tuple[int, int], *, turns: int = 0, angle: float = 0.0
) -> Scan:
    """Return a scan of ``size`` on which the drawing lies by a map; words are placed as the page's reader does it."""
    gray = cv2.warpPerspective(np.asarray(drawn.image), to_original, size, flags=cv2.INTER_LINEAR, borderValue=(255.0,))
    width, height = drawn.image.size
    return Scan(np.asarray(gray, np.uint8), _page(drawn, to_original, size, (width, height), turns, angle), to_original)


def skewed_scan(drawn: DrawnTable, image: Image.Image, degrees: float) -> Scan:
    """Return a scan: ``image`` is the drawing, turned clockwise about its middle.

    As of any scan, the straight page is as large as the scan.
    """
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    (width, height), (wide, high) = drawn.image.size, image.size
    turned = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    to_original = _shift(wide / 2, high / 2) @ turned @ _shift(-width / 2, -height / 2)
    page = _page(drawn, to_original, (wide, high), (width, height), 0, degrees)
    assert page.upright is not None
    to_middle: Matrix = _shift((wide - width) / 2, (high - height) / 2) @ _matrix(page.upright)
    upright = replace(page.upright, width=float(wide), height=float(high), matrix=_nine(to_middle))
    return Scan(np.asarray(image), replace(page, upright=upright), to_original)


def _page(
    drawn: DrawnTable,
    to_original: Matrix,
    size: tuple[int, int],
    straight: tuple[int, int],
    turns: int,
    angle: float,
) -> Page:
    page = drawn.page()
    blocks = tuple(
        replace(block, lines=tuple(_placed(line, to_original) for line in block.lines)) for block in page.blocks
    )
    upright = Upright(
        turns, angle, float(straight[0]), float(straight[1]), _nine(np.asarray(np.linalg.inv(to_original), np.float64))
    )
    return replace(page, width=size[0], height=size[1], blocks=blocks, upright=upright)


def _placed(line: Line, to_original: Matrix) -> Line:
    words = tuple(_word(word, to_original) for word in line.words)
    return replace(line, words=words, box=words[0].box)


def _word(word: Word, to_original: Matrix) -> Word:
    points = mapped(corners_of(word.box), to_original)
    xs, ys = points[:, 0], points[:, 1]
    box = Box(math.floor(xs.min()), math.floor(ys.min()), math.ceil(xs.max()), math.ceil(ys.max()))
    left, top, right, bottom = mapped(
        [
            (word.box.left, (word.box.top + word.box.bottom) / 2),
            ((word.box.left + word.box.right) / 2, word.box.top),
            (word.box.right, (word.box.top + word.box.bottom) / 2),
            ((word.box.left + word.box.right) / 2, word.box.bottom),
        ],
        to_original,
    )
    return replace(word, box=box, width=math.dist(left, right), height=math.dist(top, bottom))


def mapped(points: Sequence[tuple[float, float]], by: Matrix) -> Matrix:
    """Return points, one a row, mapped by a homogeneous matrix."""
    homogeneous = np.column_stack([np.array(points, np.float64), np.ones(len(points))]) @ by.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:], np.float64)


def corners_of(box: Box) -> list[tuple[float, float]]:
    """Return the corners of a box, clockwise from the top left one."""
    return [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]


def points_of(corners: Quad) -> list[tuple[float, float]]:
    """Return the corners of a cell or table as points."""
    return list(zip(corners[::2], corners[1::2], strict=True))


def _shift(right: float, down: float) -> Matrix:
    return np.array([[1.0, 0.0, right], [0.0, 1.0, down], [0.0, 0.0, 1.0]])


def _matrix(upright: Upright) -> Matrix:
    return np.array(upright.matrix).reshape(3, 3)


def _nine(matrix: Matrix) -> tuple[float, float, float, float, float, float, float, float, float]:
    a, b, c, d, e, f, g, h, i = (matrix / matrix[2, 2]).ravel().tolist()
    return a, b, c, d, e, f, g, h, i


def _rounded(box: tuple[float, float, float, float]) -> Box:
    left, top, right, bottom = map(round, box)
    return Box(left, top, right, bottom)
