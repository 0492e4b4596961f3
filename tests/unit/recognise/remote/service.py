"""A perfect service: Tesseract reads the image that is sent."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ocrwatch.document import UNPLACED, Block, EngineInfo, Line, Page, Word
from ocrwatch.recipe import EnhanceOptions, Preparation, Recipe, RemoteService
from ocrwatch.recognise import engines
from ocrwatch.recognise.remote.answered import placed
from ocrwatch.recognise.remote.prepare import prepare

ANY = frozenset({"image/jpeg", "image/png", "image/tiff"})
JPEG = frozenset({"image/jpeg"})
ENGINE = EngineInfo("remote:cloud", "1", ("eng",))

LINES = [
    "The harbour office opened on Monday",
    "and Bill Hill paid 2041 invoices before",
    "noon while gulls were circling above",
    "every ship that waited outside until",
    "Captain Brown had signed his papers",
]
TEXT = "\n".join(LINES)


def recipe(mode: Preparation = "none", *, enhance: EnhanceOptions | None = None, **options: Any) -> Recipe:
    """Return a recipe by which a service reads."""
    service = RemoteService("cloud", "made-up", "http://127.0.0.1/", mode)
    return Recipe(engine="remote:cloud", remote=service, enhance=enhance or EnhanceOptions(), **options)


def image_of(content: bytes) -> Image.Image:
    """Return the image that a service sees, which knows nothing of EXIF."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def read(content: bytes, *, page_segmentation: int = 3) -> tuple[Block, ...]:
    """Return what Tesseract reads, as it is."""
    wanted = Recipe(engine="tesserocr", second="none", page_segmentation=page_segmentation)
    pixels = np.ascontiguousarray(np.asarray(image_of(content).convert("L")))
    return engines.load(wanted).read(pixels, 0, wanted)


def page_of(scan: bytes, wanted: Recipe, media_types: frozenset[str] = ANY, max_bytes: int = 0) -> Page:
    """Return the page of a scan that the service has read."""
    content, sent = prepare(scan, wanted, media_types, max_bytes)
    return placed(read(content), sent, wanted, ENGINE)


def lost(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Return text as of a language model: without places and confidences."""
    return tuple(
        Block(
            tuple(
                Line(tuple(Word(word.text, UNPLACED, None) for word in line.words), UNPLACED) for line in block.lines
            ),
            UNPLACED,
        )
        for block in blocks
    )


def each_word(blocks: tuple[Block, ...], **changes: Any) -> tuple[Block, ...]:
    """Return blocks with each word changed in the same way."""
    return tuple(
        replace(
            block,
            lines=tuple(
                replace(line, words=tuple(replace(word, **changes) for word in line.words)) for line in block.lines
            ),
        )
        for block in blocks
    )
