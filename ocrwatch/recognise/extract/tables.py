"""Finds the tables of a page.

Four kinds that real pages mix: a full grid of rules; rules between some rows only; a frame with another table inside;
no rules at all.
"""

from __future__ import annotations

from dataclasses import replace

from ocrwatch.document import Page
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.extract.aligned_tables import aligned_tables
from ocrwatch.recognise.extract.found import TablePage
from ocrwatch.recognise.extract.lost_rows import with_lost_rows
from ocrwatch.recognise.extract.placed_tables import placed_table
from ocrwatch.recognise.extract.ruled_tables import ruled_tables
from ocrwatch.recognise.extract.rules import find_rules
from ocrwatch.recognise.extract.split_words import split_words
from ocrwatch.recognise.extract.straight_page import straighten
from ocrwatch.recognise.extract.table_words import spacing_of
from ocrwatch.recognise.extract.word_ink import clean_words


def with_tables(gray: Gray, reduction: int, page: Page) -> Page:
    """Return a page that was read with its tables, from top to bottom.

    Words that reach over a vertical rule are divided there. ``gray`` is the upright original before enhancement,
    reduced by ``reduction``.
    """
    straight = straighten(gray, reduction, page)
    if straight is None:
        return replace(page, tables=())
    letters = [word for word in straight.words if any(map(str.isalnum, word.text))]
    rules = find_rules(straight.gray, straight.unit, letters)
    divided = split_words(page, straight, rules)
    if divided is not page:
        page, straight = divided, straight.with_words_of(divided)
    words = clean_words(straight, rules)
    whole = TablePage(words, rules.horizontal, rules.vertical, spacing_of(words))
    ruled, rest = ruled_tables(whole, rules)
    found = [*ruled, *aligned_tables(TablePage(rest, rules.horizontal, rules.vertical, whole.spacing))]
    found.sort(key=lambda table: (table.place.top, table.place.left))
    return replace(page, tables=tuple(placed_table(with_lost_rows(table, straight), straight, page) for table in found))
