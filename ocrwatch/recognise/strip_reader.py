"""Reads small parts of a page once more, larger than before, with each engine that is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ocrwatch.document import Line, Page, Quad
from ocrwatch.errors import EngineFailed
from ocrwatch.recipe import FieldRule
from ocrwatch.recognise import engines
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.fields.leader_lines import BesideLeaders
from ocrwatch.recognise.extract.fields.leaders import erased, find_leaders
from ocrwatch.recognise.extract.sheets import LARGEST_SCALE, sheet_of_places, sheet_scale, that_fit
from ocrwatch.recognise.extract.straight_page import straighten
from ocrwatch.recognise.ppocr import weights
from ocrwatch.recognise.ppocr.lines import read_line
from ocrwatch.recognise.ppocr.strip import strip_of
from ocrwatch.recognise.reader import Reader, confidence

_SURE: Final = 0.6
"""Mean score of a line that PP-OCR reads, 0 to 1, at least; it finds text of lower scores in noise."""


_SMALL: Final = 24.0
"""Pixels that a word is tall for Tesseract, at least, the first time."""

_LARGER: Final = 1.5
"""How much larger it is the second time: what is misread in one size is often read well in another."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a part of the page."""

    engine: str

    text: str
    confidence: float
    """0 to 100."""


class StripReader:
    """Reads parts of one page."""

    def __init__(self, gray: Gray, reduction: int, page: Page, reader: Reader, *, second: bool) -> None:
        """``gray`` is the upright original, reduced by ``reduction``; ``second`` says whether PP-OCR is loaded."""
        self._gray = gray
        self._lines = gray
        """What lines are read from: without leaders, once they were found."""
        self._reduction = reduction
        self._page = page
        self._reader = reader
        self._second = second

    def read_lines(self, places: Sequence[Quad], unit: float) -> list[list[Reading]]:
        """Return what each engine reads at each place, which has one line of text.

        ``unit`` is the height of a word in pixels of the original. An engine that fails gives nothing.
        """
        readings: list[list[Reading]] = [[] for _ in places]
        small = min(max(1 / self._reduction / _LARGER, _SMALL / unit), LARGEST_SCALE / _LARGER)
        for scale in (small, small * _LARGER):
            kept = that_fit(places, scale)
            for number, reading in self._read_sheet([places[number] for number in kept], scale):
                readings[kept[number]].append(reading)
        if self._second:
            for number, place in enumerate(places):
                readings[number] += self._second_reading(place)
        return readings

    def read_beside_leaders(self) -> BesideLeaders | None:
        """Return the texts beside dotted leaders, read without the dots; None if there are none.

        Lines are read without these dots from then on.
        """
        straight = straighten(self._gray, self._reduction, self._page)
        leaders = None if straight is None else find_leaders(straight.gray, straight.unit)
        if straight is None or leaders is None or not leaders.texts:
            return None
        self._lines = erased(self._gray, straight.corners(leaders.dots), self._reduction)
        corners = straight.corners(leaders.texts)
        scale = sheet_scale(self._reduction, straight.height)
        kept = that_fit(corners, scale)
        read = self._lines_by_place([corners[number] for number in kept], scale)
        if not read:
            return None
        lines = {text: read.get(number, ()) for number, text in enumerate(leaders.texts[each] for each in kept)}
        return BesideLeaders(leaders.dots, lines)

    def _read_sheet(self, places: Sequence[Quad], scale: float) -> Iterator[tuple[int, Reading]]:
        for number, found in self._lines_by_place(places, scale).items():
            words = [word for line in found for word in line.words]
            text = " ".join(line.text for line in found)
            yield number, Reading(self._reader.engine_name, text, confidence(words))

    def _lines_by_place(self, places: Sequence[Quad], scale: float) -> Mapping[int, Sequence[Line]]:
        """Return what is read at places that fit on a sheet, by their numbers; nothing if the engine fails."""
        if not places:
            return {}
        sheet = sheet_of_places(places, self._lines, self._reduction, scale)
        try:
            return sheet.lines_by_place(self._reader.read_sheet(sheet.image), self._page)
        except EngineFailed:
            return {}

    def _second_reading(self, place: Quad) -> list[Reading]:
        corners = np.array(place, np.float64).reshape(4, 2)[[0, 1, 3]] / self._reduction
        try:
            line = read_line(self._lines, strip_of(corners), self._reader.recipe)
        except EngineFailed:
            return []
        return [Reading(weights.NAME, line.text, 100 * line.score)] if line.text and line.score >= _SURE else []

    def read_zone(self, place: Quad, unit: float, rule: FieldRule) -> Reading | None:
        """Return the text of a zone, read by the reader's engine with the zone's options; None if there is none.

        Raises OcrwatchError if the engine does not support them, or the data of its languages is missing.
        """
        scale = sheet_scale(self._reduction, unit)
        if not that_fit([place], scale):
            scale = 1 / self._reduction
        sheet = sheet_of_places([place], self._gray, self._reduction, scale)
        recipe = replace(
            self._reader.recipe,
            engine=self._reader.engine_name,
            page_segmentation=rule.page_segmentation,
            whitelist=rule.whitelist,
            languages=rule.languages or self._reader.recipe.languages,
        )
        blocks = engines.read_with(engines.load(recipe), sheet.image, 0, recipe)
        lines = [line for block in blocks for line in block.lines]
        words = [word for line in lines for word in line.words]
        text = "\n".join(line.text for line in lines)
        return Reading(self._reader.engine_name, text, confidence(words)) if words else None
