"""What programs find in a searchable PDF: words in their order, and where each is on the page."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

import pypdf
import pypdfium2
from rapidfuzz.distance import LCSseq

POINTS: Final = 72.0


def by_pdftotext(pdf: bytes) -> list[str]:
    """Return the words that poppler's pdftotext finds."""
    return subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode().split()


def by_pdfium(pdf: bytes) -> list[str]:
    """Return the words that PDFium finds, which is in Chrome.

    It joins words that are divided at a line's end, and has U+FFFE instead of the hyphen: they count as found.
    """
    with pypdfium2.PdfDocument(pdf) as document:
        texts = [str(page.get_textpage().get_text_range()) for page in document]
    return [word for text in texts for word in text.replace("\ufffe", "-\n").split()]


def by_pypdf(pdf: bytes) -> list[str]:
    """Return the words that pypdf finds."""
    return [word for page in pypdf.PdfReader(io.BytesIO(pdf)).pages for word in page.extract_text().split()]


def readers() -> dict[str, Callable[[bytes], list[str]]]:
    """Return those that are installed."""
    found: dict[str, Callable[[bytes], list[str]]] = {"PDFium": by_pdfium, "pypdf": by_pypdf}
    return {"pdftotext": by_pdftotext, **found} if shutil.which("pdftotext") else found


def in_order(words: Sequence[str], found: Sequence[str]) -> float:
    """Return the share of ``words`` that are ``found`` in their order: the longest common subsequence."""
    return LCSseq.similarity(words, found) / len(words) if words else 1.0


def word_boxes(pdf: bytes) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Return each word with its left, top, right and bottom in points from the upper left corner, as PDFium has it."""
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0]
        height, text = page.get_height(), page.get_textpage()
        content = str(text.get_text_range())
        found, at = [], 0
        for word in content.split():
            at = content.index(word, at)
            corners = [text.get_charbox(number) for number in range(at, at + len(word))]
            at += len(word)
            lefts, bottoms, rights, tops = zip(*corners, strict=True)
            found.append((word, (min(lefts), height - max(tops), max(rights), height - min(bottoms))))
    return found


def millimetres(points: float) -> float:
    """Convert."""
    return points / POINTS * 25.4


def off_by(placed: Sequence[float], print_: Sequence[float]) -> float:
    """Return the distance between the middles of two boxes, in their unit."""
    across = (placed[0] + placed[2] - print_[0] - print_[2]) / 2
    down = (placed[1] + placed[3] - print_[1] - print_[3]) / 2
    return math.hypot(across, down)
