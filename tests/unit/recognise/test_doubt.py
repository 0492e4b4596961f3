"""Which pages a remote second reader gets."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from ocrwatch.document import BLANK, Block, Box, EngineInfo, Line, Page, Word
from ocrwatch.recognise.doubt import is_doubtful

BOX = Box(10, 10, 90, 30)


def page(*confidences: float | None, unread: float | None = None) -> Page:
    """Return a page with a word of each confidence."""
    words = tuple(Word("Harbour", BOX, confidence) for confidence in confidences)
    blocks = (Block((Line(words, BOX),), BOX),) if words else ()
    return Page(100, 100, 300.0, 1, blocks, EngineInfo("tesserocr", "5", ("eng",)), unread=unread)


@pytest.mark.parametrize(
    "doubtful",
    [page(87.9), page(96.0, 70.0), page(96.0, unread=0.31), page(None, unread=0.31), page(), page(unread=0.0)],
)
def test_doubtful_pages(doubtful: Page) -> None:
    """Those with a low confidence, with many unread marks, or without text."""
    assert is_doubtful(doubtful)


@pytest.mark.parametrize(
    "sure",
    [page(88.0), page(96.0, 84.0), page(96.0, unread=0.3), page(None), page(float("nan"))],
)
def test_pages_that_are_read_well(sure: Page) -> None:
    """If nothing is known of how sure an engine is, nothing speaks against its text."""
    assert not is_doubtful(sure)


def test_blank_pages_are_not_in_doubt() -> None:
    """They were proved to have no text."""
    assert not is_doubtful(replace(page(), steps=(BLANK,)))


def test_workers_that_render_load_no_image_library() -> None:
    """They ask it of every page."""
    code = (
        "import sys\nimport ocrwatch.executors.rendering, ocrwatch.recognise.doubt, ocrwatch.recognise.sent_page\n"
        "print(*sorted({'numpy', 'cv2', 'PIL', 'tesserocr', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
