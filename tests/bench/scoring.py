"""How much of a page was read right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

TRUTH = ".gt.txt"
"""What the truth of ``NAME.jpg`` ends with: ``NAME.gt.txt``, in UTF-8."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one page or, added up, of many; a long page weighs more than a short one."""

    edits: int = 0
    """Levenshtein distance in characters (insertions, deletions and substitutions cost 1 each), white space folded to
    single spaces; of each page at most as many as its truth is long, as if nothing had been read."""
    characters: int = 0
    """Of the truth, folded likewise."""
    common: int = 0
    """Words of the truth that were read, each as often as in both: the intersection of two multisets."""
    true_words: int = 0
    read_words: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.edits + other.edits,
            self.characters + other.characters,
            self.common + other.common,
            self.true_words + other.true_words,
            self.read_words + other.read_words,
        )

    @property
    def cer(self) -> float:
        """Character error rate, 0 to 1. Means something where there is one order to read in, as in a book."""
        return self.edits / max(1, self.characters)

    @property
    def word_f1(self) -> float:
        """Harmonic mean of the words' precision and recall, 0 to 1, whatever their order."""
        return 2 * self.common / max(1, self.true_words + self.read_words)


def score(truth: str, text: str) -> Score:
    """Compare one page's text with its truth. Words are what white space separates, in capitals."""
    truth, text = " ".join(truth.split()), " ".join(text.split())
    true_words, read_words = Counter(truth.upper().split()), Counter(text.upper().split())
    return Score(
        min(Levenshtein.distance(truth, text), len(truth)),
        len(truth),
        (true_words & read_words).total(),
        true_words.total(),
        read_words.total(),
    )


def bag_f1(truth: str, text: str) -> float:
    """F1 of a page's case-folded bag of words, 0 to 1; 1 if both texts have none.

    Words are runs of letters and digits. Unlike :attr:`Score.word_f1` it takes no account of punctuation, and each
    page weighs the same if it is averaged over pages.
    """
    true_words, read_words = Counter(_folded_words(truth)), Counter(_folded_words(text))
    words = true_words.total() + read_words.total()
    return 2 * (true_words & read_words).total() / words if words else 1.0


def total(scores: Iterable[Score]) -> Score:
    """Add up the scores of several pages."""
    return sum(scores, Score())


def truth_of(scan: Path) -> str | None:
    """Return what is on a scan; None where nobody has written it down."""
    path = scan.with_name(scan.stem + TRUTH)
    return path.read_text("utf-8", "replace") if path.is_file() else None


def _folded_words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
