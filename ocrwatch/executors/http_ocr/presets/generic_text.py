"""Text of answers to the preset ``generic``, found by the paths of its options.

A path that finds nothing is either wrong, or the page has no text. So that no text is lost, it counts as wrong if the
answer has any text elsewhere, and always if it finds nothing in all lines, or in all words, that there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ocrwatch.document import Block, Box, Line
from ocrwatch.executors.http_ocr.presets.base import Image
from ocrwatch.executors.http_ocr.presets.columns import along_text
from ocrwatch.executors.http_ocr.presets.generic_boxes import BoxForm, place_of, scale_of
from ocrwatch.executors.http_ocr.presets.generic_options import Options
from ocrwatch.executors.http_ocr.presets.json_paths import find, texts_in
from ocrwatch.executors.http_ocr.presets.text import (
    Piece,
    block_of,
    clean,
    line_of_words,
    percent,
    split_line,
    unplaced,
)

_SHARED: Final = 0.5
"""Overlap of two words of one line, as a share of the lower one's height."""


class NotFound(Exception):
    """An option's path finds nothing where there is text."""

    def __init__(self, option: str, what: str) -> None:
        super().__init__(option, what)
        self.option = option
        self.what = what
        """What is wrong, as part of a sentence that begins with the option."""


@dataclass(frozen=True, slots=True)
class TextFinder:
    """Finds the text of one answer."""

    options: Options
    image: Image
    answer: Any

    def blocks(self) -> tuple[Block, ...]:
        """Return the text; nothing for a page without any. Raises NotFound."""
        if "text" in self.options.paths:
            found = self._everywhere("text")
            # Strings keep the ends of their lines; an empty one is an empty line.
            texts = [each if isinstance(each, str) else clean(each) for each in found]
            self._require_text("text", found, texts)
            return unplaced("\n".join(text for each, text in zip(found, texts, strict=True) if text or each == ""))
        if "lines" in self.options.paths:
            return block_of(self._lines(self._everywhere("lines")))
        return block_of(line_of_words(words, self.image) for words in self._rows(self._everywhere("words")))

    def _lines(self, lines: Sequence[Any]) -> Iterator[Line | None]:
        """Yield each line: of its words, or of its own text if it has none."""
        words_of = self._words_of(lines)
        has_words = any(words_of)
        for line, words in zip(self._pieces("line", lines, is_needed=not has_words), words_of, strict=True):
            yield line_of_words(words, self.image, line.place) or split_line(line, self.image)

    def _words_of(self, lines: Sequence[Any]) -> list[list[Piece]]:
        """Return the words of each line; none if the options do not say where they are."""
        path = self.options.path("words")
        if path is None:
            return [[] for _ in lines]
        found = [find(path, line) for line in lines]
        if found and all(each.missing for each in found):
            raise NotFound("words", f"finds nothing in all {len(lines)} lines")
        pieces = iter(self._pieces("word", [word for each in found for word in each.values], is_needed=True))
        return [[next(pieces) for _ in each.values] for each in found]

    def _rows(self, words: Sequence[Any]) -> Iterator[list[Piece]]:
        """Yield the words of each line, for services without lines: they are in the order in which they are read."""
        row: list[Piece] = []
        last: Box | None = None
        for piece in self._pieces("word", words, is_needed=True):
            box = piece.place.box(self.image) if piece.place is not None else None
            if last is not None and box is not None and not _follows(box, last):
                yield row
                row = []
            row.append(piece)
            last = box or last
        yield row

    def _pieces(self, kind: str, items: Sequence[Any], *, is_needed: bool) -> list[Piece]:
        """Return lines or words with text, place and confidence; ``is_needed`` says whether they must have text."""
        option = f"{kind}_text"
        # Several texts of a word are its letters.
        between = " " if kind == "line" else ""
        found = self._all(option, items) if option in self.options.paths else [(item,) for item in items]
        texts = [between.join(filter(None, map(clean, values))) for values in found]
        if is_needed:
            self._require_text(option, items, texts)
        scale = float(self.options.value("confidence_scale"))
        form = BoxForm(
            self.options.value("box") == "xywh",
            self.options.box_members,
            scale_of(self.options.value("units"), self.image),
        )
        return [
            Piece(text, percent(confidence, scale), along_text(place_of(box, form, self.image), text))
            for text, box, confidence in zip(
                texts, self._each(f"{kind}_box", items), self._each(f"{kind}_confidence", items), strict=True
            )
        ]

    def _everywhere(self, option: str) -> Sequence[Any]:
        """Return what a path leads to."""
        found = find(self.options.paths[option], self.answer)
        if found.missing and self.options.value("missing") == "fault" and _has_text([self.answer]):
            raise NotFound(option, "finds nothing, but there is text")
        return found.values

    def _each(self, option: str, items: Sequence[Any]) -> Sequence[Any]:
        """Return the first that a path leads to in each line or word; None where there is nothing, or no path."""
        return [next(iter(values), None) for values in self._all(option, items)]

    def _all(self, option: str, items: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return all that a path leads to in each line or word; nothing if there is no path."""
        path = self.options.path(option)
        if path is None or not items:
            return [()] * len(items)
        if path.from_root:
            values = find(path, self.answer).values
            if len(values) != len(items):
                raise NotFound(option, f"finds {len(values)} values for {len(items)} texts")
            return [(value,) for value in values]
        found = [find(path, item) for item in items]
        if all(each.missing for each in found):
            raise NotFound(option, f"finds nothing in all {len(items)} {'lines' if option[0] == 'l' else 'words'}")
        return [each.values for each in found]

    def _require_text(self, option: str, items: Sequence[Any], texts: Sequence[str]) -> None:
        """Raise NotFound if there is no text, but letters somewhere in what should have some."""
        if not any(texts) and _has_text(items):
            what = "finds no text" if option in self.options.paths else "is not set, and what was found is no text"
            raise NotFound(option, f"{what}, but there is some in it")


def _has_text(values: Sequence[Any]) -> bool:
    return any(any(map(str.isalnum, text)) for value in values for text in texts_in(value))


def _follows(box: Box, last: Box) -> bool:
    """Return whether a word is on the line of the word before it, and after it."""
    shared = min(box.bottom, last.bottom) - max(box.top, last.top)
    return box.left >= last.left and shared >= _SHARED * min(box.bottom - box.top, last.bottom - last.top)
