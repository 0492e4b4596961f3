"""Finds the labels of fields in lines of text, although some of their letters may be misread."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from ocrwatch.recipe import FieldRule
from ocrwatch.recognise.extract.fields.dates import folded
from ocrwatch.recognise.extract.fields.text_lines import TextLine

ANYWHERE: Final = "*"
"""Label of values anywhere on the page."""

_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|[%#]")
_ALIKE: Final = str.maketrans({"i": "l", "1": "l", "0": "o", "5": "s", "8": "b"})
"""Characters that engines confuse most."""

_MOST_TOKENS: Final = 8
_LONG: Final = 12
"""Letters of a label in which one may be missing, or too many, at least."""

_LETTERS_PER_ERROR: Final = 6

_PER_ERROR: Final = 3
"""How many letters longer a label must be for each wrong letter, to take the place of another: "Tax 1" is none of
"tax id"."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label on the page."""

    line: TextLine
    start: int
    """Index into the line's text."""
    end: int
    text: str
    """As it was read."""
    ranks: dict[str, int]
    """How good it is for each field, by the field's name: 0 is best."""


@dataclass(frozen=True, slots=True)
class LabelSet:
    """All labels of a document's fields."""

    keys: list[str]
    """Letters and digits of each label, folded."""
    ranks: list[dict[str, int]]
    """For each key, how good it is for each field; empty for a label that names another value."""


def label_set(rules: Iterable[FieldRule]) -> LabelSet:
    """Return the labels of the rules. Those with ``|`` between them are equally good."""
    ranks: dict[str, dict[str, int]] = {}
    for rule in rules:
        for text in rule.not_near:
            ranks.setdefault(_key(text), {})
        for rank, group in enumerate(rule.near):
            for text in group.split("|"):
                if text.strip() != ANYWHERE:
                    ranks.setdefault(_key(text), {}).setdefault(rule.name, rank)
    ranks.pop("", None)
    return LabelSet(list(ranks), list(ranks.values()))


def find_labels(lines: Sequence[TextLine], labels: LabelSet) -> list[Label]:
    """Return the labels in the lines. Of labels that overlap, the longest counts, if it is read as well."""
    if not labels.keys:
        return []
    allowed = np.array([(len(key) + 1) // _LETTERS_PER_ERROR for key in labels.keys])
    lengths = frozenset(
        length
        for key, most in zip(labels.keys, allowed.tolist(), strict=True)
        for length in range(len(key) - most, len(key) + most + 1)
    )
    places = [(line, start, end, key) for line in lines for start, end, key in _phrases(line, lengths)]
    if not places:
        return []
    phrases = list(dict.fromkeys(key for _, _, _, key in places))
    distances = cdist(
        phrases, labels.keys, scorer=Levenshtein.distance, score_cutoff=int(allowed.max()), dtype=np.uint8
    )
    fits = distances <= allowed
    # A letter more or less makes another word of a short one: "summer" is no "Summe".
    sizes, wanted = np.array([len(key) for key in phrases]), np.array([len(key) for key in labels.keys])
    fits &= (distances == 0) | (wanted >= _LONG) | (sizes[:, None] == wanted)
    best = np.where(fits, distances, 255).argmin(axis=1).tolist()
    by_phrase = {phrases[at]: (best[at], int(distances[at, best[at]])) for at in np.flatnonzero(fits.any(axis=1))}
    found = [(line, start, end, *by_phrase[key]) for line, start, end, key in places if key in by_phrase]
    return [
        Label(line, start, end, line.text[start:end], labels.ranks[label])
        for line, start, end, label in _longest(found, labels)
    ]


def _phrases(line: TextLine, lengths: frozenset[int]) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and key of all sequences of words that may be a label, by their lengths.

    A label has no wide gap: heads of columns beside each other are several.
    """
    longest = max(lengths)
    tokens = [(match.start(), match.end(), _key(match[0])) for match in _TOKEN.finditer(line.text)]
    for first, (begin, _, _) in enumerate(tokens):
        key = ""
        _, last = line.piece_at(begin)
        for _, end, part in tokens[first : first + _MOST_TOKENS]:
            key += part
            if len(key) > longest or end > last:
                break
            if len(key) in lengths:
                yield begin, end, key


def _longest(
    found: Iterable[tuple[TextLine, int, int, int, int]], labels: LabelSet
) -> list[tuple[TextLine, int, int, int]]:
    kept: list[tuple[TextLine, int, int, int]] = []
    taken: dict[int, list[tuple[int, int]]] = {}
    order = sorted(found, key=lambda each: (_PER_ERROR * each[4] - len(labels.keys[each[3]]), each[1]))
    for line, start, end, label, _ in order:
        places = taken.setdefault(line.number, [])
        if all(end <= begin or finish <= start for begin, finish in places):
            places.append((start, end))
            kept.append((line, start, end, label))
    return sorted(kept, key=lambda each: (each[0].number, each[1]))


@functools.lru_cache(maxsize=4096)
def _key(text: str) -> str:
    """Return the letters, digits, % and # of a text without case, accents and differences of similar characters."""
    return "".join(token for token in _TOKEN.findall(folded(text))).translate(_ALIKE).replace("rn", "m")
